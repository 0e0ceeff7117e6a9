/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Raw streams behind a ring, driven through two real endpoints over a simulated link. The
 * application's side is played without rings: events are taken with plx_evq_publish(), commands
 * are carried out with plx_appside_cmd(). A checker looks at every event for the order that
 * <plx/event.h> promises.
 */
#include "plx_pair.h"
#include "plx_rawapp.h"
#include "plx_recvq.h"
#include "plx_test.h"

#define STREAMS_MAX 64
#define PIECE       3000
#define LIMIT_NS    (120 * PLX_NS_PER_S)

/* What the application knows of a stream. */
struct st {
	int64_t id;
	uint64_t rx, tx, user;
	bool fin_rx, closed, reset, stopped;
	uint64_t reset_code, stop_code, close_code;
	uint32_t writable_cnt;
};

/* One side: an application core and its worker's half. */
struct end {
	struct plx_pair_end *pe;
	struct plx_rbufpool *pool;
	struct plx_slab *slab;
	struct plx_appside side;
	struct plx_ringapp_cfg cfg;
	struct plx_conn_id id;
	struct st st[STREAMS_MAX];
	uint32_t st_cnt;
	struct plx_rbuf *held[256];
	uint32_t held_cnt;
	/* How the application behaves. */
	uint64_t answer; /* server: bytes sent on each stream that the peer opened */
	uint32_t room;   /* events taken per turn */
	bool hold;       /* keep buffers */
	/* What it saw. */
	uint32_t up, closed, open, closed_streams, avail, failed, dial_failed;
	uint32_t sbufs_out, sbufs_back, bad;
	uint64_t acked, failed_code, close_code;
	uint8_t close_by;
};

struct world {
	struct plx_pair *p;
	struct end end[PLX_PAIR_SIDES];
};

static struct world w;
#define SRV (&w.end[PLX_PAIR_SERVER])
#define CLI (&w.end[PLX_PAIR_CLIENT])

static struct plx_appside *
pick(void *arg, struct plx_conn *c)
{
	(void)c;
	return &((struct end *)arg)->side;
}

static uint8_t
byte_at(int64_t id, uint64_t off)
{
	return (uint8_t)(off * 167 + (off >> 9) + (uint64_t)id * 59);
}

static int
cmd(struct end *e, struct plx_cmd c)
{
	struct plx_conn *conn;

	c.conn = e->id;
	conn = plx_quic_find(e->pe->quic, c.conn);
	return plx_appside_cmd(&e->side, conn != NULL ? plx_conn_ctx(conn) : NULL, &c);
}

static int
send_bytes(struct end *e, struct st *s, uint64_t len, bool fin)
{
	struct plx_sbuf *b = calloc(1, sizeof(*b) + len);
	uint8_t *d = (uint8_t *)(b + 1);

	for (uint64_t i = 0; i < len; i++)
		d[i] = byte_at(s->id, s->tx + i);
	b->data = d;
	b->len = len;
	s->tx += len;
	e->sbufs_out++;
	return cmd(e, (struct plx_cmd){.type = PLX_CMD_STREAM_SEND,
	                               .flags = fin ? PLX_CMD_FLAG_FIN : 0,
	                               .stream_id = s->id,
	                               .ptr = b});
}

static void
send_all(struct end *e, struct st *s, uint64_t len)
{
	do {
		uint64_t part = len < PIECE ? len : PIECE;

		len -= part;
		e->bad += send_bytes(e, s, part, len == 0) != 0;
	} while (len > 0);
}

static struct st *
find(struct end *e, int64_t id)
{
	for (uint32_t i = 0; i < e->st_cnt; i++)
		if (e->st[i].id == id)
			return &e->st[i];
	return NULL;
}

static void
on_data(struct end *e, struct st *s, const struct plx_event *ev)
{
	struct plx_rbuf *b = ev->buf;

	e->bad += s->fin_rx || s->reset;
	e->bad += b == NULL && !(ev->flags & PLX_EV_FLAG_FIN);
	if (b != NULL) {
		e->bad += b->credit != b->len || b->stream_id != s->id || b->len == 0;
		for (uint32_t i = 0; i < b->len; i++)
			e->bad += b->data[i] != byte_at(s->id, s->rx + i);
		s->rx += b->len;
		e->held[e->held_cnt++] = b;
	}
	if (ev->flags & PLX_EV_FLAG_FIN) {
		s->fin_rx = true;
		if (e->answer > 0 && !(ev->flags & PLX_EV_FLAG_LOCAL))
			send_all(e, s, e->answer);
	}
}

static void
on_stream_event(struct end *e, const struct plx_event *ev)
{
	struct st *s = find(e, ev->stream_id);

	if (ev->type == PLX_EV_STREAM_OPEN) {
		e->bad += s != NULL || e->st_cnt == STREAMS_MAX;
		s = &e->st[e->st_cnt++];
		*s = (struct st){.id = ev->stream_id, .user = ev->user};
		e->open++;
		return;
	}
	e->bad += s == NULL || s->closed || s->user != ev->user;
	if (s == NULL)
		return;
	switch (ev->type) {
	case PLX_EV_STREAM_DATA:
		on_data(e, s, ev);
		break;
	case PLX_EV_STREAM_RESET:
		e->bad += s->reset;
		s->reset = true;
		s->reset_code = ev->code;
		break;
	case PLX_EV_STREAM_STOP:
		e->bad += s->stopped;
		s->stopped = true;
		s->stop_code = ev->code;
		break;
	case PLX_EV_STREAM_WRITABLE:
		s->writable_cnt++;
		break;
	case PLX_EV_STREAM_CLOSED:
		s->closed = true;
		s->close_code = ev->code;
		e->closed_streams++;
		break;
	default:
		e->bad++;
	}
}

static void
on_event(struct end *e, const struct plx_event *ev)
{
	bool server = e == SRV;

	if (ev->type == PLX_EV_CMD_FAILED) {
		e->failed++;
		e->failed_code = ev->code;
		return;
	}
	if (ev->type == PLX_EV_DIAL_FAILED) {
		e->dial_failed++;
		e->bad += ev->user != 42;
		return;
	}
	e->bad += e->closed > 0; /* CONN_CLOSED is the last of its handle */
	e->bad += !!(ev->flags & PLX_EV_FLAG_SERVER) != server;
	switch (ev->type) {
	case PLX_EV_CONN_NEW:
	case PLX_EV_CONN_UP:
		e->bad += e->up++ > 0 || e->open > 0 ||
		          server != (ev->type == PLX_EV_CONN_NEW);
		e->bad += ev->user != (server ? 0 : 42);
		e->id = ev->conn;
		return;
	case PLX_EV_CONN_CLOSED:
		e->bad += e->closed_streams != e->open;
		e->closed++;
		e->close_code = ev->code;
		e->close_by = (uint8_t)ev->extra;
		return;
	case PLX_EV_STREAMS_AVAIL:
		e->avail++;
		return;
	default:
		e->bad += ev->conn.v != e->id.v;
		on_stream_event(e, ev);
	}
}

static void
release_one(struct end *e)
{
	struct plx_rbuf *b = e->held[--e->held_cnt];
	struct plx_conn *c = plx_quic_find(e->pe->quic, b->conn);

	if (c != NULL) {
		struct plx_ringconn *rc = plx_conn_ctx(c);

		rc->ops->released(rc, b);
	}
	plx_rbuf_give(e->pool, b);
	plx_appside_refill(&e->side);
}

/* One turn of the application. @return it had something to do */
static bool
app_turn(struct end *e)
{
	struct plx_sbuf *b;
	bool moved = false;

	for (uint32_t i = 0; i < e->room; i++) {
		struct plx_event ev;

		if (plx_evq_publish(&e->side.evq, &ev, 1) == 0)
			break;
		on_event(e, &ev);
		moved = true;
	}
	while (plx_appside_take_done(&e->side, &b, 1) == 1) {
		e->sbufs_back++;
		e->acked += b->acked;
		e->bad += b->conn.v != e->id.v || b->acked > b->len;
		free(b);
	}
	while (!e->hold && e->held_cnt > 0) {
		release_one(e);
		moved = true;
	}
	return moved;
}

/* Virtual time moves only when both applications have nothing more to do. */
static void
step(void)
{
	bool moved = app_turn(CLI);

	moved |= app_turn(SRV);
	if (!moved)
		plx_pair_step(w.p);
}

static bool
run(bool (*until)(void))
{
	uint64_t end = w.p->now + LIMIT_NS;

	while (w.p->now < end) {
		step();
		if (until())
			return true;
	}
	return false;
}

/* Nothing is under way and no timer is near: only somebody's deed can change something. */
static bool
quiet(void)
{
	for (int i = 0; i < PLX_PAIR_SIDES; i++)
		if (plx_quic_has_tx(w.end[i].pe->quic) ||
		    plx_quic_deadline(w.end[i].pe->quic) < w.p->now + PLX_NS_PER_S)
			return false;
	return w.p->flight_cnt == 0;
}

static bool
both_up(void)
{
	return CLI->up && SRV->up;
}

static bool
both_closed(void)
{
	return CLI->closed && SRV->closed;
}

static bool
streams_closed(void)
{
	return CLI->open > 0 && CLI->closed_streams == CLI->open &&
	       SRV->closed_streams == CLI->open;
}

static void
start(const struct plx_pair_cfg *cfg, size_t pool_bytes)
{
	memset(&w, 0, sizeof(w));
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&w.p, cfg), 0);
	for (int i = 0; i < PLX_PAIR_SIDES; i++) {
		struct end *e = &w.end[i];

		e->pe = &w.p->end[i];
		e->room = UINT32_MAX;
		CU_ASSERT_EQUAL_FATAL(
		        plx_slab_new(&e->slab,
		                     &(struct plx_slab_cfg){.limit = 16 << 20, .node = -1}),
		        0);
		CU_ASSERT_EQUAL_FATAL(plx_rbufpool_new(&e->pool, pool_bytes, -1, 0), 0);
		CU_ASSERT_EQUAL_FATAL(
		        plx_appside_init(&e->side, e->pool, e->slab, e->pe->obs, 0, 0), 0);
		e->cfg = (struct plx_ringapp_cfg){.pick = pick, .pick_arg = e};
		e->pe->proto.app = &plx_raw_ring;
		e->pe->proto.arg = &e->cfg;
	}
	CU_ASSERT_EQUAL_FATAL(plx_pair_dial(w.p, false, NULL), 0);
}

static void
start_up(const struct plx_pair_cfg *cfg, size_t pool_bytes)
{
	start(cfg, pool_bytes);
	CU_ASSERT_TRUE_FATAL(run(both_up));
}

/* Everything that was lent or allocated is back. */
static void
finish(void)
{
	if (CLI->up && !CLI->closed) {
		cmd(CLI, (struct plx_cmd){.type = PLX_CMD_CLOSE, .code = 77});
		CU_ASSERT_TRUE(run(both_closed));
	}
	plx_pair_free(w.p);
	for (int i = 0; i < PLX_PAIR_SIDES; i++) {
		struct end *e = &w.end[i];
		struct plx_slab_stats st;

		while (e->held_cnt > 0)
			plx_rbuf_give(e->pool, e->held[--e->held_cnt]);
		CU_ASSERT_EQUAL(e->bad, 0);
		CU_ASSERT_EQUAL(e->sbufs_out, e->sbufs_back);
		CU_ASSERT_EQUAL(e->side.evq.ready, 0);
		plx_appside_fini(&e->side);
		CU_ASSERT_EQUAL(plx_rbufpool_level(e->pool), 256);
		plx_slab_get_stats(e->slab, &st);
		CU_ASSERT_EQUAL(st.used, 0);
		plx_rbufpool_free(e->pool);
		plx_slab_free(e->slab);
	}
}

static void
open_streams(uint32_t cnt, uint8_t flags)
{
	for (uint32_t i = 0; i < cnt; i++)
		CU_ASSERT_EQUAL_FATAL(cmd(CLI, (struct plx_cmd){.type = PLX_CMD_STREAM_OPEN,
		                                                .flags = flags,
		                                                .user = 1000 + i}),
		                      0);
	app_turn(CLI);
	CU_ASSERT_EQUAL_FATAL(CLI->st_cnt, cnt);
	for (uint32_t i = 0; i < cnt; i++)
		CU_ASSERT_EQUAL(CLI->st[i].user, 1000 + i);
}

/* Ten streams, each up and down, over a link with the faults of cfg. */
static void
transfer(const struct plx_pair_cfg *cfg, size_t pool_bytes, uint64_t up, uint64_t down,
         uint32_t room)
{
	start(cfg, pool_bytes);
	CLI->room = SRV->room = room;
	CU_ASSERT_TRUE_FATAL(run(both_up));
	SRV->answer = down;
	CLI->room = UINT32_MAX;
	open_streams(10, 0);
	CLI->room = room;
	for (int i = 0; i < 10; i++)
		send_all(CLI, &CLI->st[i], up);
	CU_ASSERT_TRUE(run(streams_closed));
	for (int i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(CLI->st[i].rx, down);
		CU_ASSERT_TRUE(CLI->st[i].fin_rx);
		CU_ASSERT_EQUAL(SRV->st[i].rx, up);
		CU_ASSERT_TRUE(SRV->st[i].fin_rx);
	}
	CU_ASSERT_EQUAL(CLI->acked, 10 * up);
	CU_ASSERT_EQUAL(SRV->acked, 10 * down);
	finish();
	CU_ASSERT_EQUAL(CLI->close_code, 77);
	CU_ASSERT_EQUAL(SRV->close_by, PLX_CLOSE_PEER_APPLICATION);
}

static void
test_transfer(void)
{
	struct plx_pair_cfg cfg;

	PLX_COVERS("S1-25", "S1-28", "S1-29", "S1-30", "S1-33", "S1-34", "S1-52", "S1-53",
	           "S1-54");
	plx_pair_cfg_init(&cfg);
	transfer(&cfg, 4 << 20, 300000, 500000, UINT32_MAX);
	transfer(&cfg, 4 << 20, 1, 1, UINT32_MAX);
}

static void
test_lossy(void)
{
	struct plx_pair_cfg cfg;

	plx_pair_cfg_init(&cfg);
	for (int i = 0; i < PLX_PAIR_SIDES; i++) {
		cfg.link[i].loss_ppm = 50000;
		cfg.link[i].jitter_ns = 5 * PLX_NS_PER_MS;
		cfg.link[i].dup_ppm = 20000;
	}
	for (cfg.seed = 1; cfg.seed <= 3; cfg.seed++)
		transfer(&cfg, 4 << 20, 50000, 100000, UINT32_MAX);
}

static void
test_narrow(void)
{
	struct plx_pair_cfg cfg;

	PLX_COVERS("S0-15");
	plx_pair_cfg_init(&cfg);
	/* Room for one event per turn and eleven buffers for ten streams. */
	transfer(&cfg, 64 << 10, 100000, 100000, 1);
}

static void
test_stalled_reader(void)
{
	struct plx_pair_cfg cfg;
	uint64_t stalled;

	PLX_COVERS("S1-26", "S1-32");
	plx_pair_cfg_init(&cfg);
	cfg.quic[PLX_PAIR_SERVER].max_data = 256 << 10;
	cfg.quic[PLX_PAIR_SERVER].max_stream_data = 128 << 10;
	start_up(&cfg, 64 << 10);
	SRV->hold = true;
	open_streams(1, 0);
	send_all(CLI, &CLI->st[0], 1 << 20);
	CU_ASSERT_TRUE(run(quiet));
	/* Credit is memory: the peer sends what was granted and not more, nothing is dropped. */
	stalled = SRV->st[0].rx;
	CU_ASSERT(stalled < 128 << 10);
	CU_ASSERT(CLI->sbufs_back < CLI->sbufs_out);
	CU_ASSERT_EQUAL(CLI->st[0].writable_cnt, 0);
	CU_ASSERT_EQUAL(plx_obs_get_drop(SRV->pe->obs, PLX_DROP_STREAM_BUFFER), 0);
	SRV->hold = false;
	SRV->answer = 10;
	CU_ASSERT_TRUE(run(streams_closed));
	CU_ASSERT_EQUAL(SRV->st[0].rx, 1 << 20);
	CU_ASSERT_EQUAL(CLI->st[0].writable_cnt, 1);
	finish();
}

static bool
srv_saw_reset(void)
{
	return SRV->st_cnt > 0 && SRV->st[0].reset;
}

static void
test_reset(void)
{
	struct plx_pair_cfg cfg;
	struct plx_cmd c = {.type = PLX_CMD_STREAM_RESET, .code = 1234};

	PLX_COVERS("S1-31", "S1-36");
	plx_pair_cfg_init(&cfg);
	start_up(&cfg, 1 << 20);
	open_streams(1, PLX_CMD_FLAG_UNI);
	c.stream_id = CLI->st[0].id;
	CU_ASSERT_EQUAL(c.stream_id, 2);
	send_bytes(CLI, &CLI->st[0], 100000, false);
	for (int i = 0; i < 3; i++)
		plx_pair_step(w.p);
	CU_ASSERT_EQUAL(cmd(CLI, c), 0);
	app_turn(CLI);
	CU_ASSERT_EQUAL(CLI->sbufs_back, 1);
	CU_ASSERT_EQUAL(cmd(CLI, c), PLX_E_STREAM_CLOSED);
	CU_ASSERT_EQUAL(send_bytes(CLI, &CLI->st[0], 10, false), PLX_E_STREAM_CLOSED);
	app_turn(CLI);
	CU_ASSERT_EQUAL(CLI->failed, 2);
	CU_ASSERT_EQUAL(CLI->sbufs_back, 2);
	CU_ASSERT_TRUE(run(srv_saw_reset));
	CU_ASSERT_EQUAL(SRV->st[0].reset_code, 1234);
	CU_ASSERT_TRUE(run(streams_closed));
	finish();
}

static bool
cli_saw_stop(void)
{
	return CLI->st[0].stopped;
}

static bool
srv_has_data(void)
{
	return SRV->st_cnt > 0 && SRV->st[0].rx > 0;
}

static void
test_stop(void)
{
	struct plx_pair_cfg cfg;
	struct plx_cmd c = {.type = PLX_CMD_STREAM_STOP, .code = 4321};

	PLX_COVERS("S1-27", "S1-35", "S1-55");
	plx_pair_cfg_init(&cfg);
	start_up(&cfg, 1 << 20);
	open_streams(1, 0);
	send_bytes(CLI, &CLI->st[0], 2 << 20, false);
	CU_ASSERT_TRUE(run(srv_has_data));
	CU_ASSERT_EQUAL(cmd(SRV, c), 0);
	CU_ASSERT_EQUAL(cmd(SRV, c), PLX_E_STREAM_CLOSED);
	CU_ASSERT_TRUE(run(cli_saw_stop));
	/* ngtcp2 tells of STOP_SENDING when something is to be sent, without its code. */
	CU_ASSERT(CLI->st[0].stop_code == 4321 || CLI->st[0].stop_code == UINT64_MAX);
	app_turn(CLI);
	CU_ASSERT_EQUAL(CLI->sbufs_back, 1);
	CU_ASSERT_EQUAL(send_bytes(CLI, &CLI->st[0], 10, false), PLX_E_STREAM_STOPPED);
	finish();
}

static void
test_stale(void)
{
	struct plx_pair_cfg cfg;
	struct plx_cmd open = {.type = PLX_CMD_STREAM_OPEN};
	struct st gone = {.id = 400};

	PLX_COVERS("S1-27");
	plx_pair_cfg_init(&cfg);
	start_up(&cfg, 1 << 20);
	CU_ASSERT_EQUAL(send_bytes(CLI, &gone, 10, false), PLX_E_NOENT);
	app_turn(CLI);
	CU_ASSERT_EQUAL(CLI->failed_code, (uint64_t)-PLX_E_NOENT);
	CU_ASSERT_EQUAL(CLI->sbufs_back, 1);
	CU_ASSERT_EQUAL(cmd(CLI, (struct plx_cmd){.type = PLX_CMD_H3_GOAWAY}),
	                PLX_E_UNSUPPORTED);
	open_streams(1, 0);
	CU_ASSERT_EQUAL(cmd(CLI, (struct plx_cmd){.type = PLX_CMD_STREAM_SEND}),
	                PLX_E_INVAL);
	CU_ASSERT_EQUAL(cmd(CLI, (struct plx_cmd){.type = PLX_CMD_SET_USER, .user = 5}), 0);
	CLI->st[0].user = 5;
	/* An empty buffer comes back at once, with FIN the stream still ends. */
	CU_ASSERT_EQUAL(send_bytes(CLI, &CLI->st[0], 0, false), 0);
	app_turn(CLI);
	CU_ASSERT_EQUAL(CLI->sbufs_back, 2);
	SRV->answer = 1;
	CU_ASSERT_EQUAL(send_bytes(CLI, &CLI->st[0], 0, true), 0);
	CU_ASSERT_TRUE(run(streams_closed));
	cmd(CLI, (struct plx_cmd){.type = PLX_CMD_CLOSE, .code = 1});
	CU_ASSERT_TRUE(run(both_closed));
	CU_ASSERT_EQUAL(cmd(CLI, open), PLX_E_STALE);
	app_turn(CLI);
	CU_ASSERT_EQUAL(CLI->failed_code, (uint64_t)-PLX_E_STALE);
	finish();
}

static bool
cli_avail(void)
{
	return CLI->avail > 0;
}

static void
test_limit(void)
{
	struct plx_pair_cfg cfg;
	struct plx_cmd open = {.type = PLX_CMD_STREAM_OPEN, .user = 9};

	PLX_COVERS("S1-37", "S1-56");
	plx_pair_cfg_init(&cfg);
	cfg.quic[PLX_PAIR_SERVER].max_streams_bidi = 2;
	start_up(&cfg, 1 << 20);
	SRV->answer = 5;
	open_streams(2, 0);
	CU_ASSERT_EQUAL(cmd(CLI, open), PLX_E_STREAM_LIMIT);
	CU_ASSERT_EQUAL(cmd(CLI, open), PLX_E_STREAM_LIMIT);
	for (int i = 0; i < 2; i++)
		send_all(CLI, &CLI->st[i], 10);
	CU_ASSERT_TRUE(run(cli_avail));
	CU_ASSERT_EQUAL(cmd(CLI, open), 0);
	app_turn(CLI);
	CU_ASSERT_EQUAL(CLI->st_cnt, 3);
	CU_ASSERT_EQUAL(CLI->st[2].user, 9);
	CLI->st[2].tx = 0;
	send_all(CLI, &CLI->st[2], 10);
	CU_ASSERT_TRUE(run(streams_closed));
	/* Once per refusal, not for each MAX_STREAMS. */
	CU_ASSERT_EQUAL(CLI->avail, 1);
	finish();
}

static bool
srv_conn_gone(void)
{
	return plx_quic_conn_cnt(SRV->pe->quic) == 0;
}

static void
test_deaf(void)
{
	struct plx_pair_cfg cfg;

	PLX_COVERS("S1-40", "S1-50");
	plx_pair_cfg_init(&cfg);
	start(&cfg, 64 << 10);
	SRV->room = 0;
	while (!CLI->up)
		step();
	open_streams(5, 0);
	for (int i = 0; i < 5; i++)
		send_bytes(CLI, &CLI->st[i], 40000, true);
	CU_ASSERT_TRUE(run(quiet));
	cmd(CLI, (struct plx_cmd){.type = PLX_CMD_CLOSE, .code = 5});
	CU_ASSERT_TRUE(run(srv_conn_gone));
	/* The connection came and went while nobody listened; now everything is told, in order. */
	CU_ASSERT_EQUAL(SRV->up, 0);
	SRV->room = UINT32_MAX;
	for (int i = 0; i < 20; i++)
		app_turn(SRV); /* a few buffers each time */
	CU_ASSERT_EQUAL(SRV->up, 1);
	CU_ASSERT_EQUAL(SRV->open, 5);
	CU_ASSERT_EQUAL(SRV->closed_streams, 5);
	CU_ASSERT_EQUAL(SRV->closed, 1);
	CU_ASSERT_EQUAL(SRV->close_code, 5);
	for (int i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(SRV->st[i].rx, 40000);
	finish();
}

static bool
over(void)
{
	return plx_pair_idle(w.p) || streams_closed();
}

/* The slab of one side fails once, at its n-th request: the connection may end, nothing leaks. */
static void
shortage(enum plx_pair_side who)
{
	struct plx_pair_cfg cfg;
	uint64_t used = 1, n;

	plx_pair_cfg_init(&cfg);
	for (n = 1; used > 0 && n < 200; n++) {
		struct plx_slab_stats before, after;

		start(&cfg, 64 << 10);
		SRV->answer = 1000;
		plx_slab_get_stats(w.end[who].slab, &before);
		plx_slab_fail_at(w.end[who].slab, n);
		while (!CLI->up && !CLI->dial_failed && !plx_pair_idle(w.p))
			step();
		for (int i = 0; i < 4 && CLI->up; i++)
			cmd(CLI, (struct plx_cmd){.type = PLX_CMD_STREAM_OPEN});
		app_turn(CLI);
		for (uint32_t i = 0; i < CLI->st_cnt; i++)
			send_bytes(CLI, &CLI->st[i], 30000, true);
		run(over);
		plx_slab_get_stats(w.end[who].slab, &after);
		used = after.fails - before.fails;
		CU_ASSERT_EQUAL_FATAL(CLI->up + CLI->dial_failed, 1);
		finish();
	}
	CU_ASSERT_EQUAL(used, 0);
	CU_ASSERT(n > 5); /* context, table and streams at least */
}

static void
test_shortage(void)
{
	shortage(PLX_PAIR_SERVER);
	shortage(PLX_PAIR_CLIENT);
}

/* A call as an application sends it. */
struct asked {
	struct plx_call call;
	uint32_t calls, without;
	struct plx_socket_stats stats;
};

static void
take_stats(struct plx_call *call, struct plx_conn *c)
{
	struct asked *a = (struct asked *)call;

	a->calls++;
	if (c != NULL)
		plx_conn_get_stats(c, &a->stats);
	else
		a->without++;
}

static void
test_call(void)
{
	struct asked a = {.call.fn = take_stats};
	struct plx_pair_cfg cfg;

	PLX_COVERS("S2-44", "S2-45", "S2-46");
	plx_pair_cfg_init(&cfg);
	start_up(&cfg, 1 << 20);
	CU_ASSERT_EQUAL(cmd(CLI, (struct plx_cmd){.type = PLX_CMD_CALL, .ptr = &a.call}),
	                0);
	CU_ASSERT_EQUAL(a.calls, 1);
	CU_ASSERT_EQUAL(a.without, 0);
	CU_ASSERT_TRUE(a.stats.val[PLX_SOCKET_packets_sent] > 0);
	CU_ASSERT_EQUAL(cmd(CLI, (struct plx_cmd){.type = PLX_CMD_CALL}), PLX_E_INVAL);
	/* Nothing needs to be open for the close, and a call behind it finds nobody. */
	CU_ASSERT_EQUAL(cmd(CLI, (struct plx_cmd){.type = PLX_CMD_CLOSE, .code = 77}), 0);
	CU_ASSERT_TRUE(run(both_closed));
	CU_ASSERT_EQUAL(SRV->close_code, 77);
	CU_ASSERT_EQUAL(cmd(CLI, (struct plx_cmd){.type = PLX_CMD_CALL, .ptr = &a.call}),
	                PLX_E_STALE);
	CU_ASSERT_EQUAL(a.calls, 2);
	CU_ASSERT_EQUAL(a.without, 1);
	app_turn(CLI);
	CU_ASSERT_EQUAL(CLI->failed, 2);
	finish();
}

static CU_TestInfo tests[] = {
        {"a call reaches the connection once, or says that it is gone", test_call},
        {"bytes cross both ways, events come in the order promised", test_transfer},
        {"the same over a link that loses, repeats and reorders", test_lossy},
        {"the same with one event of room and hardly a buffer", test_narrow},
        {"a reader that stalls stops its peer and loses nothing", test_stalled_reader},
        {"a reset gives buffers back and tells the peer the code", test_reset},
        {"a stop gives buffers back and tells the peer the code", test_stop},
        {"commands for what is gone fail and return their buffer", test_stale},
        {"the stream limit is told, and once when it is raised", test_limit},
        {"a connection that nobody listened to is told from its first event to its last",
         test_deaf},
        {"memory that fails at any request leaks nothing", test_shortage},
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"rawapp", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
