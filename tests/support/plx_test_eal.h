/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * EAL for a test program: one program, one EAL, called once in main(). No hugepages, no shared
 * configuration, no devices of the machine; needs no rights.
 */
#ifndef PLX_TEST_EAL_H
#define PLX_TEST_EAL_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

/* "--lcores=(0-3)@(0,1)": several lcores may share a CPU. */
static inline void
plx_test_lcores(char *buf, size_t sz, unsigned cnt)
{
	cpu_set_t set;
	size_t n;
	bool first = true;

	if (cnt == 1 || sched_getaffinity(0, sizeof(set), &set) != 0) {
		snprintf(buf, sz, "--lcores=0@%d", plx_test_cpu());
		return;
	}
	n = (size_t)snprintf(buf, sz, "--lcores=(0-%u)@(", cnt - 1);
	for (int i = 0; i < CPU_SETSIZE && n + 8 < sz; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		n += (size_t)snprintf(buf + n, sz - n, first ? "%d" : ",%d", i);
		first = false;
	}
	snprintf(buf + n, sz - n, ")");
}

/**
 * plx_test_memory() is the argument about pages: none of the machine's, unless a measurement asks
 * for hugepages as an engine would have them (PLX_TEST_HUGE=1; tests/bench/run.py sets it).
 */
static inline const char *
plx_test_memory(void)
{
	return getenv("PLX_TEST_HUGE") != NULL ? "--in-memory" : "--no-huge";
}

/**
 * plx_test_eal_lcores() starts EAL with cnt lcores that share all CPUs of this process.
 *
 * @param prefix  name of the program; the process number is added
 * @param mb      memory, MiB
 * @param cnt     lcores, the main one included, 1..64
 * @return 0, -1 (EAL has said why); end with rte_eal_cleanup()
 */
static inline int
plx_test_eal_lcores(const char *prefix, unsigned mb, unsigned cnt)
{
	char name[96], mem[16], lcores[512], prog[] = "plx_test", *arg[16];
	const char *const fixed[] = {plx_test_memory(), "--no-shconf", "--no-pci",
	                             "--no-telemetry", "--log-level=error"};
	char text[5][24];
	int argc = 0;

	snprintf(name, sizeof(name), "--file-prefix=%s-%ld", prefix, (long)getpid());
	snprintf(mem, sizeof(mem), "-m%u", mb);
	plx_test_lcores(lcores, sizeof(lcores), cnt);
	arg[argc++] = prog;
	for (unsigned i = 0; i < 5; i++) {
		snprintf(text[i], sizeof(text[i]), "%s", fixed[i]);
		arg[argc++] = text[i];
	}
	arg[argc++] = mem;
	arg[argc++] = lcores;
	arg[argc++] = name;
	arg[argc] = NULL;
	return rte_eal_init(argc, arg) < 0 ? -1 : 0;
}

/** plx_test_eal() starts EAL with one lcore. */
static inline int
plx_test_eal(const char *prefix, unsigned mb)
{
	return plx_test_eal_lcores(prefix, mb, 1);
}

#endif
