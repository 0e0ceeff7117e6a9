/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Application cores that speak HTTP/3 without rings: events are published into an array and
 * commands are carried out at once, over real QUIC endpoints. Either side may be the site or the
 * visitor of h3_site.h instead.
 *
 * Threads: the caller's.
 */
#ifndef H3_CORE_H
#define H3_CORE_H

#include "h3_pair.h"
#include "h3_site.h"
#include "plx_recvq.h"
#include "plx_ringapp.h"

#define REQS 512

/* What an application remembers of a request. */
struct req {
	int64_t id;
	uint64_t rx, tx, tx_end, tx_queued;
	uint32_t heads, interim, trailers, fins, resets, closed, writable;
	uint16_t status;
	uint64_t reset_code, close_code;
	char path[64];
	bool used, bad, order_bad, echo, full;
};

/* An application core. */
struct core {
	struct plx_appside side;
	struct plx_ringapp_cfg cfg;
	struct plx_slab *slab;
	struct plx_rbufpool *pool;
	struct plx_obs obs;
	struct plx_quic *q;
	struct plx_conn_id conn;
	bool server, hold; /* hold: keep every body buffer */
	bool asleep;       /* take no events */
	struct plx_rbuf *held;
	struct req r[REQS];
	uint32_t news, conn_closed, cmd_failed, goaways, avail, closed, sbufs_out;
	uint64_t fail_code, fail_user, close_code, refused;
	uint64_t base;
};

static struct core srv, cli;
static struct h3_pair w;
static struct plx_pair_cfg cfg;
static struct site site;
static struct visitor visitor;
static struct plx_h3_cfg inline_cfg;

static inline struct plx_appside *
pick(void *arg, struct plx_conn *c)
{
	(void)c;
	return &((struct core *)arg)->side;
}

static inline uint64_t
used(struct core *k)
{
	struct plx_slab_stats st;

	plx_slab_get_stats(k->slab, &st);
	return st.used;
}

static inline void
core_init(struct core *k, bool server, size_t pool)
{
	struct plx_slab_cfg sc = {.limit = 64 << 20, .node = -1};

	memset(k, 0, sizeof(*k));
	k->server = server;
	CU_ASSERT_EQUAL_FATAL(plx_slab_new(&k->slab, &sc), 0);
	CU_ASSERT_EQUAL_FATAL(plx_rbufpool_new(&k->pool, pool, -1, 0), 0);
	k->base = used(k);
	CU_ASSERT_EQUAL_FATAL(plx_appside_init(&k->side, k->pool, k->slab, &k->obs, 0, 0),
	                      0);
	k->cfg = (struct plx_ringapp_cfg){.pick = pick, .pick_arg = k, .send_high = 100000};
}

static inline struct plx_ringconn *
core_rc(struct core *k, struct plx_conn_id id)
{
	struct plx_conn *c = plx_quic_find(k->q, id);

	return c ? plx_conn_ctx(c) : NULL;
}

static inline int
command(struct core *k, struct plx_cmd cmd)
{
	cmd.conn = k->conn;
	return plx_appside_cmd(&k->side, core_rc(k, k->conn), &cmd);
}

static inline void
release(struct core *k, struct plx_rbuf *b)
{
	struct plx_ringconn *rc = core_rc(k, b->conn);

	if (rc && rc->conn)
		rc->ops->released(rc, b);
	plx_rbuf_give(k->pool, b);
	plx_appside_refill(&k->side);
}

static inline struct plx_h3_msg *
message(const struct plx_h3_field *f, uint16_t cnt)
{
	size_t sz = sizeof(struct plx_h3_msg) + cnt * sizeof(*f);
	struct plx_h3_msg *m;
	char *p;

	for (uint16_t i = 0; i < cnt; i++)
		sz += f[i].name_len + f[i].value_len;
	m = calloc(1, sz);
	if (!m)
		abort();
	m->cnt = cnt;
	p = (char *)&m->field[cnt];
	for (uint16_t i = 0; i < cnt; i++) {
		m->field[i] = f[i];
		m->field[i].name = memcpy(p, f[i].name, f[i].name_len);
		p += f[i].name_len;
		m->field[i].value = memcpy(p, f[i].value, f[i].value_len);
		p += f[i].value_len;
	}
	return m;
}

static inline int
body(struct core *k, int64_t id, const void *p, size_t len, bool fin)
{
	struct plx_sbuf *b = NULL;

	if (len) {
		b = calloc(1, sizeof(*b));
		if (!b)
			abort();
		b->data = p;
		b->len = len;
		k->sbufs_out++;
	}
	return command(k, (struct plx_cmd){.type = PLX_CMD_H3_BODY,
	                                   .flags = fin ? PLX_CMD_FLAG_FIN : 0,
	                                   .stream_id = id,
	                                   .ptr = b});
}

/* Queues pattern until 100000 bytes wait; WRITABLE goes on. */
static inline void
push_body(struct core *k, struct req *r)
{
	while (r->tx < r->tx_end && !r->full) {
		size_t n = r->tx_end - r->tx < 30000 ? (size_t)(r->tx_end - r->tx) : 30000;

		if (body(k, r->id, site_pattern + r->tx, n, r->tx + n == r->tx_end))
			return;
		r->tx += n;
		r->tx_queued += n;
		if (r->tx_queued > 100000) {
			r->full = true;
			r->tx_queued = 0;
		}
	}
}

static inline void
serve(struct core *k, struct req *r, const struct plx_h3_head *head)
{
	struct plx_h3_field ok[] = {F(":status", "200"), F("server", "ring")};
	struct plx_h3_field early[] = {F(":status", "103")};

	site_copy(r->path, sizeof(r->path), site_field(head, ":path"));
	if (strcmp(r->path, "/never") == 0)
		return;
	if (strcmp(r->path, "/cancel") == 0) {
		command(k, (struct plx_cmd){.type = PLX_CMD_H3_CANCEL,
		                            .stream_id = r->id,
		                            .code = PLX_H3_REQUEST_REJECTED});
		return;
	}
	if (strcmp(r->path, "/early") == 0)
		command(k, (struct plx_cmd){.type = PLX_CMD_H3_RESPONSE,
		                            .stream_id = r->id,
		                            .ptr = message(early, 1)});
	r->echo = strcmp(r->path, "/echo") == 0;
	if (strncmp(r->path, "/n/", 3) == 0)
		r->tx_end = strtoull(r->path + 3, NULL, 10);
	command(k, (struct plx_cmd){.type = PLX_CMD_H3_RESPONSE,
	                            .flags = r->tx_end || r->echo ? 0 : PLX_CMD_FLAG_FIN,
	                            .stream_id = r->id,
	                            .ptr = message(ok, 2)});
	push_body(k, r);
}

static inline void
got_data(struct core *k, struct req *r, const struct plx_event *ev)
{
	bool fin = ev->flags & PLX_EV_FLAG_FIN;
	struct plx_rbuf *b = ev->buf;

	if (!r->heads || r->fins || r->closed || (r->trailers && b))
		r->order_bad = true;
	for (uint32_t i = 0; b && i < b->len; i++) {
		if (b->data[i] != site_byte(r->rx + i))
			r->bad = true;
	}
	if (r->echo)
		body(k, r->id, site_pattern + r->rx, b ? b->len : 0, fin);
	if (b)
		r->rx += b->len;
	r->fins += fin;
	if (b && k->hold) {
		b->next = k->held;
		k->held = b;
	} else if (b) {
		release(k, b);
	}
}

static inline void
handle(struct core *k, const struct plx_event *ev)
{
	struct req *r = NULL;

	if (ev->stream_id >= 0 && ev->type != PLX_EV_CMD_FAILED) {
		r = &k->r[k->server ? (uint64_t)(ev->stream_id >> 2) % REQS : ev->user];
		if (k->server && ev->type == PLX_EV_H3_REQUEST)
			memset(r, 0, sizeof(*r));
		if (r->closed)
			r->order_bad = true;
		r->id = ev->stream_id;
		r->used = true;
	}
	switch (ev->type) {
	case PLX_EV_CONN_NEW:
	case PLX_EV_CONN_UP:
		k->news++;
		k->conn = ev->conn;
		break;
	case PLX_EV_CONN_CLOSED:
		k->conn_closed++;
		k->close_code = ev->code;
		break;
	case PLX_EV_CMD_FAILED:
		k->cmd_failed++;
		k->fail_code = ev->code;
		k->fail_user = ev->user;
		break;
	case PLX_EV_STREAMS_AVAIL:
		k->avail++;
		break;
	case PLX_EV_H3_GOAWAY:
		k->goaways++;
		break;
	default:
		break;
	}
	if (!r)
		return;
	switch (ev->type) {
	case PLX_EV_H3_REQUEST:
	case PLX_EV_H3_RESPONSE: {
		const struct plx_h3_head *head = (const void *)ev->buf->data;

		if (r->rx || r->fins || r->status)
			r->order_bad = true;
		r->heads++;
		if (k->server)
			serve(k, r, head);
		else if (head->status < 200)
			r->interim++;
		else
			r->status = head->status;
		release(k, ev->buf);
		break;
	}
	case PLX_EV_H3_DATA:
		got_data(k, r, ev);
		break;
	case PLX_EV_H3_TRAILERS:
		if (r->fins)
			r->order_bad = true;
		r->trailers++;
		CU_ASSERT_PTR_NOT_NULL(site_field((const void *)ev->buf->data, "checksum"));
		release(k, ev->buf);
		break;
	case PLX_EV_H3_RESET:
		r->resets++;
		r->reset_code = ev->code;
		if (k->server)
			command(k, (struct plx_cmd){.type = PLX_CMD_H3_CANCEL,
			                            .stream_id = r->id,
			                            .code = PLX_H3_REQUEST_CANCELLED});
		break;
	case PLX_EV_H3_WRITABLE:
		r->writable++;
		r->full = false;
		push_body(k, r);
		break;
	case PLX_EV_H3_CLOSED:
		r->closed++;
		r->close_code = ev->code;
		k->closed++;
		break;
	default:
		break;
	}
}

/* One turn of an application core; few events at a time, so that sources take turns. */
static inline void
core_turn(struct core *k)
{
	struct plx_sbuf *b[8];
	struct plx_event ev[3];
	uint32_t n;

	if (!k->slab || k->asleep)
		return;
	while ((n = plx_evq_publish(&k->side.evq, ev, 3)) > 0) {
		for (uint32_t i = 0; i < n; i++)
			handle(k, &ev[i]);
	}
	while ((n = plx_appside_take_done(&k->side, b, 8)) > 0) {
		for (uint32_t i = 0; i < n; i++) {
			free(b[i]);
			k->sbufs_out--;
		}
	}
}

static inline bool
step_until(bool (*until)(void))
{
	uint64_t end = w.p->now + PAIR_LIMIT;

	for (;;) {
		core_turn(&srv);
		core_turn(&cli);
		if (until())
			return true;
		if (w.p->now > end)
			return false;
		plx_pair_step(w.p);
	}
}

static inline bool
is_up(void)
{
	return (srv.news || site.conns) && (cli.news || visitor.conns);
}

/* Which sides are ring applications; the others are the site and the visitor. */
static inline void
begin(bool srv_ring, bool cli_ring)
{
	memset(&srv, 0, sizeof(srv));
	memset(&cli, 0, sizeof(cli));
	memset(&site, 0, sizeof(site));
	memset(&visitor, 0, sizeof(visitor));
	/* So that virtual time goes on in small steps while nothing happens. */
	cfg.quic[PLX_PAIR_CLIENT].keep_alive_ms = 10;
	h3_pair_open(&w, &cfg);
	inline_cfg = (struct plx_h3_cfg){
	        .app = srv_ring ? &visitor_app : &site_app,
	        .arg = srv_ring ? (void *)&visitor : (void *)&site,
	};
	for (int i = 0; i < PLX_PAIR_SIDES; i++) {
		struct core *k = i == PLX_PAIR_SERVER ? &srv : &cli;

		if (i == PLX_PAIR_SERVER ? srv_ring : cli_ring) {
			core_init(k, i == PLX_PAIR_SERVER, 4 << 20);
			k->q = w.p->end[i].quic;
			h3_pair_app(&w, (enum plx_pair_side)i, &plx_h3_ring, &k->cfg);
		} else {
			inline_cfg.slab = h3_pair_slab(&w, (enum plx_pair_side)i);
			inline_cfg.obs = w.p->end[i].obs;
			h3_pair_app(&w, (enum plx_pair_side)i, &plx_h3_inline, &inline_cfg);
		}
	}
	/* A dial that nobody commanded: the event's reservation is ours to make. */
	if (cli_ring)
		CU_ASSERT_EQUAL(plx_appside_dial_begin(&cli.side), 0);
	h3_pair_dial(&w);
	CU_ASSERT_FATAL(step_until(is_up));
}

static inline void
core_fini(struct core *k)
{
	struct plx_rbufpool_stats st;

	if (!k->slab)
		return;
	while (k->held) {
		struct plx_rbuf *b = k->held;

		k->held = b->next;
		release(k, b);
	}
	k->asleep = false;
	core_turn(k);
	CU_ASSERT_EQUAL(k->conn_closed, k->news);
	for (int i = 0; i < REQS; i++) {
		CU_ASSERT_EQUAL(k->r[i].order_bad, false);
		CU_ASSERT_EQUAL(k->r[i].bad, false);
		if (k->r[i].used)
			CU_ASSERT_EQUAL(k->r[i].closed, 1);
	}
	CU_ASSERT_EQUAL(k->sbufs_out, 0);
	plx_appside_fini(&k->side);
	plx_rbufpool_get_stats(k->pool, &st);
	CU_ASSERT_EQUAL(st.small_free, st.small_cnt);
	CU_ASSERT_EQUAL(st.large_free, st.large_cnt);
	CU_ASSERT_EQUAL(used(k), k->base);
	plx_rbufpool_free(k->pool);
	plx_slab_free(k->slab);
	k->slab = NULL;
}

static inline bool
is_idle(void)
{
	return plx_pair_idle(w.p);
}

static inline void
end(void)
{
	plx_quic_close_all(w.p->end[PLX_PAIR_CLIENT].quic, PLX_H3_NO_ERROR);
	CU_ASSERT(step_until(is_idle));
	core_fini(&srv);
	core_fini(&cli);
	h3_pair_end(&w);
	site_fini(&site);
}

static inline int
request(uint64_t user, const char *method, const char *path, uint64_t up)
{
	struct plx_h3_field f[] = {
	        F(":method", method), F(":scheme", "https"), F(":authority", "ring.test"),
	        F(":path", path),     F("cookie", "a=b"),
	};

	cli.r[user].tx_end = up;
	return command(&cli, (struct plx_cmd){.type = PLX_CMD_H3_REQUEST,
	                                      .flags = up ? 0 : PLX_CMD_FLAG_FIN,
	                                      .user = user,
	                                      .ptr = message(f, 5)});
}

/* The id is known from the first event; tests number requests in order. */
static inline void
upload(uint64_t user)
{
	cli.r[user].id = (int64_t)user * 4;
	push_body(&cli, &cli.r[user]);
}

static uint32_t want_closed;

static inline bool
cli_closed(void)
{
	return cli.closed >= want_closed;
}

static inline bool
both_closed(void)
{
	return cli.closed >= want_closed && srv.closed >= want_closed;
}

static inline bool
req_ok(const struct req *r, uint64_t rx)
{
	return r->status == 200 && r->rx == rx && r->fins == 1 && r->closed == 1 &&
	       !r->bad && !r->order_bad && r->close_code == PLX_H3_NO_ERROR &&
	       r->resets == 0;
}

static inline void
steps(int n)
{
	for (int i = 0; i < n; i++) {
		plx_pair_step(w.p);
		core_turn(&srv);
		core_turn(&cli);
	}
}

#endif
