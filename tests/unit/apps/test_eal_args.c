/* SPDX-License-Identifier: BSD-3-Clause */
#include <plx_test.h>

#include "plx_eal.h"

static const struct plx_eal_want want = {.lcore_cnt = 4, .memory_mb = 100};
static const struct plx_eal_host plain = {"0-1", 2, 0, 8192, 42};
static const struct plx_eal_host huge = {"0-1", 2, 1024, 8192, 42};

struct made {
	struct plx_config c;
	struct plx_strv extra;
	struct plx_strv out;
	struct plx_errtext err;
	int rc;
};

/* yaml may be NULL; extra are words with spaces between. */
static struct made *
make(const char *yaml, const char *extra, const struct plx_eal_host *host)
{
	static struct made m;
	char words[128], *save = NULL;

	plx_strv_clear(&m.out);
	plx_strv_clear(&m.extra);
	plx_config_fini(&m.c);
	memset(&m, 0, sizeof(m));
	CU_ASSERT_EQUAL_FATAL(plx_config_init(&m.c), 0);
	if (yaml != NULL)
		CU_ASSERT_EQUAL_FATAL(
		        plx_config_load_text(&m.c, "t", yaml, strlen(yaml), &m.err), 0);
	snprintf(words, sizeof(words), "%s", extra);
	for (char *w = strtok_r(words, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save))
		plx_strv_add(&m.extra, w);
	m.rc = plx_eal_args(&m.c, &m.extra, &want, host, &m.out, &m.err);
	return &m;
}

static unsigned
count(const struct made *m, const char *arg)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < m->out.cnt; i++)
		n += strcmp(m->out.v[i], arg) == 0;
	return n;
}

static void
test_without_hugepages(void)
{
	struct made *m = make(NULL, "", &plain);

	CU_ASSERT_EQUAL_FATAL(m->rc, 0);
	CU_ASSERT_STRING_EQUAL(m->out.v[0], "pollux");
	CU_ASSERT_EQUAL(count(m, "--no-huge"), 1);
	CU_ASSERT_EQUAL(count(m, "--no-shconf"), 1);
	CU_ASSERT_EQUAL(count(m, "--in-memory"), 0);
	CU_ASSERT_EQUAL(count(m, "116"), 1);
	CU_ASSERT_EQUAL(count(m, "--no-pci"), 1);
	CU_ASSERT_EQUAL(count(m, "--iova-mode=va"), 1);
	CU_ASSERT_EQUAL(count(m, "--no-telemetry"), 1);
	CU_ASSERT_EQUAL(count(m, "--file-prefix=pollux-42"), 1);
	CU_ASSERT_EQUAL(count(m, "--lcores=(0-3)@(0-1)"), 1);
}

static void
test_with_hugepages(void)
{
	struct made *m = make(NULL, "", &huge);

	CU_ASSERT_EQUAL_FATAL(m->rc, 0);
	CU_ASSERT_EQUAL(count(m, "--in-memory"), 1);
	CU_ASSERT_EQUAL(count(m, "--no-huge"), 0);
	CU_ASSERT_EQUAL(count(m, "-m"), 0);
	m = make("eal: {in_memory: false, huge_dir: /mnt/huge}", "", &huge);
	CU_ASSERT_EQUAL(count(m, "--in-memory"), 0);
	CU_ASSERT_EQUAL(count(m, "--huge-dir=/mnt/huge"), 1);
	m = make("eal: {no_huge: true}", "", &huge);
	CU_ASSERT_EQUAL(count(m, "--no-huge"), 1);
	CU_ASSERT_EQUAL(count(m, "--in-memory"), 0);
}

static void
test_memory_modes_never_meet(void)
{
	static const char *const tri[] = {"auto", "true", "false"};
	static const char *const extra[] = {"", "--no-huge", "--in-memory"};

	for (unsigned i = 0; i < 81; i++) {
		char yaml[64];
		struct made *m;

		snprintf(yaml, sizeof(yaml), "eal: {in_memory: %s, no_huge: %s}",
		         tri[i % 3], tri[i / 3 % 3]);
		m = make(yaml, extra[i / 9 % 3], i / 27 == 0 ? &plain : &huge);
		CU_ASSERT_TRUE(m->rc != 0 ||
		               count(m, "--no-huge") + count(m, "--in-memory") <= 1);
		CU_ASSERT_TRUE((m->rc != 0) == (m->err.s[0] != '\0'));
	}
	CU_ASSERT_EQUAL(make("eal: {in_memory: true}", "--no-huge", &huge)->rc,
	                PLX_E_CONFIG);
}

static void
test_too_little(void)
{
	struct made *m = make("eal: {memory_mb: 64}", "", &plain);

	CU_ASSERT_EQUAL(m->rc, PLX_E_NOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(m->err.s, "needs 116 MiB"));
	CU_ASSERT_PTR_NOT_NULL(strstr(m->err.s, "is 64"));
	m = make("eal: {memory_mb: 116}", "", &plain);
	CU_ASSERT_EQUAL(m->rc, 0);
	m = make("eal: {no_huge: false}", "", &plain);
	CU_ASSERT_EQUAL(m->rc, PLX_E_NOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(m->err.s, "hugepages"));
}

static void
test_more_than_there_is(void)
{
	static const struct plx_eal_host small = {"0-1", 2, 0, 100, 42};
	struct made *m = make("eal: {memory_mb: 1048576}", "", &plain);

	PLX_COVERS("F13");
	CU_ASSERT_EQUAL(m->rc, PLX_E_NOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(m->err.s, "8192 MiB are free"));
	m = make(NULL, "", &small);
	CU_ASSERT_EQUAL(m->rc, PLX_E_NOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(m->err.s, "116 MiB are asked for, 100 MiB are free"));
	m = make("eal: {memory_mb: 2048}", "", &huge);
	CU_ASSERT_EQUAL(m->rc, PLX_E_NOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(m->err.s, "too few hugepages"));
}

static void
test_extra_wins(void)
{
	struct made *m =
	        make("telemetry: {dpdk: true}",
	             "-l 0-1 --file-prefix=x --iova-mode=pa --log-level=8 -m 256", &plain);

	CU_ASSERT_EQUAL_FATAL(m->rc, 0);
	for (uint32_t i = 0; i < m->out.cnt; i++) {
		CU_ASSERT_EQUAL(strncmp(m->out.v[i], "--lcores", 8) == 0, false);
		CU_ASSERT_EQUAL(strcmp(m->out.v[i], "--file-prefix=pollux-42") == 0, false);
	}
	CU_ASSERT_EQUAL(count(m, "--iova-mode=va"), 0);
	CU_ASSERT_EQUAL(count(m, "--no-telemetry"), 0);
	CU_ASSERT_EQUAL(count(m, "-m"), 1);
	CU_ASSERT_STRING_EQUAL(m->out.v[m->out.cnt - 1], "256");
	m = make(NULL, "-l0-1", &plain);
	for (uint32_t i = 0; i < m->out.cnt; i++)
		CU_ASSERT_EQUAL(strncmp(m->out.v[i], "--lcores", 8) == 0, false);
}

static void
test_devices(void)
{
	struct made *m = make("ports: [{match: '0000:81:00.0'}]\n"
	                      "eal: {vdev: [net_null0], allow: ['0000:82:00.1'], "
	                      "lcores: '0@2,1@3'}",
	                      "", &huge);

	CU_ASSERT_EQUAL(count(m, "--no-pci"), 0);
	CU_ASSERT_EQUAL(count(m, "--allow=0000:81:00.0"), 1);
	CU_ASSERT_EQUAL(count(m, "--allow=0000:82:00.1"), 1);
	CU_ASSERT_EQUAL(count(m, "--vdev=net_null0"), 1);
	CU_ASSERT_EQUAL(count(m, "--lcores=0@2,1@3"), 1);
	m = make("ports: [{vdev: [net_ring0]}]", "", &huge);
	CU_ASSERT_EQUAL(count(m, "--no-pci"), 1);
	CU_ASSERT_EQUAL(count(m, "--vdev=net_ring0"), 0);
	make(NULL, "", &plain);
}

static void
test_host(void)
{
	struct plx_eal_host h;

	plx_eal_host(&h);
	CU_ASSERT_TRUE(h.cpu_cnt >= 1);
	CU_ASSERT_TRUE(h.cpus[0] >= '0' && h.cpus[0] <= '9');
	CU_ASSERT_TRUE(h.pid > 0);
}

static CU_TestInfo tests[] = {
        {"without hugepages: ordinary memory, as much as is needed",
         test_without_hugepages},
        {"with hugepages: in memory unless told otherwise", test_with_hugepages},
        {"--no-huge and --in-memory never meet", test_memory_modes_never_meet},
        {"too little memory is refused with both numbers", test_too_little},
        {"more memory than there is is refused before EAL tries", test_more_than_there_is},
        {"arguments given win over computed ones", test_extra_wins},
        {"PCI is probed only for devices that are named", test_devices},
        {"the host has a processor", test_host},
        CU_TEST_INFO_NULL,
};

static CU_SuiteInfo suites[] = {
        {"eal_args", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
};

int
main(void)
{
	return plx_test_main(suites);
}
