/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <plx/err.h>

#include "plx_bug.h"
#include "plx_recvq.h"
#include "plx_ringapp.h"
#include "plx_sendq.h"

/* A source of exactly one event, which is kept ready made. */
struct plx_apprec {
	struct plx_evsrc ev; /* first */
	struct plx_appside *side;
	struct plx_event event;
	struct plx_apprec *next; /* while reserved */
};

static struct plx_apprec *
rec_new(struct plx_appside *s)
{
	struct plx_apprec *r = plx_slab_alloc(s->slab, sizeof(*r));

	if (r != NULL)
		r->side = s;
	return r;
}

static void
rec_give(struct plx_appside *s, struct plx_apprec *r)
{
	r->next = s->rec_free;
	s->rec_free = r;
	s->rec_free_cnt++;
}

static struct plx_apprec *
rec_take(struct plx_appside *s)
{
	struct plx_apprec *r = s->rec_free;

	if (r == NULL)
		return rec_new(s);
	s->rec_free = r->next;
	s->rec_free_cnt--;
	return r;
}

static bool
rec_event(struct plx_evsrc *src, struct plx_event *ev)
{
	*ev = ((struct plx_apprec *)(void *)src)->event;
	src->mask = 0;
	return true;
}

static void
rec_idle(struct plx_evsrc *src)
{
	struct plx_apprec *r = (struct plx_apprec *)(void *)src;
	struct plx_appside *s = r->side;

	/* Keep what commands and dials under way reserve, give back what is above. */
	if (s->rec_free_cnt < PLX_APPSIDE_FAILS + s->dial_cnt)
		rec_give(s, r);
	else
		plx_slab_release(s->slab, r);
}

static void
rec_publish(struct plx_appside *s, const struct plx_event *ev)
{
	struct plx_apprec *r = rec_take(s);

	/* Reserved before the command was taken or the dial begun, see plx_ringapp.h. */
	PLX_BUG_ON(r == NULL);
	plx_evsrc_init(&r->ev, rec_event, rec_idle);
	r->event = *ev;
	plx_evq_mark(&s->evq, &r->ev, 1);
}

int
plx_appside_init(struct plx_appside *s, struct plx_rbufpool *pool, struct plx_slab *slab,
                 struct plx_obs *obs, uint16_t worker, uint16_t attach)
{
	*s = (struct plx_appside){
	        .pool = pool,
	        .slab = slab,
	        .obs = obs,
	        .worker = worker,
	        .attach = attach,
	};
	PLX_ACT_AS_WORKER();
	plx_evq_init(&s->evq);
	while (s->rec_free_cnt < PLX_APPSIDE_FAILS) {
		struct plx_apprec *r = rec_new(s);

		if (r == NULL) {
			plx_appside_fini(s);
			return PLX_E_NOMEM;
		}
		rec_give(s, r);
	}
	return 0;
}

void
plx_appside_fini(struct plx_appside *s)
{
	struct plx_event ev;

	PLX_ACT_AS_WORKER();
	/* With buffers back each round, streams whose bytes waited come to their end as well. */
	do {
		while (plx_evq_publish(&s->evq, &ev, 1) == 1)
			if (ev.buf != NULL)
				plx_rbuf_give(s->pool, ev.buf);
		plx_appside_refill(s);
	} while (s->evq.head != NULL);
	while (s->rec_free != NULL) {
		struct plx_apprec *r = s->rec_free;

		s->rec_free = r->next;
		plx_slab_release(s->slab, r);
	}
	s->rec_free_cnt = 0;
	s->done_head = s->done_tail = NULL;
}

void
plx_appside_done(struct plx_appside *s, struct plx_sbuf *list)
{
	if (list == NULL)
		return;
	if (s->done_tail != NULL)
		s->done_tail->next = list;
	else
		s->done_head = list;
	for (;; list = list->next) {
		s->done_cnt++;
		if (list->next == NULL)
			break;
	}
	s->done_tail = list;
}

uint32_t
plx_appside_take_done(struct plx_appside *s, struct plx_sbuf **b, uint32_t max)
{
	uint32_t n = 0;

	while (n < max && s->done_head != NULL) {
		b[n] = s->done_head;
		s->done_head = b[n]->next;
		b[n]->next = NULL;
		n++;
	}
	if (s->done_head == NULL)
		s->done_tail = NULL;
	return n;
}

uint32_t
plx_appside_cmd_room(const struct plx_appside *s)
{
	uint32_t room = s->rec_free_cnt - s->dial_cnt;

	return room < PLX_APPSIDE_FAILS ? room : PLX_APPSIDE_FAILS;
}

void
plx_cmd_discard(const struct plx_cmd *cmd)
{
	struct plx_call *call;

	switch (cmd->type) {
	case PLX_CMD_DIAL:
	case PLX_CMD_H3_REQUEST:
	case PLX_CMD_H3_RESPONSE:
		free(cmd->ptr);
		break;
	case PLX_CMD_CALL:
		call = cmd->ptr;
		if (call != NULL)
			call->fn(call, NULL);
		break;
	default:
		break;
	}
}

/* What a refused command names goes back to where it came from. */
static void
cmd_return_ptr(struct plx_appside *s, const struct plx_cmd *cmd)
{
	struct plx_sbuf *b;

	if (cmd->ptr == NULL)
		return;
	switch (cmd->type) {
	case PLX_CMD_STREAM_SEND:
	case PLX_CMD_H3_BODY:
		b = cmd->ptr;
		b->conn = cmd->conn;
		b->stream_id = cmd->stream_id;
		b->acked = 0;
		b->next = NULL;
		plx_appside_done(s, b);
		break;
	default:
		plx_cmd_discard(cmd);
		break;
	}
}

void
plx_appside_cmd_failed(struct plx_appside *s, const struct plx_cmd *cmd, int err)
{
	struct plx_event ev = {
	        .type = PLX_EV_CMD_FAILED,
	        .worker = s->worker,
	        .extra = cmd->type,
	        .conn = cmd->conn,
	        .stream_id = cmd->stream_id,
	        .user = cmd->user,
	        .code = (uint64_t)-(int64_t)err,
	};

	cmd_return_ptr(s, cmd);
	rec_publish(s, &ev);
}

/* What is the same for every application comes first. */
static int
conn_cmd(struct plx_ringconn *rc, const struct plx_cmd *cmd)
{
	if (cmd->type == PLX_CMD_CLOSE) {
		plx_conn_close(rc->conn, cmd->code, NULL);
		return 0;
	}
	if (cmd->type == PLX_CMD_SET_USER && cmd->stream_id == -1) {
		rc->user = cmd->user;
		return 0;
	}
	if (cmd->type == PLX_CMD_CALL) {
		struct plx_call *call = cmd->ptr;

		if (call == NULL)
			return PLX_E_INVAL;
		call->fn(call, rc->conn);
		return 0;
	}
	return rc->ops->cmd(rc, cmd);
}

int
plx_appside_cmd(struct plx_appside *s, struct plx_ringconn *rc, const struct plx_cmd *cmd)
{
	int err;

	if (rc == NULL || rc->closed)
		err = PLX_E_STALE;
	else if (rc->side != s)
		err = PLX_E_PERM;
	else
		err = conn_cmd(rc, cmd);
	if (err != 0)
		plx_appside_cmd_failed(s, cmd, err);
	return err;
}

int
plx_appside_dial_begin(struct plx_appside *s)
{
	struct plx_apprec *r = rec_new(s);

	if (r == NULL)
		return PLX_E_NOMEM;
	rec_give(s, r);
	s->dial_cnt++;
	return 0;
}

void
plx_appside_dial_cancel(struct plx_appside *s)
{
	if (s->dial_cnt == 0)
		return;
	s->dial_cnt--;
	if (s->rec_free_cnt > PLX_APPSIDE_FAILS + s->dial_cnt)
		plx_slab_release(s->slab, rec_take(s));
}

void
plx_appside_dial_failed(struct plx_appside *s, uint64_t user,
                        const struct plx_close_info *why)
{
	struct plx_event ev = {
	        .type = PLX_EV_DIAL_FAILED,
	        .worker = s->worker,
	        .extra = why->by,
	        .stream_id = -1,
	        .user = user,
	        .code = why->code,
	        .conn_user = user,
	};

	if (s->dial_cnt > 0)
		s->dial_cnt--;
	rec_publish(s, &ev);
}

/* Next event of a connection. They are few: one at a time, in the order of the bits. */
static bool
conn_event(struct plx_evsrc *src, struct plx_event *ev)
{
	struct plx_ringconn *rc =
	        (struct plx_ringconn *)(void *)((uint8_t *)src -
	                                        offsetof(struct plx_ringconn, ev));
	uint32_t bit = src->mask & -src->mask;

	src->mask &= ~bit;
	switch (bit) {
	case PLX_RINGCONN_EV_UP:
		plx_ringconn_fill(rc, ev, rc->server ? PLX_EV_CONN_NEW : PLX_EV_CONN_UP, -1,
		                  rc->dial_user);
		return true;
	case PLX_RINGCONN_EV_AVAIL_BIDI:
	case PLX_RINGCONN_EV_AVAIL_UNI:
		plx_ringconn_fill(rc, ev, PLX_EV_STREAMS_AVAIL, -1, rc->dial_user);
		if (bit == PLX_RINGCONN_EV_AVAIL_BIDI)
			ev->flags |= PLX_EV_FLAG_BIDI;
		return true;
	case PLX_RINGCONN_EV_GOAWAY:
		plx_ringconn_fill(rc, ev, PLX_EV_H3_GOAWAY, -1, rc->dial_user);
		ev->code = rc->goaway_id;
		return true;
	case PLX_RINGCONN_EV_CLOSED:
		plx_ringconn_fill(rc, ev, PLX_EV_CONN_CLOSED, -1, rc->dial_user);
		ev->extra = rc->close_by;
		ev->code = rc->close_code;
		return true;
	default:
		return false;
	}
}

static void
conn_idle(struct plx_evsrc *src)
{
	struct plx_ringconn *rc =
	        (struct plx_ringconn *)(void *)((uint8_t *)src -
	                                        offsetof(struct plx_ringconn, ev));

	/* Closed, nothing held and nothing left to say: CONN_CLOSED was the last event. */
	if (rc->closed && rc->held == 0)
		rc->ops->free(rc);
}

void
plx_ringconn_init(struct plx_ringconn *rc, const struct plx_ringapp_ops *ops,
                  const struct plx_ringapp_cfg *cfg, struct plx_appside *side,
                  struct plx_conn *c)
{
	rc->ops = ops;
	rc->side = side;
	rc->conn = c;
	rc->id = plx_conn_id_of(c);
	rc->server = plx_conn_is_server(c);
	rc->dial_user = cfg->user != NULL ? cfg->user(cfg->pick_arg, c) : plx_conn_user(c);
	rc->user = rc->dial_user;
	if (!rc->server)
		plx_appside_dial_cancel(side);
	plx_evsrc_init(&rc->ev, conn_event, conn_idle);
	plx_evq_mark(&side->evq, &rc->ev, PLX_RINGCONN_EV_UP);
}

void
plx_ringconn_mark(struct plx_ringconn *rc, uint32_t bits)
{
	if (!rc->closed)
		plx_evq_mark(&rc->side->evq, &rc->ev, bits);
}

void
plx_ringconn_hold(struct plx_ringconn *rc)
{
	rc->held++;
}

void
plx_ringconn_put(struct plx_ringconn *rc)
{
	PLX_BUG_ON(rc->held == 0);
	if (--rc->held == 0 && rc->closed)
		plx_evq_mark(&rc->side->evq, &rc->ev, PLX_RINGCONN_EV_CLOSED);
}

void
plx_ringconn_closed(struct plx_ringconn *rc, const struct plx_close_info *why)
{
	PLX_BUG_ON(rc->closed);
	rc->closed = true;
	rc->conn = NULL;
	/* Nobody can open a stream any more. */
	rc->ev.mask &= ~(uint32_t)(PLX_RINGCONN_EV_AVAIL_BIDI | PLX_RINGCONN_EV_AVAIL_UNI);
	rc->close_by = why != NULL ? why->by : PLX_CLOSE_LOCAL;
	rc->close_code = why != NULL ? why->code : 0;
	if (rc->held == 0)
		plx_evq_mark(&rc->side->evq, &rc->ev, PLX_RINGCONN_EV_CLOSED);
}

int
plx_ringconn_queue(struct plx_ringconn *rc, struct plx_sendq *q, const struct plx_cmd *cmd)
{
	bool fin = cmd->flags & PLX_CMD_FLAG_FIN;
	struct plx_sbuf *b = cmd->ptr, *empty = NULL;
	int err;

	if (b == NULL && !fin)
		return PLX_E_INVAL;
	if (b != NULL) {
		b->conn = rc->id;
		b->stream_id = cmd->stream_id;
		b->acked = 0;
		b->next = NULL;
		if (b->len == 0) {
			empty = b;
			b = NULL;
		}
	}
	err = b != NULL || fin ? plx_sendq_append(q, b, fin) : 0;
	if (err == 0)
		plx_appside_done(rc->side, empty);
	return err;
}

void
plx_ringapp_refused(const struct plx_ringapp_cfg *cfg, struct plx_appside *side,
                    struct plx_conn *c)
{
	if (plx_conn_is_server(c))
		return;
	plx_appside_dial_failed(
	        side, cfg->user != NULL ? cfg->user(cfg->pick_arg, c) : plx_conn_user(c),
	        &(struct plx_close_info){.by = PLX_CLOSE_REFUSED});
}
