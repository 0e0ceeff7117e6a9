/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs that cannot work, and runs that are interrupted: the sentence, the code, the leftovers. */
#include "cli_run.h"

#include <dirent.h>
#include <sched.h>

#include "plx_test_run.h"

#define RING    "--port-vdev net_ring0 --port-addresses 192.0.2.1/24 "
#define SERVE   "serve " RING "--eal-file-prefix plxcli --eal-no-huge true "
#define GET     "get " RING "--eal-file-prefix plxcli --eal-no-huge true "
#define DEMO    "demo --eal-file-prefix plxcli --eal-no-huge true "
#define SIGNALS 30

/* What runs leave in the directory, beside the files of this program. */
static bool
left_behind(void)
{
	static const char *const ours[] = {
	        ".",       "..",   "a.pem", "a.key", "b.pem",    "b.key",      "old.pem",
	        "old.key", "dpdk", "file",  "www",   "junk.pem", "result.json"};
	DIR *d = opendir(dir);
	bool left = false;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		bool known = false;

		for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			known |= strcmp(e->d_name, ours[i]) == 0;
		if (!known)
			printf("\n    left: %s", e->d_name);
		left |= !known;
	}
	if (d != NULL)
		closedir(d);
	/* EAL's directory is empty: its parent can be removed. */
	if (rmdir(in_dir("dpdk")) != 0 && access(in_dir("dpdk"), F_OK) == 0)
		left = true;
	return left;
}

/* CUnit asserts in tests only, so the first test that needs the files makes them. */
static void
make_files(void)
{
	if (access(in_dir("a.pem"), F_OK) == 0)
		return;
	make_pair("a.pem", "a.key", 3600 * 24 * 100);
	make_pair("b.pem", "b.key", 3600 * 24 * 100);
	make_pair("old.pem", "old.key", -60);
	write_file("junk.pem", "junk\n");
	write_file("file", "x");
}

/* "words --cert FILE --key FILE --serve-root DIRECTORY", in order. */
static const char *
serve(const char *cert, const char *key, const char *root)
{
	static char text[1024];

	snprintf(text, sizeof(text), SERVE "--tls-cert %s --tls-key %s --serve-root %s",
	         in_dir(cert), in_dir(key), in_dir(root));
	return text;
}

static void
test_serve_refuses(void)
{
	PLX_COVERS("F15");
	make_files();
	refused(2, "needs --tls-cert and --tls-key;openssl req", SERVE);
	refused(2, "no.pem;cannot be read;No such file", serve("no.pem", "a.key", "www"));
	refused(2, "no.key;cannot be read;No such file", serve("a.pem", "no.key", "www"));
	refused(2, "junk.pem;holds no PEM certificate", serve("junk.pem", "a.key", "www"));
	refused(2, "b.key;does not belong to;a.pem", serve("a.pem", "b.key", "www"));
	refused(2, "old.pem;has expired", serve("old.pem", "old.key", "www"));
	refused(2, "file;is not a directory", serve("a.pem", "a.key", "file"));
	refused(2, "none;No such file", serve("a.pem", "a.key", "none"));
	CU_ASSERT_FALSE(left_behind());
}

static void
test_unreadable_key(void)
{
	PLX_COVERS("F15");
	make_files();
	if (geteuid() == 0 && access("/usr/bin/setpriv", X_OK) != 0)
		PLX_SKIP("no setpriv");
	chmod(in_dir("b.key"), 0);
	how.unprivileged = geteuid() == 0;
	refused(2, "b.key;cannot be read;Permission denied",
	        serve("b.pem", "b.key", "www"));
	how.unprivileged = false;
	chmod(in_dir("b.key"), 0600);
	CU_ASSERT_FALSE(left_behind());
}

static void
test_no_rights(void)
{
	if (geteuid() == 0 && access("/usr/bin/setpriv", X_OK) != 0)
		PLX_SKIP("no setpriv");
	how.unprivileged = geteuid() == 0;
	refused(3, "net_af_packet;needs CAP_NET_RAW;run as root",
	        "get --port-vdev net_af_packet0,iface=lo --port-addresses 192.0.2.1/24 "
	        "--eal-file-prefix plxcli --eal-no-huge true https://192.0.2.2/x");
	how.unprivileged = false;
	CU_ASSERT_FALSE(left_behind());
}

static void
test_get_refuses(void)
{
	char text[512];

	make_files();
	refused(2, "needs a URL", GET);
	refused(2, "http://192.0.2.2/;only https://", GET "http://192.0.2.2/");
	refused(1, "no-such-host.invalid;does not resolve",
	        GET "https://no-such-host.invalid/x");
	snprintf(text, sizeof(text), GET "--get-output %s https://192.0.2.2/x",
	         in_dir("file"));
	refused(2, "file;is not a directory", text);
	snprintf(text, sizeof(text), GET "--tls-ca %s https://192.0.2.2/x",
	         in_dir("no.pem"));
	refused(2, "no.pem;cannot be read", text);
	CU_ASSERT_FALSE(left_behind());
}

/* A ring port hears only itself: nobody answers. */
static void
test_no_answer(void)
{
	const struct run *r;

	how.in_dir = true;
	r = pollux(GET "--quic-handshake-timeout-ms 300 https://192.0.2.2/x");
	how.in_dir = false;
	CU_ASSERT_EQUAL(r->code, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(r->err, "192.0.2.2: no answer; check address"));
	CU_ASSERT_FALSE(left_behind());
}

static void
test_memory_and_queues(void)
{
	PLX_COVERS("F13");
	refused(3, "too little memory;needs;is 8;--eal-memory-mb",
	        GET "--eal-memory-mb 8 https://192.0.2.2/x");
	refused(3, "too little memory;1048576 MiB are asked for",
	        GET "--eal-memory-mb 1048576 https://192.0.2.2/x");
	if (sysconf(_SC_PHYS_PAGES) < (INT64_C(800) << 30) / sysconf(_SC_PAGESIZE)) {
		refused(3, "quic.max_conns: 16777214 connections;MiB;machine has;or less",
		        GET "--quic-max-conns 16777214 https://192.0.2.2/x");
		refused(3, "quic.max_conns: 16777214 connections;on 2 workers;or less",
		        "check --quic-max-conns 16777214 --workers-count 2");
	}
	refused(2, "net_ring0;transmit queues;each worker needs one",
	        GET "--workers-count 20 https://192.0.2.2/x");
	refused(2, "queues: 5 queues;only 1 workers",
	        GET "--port-queues 5 https://192.0.2.2/x");
	CU_ASSERT_FALSE(left_behind());
}

static void
test_result_file(void)
{
	char text[512];
	const struct run *r;

	snprintf(text, sizeof(text), DEMO "--result %s/none/r.json", dir);
	refused(2, "r.json cannot be written;No such file", text);
	if (geteuid() == 0 && access("/usr/bin/setpriv", X_OK) == 0) {
		/* Not asked for: the demo runs without. */
		how.unprivileged = how.in_dir = true;
		r = pollux(DEMO "--demo-duration-s 1");
		how.unprivileged = how.in_dir = false;
		CU_ASSERT_EQUAL(r->code, 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(r->err, "no result file"));
		CU_ASSERT_PTR_NULL(strstr(r->out, "result file:"));
	}
	CU_ASSERT_FALSE(left_behind());
}

static void
test_demo(void)
{
	const struct run *r;

	how.in_dir = true;
	r = pollux(DEMO "--demo-duration-s 8");
	how.in_dir = false;
	CU_ASSERT_EQUAL(r->code, 0);
	for (const char *const *w =
	             (const char *const[]){"handshakes", "download", "upload",
	                                   "small requests", "per busy server core", "p99",
	                                   "server engine:", "client engine:", "wire:",
	                                   "result file: result.json", NULL};
	     *w != NULL; w++)
		CU_ASSERT_PTR_NOT_NULL(strstr(r->out, *w));
	/* Plain lines elsewhere than on a terminal, one a second. */
	CU_ASSERT_PTR_NULL(strchr(r->err, '\r'));
	CU_ASSERT_PTR_NOT_NULL(strstr(r->err, "download"));
	CU_ASSERT_EQUAL(access(in_dir("result.json"), R_OK), 0);
	remove(in_dir("result.json"));
	CU_ASSERT_FALSE(left_behind());
}

/* At any moment of start, run and end: a code that is documented, nothing left, no hang. */
static void
interrupted(const char *words, int done, int within_ms)
{
	uint32_t seed = 12345;

	how.in_dir = true;
	how.sig = SIGINT;
	for (unsigned i = 0; i < SIGNALS; i++) {
		const struct run *r;

		seed = seed * 1664525 + 1013904223;
		/* The first moments, where signals are not watched yet, are the shell's. */
		how.sig_ms = 20 + (int)((seed >> 8) % (uint32_t)within_ms);
		r = pollux(words);
		if (r->code != 130 && r->code != done)
			printf("\n    after %d ms: %d, %s", how.sig_ms, r->code, r->err);
		CU_ASSERT_TRUE(r->code == 130 || r->code == done);
		CU_ASSERT_FALSE(left_behind());
	}
	how = (struct how){0};
	remove(in_dir("result.json"));
}

static void
test_interrupted_demo(void)
{
	interrupted(DEMO "--demo-duration-s 1", 0, 1500);
}

static void
test_interrupted_serve(void)
{
	make_files();
	/* A server ends in order on a signal, which is success. */
	interrupted(serve("a.pem", "a.key", "www"), 0, 500);
}

static void
test_interrupted_get(void)
{
	interrupted(GET "https://192.0.2.2/x", 130, 500);
}

/* A memif without its peer: get waits for the link for 2 s. The machine may be busy: best of. */
static void
test_interrupted_wait_for_a_link(void)
{
	int64_t best = INT64_MAX;
	char text[512];

	snprintf(
	        text, sizeof(text),
	        "get --port-vdev net_memif0,role=server,socket=%s,socket-abstract=no "
	        "--port-addresses 192.0.2.1/24 --eal-file-prefix plxcli --eal-no-huge true "
	        "https://192.0.2.2/x",
	        in_dir("no.sock"));
	for (int i = 0; i < 5; i++) {
		const struct run *r;

		how.in_dir = true;
		how.sig = SIGINT;
		how.sig_ms = 1000; /* EAL is up by then */
		r = pollux(text);
		best = r->end_ms < best ? r->end_ms : best;
		CU_ASSERT_EQUAL(r->code, 130);
		CU_ASSERT_STRING_EQUAL(r->err, "");
		how = (struct how){0};
		CU_ASSERT_FALSE(left_behind());
	}
	if (best > 200)
		printf("\n    %lld ms", (long long)best);
	CU_ASSERT_TRUE(best <= 200);
}

/* check --probe with the devices in words, in a network namespace with a veth of two queues. */
static const struct run *
probe_veth(const char *devices)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "check --probe --port-addresses 192.0.2.1/24 --eal-file-prefix plxcli "
	         "--eal-no-huge true %s",
	         devices);
	return pollux(text);
}

#define XDP(n) "--port-vdev net_af_xdp" #n ",iface=plxq0,start_queue=" #n ",busy_budget=0 "

static void
queues_without_a_device(void)
{
	const struct run *r = probe_veth(XDP(0));

	if (r->code == 3)
		PLX_SKIP("AF_XDP needs root and a kernel with it");
	CU_ASSERT_EQUAL(r->code, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(
	        r->out, "plxq0 has 2 receive queues and 1 net_af_xdp device: packets on "
	                "the others go to the kernel"));
	CU_ASSERT_PTR_NOT_NULL(strstr(r->out, "add devices with start_queue=1.."));
	CU_ASSERT_PTR_NOT_NULL(strstr(r->out, "`ethtool -L plxq0 rx 1`"));
	/* Both ways out of it. */
	r = probe_veth("--workers-count 2 " XDP(0) XDP(1));
	CU_ASSERT_EQUAL(r->code, 0);
	CU_ASSERT_PTR_NULL(strstr(r->out, "receive queues"));
	CU_ASSERT_EQUAL(plx_test_run("ethtool -L plxq1 tx 1"), 0);
	CU_ASSERT_EQUAL(plx_test_run("ethtool -L plxq0 rx 1"), 0);
	r = probe_veth(XDP(0));
	CU_ASSERT_EQUAL(r->code, 0);
	CU_ASSERT_PTR_NULL(strstr(r->out, "receive queues"));
	CU_ASSERT_FALSE(left_behind());
}

static void
test_queues_without_a_device(void)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (here < 0 || unshare(CLONE_NEWNET) != 0) {
		if (here >= 0)
			close(here);
		PLX_SKIP("no right to make a network namespace");
	}
	if (plx_test_run("ip link add plxq0 numrxqueues 2 numtxqueues 2 type veth "
	                 "peer name plxq1 numrxqueues 2 numtxqueues 2") == 0 &&
	    plx_test_run("ip link set plxq0 up") == 0 &&
	    plx_test_run("ip link set plxq1 up") == 0)
		queues_without_a_device();
	else
		CU_FAIL("no veth");
	CU_ASSERT_EQUAL(setns(here, CLONE_NEWNET), 0);
	close(here);
}

static int
init(void)
{
	if (make_dir() != 0)
		return -1;
	/* Others read what is here, and may not write. */
	return chmod(dir, 0755) != 0 || mkdir(in_dir("www"), 0755) != 0;
}

static int
fini(void)
{
	static const char *const names[] = {"a.pem",   "a.key",   "b.pem",      "b.key",
	                                    "old.pem", "old.key", "junk.pem",   "file",
	                                    "www",     "dpdk",    "result.json"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove(in_dir(names[i]));
	free(last.out);
	free(last.err);
	/* Fails, and so does the suite, when a run left something. */
	return rmdir(dir);
}

static CU_TestInfo tests[] = {
        {"serve names the certificate, key or directory that cannot work",
         test_serve_refuses},
        {"a key that may not be read is named", test_unreadable_key},
        {"a device without the rights for it is refused with the rights", test_no_rights},
        {"get names the URL, directory or trust store that cannot work", test_get_refuses},
        {"a peer that never answers ends get with 1 and the address", test_no_answer},
        {"memory and queues that are not there are refused with numbers",
         test_memory_and_queues},
        {"receive queues without a net_af_xdp device are named",
         test_queues_without_a_device},
        {"a result file that cannot be written is refused before the run",
         test_result_file},
        {"the demo ends with its table, plain lines and result.json", test_demo},
        {"the demo, interrupted at thirty moments, ends in order", test_interrupted_demo},
        {"serve, interrupted at thirty moments, ends in order", test_interrupted_serve},
        {"get, interrupted at thirty moments, ends in order", test_interrupted_get},
        {"a wait for a link ends within 200 ms of the signal",
         test_interrupted_wait_for_a_link},
        CU_TEST_INFO_NULL,
};

static CU_SuiteInfo suites[] = {
        {"runs", init, fini, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
};

int
main(void)
{
	return plx_test_main(suites);
}
