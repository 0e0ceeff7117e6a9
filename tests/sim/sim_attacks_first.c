/* SPDX-License-Identifier: BSD-3-Clause */
#include "siege.h"

/* Attacks with first packets, beside honest clients: reliability rows A1, A3, A4, A7, A9. */

static struct plx_rogue *
rogue(struct plx_pair *p, struct plx_rogue_cfg rc)
{
	return plx_rogue_new(p, &rc);
}

/* An Initial with the whole ClientHello. @return bytes */
static size_t
first_packet(struct plx_rogue *r, struct plx_rogue_pkt pkt, uint8_t *out)
{
	const struct plx_rogue_space *s = &r->sp[PLX_ROGUE_INITIAL];
	uint8_t f[1100] = {6, 0};
	size_t n;

	plx_rogue_make_hello(r);
	n = 2 + plx_rogue_varint(f + 2, s->out_len);
	CU_ASSERT_TRUE_FATAL(n + s->out_len <= sizeof(f));
	memcpy(f + n, s->out, s->out_len);
	r->sp[PLX_ROGUE_INITIAL].out_sent = s->out_len;
	pkt.level = PLX_ROGUE_INITIAL;
	pkt.frames = f;
	pkt.len = n + s->out_len;
	n = plx_rogue_seal(r, &pkt, out, 1500);
	CU_ASSERT_TRUE_FATAL(n > 0);
	return n;
}

/* A long header that names a connection nobody has. @return bytes */
static size_t
foreign_packet(uint8_t *out, uint8_t dcid, uint16_t len)
{
	static const uint8_t head[6] = {0xe0, 0, 0, 0, 1, 8};

	memset(out, dcid, len);
	memcpy(out, head, sizeof(head));
	out[14] = 0;
	out[15] = (uint8_t)(0x40 | (len - 17) >> 8);
	out[16] = (uint8_t)(len - 17);
	return len;
}

/* A1: what a forged source can make the server send to its victim. */

#define A1_CNT 7

struct amp {
	struct plx_rogue *r[A1_CNT];
	uint64_t ticks;
};

static void
a1_setup(struct plx_pair_cfg *cfg)
{
	cfg->chain = 9;
	cfg->quic[PLX_PAIR_SERVER].handshake_timeout_ms = 60000;
}

static void
a1_begin(struct plx_pair *p, void *arg)
{
	struct amp *a = arg;

	for (int i = 0; i < A1_CNT; i++) {
		struct plx_rogue_cfg rc = {.port = (uint16_t)(50000 + i),
		                           .hold_finished = true,
		                           .no_acks = true};
		struct plx_rogue *r = a->r[i] = rogue(p, rc);
		struct plx_rogue_pkt pkt = {.pad_to = i == 3 ? 1199 : 1200};
		uint8_t out[1500] = {0};
		size_t n = first_packet(r, pkt, out);

		if (i == 1) { /* noise behind the packet */
			memset(out + n, 0x33, 200);
			n += 200;
		} else if (i == 2) { /* a packet of another connection behind it */
			n += foreign_packet(out + n, 0x11, 200);
		} else if (i == 4) { /* noise in the shape of a packet that does not open */
			n += foreign_packet(out + n, r->dcid[0], 200);
			memcpy(out + n - 200 + 6, r->dcid, 8);
		}
		for (int k = i == 5 ? 5 : 1; k > 0; k--) /* the same five times */
			plx_rogue_send_raw(r, out, n);
	}
}

static void
a1_tick(struct plx_pair *p, void *arg)
{
	struct amp *a = arg;

	(void)p;
	/* One goes on with PINGs, which are worth three times their size and no more. */
	if (++a->ticks % 1000 == 0 && a->ticks < 8000)
		PLX_ROGUE_SEND(a->r[6], PLX_ROGUE_INITIAL, 1);
	for (int i = 0; i < A1_CNT; i++)
		CU_ASSERT_TRUE(a->r[i]->rx_bytes <= 3 * a->r[i]->tx_bytes);
}

static void
a1_end(struct plx_pair *p, void *arg)
{
	struct amp *a = arg;

	(void)p;
	for (int i = 0; i < A1_CNT; i++) {
		if (i == 3) {
			CU_ASSERT_EQUAL(a->r[i]->rx_bytes, 0);
		} else { /* the limit is what stopped it */
			CU_ASSERT_TRUE(a->r[i]->rx_bytes >= 2 * 1200);
		}
		plx_rogue_free(a->r[i]);
	}
}

static void
no_forged_source_gets_more_than_three_times_what_was_sent(void)
{
	struct amp a = {0};
	struct siege s = {.ns = 61 * SEC,
	                  .honest = 6,
	                  .arg = &a,
	                  .setup = a1_setup,
	                  .begin = a1_begin,
	                  .tick = a1_tick,
	                  .end = a1_end};

	PLX_COVERS("A1");
	siege_run(&s);
}

/* A3: tokens that were never issued, or not to this address, or too long ago. */

struct a3 {
	struct plx_rogue *owner, *thief;
	uint8_t token[256], old_token[256];
	size_t len, old_len;
	uint8_t dcid[20], old_dcid[20];
	uint64_t ticks, sent, per_tick;
};

static void
a3_setup(struct plx_pair_cfg *cfg)
{
	cfg->quic[PLX_PAIR_SERVER].retry = PLX_RETRY_ON;
	cfg->link[PLX_PAIR_SERVER].per_pkt_ns = 300000;
}

static void
a3_keep(struct plx_rogue *r, uint8_t *token, size_t *len, uint8_t *dcid)
{
	*len = r->token_len;
	memcpy(token, r->token, r->token_len);
	memcpy(dcid, r->dcid, r->dcid_len);
}

static bool
has_retry(const struct plx_rogue *r)
{
	return r->retries > 0;
}

static void
a3_begin(struct plx_pair *p, void *arg)
{
	struct plx_rogue_cfg rc = {.keep_retry = true};
	struct a3 *a = arg;

	a->owner = rogue(p, rc);
	rc.port = 50001;
	a->thief = rogue(p, rc);
	plx_rogue_hello(a->owner);
	CU_ASSERT_TRUE(plx_rogue_run(a->owner, has_retry, 50 * MS));
	a3_keep(a->owner, a->old_token, &a->old_len, a->old_dcid);
	a3_keep(a->owner, a->token, &a->len, a->dcid);
	CU_ASSERT_TRUE(a->len > 20 && a->len <= sizeof(a->token));
}

static void
a3_send(struct plx_pair *p, struct a3 *a)
{
	uint8_t token[1000], out[1500];
	struct plx_rogue *r = a->owner;
	struct plx_rogue_pkt pkt = {.token = token,
	                            .token_len = a->len,
	                            .dcid = a->dcid,
	                            .dcid_len = PLX_CID_LEN,
	                            .pad_to = 1250};

	memcpy(token, a->token, a->len);
	switch (a->sent % 6) {
	case 0: /* noise behind the mark of a Retry token */
	case 1: /* and behind that of a NEW_TOKEN token */
		pkt.token_len = plx_rand_below(&p->rand, sizeof(token) - 400) + 1;
		plx_rand_bytes(&p->rand, token, pkt.token_len);
		token[0] = a->sent % 6 == 0 ? NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2
		                            : NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR;
		break;
	case 2: /* cut */
		pkt.token_len = plx_rand_below(&p->rand, a->len - 1) + 1;
		break;
	case 3: /* one bit, not in the mark */
		token[1 + plx_rand_below(&p->rand, a->len - 1)] ^=
		        (uint8_t)(1u << plx_rand_below(&p->rand, 8));
		break;
	case 4: /* from another port */
		r = a->thief;
		break;
	default: /* expired, or for another ID */
		if (a->ticks > 16000) {
			memcpy(token, a->old_token, a->old_len);
			pkt.dcid = a->old_dcid;
		} else {
			pkt.dcid = a->thief->dcid;
			pkt.dcid_len = 18;
		}
		break;
	}
	a->sent++;
	plx_rogue_send_raw(r, out, first_packet(r, pkt, out));
}

static void
a3_tick(struct plx_pair *p, void *arg)
{
	struct a3 *a = arg;

	a->ticks++;
	for (uint64_t i = 0; i < a->per_tick; i++)
		a3_send(p, a);
}

static void
a3_end(struct plx_pair *p, void *arg)
{
	struct a3 *a = arg;

	CU_ASSERT_TRUE(a->sent >= 1u << 16);
	/* None was taken for a proof: honest clients are all that was accepted. */
	CU_ASSERT_EQUAL(siege_count(p, PLX_COUNT_conns_accepted),
	                p->end[PLX_PAIR_SERVER].app.established);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].quic->half_open, 0);
	/* Answers are fewer than questions, and shorter. */
	CU_ASSERT_TRUE(a->owner->rx_bytes + a->thief->rx_bytes <
	               (a->owner->tx_bytes + a->thief->tx_bytes) / 3);
	plx_rogue_free(a->owner);
	plx_rogue_free(a->thief);
}

static void
no_token_but_the_servers_own_proves_an_address(void)
{
	struct a3 a = {.per_tick = siege_scale(4)};
	struct siege s = {.ns = 18 * SEC,
	                  .honest = 8,
	                  .arg = &a,
	                  .setup = a3_setup,
	                  .begin = a3_begin,
	                  .tick = a3_tick,
	                  .end = a3_end};

	PLX_COVERS("A3");
	siege_run(&s);
}

/* A4: a server, or somebody near it, that sends a thousand Retries. */

#define A4_RETRIES 1000
#define A4_CLIENTS 8

struct a4 {
	uint8_t odcid[A4_CLIENTS][20], scid[A4_CLIENTS][20];
	uint8_t odcid_len[A4_CLIENTS], scid_len[A4_CLIENTS];
	uint32_t cnt, tokens, forged;
	bool busy;
};

static void
a4_forge(struct a4 *a, struct plx_pair *p, uint32_t who, const struct plx_path *path)
{
	a->busy = true;
	for (int i = 0; i < A4_RETRIES; i++) {
		uint8_t pkt[256], token[40];
		ngtcp2_cid odcid, dcid, scid = {.datalen = 18};
		ngtcp2_ssize n;

		ngtcp2_cid_init(&odcid, a->odcid[who], a->odcid_len[who]);
		ngtcp2_cid_init(&dcid, a->scid[who], a->scid_len[who]);
		plx_rand_bytes(&p->rand, scid.data, scid.datalen);
		plx_rand_bytes(&p->rand, token, sizeof(token));
		n = ngtcp2_crypto_write_retry(pkt, sizeof(pkt), NGTCP2_PROTO_VER_V1, &dcid,
		                              &scid, &odcid, token, sizeof(token));
		CU_ASSERT_TRUE_FATAL(n > 0);
		plx_pair_send(p, PLX_PAIR_SERVER, path, pkt, (uint16_t)n);
		a->forged++;
	}
	a->busy = false;
}

static bool
a4_tap(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct a4 *a = arg;
	const uint8_t *dcid = pkt->data + 6, *scid = pkt->data + 7 + pkt->data[5];

	if (a->busy || (pkt->data[0] & 0x80) == 0)
		return true;
	if (pkt->from == PLX_PAIR_CLIENT && (pkt->data[0] & 0x30) == 0) {
		bool token = scid[scid[-1]] != 0;

		a->tokens += token;
		if (token || a->cnt == A4_CLIENTS)
			return true;
		a->odcid_len[a->cnt] = pkt->data[5];
		a->scid_len[a->cnt] = scid[-1];
		memcpy(a->odcid[a->cnt], dcid, pkt->data[5]);
		memcpy(a->scid[a->cnt++], scid, scid[-1]);
		return true;
	}
	if (pkt->from != PLX_PAIR_SERVER || (pkt->data[0] & 0x30) != 0x30)
		return true;
	for (uint32_t i = 0; i < a->cnt; i++) {
		struct plx_path way = *pkt->path;
		uint8_t first[1500];
		uint16_t n = pkt->len;

		if (a->scid_len[i] != pkt->data[5] ||
		    memcmp(a->scid[i], dcid, pkt->data[5]) != 0)
			continue;
		memcpy(first, pkt->data, n);
		a->busy = true;
		plx_pair_send(p, PLX_PAIR_SERVER, &way, first, n);
		a4_forge(a, p, i, &way);
		return false;
	}
	return true;
}

static void
a4_begin(struct plx_pair *p, void *arg)
{
	p->cfg.tap = a4_tap;
	p->cfg.tap_arg = arg;
}

static void
a4_end(struct plx_pair *p, void *arg)
{
	struct a4 *a = arg;

	p->cfg.tap = NULL;
	CU_ASSERT_TRUE(a->cnt >= A4_CLIENTS / 2);
	CU_ASSERT_EQUAL(a->forged, a->cnt * A4_RETRIES);
	/* One token each, in as many Initials as one flight and its repetition take. */
	CU_ASSERT_TRUE(a->tokens >= a->cnt && a->tokens <= 6 * a->cnt);
}

static void
a4_setup(struct plx_pair_cfg *cfg)
{
	a3_setup(cfg);
	/* The forger's wire is not the server's. */
	cfg->link[PLX_PAIR_SERVER].per_pkt_ns = 0;
	cfg->quic[PLX_PAIR_CLIENT].max_data = cfg->quic[PLX_PAIR_CLIENT].max_stream_data =
	        32u << 10;
}

static void
a_client_acts_on_one_retry_of_a_thousand(void)
{
	struct a4 a = {0};
	struct siege s = {.ns = 3 * SEC,
	                  .honest = A4_CLIENTS,
	                  .arg = &a,
	                  .setup = a4_setup,
	                  .begin = a4_begin,
	                  .end = a4_end};

	PLX_COVERS("A4");
	siege_run(&s);
}

/* A7: datagrams whose later packets name connections that nobody has. */

struct a7 {
	struct plx_rogue *r;
	uint64_t sent, per_tick;
};

static void
a7_send(struct plx_pair *p, struct a7 *a)
{
	uint8_t out[1500];
	size_t n;

	switch (a->sent % 16) {
	case 0: { /* an Initial that looks right and does not open */
		struct plx_rogue_pkt pkt = {
		        .pad_to = 1000, .dcid = out + 1400, .dcid_len = 18};

		plx_rand_bytes(&p->rand, out + 1400, 18);
		n = first_packet(a->r, pkt, out);
		break;
	}
	case 1: /* a packet for another connection first */
		n = foreign_packet(out, (uint8_t)a->sent, 600);
		break;
	case 2: /* one of version 2, of an unknown type or version */
		n = foreign_packet(out, (uint8_t)a->sent, 600);
		out[0] = (uint8_t)plx_rand_u64(&p->rand) | 0xc0;
		break;
	default: /* a packet of a connection that lives */
	{
		struct plx_rogue_pkt pkt = {.level = PLX_ROGUE_HANDSHAKE,
		                            .frames = (const uint8_t *)"\1",
		                            .len = 1};

		n = plx_rogue_seal(a->r, &pkt, out, sizeof(out));
		break;
	}
	}
	while (n + 60 <= 1400)
		n += foreign_packet(out + n, (uint8_t)plx_rand_u64(&p->rand), 60);
	a->sent++;
	plx_rogue_send_raw(a->r, out, n);
}

static void
a7_begin(struct plx_pair *p, void *arg)
{
	struct plx_rogue_cfg rc = {.hold_finished = true};
	struct a7 *a = arg;

	a->r = rogue(p, rc);
	plx_rogue_hello(a->r);
	CU_ASSERT_TRUE(plx_rogue_run(a->r, plx_rogue_has_handshake_keys, 50 * MS));
}

static void
a7_tick(struct plx_pair *p, void *arg)
{
	struct a7 *a = arg;

	for (uint64_t i = 0; i < a->per_tick; i++)
		a7_send(p, a);
}

static void
a7_end(struct plx_pair *p, void *arg)
{
	struct a7 *a = arg;

	CU_ASSERT_EQUAL(siege_count(p, PLX_COUNT_conns_accepted),
	                1 + p->end[PLX_PAIR_SERVER].app.established);
	plx_rogue_free(a->r);
}

static void
later_packets_of_unknown_connections_cost_nobody(void)
{
	struct a7 a = {.per_tick = siege_scale(10)};
	struct siege s = {.ns = 2 * SEC,
	                  .honest = 8,
	                  .arg = &a,
	                  .begin = a7_begin,
	                  .tick = a7_tick,
	                  .end = a7_end};

	PLX_COVERS("A7");
	siege_run(&s);
	/* They add nothing to what connections hold. */
	CU_ASSERT_TRUE(s.stormy_peak <= s.calm_peak + (64u << 10));
}

/* The same, alone and many: slab and heap are what they were. */
static void
later_packets_of_unknown_connections_leave_no_byte_behind(void)
{
	uint64_t cnt = siege_scale(100000), heap[2] = {0}, slab[2] = {0};
	struct a7 a = {0};
	struct plx_pair_cfg cfg;
	struct plx_pair *p = NULL;

	PLX_COVERS("A7");
	plx_pair_cfg_init(&cfg);
	cfg.quic[PLX_PAIR_SERVER].handshake_timeout_ms = 3600000;
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, &cfg), 0);
	a7_begin(p, &a);
	for (int round = 0; round < 2; round++) {
		/* The first round makes what OpenSSL and the link make once. */
		uint64_t end = a.sent + (round == 0 ? cnt / 10 : cnt);

		while (a.sent < end) {
			for (int i = 0; i < 100; i++)
				a7_send(p, &a);
			plx_pair_run(p, NULL, MS);
		}
		plx_pair_run(p, NULL, 100 * MS);
		heap[round] = siege_heap_used();
		slab[round] = plx_pair_slab_used(p, PLX_PAIR_SERVER);
	}
	CU_ASSERT_EQUAL(heap[0], heap[1]);
	CU_ASSERT_EQUAL(slab[0], slab[1]);
	CU_ASSERT_EQUAL(siege_count(p, PLX_COUNT_conns_accepted), 1);
	plx_rogue_free(a.r);
	plx_pair_free(p);
}

/* A9: two of our servers, each told that the other one asked. */

struct a9 {
	struct plx_pair *other;
	uint64_t ticks, bounced, last, worst;
	struct a9_side {
		struct a9 *a;
		struct plx_pair *to;
	} side[2];
};

static struct plx_path
a9_path(const struct plx_pair *to)
{
	struct plx_path path = {.local = to->end[PLX_PAIR_SERVER].addr,
	                        .remote = to->end[PLX_PAIR_SERVER].addr};

	path.local.ip[3] = 77;
	return path;
}

static bool
a9_tap(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct a9_side *s = arg;
	struct plx_path way = a9_path(s->to);

	(void)p;
	if (pkt->from == PLX_PAIR_CLIENT || pkt->path->remote.ip[3] != 77)
		return true;
	s->a->bounced++;
	plx_pair_send(s->to, PLX_PAIR_CLIENT, &way, pkt->data, pkt->len);
	return false;
}

static void
a9_begin(struct plx_pair *p, void *arg)
{
	struct a9 *a = arg;
	struct plx_pair_cfg cfg;

	plx_pair_cfg_init(&cfg);
	cfg.seed = 78;
	cfg.tap = a9_tap;
	cfg.tap_arg = &a->side[0];
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&a->other, &cfg), 0);
	a->other->now = p->now;
	a->side[0] = (struct a9_side){a, p};
	a->side[1] = (struct a9_side){a, a->other};
	p->cfg.tap = a9_tap;
	p->cfg.tap_arg = &a->side[1];
}

static void
a9_tick(struct plx_pair *p, void *arg)
{
	static const uint8_t unknown[6] = {0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8};
	struct plx_path way = a9_path(p);
	struct a9 *a = arg;
	uint8_t pkt[1200];
	uint16_t len = 1200;

	plx_pair_run(a->other, NULL, p->now - a->other->now);
	if (a->ticks++ % 1100 != 0)
		return;
	if (a->bounced - a->last > a->worst)
		a->worst = a->bounced - a->last;
	a->last = a->bounced;
	plx_rand_bytes(&p->rand, pkt, sizeof(pkt));
	if (a->ticks % 2200 == 1) { /* a version that nobody speaks */
		memcpy(pkt, unknown, sizeof(unknown));
		pkt[14] = 8;
	} else {
		pkt[0] = 0x40 | (pkt[0] & 0x3f); /* a connection that nobody knows */
		len = (a->ticks / 1100) % 4 == 1 ? 1200 : 43;
	}
	plx_pair_send(p, PLX_PAIR_CLIENT, &way, pkt, len);
}

static void
a9_end(struct plx_pair *p, void *arg)
{
	struct a9 *a = arg;

	p->cfg.tap = NULL;
	CU_ASSERT_TRUE(a->bounced > 0);
	CU_ASSERT_TRUE(siege_count(p, PLX_COUNT_vn_sent) > 0);
	CU_ASSERT_TRUE(siege_count(p, PLX_COUNT_resets_sent) > 0);
	CU_ASSERT_TRUE(a->worst <= 3);
	plx_pair_free(a->other);
}

static void
two_servers_do_not_keep_answering_each_other(void)
{
	struct a9 a = {0};
	struct siege s = {.ns = 12 * SEC,
	                  .honest = 5,
	                  .arg = &a,
	                  .begin = a9_begin,
	                  .tick = a9_tick,
	                  .end = a9_end};

	PLX_COVERS("A9", "B7");
	siege_run(&s);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"no forged source gets more than three times what was sent",
	         no_forged_source_gets_more_than_three_times_what_was_sent},
	        {"no token but the server's own proves an address",
	         no_token_but_the_servers_own_proves_an_address},
	        {"a client acts on one Retry of a thousand",
	         a_client_acts_on_one_retry_of_a_thousand},
	        {"later packets of unknown connections cost nobody",
	         later_packets_of_unknown_connections_cost_nobody},
	        {"later packets of unknown connections leave no byte behind",
	         later_packets_of_unknown_connections_leave_no_byte_behind},
	        {"two servers do not keep answering each other",
	         two_servers_do_not_keep_answering_each_other},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"attacks with first packets", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
