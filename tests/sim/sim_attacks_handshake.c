/* SPDX-License-Identifier: BSD-3-Clause */
#include "siege.h"

/* Handshakes that nobody means to finish, beside honest clients: rows A10, A11, A12, B10. */

static struct plx_rogue *
rogue(struct plx_pair *p, struct plx_rogue_cfg rc)
{
	struct plx_rogue *r = plx_rogue_new(p, &rc);

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	return r;
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
a10_tap(void *arg, struct plx_pair *p, enum plx_pair_side from, uint8_t *pkt, uint16_t *len,
        struct plx_path *path)
{
	struct a10 *a = arg;

	(void)p;
	(void)pkt;
	(void)len;
	if (from == PLX_PAIR_CLIENT || path->remote.ip[2] != 7)
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
		spoof(a->r, p, a->hello, a->len, dcid, (uint16_t)plx_rand_u64(&p->rand) | 0x4040,
		      0);
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

#define A11_CNT 200

struct a11 {
	struct a10 a;
	uint64_t ticks;
	uint8_t dcid[A11_CNT][18];
};

static void
a11_begin(struct plx_pair *p, void *arg)
{
	struct a11 *s = arg;

	a10_begin(p, &s->a);
	plx_rand_bytes(&p->rand, s->dcid, sizeof(s->dcid));
}

/* Half a ClientHello, then a byte of it and a PING now and then. */
static void
a11_tick(struct plx_pair *p, void *arg)
{
	struct a11 *s = arg;
	uint64_t round = s->ticks / 500, i = s->ticks % 500;
	const uint8_t *bytes = s->a.r->sp[PLX_ROGUE_INITIAL].out;
	uint8_t f[200] = {6, 0, 0x40, 120};
	size_t n = 4 + 120;

	s->ticks++;
	if (i >= A11_CNT || round > 12)
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

	/* 7 s have passed, PINGs have not made it longer: all gone a second behind the limit. */
	CU_ASSERT_TRUE(p->end[PLX_PAIR_SERVER].quic->half_open == A11_CNT);
	plx_pair_run(p, NULL, 5 * SEC);
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
	/* The first came at 0.2 s, the last at 0.4 s; the timeout is 10 s. */
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

/* A12: a ClientHello of 64 KiB, a byte to a frame, the last byte first. */

#define A12_BYTES 65536

struct a12 {
	struct plx_rogue *r;
	uint64_t next; /* offset of the next byte, downward */
	bool above;
};

static void
a12_begin(struct plx_pair *p, void *arg)
{
	struct a12 *a = arg;

	a->r = rogue(p, (struct plx_rogue_cfg){.no_acks = true, .by_hand = true});
	a->next = A12_BYTES - 1 + (a->above ? 100 : 0);
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
		plx_rogue_send(a->r, PLX_ROGUE_INITIAL, f, n);
}

static void
a12_end(struct plx_pair *p, void *arg)
{
	struct a12 *a = arg;

	printf("rx %lu tx %lu bad %lu frames crypto %lu close %lu ack %lu drops dec %lu first %lu closed %lu acc %lu half %u\n", a->r->rx_pkts, a->r->tx_pkts, a->r->bad, a->r->frames[6], a->r->frames[0x1c], a->r->frames[2], siege_drops(p, PLX_DROP_QUIC_DECRYPT), siege_drops(p, PLX_DROP_QUIC_UNKNOWN_CID), siege_drops(p, PLX_DROP_QUIC_CLOSED), siege_count(p, PLX_COUNT_conns_accepted), p->end[0].quic->half_open);
	CU_ASSERT_EQUAL(a->next, 0);
	CU_ASSERT_TRUE(a->r->close.got);
	if (a->above) {
		CU_ASSERT_EQUAL(a->r->close.code, NGTCP2_CRYPTO_BUFFER_EXCEEDED);
	} else { /* all of it arrived, and TLS did not like it */
		CU_ASSERT_EQUAL(a->r->close.code & ~UINT64_C(0xff), 0x100);
	}
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].quic->half_open, 0);
	plx_rogue_free(a->r);
}

static void
crypto_in_single_bytes_backwards_is_bounded(void)
{
	PLX_COVERS("A12");
	for (int above = 0; above < 2; above++) {
		struct a12 a = {.above = above};
		struct siege s = {.ns = SEC,
		                  .honest = 5,
		                  .arg = &a,
		                  .begin = a12_begin,
		                  .tick = a12_tick,
		                  .end = a12_end};
		uint64_t cpu = siege_cpu_ns();

		siege_run(&s);
		/* Twice the story takes a fraction of a second; a square of 64 K would take many. */
		CU_ASSERT_TRUE(siege_cpu_ns() - cpu < 15 * SEC);
		CU_ASSERT_TRUE(s.stormy_peak <= s.calm_peak + (512u << 10));
	}
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
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"attacks on the handshake", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
