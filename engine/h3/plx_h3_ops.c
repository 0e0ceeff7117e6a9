/* SPDX-License-Identifier: BSD-3-Clause */
/* What an application above HTTP/3 may ask for. */
#include <string.h>

#include "plx_h3_pvt.h"

static bool
has_field(const struct plx_h3_field *f, uint16_t cnt, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);

	for (uint16_t i = 0; i < cnt; i++) {
		if (f[i].name_len == n && f[i].value_len == v &&
		    memcmp(f[i].name, name, n) == 0 && memcmp(f[i].value, value, v) == 0)
			return true;
	}
	return false;
}

int
plx_h3_request(struct plx_h3 *h, const struct plx_h3_field *f, uint16_t cnt, bool body,
               int64_t *stream_id)
{
	struct plx_h3_stream *s;
	int err;

	if (h->server || cnt == 0 || !plx_h3_fields_valid(f, cnt))
		return PLX_E_INVAL;
	if (h->closing || h->goaway_rx)
		return PLX_E_CLOSING;
	err = plx_conn_open_stream(h->conn, true, stream_id);
	if (err)
		return err;
	s = plx_h3_stream_new(h, *stream_id);
	err = s ? plx_h3_ng_submit(h, s, f, cnt, body, false) : PLX_E_NOMEM;
	if (err) {
		if (s) {
			plx_streamtab_del(&h->streams, *stream_id);
			plx_h3_stream_free(h, s);
		}
		plx_conn_shut_stream(h->conn, *stream_id, PLX_H3_REQUEST_CANCELLED);
		return err;
	}
	s->known = true;
	s->head_req = has_field(f, cnt, ":method", "HEAD");
	s->connect = has_field(f, cnt, ":method", "CONNECT");
	h->requests++;
	plx_h3_count(h, PLX_COUNT_h3_requests);
	plx_conn_want_write(h->conn);
	return 0;
}

/* A request that may be answered now. */
static int
to_answer(struct plx_h3 *h, int64_t stream_id, struct plx_h3_stream **s)
{
	if (!h->server)
		return PLX_E_INVAL;
	if (h->closing)
		return PLX_E_CLOSING;
	*s = plx_h3_stream_find(h, stream_id);
	if (!*s || !(*s)->known)
		return PLX_E_NOENT;
	if ((*s)->dead || (*s)->responded)
		return PLX_E_STREAM_CLOSED;
	return 0;
}

int
plx_h3_respond(struct plx_h3 *h, int64_t stream_id, const struct plx_h3_field *f,
               uint16_t cnt, bool body)
{
	struct plx_h3_stream *s;
	int err = to_answer(h, stream_id, &s);

	if (!err && (cnt == 0 || !plx_h3_fields_valid(f, cnt)))
		err = PLX_E_INVAL;
	if (!err)
		err = plx_h3_ng_submit(h, s, f, cnt, body, false);
	if (err)
		return err;
	s->responded = true;
	plx_conn_want_write(h->conn);
	return 0;
}

int
plx_h3_inform(struct plx_h3 *h, int64_t stream_id, const struct plx_h3_field *f,
              uint16_t cnt)
{
	struct plx_h3_stream *s;
	int err = to_answer(h, stream_id, &s);

	if (!err && (cnt == 0 || !plx_h3_fields_valid(f, cnt)))
		err = PLX_E_INVAL;
	if (!err)
		err = plx_h3_ng_submit(h, s, f, cnt, false, true);
	if (!err)
		plx_conn_want_write(h->conn);
	return err;
}

int
plx_h3_trailers(struct plx_h3 *h, int64_t stream_id, const struct plx_h3_field *f,
                uint16_t cnt)
{
	struct plx_h3_stream *s = plx_h3_stream_find(h, stream_id);
	int err;

	if (h->closing)
		return PLX_E_CLOSING;
	if (!s || !s->known)
		return PLX_E_NOENT;
	if (s->dead || (h->server && !s->responded))
		return PLX_E_STREAM_CLOSED;
	if (cnt == 0 || !plx_h3_fields_valid(f, cnt))
		return PLX_E_INVAL;
	err = plx_h3_ng_trailers(h, stream_id, f, cnt);
	if (!err)
		plx_conn_want_write(h->conn);
	return err;
}

int
plx_h3_resume(struct plx_h3 *h, int64_t stream_id)
{
	if (h->closing)
		return PLX_E_CLOSING;
	plx_conn_want_write(h->conn);
	return plx_h3_ng_resume(h, stream_id);
}

int
plx_h3_consume(struct plx_h3 *h, int64_t stream_id, size_t len)
{
	plx_conn_consume(h->conn, stream_id, len);
	return 0;
}

int
plx_h3_cancel(struct plx_h3 *h, int64_t stream_id, uint64_t code)
{
	struct plx_h3_stream *s = plx_h3_stream_find(h, stream_id);

	if (h->closing)
		return PLX_E_CLOSING;
	if (!s || (stream_id & 3))
		return PLX_E_NOENT;
	if (s->dead)
		return PLX_E_STREAM_CLOSED;
	plx_h3_kill(h, s, code);
	return 0;
}

int
plx_h3_goaway(struct plx_h3 *h)
{
	if (h->closing)
		return PLX_E_CLOSING;
	if (h->goaway != PLX_H3_GOAWAY_NONE)
		return 0;
	h->goaway = PLX_H3_GOAWAY_NOTICE;
	plx_conn_want_write(h->conn);
	return plx_h3_ng_goaway_notice(h);
}

int
plx_h3_set_user(struct plx_h3 *h, int64_t stream_id, void *user)
{
	struct plx_h3_stream *s = plx_h3_stream_find(h, stream_id);

	if (!s)
		return PLX_E_NOENT;
	s->user = user;
	return 0;
}

void *
plx_h3_user(struct plx_h3 *h, int64_t stream_id)
{
	struct plx_h3_stream *s = plx_h3_stream_find(h, stream_id);

	/* on_closed is called for a stream that is out of the table. */
	if (!s && h->over && h->over->id == stream_id)
		s = h->over;
	return s ? s->user : NULL;
}
