/* SPDX-License-Identifier: BSD-3-Clause */
#include "siege.h"

#include <endian.h>

/* Attacks on addresses, paths and acknowledgements, beside honest clients: rows B*, C12. */

static struct plx_rogue *
connected(struct plx_pair *p, struct plx_rogue_cfg rc)
{
	struct plx_rogue *r = plx_rogue_new(p, &rc);

	CU_ASSERT_TRUE_FATAL(plx_rogue_connect(r));
	return r;
}

/* A rogue, and a number of packets that it sends each millisecond. */
struct one {
	struct plx_rogue *r;
	uint64_t per_tick, sent, ticks;
	uint64_t rx_before;
	uint64_t seq;
};

static void
one_begin(struct plx_pair *p, void *arg)
{
	struct one *o = arg;

	o->r = connected(p, (struct plx_rogue_cfg){0});
	plx_pair_run(p, NULL, 20 * MS);
	o->r->cfg.no_acks = true;
	o->rx_before = o->r->rx_pkts;
}

/* B1: PATH_CHALLENGE after PATH_CHALLENGE, and nothing is acknowledged. */

static void
b1_tick(struct plx_pair *p, void *arg)
{
	struct one *o = arg;
	uint8_t f[9 * 100];

	for (uint64_t i = 0; i < o->per_tick; i++) {
		plx_rand_bytes(&p->rand, f, sizeof(f));
		for (size_t k = 0; k < sizeof(f); k += 9)
			f[k] = 0x1a;
		plx_rogue_send(o->r, PLX_ROGUE_1RTT, f, sizeof(f));
		o->sent += sizeof(f) / 9;
	}
}

static void
b1_end(struct plx_pair *p, void *arg)
{
	struct one *o = arg;

	CU_ASSERT_TRUE(o->sent >= 100000);
	CU_ASSERT_TRUE(o->r->frames[0x1b] > 0);
	/* Only the newest of each packet is worth an answer, and none is kept for later. */
	CU_ASSERT_TRUE(o->r->frames[0x1b] <= o->sent / 100 + 1);
	CU_ASSERT_TRUE(o->r->rx_pkts - o->rx_before <= o->r->tx_pkts);
	PLX_ROGUE_SEND(o->r, PLX_ROGUE_1RTT, 0x1d, 0, 0);
	plx_pair_run(p, NULL, 50 * MS);
	plx_rogue_free(o->r);
}

static void
path_challenges_are_answered_and_never_queued(void)
{
	struct one o = {.per_tick = siege_scale(1)};
	struct siege s = {.ns = 1300 * MS,
	                  .honest = 8,
	                  .arg = &o,
	                  .begin = one_begin,
	                  .tick = b1_tick,
	                  .end = b1_end};

	PLX_COVERS("B1");
	siege_run(&s);
	CU_ASSERT_TRUE(s.stormy_peak <= s.calm_peak + (256u << 10));
}

/* B2: connection IDs given and taken back, without an ACK for what it makes the server send. */

static void
b2_tick(struct plx_pair *p, void *arg)
{
	struct one *o = arg;
	uint8_t f[1200];
	size_t n = 0;

	if (o->r->close.got)
		return;
	while (n + 40 < sizeof(f)) {
		o->seq++;
		f[n++] = 0x18;
		n += plx_rogue_varint(f + n, o->seq);
		n += plx_rogue_varint(f + n, o->seq);
		f[n++] = 8;
		plx_rand_bytes(&p->rand, f + n, 8 + 16);
		n += 8 + 16;
	}
	plx_rogue_send(o->r, PLX_ROGUE_1RTT, f, n);
}

static void
b2_end(struct plx_pair *p, void *arg)
{
	struct one *o = arg;

	CU_ASSERT_TRUE(o->r->close.got);
	CU_ASSERT_EQUAL(o->r->close.code, NGTCP2_CONNECTION_ID_LIMIT_ERROR);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.closed, 1);
	plx_rogue_free(o->r);
}

static void
a_flood_of_connection_ids_ends_with_their_limit(void)
{
	struct one o = {0};
	struct siege s = {.ns = SEC,
	                  .honest = 8,
	                  .arg = &o,
	                  .begin = one_begin,
	                  .tick = b2_tick,
	                  .end = b2_end};

	PLX_COVERS("B2");
	siege_run(&s);
	CU_ASSERT_TRUE(s.stormy_peak <= s.calm_peak + (256u << 10));
}

/* The other way round: it retires every ID that the server issues. */
static void
b2_retire_tick(struct plx_pair *p, void *arg)
{
	struct one *o = arg;

	(void)p;
	o->r->cfg.no_acks = false;
	/* Sequence number 0 is the one in use: it stays. */
	for (int i = 0; i < 8 && o->seq < o->r->frames[0x18]; i++) {
		o->seq++;
		PLX_ROGUE_SEND(o->r, PLX_ROGUE_1RTT, 0x19, o->seq);
	}
}

static void
b2_retire_end(struct plx_pair *p, void *arg)
{
	struct one *o = arg;

	/* One for one, at the pace of round trips, until either side has enough. */
	CU_ASSERT_TRUE(o->seq > 10);
	CU_ASSERT_TRUE(o->r->frames[0x18] <= o->seq + 4);
	if (!o->r->close.got)
		PLX_ROGUE_SEND(o->r, PLX_ROGUE_1RTT, 0x1d, 0, 0);
	plx_pair_run(p, NULL, 50 * MS);
	plx_rogue_free(o->r);
}

static void
a_flood_of_retirements_gets_one_id_for_one(void)
{
	struct one o = {0};
	struct siege s = {.ns = 2 * SEC,
	                  .honest = 8,
	                  .arg = &o,
	                  .begin = one_begin,
	                  .tick = b2_retire_tick,
	                  .end = b2_retire_end};

	PLX_COVERS("B2");
	siege_run(&s);
	CU_ASSERT_TRUE(s.stormy_peak <= s.calm_peak + (256u << 10));
}

/* B5: the same connection, from addresses that nobody may be answered at. */

static const struct {
	uint8_t ip[4];
	uint16_t port;
} bad_sources[] = {
        {{10, 0, 0, 9}, 0},      {{0, 0, 0, 0}, 40001},   {{224, 0, 0, 1}, 40001},
        {{239, 1, 2, 3}, 40001}, {{240, 0, 0, 1}, 40001}, {{255, 255, 255, 255}, 40001},
        {{10, 0, 0, 1}, 443},    {{10, 0, 0, 9}, 53},     {{10, 0, 0, 9}, 123},
        {{10, 0, 0, 9}, 11211},  {{10, 0, 0, 9}, 19},     {{10, 0, 0, 9}, 1900},
        {{10, 0, 0, 9}, 161},
};
#define BAD_CNT (sizeof(bad_sources) / sizeof(bad_sources[0]))

struct b5 {
	struct plx_rogue *early, *r;
	uint64_t ticks, to_bad;
};

/* A rogue's next packet, but from somewhere else. */
static void
send_from(struct plx_rogue *r, enum plx_rogue_level level, const uint8_t ip[4],
          uint16_t port)
{
	struct plx_rogue_pkt pkt = {
	        .level = level, .frames = (const uint8_t *)"\1", .len = 1, .pad_to = 1200};
	struct plx_path path = r->path;
	uint8_t out[1500];
	size_t n = plx_rogue_seal(r, &pkt, out, sizeof(out));

	memcpy(path.local.ip, ip, 4);
	path.local.port_be = htobe16(port);
	plx_pair_send(r->p, PLX_PAIR_CLIENT, &path, out, (uint16_t)n);
}

static bool
b5_tap(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	const struct plx_addr *to = &pkt->path->remote;
	struct b5 *b = arg;

	if (pkt->from == PLX_PAIR_CLIENT ||
	    memcmp(to, &p->end[PLX_PAIR_CLIENT].addr, sizeof(*to)) == 0)
		return true;
	if (memcmp(to, &b->r->path.local, sizeof(*to)) != 0 &&
	    memcmp(to, &b->early->path.local, sizeof(*to)) != 0) {
		b->to_bad++;
		return false;
	}
	return plx_rogue_tap(b->r, p, pkt);
}

static void
b5_begin(struct plx_pair *p, void *arg)
{
	struct plx_rogue_cfg rc = {.hold_finished = true, .port = 50001};
	struct b5 *b = arg;

	b->early = plx_rogue_new(p, &rc);
	plx_rogue_hello(b->early);
	CU_ASSERT_TRUE(plx_rogue_run(b->early, plx_rogue_has_handshake_keys, 50 * MS));
	b->r = connected(p, (struct plx_rogue_cfg){0});
	p->cfg.tap = b5_tap;
	p->cfg.tap_arg = b;
}

static void
b5_tick(struct plx_pair *p, void *arg)
{
	static const uint8_t elsewhere[4] = {10, 0, 0, 99};
	struct b5 *b = arg;
	uint64_t i = b->ticks++ % (BAD_CNT + 1);

	(void)p;
	if (i == BAD_CNT)
		send_from(b->early, PLX_ROGUE_HANDSHAKE, elsewhere, 40001);
	else
		send_from(b->r, PLX_ROGUE_1RTT, bad_sources[i].ip, bad_sources[i].port);
}

static void
b5_end(struct plx_pair *p, void *arg)
{
	static const uint8_t good[4] = {10, 0, 0, 88};
	struct b5 *b = arg;

	CU_ASSERT_EQUAL(b->to_bad, 0);
	CU_ASSERT_TRUE(siege_drops(p, PLX_DROP_QUIC_MIGRATION) >= b->ticks - 20);
	CU_ASSERT_EQUAL(siege_count(p, PLX_COUNT_path_changes), 0);
	/* What was refused is the address: from a good one the same packet is followed. */
	send_from(b->r, PLX_ROGUE_1RTT, good, 40002);
	plx_pair_run(p, NULL, 50 * MS);
	CU_ASSERT_TRUE(b->to_bad > 0);
	p->cfg.tap = plx_rogue_tap;
	p->cfg.tap_arg = b->r;
	PLX_ROGUE_SEND(b->r, PLX_ROGUE_1RTT, 0x1d, 0, 0);
	PLX_ROGUE_SEND(b->early, PLX_ROGUE_HANDSHAKE, 0x1c, 0, 0, 0);
	plx_pair_run(p, NULL, 50 * MS);
	plx_rogue_free(b->r);
	plx_rogue_free(b->early);
}

static void
migration_to_an_address_nobody_may_have_is_ignored(void)
{
	struct b5 b = {0};
	struct siege s = {.ns = 2 * SEC,
	                  .honest = 8,
	                  .arg = &b,
	                  .begin = b5_begin,
	                  .tick = b5_tick,
	                  .end = b5_end};

	PLX_COVERS("B5", "B6");
	siege_run(&s);
}

/* B7: what the server tells who asks for a stateless reset. */

struct b7 {
	struct plx_rogue *r;
	uint64_t ticks, asked, got, too_large, live;
	uint16_t trigger;
};

static bool
b7_tap(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct b7 *b = arg;

	if (pkt->from == PLX_PAIR_CLIENT || pkt->path->remote.ip[3] != 66)
		return plx_rogue_tap(b->r, p, pkt);
	b->got++;
	b->too_large += pkt->len >= be16toh(pkt->path->remote.port_be) - 20000;
	return false;
}

static void
b7_begin(struct plx_pair *p, void *arg)
{
	struct b7 *b = arg;

	b->r = connected(p, (struct plx_rogue_cfg){0});
	p->cfg.tap = b7_tap;
	p->cfg.tap_arg = b;
}

/* The port says how long the question was. */
static void
b7_ask(struct plx_pair *p, const uint8_t *cid, size_t cid_len, uint16_t len)
{
	struct plx_path path = {.local = p->end[PLX_PAIR_CLIENT].addr,
	                        .remote = p->end[PLX_PAIR_SERVER].addr};
	uint8_t pkt[1500];

	path.local.ip[3] = 66;
	path.local.port_be = htobe16((uint16_t)(20000 + len));
	plx_rand_bytes(&p->rand, pkt, len);
	pkt[0] = 0x40 | (pkt[0] & 0x3f);
	if (cid != NULL && len > cid_len)
		memcpy(pkt + 1, cid, cid_len);
	plx_pair_send(p, PLX_PAIR_CLIENT, &path, pkt, len);
}

static void
b7_tick(struct plx_pair *p, void *arg)
{
	struct b7 *b = arg;

	b->ticks++;
	/* For a second: of connections that live, each ID that the rogue knows. */
	if (b->ticks < 1000) {
		const struct plx_rogue *r = b->r;
		uint64_t i = b->ticks % PLX_ROGUE_CIDS;
		bool other = r->cid_len[i] > 0 && b->ticks % 2 == 0;

		b7_ask(p, other ? r->cid[i] : r->dcid, other ? r->cid_len[i] : r->dcid_len,
		       (uint16_t)(30 + b->ticks));
		b->live = b->got;
		return;
	}
	/* Then of none: lengths up to a full packet, more than the rate allows. */
	for (int i = 0; i < 3; i++)
		b7_ask(p, NULL, 0, (uint16_t)(5 + b->asked++ % 1300));
}

static void
b7_end(struct plx_pair *p, void *arg)
{
	struct b7 *b = arg;

	CU_ASSERT_EQUAL(b->live, 0);
	CU_ASSERT_EQUAL(b->too_large, 0);
	CU_ASSERT_EQUAL(b->got, siege_count(p, PLX_COUNT_resets_sent));
	/* 3000 a second were asked for, in two seconds; 1000 a second and a burst are given. */
	CU_ASSERT_TRUE(b->got > 1000 && b->got <= 2 * 1000 + PLX_RESP_CNT + 20);
	CU_ASSERT_FALSE(b->r->close.got);
	p->cfg.tap = plx_rogue_tap;
	p->cfg.tap_arg = b->r;
	PLX_ROGUE_SEND(b->r, PLX_ROGUE_1RTT, 0x1d, 0, 0);
	plx_pair_run(p, NULL, 50 * MS);
	plx_rogue_free(b->r);
}

static void
resets_are_small_rare_and_never_for_the_living(void)
{
	struct b7 b = {0};
	struct siege s = {.ns = 3200 * MS,
	                  .honest = 8,
	                  .arg = &b,
	                  .begin = b7_begin,
	                  .tick = b7_tick,
	                  .end = b7_end};

	PLX_COVERS("B7");
	siege_run(&s);
}

/* B8: acknowledgements of what did not arrive yet, so that the server sends faster. */

struct b8 {
	struct plx_rogue *r;
	bool unsent; /* ahead of the server; else only what it skipped */
	uint64_t asked_ns, closed_ns, bytes;
};

static void
b8_begin(struct plx_pair *p, void *arg)
{
	uint64_t v[2] = {0, UINT64_C(1) << 40}; /* nothing up, without end down */
	struct b8 *b = arg;
	uint8_t f[19] = {0x0b, 0, 16};

	b->r = connected(p, (struct plx_rogue_cfg){0});
	b->r->cfg.no_acks = true;
	memcpy(f + 3, v, 16);
	plx_rogue_send(b->r, PLX_ROGUE_1RTT, f, sizeof(f));
	b->asked_ns = p->now;
}

static void
b8_tick(struct plx_pair *p, void *arg)
{
	struct b8 *b = arg;
	int64_t largest = b->r->sp[PLX_ROGUE_1RTT].largest;
	uint64_t ack = (uint64_t)largest + (b->unsent ? 64 : 0);

	if (b->r->close.got) {
		if (b->closed_ns == 0)
			b->closed_ns = p->now;
		return;
	}
	b->bytes = b->r->stream_bytes;
	if (b->bytes == 0)
		return;
	PLX_ROGUE_SEND(b->r, PLX_ROGUE_1RTT, 0x02, ack, 0, 0, ack, 0x10,
	               b->bytes + (8u << 20));
}

static void
b8_end(struct plx_pair *p, void *arg)
{
	struct b8 *b = arg;

	CU_ASSERT_TRUE(b->r->close.got);
	CU_ASSERT_EQUAL(b->r->close.code, NGTCP2_PROTOCOL_VIOLATION);
	CU_ASSERT_TRUE(b->closed_ns > 0);
	/* Packets never sent: the next round trip ends it. Skipped ones: once one was skipped. */
	CU_ASSERT_TRUE(b->closed_ns - b->asked_ns <= (b->unsent ? 60 * MS : 1500 * MS));
	CU_ASSERT_TRUE(b->bytes < (b->unsent ? 64u << 10 : 16u << 20));
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.closed, 1);
	plx_rogue_free(b->r);
}

static void
acknowledging_what_never_came_ends_the_connection(void)
{
	PLX_COVERS("B8");
	for (int unsent = 0; unsent < 2; unsent++) {
		struct b8 b = {.unsent = unsent};
		struct siege s = {.ns = 2 * SEC,
		                  .honest = 8,
		                  .arg = &b,
		                  .begin = b8_begin,
		                  .tick = b8_tick,
		                  .end = b8_end};

		siege_run(&s);
	}
}

/* C12: datagrams of nothing, or of next to nothing. */

static void
c12_begin(struct plx_pair *p, void *arg)
{
	(void)p;
	(void)arg;
}

static void
c12_tick(struct plx_pair *p, void *arg)
{
	struct plx_path path = {.local = p->end[PLX_PAIR_CLIENT].addr,
	                        .remote = p->end[PLX_PAIR_SERVER].addr};
	struct one *o = arg;
	uint8_t pkt[24];

	path.local.ip[3] = 55;
	for (uint64_t i = 0; i < o->per_tick; i++) {
		plx_rand_bytes(&p->rand, pkt, sizeof(pkt));
		path.local.port_be = (uint16_t)plx_rand_u64(&p->rand);
		plx_pair_send(p, PLX_PAIR_CLIENT, &path, pkt,
		              (uint16_t)(o->sent++ % (PLX_CID_LEN + 3)));
	}
}

static void
c12_end(struct plx_pair *p, void *arg)
{
	struct one *o = arg;
	uint64_t dropped = 0;

	plx_pair_run(p, NULL, 50 * MS);
	for (int d = 1; d < PLX_DROP_CNT; d++)
		dropped += siege_drops(p, (enum plx_drop)d);
	/* Each is counted under one reason, and none is answered. */
	CU_ASSERT_TRUE(dropped >= o->sent);
	CU_ASSERT_EQUAL(siege_count(p, PLX_COUNT_resets_sent), 0);
	CU_ASSERT_EQUAL(siege_count(p, PLX_COUNT_vn_sent), 0);
}

static void
datagrams_of_next_to_nothing_are_counted_and_change_nothing(void)
{
	struct one o = {.per_tick = siege_scale(100)};
	struct siege s = {.ns = 2 * SEC,
	                  .honest = 20,
	                  .arg = &o,
	                  .begin = c12_begin,
	                  .tick = c12_tick,
	                  .end = c12_end};

	PLX_COVERS("C12");
	siege_run(&s);
	CU_ASSERT_TRUE(s.stormy_peak <= s.calm_peak + (64u << 10));
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"PATH_CHALLENGEs are answered and never queued",
	         path_challenges_are_answered_and_never_queued},
	        {"a flood of connection IDs ends with their limit",
	         a_flood_of_connection_ids_ends_with_their_limit},
	        {"a flood of retirements gets one ID for one",
	         a_flood_of_retirements_gets_one_id_for_one},
	        {"migration to an address nobody may have is ignored",
	         migration_to_an_address_nobody_may_have_is_ignored},
	        {"resets are small, rare and never for the living",
	         resets_are_small_rare_and_never_for_the_living},
	        {"acknowledging what never came ends the connection",
	         acknowledging_what_never_came_ends_the_connection},
	        {"datagrams of next to nothing are counted and change nothing",
	         datagrams_of_next_to_nothing_are_counted_and_change_nothing},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"attacks on connections", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
