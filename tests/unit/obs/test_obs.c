/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>

#include "plx_obs.h"
#include "plx_test.h"

static const char *const drop_names[] = {"NONE",
#define DROP_NAME(name, text) #name,
                                         PLX_DROP_LIST(DROP_NAME)
#undef DROP_NAME
};

static const char *const drop_texts[] = {"not dropped",
#define DROP_TEXT(name, text) text,
                                         PLX_DROP_LIST(DROP_TEXT)
#undef DROP_TEXT
};

static const char *const count_names[] = {
#define COUNT_NAME(name, text) #name,
        PLX_COUNT_LIST(COUNT_NAME)
#undef COUNT_NAME
};

static void
test_the_enum_of_drops_is_the_list_in_order(void)
{
	CU_ASSERT_EQUAL_FATAL(sizeof(drop_names) / sizeof(drop_names[0]), PLX_DROP_CNT);
	for (unsigned i = 0; i < PLX_DROP_CNT; i++) {
		CU_ASSERT_STRING_EQUAL(plx_drop_name(i), drop_names[i]);
		CU_ASSERT_STRING_EQUAL(plx_drop_text(i), drop_texts[i]);
	}
}

static void
test_the_enum_of_counters_is_the_list_in_order(void)
{
	CU_ASSERT_EQUAL_FATAL(sizeof(count_names) / sizeof(count_names[0]), PLX_COUNT_CNT);
	for (unsigned i = 0; i < PLX_COUNT_CNT; i++) {
		CU_ASSERT_STRING_EQUAL(plx_count_name(i), count_names[i]);
		CU_ASSERT(strlen(plx_count_text(i)) > 0);
	}
}

static void
test_no_two_names_or_sentences_are_the_same(void)
{
	for (unsigned i = 0; i < PLX_DROP_CNT; i++) {
		for (unsigned j = 0; j < i; j++) {
			CU_ASSERT_STRING_NOT_EQUAL(plx_drop_name(i), plx_drop_name(j));
			CU_ASSERT_STRING_NOT_EQUAL(plx_drop_text(i), plx_drop_text(j));
		}
	}
	for (unsigned i = 0; i < PLX_COUNT_CNT; i++) {
		for (unsigned j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(plx_count_name(i), plx_count_name(j));
	}
}

static void
test_an_index_outside_the_lists_has_no_name(void)
{
	CU_ASSERT_STRING_EQUAL(plx_drop_name(PLX_DROP_CNT), "?");
	CU_ASSERT_STRING_EQUAL(plx_drop_text((enum plx_drop)1000), "?");
	CU_ASSERT_STRING_EQUAL(plx_count_name(PLX_COUNT_CNT), "?");
	CU_ASSERT_STRING_EQUAL(plx_count_text((enum plx_count)1000), "?");
}

#define ROUNDS 100000

static void *
write_counters(void *arg)
{
	struct plx_obs *o = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		plx_obs_add(o, PLX_COUNT_rx_pkts, 32);
		plx_obs_drop(o, PLX_DROP_NET_SHORT, 1);
	}
	return NULL;
}

static void
test_a_reader_beside_the_writer_sees_counters_only_grow(void)
{
	static struct plx_obs o;
	uint64_t last = 0, back_cnt = 0;
	pthread_t t;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, write_counters, &o), 0);
	while (last < 32 * ROUNDS) {
		uint64_t now = plx_obs_get(&o, PLX_COUNT_rx_pkts);

		back_cnt += now < last;
		last = now;
	}
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(back_cnt, 0);
	CU_ASSERT_EQUAL(plx_obs_get(&o, PLX_COUNT_rx_pkts), 32 * ROUNDS);
	CU_ASSERT_EQUAL(plx_obs_get_drop(&o, PLX_DROP_NET_SHORT), ROUNDS);
	CU_ASSERT_EQUAL(plx_obs_get_drop(&o, PLX_DROP_NET_NOT_IP), 0);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"the enum of drops is the list, in order",
	         test_the_enum_of_drops_is_the_list_in_order},
	        {"the enum of counters is the list, in order",
	         test_the_enum_of_counters_is_the_list_in_order},
	        {"no two names or sentences are the same",
	         test_no_two_names_or_sentences_are_the_same},
	        {"an index outside the lists has no name",
	         test_an_index_outside_the_lists_has_no_name},
	        {"a reader beside the writer sees counters only grow",
	         test_a_reader_beside_the_writer_sees_counters_only_grow},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"obs", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
