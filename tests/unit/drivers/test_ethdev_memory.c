/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Too little EAL memory: the message names a number, and with that number it works. The second
 * half is this program again, started with that number, since a process has one EAL.
 */
#include "plx_test.h"

#include <sys/wait.h>
#include <unistd.h>

#include <plx/err.h>

#include "plx_ethdev.h"
#include "plx_test_eal.h"

#define LITTLE_MB 16

static int
open_port(char *err, size_t err_sz)
{
	struct plx_ethdev_cfg cfg = {
	        .device = {"net_ring0"}, .device_cnt = 1, .rxq = 2, .txq = 2};
	struct plx_pio *p;
	int rc = plx_ethdev_open(&p, &cfg, err, err_sz);

	if (rc == 0)
		p->ops->close(p);
	return rc;
}

/** Runs this program with -m mb. @return whether the port opened there */
static bool
opens_with(unsigned mb)
{
	char arg[16];
	int status = 0;
	pid_t pid;

	snprintf(arg, sizeof(arg), "%u", mb);
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "test_ethdev_memory", arg, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static void
test_message_names_the_memory_that_suffices(void)
{
	char err[PLX_ETHDEV_ERR_SZ] = "";
	const char *use;
	unsigned mb = 0;

	PLX_COVERS("F13");
	CU_ASSERT_EQUAL(open_port(err, sizeof(err)), PLX_E_NOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "-m 16 given"));
	use = strstr(err, "use -m ");
	CU_ASSERT_PTR_NOT_NULL_FATAL(use);
	CU_ASSERT_EQUAL(sscanf(use, "use -m %u", &mb), 1);
	CU_ASSERT_TRUE(mb > LITTLE_MB && mb < 100);
	CU_ASSERT_TRUE(opens_with(mb));
}

static void
test_a_failed_open_can_be_repeated(void)
{
	char err[PLX_ETHDEV_ERR_SZ];

	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(open_port(err, sizeof(err)), PLX_E_NOMEM);
}

static void
test_the_need_is_known_before_eal_starts(void)
{
	struct plx_ethdev_cfg cfg = {
	        .device = {"net_ring0"}, .device_cnt = 1, .rxq = 2, .txq = 2};

	CU_ASSERT_TRUE(opens_with((unsigned)(plx_ethdev_mem_need(&cfg) >> 20) + 8));
}

int
main(int argc, char **argv)
{
	char err[PLX_ETHDEV_ERR_SZ];
	CU_TestInfo tests[] = {
	        {"the message names the memory that suffices",
	         test_message_names_the_memory_that_suffices},
	        {"a failed open can be repeated", test_a_failed_open_can_be_repeated},
	        {"the need is known before EAL starts",
	         test_the_need_is_known_before_eal_starts},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"ethdev: memory", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	if (argc == 2) {
		if (plx_test_eal("plx_test_memory2",
		                 (unsigned)strtoul(argv[1], NULL, 10)) != 0)
			return EXIT_FAILURE;
		return open_port(err, sizeof(err)) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (plx_test_eal("plx_test_memory", LITTLE_MB) != 0)
		return EXIT_FAILURE;
	return plx_test_main(suites);
}
