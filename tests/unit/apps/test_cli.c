/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs the program as a user does and looks at exit code and what it says. */
#include "cli_run.h"

#include <jansson.h>

/* "<args> <dir>/<name>" */
static const char *
with(const char *args, const char *name)
{
	static char line[512];

	snprintf(line, sizeof(line), "%s %s", args, in_dir(name));
	return line;
}

static void
test_help(void)
{
	const struct run *r = pollux("--help");
	unsigned lines = 0, column = 0;

	CU_ASSERT_EQUAL(r->code, 0);
	for (const char *p = r->out; *p != '\0'; p++) {
		column = *p == '\n' ? 0 : column + 1;
		lines += *p == '\n';
		CU_ASSERT_TRUE(column <= 80);
	}
	CU_ASSERT_TRUE(lines <= 24);
	for (const char *const *w =
	             (const char *const[]){"doctor", "check", "130", "--config", NULL};
	     *w != NULL; w++)
		CU_ASSERT_PTR_NOT_NULL(strstr(r->out, *w));
	r = pollux("check --help");
	CU_ASSERT_EQUAL(r->code, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(r->out, "--probe"));
	CU_ASSERT_PTR_NOT_NULL(strstr(r->out, "--eal-lcores"));
	CU_ASSERT_EQUAL(pollux("help doctor")->code, 0);
	CU_ASSERT_EQUAL(pollux("")->code, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.err, "pollux <command>"));
}

static void
test_version(void)
{
	static const char *const names[] = {
	        ("pollux " PLX_VERSION), "DPDK",    "ngtcp2",  "nghttp3",  "OpenSSL",
	        "intel-ipsec-mb",        "libnuma", "jansson", "libcyaml", "build"};
	const struct run *r = pollux("--version");

	CU_ASSERT_EQUAL(r->code, 0);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(r->out, names[i]));
	CU_ASSERT_EQUAL(pollux("check --version")->code, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.out, "OpenSSL"));
}

static void
test_usage(void)
{
	refused(2, "unknown command 'dotcor';did you mean 'doctor'", "dotcor");
	refused(2, "unknown flag '--quic-c';did you mean '--quic-cc'",
	        "check --quic-c bbr");
	refused(2, "unknown flag '-Z';--help", "check -Z");
	refused(2, "--quic-cc needs a value", "check --quic-cc");
	refused(2, "--quic-cc: 'bbr2';cubic|reno|bbr", "check --quic-cc bbr2");
	refused(2, "--quic-mtu: 99999;1200..9000", "check --quic-mtu 99999");
	refused(2, "'extra' is not expected", "check extra");
	refused(2, "EAL argument;-- <command>", "-l 0");
	refused(2, "EAL argument", "--no-huge --");
	refused(2, "unknown command 'nope'", "--no-huge -- nope");
	refused(2, "no_huge and in_memory exclude",
	        "check --eal-no-huge true --eal-in-memory true");
}

static void
test_config_files(void)
{
	write_file("key.yaml", "version: 1\nquic:\n  ccc: bbr\n");
	write_file("value.yaml", "quic:\n  idle_timeout_ms: 1\n");
	write_file("good.yaml", "quic: { cc: bbr }\n");
	refused(2, "key.yaml:3: unknown key 'ccc';did you mean 'cc'",
	        with("check -c", "key.yaml"));
	refused(2, "value.yaml:2: quic.idle_timeout_ms: 1;100..86400000",
	        with("check -c", "value.yaml"));
	refused(2, "no.yaml: No such file", with("check --config", "no.yaml"));
	refused(2, "it is a directory", with("check -c", "."));
	CU_ASSERT_EQUAL(pollux(with("check -c", "good.yaml"))->code, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.out, "MiB"));
}

static void
test_dump_round_trip(void)
{
	char *first;

	CU_ASSERT_EQUAL(pollux("check --dump-config --quic-cc bbr --vdev net_ring0,a=b "
	                       "--address 192.0.2.1/24 --port1-vdev net_null0 --tls-ca a+b")
	                        ->code,
	                0);
	first = strdup(last.out);
	CU_ASSERT_PTR_NOT_NULL(strstr(first, "cc: bbr"));
	write_file("dump.yaml", first);
	CU_ASSERT_EQUAL(pollux(with("check --dump-config -c", "dump.yaml"))->code, 0);
	CU_ASSERT_STRING_EQUAL(last.out, first);
	free(first);
}

static void
test_certificates(void)
{
	char args[512];

	make_pair("a.pem", "a.key", 3600 * 24 * 100);
	make_pair("b.pem", "b.key", 3600 * 24 * 100);
	make_pair("old.pem", "old.key", -60);
	write_file("junk.pem", "junk\n");

	snprintf(args, sizeof(args), "check --cert %s --key %s", in_dir("a.pem"),
	         in_dir("a.key"));
	CU_ASSERT_EQUAL(pollux(args)->code, 0);
	CU_ASSERT_STRING_EQUAL(last.err, "");
	snprintf(args, sizeof(args), "check --cert %s --key %s", in_dir("no.pem"),
	         in_dir("a.key"));
	refused(2, "tls.cert;no.pem: No such file", args);
	snprintf(args, sizeof(args), "check --cert %s --key %s", in_dir("a.pem"),
	         in_dir("b.key"));
	refused(2, "tls.key;b.key does not belong to;a.pem", args);
	snprintf(args, sizeof(args), "check --cert %s --key %s", in_dir("old.pem"),
	         in_dir("old.key"));
	refused(2, "tls.cert;old.pem has expired", args);
	snprintf(args, sizeof(args), "check --cert %s --key %s", in_dir("junk.pem"),
	         in_dir("a.key"));
	refused(2, "tls.cert;junk.pem holds no PEM certificate", args);
	snprintf(args, sizeof(args), "check --cert %s --key %s", in_dir("a.pem"),
	         in_dir("a.pem"));
	refused(2, "tls.key;holds no private key", args);
	refused(2, "cert and key belong together", with("check --cert", "a.pem"));
	if (geteuid() != 0) {
		chmod(in_dir("a.key"), 0);
		snprintf(args, sizeof(args), "check --cert %s --key %s", in_dir("a.pem"),
		         in_dir("a.key"));
		refused(2, "tls.key;cannot read;Permission denied", args);
	}
}

static void
test_directories(void)
{
	write_file("file", "x");
	refused(2, "serve.root;is a file, a directory is expected",
	        with("check --root", "file"));
	refused(2, "get.output;is a file", with("check --output", "file"));
	refused(2, "serve.root;cannot find", with("check --root", "none"));
	refused(2, "telemetry.result;cannot be made",
	        with("check --result", "none/r.json"));
	refused(2, "tls.keylog;is a directory", with("check --keylog", "."));
}

/* Is anything of DPDK left in the runtime directory? */
static bool
left_behind(void)
{
	struct stat st;
	char path[160];

	snprintf(path, sizeof(path), "%s/dpdk/plxcli", dir);
	if (stat(path, &st) == 0)
		return true;
	snprintf(path, sizeof(path), "%s/plxcli", dir);
	return stat(path, &st) == 0;
}

#define PROBE \
	"check --probe --eal-no-huge true --eal-file-prefix plxcli --address 192.0.2.1/24 "

static void
test_devices(void)
{
	refused(3, "'net_nonsense0';no driver", PROBE "--vdev net_nonsense0");
	CU_ASSERT_FALSE(left_behind());
	if (geteuid() == 0)
		refused(3, "no network device 'plxnone'",
		        PROBE "--vdev net_af_packet0,iface=plxnone");
	else
		refused(3, "needs CAP_NET_RAW", PROBE "--vdev net_af_packet0,iface=lo");
	refused(3, "'0000:ff:1f.7';dpdk-devbind.py", PROBE "--port-match 0000:ff:1f.7");
	refused(2, "names no device;--port-vdev", PROBE);
	refused(3, "too little memory;needs;is 8;--eal-memory-mb",
	        PROBE "--vdev net_ring0 --eal-memory-mb 8");
	refused(3, "hugepages;--eal-no-huge true",
	        "check --probe --eal-no-huge false --quic-max-conns 1 --vdev net_ring0 "
	        "--address 192.0.2.1/24 --workers 128");
	refused(3, "DPDK did not start;lcore", PROBE "-- --lcores 0@4095");
	refused(3, "DPDK did not start;net_nonsense0", PROBE "--eal-vdev net_nonsense0");
	refused(3,
	        "DPDK did not start;EAL argument is unknown;'--no-such-eal-flag';eal.extra",
	        PROBE "-- --no-such-eal-flag");
	CU_ASSERT_FALSE(left_behind());
}

/* A required offload that is missing: the sentence, and the table behind it. */
static void
test_required_offload(void)
{
	const struct run *r =
	        pollux(PROBE "--vdev net_ring0 --port-offloads-checksum require");

	CU_ASSERT_EQUAL(r->code, 3);
	CU_ASSERT_PTR_NOT_NULL(strstr(r->err, "which is required"));
	CU_ASSERT_PTR_NOT_NULL(strstr(r->err, "rx UDP checksum"));
	CU_ASSERT_FALSE(left_behind());
}

#define FIRST "--no-huge --no-shconf --no-pci --no-telemetry -m 64 --file-prefix plxcli "

/* EAL itself would print two pages. */
static void
test_wrong_eal_arguments(void)
{
	const char *const behind =
	        "-- check --probe --vdev net_ring0 --address 192.0.2.1/24";
	static const struct {
		const char *args, *words;
	} list[] = {
	        {"--no-such-flag ", "EAL argument is unknown;'--no-such-flag';before '--'"},
	        {"--lcores=0@4095 ", "DPDK did not start;lcore"},
	        {"--iova-mode=sideways ", "DPDK did not start;iova-mode"},
	        {"--vdev=net_nonsense0 ", "DPDK did not start;net_nonsense0"},
	        {"-Z ", "EAL argument is unknown;'Z';before '--'"},
	        {"--socket-mem ", "DPDK did not start"},
	};
	char text[512];

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		snprintf(text, sizeof(text), FIRST "%s%s", list[i].args, behind);
		refused(3, list[i].words, text);
		CU_ASSERT_FALSE(left_behind());
	}
	/* Who asks for the pages gets them. */
	CU_ASSERT_EQUAL(pollux(FIRST "--help -- check --probe")->code, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.out, "EAL common options"));
}

static void
test_both_styles(void)
{
	CU_ASSERT_EQUAL(pollux(PROBE "--vdev net_ring0")->code, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.out, "port net_ring0"));
	CU_ASSERT_STRING_EQUAL(last.err, "");
	CU_ASSERT_EQUAL(pollux(PROBE "-- --vdev net_ring1")->code, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.out, "port net_ring1"));
	CU_ASSERT_EQUAL(
	        pollux("--no-huge --no-shconf --no-pci --no-telemetry -m 64 "
	               "--lcores (0-1)@(0) --file-prefix plxcli --log-level=*:error "
	               "--vdev net_ring3 -- check --probe --address 192.0.2.1/24")
	                ->code,
	        0);
	if (last.code != 0)
		printf("\n    %s", last.err);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.out, "port net_ring3"));
	CU_ASSERT_FALSE(left_behind());
}

static void
test_doctor(void)
{
	const struct run *r = pollux("doctor --json");
	json_t *root = json_loads(r->out, 0, NULL), *checks;

	CU_ASSERT_PTR_NOT_NULL_FATAL(root);
	CU_ASSERT_EQUAL(r->code, json_integer_value(json_object_get(root, "fail")) > 0);
	checks = json_object_get(root, "checks");
	CU_ASSERT_TRUE(json_array_size(checks) > 15);
	for (size_t i = 0; i < json_array_size(checks); i++) {
		const json_t *c = json_array_get(checks, i);
		const char *v = json_string_value(json_object_get(c, "verdict"));
		const char *fix = json_string_value(json_object_get(c, "fix"));

		/* Whatever is wrong has a fix. */
		CU_ASSERT_EQUAL(strcmp(v, "OK") == 0, *fix == '\0');
	}
	json_decref(root);
	CU_ASSERT_EQUAL(
	        pollux("doctor --cert /nonexistent.pem --key /nonexistent.key")->code, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.out, "FAIL  tls.cert"));
	CU_ASSERT_EQUAL(pollux("doctor --iface plxnone")->code, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(last.out, "plxnone"));
}

static void
test_man_page_is_current(void)
{
	FILE *f = fopen(PLX_TEST_MAN "/pollux.yaml.5.scd", "re");
	char *text = NULL;
	size_t len = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT(getdelim(&text, &len, EOF, f) > 0);
	fclose(f);
	CU_ASSERT_EQUAL(pollux("keys --man")->code, 0);
	if (strcmp(text, last.out) != 0)
		printf("\n    run: pollux keys --man > docs/man/pollux.yaml.5.scd");
	CU_ASSERT_STRING_EQUAL(text, last.out);
	free(text);
}

static int
fini(void)
{
	static const char *const names[] = {
	        "key.yaml", "value.yaml", "good.yaml", "dump.yaml", "a.pem",
	        "a.key",    "b.pem",      "b.key",     "old.pem",   "old.key",
	        "junk.pem", "file",       "dpdk"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove(in_dir(names[i]));
	free(last.out);
	free(last.err);
	/* Fails, and so does the suite, when a run left something. */
	return rmdir(dir);
}

static CU_TestInfo tests[] = {
        {"--help fits one screen and tells exit codes", test_help},
        {"--version names every library", test_version},
        {"wrong command lines end with 2 and one sentence", test_usage},
        {"wrong configuration files end with 2, file and line", test_config_files},
        {"--dump-config reads back to the same", test_dump_round_trip},
        {"certificates and keys that cannot work are named", test_certificates},
        {"a directory that is a file is named", test_directories},
        {"devices, memory and EAL arguments that cannot work end with 3, nothing is left",
         test_devices},
        {"a required offload that is missing ends with 3 and the table",
         test_required_offload},
        {"EAL arguments go before or after", test_both_styles},
        {"a wrong EAL argument is one sentence in either style", test_wrong_eal_arguments},
        {"doctor gives a fix for whatever is not OK, and exits by its verdict",
         test_doctor},
        {"pollux.yaml(5) is what the table of keys says", test_man_page_is_current},
        CU_TEST_INFO_NULL,
};

static CU_SuiteInfo suites[] = {
        {"cli", make_dir, fini, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
};

int
main(void)
{
	return plx_test_main(suites);
}
