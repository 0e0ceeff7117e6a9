/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nghttp3: its memory, its callbacks, its codes. An error of nghttp3 is an error of the whole
 * connection: afterwards it may only be deleted, which h->closing sees to.
 */
#include "plx_h3_pvt.h"
#include "plx_rand.h"

/* Fields that are converted on the stack; longer lists are rare and take slab memory. */
#define NV_STACK 48u

PLX_STATIC_ASSERT(sizeof(nghttp3_vec) == sizeof(struct plx_iov) &&
                          offsetof(nghttp3_vec, len) == offsetof(struct plx_iov, len),
                  "pieces are handed on as they are");

static void *
mem_malloc(size_t sz, void *slab)
{
	return plx_slab_alloc(slab, sz);
}

static void
mem_free(void *p, void *slab)
{
	plx_slab_release(slab, p);
}

static void *
mem_calloc(size_t n, size_t sz, void *slab)
{
	return plx_slab_calloc(slab, n, sz);
}

static void *
mem_realloc(void *p, size_t sz, void *slab)
{
	return plx_slab_realloc(slab, p, sz);
}

/* Closes with the code of an nghttp3 error, unless a callback closed with its own. */
static int
ng_fail(struct plx_h3 *h, int err)
{
	if (h->closing)
		return PLX_E_H3;
	return plx_h3_fail(h, nghttp3_err_infer_quic_app_error_code(err),
	                   nghttp3_strerror(err));
}

static int
ng_check(struct plx_h3 *h, int err)
{
	return err ? ng_fail(h, err) : 0;
}

/* Callbacks. All return 0, or NGHTTP3_ERR_CALLBACK_FAILURE after h->closing was set. */

static int
status(int err)
{
	return err ? NGHTTP3_ERR_CALLBACK_FAILURE : 0;
}

static int
on_end_headers(nghttp3_conn *ng, int64_t id, int fin, void *arg, void *user)
{
	struct plx_h3 *h = arg;
	struct plx_h3_stream *s = plx_h3_stream_find(h, id);

	(void)ng;
	(void)user;
	return s ? status(plx_h3_got_head(h, s, fin != 0)) : 0;
}

static int
on_end_trailers(nghttp3_conn *ng, int64_t id, int fin, void *arg, void *user)
{
	struct plx_h3 *h = arg;
	struct plx_h3_stream *s = plx_h3_stream_find(h, id);

	(void)ng;
	(void)fin;
	(void)user;
	return s ? status(plx_h3_got_trailers(h, s)) : 0;
}

static int
on_recv_data(nghttp3_conn *ng, int64_t id, const uint8_t *p, size_t len, void *arg,
             void *user)
{
	struct plx_h3 *h = arg;
	struct plx_h3_stream *s = plx_h3_stream_find(h, id);

	(void)ng;
	(void)user;
	if (s)
		return status(plx_h3_got_data(h, s, p, len));
	plx_conn_consume(h->conn, id, len);
	return 0;
}

static int
on_deferred_consume(nghttp3_conn *ng, int64_t id, size_t len, void *arg, void *user)
{
	struct plx_h3 *h = arg;

	(void)ng;
	(void)user;
	plx_conn_consume(h->conn, id, len);
	return 0;
}

static int
on_end_stream(nghttp3_conn *ng, int64_t id, void *arg, void *user)
{
	struct plx_h3 *h = arg;
	struct plx_h3_stream *s = plx_h3_stream_find(h, id);

	(void)ng;
	(void)user;
	return s ? status(plx_h3_got_end(h, s)) : 0;
}

static int
on_stop_sending(nghttp3_conn *ng, int64_t id, uint64_t code, void *arg, void *user)
{
	struct plx_h3 *h = arg;
	struct plx_h3_stream *s = plx_h3_stream_find(h, id);

	(void)ng;
	(void)user;
	/* A unidirectional stream of unknown type, or a request behind our GOAWAY. */
	if (id & 2)
		plx_conn_stop_stream(h->conn, id, code);
	else if (s)
		plx_h3_kill(h, s, code);
	return 0;
}

static int
on_reset_stream(nghttp3_conn *ng, int64_t id, uint64_t code, void *arg, void *user)
{
	struct plx_h3 *h = arg;
	struct plx_h3_stream *s = plx_h3_stream_find(h, id);

	(void)ng;
	(void)user;
	if (s)
		plx_h3_kill(h, s, code);
	return 0;
}

static int
on_shutdown(nghttp3_conn *ng, int64_t id, void *arg)
{
	(void)ng;
	return status(plx_h3_got_goaway(arg, id));
}

static int
on_acked(nghttp3_conn *ng, int64_t id, uint64_t len, void *arg, void *user)
{
	struct plx_h3 *h = arg;
	struct plx_h3_stream *s = plx_h3_stream_find(h, id);

	(void)ng;
	(void)user;
	if (s && s->known && h->app->on_acked)
		h->app->on_acked(h->ctx, id, len);
	return 0;
}

static void
on_rand(uint8_t *dst, size_t len)
{
	struct plx_rand r;

	/* Once per connection, for the seed of a table of nghttp3; there is no argument to
	 * carry a generator in. */
	plx_rand_system(&r);
	plx_rand_bytes(&r, dst, len);
}

static nghttp3_ssize
on_read_body(nghttp3_conn *ng, int64_t id, nghttp3_vec *vec, size_t cnt, uint32_t *flags,
             void *arg, void *user)
{
	struct plx_h3 *h = arg;
	struct plx_h3_stream *s = plx_h3_stream_find(h, id);
	bool fin = false;
	int n = 0;

	(void)ng;
	(void)user;
	if (s && !s->dead && h->app->read_body) {
		n = h->app->read_body(h->ctx, id, (struct plx_iov *)(void *)vec,
		                      (uint16_t)cnt, &fin);
		if (n < 0)
			plx_h3_kill(h, s, PLX_H3_REQUEST_CANCELLED);
	}
	if (n > 0 || fin) {
		if (fin)
			*flags |= NGHTTP3_DATA_FLAG_EOF;
		return n;
	}
	h->starved = true;
	return NGHTTP3_ERR_WOULDBLOCK;
}

int
plx_h3_ng_new(struct plx_h3 *h)
{
	static const nghttp3_callbacks cb = {
	        .acked_stream_data = on_acked,
	        .recv_data = on_recv_data,
	        .deferred_consume = on_deferred_consume,
	        .end_headers = on_end_headers,
	        .end_trailers = on_end_trailers,
	        .stop_sending = on_stop_sending,
	        .end_stream = on_end_stream,
	        .reset_stream = on_reset_stream,
	        .shutdown = on_shutdown,
	        .rand = on_rand,
	};
	nghttp3_settings st;

	h->mem = (nghttp3_mem){
	        .user_data = h->slab,
	        .malloc = mem_malloc,
	        .free = mem_free,
	        .calloc = mem_calloc,
	        .realloc = mem_realloc,
	};
	nghttp3_settings_default(&st);
	st.max_field_section_size = h->section_max;
	st.qpack_max_dtable_capacity = PLX_H3_QPACK_TABLE;
	st.qpack_blocked_streams = PLX_H3_QPACK_BLOCKED;
	if (nghttp3_qpack_decoder_new(&h->qdec, PLX_H3_QPACK_TABLE, PLX_H3_QPACK_BLOCKED,
	                              &h->mem)) {
		h->qdec = NULL;
		return PLX_E_NOMEM;
	}
	if (h->server ? nghttp3_conn_server_new(&h->ng, &cb, &st, &h->mem, h)
	              : nghttp3_conn_client_new(&h->ng, &cb, &st, &h->mem, h)) {
		h->ng = NULL;
		return PLX_E_NOMEM;
	}
	if (h->server)
		nghttp3_conn_set_max_client_streams_bidi(h->ng, PLX_H3_PRIORITY_AHEAD);
	return 0;
}

void
plx_h3_ng_free(struct plx_h3 *h)
{
	if (h->ng)
		nghttp3_conn_del(h->ng);
	if (h->qdec)
		nghttp3_qpack_decoder_del(h->qdec);
	h->ng = NULL;
	h->qdec = NULL;
}

int
plx_h3_ng_bind(struct plx_h3 *h)
{
	if (nghttp3_conn_bind_control_stream(h->ng, h->ctrl_id) ||
	    nghttp3_conn_bind_qpack_streams(h->ng, h->qenc_id, h->qdec_id))
		return PLX_E_NOMEM;
	return 0;
}

int
plx_h3_ng_read(struct plx_h3 *h, int64_t id, const uint8_t *p, size_t len, bool fin)
{
	nghttp3_ssize n;

	plx_h3_enter(h);
	n = nghttp3_conn_read_stream2(h->ng, id, p, len, fin, plx_conn_now(h->conn));
	if (n > 0)
		plx_conn_consume(h->conn, id, (size_t)n);
	if (n < 0)
		ng_fail(h, (int)n);
	plx_h3_leave(h);
	return n < 0 ? PLX_E_H3 : 0;
}

int
plx_h3_ng_open(struct plx_h3 *h, int64_t id)
{
	/* Without bytes nghttp3 makes the stream and nothing else. */
	int err = plx_h3_ng_read(h, id, NULL, 0, false);

	if (!err)
		nghttp3_conn_set_max_client_streams_bidi(
		        h->ng, (uint64_t)(h->id_max >> 2) + 1 + PLX_H3_PRIORITY_AHEAD);
	return err;
}

int
plx_h3_ng_writev(struct plx_h3 *h, int64_t *id, bool *fin)
{
	nghttp3_ssize n;
	int end;

	/*
	 * nghttp3 asks one stream per call, and says "nothing" when that one has no body to
	 * give, while others wait behind it. Each such call takes a stream out of its queue.
	 */
	do {
		h->starved = false;
		plx_h3_enter(h);
		n = nghttp3_conn_writev_stream(h->ng, id, &end, h->vec, PLX_H3_TX_VEC);
		if (n < 0)
			ng_fail(h, (int)n);
		plx_h3_leave(h);
	} while (n == 0 && *id < 0 && h->starved && !h->closing);
	*fin = end != 0;
	return n < 0 || h->closing ? PLX_E_H3 : (int)n;
}

int
plx_h3_ng_sent(struct plx_h3 *h, int64_t id, size_t len)
{
	return ng_check(h, nghttp3_conn_add_write_offset(h->ng, id, len));
}

int
plx_h3_ng_acked(struct plx_h3 *h, int64_t id, uint64_t off)
{
	int err;

	plx_h3_enter(h);
	err = ng_check(h, nghttp3_conn_update_ack_offset(h->ng, id, off));
	plx_h3_leave(h);
	return err;
}

void
plx_h3_ng_block(struct plx_h3 *h, int64_t id)
{
	nghttp3_conn_block_stream(h->ng, id);
}

int
plx_h3_ng_unblock(struct plx_h3 *h, int64_t id)
{
	return ng_check(h, nghttp3_conn_unblock_stream(h->ng, id));
}

void
plx_h3_ng_shut_write(struct plx_h3 *h, int64_t id)
{
	nghttp3_conn_shutdown_stream_write(h->ng, id);
}

int
plx_h3_ng_shut_read(struct plx_h3 *h, int64_t id)
{
	return ng_check(h, nghttp3_conn_shutdown_stream_read(h->ng, id));
}

int
plx_h3_ng_close_stream(struct plx_h3 *h, int64_t id, uint64_t code)
{
	int err;

	plx_h3_enter(h);
	err = nghttp3_conn_close_stream(h->ng, id, code);
	if (err == NGHTTP3_ERR_STREAM_NOT_FOUND)
		err = 0; /* it ended before nghttp3 saw a byte of it */
	err = ng_check(h, err);
	plx_h3_leave(h);
	return err;
}

int
plx_h3_ng_resume(struct plx_h3 *h, int64_t id)
{
	return ng_check(h, nghttp3_conn_resume_stream(h->ng, id));
}

static nghttp3_nv *
nv_make(struct plx_h3 *h, nghttp3_nv *mem, const struct plx_h3_field *f, uint16_t cnt)
{
	nghttp3_nv *nv = mem;

	mem[0] = (nghttp3_nv){0};
	if (cnt > NV_STACK)
		nv = plx_slab_alloc(h->slab, cnt * sizeof(*nv));
	for (uint16_t i = 0; nv && i < cnt; i++) {
		nv[i] = (nghttp3_nv){
		        .name = (uint8_t *)(uintptr_t)f[i].name,
		        .value = (uint8_t *)(uintptr_t)f[i].value,
		        .namelen = f[i].name_len,
		        .valuelen = f[i].value_len,
		};
	}
	return nv;
}

/* What nghttp3 refuses to submit leaves it in good order, except when memory ran out. */
static int
submitted(struct plx_h3 *h, int err)
{
	switch (err) {
	case 0:
		return 0;
	case NGHTTP3_ERR_CONN_CLOSING:
		return PLX_E_CLOSING;
	case NGHTTP3_ERR_STREAM_NOT_FOUND:
		return PLX_E_NOENT;
	case NGHTTP3_ERR_NOMEM:
		ng_fail(h, err);
		return PLX_E_NOMEM;
	default:
		return PLX_E_H3;
	}
}

int
plx_h3_ng_submit(struct plx_h3 *h, struct plx_h3_stream *s, const struct plx_h3_field *f,
                 uint16_t cnt, bool body, bool interim)
{
	static const nghttp3_data_reader reader = {.read_data = on_read_body};
	const nghttp3_data_reader *dr = body ? &reader : NULL;
	nghttp3_nv mem[NV_STACK], *nv = nv_make(h, mem, f, cnt);
	int err;

	if (!nv)
		return PLX_E_NOMEM;
	if (!h->server)
		err = nghttp3_conn_submit_request(h->ng, s->id, nv, cnt, dr, NULL);
	else if (interim)
		err = nghttp3_conn_submit_info(h->ng, s->id, nv, cnt);
	else
		err = nghttp3_conn_submit_response(h->ng, s->id, nv, cnt, dr);
	if (nv != mem)
		plx_slab_release(h->slab, nv);
	return submitted(h, err);
}

int
plx_h3_ng_trailers(struct plx_h3 *h, int64_t id, const struct plx_h3_field *f, uint16_t cnt)
{
	nghttp3_nv mem[NV_STACK], *nv = nv_make(h, mem, f, cnt);
	int err;

	if (!nv)
		return PLX_E_NOMEM;
	err = nghttp3_conn_submit_trailers(h->ng, id, nv, cnt);
	if (nv != mem)
		plx_slab_release(h->slab, nv);
	return submitted(h, err);
}

int
plx_h3_ng_goaway_notice(struct plx_h3 *h)
{
	return ng_check(h, nghttp3_conn_submit_shutdown_notice(h->ng));
}

int
plx_h3_ng_goaway_final(struct plx_h3 *h)
{
	return ng_check(h, nghttp3_conn_shutdown(h->ng));
}

bool
plx_h3_ng_drained(const struct plx_h3 *h)
{
	return nghttp3_conn_is_drained(h->ng);
}
