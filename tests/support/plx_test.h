/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * CUnit runner that cannot pass by accident: a suite whose init fails, a run that stopped early
 * and a program without tests are failures. The last line printed is
 * "N passed, N failed, N skipped", counted in tests.
 *
 * Names of tests are sentences. PLX_COVERS("S1-42", "A5") as the first statement of a test names
 * the requirement rows that it would notice being broken; ./dev trace reads the marks.
 */
#ifndef PLX_TEST_H
#define PLX_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

/*
 * All of CUnit's assertions end in one call. A fatal one that does not hold leaves the test by
 * longjmp there; abort() says so to compilers and analyzers, and is what happens where CUnit has
 * no test to leave: in the init or cleanup of a suite, which must not go on either.
 */
#define CU_assertImplementation(value, line, text, file, function, fatal)                \
	do {                                                                             \
		const bool plx_held_ = (value);                                          \
                                                                                         \
		(CU_assertImplementation)(plx_held_, line, text, file, function, fatal); \
		if ((fatal) && !plx_held_)                                               \
			abort();                                                         \
	} while (0)

#define PLX_COVERS(...) \
	do {            \
	} while (0)

/** Exit code by which a program says that it could not run here (no rights, no hugepages). */
#define PLX_TEST_SKIP 77

static unsigned plx_test_skipped_cnt;

/** Ends a test without a verdict, with the reason; the runner counts it as skipped. */
#define PLX_SKIP(why)                           \
	do {                                    \
		printf("skipped: %s\n", (why)); \
		plx_test_skipped_cnt++;         \
		return;                         \
	} while (0)

static inline int
plx_test_main(CU_SuiteInfo *suites)
{
	unsigned run, failed;
	bool ok;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (CU_initialize_registry() != CUE_SUCCESS ||
	    CU_register_suites(suites) != CUE_SUCCESS)
		return EXIT_FAILURE;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	ok = CU_basic_run_tests() == CUE_SUCCESS;
	ok = ok && CU_get_number_of_suites_failed() == 0; /* a failed init runs nothing */
	ok = ok && CU_get_number_of_failures() == 0;
	run = CU_get_number_of_tests_run();
	failed = CU_get_number_of_tests_failed();
	ok = ok && run > 0;
	if (!ok && failed == 0)
		failed = 1;
	printf("\n%u passed, %u failed, %u skipped\n",
	       run > failed + plx_test_skipped_cnt ? run - failed - plx_test_skipped_cnt
	                                           : 0,
	       failed, plx_test_skipped_cnt);
	CU_cleanup_registry();
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
