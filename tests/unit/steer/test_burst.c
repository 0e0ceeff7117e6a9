/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer_test.h"

#define V1      UINT32_C(1)
#define V2      UINT32_C(0x6b3343cf)
#define GREASE  UINT32_C(0x1a2a3a4a)
#define INITIAL 0xc3
#define SHORT   0x41

static const uint8_t chosen[8] = {1, 2, 3, 4, 5, 6, 7, 8};

static void
test_a_live_id_finds_its_connection_in_both_headers(void)
{
	const struct plx_steer_cfg cfg = steer_cfg(0, 2);
	struct plx_steer *st = steer_make(&cfg, NULL);
	uint8_t cid[PLX_CID_LEN], p[128];
	struct plx_dgram dg;

	PLX_COVERS("S1-4");
	plx_steer_set_gen(st, 17, 5);
	plx_steer_make_cid(st, 17, 5, 9, cid);
	for (uint8_t hops = 0; hops <= 2; hops++) {
		dg = steer_one(st, p, short_packet(p, SHORT, cid), hops);
		CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_CONN);
		CU_ASSERT_EQUAL(dg.slot, 17);
		CU_ASSERT_EQUAL(dg.cid_seq, 9);
		dg = steer_one(st, p, long_packet(p, INITIAL, V1, cid, PLX_CID_LEN, 8),
		               hops);
		CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_CONN);
		CU_ASSERT_EQUAL(dg.slot, 17);
		/* Version Negotiation, which only a client of ours gets: fixed bit 0 is fine. */
		dg = steer_one(st, p, long_packet(p, 0x80, 0, cid, PLX_CID_LEN, 8), hops);
		CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_CONN);
		CU_ASSERT_EQUAL(dg.slot, 17);
	}
	steer_drop(st);
}

static void
test_an_id_of_another_generation_or_epoch_gets_a_reset(void)
{
	struct plx_steer_cfg cfg = steer_cfg(0, 2);
	struct plx_steer *st = steer_make(&cfg, NULL), *earlier;
	uint8_t cid[PLX_CID_LEN], p[128];
	struct plx_dgram dg;

	PLX_COVERS("S1-3");
	plx_steer_set_gen(st, 17, 5);
	plx_steer_make_cid(st, 17, 5, 0, cid);
	plx_steer_set_gen(st, 17, 0);
	dg = steer_one(st, p, short_packet(p, SHORT, cid), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_RESET);
	/* The slot lives again, as somebody else. */
	plx_steer_set_gen(st, 17, 6);
	dg = steer_one(st, p, short_packet(p, SHORT, cid), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_RESET);
	dg = steer_one(st, p, long_packet(p, INITIAL, V1, cid, PLX_CID_LEN, 8), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_RESET);
	/* A free slot has no generation 0 that could be named. */
	plx_steer_set_gen(st, 18, 0);
	plx_steer_make_cid(st, 18, 0, 0, cid);
	dg = steer_one(st, p, short_packet(p, SHORT, cid), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_RESET);

	/* Same key, an earlier boot: the same slot and generation are not the same. */
	cfg.epoch--;
	earlier = steer_make(&cfg, NULL);
	plx_steer_make_cid(earlier, 17, 6, 0, cid);
	dg = steer_one(st, p, short_packet(p, SHORT, cid), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_RESET);
	dg = steer_one(st, p, long_packet(p, 0x80, 0, cid, PLX_CID_LEN, 8), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_DROP);
	CU_ASSERT_EQUAL(dg.drop, PLX_DROP_QUIC_VERSION);
	steer_drop(earlier);

	/* That boot had more workers and slots than this one. */
	cfg = steer_cfg(7, 8);
	cfg.slots = 5 * TEST_SLOTS;
	earlier = steer_make(&cfg, NULL);
	plx_steer_make_cid(earlier, 17, 6, 0, cid);
	dg = steer_one(st, p, short_packet(p, SHORT, cid), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_RESET);
	steer_drop(earlier);
	cfg.worker = 0;
	earlier = steer_make(&cfg, NULL);
	plx_steer_make_cid(earlier, 4 * TEST_SLOTS, 6, 0, cid);
	dg = steer_one(st, p, short_packet(p, SHORT, cid), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_RESET);
	steer_drop(earlier);
	steer_drop(st);
}

static void
test_a_new_epoch_leaves_live_connections_alone(void)
{
	const struct plx_steer_cfg cfg = steer_cfg(0, 1);
	struct plx_steer *st = steer_make(&cfg, NULL);
	uint8_t old[PLX_CID_LEN], later[PLX_CID_LEN], fresh[PLX_CID_LEN], p[128];
	struct plx_dgram dg;

	PLX_COVERS("S1-3");
	plx_steer_set_gen(st, 1, 5);
	plx_steer_make_cid(st, 1, 5, 0, old);
	plx_steer_set_epoch(st, 1234);
	plx_steer_make_cid(st, 1, 5, 1, later);
	dg = steer_one(st, p, short_packet(p, SHORT, old), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_CONN);
	dg = steer_one(st, p, short_packet(p, SHORT, later), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_CONN);
	CU_ASSERT_EQUAL(dg.cid_seq, 1);
	/* The slot taken again with the same generation: the old ID stays dead. */
	plx_steer_set_gen(st, 1, 0);
	plx_steer_set_gen(st, 1, 5);
	plx_steer_make_cid(st, 1, 5, 0, fresh);
	dg = steer_one(st, p, short_packet(p, SHORT, fresh), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_CONN);
	dg = steer_one(st, p, short_packet(p, SHORT, old), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_RESET);
	CU_ASSERT_NOT_EQUAL(memcmp(old, fresh, sizeof(old)), 0);
	steer_drop(st);
}

static void
test_an_id_of_another_worker_goes_there_at_most_twice(void)
{
	const struct plx_steer_cfg cfg0 = steer_cfg(0, 2), cfg1 = steer_cfg(1, 2);
	struct plx_steer *st0 = steer_make(&cfg0, NULL), *st1 = steer_make(&cfg1, NULL);
	uint8_t cid[PLX_CID_LEN], p[128];
	struct plx_dgram dg;

	plx_steer_set_gen(st1, 3, 4);
	plx_steer_make_cid(st1, 3, 4, 0, cid);
	for (uint8_t hops = 0; hops < 2; hops++) {
		dg = steer_one(st0, p, short_packet(p, SHORT, cid), hops);
		CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_OTHER);
		CU_ASSERT_EQUAL(dg.worker, 1);
		dg = steer_one(st0, p, long_packet(p, INITIAL, V1, cid, PLX_CID_LEN, 0),
		               hops);
		CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_OTHER);
		CU_ASSERT_EQUAL(dg.worker, 1);
	}
	dg = steer_one(st0, p, short_packet(p, SHORT, cid), 2);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_DROP);
	CU_ASSERT_EQUAL(dg.drop, PLX_DROP_STEER_HOPS);
	/* There it is known, however it came. */
	dg = steer_one(st1, p, short_packet(p, SHORT, cid), 1);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_CONN);
	CU_ASSERT_EQUAL(dg.slot, 3);
	steer_drop(st0);
	steer_drop(st1);
}

static void
test_the_bucket_is_not_needed_to_find_the_worker(void)
{
	struct plx_steer_cfg cfg = steer_cfg(0, 2);
	struct plx_steer *plain = steer_make(&cfg, NULL), *masked;
	uint8_t cid[PLX_CID_LEN], p[128];

	cfg.masked = true;
	masked = steer_make(&cfg, NULL);
	plx_steer_set_gen(plain, 9, 1);
	plx_steer_set_gen(masked, 9, 1);
	/* Each reads what the other wrote. */
	plx_steer_make_cid(masked, 9, 1, 0, cid);
	CU_ASSERT_EQUAL(steer_one(plain, p, short_packet(p, SHORT, cid), 0).verdict,
	                PLX_VERDICT_CONN);
	plx_steer_make_cid(plain, 9, 1, 0, cid);
	CU_ASSERT_EQUAL(steer_one(masked, p, short_packet(p, SHORT, cid), 0).verdict,
	                PLX_VERDICT_CONN);
	/* Any bucket will do as long as its check byte fits. */
	for (unsigned b = 0; b < PLX_CID_BUCKETS; b++) {
		cid[17] = (uint8_t)b;
		cid[18] = (uint8_t)(b ^ 0xa5);
		CU_ASSERT_EQUAL(steer_one(plain, p, short_packet(p, SHORT, cid), 0).verdict,
		                PLX_VERDICT_CONN);
	}
	steer_drop(plain);
	steer_drop(masked);
}

static void
test_a_first_packet_has_one_owner_that_all_workers_agree_on(void)
{
	enum { N = 5, IDS = 2000 };
	struct plx_steer *st[N];
	unsigned owned[N] = {0};
	struct plx_rand r;
	uint8_t p[128];

	for (unsigned w = 0; w < N; w++) {
		const struct plx_steer_cfg cfg = steer_cfg(w, N);

		st[w] = steer_make(&cfg, NULL);
	}
	plx_rand_seed(&r, 77);
	for (int i = 0; i < IDS; i++) {
		uint8_t id[20], len = (uint8_t)plx_rand_below(&r, 21);
		unsigned here = 0, owner = N;
		struct plx_dgram dg[N];

		plx_rand_bytes(&r, id, len);
		for (unsigned w = 0; w < N; w++) {
			dg[w] = steer_one(st[w], p, long_packet(p, INITIAL, V1, id, len, 5),
			                  0);
			if (dg[w].verdict == PLX_VERDICT_NEW) {
				here++;
				owner = w;
			}
		}
		CU_ASSERT_EQUAL_FATAL(here, 1);
		owned[owner]++;
		for (unsigned w = 0; w < N; w++) {
			if (w == owner)
				continue;
			CU_ASSERT_EQUAL(dg[w].verdict, PLX_VERDICT_OTHER);
			CU_ASSERT_EQUAL(dg[w].worker, owner);
		}
		/* Through a mailbox it is never sent on, whoever the owner is. */
		dg[0] = steer_one(st[0], p, long_packet(p, INITIAL, V1, id, len, 5), 1);
		CU_ASSERT_EQUAL(dg[0].verdict, PLX_VERDICT_NEW);
	}
	for (unsigned w = 0; w < N; w++) {
		CU_ASSERT(owned[w] > IDS / N / 2 && owned[w] < IDS / N * 2);
		steer_drop(st[w]);
	}
}

static void
test_first_packets_stay_where_the_port_hashes_by_flow(void)
{
	struct plx_steer_cfg cfg = steer_cfg(0, 64);
	struct plx_steer *st;
	uint8_t p[128];

	cfg.first_local = true;
	st = steer_make(&cfg, NULL);
	for (uint32_t i = 0; i < 500; i++) {
		uint8_t id[8] = {0};

		memcpy(id, &i, sizeof(i));
		CU_ASSERT_EQUAL(
		        steer_one(st, p, long_packet(p, INITIAL, V1, id, 8, 0), 0).verdict,
		        PLX_VERDICT_NEW);
	}
	steer_drop(st);
}

static void
test_a_handshake_in_progress_gets_its_further_first_packets(void)
{
	static struct plx_obs obs;
	const struct plx_steer_cfg cfg = steer_cfg(0, 1);
	struct plx_steer *st = steer_make(&cfg, &obs);
	uint8_t p[128];
	struct plx_dgram dg;

	dg = steer_one(st, p, long_packet(p, INITIAL, V1, chosen, 8, 0), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_NEW);
	CU_ASSERT_EQUAL(plx_obs_get(&obs, PLX_COUNT_first_pkts), 1);
	CU_ASSERT_EQUAL(plx_steer_first_add(st, chosen, 8, 44), 0);
	dg = steer_one(st, p, long_packet(p, INITIAL, V1, chosen, 8, 0), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_CONN);
	CU_ASSERT_EQUAL(dg.slot, 44);
	CU_ASSERT_EQUAL(dg.cid_seq, 0);
	CU_ASSERT_EQUAL(plx_obs_get(&obs, PLX_COUNT_first_pkts), 1);
	/* Version Negotiation cannot be for it: we are the server of that ID. */
	dg = steer_one(st, p, long_packet(p, 0x80, 0, chosen, 8, 0), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_DROP);
	plx_steer_first_del(st, chosen, 8);
	dg = steer_one(st, p, long_packet(p, INITIAL, V1, chosen, 8, 0), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_NEW);
	steer_drop(st);
}

static void
test_a_retry_id_leads_to_the_worker_that_made_it(void)
{
	const struct plx_steer_cfg cfg0 = steer_cfg(0, 2), cfg1 = steer_cfg(1, 2);
	struct plx_steer *st0 = steer_make(&cfg0, NULL), *st1 = steer_make(&cfg1, NULL);
	uint8_t cid[PLX_CID_LEN], p[128];
	struct plx_dgram dg;

	plx_steer_make_cid(st1, PLX_CID_SLOT_RETRY, 1, 2, cid);
	dg = steer_one(st0, p, long_packet(p, INITIAL, V1, cid, PLX_CID_LEN, 8), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_OTHER);
	CU_ASSERT_EQUAL(dg.worker, 1);
	dg = steer_one(st1, p, long_packet(p, INITIAL, V1, cid, PLX_CID_LEN, 8), 1);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_NEW);
	CU_ASSERT_EQUAL(plx_steer_first_add(st1, cid, PLX_CID_LEN, 6), 0);
	dg = steer_one(st1, p, long_packet(p, INITIAL, V1, cid, PLX_CID_LEN, 8), 1);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_CONN);
	CU_ASSERT_EQUAL(dg.slot, 6);
	/* It never names a connection by itself. */
	dg = steer_one(st1, p, short_packet(p, SHORT, cid), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_RESET);
	dg = steer_one(st1, p, long_packet(p, 0x80, 0, cid, PLX_CID_LEN, 8), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_DROP);
	steer_drop(st0);
	steer_drop(st1);
}

static void
test_unknown_versions_are_new_and_version_negotiation_is_never_answered(void)
{
	const struct plx_steer_cfg cfg = steer_cfg(0, 1);
	struct plx_steer *st = steer_make(&cfg, NULL);
	uint8_t id[255], p[600];
	struct plx_dgram dg;

	PLX_COVERS("A9");
	memset(id, 7, sizeof(id));
	/* RFC 8999: other versions may have IDs of 255 bytes. */
	dg = steer_one(st, p, long_packet(p, INITIAL, GREASE, id, 255, 255), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_NEW);
	dg = steer_one(st, p, long_packet(p, INITIAL, V2, chosen, 8, 8), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_NEW);
	dg = steer_one(st, p, long_packet(p, 0xc0, 0, chosen, 8, 8), 0);
	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_DROP);
	CU_ASSERT_EQUAL(dg.drop, PLX_DROP_QUIC_VERSION);
	steer_drop(st);
}

static void
test_a_short_header_with_an_unknown_id_is_a_candidate_for_reset(void)
{
	const struct plx_steer_cfg cfg = steer_cfg(0, 4);
	struct plx_steer *st = steer_make(&cfg, NULL);
	uint8_t id[PLX_CID_LEN], p[128];
	struct plx_rand r;

	plx_rand_seed(&r, 1);
	for (int i = 0; i < 1000; i++) {
		plx_rand_bytes(&r, id, sizeof(id));
		CU_ASSERT_EQUAL(steer_one(st, p, short_packet(p, SHORT, id), 0).verdict,
		                PLX_VERDICT_RESET);
	}
	steer_drop(st);
}

static void
check_drop(struct plx_steer *st, const uint8_t *p, uint16_t len, enum plx_drop want)
{
	struct plx_dgram dg = steer_one(st, p, len, 0);

	CU_ASSERT_EQUAL(dg.verdict, PLX_VERDICT_DROP);
	CU_ASSERT_EQUAL(dg.drop, want);
}

static void
test_what_is_no_quic_header_is_dropped_for_one_reason(void)
{
	const struct plx_steer_cfg cfg = steer_cfg(0, 1);
	struct plx_steer *st = steer_make(&cfg, NULL);
	uint8_t id[21] = {0}, cid[PLX_CID_LEN], p[600];
	uint16_t len;

	PLX_COVERS("A8");
	plx_steer_set_gen(st, 0, 1);
	plx_steer_make_cid(st, 0, 1, 0, cid);
	/* Shorter than the header, at every length. */
	check_drop(st, p, 0, PLX_DROP_STEER_SHORT);
	(void)short_packet(p, SHORT, cid);
	for (uint16_t n = 1; n < 21; n++)
		check_drop(st, p, n, PLX_DROP_STEER_SHORT);
	CU_ASSERT_EQUAL(steer_one(st, p, 21, 0).verdict, PLX_VERDICT_CONN);
	len = long_packet(p, INITIAL, V1, chosen, 8, 4);
	for (uint16_t n = 1; n < len - 20; n++)
		check_drop(st, p, n, PLX_DROP_STEER_SHORT);
	CU_ASSERT_EQUAL(steer_one(st, p, len - 20, 0).verdict, PLX_VERDICT_NEW);
	/* The fixed bit, also where the ID would be a live one. */
	len = short_packet(p, SHORT & ~0x40, cid);
	check_drop(st, p, len, PLX_DROP_STEER_FIXED_BIT);
	len = long_packet(p, INITIAL & ~0x40, V1, cid, PLX_CID_LEN, 0);
	check_drop(st, p, len, PLX_DROP_STEER_FIXED_BIT);
	/* IDs above 20 bytes in versions that know none such. */
	len = long_packet(p, INITIAL, V1, id, 21, 0);
	check_drop(st, p, len, PLX_DROP_STEER_CID_LEN);
	len = long_packet(p, INITIAL, V2, chosen, 8, 21);
	check_drop(st, p, len, PLX_DROP_STEER_CID_LEN);
	len = long_packet(p, 0xc0, 0, id, 21, 0);
	check_drop(st, p, len, PLX_DROP_STEER_CID_LEN);
	steer_drop(st);
}

static void
test_a_full_mixed_burst_is_decided_as_its_packets_are_one_by_one(void)
{
	const struct plx_steer_cfg cfg0 = steer_cfg(0, 2), cfg1 = steer_cfg(1, 2);
	struct plx_steer *st = steer_make(&cfg0, NULL), *other = steer_make(&cfg1, NULL);
	struct plx_rand r;

	plx_rand_seed(&r, 8);
	for (uint32_t s = 0; s < TEST_SLOTS; s++)
		plx_steer_set_gen(st, s, 1);
	for (int round = 0; round < 500; round++) {
		uint16_t cnt = (uint16_t)(1 + plx_rand_below(&r, PLX_BURST_MAX));
		struct plx_dgram dg[PLX_BURST_MAX];
		uint8_t p[PLX_BURST_MAX][128], cid[PLX_CID_LEN];

		memset(dg, 0, sizeof(dg));
		for (uint16_t i = 0; i < cnt; i++) {
			uint32_t slot = (uint32_t)plx_rand_below(&r, TEST_SLOTS);

			plx_steer_make_cid(plx_rand_below(&r, 4) == 0 ? other : st, slot, 1,
			                   i, cid);
			if (plx_rand_below(&r, 4) == 0)
				cid[plx_rand_below(&r, PLX_CID_LEN)] ^= 1;
			dg[i].data = p[i];
			dg[i].len = plx_rand_below(&r, 3) == 0
			                    ? long_packet(p[i], INITIAL, V1, cid,
			                                  PLX_CID_LEN, 3)
			                    : short_packet(p[i], SHORT, cid);
			if (plx_rand_below(&r, 10) == 0)
				dg[i].len = (uint16_t)plx_rand_below(&r, 30);
		}
		plx_steer_burst(st, dg, cnt);
		for (uint16_t i = 0; i < cnt; i++) {
			struct plx_dgram one = steer_one(st, p[i], dg[i].len, 0);

			CU_ASSERT_EQUAL(dg[i].verdict, one.verdict);
			CU_ASSERT_EQUAL(dg[i].slot, one.slot);
			CU_ASSERT_EQUAL(dg[i].cid_seq, one.cid_seq);
			CU_ASSERT_EQUAL(dg[i].worker, one.worker);
			CU_ASSERT_EQUAL(dg[i].drop, one.drop);
		}
	}
	steer_drop(st);
	steer_drop(other);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"a live ID finds its connection in both headers",
	         test_a_live_id_finds_its_connection_in_both_headers},
	        {"an ID of another generation or epoch gets a reset",
	         test_an_id_of_another_generation_or_epoch_gets_a_reset},
	        {"a new epoch leaves live connections alone",
	         test_a_new_epoch_leaves_live_connections_alone},
	        {"an ID of another worker goes there, at most twice",
	         test_an_id_of_another_worker_goes_there_at_most_twice},
	        {"the bucket is not needed to find the worker",
	         test_the_bucket_is_not_needed_to_find_the_worker},
	        {"a first packet has one owner that all workers agree on",
	         test_a_first_packet_has_one_owner_that_all_workers_agree_on},
	        {"first packets stay where the port hashes by flow",
	         test_first_packets_stay_where_the_port_hashes_by_flow},
	        {"a handshake in progress gets its further first packets",
	         test_a_handshake_in_progress_gets_its_further_first_packets},
	        {"a Retry ID leads to the worker that made it",
	         test_a_retry_id_leads_to_the_worker_that_made_it},
	        {"unknown versions are new, Version Negotiation is never answered",
	         test_unknown_versions_are_new_and_version_negotiation_is_never_answered},
	        {"a short header with an unknown ID is a candidate for reset",
	         test_a_short_header_with_an_unknown_id_is_a_candidate_for_reset},
	        {"what is no QUIC header is dropped for one reason",
	         test_what_is_no_quic_header_is_dropped_for_one_reason},
	        {"a full, mixed burst is decided as its packets are one by one",
	         test_a_full_mixed_burst_is_decided_as_its_packets_are_one_by_one},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"steering", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
