/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port loses its link and gets it back, in virtual time: what the connections on it do.
 */
#include <rte_eal.h>

#include "plx_test.h"
#include "plx_test_eal.h"
#include "worker/worker_pair.h"

/* What the link carries, and how long main takes to see its state. */
#define RATE_BPS UINT64_C(1250000)
#define DELAY_NS (10 * PLX_NS_PER_MS)
#define LOOK_NS  (50 * PLX_NS_PER_MS)
#define MS(n)    ((uint64_t)(n) * PLX_NS_PER_MS)

static const struct worker_pair_cfg wire = {
        .name = "link",
        .pool_cnt = 4095,
        .link = {.rate_Bps = RATE_BPS, .delay_ns = DELAY_NS, .queue_pkts = 64},
};

/* Takes the carrier of the sides in mask away or gives it back; the workers hear of it later. */
static void
carrier(struct worker_pair *r, unsigned mask, bool up, bool told)
{
	for (unsigned s = 0; s < SIDES; s++)
		if (mask >> s & 1)
			plx_sim_set_carrier(r->sim, (uint16_t)s, up);
	worker_pair_until(r, r->now + LOOK_NS);
	for (unsigned s = 0; s < SIDES; s++)
		if (told && (mask >> s & 1))
			plx_worker_set_links(r->w[s], up ? 0 : 1);
}

static uint64_t
count(const struct worker_pair *r, unsigned side, enum plx_count c)
{
	return plx_obs_get(plx_worker_obs(r->w[side]), c);
}

/* Bytes that arrived by now at the side that receives. */
static uint64_t
arrived(const struct worker_pair *r, unsigned sender)
{
	return r->app[sender == SERVER ? CLIENT : SERVER].rx_bytes;
}

static uint64_t
in_window(struct worker_pair *r, unsigned sender, uint64_t len_ns)
{
	uint64_t from = arrived(r, sender);

	worker_pair_until(r, r->now + len_ns);
	return arrived(r, sender) - from;
}

struct flap {
	unsigned sender; /* who sends the bytes */
	unsigned mask;   /* whose ports lose the link, bits of SERVER and CLIENT */
	uint64_t down_ns;
	bool told;
};

/* What an outage cost. */
struct cost {
	uint64_t first_ns; /* from the link's return to the first byte */
	uint64_t before,
	        after;     /* bytes of a second before, and of one that begins in time */
	uint64_t busy;     /* turns during the outage that moved something */
	uint64_t bound_ns; /* two probe timeouts and a second */
	bool alive;
};

/* RFC 9002 section 6.2.1, as for a peer that delays acknowledgements by 25 ms. */
static uint64_t
pto_of(const struct worker_pair *r, unsigned side)
{
	struct plx_conn_info info;

	plx_conn_get_info(r->app[side].conn, &info);
	return 2 * info.rtt_ns + MS(25);
}

static struct cost
flap(const struct flap *f)
{
	struct worker_pair r;
	struct cost c = {0};
	uint64_t up_ns, had;

	worker_pair_make(&r, &wire);
	r.app[CLIENT].streams = 1;
	r.app[CLIENT].up = f->sender == CLIENT ? UINT64_C(1) << 30 : 100;
	r.app[CLIENT].down = f->sender == SERVER ? UINT64_C(1) << 30 : 100;
	worker_pair_dial(&r);
	worker_pair_until(&r, 4 * PLX_NS_PER_S);
	c.before = in_window(&r, f->sender, PLX_NS_PER_S);
	c.bound_ns = 2 * pto_of(&r, f->sender) + PLX_NS_PER_S;

	carrier(&r, f->mask, false, f->told);
	worker_pair_until(&r, r.now + MS(20));
	c.busy = r.busy;
	worker_pair_until(&r, r.now + f->down_ns - LOOK_NS - MS(20));
	c.busy = r.busy - c.busy;

	had = arrived(&r, f->sender);
	up_ns = r.now;
	carrier(&r, f->mask, true, f->told);
	while (arrived(&r, f->sender) == had && r.now < up_ns + 60 * PLX_NS_PER_S)
		worker_pair_turn(&r);
	c.first_ns = r.now - up_ns;
	if (r.now < up_ns + c.bound_ns)
		worker_pair_until(&r, up_ns + c.bound_ns);
	c.after = in_window(&r, f->sender, PLX_NS_PER_S);
	c.alive = r.app[SERVER].closed + r.app[CLIENT].closed == 0;
	CU_ASSERT_EQUAL(r.app[CLIENT].mismatches + r.app[SERVER].mismatches, 0);
	worker_pair_end(&r);
	return c;
}

static void
check(const struct flap *f)
{
	struct cost c = flap(f);

	printf("  sender %u, links %u, %llu ms: first byte after %llu ms, %llu -> %llu bytes/s, %llu busy turns\n",
	       f->sender, f->mask, (unsigned long long)(f->down_ns / PLX_NS_PER_MS),
	       (unsigned long long)(c.first_ns / PLX_NS_PER_MS),
	       (unsigned long long)c.before, (unsigned long long)c.after,
	       (unsigned long long)c.busy);
	CU_ASSERT_TRUE(c.alive);
	CU_ASSERT_TRUE(c.first_ns <= c.bound_ns);
	CU_ASSERT_TRUE(c.after * 100 >= c.before * 95);
	/* 20 s of turns that had something to do would be a million. */
	CU_ASSERT_TRUE(c.busy < 100);
}

static void
goodput_is_back_in_time_whoever_sends_and_whoever_lost_the_link(void)
{
	static const uint64_t down_ms[] = {100, 2000, 20000};

	PLX_COVERS("F1");
	for (unsigned sender = 0; sender < SIDES; sender++)
		for (size_t i = 0; i < 3; i++) {
			/* The sender's own cable, behind a switch; then one cable for both. */
			check(&(struct flap){sender, 1u << sender, MS(down_ms[i]), true});
			check(&(struct flap){sender, 3, MS(down_ms[i]), true});
		}
}

static void
without_word_of_the_link_the_pause_is_as_long_as_the_outage(void)
{
	struct cost c = flap(&(struct flap){SERVER, 1, MS(20000), false});

	/* The control: what the tests above would measure if nothing were done. */
	CU_ASSERT_TRUE(c.first_ns > 3 * PLX_NS_PER_S);
}

/* Nothing of ours is in flight; what the peer sent is lost, and it backs off. */
static void
a_peer_that_saw_nothing_of_our_link_is_woken(void)
{
	struct worker_pair r;
	uint64_t had, up_ns;

	PLX_COVERS("F1");
	worker_pair_make(&r, &wire);
	r.app[CLIENT].streams = 1;
	r.app[CLIENT].down = UINT64_C(1) << 30;
	r.app[CLIENT].hold = true;
	worker_pair_dial(&r);
	worker_pair_until(&r, 10 * PLX_NS_PER_S); /* the window is full */
	had = r.app[CLIENT].rx_bytes;
	carrier(&r, 1 << SERVER, false, true);
	plx_conn_consume(r.app[CLIENT].conn, 0, had); /* the credit that never arrives */
	worker_pair_until(&r, r.now + 20 * PLX_NS_PER_S);
	CU_ASSERT_EQUAL(r.app[CLIENT].rx_bytes, had);
	up_ns = r.now;
	carrier(&r, 1 << SERVER, true, true);
	while (r.app[CLIENT].rx_bytes == had && r.now < up_ns + 60 * PLX_NS_PER_S)
		worker_pair_turn(&r);
	CU_ASSERT_TRUE(r.now - up_ns < MS(500));
	worker_pair_end(&r);
}

/* A driver that keeps its link's state to itself, and takes nothing while there is none. */
static struct {
	struct plx_pio_ops ops;
	const struct plx_pio_ops *real;
	bool jammed;
} mute;

static uint16_t
mute_tx(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
{
	return mute.jammed ? 0 : mute.real->tx_burst(p, queue, m, cnt);
}

static void
a_port_that_takes_nothing_is_taken_for_one_without_a_link(void)
{
	struct worker_pair r;
	uint64_t had, up_ns;

	PLX_COVERS("F1", "F3");
	worker_pair_make(&r, &wire);
	mute.real = r.pio[SERVER]->ops;
	mute.ops = *mute.real;
	mute.ops.tx_burst = mute_tx;
	mute.jammed = false;
	r.pio[SERVER]->ops = &mute.ops;
	r.app[CLIENT].streams = 1;
	r.app[CLIENT].down = UINT64_C(1) << 30;
	worker_pair_dial(&r);
	worker_pair_until(&r, 4 * PLX_NS_PER_S);
	mute.jammed = true;
	worker_pair_until(&r, r.now + 20 * PLX_NS_PER_S);
	CU_ASSERT_EQUAL(count(&r, SERVER, PLX_COUNT_tx_stalls), 1);
	CU_ASSERT_EQUAL(count(&r, SERVER, PLX_COUNT_conns_held), 1);
	CU_ASSERT_EQUAL(count(&r, SERVER, PLX_COUNT_link_downs), 0);
	had = r.app[CLIENT].rx_bytes;
	up_ns = r.now;
	mute.jammed = false;
	while (r.app[CLIENT].rx_bytes == had && r.now < up_ns + 60 * PLX_NS_PER_S)
		worker_pair_turn(&r);
	CU_ASSERT_TRUE(r.now - up_ns < MS(500));
	r.pio[SERVER]->ops = mute.real;
	worker_pair_end(&r);
}

static void
a_port_that_receives_has_a_link_whatever_its_driver_says(void)
{
	struct worker_pair r;

	worker_pair_make(&r, &wire);
	r.app[CLIENT].streams = 4;
	r.app[CLIENT].down = 500000;
	plx_worker_set_links(r.w[SERVER], 1);
	worker_pair_transfer(&r);
	CU_ASSERT_EQUAL(count(&r, SERVER, PLX_COUNT_link_downs), 1);
	CU_ASSERT_TRUE(r.now < 10 * PLX_NS_PER_S);
	worker_pair_end(&r);
}

static void
neighbours_are_asked_again(void)
{
	struct worker_pair r;
	uint64_t asked;

	PLX_COVERS("F1");
	worker_pair_make(&r, &wire);
	r.app[CLIENT].streams = 1;
	r.app[CLIENT].down = UINT64_C(1) << 30;
	worker_pair_dial(&r);
	worker_pair_until(&r, 3 * PLX_NS_PER_S);
	asked = count(&r, CLIENT, PLX_COUNT_arp_rx);
	worker_pair_until(&r, 5 * PLX_NS_PER_S);
	CU_ASSERT_EQUAL(count(&r, CLIENT, PLX_COUNT_arp_rx), asked);
	carrier(&r, 1 << SERVER, false, true);
	carrier(&r, 1 << SERVER, true, true);
	worker_pair_until(&r, r.now + MS(500));
	/* Our announcement, and a question for the address that is in use. */
	CU_ASSERT_EQUAL(count(&r, CLIENT, PLX_COUNT_arp_rx), asked + 2);
	CU_ASSERT_EQUAL(count(&r, SERVER, PLX_COUNT_link_ups), 1);
	worker_pair_end(&r);
}

static void
connections_end_in_time_though_their_link_is_gone(void)
{
	struct worker_pair_cfg cfg = wire;
	struct worker_pair r;

	cfg.idle_ms = 5000;
	worker_pair_make(&r, &cfg);
	r.app[CLIENT].streams = 1;
	r.app[CLIENT].down = UINT64_C(1) << 30;
	worker_pair_dial(&r);
	worker_pair_until(&r, 3 * PLX_NS_PER_S);
	carrier(&r, 3, false, true);
	worker_pair_dial(&r); /* its ClientHello never leaves */
	/* Both are idle from then on; what was in flight may have made it later by as much. */
	worker_pair_until(&r, r.now + 11 * PLX_NS_PER_S);
	CU_ASSERT_EQUAL(r.app[SERVER].closed, 1);
	CU_ASSERT_EQUAL(r.app[SERVER].why.by, PLX_CLOSE_IDLE);
	CU_ASSERT_EQUAL(r.app[CLIENT].closed, 1);
	CU_ASSERT_EQUAL(r.app[CLIENT].failed, 1);
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(plx_worker_quic(r.w[CLIENT])), 0);
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(plx_worker_quic(r.w[SERVER])), 0);
	worker_pair_end(&r);
}

static void
an_application_closes_a_connection_that_waits(void)
{
	struct worker_pair r;

	worker_pair_make(&r, &wire);
	r.app[CLIENT].streams = 1;
	r.app[CLIENT].down = UINT64_C(1) << 30;
	worker_pair_dial(&r);
	worker_pair_until(&r, 3 * PLX_NS_PER_S);
	carrier(&r, 1 << SERVER, false, true);
	worker_pair_until(&r, r.now + PLX_NS_PER_S);
	CU_ASSERT_EQUAL(count(&r, SERVER, PLX_COUNT_conns_held), 1);
	plx_conn_close(r.app[SERVER].conn, 7, NULL);
	worker_pair_until(&r, r.now + PLX_NS_PER_S);
	CU_ASSERT_EQUAL(r.app[SERVER].closed, 1);
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(plx_worker_quic(r.w[SERVER])), 0);
	carrier(&r, 1 << SERVER, true, true);
	worker_pair_end(&r);
}

static void
many_connections_go_on_in_order_not_all_at_once(void)
{
	enum { CONNS = 300, BATCH = 64 };
	struct worker_pair_cfg cfg = {
	        .name = "link",
	        .pool_cnt = 16383,
	        .conns_max = 512,
	        /* So long that all of them have something in flight. */
	        .link = {.rate_Bps = 10 * RATE_BPS,
	                 .delay_ns = MS(200),
	                 .queue_pkts = 8000}};
	uint64_t first = 0, last = 0;
	struct worker_pair r;

	worker_pair_make(&r, &cfg);
	r.app[CLIENT].streams = 1;
	r.app[CLIENT].down = UINT64_C(1) << 30;
	r.app[CLIENT].blind = r.app[SERVER].blind = true;
	for (int i = 0; i < CONNS; i++) {
		worker_pair_dial(&r);
		worker_pair_turn(&r);
	}
	while (r.app[SERVER].established < CONNS && r.now < 20 * PLX_NS_PER_S)
		worker_pair_turn(&r);
	CU_ASSERT_EQUAL(r.app[SERVER].established, CONNS);
	worker_pair_until(&r, r.now + PLX_NS_PER_S);
	carrier(&r, 3, false, true);
	worker_pair_until(&r, r.now + 5 * PLX_NS_PER_S);
	CU_ASSERT_EQUAL(count(&r, SERVER, PLX_COUNT_conns_held), CONNS);

	plx_sim_set_carrier(r.sim, SERVER, true);
	plx_sim_set_carrier(r.sim, CLIENT, true);
	plx_worker_set_links(r.w[SERVER], 0);
	for (uint64_t t = r.now; r.now < t + MS(20); worker_pair_turn(&r)) {
		uint64_t fired = count(&r, SERVER, PLX_COUNT_timers_fired);

		plx_worker_turn(r.w[SERVER], r.now);
		fired = count(&r, SERVER, PLX_COUNT_timers_fired) - fired;
		CU_ASSERT_TRUE(fired <= BATCH + 8);
		if (fired >= BATCH / 2) {
			first = first == 0 ? r.now : first;
			last = r.now;
		}
	}
	CU_ASSERT_TRUE(first != 0);
	CU_ASSERT_TRUE(last - first >= MS(3));
	worker_pair_end(&r);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"goodput is back in time, whoever sends and whoever lost the link",
	         goodput_is_back_in_time_whoever_sends_and_whoever_lost_the_link},
	        {"without word of the link the pause is as long as the outage",
	         without_word_of_the_link_the_pause_is_as_long_as_the_outage},
	        {"a peer that saw nothing of our link is woken",
	         a_peer_that_saw_nothing_of_our_link_is_woken},
	        {"a port that takes nothing is taken for one without a link",
	         a_port_that_takes_nothing_is_taken_for_one_without_a_link},
	        {"a port that receives has a link, whatever its driver says",
	         a_port_that_receives_has_a_link_whatever_its_driver_says},
	        {"neighbours are asked again", neighbours_are_asked_again},
	        {"connections end in time though their link is gone",
	         connections_end_in_time_though_their_link_is_gone},
	        {"an application closes a connection that waits",
	         an_application_closes_a_connection_that_waits},
	        {"many connections go on in order, not all at once",
	         many_connections_go_on_in_order_not_all_at_once},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"a link that goes and comes back", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};
	int rc;

	if (plx_test_eal("link", 128) != 0)
		return EXIT_FAILURE;
	rc = plx_test_main(suites);
	rte_eal_cleanup();
	return rc;
}
