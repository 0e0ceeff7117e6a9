/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * EAL for a test program: one program, one EAL, called once in main(). No hugepages, no shared
 * configuration, no devices of the machine; needs no rights.
 */
#ifndef PLX_TEST_EAL_H
#define PLX_TEST_EAL_H

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>

/** The first CPU this process may run on; a container's set need not contain 0. */
static inline int
plx_test_cpu(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 0;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (CPU_ISSET(i, &set))
			return i;
	}
	return 0;
}

/**
 * plx_test_eal() starts EAL with one lcore.
 *
 * @param prefix  name of the program; the process number is added
 * @param mb      memory, MiB
 * @return 0, -1 (EAL has said why); end with rte_eal_cleanup()
 */
static inline int
plx_test_eal(const char *prefix, unsigned mb)
{
	char name[96], mem[16], lcores[32], prog[] = "plx_test", *arg[16];
	static const char *const fixed[] = { "--no-huge", "--no-shconf", "--no-pci",
					     "--no-telemetry", "--log-level=warning" };
	char text[5][24];
	int cnt = 0;

	snprintf(name, sizeof(name), "--file-prefix=%s-%ld", prefix, (long)getpid());
	snprintf(mem, sizeof(mem), "-m%u", mb);
	snprintf(lcores, sizeof(lcores), "--lcores=0@%d", plx_test_cpu());
	arg[cnt++] = prog;
	for (unsigned i = 0; i < 5; i++) {
		snprintf(text[i], sizeof(text[i]), "%s", fixed[i]);
		arg[cnt++] = text[i];
	}
	arg[cnt++] = mem;
	arg[cnt++] = lcores;
	arg[cnt++] = name;
	arg[cnt] = NULL;
	return rte_eal_init(cnt, arg) < 0 ? -1 : 0;
}

#endif
