/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>

#include <plx/err.h>

#include "plx_test.h"

static const struct {
	int err;
	const char *name;
	const char *text;
} errors[] = {
#define ERR_ROW(name, val, text) {PLX_E_##name, "PLX_E_" #name, text},
        PLX_ERR_LIST(ERR_ROW)
#undef ERR_ROW
};
#define ERR_CNT ((int)(sizeof(errors) / sizeof(errors[0])))

static void
test_every_error_has_its_name_and_its_sentence(void)
{
	for (int i = 0; i < ERR_CNT; i++) {
		CU_ASSERT_STRING_EQUAL(plx_errname(errors[i].err), errors[i].name);
		CU_ASSERT_STRING_EQUAL(plx_strerror(errors[i].err), errors[i].text);
	}
	CU_ASSERT_STRING_EQUAL(plx_errname(0), "PLX_OK");
	CU_ASSERT_STRING_EQUAL(plx_strerror(0), "success");
}

static void
test_errors_are_the_numbers_from_minus_one_without_a_hole(void)
{
	for (int i = 0; i < ERR_CNT; i++)
		CU_ASSERT_EQUAL(errors[i].err, -1 - i);
}

static void
test_no_two_errors_share_a_sentence(void)
{
	for (int i = 0; i < ERR_CNT; i++) {
		for (int j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(errors[i].text, errors[j].text);
	}
}

static void
test_numbers_outside_the_list_are_unknown(void)
{
	const int outside[] = {1, 29, -1 - ERR_CNT, -1000, INT_MAX, INT_MIN};

	for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		CU_ASSERT_STRING_EQUAL(plx_errname(outside[i]), "PLX_E_?");
		CU_ASSERT_STRING_EQUAL(plx_strerror(outside[i]), "unknown error");
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"every error has its name and its sentence",
	         test_every_error_has_its_name_and_its_sentence},
	        {"errors are the numbers from -1 without a hole",
	         test_errors_are_the_numbers_from_minus_one_without_a_hole},
	        {"no two errors share a sentence", test_no_two_errors_share_a_sentence},
	        {"numbers outside the list are unknown",
	         test_numbers_outside_the_list_are_unknown},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"errors", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
