/* SPDX-License-Identifier: BSD-3-Clause */
#include <plx_test.h>

#include "config/plx_test_samples.h"

#include "plx_config.h"
#include "plx_config_flags.h"

static const struct plx_opt opts[] = {
        {"iface", "NAME", "a network device"},
        {"json", NULL, "as JSON"},
        {0},
};
static const struct plx_short shorts[] = {{'o', "output"}, {0}};
static const struct plx_flags_spec spec = {"get", opts, shorts};

static int
load(struct plx_config *c, const char *text, struct plx_errtext *err)
{
	err->s[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(plx_config_init(c), 0);
	return plx_config_load_text(c, "t.yaml", text, strlen(text), err);
}

/* Loads a text that must be refused with a sentence containing every word of words (';'). */
static void
refused(const char *text, const char *words)
{
	struct plx_config c;
	struct plx_errtext err;
	char list[256], *save = NULL;
	int rc = load(&c, text, &err);

	if (rc == 0)
		rc = plx_config_check(&c, &err);
	CU_ASSERT_EQUAL(rc, PLX_E_CONFIG);
	snprintf(list, sizeof(list), "%s", words);
	for (char *w = strtok_r(list, ";", &save); w != NULL;
	     w = strtok_r(NULL, ";", &save)) {
		if (strstr(err.s, w) == NULL)
			printf("\n    no '%s' in: %s", w, err.s);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.s, w));
	}
	CU_ASSERT_PTR_NULL(strchr(err.s, '\n'));
	plx_config_fini(&c);
}

static void
test_defaults(void)
{
	struct plx_config c;
	struct plx_errtext err;
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);

	CU_ASSERT_EQUAL_FATAL(plx_config_init(&c), 0);
	CU_ASSERT_EQUAL(plx_config_check(&c, &err), 0);
	CU_ASSERT_EQUAL(c.quic.mtu, 1452);
	CU_ASSERT_EQUAL(c.quic.retry, PLX_CONFIG_RETRY_AUTO);
	CU_ASSERT_EQUAL(c.eal.memory_mb, 0);
	CU_ASSERT_STRING_EQUAL(c.tls.cert, "");
	CU_ASSERT_TRUE(c.tls.verify);
	for (uint32_t i = 0; i < cnt; i++) {
		CU_ASSERT_PTR_NOT_NULL(k[i].help);
		if (k[i].type == PLX_KEY_U32)
			CU_ASSERT_TRUE(k[i].max <= UINT32_MAX && k[i].min <= k[i].max);
	}
	plx_config_fini(&c);
}

static void
test_flags_distinct(void)
{
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);
	char a[PLX_KEY_NAME_MAX], b[PLX_KEY_NAME_MAX];

	for (uint32_t i = 0; i < cnt; i++) {
		plx_key_flag(&k[i], 0, a);
		for (uint32_t j = 0; j < cnt; j++) {
			if (i == j)
				continue;
			CU_ASSERT_STRING_NOT_EQUAL(a, plx_key_flag(&k[j], 0, b));
			if (k[j].alias != NULL)
				CU_ASSERT_STRING_NOT_EQUAL(a, k[j].alias);
			if (k[i].alias != NULL && k[j].alias != NULL)
				CU_ASSERT_STRING_NOT_EQUAL(k[i].alias, k[j].alias);
		}
	}
}

static void
test_file(void)
{
	struct plx_config c;
	struct plx_errtext err;
	int rc = load(&c,
	              "version: 1\n"
	              "eal: { memory_mb: 256, vdev: [net_null0], no_huge: true }\n"
	              "ports:\n"
	              "  - vdev: [\"net_memif0,role=client\"]\n"
	              "    addresses: [\"192.0.2.10/24\", \"2001:db8::10/64\"]\n"
	              "    gateway: 192.0.2.1\n"
	              "    offloads: { rss: require }\n"
	              "  - match: 0000:81:00.0\n"
	              "quic:\n"
	              "  cc: bbr\n"
	              "  cid: { server_id: \"0a0001\", steer: clear }\n"
	              "tls:\n"
	              "# everything below is commented out\n",
	              &err);

	if (rc != 0)
		printf("\n    %s", err.s);
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	CU_ASSERT_EQUAL(plx_config_check(&c, &err), 0);
	CU_ASSERT_EQUAL(c.eal.memory_mb, 256);
	CU_ASSERT_EQUAL(c.eal.no_huge, PLX_TRI_TRUE);
	CU_ASSERT_EQUAL_FATAL(c.port_cnt, 2);
	CU_ASSERT_STRING_EQUAL(c.ports[0].vdev.v[0], "net_memif0,role=client");
	CU_ASSERT_EQUAL(c.ports[0].addresses.cnt, 2);
	CU_ASSERT_EQUAL(c.ports[0].offloads.rss, PLX_WANT_REQUIRE);
	CU_ASSERT_EQUAL(c.ports[0].offloads.checksum, PLX_WANT_PREFER);
	CU_ASSERT_STRING_EQUAL(c.ports[1].match, "0000:81:00.0");
	CU_ASSERT_EQUAL(c.ports[1].offloads.rss, PLX_WANT_PREFER);
	CU_ASSERT_EQUAL(c.quic.cc, PLX_CONFIG_CC_BBR);
	CU_ASSERT_STRING_EQUAL(c.quic.cid.server_id, "0a0001");
	CU_ASSERT_EQUAL(c.quic.cid.steer, PLX_CONFIG_STEER_CLEAR);
	plx_config_fini(&c);
	CU_ASSERT_EQUAL(load(&c, "", &err), 0);
	plx_config_fini(&c);
	CU_ASSERT_EQUAL(load(&c, "# nothing\n", &err), 0);
	plx_config_fini(&c);
}

static void
test_unknown_keys(void)
{
	refused("version: 1\nquic:\n  cc: bbr\n  idle_timout_ms: 3\n",
	        "t.yaml:4:;'idle_timout_ms';did you mean 'idle_timeout_ms'?");
	refused("version: 1\n\nqiuc:\n  cc: bbr\n",
	        "t.yaml:3:;'qiuc';did you mean 'quic'?");
	refused("ports:\n  - match: a\n  - match: b\n    mtuu: 1500\n",
	        "t.yaml:4:;'mtuu';'mtu'");
	refused("quic: { cc: bbr, florbl: 1 }\n", "t.yaml:1:;'florbl';pollux.yaml(5)");
	refused("quic:\n  root: /srv\n",
	        "t.yaml:2:;'root' does not belong here;serve.root");
}

static void
test_bad_values(void)
{
	refused("quic:\n  idle_timeout_ms: 5\n",
	        "t.yaml:2:;quic.idle_timeout_ms;5;out of range;100..86400000 ms");
	refused("quic:\n  cc: bbr2\n",
	        "t.yaml:2:;'bbr2';cubic|reno|bbr;did you mean 'bbr'");
	refused("quic:\n  max_data: lots\n", "t.yaml:2:;quic.max_data;'lots';whole number");
	refused("quic:\n  max_conns: -1\n", "t.yaml:2:;quic.max_conns;'-1'");
	refused("quic:\n  max_conns: 99999999999999999999999\n",
	        "t.yaml:2:;quic.max_conns");
	refused("quic:\n  pmtud: maybe\n", "t.yaml:2:;'maybe';true nor false");
	refused("quic:\n  cid:\n    server_id: \"0a0\"\n", "t.yaml:3:;server_id;hex");
	refused("version: 2\n", "t.yaml:1:;version;1..1");
	refused("ports:\n  - vdev: [a, b]\n    mtu: 1500\n  - match: x\n    mtu: 5\n",
	        "t.yaml:5:;ports[].mtu;1280..9600");
	refused("ports:\n  - vdev: [n0]\n    addresses:\n      - 192.0.2.1/24\n      - 192.0.2/24\n",
	        "t.yaml:5:;192.0.2/24");
	refused("ports:\n  - vdev: [n0]\n    gateway_mac: 01:00:5e:00:00:01\n",
	        "t.yaml:3:;gateway_mac");
	refused("eal:\n  file_prefix: a/b\n", "t.yaml:2:;file_prefix;a/b");
}

static void
test_bad_shapes(void)
{
	refused("quic: 7\n", "t.yaml:1:;key: value");
	refused("quic:\n  cc: [a]\n", "t.yaml:2:;one value");
	refused("eal:\n  vdev: net_ring0\n", "t.yaml:2:;list");
	refused("quic:\n  cc: \"bbr\n", "t.yaml;not YAML");
	refused("quic:\n  cc: bbr\n  cc: reno\n", "t.yaml:3:;'cc';twice");
	refused("- a\n", "t.yaml:1:");
}

static void
test_contradictions(void)
{
	refused("eal: { no_huge: true, in_memory: true }\n", "no_huge;in_memory;exclude");
	refused("ports: [ { match: a, gateway_mac: 02:00:00:00:00:01 } ]\n",
	        "ports[0];gateway");
	refused("ports: [ { match: a, vdev: [net_ring0] } ]\n", "ports[0];exclude");
	refused("ports: [ { match: a, addresses: [10.0.0.1/24], gateway: 10.0.1.1 } ]\n",
	        "ports[0];10.0.1.1;in no network");
	refused("quic: { max_data: 65536, max_stream_data: 131072 }\n",
	        "quic.max_stream_data;131072;65536");
	refused("quic: { keep_alive_ms: 30000 }\n", "keep_alive_ms;idle_timeout_ms");
	refused("tls: { cert: a.pem }\n", "cert and key");
	refused("ports: [ { match: a, queues: 5 } ]\n",
	        "ports[0].queues;5 queues;only 1 workers");
}

static void
test_round_trip(void)
{
	struct plx_config c, d;
	struct plx_errtext err;
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);
	char *one = NULL, *two = NULL;
	size_t one_len = 0, two_len = 0;
	FILE *f = open_memstream(&one, &one_len);

	CU_ASSERT_EQUAL_FATAL(load(&c,
	                           "eal: {extra: ['a b', 'c\"d\\e', '#x', 'null']}\n"
	                           "ports: [{match: x, vlan: 7}, {vdev: [n0,n1]}]\n"
	                           "quic: {retry: \"off\", keep_alive_ms: 100}\n"
	                           "tls: {keylog: 'a: b'}\n",
	                           &err),
	                      0);
	CU_ASSERT_EQUAL(plx_config_dump(&c, f), 0);
	fclose(f);
	CU_ASSERT_EQUAL_FATAL(load(&d, one, &err), 0);
	f = open_memstream(&two, &two_len);
	CU_ASSERT_EQUAL(plx_config_dump(&d, f), 0);
	fclose(f);
	CU_ASSERT_STRING_EQUAL(one, two);
	CU_ASSERT_STRING_EQUAL(d.eal.extra.v[1], "c\"d\\e");
	CU_ASSERT_STRING_EQUAL(d.eal.extra.v[3], "null");
	CU_ASSERT_STRING_EQUAL(d.tls.keylog, "a: b");
	CU_ASSERT_EQUAL(d.port_cnt, 2);
	for (uint32_t i = 0; i < cnt; i++) {
		char leaf[PLX_KEY_NAME_MAX];

		snprintf(leaf, sizeof(leaf), "%s:", plx_key_leaf(k[i].path));
		CU_ASSERT_PTR_NOT_NULL(strstr(one, leaf));
	}
	free(one);
	free(two);
	plx_config_fini(&c);
	plx_config_fini(&d);
}

/* A text that is right for the key and differs from its default. */
static const char *
other_value(const struct plx_key *k, char *buf, size_t sz)
{
	static const char *const forms[] = {
	        [PLX_FORM_ANY] = "x",
	        [PLX_FORM_FILE] = "f.pem",
	        [PLX_FORM_DIR] = "/d",
	        [PLX_FORM_IP] = "192.0.2.9",
	        [PLX_FORM_PREFIX] = "192.0.2.9/28",
	        [PLX_FORM_ENDPOINT] = "192.0.2.9:8443",
	        [PLX_FORM_MAC] = "02:00:00:00:00:09",
	        [PLX_FORM_SERVER_ID] = "0b",
	        [PLX_FORM_VDEV] = "net_ring7",
	        [PLX_FORM_NAME] = "n7",
	};

	switch (k->type) {
	case PLX_KEY_BOOL:
		return strcmp(k->def, "true") == 0 ? "false" : "true";
	case PLX_KEY_ENUM:
		return strcmp(k->def, k->names[0]) == 0 ? k->names[1] : k->names[0];
	case PLX_KEY_U32:
	case PLX_KEY_U64:
		snprintf(buf, sz, "%llu",
		         (unsigned long long)(k->max < 9999 ? k->max : k->min + 1));
		return buf;
	default:
		return forms[k->form];
	}
}

static void
test_every_key_every_way(void)
{
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);

	for (uint32_t i = 0; i < cnt; i++) {
		struct plx_config c;
		struct plx_errtext err = {""};
		struct plx_flags f = {0};
		char buf[32], name[PLX_KEY_NAME_MAX], flag[PLX_KEY_NAME_MAX + 3], env[128];
		char got[64];
		const char *text = other_value(&k[i], buf, sizeof(buf));
		char *argv[2] = {flag, NULL}, *envp[2] = {env, NULL};

		snprintf(flag, sizeof(flag), "--%s", plx_key_flag(&k[i], 0, name));
		argv[1] = strdup(text);
		snprintf(env, sizeof(env), "%s=%s", plx_key_env(&k[i], 0, name), text);

		CU_ASSERT_EQUAL_FATAL(plx_config_init(&c), 0);
		if (k[i].type == PLX_KEY_BOOL) {
			snprintf(flag, sizeof(flag), "--%s=%s",
			         plx_key_flag(&k[i], 0, name), text);
			CU_ASSERT_EQUAL(plx_flags_parse(&f, &spec, 1, argv, &err), 0);
		} else {
			CU_ASSERT_EQUAL(plx_flags_parse(&f, &spec, 2, argv, &err), 0);
		}
		CU_ASSERT_EQUAL(plx_flags_apply(&f, &c, &err), 0);
		plx_config_get_text(&c, &k[i], 0, 0, got, sizeof(got));
		if (strcmp(got, text) != 0)
			printf("\n    %s: '%s' became '%s' %s", flag, text, got, err.s);
		CU_ASSERT_STRING_EQUAL(got, text);
		plx_flags_fini(&f);
		plx_config_fini(&c);

		CU_ASSERT_EQUAL_FATAL(plx_config_init(&c), 0);
		CU_ASSERT_EQUAL(plx_config_env(&c, envp, &err), 0);
		plx_config_get_text(&c, &k[i], 0, 0, got, sizeof(got));
		CU_ASSERT_STRING_EQUAL(got, text);
		plx_config_fini(&c);
		free(argv[1]);
	}
}

static int
parse(struct plx_flags *f, int argc, const char *const *argv, struct plx_errtext *err)
{
	char *copy[16];
	int rc;

	for (int i = 0; i < argc; i++)
		copy[i] = strdup(argv[i]);
	*f = (struct plx_flags){0};
	err->s[0] = '\0';
	rc = plx_flags_parse(f, &spec, argc, copy, err);
	for (int i = 0; i < argc; i++)
		free(copy[i]);
	return rc;
}

static void
test_flag_forms(void)
{
	static const char *const argv[] = {"https://a/",
	                                   "--quic-cc=reno",
	                                   "--no-verify",
	                                   "-o",
	                                   "out",
	                                   "--port-vdev",
	                                   "n0",
	                                   "--vdev",
	                                   "n1",
	                                   "--iface",
	                                   "eth0",
	                                   "b",
	                                   "--",
	                                   "-l",
	                                   "0"};
	struct plx_flags f;
	struct plx_config c;
	struct plx_errtext err;

	CU_ASSERT_EQUAL_FATAL(parse(&f, 15, argv, &err), 0);
	CU_ASSERT_EQUAL_FATAL(plx_config_init(&c), 0);
	CU_ASSERT_EQUAL(plx_flags_apply(&f, &c, &err), 0);
	CU_ASSERT_EQUAL(c.quic.cc, PLX_CONFIG_CC_RENO);
	CU_ASSERT_FALSE(c.tls.verify);
	CU_ASSERT_STRING_EQUAL(c.get.output, "out");
	CU_ASSERT_EQUAL_FATAL(c.port_cnt, 1);
	CU_ASSERT_EQUAL(c.ports[0].vdev.cnt, 2);
	CU_ASSERT_STRING_EQUAL(plx_flags_opt(&f, "iface"), "eth0");
	CU_ASSERT_PTR_NULL(plx_flags_opt(&f, "json"));
	CU_ASSERT_EQUAL(f.operands.cnt, 2);
	CU_ASSERT_EQUAL_FATAL(f.eal.cnt, 2);
	CU_ASSERT_STRING_EQUAL(f.eal.v[0], "-l");
	plx_flags_fini(&f);
	plx_config_fini(&c);
}

static void
test_flag_errors(void)
{
	static const char *const unknown[] = {"--quic-c", "bbr"};
	static const char *const missing[] = {"--quic-cc"};
	static const char *const letter[] = {"-Z"};
	static const char *const value[] = {"--json=1"};
	struct plx_flags f;
	struct plx_errtext err;

	CU_ASSERT_EQUAL(parse(&f, 2, unknown, &err), PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.s, "did you mean '--quic-cc'"));
	plx_flags_fini(&f);
	CU_ASSERT_EQUAL(parse(&f, 1, missing, &err), PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.s, "needs a value"));
	plx_flags_fini(&f);
	CU_ASSERT_EQUAL(parse(&f, 1, letter, &err), PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.s, "'-Z'"));
	plx_flags_fini(&f);
	CU_ASSERT_EQUAL(parse(&f, 1, value, &err), PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.s, "takes no value"));
	plx_flags_fini(&f);
}

static void
test_precedence(void)
{
	static const char *const argv[] = {"--quic-mtu", "1300"};
	char mtu[] = "POLLUX_QUIC_MTU=1250", cc[] = "POLLUX_QUIC_CC=reno";
	char other[] = "POLLUX_ROOT=always", wrong[] = "POLLUX_QUIC_CX=1";
	char *envp[] = {mtu, cc, other, NULL}, *bad[] = {wrong, NULL};
	struct plx_config c;
	struct plx_errtext err;
	struct plx_flags f;

	CU_ASSERT_EQUAL_FATAL(
	        load(&c, "quic: { mtu: 1201, cc: bbr, max_conns: 7 }\n", &err), 0);
	CU_ASSERT_EQUAL(plx_config_env(&c, envp, &err), 0);
	CU_ASSERT_EQUAL(parse(&f, 2, argv, &err), 0);
	CU_ASSERT_EQUAL(plx_flags_apply(&f, &c, &err), 0);
	CU_ASSERT_EQUAL(c.quic.mtu, 1300);
	CU_ASSERT_EQUAL(c.quic.cc, PLX_CONFIG_CC_RENO);
	CU_ASSERT_EQUAL(c.quic.max_conns, 7);
	CU_ASSERT_EQUAL(c.quic.max_handshakes, 1024);
	CU_ASSERT_STRING_EQUAL(c.serve.root, ".");
	CU_ASSERT_EQUAL(plx_config_env(&c, bad, &err), PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.s, "POLLUX_QUIC_CX"));
	plx_flags_fini(&f);
	plx_config_fini(&c);
}

static void
test_files(void)
{
	struct plx_config c;
	struct plx_errtext err;

	CU_ASSERT_EQUAL_FATAL(plx_config_init(&c), 0);
	CU_ASSERT_EQUAL(plx_config_load(&c, "/nonexistent/p.yaml", &err), PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.s, "/nonexistent/p.yaml: No such file"));
	CU_ASSERT_EQUAL(plx_config_load(&c, "/", &err), PLX_E_CONFIG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.s, "directory"));
	plx_config_fini(&c);
}

static void
test_samples(void)
{
	static const char *const name[] = {"serve", "get", "lab-server", "lab-client",
	                                   "af_packet"};

	for (unsigned i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		struct plx_config c;
		struct plx_errtext err = {""};
		char path[512];

		snprintf(path, sizeof(path), PLX_TEST_SAMPLES "/%s.yaml", name[i]);
		CU_ASSERT_EQUAL_FATAL(plx_config_init(&c), 0);
		CU_ASSERT_EQUAL(plx_config_load(&c, path, &err), 0);
		CU_ASSERT_EQUAL(plx_config_check(&c, &err), 0);
		if (err.s[0] != '\0')
			printf("\n    %s", err.s);
		CU_ASSERT_EQUAL(c.port_cnt, 1);
		plx_config_fini(&c);
	}
}

static CU_TestInfo tests[] = {
        {"defaults are in range and fit together", test_defaults},
        {"no two keys share a flag", test_flags_distinct},
        {"a file sets nested keys, lists and ports, and empty sections are fine",
         test_file},
        {"unknown keys are refused with line and suggestion", test_unknown_keys},
        {"bad values are refused with line, key, value and range", test_bad_values},
        {"wrong YAML shapes are refused with a line", test_bad_shapes},
        {"contradictions are refused with both keys named", test_contradictions},
        {"what dump writes reads back to the same", test_round_trip},
        {"every key is a flag and an environment variable", test_every_key_every_way},
        {"flags take all their forms", test_flag_forms},
        {"wrong flags are refused with a sentence", test_flag_errors},
        {"flag beats environment beats file beats default", test_precedence},
        {"missing files and directories are named", test_files},
        {"the samples load", test_samples},
        CU_TEST_INFO_NULL,
};

static CU_SuiteInfo suites[] = {
        {"config", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
};

int
main(void)
{
	return plx_test_main(suites);
}
