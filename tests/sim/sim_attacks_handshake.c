/* SPDX-License-Identifier: BSD-3-Clause */
#include "siege.h"

/* Handshakes that nobody means to finish, beside honest clients: rows A10, A11, A12, B10. */

static struct plx_rogue *
rogue(struct plx_pair *p, struct plx_rogue_cfg rc)
{
	return plx_rogue_new(p, &rc);
}

/* A10, A11: handshakes that nobody means to finish. */

#define A10_MAX  150
#define A10_AUTO 100

/* A client that sends the same ClientHello from another address, under another ID. */
static void
spoof(struct plx_rogue *r, struct plx_pair *p, const uint8_t *frames, size_t len,
      const uint8_t *dcid, uint16_t port, int64_t pn)
{
	struct plx_rogue_pkt pkt = {.level = PLX_ROGUE_INITIAL,
	                            .frames = frames,
	                            .len = len,
	                            .pn_given = true,
	                            .pn = pn,
	                            .dcid = dcid,
	                            .dcid_len = 18,
	                            .pad_to = 1200};
	struct plx_path path = r->path;
	uint8_t out[1500];
	size_t n;

	plx_rogue_initial_keys(r, dcid, 18);
	n = plx_rogue_seal(r, &pkt, out, sizeof(out));
	path.local.ip[2] = 7;
	path.local.port_be = port;
	plx_pair_send(p, PLX_PAIR_CLIENT, &path, out, (uint16_t)n);
}

struct a10 {
	struct plx_rogue *r;
	uint8_t hello[1000];
	size_t len;
	uint64_t sent, lost;
};

/* Nobody is there where the server answers to. */
static bool
a10_tap(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct a10 *a = arg;

	(void)p;
	if (pkt->from == PLX_PAIR_CLIENT || pkt->path->remote.ip[2] != 7)
		return true;
	a->lost++;
	return false;
}

static void
a10_begin(struct plx_pair *p, void *arg)
{
	struct a10 *a = arg;
	struct plx_rogue_space *sp;

	a->r = rogue(p, (struct plx_rogue_cfg){0});
	plx_rogue_make_hello(a->r);
	sp = &a->r->sp[PLX_ROGUE_INITIAL];
	a->hello[0] = 6;
	a->hello[1] = 0;
	a->len = 2 + plx_rogue_varint(a->hello + 2, sp->out_len);
	memcpy(a->hello + a->len, sp->out, sp->out_len);
	a->len += sp->out_len;
	p->cfg.tap = a10_tap;
	p->cfg.tap_arg = a;
}

static void
a10_tick(struct plx_pair *p, void *arg)
{
	struct a10 *a = arg;
	uint8_t dcid[18];

	for (int i = 0; i < 2; i++) {
		plx_rand_bytes(&p->rand, dcid, sizeof(dcid));
		spoof(a->r, p, a->hello, a->len, dcid,
		      (uint16_t)plx_rand_u64(&p->rand) | 0x4040, 0);
		a->sent++;
	}
}

static void
a10_over(struct plx_pair *p, void *arg)
{
	struct a10 *a = arg;
	uint32_t timeout = p->cfg.quic[PLX_PAIR_SERVER].handshake_timeout_ms;

	CU_ASSERT_TRUE(p->end[PLX_PAIR_SERVER].quic->half_open > 0);
	plx_pair_run(p, NULL, (timeout + 1000) * MS);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].quic->half_open, 0);
	p->cfg.tap = plx_rogue_tap;
	p->cfg.tap_arg = a->r;
	plx_rogue_free(a->r);
}

static void
a10_end(struct plx_pair *p, void *arg)
{
	CU_ASSERT_TRUE(siege_count(p, PLX_COUNT_retries_sent) > 0);
	a10_over(p, arg);
}

static void
a10_setup(struct plx_pair_cfg *cfg)
{
	cfg->quic[PLX_PAIR_SERVER].conns_max = 256;
	cfg->quic[PLX_PAIR_SERVER].retry = PLX_RETRY_AUTO;
	cfg->quic[PLX_PAIR_SERVER].retry_half_open = A10_AUTO;
	cfg->quic[PLX_PAIR_SERVER].handshakes_max = A10_MAX;
	/* The quarantine after it carries the honest load too. */
	cfg->quic[PLX_PAIR_SERVER].handshake_timeout_ms = 3000;
}

static void
a_flood_of_first_packets_is_answered_with_retry_above_the_mark(void)
{
	struct a10 a = {0};
	struct siege s = {.ns = 2 * SEC,
	                  .honest = 10,
	                  .arg = &a,
	                  .setup = a10_setup,
	                  .begin = a10_begin,
	                  .tick = a10_tick,
	                  .end = a10_end};

	PLX_COVERS("A10", "A2");
	siege_run(&s);
	CU_ASSERT_TRUE(s.half_open_peak >= A10_AUTO && s.half_open_peak <= A10_AUTO + 10);
}

static void
a10_hard_setup(struct plx_pair_cfg *cfg)
{
	a10_setup(cfg);
	cfg->quic[PLX_PAIR_SERVER].retry = PLX_RETRY_OFF;
	cfg->quic[PLX_PAIR_SERVER].handshakes_max = A10_MAX;
}

/* From the millisecond in which the last honest client is in. */
static void
a10_late_tick(struct plx_pair *p, void *arg)
{
	if (p->end[PLX_PAIR_CLIENT].app.established == 10)
		a10_tick(p, arg);
}

static void
half_open_handshakes_never_exceed_their_limit(void)
{
	struct a10 a = {0};
	struct siege s = {.ns = 2 * SEC,
	                  .honest = 10,
	                  .arg = &a,
	                  .setup = a10_hard_setup,
	                  .begin = a10_begin,
	                  .tick = a10_late_tick,
	                  .end = a10_over};

	PLX_COVERS("A10");
	siege_run(&s);
	CU_ASSERT_EQUAL(s.half_open_peak, A10_MAX);
}

#define A11_CNT    200
#define A11_START  300 /* ticks: all honest clients are in */
/** What a half-open connection may hold, bytes: TLS takes most of it. */
#define A11_MEMORY (96 << 10)

struct a11 {
	struct a10 a;
	uint64_t ticks;
	uint64_t heap, slab;
	uint8_t dcid[A11_CNT][18];
};

static void
a11_begin(struct plx_pair *p, void *arg)
{
	struct a11 *s = arg;

	a10_begin(p, &s->a);
	plx_rand_bytes(&p->rand, s->dcid, sizeof(s->dcid));
}

/* Each holds its memory now, and no more than it may. */
static void
a11_weigh(struct plx_pair *p, struct a11 *s)
{
	uint64_t heap = siege_heap_used(), slab = plx_pair_slab_used(p, PLX_PAIR_SERVER);
	int64_t each;

	if (s->slab == 0) {
		s->heap = heap;
		s->slab = slab;
		return;
	}
	CU_ASSERT_TRUE(p->end[PLX_PAIR_SERVER].quic->half_open >= A11_CNT);
	each = ((int64_t)(heap + slab) - (int64_t)(s->heap + s->slab)) / A11_CNT;
	printf("\n    a half-open connection holds %ld KiB", (long)(each >> 10));
	CU_ASSERT_TRUE(each <= A11_MEMORY);
}

/* Half a ClientHello, then a byte of it and a PING now and then. */
static void
a11_tick(struct plx_pair *p, void *arg)
{
	struct a11 *s = arg;
	uint64_t at = s->ticks++, round, i;
	const uint8_t *bytes = s->a.r->sp[PLX_ROGUE_INITIAL].out;
	uint8_t f[200] = {6, 0, 0x40, 120};
	size_t n = 4 + 120;

	if (at == A11_START || at == A11_START + A11_CNT + 20)
		a11_weigh(p, s);
	if (at < A11_START)
		return;
	round = (at - A11_START) / 500;
	i = (at - A11_START) % 500;
	if (i >= A11_CNT)
		return;
	if (round == 0) {
		memcpy(f + 4, bytes, 120);
	} else {
		n = 1 + plx_rogue_varint(f + 1, 119 + round);
		f[n++] = 1;
		f[n++] = bytes[119 + round];
		f[n++] = 1;
	}
	spoof(s->a.r, p, f, n, s->dcid[i], (uint16_t)(0x4040 + i), (int64_t)round);
}

static void
a11_end(struct plx_pair *p, void *arg)
{
	struct a11 *s = arg;

	/* PINGs have not made it longer: all gone a second behind the limit. */
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].quic->half_open, A11_CNT);
	plx_pair_run(p, NULL, 5200 * MS);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].quic->half_open, 0);
	p->cfg.tap = plx_rogue_tap;
	p->cfg.tap_arg = s->a.r;
	plx_rogue_free(s->a.r);
}

static void
a11_setup(struct plx_pair_cfg *cfg)
{
	cfg->quic[PLX_PAIR_SERVER].conns_max = 300;
}

static void
slow_handshakes_are_gone_a_second_behind_their_timeout(void)
{
	struct a11 a = {0};
	/* The first comes at 0.5 s, the last at 0.7 s; the timeout is 10 s. */
	struct siege s = {.ns = 6500 * MS,
	                  .honest = 8,
	                  .arg = &a,
	                  .setup = a11_setup,
	                  .begin = a11_begin,
	                  .tick = a11_tick,
	                  .end = a11_end};

	PLX_COVERS("A11");
	siege_run(&s);
	CU_ASSERT_TRUE(s.half_open_peak >= A11_CNT);
}

/*
 * A12: CRYPTO bytes one to a frame, the last one first. ngtcp2 discards an Initial packet whose
 * frames break a rule, since anybody can make one: behind the bound bytes of the Initial level are
 * dropped, those of the Handshake level close the connection.
 */

#define A12_BYTES 65536

enum a12_what { A12_WITHIN = 0, A12_INITIAL_ABOVE, A12_HANDSHAKE_ABOVE, A12_CNT };

struct a12 {
	struct plx_rogue *r;
	enum plx_rogue_level level;
	uint64_t next; /* offset of the next byte, downward */
	enum a12_what what;
};

static void
a12_begin(struct plx_pair *p, void *arg)
{
	struct plx_rogue_cfg rc = {.no_acks = true, .by_hand = true};
	struct a12 *a = arg;

	a->next = A12_BYTES - 1 + (a->what != A12_WITHIN ? 100 : 0);
	if (a->what == A12_HANDSHAKE_ABOVE) {
		rc = (struct plx_rogue_cfg){.hold_finished = true};
		a->r = rogue(p, rc);
		a->level = PLX_ROGUE_HANDSHAKE;
		plx_rogue_hello(a->r);
		CU_ASSERT_TRUE(plx_rogue_run(a->r, plx_rogue_has_handshake_keys, 50 * MS));
		return;
	}
	a->r = rogue(p, rc);
	a->level = PLX_ROGUE_INITIAL;
	plx_rogue_crypto(a->r, PLX_ROGUE_INITIAL, 0, (const uint8_t *)"\1", 1);
}

static void
a12_tick(struct plx_pair *p, void *arg)
{
	struct a12 *a = arg;
	uint8_t f[1100];
	size_t n = 0;

	(void)p;
	while (a->next > 0 && n + 8 <= sizeof(f)) {
		f[n++] = 6;
		n += plx_rogue_varint(f + n, a->next);
		f[n++] = 1;
		/* Type 1, length 0xfffc; what is inside is zeros. */
		f[n++] = a->next == 2 ? 0xff : a->next == 3 ? 0xfc : 0;
		a->next--;
	}
	if (n > 0)
		plx_rogue_send(a->r, a->level, f, n);
}

static void
a12_end(struct plx_pair *p, void *arg)
{
	struct a12 *a = arg;

	(void)p;
	CU_ASSERT_EQUAL(a->next, 0);
	switch (a->what) {
	case A12_WITHIN: /* all of it arrived, and TLS did not like it */
		CU_ASSERT_TRUE(a->r->close.got);
		CU_ASSERT_EQUAL(a->r->close.code & ~UINT64_C(0xff), 0x100);
		break;
	case A12_HANDSHAKE_ABOVE:
		CU_ASSERT_TRUE(a->r->close.got);
		CU_ASSERT_EQUAL(a->r->close.code, NGTCP2_CRYPTO_BUFFER_EXCEEDED);
		break;
	default:
		CU_ASSERT_FALSE(a->r->close.got);
		break;
	}
	plx_rogue_free(a->r);
}

static void
crypto_in_single_bytes_backwards_is_bounded(void)
{
	PLX_COVERS("A12");
	for (enum a12_what what = A12_WITHIN; what < A12_CNT; what++) {
		struct a12 a = {.what = what};
		struct siege s = {.ns = SEC,
		                  .honest = 5,
		                  .arg = &a,
		                  .begin = a12_begin,
		                  .tick = a12_tick,
		                  .end = a12_end};
		uint64_t cpu = siege_cpu_ns();

		siege_run(&s);
		/* Both stories take a fraction of a second; a square of 64 K would take many. */
		CU_ASSERT_TRUE(siege_cpu_ns() - cpu < 15 * SEC);
		CU_ASSERT_TRUE(s.stormy_peak <= s.calm_peak + (512u << 10));
	}
}

/* B10: Initial keys are public, so anybody who saw the first packet can write Initials. */

struct b10 {
	struct plx_rogue *victim, *later;
};

static void
b10_begin(struct plx_pair *p, void *arg)
{
	struct b10 *b = arg;

	b->victim = rogue(p, (struct plx_rogue_cfg){.hold_finished = true});
	b->later = rogue(p, (struct plx_rogue_cfg){.port = 50001});
	plx_rogue_hello(b->victim);
	/* Behind the first flight, in the victim's name: the server closes. */
	PLX_ROGUE_SEND(b->victim, PLX_ROGUE_INITIAL, 0x1c, 0, 0, 0);
	CU_ASSERT_TRUE(plx_rogue_connect(b->later));
}

static void
b10_tick(struct plx_pair *p, void *arg)
{
	struct b10 *b = arg;

	(void)p;
	/* Its Handshake keys are in use: Initials are for nobody any more. */
	PLX_ROGUE_SEND(b->later, PLX_ROGUE_INITIAL, 0x1c, 0, 0, 0);
	PLX_ROGUE_SEND(b->later, PLX_ROGUE_INITIAL, 0x02, 1000, 0, 0, 0);
}

static void
b10_end(struct plx_pair *p, void *arg)
{
	struct b10 *b = arg;

	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].quic->half_open,
	                0);                                     /* one attempt was lost */
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.closed, 0); /* and no connection */
	CU_ASSERT_FALSE(b->later->close.got);
	PLX_ROGUE_SEND(b->later, PLX_ROGUE_1RTT, 0x1d, 0, 0);
	plx_pair_run(p, NULL, 100 * MS);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.closed, 1); /* its own word counts */
	plx_rogue_free(b->victim);
	plx_rogue_free(b->later);
}

static void
forged_initials_cost_one_attempt_and_no_connection(void)
{
	struct b10 b = {0};
	struct siege s = {.ns = SEC,
	                  .honest = 6,
	                  .arg = &b,
	                  .begin = b10_begin,
	                  .tick = b10_tick,
	                  .end = b10_end};

	PLX_COVERS("B10");
	siege_run(&s);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"a flood of first packets is answered with Retry above the mark",
	         a_flood_of_first_packets_is_answered_with_retry_above_the_mark},
	        {"half-open handshakes never exceed their limit",
	         half_open_handshakes_never_exceed_their_limit},
	        {"slow handshakes are gone a second behind their timeout",
	         slow_handshakes_are_gone_a_second_behind_their_timeout},
	        {"CRYPTO in single bytes backwards is bounded",
	         crypto_in_single_bytes_backwards_is_bounded},
	        {"forged Initials cost one attempt and no connection",
	         forged_initials_cost_one_attempt_and_no_connection},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"attacks on the handshake", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
