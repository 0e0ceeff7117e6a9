/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_pair.h"
#include "plx_quic_pvt.h"
#include "plx_test.h"

#define SEC PLX_NS_PER_S
#define MIB (UINT64_C(1) << 20)

/* What went over the link, and what a test wants changed of it. */
struct tap {
	uint16_t last_len[PLX_PAIR_SIDES];
	uint8_t last[PLX_PAIR_SIDES][1500];
	uint64_t cnt[PLX_PAIR_SIDES], bytes[PLX_PAIR_SIDES];
	bool flip_token; /* break the token of the client's second Initial */
	bool mute;       /* nothing reaches the client */
	bool answer_vn;  /* answer the client with Version Negotiation */
};

static bool
tap(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct tap *t = arg;
	uint8_t *b = pkt->data;

	t->cnt[pkt->from]++;
	t->bytes[pkt->from] += pkt->len;
	t->last_len[pkt->from] = pkt->len;
	memcpy(t->last[pkt->from], b, pkt->len);
	if (t->mute && pkt->from == PLX_PAIR_SERVER)
		return false;
	if (t->flip_token && pkt->from == PLX_PAIR_CLIENT && t->cnt[pkt->from] == 2)
		b[6 + b[5] + 1 + b[6 + b[5]] + 2 + 20] ^= 1; /* inside the token */
	if (t->answer_vn && pkt->from == PLX_PAIR_CLIENT) {
		uint32_t sv[] = {0x0a0a0a0a, 0xff00001d};
		const uint8_t *dcid = b + 6, *scid = b + 7 + b[5];
		struct plx_path back = {pkt->path->remote, pkt->path->local};
		uint8_t vn[600];
		ngtcp2_ssize n;

		n = ngtcp2_pkt_write_version_negotiation(vn, sizeof(vn), 0, scid, scid[-1],
		                                         dcid, b[5], sv, 2);
		p->cfg.tap = NULL;
		plx_pair_send(p, PLX_PAIR_SERVER, &back, vn, (uint16_t)n);
		p->cfg.tap = tap;
		return false;
	}
	return true;
}

static struct plx_pair *
pair(struct plx_pair_cfg *cfg, struct tap *t)
{
	struct plx_pair *p = NULL;

	memset(t, 0, sizeof(*t));
	cfg->tap = tap;
	cfg->tap_arg = t;
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, cfg), 0);
	return p;
}

static uint64_t
count(struct plx_pair *p, enum plx_count c)
{
	return plx_obs_get(p->end[PLX_PAIR_SERVER].obs, c);
}

static uint64_t
drops(struct plx_pair *p, enum plx_drop d)
{
	return plx_obs_get_drop(p->end[PLX_PAIR_SERVER].obs, d);
}

static void
inject(struct plx_pair *p, const uint8_t *pkt, uint16_t len)
{
	struct plx_path path = {.local = p->end[PLX_PAIR_CLIENT].addr,
	                        .remote = p->end[PLX_PAIR_SERVER].addr};

	plx_pair_send(p, PLX_PAIR_CLIENT, &path, pkt, len);
	plx_pair_run(p, NULL, SEC / 20);
}

/* First bytes of a long header; the rest of the datagram is filler. */
static void
long_header(uint8_t *pkt, size_t len, uint8_t first, uint32_t version, uint8_t dcid_len,
            uint8_t scid_len)
{
	memset(pkt, 0x5a, len);
	pkt[0] = first;
	pkt[1] = (uint8_t)(version >> 24);
	pkt[2] = (uint8_t)(version >> 16);
	pkt[3] = (uint8_t)(version >> 8);
	pkt[4] = (uint8_t)version;
	pkt[5] = dcid_len;
	memset(pkt + 6, 0xd1, dcid_len);
	pkt[6 + dcid_len] = scid_len;
	memset(pkt + 7 + dcid_len, 0x5c, scid_len);
}

static void
retry_validates_the_address_and_the_transfer_works(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	struct tap t;

	PLX_COVERS("S1-15");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].retry = PLX_RETRY_ON;
	p = pair(&cfg, &t);
	p->end[1].app.up = p->end[1].app.down = 100000;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_streams_done, 30 * SEC));
	CU_ASSERT_EQUAL(count(p, PLX_COUNT_retries_sent), 1);
	CU_ASSERT_EQUAL(count(p, PLX_COUNT_conns_accepted), 1);
	CU_ASSERT_EQUAL(p->end[1].app.mismatches + p->end[0].app.mismatches, 0);
	plx_pair_free(p);
}

static void
retry_keeps_no_state_until_the_token_returns(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	struct tap t;

	PLX_COVERS("A2");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].retry = PLX_RETRY_ON;
	p = pair(&cfg, &t);
	plx_pair_dial(p, true, NULL);
	plx_pair_step(p);
	while (count(p, PLX_COUNT_retries_sent) == 0)
		plx_pair_step(p);
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(p->end[0].quic), 0);
	CU_ASSERT_EQUAL(plx_pair_slab_used(p, PLX_PAIR_SERVER), 0);
	plx_pair_free(p);
}

static void
a_broken_retry_token_is_answered_with_invalid_token(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	struct tap t;

	PLX_COVERS("A3");
	plx_pair_cfg_init(&cfg);
	cfg.quic[0].retry = PLX_RETRY_ON;
	p = pair(&cfg, &t);
	t.flip_token = true;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.why.by, PLX_CLOSE_PEER_TRANSPORT);
	CU_ASSERT_EQUAL(p->end[1].app.why.code, NGTCP2_INVALID_TOKEN);
	CU_ASSERT_EQUAL(count(p, PLX_COUNT_conns_accepted), 0);
	plx_pair_free(p);
}

static void
tokens_of_any_bytes_never_validate(void)
{
	struct plx_pair_cfg cfg;
	struct plx_dgram dg = {0};
	ngtcp2_pkt_hd hd = {.version = NGTCP2_PROTO_VER_V1};
	struct plx_pair *p;
	uint8_t token[1200], good[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
	ngtcp2_path_storage ps;
	struct plx_token out;
	struct plx_quic *q;
	ngtcp2_cid odcid;
	ngtcp2_ssize n;
	struct tap t;

	PLX_COVERS("A3");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg, &t);
	q = p->end[0].quic;
	q->now = p->now;
	dg.path = (struct plx_path){.local = p->end[0].addr, .remote = p->end[1].addr};
	hd.dcid.datalen = 19;
	odcid.datalen = 18;
	memset(odcid.data, 7, 18);
	plx_path_to_ngtcp2(&ps, &dg.path);
	n = ngtcp2_crypto_generate_retry_token2(good, q->cfg.token_key, 32, hd.version,
	                                        ps.path.remote.addr, ps.path.remote.addrlen,
	                                        &hd.dcid, &odcid, q->now);
	CU_ASSERT_TRUE_FATAL(n > 0);
	hd.token = good;
	hd.tokenlen = (size_t)n;
	plx_token_check(q, &dg, &hd, &out);
	CU_ASSERT_EQUAL(out.type, NGTCP2_TOKEN_TYPE_RETRY);
	CU_ASSERT_TRUE(out.odcid.datalen == 18 &&
	               memcmp(out.odcid.data, odcid.data, 18) == 0);
	/* From another port, for another ID, too late. */
	dg.path.remote.port_be ^= 1;
	plx_token_check(q, &dg, &hd, &out);
	CU_ASSERT_TRUE(out.type == NGTCP2_TOKEN_TYPE_UNKNOWN && out.bad_retry);
	dg.path.remote.port_be ^= 1;
	hd.dcid.data[0] ^= 1;
	plx_token_check(q, &dg, &hd, &out);
	CU_ASSERT_TRUE(out.bad_retry);
	hd.dcid.data[0] ^= 1;
	q->now += 16 * SEC;
	plx_token_check(q, &dg, &hd, &out);
	CU_ASSERT_TRUE(out.bad_retry);
	q->now -= 16 * SEC;
	/* Every bit flipped, every length, and noise behind each magic byte. */
	hd.token = token;
	for (size_t bit = 0; bit < 8 * (size_t)n; bit++) {
		memcpy(token, good, (size_t)n);
		token[bit / 8] ^= (uint8_t)(1u << bit % 8);
		plx_token_check(q, &dg, &hd, &out);
		CU_ASSERT_EQUAL(out.type, NGTCP2_TOKEN_TYPE_UNKNOWN);
	}
	memcpy(token, good, (size_t)n);
	for (hd.tokenlen = 0; hd.tokenlen < (size_t)n; hd.tokenlen++) {
		plx_token_check(q, &dg, &hd, &out);
		CU_ASSERT_EQUAL(out.type, NGTCP2_TOKEN_TYPE_UNKNOWN);
	}
	for (int i = 0; i < 20000; i++) {
		plx_rand_bytes(&p->rand, token, 200);
		token[0] = i % 2 == 0 ? NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2
		                      : NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR;
		hd.tokenlen = i % 5 == 0 ? (size_t)n : plx_rand_below(&p->rand, 1200) + 1;
		plx_token_check(q, &dg, &hd, &out);
		CU_ASSERT_EQUAL(out.type, NGTCP2_TOKEN_TYPE_UNKNOWN);
	}
	plx_pair_free(p);
}

static void
an_unknown_version_is_negotiated_and_nothing_else_is(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	uint8_t pkt[1300];
	struct tap t;

	PLX_COVERS("A9", "S1-15");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg, &t);
	/* Our answer holds both IDs, exchanged, and the versions. */
	long_header(pkt, sizeof(pkt), 0xc0, 0x1a2a3a4a, 8, 5);
	inject(p, pkt, 1200);
	CU_ASSERT_EQUAL(count(p, PLX_COUNT_vn_sent), 1);
	CU_ASSERT_EQUAL(t.last_len[0], 7 + 8 + 5 + 12);
	CU_ASSERT_TRUE((t.last[0][0] & 0x80) != 0);
	CU_ASSERT_EQUAL(memcmp(&t.last[0][1], "\0\0\0\0\5", 5), 0);
	CU_ASSERT_EQUAL(t.last[0][6], 0x5c);
	CU_ASSERT_EQUAL(t.last[0][11], 8);
	CU_ASSERT_EQUAL(memcmp(&t.last[0][24], "\0\0\0\1", 4), 0);
	CU_ASSERT_EQUAL(t.last[0][20] & 0x0f, 0x0a); /* a reserved version comes first */
	/* Versions may have IDs that are longer than ours. */
	long_header(pkt, sizeof(pkt), 0xc0, 0x1a2a3a4a, 255, 255);
	inject(p, pkt, 1200);
	CU_ASSERT_EQUAL(count(p, PLX_COUNT_vn_sent), 2);
	/* Too short; and Version Negotiation itself. */
	long_header(pkt, sizeof(pkt), 0xc0, 0x1a2a3a4a, 8, 5);
	inject(p, pkt, 1199);
	long_header(pkt, sizeof(pkt), 0xc0, 0, 8, 5);
	inject(p, pkt, 1200);
	CU_ASSERT_EQUAL(count(p, PLX_COUNT_vn_sent), 2);
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(p->end[0].quic), 0);
	plx_pair_free(p);
}

static void
a_client_that_is_offered_no_known_version_fails_at_once(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	struct tap t;

	PLX_COVERS("S1-51");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg, &t);
	t.answer_vn = true;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, 5 * SEC));
	CU_ASSERT_EQUAL(p->end[1].app.failed, 1);
	CU_ASSERT_EQUAL(p->end[1].app.why.by, PLX_CLOSE_VERSION);
	CU_ASSERT_TRUE(plx_pair_idle(p));
	plx_pair_free(p);
}

static void
first_packets_that_open_nothing_are_dropped_each_for_its_reason(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	uint8_t pkt[1300];
	uint64_t sent;
	struct tap t;

	PLX_COVERS("A7");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg, &t);
	long_header(pkt, sizeof(pkt), 0xc0, 1, 8, 8);
	pkt[6 + 8 + 1 + 8] = 0;        /* no token */
	pkt[6 + 8 + 1 + 8 + 1] = 0x44; /* length 1100 */
	pkt[6 + 8 + 1 + 8 + 2] = 0x4c;
	inject(p, pkt, 1199);
	CU_ASSERT_EQUAL(drops(p, PLX_DROP_QUIC_INITIAL_SHORT), 1);
	long_header(pkt, sizeof(pkt), 0xc0, 1, 7, 8);
	pkt[6 + 7 + 1 + 8] = 0;
	pkt[6 + 7 + 1 + 8 + 1] = 0x44;
	pkt[6 + 7 + 1 + 8 + 2] = 0x4c;
	inject(p, pkt, 1200);
	CU_ASSERT_EQUAL(drops(p, PLX_DROP_QUIC_DCID_SHORT), 1);
	long_header(pkt, sizeof(pkt), 0xe0, 1, 8, 8); /* Handshake */
	inject(p, pkt, 1200);
	CU_ASSERT_EQUAL(drops(p, PLX_DROP_QUIC_NOT_INITIAL), 1);
	sent = t.cnt[PLX_PAIR_SERVER];
	CU_ASSERT_EQUAL(sent, 0);
	/* An Initial of noise makes no connection that stays. */
	long_header(pkt, sizeof(pkt), 0xc0, 1, 8, 8);
	pkt[6 + 8 + 1 + 8] = 0;
	pkt[6 + 8 + 1 + 8 + 1] = 0x44;
	pkt[6 + 8 + 1 + 8 + 2] = 0x4c;
	inject(p, pkt, 1200);
	CU_ASSERT_EQUAL(plx_quic_conn_cnt(p->end[0].quic), 0);
	CU_ASSERT_EQUAL(plx_pair_slab_used(p, PLX_PAIR_SERVER), 0);
	plx_pair_free(p);
	/* A client-only endpoint takes none at all. */
	p = pair(&cfg, &t);
	long_header(pkt, sizeof(pkt), 0xc0, 1, 8, 8);
	{
		struct plx_path path = {.local = p->end[0].addr, .remote = p->end[1].addr};

		plx_pair_send(p, PLX_PAIR_SERVER, &path, pkt, 1200);
	}
	plx_pair_run(p, NULL, SEC);
	CU_ASSERT_EQUAL(plx_obs_get_drop(p->end[1].obs, PLX_DROP_QUIC_NO_SERVER), 1);
	plx_pair_free(p);
}

static void
a_server_that_lost_its_state_resets_and_the_client_hears_it(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	struct tap t;

	PLX_COVERS("F7", "B7", "S1-51");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg, &t);
	p->end[1].app.up = 100 * MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	plx_pair_run(p, NULL, SEC / 10);
	CU_ASSERT_EQUAL(plx_pair_lose_state(p), 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_client_over, SEC));
	CU_ASSERT_EQUAL(p->end[1].app.why.by, PLX_CLOSE_STATELESS_RESET);
	CU_ASSERT_TRUE(count(p, PLX_COUNT_resets_sent) >= 1);
	CU_ASSERT_TRUE(t.last_len[0] >= 21 && t.last_len[0] <= 43);
	plx_pair_free(p);
}

static void
a_reset_is_shorter_than_what_asked_for_it_and_rated(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	uint8_t pkt[64];
	struct tap t;

	PLX_COVERS("B7");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg, &t);
	t.mute = true;
	memset(pkt, 0x42, sizeof(pkt));
	for (uint16_t len = 21; len <= 60; len++) {
		uint64_t before = t.cnt[0];

		inject(p, pkt, len);
		if (len <= 43) /* what may be a reset itself is answered once a second */
			plx_pair_run(p, NULL, SEC);
		if (len == 21) {
			CU_ASSERT_EQUAL(t.cnt[0], before); /* nothing shorter would do */
		} else {
			CU_ASSERT_EQUAL(t.cnt[0], before + 1);
			CU_ASSERT_TRUE(t.last_len[0] < len);
			CU_ASSERT_TRUE(t.last_len[0] >= 21);
		}
	}
	/* A flood gets as many as the rate allows, and the ring. */
	t.cnt[0] = 0;
	for (int i = 0; i < 5000; i++) {
		struct plx_path path = {.local = p->end[1].addr, .remote = p->end[0].addr};

		plx_pair_send(p, PLX_PAIR_CLIENT, &path, pkt, 60);
	}
	plx_pair_run(p, NULL, SEC / 2);
	CU_ASSERT_TRUE(t.cnt[0] <= PLX_RESP_CNT + 600);
	CU_ASSERT_TRUE(drops(p, PLX_DROP_QUIC_RESPONSE) > 4000);
	plx_pair_free(p);
}

static void
two_servers_do_not_answer_each_other_for_ever(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	uint8_t pkt[1300];
	struct tap t;

	PLX_COVERS("A9", "B7");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg, &t);
	/* As if the client's endpoint were a server too: both answer short packets. */
	memset(pkt, 0x42, sizeof(pkt));
	inject(p, pkt, 1200);
	plx_pair_run(p, NULL, 10 * SEC);
	CU_ASSERT_TRUE(t.cnt[0] + t.cnt[1] <= 2 + 43 - 20);
	t.cnt[0] = t.cnt[1] = 0;
	long_header(pkt, sizeof(pkt), 0xc0, 0x1a2a3a4a, 8, 8);
	inject(p, pkt, 1200);
	plx_pair_run(p, NULL, 10 * SEC);
	CU_ASSERT_TRUE(t.cnt[0] + t.cnt[1] <= 3);
	plx_pair_free(p);
}

static void
addresses_that_nobody_has_get_no_answer(void)
{
	struct plx_addr bad[5] = {0};
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	uint8_t pkt[1300];
	struct tap t;

	PLX_COVERS("B5");
	plx_pair_cfg_init(&cfg);
	p = pair(&cfg, &t);
	for (int i = 0; i < 5; i++)
		bad[i] = p->end[1].addr;
	bad[0].port_be = 0;
	bad[1].ip[0] = 224;
	memset(bad[2].ip, 255, 4);
	memset(bad[3].ip, 0, 4);
	bad[4] = p->end[0].addr; /* our own */
	long_header(pkt, sizeof(pkt), 0xc0, 0x1a2a3a4a, 8, 8);
	for (int i = 0; i < 5; i++) {
		struct plx_path path = {.local = bad[i], .remote = p->end[0].addr};

		plx_pair_send(p, PLX_PAIR_CLIENT, &path, pkt, 1200);
	}
	plx_pair_run(p, NULL, SEC);
	CU_ASSERT_EQUAL(t.cnt[0], 0);
	CU_ASSERT_EQUAL(drops(p, PLX_DROP_QUIC_RESPONSE), 5);
	plx_pair_free(p);
}

static void
late_packets_of_a_closed_connection_are_answered_ever_more_rarely(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	struct tap t;
	uint64_t before;

	plx_pair_cfg_init(&cfg);
	p = pair(&cfg, &t);
	p->end[1].app.up = 100 * MIB;
	plx_pair_dial(p, true, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_up, 5 * SEC));
	plx_pair_run(p, NULL, SEC / 4);
	plx_conn_close(p->end[0].app.conn, 1, NULL);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_both_over, SEC));
	before = t.cnt[0];
	for (int i = 0; i < 1000; i++) {
		struct plx_path path = {.local = p->end[1].addr, .remote = p->end[0].addr};

		plx_pair_send(p, PLX_PAIR_CLIENT, &path, t.last[1], t.last_len[1]);
	}
	plx_pair_run(p, NULL, 15 * PLX_NS_PER_MS);
	CU_ASSERT_TRUE(t.cnt[0] - before <= 11); /* 1, 2, 4 .. 1024 */
	CU_ASSERT_TRUE(drops(p, PLX_DROP_QUIC_CLOSED) >= 1000);
	plx_pair_free(p);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"Retry validates the address and the transfer works",
	         retry_validates_the_address_and_the_transfer_works},
	        {"Retry keeps no state until the token returns",
	         retry_keeps_no_state_until_the_token_returns},
	        {"a broken Retry token is answered with INVALID_TOKEN",
	         a_broken_retry_token_is_answered_with_invalid_token},
	        {"tokens of any bytes never validate", tokens_of_any_bytes_never_validate},
	        {"an unknown version is negotiated and nothing else is",
	         an_unknown_version_is_negotiated_and_nothing_else_is},
	        {"a client that is offered no known version fails at once",
	         a_client_that_is_offered_no_known_version_fails_at_once},
	        {"first packets that open nothing are dropped, each for its reason",
	         first_packets_that_open_nothing_are_dropped_each_for_its_reason},
	        {"a server that lost its state resets and the client hears it",
	         a_server_that_lost_its_state_resets_and_the_client_hears_it},
	        {"a reset is shorter than what asked for it, and rated",
	         a_reset_is_shorter_than_what_asked_for_it_and_rated},
	        {"two servers do not answer each other for ever",
	         two_servers_do_not_answer_each_other_for_ever},
	        {"addresses that nobody has get no answer",
	         addresses_that_nobody_has_get_no_answer},
	        {"late packets of a closed connection are answered ever more rarely",
	         late_packets_of_a_closed_connection_are_answered_ever_more_rarely},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"answers without a connection", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
