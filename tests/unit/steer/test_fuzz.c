/* SPDX-License-Identifier: BSD-3-Clause */
#include "steer_test.h"

#define DATAGRAMS 1000000
#define SEED      20

enum { WORKERS = 3, ME = 1 };

struct story {
	struct plx_steer *st[WORKERS];
	struct plx_rand r;
	unsigned verdict_cnt[PLX_VERDICT_CNT];
	unsigned bad;
};

/* Bytes 1..: a destination ID with its length in front, of some kind. */
static uint16_t
random_id(struct story *s, uint8_t *cid)
{
	uint32_t slot = (uint32_t)plx_rand_below(&s->r, TEST_SLOTS);
	uint16_t len = (uint16_t)plx_rand_below(&s->r, 22);

	switch (plx_rand_below(&s->r, 6)) {
	case 0:
		plx_rand_bytes(&s->r, cid, len);
		return len;
	case 1:
		plx_steer_make_cid(s->st[ME], PLX_CID_SLOT_RETRY, 1, 1, cid);
		break;
	case 2:
		plx_steer_make_cid(s->st[plx_rand_below(&s->r, WORKERS)], slot, 2, 1, cid);
		break;
	case 3: /* in the table of first packets */
		memset(cid, 0x11, 8);
		return 8;
	default:
		plx_steer_make_cid(s->st[plx_rand_below(&s->r, WORKERS)], slot, 1, 1, cid);
		break;
	}
	if (plx_rand_below(&s->r, 4) == 0)
		cid[plx_rand_below(&s->r, PLX_CID_LEN)] ^=
		        (uint8_t)(1u << plx_rand_below(&s->r, 8));
	return PLX_CID_LEN;
}

static uint16_t
random_packet(struct story *s, uint8_t *p, size_t cap)
{
	static const uint32_t versions[] = {0, 1, 0x6b3343cf, 0x1a2a3a4a, 0xffffffff};
	uint8_t cid[32];
	uint16_t len, cid_len;

	if (plx_rand_below(&s->r, 5) == 0) {
		len = (uint16_t)plx_rand_below(&s->r, 64);
		plx_rand_bytes(&s->r, p, len);
		return len;
	}
	cid_len = random_id(s, cid);
	if (plx_rand_below(&s->r, 2) == 0 && cid_len == PLX_CID_LEN)
		len = short_packet(p, (uint8_t)plx_rand_below(&s->r, 128), cid);
	else
		len = long_packet(p, (uint8_t)(0x80 | plx_rand_below(&s->r, 128)),
		                  versions[plx_rand_below(&s->r, 5)], cid, (uint8_t)cid_len,
		                  (uint8_t)plx_rand_below(&s->r, 23));
	/* Wrong lengths inside, wrong lengths outside. */
	if (plx_rand_below(&s->r, 8) == 0)
		p[5] = (uint8_t)plx_rand_u64(&s->r);
	if (plx_rand_below(&s->r, 4) == 0)
		len = (uint16_t)plx_rand_below(&s->r, len + 1u);
	CU_ASSERT_FATAL(len <= cap);
	return len;
}

static void
check(struct story *s, const struct plx_dgram *dg)
{
	s->verdict_cnt[dg->verdict < PLX_VERDICT_CNT ? dg->verdict : PLX_VERDICT_NONE]++;
	switch (dg->verdict) {
	case PLX_VERDICT_CONN:
		s->bad += dg->slot >= TEST_SLOTS;
		break;
	case PLX_VERDICT_OTHER:
		s->bad += dg->worker >= WORKERS || dg->worker == ME || dg->hops >= 2;
		break;
	case PLX_VERDICT_DROP:
		s->bad += dg->drop == PLX_DROP_NONE || dg->drop >= PLX_DROP_CNT;
		return;
	case PLX_VERDICT_NEW:
		s->bad += dg->len < 7 || (dg->data[0] & 0x80) == 0;
		break;
	case PLX_VERDICT_RESET:
		break;
	default:
		s->bad++;
		break;
	}
	s->bad += dg->drop != PLX_DROP_NONE;
}

static void
test_a_million_datagrams_each_get_one_verdict(void)
{
	struct story s = {.bad = 0};
	uint8_t id[8];

	PLX_COVERS("A8");
	printf("seed %d ", SEED);
	plx_rand_seed(&s.r, SEED);
	for (unsigned w = 0; w < WORKERS; w++) {
		struct plx_steer_cfg cfg = steer_cfg(w, WORKERS);

		cfg.portable = w == 2;
		s.st[w] = steer_make(&cfg, NULL);
		for (uint32_t slot = 0; slot < TEST_SLOTS; slot++)
			plx_steer_set_gen(s.st[w], slot, 1);
	}
	memset(id, 0x11, sizeof(id));
	CU_ASSERT_EQUAL(plx_steer_first_add(s.st[ME], id, sizeof(id), 5), 0);

	for (unsigned done = 0; done < DATAGRAMS;) {
		uint16_t cnt = (uint16_t)(1 + plx_rand_below(&s.r, PLX_BURST_MAX));
		struct plx_dgram dg[PLX_BURST_MAX];
		uint8_t *exact[PLX_BURST_MAX];

		for (uint16_t i = 0; i < cnt; i++) {
			uint8_t p[600];
			uint16_t len = random_packet(&s, p, sizeof(p));

			/* A block that ends where the datagram ends: a byte read behind it is
			 * a report in the sanitizer build. */
			exact[i] = malloc(len > 0 ? len : 1);
			CU_ASSERT_PTR_NOT_NULL_FATAL(exact[i]);
			memcpy(exact[i], p, len);
			memset(&dg[i], 0xee, sizeof(dg[i]));
			dg[i].data = len > 0 ? exact[i] : exact[i] + 1;
			dg[i].len = len;
			dg[i].hops = (uint8_t)plx_rand_below(&s.r, 3);
		}
		plx_steer_burst(s.st[ME], dg, cnt);
		for (uint16_t i = 0; i < cnt; i++) {
			check(&s, &dg[i]);
			free(exact[i]);
		}
		done += cnt;
	}
	CU_ASSERT_EQUAL(s.bad, 0);
	CU_ASSERT_EQUAL(s.verdict_cnt[PLX_VERDICT_NONE], 0);
	/* The stories are not all the same one. */
	for (unsigned v = PLX_VERDICT_CONN; v < PLX_VERDICT_CNT; v++)
		CU_ASSERT(s.verdict_cnt[v] > DATAGRAMS / 100);
	for (unsigned w = 0; w < WORKERS; w++)
		steer_drop(s.st[w]);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"a million datagrams each get one verdict",
	         test_a_million_datagrams_each_get_one_verdict},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"steering, fuzzed", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
