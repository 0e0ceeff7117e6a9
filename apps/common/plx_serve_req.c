/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plx_h3msg.h"
#include "plx_serve_core_pvt.h"

/* RFC 9114 section 8.1 */
#define H3_INTERNAL_ERROR 0x102

static void
add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
	                      memory_order_relaxed);
}

static void
wait_later(struct plx_serve_core *c, struct plx_serve_req *r)
{
	if (r->waiting)
		return;
	r->waiting = true;
	r->wait_next = NULL;
	if (c->wait_tail != NULL)
		c->wait_tail->wait_next = r;
	else
		c->wait_head = r;
	c->wait_tail = r;
}

static int
put(struct plx_serve_core *c, struct plx_serve_req *r, enum plx_cmd_type type, void *ptr,
    bool fin, uint64_t code)
{
	struct plx_conn_id conn = {r->key.conn};
	struct plx_cmd cmd = {
	        .type = (uint8_t)type,
	        .flags = fin ? PLX_CMD_FLAG_FIN : 0,
	        .conn = conn,
	        .stream_id = r->key.stream_id,
	        .code = code,
	        .ptr = ptr,
	};

	return plx_cmd_put(c->attach, plx_conn_id_worker(conn), &cmd);
}

static struct plx_serve_out *
take_out(struct plx_serve_core *c, struct plx_serve_req *r, bool with_mem)
{
	struct plx_serve_out **list = with_mem ? &c->free_bufs : &c->free_plain;
	struct plx_serve_out *o = *list;

	if (o == NULL)
		return NULL;
	*list = o->next;
	o->sb = (struct plx_sbuf){0};
	o->req = r;
	o->echo = NULL;
	return o;
}

static void
give_out(struct plx_serve_core *c, struct plx_serve_out *o)
{
	struct plx_serve_out **list = o->mem != NULL ? &c->free_bufs : &c->free_plain;

	if (o->echo != NULL)
		plx_rbuf_release(c->attach, o->echo);
	o->echo = NULL;
	o->next = *list;
	*list = o;
}

/* Frees a request once its stream is gone and nothing of it is on its way. */
static void
reap(struct plx_serve_core *c, struct plx_serve_req *r)
{
	if (!r->closed || r->out_cnt > 0 || r->io_busy || r->waiting)
		return;
	HASH_DEL(c->reqs, r);
	atomic_fetch_sub_explicit(&c->active, 1, memory_order_relaxed);
	plx_serve_drop(c, r);
}

void
plx_serve_drop(struct plx_serve_core *c, struct plx_serve_req *r)
{
	while (r->rx_head != NULL) {
		struct plx_rbuf *b = r->rx_head;

		r->rx_head = b->next;
		plx_rbuf_release(c->attach, b);
	}
	if (r->ready != NULL)
		give_out(c, r->ready);
	if (r->job.fd >= 0) {
		struct plx_io_job *j = c->io != NULL ? calloc(1, sizeof(*j)) : NULL;

		/* Closing may block on some file systems; without a pool it is done here. */
		if (j == NULL) {
			close(r->job.fd);
		} else {
			j->op = PLX_IO_CLOSE;
			j->fd = r->job.fd;
			plx_io_put(c->io, j);
		}
	}
	free(r);
}

static void
finished(struct plx_serve_core *c, struct plx_serve_req *r)
{
	r->done = true;
	if (r->status < 400)
		add(&c->stats.responses_2xx, 1);
	else if (r->status < 500)
		add(&c->stats.responses_4xx, 1);
	else
		add(&c->stats.responses_5xx, 1);
}

static void
cancel(struct plx_serve_core *c, struct plx_serve_req *r)
{
	/* A full ring is tried again by the wait queue: done stays false, kind says nothing. */
	if (put(c, r, PLX_CMD_H3_CANCEL, NULL, false, H3_INTERNAL_ERROR) == PLX_E_FULL) {
		r->status = 0;
		wait_later(c, r);
		return;
	}
	r->done = true;
	add(&c->stats.responses_5xx, 1);
}

/* @return true when the response head is out */
static bool
send_head(struct plx_serve_core *c, struct plx_serve_req *r)
{
	char status[8], length[24];
	struct plx_h3_pair f[4] = {{":status", status}, {"server", "pollux"}};
	uint16_t cnt = 2;
	struct plx_h3_msg *m;
	bool fin;
	int rc;

	snprintf(status, sizeof(status), "%u", r->status);
	if (r->kind != PLX_SERVE_ECHO) {
		snprintf(length, sizeof(length), "%" PRIu64, r->size);
		f[cnt++] = (struct plx_h3_pair){"content-length", length};
	}
	if (r->type != NULL)
		f[cnt++] = (struct plx_h3_pair){"content-type", r->type};
	m = plx_h3_msg_make(f, cnt);
	if (m == NULL) {
		wait_later(c, r);
		return false;
	}
	fin = r->head_only || (r->size == 0 && r->kind != PLX_SERVE_ECHO);
	rc = put(c, r, PLX_CMD_H3_RESPONSE, m, fin, 0);
	if (rc != 0) {
		free(m);
		wait_later(c, r);
		return false;
	}
	r->head_due = false;
	if (fin)
		finished(c, r);
	return !fin;
}

/* @return true when the buffer is on its way */
static bool
send_out(struct plx_serve_core *c, struct plx_serve_req *r, struct plx_serve_out *o,
         bool fin)
{
	if (put(c, r, PLX_CMD_H3_BODY, &o->sb, fin, 0) != 0) {
		r->ready = o;
		r->fin_due = fin;
		wait_later(c, r);
		return false;
	}
	r->out_cnt++;
	r->ready = NULL;
	if (fin)
		finished(c, r);
	return true;
}

static void
pump_file(struct plx_serve_core *c, struct plx_serve_req *r)
{
	struct plx_serve_out *o;
	uint64_t left = r->size - r->read_off;

	if (r->io_busy || left == 0 || r->out_cnt >= PLX_SERVE_WINDOW)
		return;
	o = take_out(c, r, true);
	if (o == NULL) {
		wait_later(c, r);
		return;
	}
	r->ready = o;
	r->job.op = PLX_IO_READ;
	r->job.buf = o->mem;
	r->job.off = r->read_off;
	r->job.len = left < PLX_SERVE_BUF_SZ ? (size_t)left : PLX_SERVE_BUF_SZ;
	r->io_busy = true;
	plx_io_put(c->io, &r->job);
}

static void
pump_bytes(struct plx_serve_core *c, struct plx_serve_req *r)
{
	const uint8_t *src =
	        r->kind == PLX_SERVE_BYTES ? c->bytes : (const uint8_t *)r->note;

	while (r->read_off < r->size && r->out_cnt < PLX_SERVE_WINDOW) {
		struct plx_serve_out *o = take_out(c, r, false);
		uint64_t left = r->size - r->read_off;

		if (o == NULL) {
			wait_later(c, r);
			return;
		}
		o->sb.data = src;
		o->sb.len = left < PLX_SERVE_BUF_SZ ? left : PLX_SERVE_BUF_SZ;
		r->read_off += o->sb.len;
		if (!send_out(c, r, o, r->read_off == r->size))
			return;
	}
}

/* What came goes back from the very buffer it came in; credit follows the acknowledgement. */
static void
pump_echo(struct plx_serve_core *c, struct plx_serve_req *r)
{
	while (r->rx_head != NULL) {
		struct plx_serve_out *o = take_out(c, r, false);
		struct plx_rbuf *b = r->rx_head;

		if (o == NULL) {
			wait_later(c, r);
			return;
		}
		r->rx_head = b->next;
		if (r->rx_head == NULL)
			r->rx_tail = NULL;
		o->echo = b;
		o->sb.data = b->data;
		o->sb.len = b->len;
		if (!send_out(c, r, o, r->rx_fin && r->rx_head == NULL))
			return;
	}
	if (r->rx_fin && !r->done) {
		if (put(c, r, PLX_CMD_H3_BODY, NULL, true, 0) != 0) {
			wait_later(c, r);
			return;
		}
		finished(c, r);
	}
}

void
plx_serve_pump(struct plx_serve_core *c, struct plx_serve_req *r)
{
	if (r->closed) {
		reap(c, r);
		return;
	}
	if (r->done)
		return;
	if (r->status == 0) {
		if (r->kind == PLX_SERVE_NOTHING)
			cancel(c, r);
		return;
	}
	if (r->head_due && !send_head(c, r))
		return;
	if (r->ready != NULL && !r->io_busy && !send_out(c, r, r->ready, r->fin_due))
		return;
	switch ((enum plx_serve_kind)r->kind) {
	case PLX_SERVE_FILE:
		pump_file(c, r);
		break;
	case PLX_SERVE_ECHO:
		pump_echo(c, r);
		break;
	case PLX_SERVE_BYTES:
	case PLX_SERVE_DISCARD:
	case PLX_SERVE_NOTHING:
		pump_bytes(c, r);
		break;
	}
}

static void
answer(struct plx_serve_core *c, struct plx_serve_req *r, uint16_t status, const char *note)
{
	r->status = status;
	r->head_due = true;
	if (note != NULL) {
		snprintf(r->note, sizeof(r->note), "%s", note);
		r->size = strlen(r->note);
		r->type = "text/plain";
	}
	plx_serve_pump(c, r);
}

static const char *
type_of(const char *path)
{
	static const struct {
		const char *ext, *type;
	} map[] = {
	        {".html", "text/html"},        {".css", "text/css"},
	        {".js", "text/javascript"},    {".json", "application/json"},
	        {".txt", "text/plain"},        {".svg", "image/svg+xml"},
	        {".png", "image/png"},         {".jpg", "image/jpeg"},
	        {".wasm", "application/wasm"},
	};
	size_t len = strlen(path);

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		size_t n = strlen(map[i].ext);

		if (len > n && strcmp(path + len - n, map[i].ext) == 0)
			return map[i].type;
	}
	return "application/octet-stream";
}

static int
hex(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch = (char)(ch | 0x20);
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* ":path" to a path below root: query cut, %XX decoded. @return false for what no file has */
static bool
decode_path(const struct plx_h3_field *f, char *dst, size_t dst_sz)
{
	size_t n = 0;

	for (uint32_t i = 0; i < f->value_len && f->value[i] != '?'; i++) {
		char ch = f->value[i];

		if (ch == '%') {
			if (f->value_len - i < 3 || hex(f->value[i + 1]) < 0 ||
			    hex(f->value[i + 2]) < 0)
				return false;
			ch = (char)(hex(f->value[i + 1]) << 4 | hex(f->value[i + 2]));
			i += 2;
		}
		if (ch == '\0' || n + 1 >= dst_sz)
			return false;
		if (n == 0 && ch == '/')
			continue;
		dst[n++] = ch;
	}
	if (n > 0 && dst[n - 1] == '/') {
		if (n + sizeof("index.html") > dst_sz)
			return false;
		memcpy(dst + n, "index.html", sizeof("index.html"));
		return true;
	}
	if (n == 0) {
		memcpy(dst, "index.html", sizeof("index.html"));
		return true;
	}
	dst[n] = '\0';
	return true;
}

static bool
parse_count(const struct plx_h3_field *path, const char *prefix, uint64_t *out)
{
	size_t n = strlen(prefix);
	uint64_t v = 0;

	if (path->value_len <= n || path->value_len > n + 18 ||
	    memcmp(path->value, prefix, n) != 0)
		return false;
	for (uint32_t i = (uint32_t)n; i < path->value_len; i++) {
		if (path->value[i] < '0' || path->value[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(path->value[i] - '0');
	}
	*out = v;
	return true;
}

static void
route(struct plx_serve_core *c, struct plx_serve_req *r, const struct plx_h3_head *head)
{
	const struct plx_h3_field *method = plx_h3_find(head, ":method");
	const struct plx_h3_field *path = plx_h3_find(head, ":path");

	r->head_only = plx_h3_is(method, "HEAD");
	if (path == NULL) {
		answer(c, r, 501, NULL);
	} else if (plx_h3_is(method, "POST") || plx_h3_is(method, "PUT")) {
		if (plx_h3_is(path, "/echo")) {
			r->kind = PLX_SERVE_ECHO;
			answer(c, r, 200, NULL);
		} else if (plx_h3_is(path, "/discard")) {
			r->kind =
			        PLX_SERVE_DISCARD; /* answered when the body is complete */
			if (r->rx_fin)
				answer(c, r, 200, "0\n");
		} else {
			answer(c, r, 405, NULL);
		}
	} else if (!r->head_only && !plx_h3_is(method, "GET")) {
		answer(c, r, 405, NULL);
	} else if (parse_count(path, "/stream-bytes/", &r->size)) {
		r->kind = PLX_SERVE_BYTES;
		answer(c, r, 200, NULL);
	} else if (!c->has_root) {
		answer(c, r, 200, NULL);
	} else if (!decode_path(path, r->job.path, sizeof(r->job.path))) {
		answer(c, r, 400, NULL);
	} else {
		r->kind = PLX_SERVE_FILE;
		r->job.op = PLX_IO_OPEN;
		r->io_busy = true;
		plx_io_put(c->io, &r->job);
	}
}

void
plx_serve_begin(struct plx_serve_core *c, const struct plx_event *ev,
                const struct plx_h3_head *head)
{
	struct plx_serve_req *r = calloc(1, sizeof(*r));

	add(&c->stats.requests, 1);
	if (r == NULL) {
		struct plx_cmd cmd = {.type = PLX_CMD_H3_CANCEL,
		                      .conn = ev->conn,
		                      .stream_id = ev->stream_id,
		                      .code = H3_INTERNAL_ERROR};

		/* Out of memory and out of ring: the client's own timeout ends it. */
		(void)plx_cmd_put(c->attach, ev->worker, &cmd);
		return;
	}
	r->key.conn = ev->conn.v;
	r->key.stream_id = ev->stream_id;
	r->job.fd = -1;
	r->job.client = &c->client;
	r->rx_fin = ev->flags & PLX_EV_FLAG_FIN;
	HASH_ADD(hh, c->reqs, key, sizeof(r->key), r);
	atomic_fetch_add_explicit(&c->active, 1, memory_order_relaxed);
	route(c, r, head);
}

static void
opened(struct plx_serve_core *c, struct plx_serve_req *r)
{
	switch (r->job.err) {
	case 0:
		r->size = r->job.size;
		r->type = type_of(r->job.path);
		r->status = 200;
		r->head_due = true;
		plx_serve_pump(c, r);
		return;
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case ENAMETOOLONG:
	case EXDEV: /* a link or ".." that leads out of root */
	case ELOOP:
		r->status = 404;
		break;
	case EACCES:
	case EPERM:
		r->status = 403;
		break;
	default:
		r->status = 500;
		break;
	}
	r->kind = PLX_SERVE_NOTHING;
	answer(c, r, r->status, NULL);
}

void
plx_serve_io_done(struct plx_serve_core *c, struct plx_serve_req *r)
{
	struct plx_serve_out *o = r->ready;

	r->io_busy = false;
	if (r->closed) {
		reap(c, r);
		return;
	}
	if (r->job.op == PLX_IO_OPEN) {
		opened(c, r);
		return;
	}
	if (r->job.err != 0 || r->job.done != r->job.len) {
		/* The length is promised already: an unfinished body must not look finished. */
		r->ready = NULL;
		give_out(c, o);
		r->kind = PLX_SERVE_NOTHING;
		r->status = 0;
		plx_serve_pump(c, r);
		return;
	}
	o->sb.data = o->mem;
	o->sb.len = r->job.done;
	r->read_off += r->job.done;
	r->fin_due = r->read_off == r->size;
	plx_serve_pump(c, r);
}

void
plx_serve_sent(struct plx_serve_core *c, struct plx_serve_out *o)
{
	struct plx_serve_req *r = o->req;

	add(&c->stats.body_tx, o->sb.acked);
	r->out_cnt--;
	give_out(c, o);
	plx_serve_pump(c, r);
}

void
plx_serve_end(struct plx_serve_core *c, struct plx_serve_req *r)
{
	if (!r->done)
		add(&c->stats.cancelled, 1);
	r->closed = true;
	reap(c, r);
}
