/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a connection costs a server: its slot, the slab, and the heap of OpenSSL.
 *
 *     mem case=half_open bytes=…   the ClientHello was answered, nothing came back
 *     mem case=idle bytes=…        established, confirmed, nothing under way
 *     mem case=idle_turn ns=…      a look at timers and writers with all of them idle
 *
 * Clients and server are in one process, so the heap of the server's half is a difference: as
 * many clients are dialed once with packets that arrive nowhere and once with a server behind
 * them. Slab and slots are the server's own.
 */
#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include "plx_pair.h"
#include "plx_quic_pvt.h"

#define CONNS     1000
#define TURNS     2000
#define ROUNDS    5
/* In front of each block of the slab; struct plx_slab_stats.used is without it. */
#define SLAB_HEAD 16
/* What a slot has in tables: itself, its deadline, four reset tokens, its generation. */
#define SLOT                                                      \
	(sizeof(struct plx_conn) + sizeof(struct plx_heap_item) + \
	 4 * sizeof(struct plx_srt) + 8)

static bool
lose_all(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	(void)arg, (void)p, (void)pkt;
	return false;
}

static bool
lose_answers(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	(void)arg, (void)p;
	return pkt->from == PLX_PAIR_CLIENT;
}

static int
accept_conn(void *app, struct plx_conn *c, void **ctx)
{
	(void)c;
	*ctx = app;
	return 0;
}

static int
no_data(void *ctx, int64_t id, uint64_t off, const uint8_t *data, size_t len, bool fin)
{
	(void)ctx, (void)id, (void)off, (void)data, (void)len, (void)fin;
	return 0;
}

/* An application without memory of its own. */
static const struct plx_app nothing = {
        .name = "nothing",
        .on_conn_established = accept_conn,
        .on_stream_data = no_data,
};

static struct plx_pair *
open_pair(plx_pair_tap_fn tap)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;

	plx_pair_cfg_init(&cfg);
	cfg.tap = tap;
	for (int s = 0; s < PLX_PAIR_SIDES; s++) {
		cfg.quic[s].conns_max = CONNS + 24;
		cfg.quic[s].handshakes_max = CONNS + 24;
		cfg.quic[s].idle_timeout_ms = 600000;
		cfg.quic[s].handshake_timeout_ms = 60000;
		cfg.quic[s].slab_limit = (size_t)512 << 20;
	}
	if (plx_pair_new(&p, &cfg) != 0)
		abort();
	for (int s = 0; s < PLX_PAIR_SIDES; s++)
		p->end[s].proto.app = &nothing;
	return p;
}

static size_t
heap_used(void)
{
	return mallinfo2().uordblks;
}

/* Heap that CONNS dials take, after they had time to get as far as they can. */
static size_t
heap_of_dials(struct plx_pair *p, uint64_t run_ns)
{
	size_t before = heap_used();

	for (int i = 0; i < CONNS; i++) {
		if (plx_pair_dial(p, true, NULL) != 0)
			abort();
		/* One flight at a time: no queue of the link is measured. */
		plx_pair_run(p, NULL, 50 * PLX_NS_PER_MS);
	}
	plx_pair_run(p, NULL, run_ns);
	return heap_used() - before;
}

static double
per_conn(const struct plx_pair *p, size_t heap)
{
	struct plx_slab_stats st;

	plx_slab_get_stats(plx_quic_slab(p->end[PLX_PAIR_SERVER].quic), &st);
	heap += st.used + (st.allocs - st.frees) * SLAB_HEAD;
	return (double)heap / CONNS + (double)SLOT;
}

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* A turn of the endpoint that finds nothing to do; the best of some rounds. */
static double
idle_turn(struct plx_pair *p)
{
	struct plx_quic *q = p->end[PLX_PAIR_SERVER].quic;
	struct plx_txpkt out[PLX_BURST_MAX];
	double best = 1e18;

	for (int r = 0; r < ROUNDS; r++) {
		double t = now_ns();

		for (int i = 0; i < TURNS; i++) {
			plx_quic_timers_run(q, p->now);
			if (plx_quic_tx_burst(q, out, PLX_BURST_MAX, p->now) != 0)
				abort();
		}
		t = (now_ns() - t) / TURNS;
		best = t < best ? t : best;
	}
	return best;
}

int
main(void)
{
	struct plx_pair *p = open_pair(lose_all);
	size_t clients = heap_of_dials(p, 0), both;

	plx_pair_free(p);
	p = open_pair(lose_answers);
	both = heap_of_dials(p, 0);
	if (plx_quic_conn_cnt(p->end[PLX_PAIR_SERVER].quic) != CONNS)
		abort();
	printf("mem case=half_open bytes=%.0f\n",
	       per_conn(p, both > clients ? both - clients : 0));
	plx_pair_free(p);

	/* Idle clients and servers have no TLS any more: what is left is counted as the server's. */
	p = open_pair(NULL);
	both = heap_of_dials(p, 5 * PLX_NS_PER_S);
	if (plx_obs_get(p->end[PLX_PAIR_SERVER].obs, PLX_COUNT_handshakes_done) != CONNS)
		abort();
	printf("mem case=idle bytes=%.0f\n", per_conn(p, both));
	printf("mem case=idle_turn ns=%.0f\n", idle_turn(p));
	plx_pair_free(p);
	return EXIT_SUCCESS;
}
