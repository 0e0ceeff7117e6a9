/* SPDX-License-Identifier: BSD-3-Clause */
#include <plx/err.h>

#include "plx_rand.h"
#include "plx_sendq.h"
#include "plx_test.h"

static const uint8_t bytes[4096];

static void
test_in_order(void)
{
	struct plx_sbuf a = {.data = bytes, .len = 10}, b = {.data = bytes + 100, .len = 5};
	struct plx_iov v[4];
	struct plx_sendq q;
	struct plx_sbuf *done;
	bool fin;

	PLX_COVERS("S1-25", "S1-28");
	plx_sendq_init(&q);
	CU_ASSERT_EQUAL(plx_sendq_append(&q, &a, false), 0);
	CU_ASSERT_EQUAL(plx_sendq_append(&q, &b, true), 0);
	CU_ASSERT_EQUAL(plx_sendq_pending(&q), 15);
	CU_ASSERT_EQUAL(plx_sendq_peek(&q, v, 4, &fin), 2);
	CU_ASSERT_TRUE(fin);
	CU_ASSERT_PTR_EQUAL(v[0].base, a.data);
	CU_ASSERT_EQUAL(v[1].len, 5);
	plx_sendq_sent(&q, 12, false);
	CU_ASSERT_EQUAL(plx_sendq_peek(&q, v, 4, &fin), 1);
	CU_ASSERT_PTR_EQUAL(v[0].base, b.data + 2);
	CU_ASSERT_EQUAL(v[0].len, 3);
	plx_sendq_sent(&q, 3, true);
	CU_ASSERT_EQUAL(plx_sendq_peek(&q, v, 4, &fin), 0);
	CU_ASSERT_FALSE(fin);

	done = plx_sendq_acked(&q, 0, 11);
	CU_ASSERT_PTR_EQUAL(done, &a);
	CU_ASSERT_PTR_NULL(a.next);
	CU_ASSERT_EQUAL(a.acked, 10);
	CU_ASSERT_EQUAL(b.acked, 1);
	CU_ASSERT_PTR_EQUAL(plx_sendq_acked(&q, 11, 4), &b);
	CU_ASSERT_PTR_NULL(plx_sendq_flush(&q));
}

static void
test_fin_alone(void)
{
	struct plx_iov v[1];
	struct plx_sendq q;
	bool fin;

	PLX_COVERS("S1-34");
	plx_sendq_init(&q);
	CU_ASSERT_EQUAL(plx_sendq_append(&q, NULL, true), 0);
	CU_ASSERT_EQUAL(plx_sendq_peek(&q, v, 1, &fin), 0);
	CU_ASSERT_TRUE(fin);
	plx_sendq_sent(&q, 0, true);
	CU_ASSERT_EQUAL(plx_sendq_peek(&q, v, 1, &fin), 0);
	CU_ASSERT_FALSE(fin);
	CU_ASSERT_EQUAL(plx_sendq_append(&q, NULL, true), PLX_E_STREAM_CLOSED);
}

static void
test_few_pieces(void)
{
	struct plx_sbuf b[3] = {{.data = bytes, .len = 1},
	                        {.data = bytes, .len = 1},
	                        {.data = bytes, .len = 1}};
	struct plx_iov v[2];
	struct plx_sendq q;
	bool fin;

	plx_sendq_init(&q);
	for (int i = 0; i < 3; i++)
		plx_sendq_append(&q, &b[i], i == 2);
	/* The stream does not end behind a list that was cut. */
	CU_ASSERT_EQUAL(plx_sendq_peek(&q, v, 2, &fin), 2);
	CU_ASSERT_FALSE(fin);
	plx_sendq_sent(&q, 2, false);
	CU_ASSERT_EQUAL(plx_sendq_peek(&q, v, 2, &fin), 1);
	CU_ASSERT_TRUE(fin);
	plx_sendq_flush(&q);
}

static void
test_flush(void)
{
	struct plx_sbuf a = {.data = bytes, .len = 10}, b = {.data = bytes, .len = 10};
	struct plx_iov v[2];
	struct plx_sendq q;
	bool fin;

	PLX_COVERS("S1-36");
	plx_sendq_init(&q);
	plx_sendq_append(&q, &a, false);
	plx_sendq_append(&q, &b, false);
	plx_sendq_sent(&q, 15, false);
	CU_ASSERT_PTR_NULL(plx_sendq_acked(&q, 0, 5));
	CU_ASSERT_PTR_EQUAL(plx_sendq_flush(&q), &a);
	CU_ASSERT_PTR_EQUAL(a.next, &b);
	CU_ASSERT_EQUAL(a.acked, 5);
	CU_ASSERT_EQUAL(b.acked, 0);
	CU_ASSERT_EQUAL(plx_sendq_pending(&q), 0);
	CU_ASSERT_EQUAL(plx_sendq_peek(&q, v, 2, &fin), 0);
	CU_ASSERT_FALSE(fin);
	CU_ASSERT_EQUAL(plx_sendq_append(&q, &a, false), PLX_E_STREAM_CLOSED);
	CU_ASSERT_PTR_NULL(plx_sendq_acked(&q, 5, 10));
}

static void
test_empty_buffers(void)
{
	struct plx_sbuf e1 = {.data = bytes}, a = {.data = bytes, .len = 3},
	                e2 = {.data = bytes};
	struct plx_iov v[4];
	struct plx_sendq q;
	struct plx_sbuf *done;
	bool fin;

	plx_sendq_init(&q);
	plx_sendq_append(&q, &e1, false);
	plx_sendq_append(&q, &a, false);
	plx_sendq_append(&q, &e2, true);
	CU_ASSERT_EQUAL(plx_sendq_peek(&q, v, 4, &fin), 1);
	CU_ASSERT_TRUE(fin);
	/* Also where the list of pieces ends just before an empty buffer. */
	CU_ASSERT_EQUAL(plx_sendq_peek(&q, v, 1, &fin), 1);
	CU_ASSERT_TRUE(fin);
	plx_sendq_sent(&q, 3, true);
	done = plx_sendq_acked(&q, 0, 3);
	CU_ASSERT_PTR_EQUAL(done, &e1);
	CU_ASSERT_PTR_EQUAL(e1.next, &a);
	CU_ASSERT_PTR_EQUAL(a.next, &e2);
	CU_ASSERT_PTR_NULL(e2.next);
}

/*
 * Random appends, sends of any length and acknowledgements, against offsets kept apart. Each
 * byte's address tells its stream offset: buffers are cut from one array in order.
 */
static void
random_story(uint64_t seed)
{
	static uint8_t area[1 << 16];
	static struct plx_sbuf buf[512];
	uint64_t appended = 0, sent = 0, acked = 0, back_bytes = 0;
	uint32_t made = 0, back = 0;
	bool fin = false, fin_sent = false;
	struct plx_sendq q;
	struct plx_rand r;

	plx_rand_seed(&r, seed);
	plx_sendq_init(&q);
	for (int step = 0; step < 3000; step++) {
		struct plx_iov v[4];
		struct plx_sbuf *b;
		uint64_t total = 0, len;
		uint16_t n;
		bool end;

		switch (plx_rand_below(&r, 3)) {
		case 0:
			if (made == 512 || fin)
				break;
			len = plx_rand_below(&r, 8) == 0 ? 0 : plx_rand_below(&r, 120);
			fin = plx_rand_below(&r, 300) == 0;
			buf[made] = (struct plx_sbuf){
			        .data = area + appended, .len = len, .user = made};
			CU_ASSERT_EQUAL_FATAL(plx_sendq_append(&q, &buf[made], fin), 0);
			made++;
			appended += len;
			break;
		case 1:
			n = plx_sendq_peek(&q, v, (uint16_t)(1 + plx_rand_below(&r, 4)),
			                   &end);
			for (uint16_t i = 0; i < n; i++) {
				CU_ASSERT_PTR_EQUAL_FATAL(v[i].base, area + sent + total);
				CU_ASSERT_FATAL(v[i].len > 0);
				total += v[i].len;
			}
			CU_ASSERT_EQUAL_FATAL(end,
			                      fin && !fin_sent && sent + total == appended);
			CU_ASSERT_FATAL(n > 0 || sent == appended);
			len = plx_rand_below(&r, total + 1);
			end = end && len == total;
			plx_sendq_sent(&q, len, end);
			sent += len;
			fin_sent |= end;
			break;
		default:
			len = plx_rand_below(&r, sent - acked + 1);
			for (b = plx_sendq_acked(&q, acked, len); b != NULL; b = b->next) {
				CU_ASSERT_EQUAL_FATAL(b->user, back);
				CU_ASSERT_EQUAL_FATAL(b->acked, b->len);
				back++;
				back_bytes += b->len;
			}
			acked += len;
			CU_ASSERT_FATAL(back_bytes <= acked);
			break;
		}
		CU_ASSERT_EQUAL_FATAL(plx_sendq_pending(&q), appended - sent);
	}
	for (struct plx_sbuf *b = plx_sendq_flush(&q); b != NULL; b = b->next) {
		CU_ASSERT_EQUAL_FATAL(b->user, back);
		back++;
	}
	CU_ASSERT_EQUAL(back, made);
}

static void
test_random(void)
{
	PLX_COVERS("S1-28");
	for (uint64_t seed = 1; seed <= 200; seed++)
		random_story(seed);
}

static CU_TestInfo tests[] = {
        {"buffers go out in order and come back when acknowledged", test_in_order},
        {"FIN alone is something to send, once", test_fin_alone},
        {"FIN waits for pieces that did not fit the list", test_few_pieces},
        {"a flush gives every buffer back with what was acknowledged", test_flush},
        {"empty buffers neither stop the queue nor get lost", test_empty_buffers},
        {"200 random stories agree with plain offsets", test_random},
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"sendq", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
