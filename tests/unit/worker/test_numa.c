/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which lcores workers get, and what is said where they are far from their port, on machines with
 * two NUMA nodes that this one need not have.
 */
#include <rte_launch.h>
#include <rte_lcore.h>

#include "plx_config.h"
#include "plx_ctl.h"
#include "plx_ctl_local.h"
#include "plx_engine_int.h"
#include "plx_log.h"
#include "plx_place.h"
#include "plx_test.h"
#include "plx_test_eal.h"

#define LCORES 4

/* Node of each lcore. */
struct machine {
	int node[LCORES + 4];
};

static int
lcore_node(void *arg, unsigned lcore)
{
	const struct machine *m = arg;

	return m->node[lcore];
}

static struct plx_numa
numa_of(struct machine *m)
{
	return (struct plx_numa){.lcore_node = lcore_node, .arg = m};
}

/* The lines that were logged. */
static char said[2048];

static void
take_line(void *arg, enum plx_log_level level, const char *line)
{
	size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%u %s\n", (unsigned)level, line);
}

static unsigned
lines_with(const char *words)
{
	unsigned cnt = 0;

	for (const char *p = said; (p = strstr(p, words)) != NULL; p++)
		cnt++;
	return cnt;
}

static void
lcores_of_the_node_come_first(void)
{
	struct machine m = {.node = {0, 0, 1, 0, 1, 0, 1}};
	const struct plx_numa numa = numa_of(&m);
	const unsigned from[] = {1, 2, 3, 4, 5, 6};
	static const struct {
		int node;
		uint16_t cnt;
		unsigned want[6];
	} cases[] = {
	        {1, 2, {2, 4}},       {0, 2, {1, 3}},
	        {1, 4, {2, 4, 6, 1}}, {0, 6, {1, 3, 5, 2, 4, 6}},
	        {-1, 3, {1, 2, 3}},   {7, 3, {1, 2, 3}},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned got[6] = {0};

		CU_ASSERT_TRUE(
		        plx_place_pick(got, cases[i].cnt, from, 6, cases[i].node, &numa));
		CU_ASSERT_EQUAL(memcmp(got, cases[i].want, sizeof(got)), 0);
	}
	CU_ASSERT_FALSE(plx_place_pick(NULL, 7, from, 6, 1, &numa));
}

/* An engine with a port on a node; what it said is in `said`. */
static void
run_engine(struct machine *m, uint16_t workers, int port_node, const unsigned *lcores)
{
	const struct plx_numa numa = numa_of(m);
	struct plx_ctl_opts o = {.name = "tnuma",
	                         .dial = true,
	                         .address = "192.0.2.1/24",
	                         .wire = true,
	                         .numa = &numa};
	struct plx_ctl_wire *wire;
	struct plx_config cfg;
	struct plx_ctl *ctl;
	char err[512] = "";

	said[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(plx_config_init(&cfg), 0);
	cfg.workers.count = workers;
	cfg.quic.max_conns = 16;
	CU_ASSERT_EQUAL_FATAL(plx_ctl_wire_open(&wire, workers, 1), 0);
	o.pio = plx_ctl_wire_port(wire, 0);
	o.pio->socket_id = (int16_t)port_node;
	CU_ASSERT_EQUAL_FATAL(plx_ctl_open(&ctl, &cfg, &o, err, sizeof(err)), 0);
	plx_log_set(take_line, NULL, PLX_LOG_INFO);
	CU_ASSERT_EQUAL_FATAL(plx_ctl_start(ctl, err, sizeof(err)), 0);
	plx_log_set(NULL, NULL, PLX_LOG_INFO);
	for (uint16_t i = 0; i < workers; i++)
		CU_ASSERT_EQUAL(rte_eal_get_lcore_state(lcores[i]), RUNNING);
	plx_ctl_close(ctl);
	plx_ctl_wire_close(wire);
	plx_config_fini(&cfg);
}

static void
a_worker_runs_on_the_node_of_its_port(void)
{
	struct machine m = {.node = {0, 0, 1, 1}};

	run_engine(&m, 1, 1, (const unsigned[]){2});
	CU_ASSERT_STRING_EQUAL(said, "");
	run_engine(&m, 1, 0, (const unsigned[]){1});
	CU_ASSERT_STRING_EQUAL(said, "");
	/* Nobody knows where the port is: the first lcore, and nothing to say. */
	run_engine(&m, 1, -1, (const unsigned[]){1});
	CU_ASSERT_STRING_EQUAL(said, "");
}

static void
a_worker_on_another_node_is_named(void)
{
	struct machine m = {.node = {0, 1, 0, 1}};

	run_engine(&m, 2, 0, (const unsigned[]){2, 1});
	CU_ASSERT_EQUAL(lines_with("NUMA node"), 1);
	CU_ASSERT_EQUAL(lines_with("1 worker 1 runs on NUMA node 1, port "), 1);
	CU_ASSERT_EQUAL(lines_with(" is on node 0: choose lcores of that node\n"), 1);
}

static void
a_port_on_a_node_without_lcores_works_all_the_same(void)
{
	struct machine m = {.node = {0, 0, 0, 0}};

	run_engine(&m, 1, 1, (const unsigned[]){1});
	CU_ASSERT_EQUAL(lines_with("worker 0 runs on NUMA node 0, port "), 1);
	CU_ASSERT_EQUAL(lines_with(" is on node 1: choose lcores of that node\n"), 1);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"lcores of the node come first", lcores_of_the_node_come_first},
	        {"a worker runs on the node of its port",
	         a_worker_runs_on_the_node_of_its_port},
	        {"a worker on another node is named", a_worker_on_another_node_is_named},
	        {"a port on a node without lcores works all the same",
	         a_port_on_a_node_without_lcores_works_all_the_same},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"numa", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};
	int rc;

	if (plx_test_eal_lcores("numa", 256, LCORES) != 0)
		return EXIT_FAILURE;
	rc = plx_test_main(suites);
	rte_eal_cleanup();
	return rc;
}
