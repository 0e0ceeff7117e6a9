/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * A client on real QUIC that writes the bytes of every HTTP/3 stream itself, against the HTTP/3
 * server: begin(), bytes, send_all(), settle().
 *
 * Threads: the caller's.
 */
#ifndef H3_RAW_H
#define H3_RAW_H

#include "h3_pair.h"
#include "h3_site.h"

/* How a case ends. */
enum outcome {
	OK = 0,     /* the site saw one request, whole */
	STREAM_ERR, /* the request was reset with the code, the connection lives */
	CONN_ERR,   /* the connection was closed with the code */
};

/* Bytes that are built piece by piece. */
struct bytes {
	uint8_t b[131072];
	size_t len;
};

static inline void
put(struct bytes *o, const void *p, size_t len)
{
	if (len)
		memcpy(o->b + o->len, p, len);
	o->len += len;
}

static inline void
put_byte(struct bytes *o, unsigned v)
{
	o->b[o->len++] = (uint8_t)v;
}

/* RFC 9000 section 16 */
static inline void
put_varint(struct bytes *o, uint64_t v)
{
	unsigned lg = v < 64 ? 0 : v < 16384 ? 1 : v < (1u << 30) ? 2 : 3;
	unsigned n = 1u << lg;

	for (unsigned i = 0; i < n; i++)
		put_byte(o, (unsigned)(v >> 8 * (n - 1 - i)) | (i == 0 ? lg << 6 : 0));
}

/* RFC 9204 section 4.1.1 */
static inline void
put_int(struct bytes *o, unsigned bits, unsigned first, uint64_t v)
{
	unsigned max = (1u << bits) - 1;

	if (v < max) {
		put_byte(o, first | (unsigned)v);
		return;
	}
	put_byte(o, first | max);
	for (v -= max; v >= 128; v >>= 7)
		put_byte(o, 0x80 | (v & 0x7f));
	put_byte(o, (unsigned)v);
}

/* A literal field with a literal name, RFC 9204 section 4.5.6. */
static inline void
put_field_len(struct bytes *o, const char *n, size_t n_len, const char *v, size_t v_len)
{
	put_int(o, 3, 0x20, n_len);
	put(o, n, n_len);
	put_int(o, 7, 0, v_len);
	put(o, v, v_len);
}

static inline void
put_field(struct bytes *o, const char *n, const char *v)
{
	put_field_len(o, n, strlen(n), v, strlen(v));
}

static inline void
put_frame(struct bytes *o, uint64_t type, const void *p, size_t len)
{
	put_varint(o, type);
	put_varint(o, len);
	put(o, p, len);
}

/* HEADERS of "name: value" lines; without a dynamic table the prefix is two zeros. */
static inline void
put_headers(struct bytes *o, const char *const *line)
{
	static struct bytes sect;

	sect.len = 0;
	put_byte(&sect, 0);
	put_byte(&sect, 0);
	for (; *line; line++) {
		const char *sep = strstr(*line + 1, ": ");

		put_field_len(&sect, *line, (size_t)(sep - *line), sep + 2,
		              strlen(sep + 2));
	}
	put_frame(o, 1, sect.b, sect.len);
}

#define GET  ":method: GET", ":scheme: https", ":authority: a.test", ":path: /never"
#define POST ":method: POST", ":scheme: https", ":authority: a.test", ":path: /never"

#define HEADERS(o, ...) put_headers(o, (const char *const[]){__VA_ARGS__, NULL})

#define DATA(o, text) put_frame(o, 0, text, strlen(text))

/* The client. */

struct raw {
	struct plx_conn *c;
	int64_t ctrl, qenc, qdec, req;
	struct {
		int64_t id;
		const uint8_t *p;
		size_t len;
		bool fin, done;
	} tx[8];
	unsigned tx_cnt;
	uint64_t reset_code, stop_code;
	uint32_t established, closed, resets, stops;
	struct plx_close_info why;
	uint64_t rx; /* bytes on the request stream */
};

static struct raw raw;
static struct h3_pair w;
static struct site site;
static struct plx_h3_cfg server_cfg;
static struct bytes ctrl, qenc, qdec, req;

static inline void
raw_send(int64_t id, const struct bytes *o, bool fin)
{
	raw.tx[raw.tx_cnt].id = id;
	raw.tx[raw.tx_cnt].p = o->b;
	raw.tx[raw.tx_cnt].len = o->len;
	raw.tx[raw.tx_cnt].fin = fin;
	raw.tx_cnt++;
	plx_conn_want_write(raw.c);
}

static inline int
raw_established(void *app, struct plx_conn *c, void **ctx)
{
	(void)app;
	raw.c = c;
	raw.established++;
	*ctx = &raw;
	return 0;
}

static inline int
raw_data(void *ctx, int64_t id, uint64_t off, const uint8_t *p, size_t len, bool fin)
{
	(void)ctx;
	(void)off;
	(void)p;
	(void)fin;
	if (id == raw.req)
		raw.rx += len;
	plx_conn_consume(raw.c, id, len);
	return 0;
}

static inline int
raw_reset(void *ctx, int64_t id, uint64_t final_sz, uint64_t code)
{
	(void)ctx;
	(void)final_sz;
	if (id == raw.req) {
		raw.resets++;
		raw.reset_code = code;
	}
	return 0;
}

static inline int
raw_next(void *ctx, struct plx_tx_next *next)
{
	static struct plx_iov vec;

	(void)ctx;
	for (unsigned i = 0; i < raw.tx_cnt; i++) {
		if (raw.tx[i].done)
			continue;
		vec.base = raw.tx[i].p;
		vec.len = raw.tx[i].len;
		next->stream_id = raw.tx[i].id;
		next->vec = &vec;
		next->cnt = vec.len > 0;
		next->fin = raw.tx[i].fin;
		return 1;
	}
	return 0;
}

static inline int
raw_tx_done(void *ctx, int64_t id, size_t len, bool fin)
{
	(void)ctx;
	for (unsigned i = 0; i < raw.tx_cnt; i++) {
		if (raw.tx[i].done || raw.tx[i].id != id)
			continue;
		raw.tx[i].p += len;
		raw.tx[i].len -= len;
		raw.tx[i].done = raw.tx[i].len == 0 && (fin || !raw.tx[i].fin);
		break;
	}
	return 0;
}

static inline int
raw_tx_off(void *ctx, int64_t id)
{
	(void)ctx;
	for (unsigned i = 0; i < raw.tx_cnt; i++)
		raw.tx[i].done |= raw.tx[i].id == id;
	return 0;
}

static inline void
raw_closed(void *ctx, const struct plx_close_info *why)
{
	(void)ctx;
	raw.closed++;
	raw.c = NULL;
	if (why)
		raw.why = *why;
}

static const struct plx_app raw_app = {
        .name = "raw",
        .on_conn_established = raw_established,
        .on_stream_data = raw_data,
        .on_stream_reset = raw_reset,
        .next_tx = raw_next,
        .tx_done = raw_tx_done,
        .tx_blocked = raw_tx_off,
        .tx_shut = raw_tx_off,
        .on_conn_closed = raw_closed,
};

static inline bool
up(struct plx_pair *p)
{
	(void)p;
	return raw.established && site.conns;
}

/* Streams with their types and SETTINGS; the test adds what is wrong. */
static inline void
begin(void)
{
	static struct plx_pair_cfg cfg;
	static const uint8_t settings[] = {0x00, 0x04, 0x00};

	plx_pair_cfg_init(&cfg);
	/* So that virtual time goes on in small steps while nothing happens. */
	cfg.quic[PLX_PAIR_CLIENT].keep_alive_ms = 10;
	memset(&raw, 0, sizeof(raw));
	memset(&site, 0, sizeof(site));
	h3_pair_open(&w, &cfg);
	server_cfg = (struct plx_h3_cfg){
	        .app = &site_app,
	        .arg = &site,
	        .obs = w.p->end[PLX_PAIR_SERVER].obs,
	        .slab = h3_pair_slab(&w, PLX_PAIR_SERVER),
	};
	h3_pair_app(&w, PLX_PAIR_SERVER, &plx_h3_inline, &server_cfg);
	h3_pair_app(&w, PLX_PAIR_CLIENT, &raw_app, NULL);
	h3_pair_dial(&w);
	CU_ASSERT_FATAL(plx_pair_run(w.p, up, PAIR_LIMIT));
	plx_conn_open_stream(raw.c, false, &raw.ctrl);
	plx_conn_open_stream(raw.c, false, &raw.qenc);
	plx_conn_open_stream(raw.c, false, &raw.qdec);
	plx_conn_open_stream(raw.c, true, &raw.req);
	ctrl.len = qenc.len = qdec.len = req.len = 0;
	put(&ctrl, settings, sizeof(settings));
	put_byte(&qenc, 0x02);
	put_byte(&qdec, 0x03);
}

static inline void
run_for(uint64_t ns)
{
	uint64_t end = w.p->now + ns;

	while (w.p->now < end)
		plx_pair_step(w.p);
}

static inline void
settle(const char *what, enum outcome want, uint64_t code)
{
	bool ok = false;

	run_for(200 * PLX_NS_PER_MS);
	switch (want) {
	case OK:
		ok = site.heads == 1 && site.s[0].rx_fin && !raw.resets && !raw.closed;
		break;
	case STREAM_ERR:
		ok = raw.resets == 1 && raw.reset_code == code && !raw.closed &&
		     !site.s[0].rx_fin;
		break;
	case CONN_ERR:
		ok = raw.closed == 1 && raw.why.is_app && raw.why.code == code;
		break;
	}
	if (!ok)
		printf("\n    %s: heads %u fin %d resets %u 0x%llx closed %u 0x%llx %.*s\n",
		       what, site.heads, site.s[0].rx_fin, raw.resets,
		       (unsigned long long)raw.reset_code, raw.closed,
		       (unsigned long long)raw.why.code, raw.why.reason_len,
		       raw.why.reason);
	CU_ASSERT(ok);
	if (want == CONN_ERR) {
		CU_ASSERT(plx_obs_get(w.p->end[PLX_PAIR_SERVER].obs, PLX_COUNT_h3_errors) ==
		          1);
	} else if (!raw.closed) {
		/* Others on the connection are not concerned. */
		static struct bytes second;
		uint32_t heads = site.heads;
		int64_t id;

		second.len = 0;
		HEADERS(&second, GET);
		CU_ASSERT_EQUAL(plx_conn_open_stream(raw.c, true, &id), 0);
		raw_send(id, &second, true);
		run_for(100 * PLX_NS_PER_MS);
		CU_ASSERT_EQUAL(site.heads, heads + 1);
		CU_ASSERT_EQUAL(raw.closed, 0);
	}
	h3_pair_end(&w);
	site_fini(&site);
}

static inline void
send_all(bool fin)
{
	raw_send(raw.ctrl, &ctrl, false);
	raw_send(raw.qenc, &qenc, false);
	raw_send(raw.qdec, &qdec, false);
	if (req.len || fin)
		raw_send(raw.req, &req, fin);
}

#endif
