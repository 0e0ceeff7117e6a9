/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plx_h3msg.h"

#define EVENTS               64
/** Send buffers of 64 KiB that one upload keeps on its way. */
#define UPLOAD_WINDOW        8
#define UPLOAD_BUF_SZ        65536
#define OUTS                 4096
/* RFC 9114 section 8.1 */
#define H3_NO_ERROR          0x100
#define H3_REQUEST_CANCELLED 0x10c

enum state {
	QUEUED = 0, /* waits for the connection or a place */
	ASKED,      /* given to the engine */
	ANSWERED,   /* response headers came */
	ENDED,      /* complete, waits for H3_CLOSED */
};

struct out {
	struct plx_sbuf sb;         /* first: plx_sent_take() gives its address */
	struct plx_client_req *req; /* NULL when the request is done already */
	struct out *next;           /* free list */
};

struct plx_client_conn {
	struct plx_client *cl;
	struct plx_client_target t;
	struct plx_client_conn_cb cb;
	struct plx_conn_id id;
	struct plx_client_req *queue_head, *queue_tail; /* QUEUED */
	struct plx_client_req *active;                  /* the rest */
	struct plx_client_conn *next, *prev;
	uint32_t active_cnt;
	bool dial_due, up, closing, close_due;
	bool close_put; /* nothing may follow CLOSE: it would find no connection */
	bool limited;   /* the peer allows no more streams now */
};

struct plx_client {
	struct plx_attach *attach;
	struct plx_client_conn *conns;
	struct out *free_outs, *outs;
	uint8_t *bytes;
	uint32_t conn_cnt;
	uint64_t active_cnt; /* requests not done */
	bool retry;          /* a ring was full */
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

int
plx_client_new(struct plx_client **out, struct plx_attach *a)
{
	struct plx_client *cl = calloc(1, sizeof(*cl));

	*out = NULL;
	if (cl == NULL)
		return PLX_E_NOMEM;
	cl->attach = a;
	cl->outs = calloc(OUTS, sizeof(*cl->outs));
	cl->bytes = malloc(UPLOAD_BUF_SZ);
	if (cl->outs == NULL || cl->bytes == NULL) {
		plx_client_free(cl);
		return PLX_E_NOMEM;
	}
	memset(cl->bytes, 0x57, UPLOAD_BUF_SZ);
	for (size_t i = 0; i < OUTS; i++) {
		cl->outs[i].next = cl->free_outs;
		cl->free_outs = &cl->outs[i];
	}
	*out = cl;
	return 0;
}

struct plx_client_conn *
plx_client_open(struct plx_client *cl, const struct plx_client_target *t,
                const struct plx_client_conn_cb *cb)
{
	struct plx_client_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->cl = cl;
	c->t = *t;
	c->cb = *cb;
	c->dial_due = true;
	c->next = cl->conns;
	if (c->next != NULL)
		c->next->prev = c;
	cl->conns = c;
	cl->conn_cnt++;
	return c;
}

void *
plx_client_conn_user(const struct plx_client_conn *c)
{
	return c->cb.user;
}

static void
unlink_active(struct plx_client_req *r)
{
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		r->conn->active = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	r->conn->active_cnt--;
}

static void
done(struct plx_client_req *r, enum plx_client_end end, uint64_t code)
{
	struct plx_client_conn *c = r->conn;
	struct plx_client *cl = c->cl;

	if (r->state == QUEUED) {
		if (r->prev != NULL)
			r->prev->next = r->next;
		else
			c->queue_head = r->next;
		if (r->next != NULL)
			r->next->prev = r->prev;
		else
			c->queue_tail = r->prev;
	} else {
		unlink_active(r);
		c->limited = false; /* a stream ended: its place may be free */
	}
	/* Buffers still on their way come back to the client, not to the request. */
	for (size_t i = 0; r->out_cnt > 0 && i < OUTS; i++)
		if (cl->outs[i].req == r)
			cl->outs[i].req = NULL;
	r->next = r->prev = NULL;
	cl->active_cnt--;
	r->end_ns = now_ns();
	r->on_done(r, end, code);
}

static void
free_conn(struct plx_client_conn *c, const struct plx_event *ev)
{
	struct plx_client *cl = c->cl;

	while (c->active != NULL)
		done(c->active, PLX_CLIENT_CONN_LOST, ev != NULL ? ev->code : 0);
	while (c->queue_head != NULL)
		done(c->queue_head, PLX_CLIENT_CONN_LOST, ev != NULL ? ev->code : 0);
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		cl->conns = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	cl->conn_cnt--;
	if (ev != NULL && c->cb.on_state != NULL)
		c->cb.on_state(c, false, ev);
	free(c);
}

void
plx_client_free(struct plx_client *cl)
{
	if (cl == NULL)
		return;
	while (cl->conns != NULL)
		free_conn(cl->conns, NULL);
	free(cl->outs);
	free(cl->bytes);
	free(cl);
}

static int
put(struct plx_client_conn *c, enum plx_cmd_type type, int64_t stream_id, void *ptr,
    bool fin, uint64_t user, uint64_t code)
{
	struct plx_cmd cmd = {
	        .type = (uint8_t)type,
	        .flags = fin ? PLX_CMD_FLAG_FIN : 0,
	        .conn = c->id,
	        .stream_id = stream_id,
	        .user = user,
	        .code = code,
	        .ptr = ptr,
	};
	int rc = plx_cmd_put(c->cl->attach, c->t.worker, &cmd);

	if (rc == PLX_E_FULL)
		c->cl->retry = true;
	return rc;
}

static int
send_dial(struct plx_client_conn *c)
{
	struct plx_dial *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return PLX_E_NOMEM;
	d->remote = c->t.remote;
	d->verify = c->t.verify;
	d->handshake_ms = c->t.handshake_ms;
	snprintf(d->sni, sizeof(d->sni), "%s", c->t.sni);
	snprintf(d->alpn, sizeof(d->alpn), "h3");
	rc = put(c, PLX_CMD_DIAL, -1, d, false, (uint64_t)(uintptr_t)c, 0);
	if (rc != 0)
		free(d);
	return rc;
}

void
plx_client_request(struct plx_client_conn *c, struct plx_client_req *r)
{
	r->conn = c;
	r->start_ns = r->head_ns = r->end_ns = 0;
	r->body_len = r->sent = 0;
	r->content_len = UINT64_MAX;
	r->stream_id = -1;
	r->status = r->out_cnt = 0;
	r->state = QUEUED;
	r->cancelled = false;
	r->next = NULL;
	r->prev = c->queue_tail;
	if (c->queue_tail != NULL)
		c->queue_tail->next = r;
	else
		c->queue_head = r;
	c->queue_tail = r;
	c->cl->active_cnt++;
}

/* @return 0, or PLX_E_FULL: try again later */
static int
ask(struct plx_client_conn *c, struct plx_client_req *r)
{
	char len[24];
	struct plx_h3_pair f[6] = {
	        {":method", r->method}, {":scheme", "https"},     {":authority", c->t.host},
	        {":path", r->path},     {"user-agent", "pollux"}, {"content-length", len},
	};
	struct plx_h3_msg *m;
	int rc;

	snprintf(len, sizeof(len), "%llu", (unsigned long long)r->upload);
	m = plx_h3_msg_make(f, r->upload > 0 ? 6 : 5);
	if (m == NULL)
		return PLX_E_FULL;
	rc = put(c, PLX_CMD_H3_REQUEST, -1, m, r->upload == 0, (uint64_t)(uintptr_t)r, 0);
	if (rc != 0) {
		free(m);
		return rc;
	}
	c->queue_head = r->next;
	if (c->queue_head != NULL)
		c->queue_head->prev = NULL;
	else
		c->queue_tail = NULL;
	r->state = ASKED;
	r->start_ns = now_ns();
	r->prev = NULL;
	r->next = c->active;
	if (r->next != NULL)
		r->next->prev = r;
	c->active = r;
	c->active_cnt++;
	return 0;
}

static void
pump_upload(struct plx_client_conn *c, struct plx_client_req *r)
{
	struct plx_client *cl = c->cl;

	while (r->stream_id >= 0 && r->sent < r->upload && r->out_cnt < UPLOAD_WINDOW) {
		struct out *o = cl->free_outs;
		uint64_t left = r->upload - r->sent;

		if (o == NULL) {
			cl->retry = true;
			return;
		}
		o->sb = (struct plx_sbuf){.data = cl->bytes,
		                          .len = left < UPLOAD_BUF_SZ ? left
		                                                      : UPLOAD_BUF_SZ};
		if (put(c, PLX_CMD_H3_BODY, r->stream_id, &o->sb, left == o->sb.len, 0,
		        0) != 0)
			return;
		cl->free_outs = o->next;
		o->req = r;
		r->out_cnt++;
		r->sent += o->sb.len;
	}
}

static void
pump_conn(struct plx_client_conn *c)
{
	if (c->dial_due && send_dial(c) == 0)
		c->dial_due = false;
	if (!c->up)
		return;
	if (c->close_due) {
		if (put(c, PLX_CMD_CLOSE, -1, NULL, false, 0, H3_NO_ERROR) == 0) {
			c->close_due = false;
			c->close_put = true;
		}
		return;
	}
	if (c->close_put)
		return;
	while (c->queue_head != NULL && !c->limited && c->active_cnt < c->t.parallel)
		if (ask(c, c->queue_head) != 0)
			return;
	if (c->closing && c->queue_head == NULL && c->active == NULL) {
		c->closing = false;
		c->close_due = true;
		pump_conn(c);
	}
}

void
plx_client_close(struct plx_client_conn *c, bool now)
{
	if (now)
		c->close_due = true;
	else
		c->closing = true;
	c->cl->retry = true;
}

void
plx_client_cancel(struct plx_client_req *r)
{
	struct plx_client_conn *c = r->conn;

	if (r->state == QUEUED) {
		done(r, PLX_CLIENT_RESET, H3_REQUEST_CANCELLED);
		return;
	}
	r->cancelled = true;
	/* Before the stream id is known, or with a full ring, the next event repeats it. */
	if (r->stream_id >= 0)
		(void)put(c, PLX_CMD_H3_CANCEL, r->stream_id, NULL, false, 0,
		          H3_REQUEST_CANCELLED);
}

static void
on_head(struct plx_client_req *r, const struct plx_h3_head *h)
{
	const struct plx_h3_field *f;

	if (h->status >= 100 && h->status < 200)
		return;
	r->status = h->status;
	r->head_ns = now_ns();
	r->state = ANSWERED;
	f = plx_h3_find(h, "content-length");
	if (f != NULL && f->value_len < 20) {
		char text[24] = {0};

		memcpy(text, f->value, f->value_len);
		r->content_len = strtoull(text, NULL, 10);
	}
}

static bool
length_ok(const struct plx_client_req *r)
{
	return r->content_len == UINT64_MAX || r->content_len == r->body_len ||
	       strcmp(r->method, "HEAD") == 0;
}

static void
on_stream(struct plx_client_req *r, const struct plx_event *ev)
{
	r->stream_id = ev->stream_id;
	switch ((enum plx_event_type)ev->type) {
	case PLX_EV_H3_RESPONSE:
		on_head(r, (const struct plx_h3_head *)(const void *)ev->buf->data);
		break;
	case PLX_EV_H3_DATA:
		if (ev->buf == NULL || r->cancelled)
			break;
		r->body_len += ev->buf->len;
		if (r->on_data != NULL && r->on_data(r, ev->buf->data, ev->buf->len) < 0)
			plx_client_cancel(r);
		break;
	case PLX_EV_H3_CLOSED:
		if (r->cancelled)
			done(r, PLX_CLIENT_RESET, H3_REQUEST_CANCELLED);
		else if (r->state != ENDED)
			done(r, PLX_CLIENT_RESET, ev->code);
		else
			done(r, length_ok(r) ? PLX_CLIENT_OK : PLX_CLIENT_LENGTH, 0);
		return;
	default:
		break;
	}
	if (ev->flags & PLX_EV_FLAG_FIN && r->state == ANSWERED)
		r->state = ENDED;
	pump_upload(r->conn, r);
}

/* The engine could not send a request. One too many for the peer waits its turn again. */
static void
refused(struct plx_client_req *r, const struct plx_event *ev)
{
	struct plx_client_conn *c = r->conn;

	if ((int)-(int64_t)ev->code != PLX_E_STREAM_LIMIT) {
		done(r, PLX_CLIENT_REFUSED, ev->code);
		return;
	}
	c->limited = true;
	unlink_active(r);
	r->state = QUEUED;
	r->prev = NULL;
	r->next = c->queue_head;
	if (r->next != NULL)
		r->next->prev = r;
	else
		c->queue_tail = r;
	c->queue_head = r;
}

/*
 * A command that was on its way when its connection ended fails after CONN_CLOSED, and then its
 * requests, and maybe their memory, are gone. IDs of connections do not come back.
 */
static bool
is_open(const struct plx_client *cl, struct plx_conn_id id)
{
	const struct plx_client_conn *c = cl->conns;

	while (c != NULL && (!c->up || c->id.v != id.v))
		c = c->next;
	return c != NULL;
}

static void
handle(struct plx_client *cl, const struct plx_event *ev)
{
	struct plx_client_conn *c;

	switch ((enum plx_event_type)ev->type) {
	case PLX_EV_CONN_UP:
		c = (struct plx_client_conn *)(uintptr_t)ev->conn_user;
		c->id = ev->conn;
		c->up = true;
		if (c->cb.on_state != NULL)
			c->cb.on_state(c, true, ev);
		break;
	case PLX_EV_CONN_CLOSED:
		free_conn((struct plx_client_conn *)(uintptr_t)ev->conn_user, ev);
		break;
	case PLX_EV_DIAL_FAILED:
		free_conn((struct plx_client_conn *)(uintptr_t)ev->user, ev);
		break;
	case PLX_EV_CMD_FAILED:
		if (ev->extra == PLX_CMD_DIAL) {
			free_conn((struct plx_client_conn *)(uintptr_t)ev->user, ev);
		} else if (ev->extra == PLX_CMD_H3_REQUEST && is_open(cl, ev->conn)) {
			refused((struct plx_client_req *)(uintptr_t)ev->user, ev);
		}
		break;
	case PLX_EV_STREAMS_AVAIL:
		((struct plx_client_conn *)(uintptr_t)ev->conn_user)->limited = false;
		break;
	default:
		if (ev->stream_id >= 0 && ev->user != 0)
			on_stream((struct plx_client_req *)(uintptr_t)ev->user, ev);
		break;
	}
	if (ev->buf != NULL)
		plx_rbuf_release(cl->attach, ev->buf);
}

static uint32_t
take_sent(struct plx_client *cl)
{
	struct plx_sbuf *sb[EVENTS];
	uint32_t n = plx_sent_take(cl->attach, sb, EVENTS);

	for (uint32_t i = 0; i < n; i++) {
		struct out *o = (struct out *)(void *)sb[i];
		struct plx_client_req *r = o->req;

		o->req = NULL;
		o->next = cl->free_outs;
		cl->free_outs = o;
		if (r != NULL) {
			r->out_cnt--;
			pump_upload(r->conn, r);
		}
	}
	return n;
}

uint32_t
plx_client_turn(struct plx_client *cl)
{
	struct plx_event ev[EVENTS];
	struct plx_client_conn *c, *next;
	uint32_t n = take_sent(cl);
	uint32_t m = plx_events_take(cl->attach, ev, EVENTS);
	bool retry;

	for (uint32_t i = 0; i < m; i++)
		handle(cl, &ev[i]);
	retry = cl->retry;
	cl->retry = false;
	for (c = cl->conns; c != NULL; c = next) {
		next = c->next;
		for (struct plx_client_req *r = retry ? c->active : NULL; r != NULL;
		     r = r->next)
			pump_upload(c, r);
		pump_conn(c);
	}
	return n + m;
}

void
plx_client_wait(struct plx_client *cl, uint64_t timeout_us)
{
	/* Nothing announces room in a command ring: look again soon. */
	if (cl->retry && timeout_us > 50)
		timeout_us = 50;
	plx_events_wait(cl->attach, timeout_us);
}

struct plx_client_conn *
plx_client_first(const struct plx_client *cl)
{
	return cl->conns;
}

struct plx_client_conn *
plx_client_next(const struct plx_client_conn *c)
{
	return c->next;
}

uint32_t
plx_client_conns(const struct plx_client *cl)
{
	return cl->conn_cnt;
}

uint64_t
plx_client_active(const struct plx_client *cl)
{
	return cl->active_cnt;
}

const char *
plx_client_end_text(enum plx_client_end end)
{
	switch (end) {
	case PLX_CLIENT_OK:
		return "complete";
	case PLX_CLIENT_RESET:
		return "reset by the server";
	case PLX_CLIENT_CONN_LOST:
		return "connection lost";
	case PLX_CLIENT_LENGTH:
		return "body shorter or longer than announced";
	case PLX_CLIENT_REFUSED:
		return "could not be sent";
	}
	return "?";
}
