/* SPDX-License-Identifier: BSD-3-Clause */
#include <plx_test.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "plx_progress.h"
#include "plx_result.h"
#include "plx_signal.h"
#include "plx_url.h"
#include "plx_versions.h"

static void
test_urls(void)
{
	static const struct {
		const char *url;
		const char *host, *authority, *path, *file;
		unsigned port;
	} good[] = {
	        {"https://a.example", "a.example", "a.example", "/", "index.html", 443},
	        {"https://a.example/x/y?q=1#f", "a.example", "a.example", "/x/y?q=1", "y",
	         443},
	        {"HTTPS://a:8443/", "a", "a:8443", "/", "index.html", 8443},
	        {"https://192.0.2.1:4433/f.bin", "192.0.2.1", "192.0.2.1:4433", "/f.bin",
	         "f.bin", 4433},
	        {"https://[2001:db8::1]:443/a", "2001:db8::1", "[2001:db8::1]", "/a", "a",
	         443},
	        {"https://[::1]?x", "::1", "[::1]", "/?x", "index.html", 443},
	        {"https://a/b/..", "a", "a", "/b/..", "index.html", 443},
	        {"https://a/b?c=/d/e", "a", "a", "/b?c=/d/e", "b", 443},
	};
	static const char *const bad[] = {
	        "http://a/",        "a/b",
	        "https://",         "https:///x",
	        "https://u@a/",     "https://a:0/",
	        "https://a:65536/", "https://a:x/",
	        "https://a b/",     "https://[::1/",
	        "https://::1/",     "https://[::1]x/",
	        "https://a/\n",     "",
	        "https://:443/",
	};
	struct plx_url u;
	struct plx_errtext err;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(plx_url_parse(good[i].url, &u, &err), 0);
		CU_ASSERT_STRING_EQUAL(u.host, good[i].host);
		CU_ASSERT_STRING_EQUAL(u.authority, good[i].authority);
		CU_ASSERT_STRING_EQUAL(u.path, good[i].path);
		CU_ASSERT_STRING_EQUAL(u.file, good[i].file);
		CU_ASSERT_EQUAL(u.port, good[i].port);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.s[0] = '\0';
		CU_ASSERT_EQUAL(plx_url_parse(bad[i], &u, &err), PLX_E_INVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.s, "URL '"));
	}
}

static void
test_long_urls(void)
{
	char url[4096];
	struct plx_url u;
	struct plx_errtext err;

	memset(url, 'a', sizeof(url));
	memcpy(url, "https://", 8);
	url[8 + 255] = '\0';
	CU_ASSERT_EQUAL(plx_url_parse(url, &u, &err), 0);
	url[8 + 255] = 'a';
	url[8 + 256] = '\0';
	CU_ASSERT_EQUAL(plx_url_parse(url, &u, &err), PLX_E_INVAL);
	url[8 + 256] = 'a';
	url[9] = '/';
	url[9 + 2046] = '\0';
	CU_ASSERT_EQUAL(plx_url_parse(url, &u, &err), 0);
	CU_ASSERT_EQUAL(strlen(u.path), 2046);
	url[9 + 2046] = 'a';
	url[9 + 2047] = '\0';
	CU_ASSERT_EQUAL(plx_url_parse(url, &u, &err), PLX_E_INVAL);
}

static void
test_resolve(void)
{
	struct plx_addr a[4];
	struct plx_errtext err;
	char label[80];
	uint32_t cnt;

	CU_ASSERT_EQUAL(plx_resolve("192.0.2.1", 443, PLX_FAMILY_NONE, a, 4, &cnt, &err),
	                0);
	CU_ASSERT_EQUAL(cnt, 1);
	CU_ASSERT_EQUAL(a[0].family, PLX_FAMILY_IPV4);
	CU_ASSERT_EQUAL(plx_resolve("2001:db8::1", 443, PLX_FAMILY_NONE, a, 4, &cnt, &err),
	                0);
	CU_ASSERT_EQUAL(a[0].family, PLX_FAMILY_IPV6);
	CU_ASSERT_EQUAL(plx_resolve("192.0.2.1", 443, PLX_FAMILY_IPV6, a, 4, &cnt, &err),
	                PLX_E_NOENT);
	/* A label of more than 63 bytes is no name, so no server is asked. */
	memset(label, 'x', 70);
	label[70] = '\0';
	CU_ASSERT_EQUAL(plx_resolve(label, 443, PLX_FAMILY_NONE, a, 4, &cnt, &err),
	                PLX_E_NOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.s, "does not resolve"));
	CU_ASSERT_EQUAL(cnt, 0);
}

static void
test_progress_plain(void)
{
	struct plx_progress p;
	char *text = NULL;
	size_t len = 0;
	FILE *f = tmpfile();

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	plx_progress_init(&p, PLX_CONFIG_PROGRESS_AUTO, f);
	CU_ASSERT_FALSE(p.redraw);
	CU_ASSERT_TRUE(plx_progress_due(&p, PLX_NS_PER_S));
	CU_ASSERT_FALSE(plx_progress_due(&p, 2 * PLX_NS_PER_S - 1));
	CU_ASSERT_TRUE(plx_progress_due(&p, 2 * PLX_NS_PER_S));
	plx_progress_line(&p, "a %d", 1);
	plx_progress_line(&p, "b");
	plx_progress_end(&p);
	CU_ASSERT_EQUAL(fseek(f, 0, SEEK_SET), 0);
	CU_ASSERT(getdelim(&text, &len, EOF, f) > 0);
	CU_ASSERT_STRING_EQUAL(text, "a 1\nb\n");
	free(text);
	plx_progress_init(&p, PLX_CONFIG_PROGRESS_NONE, f);
	CU_ASSERT_FALSE(plx_progress_due(&p, PLX_NS_PER_S));
	fclose(f);
}

static void
test_progress_tty(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct plx_progress p;
	char buf[256] = "";
	int slave;
	ssize_t n;
	FILE *f;

	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
	    ptsname(master) == NULL)
		PLX_SKIP("no pseudo terminal");
	/* Not as controlling terminal: closing it would send us SIGHUP. */
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	f = slave < 0 ? NULL : fdopen(slave, "r+");
	if (f == NULL)
		PLX_SKIP("no pseudo terminal");
	setenv("TERM", "xterm", 1);
	setenv("NO_COLOR", "1", 1);
	plx_progress_init(&p, PLX_CONFIG_PROGRESS_AUTO, f);
	CU_ASSERT_TRUE(p.redraw);
	CU_ASSERT_FALSE(p.color);
	plx_progress_line(&p, "longer");
	plx_progress_line(&p, "x");
	plx_progress_end(&p);
	n = read(master, buf, sizeof(buf) - 1);
	CU_ASSERT(n > 0);
	CU_ASSERT_PTR_NULL(strchr(buf, '\033'));
	CU_ASSERT_PTR_NULL(strchr(buf, '\n'));
	CU_ASSERT_STRING_EQUAL(buf, "\rlonger\r\rx     \r\r \r");
	unsetenv("NO_COLOR");
	plx_progress_init(&p, PLX_CONFIG_PROGRESS_AUTO, f);
	CU_ASSERT_TRUE(p.color);
	plx_progress_init(&p, PLX_CONFIG_PROGRESS_LINE, f);
	CU_ASSERT_FALSE(p.redraw);
	setenv("TERM", "dumb", 1);
	plx_progress_init(&p, PLX_CONFIG_PROGRESS_AUTO, f);
	CU_ASSERT_FALSE(p.redraw);
	fclose(f);
	close(master);
}

/* Signals itself `at_once` times, then, when `later`, once more after the time of repeats. */
static int
child(int at_once, bool later)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		struct plx_signal s;
		struct pollfd pfd;

		alarm(10);
		if (plx_signal_init(&s) != 0)
			_exit(99);
		pfd = (struct pollfd){.fd = s.fd, .events = POLLIN};
		for (int i = 0; i < at_once; i++) {
			kill(getpid(), i % 2 == 0 ? SIGTERM : SIGINT);
			if (poll(&pfd, 1, 5000) != 1 || !plx_signal_got(&s))
				_exit(98);
		}
		if (later) {
			poll(NULL, 0, (int)(PLX_SIGNAL_SAME_NS / PLX_NS_PER_MS) + 50);
			kill(getpid(), SIGINT);
			poll(NULL, 0, 5000);
		}
		plx_signal_fini(&s);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_signals(void)
{
	CU_ASSERT_EQUAL(child(0, false), 0);
	CU_ASSERT_EQUAL(child(1, false), 0);
	CU_ASSERT_EQUAL(child(2, false), 0);
	CU_ASSERT_EQUAL(child(1, true), 130);
}

static void
test_versions(void)
{
	struct plx_version v[PLX_VERSION_CNT];

	CU_ASSERT_TRUE(plx_version_cmp("3.5.10", "3.5.5") > 0);
	CU_ASSERT_EQUAL(plx_version_cmp("3.5", "3.5.0"), 0);
	CU_ASSERT_TRUE(plx_version_cmp("3.5", "3.5.1") < 0);
	CU_ASSERT_EQUAL(plx_version_cmp("24.11.8", "24.11.8-rc1"), 0);
	CU_ASSERT_TRUE(plx_version_cmp("", "1") < 0);
	plx_versions(v);
	for (unsigned i = 0; i < PLX_VERSION_CNT; i++)
		CU_ASSERT_TRUE(v[i].version[0] != '\0');
}

static void
test_result(void)
{
	static char arg0[] = "pollux", arg1[] = "get";
	static const struct plx_cmd_entry cmd = {.name = "get"};
	char *argv[] = {arg0, arg1, NULL}, path[] = "/tmp/plx-result-XXXXXX";
	struct plx_app_ctx ctx = {.cmd = &cmd, .argc = 2, .argv = argv};
	struct plx_hist *h = calloc(1, sizeof(*h));
	json_t *r, *back;
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0 && h != NULL);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(plx_config_init(&ctx.cfg), 0);
	free(ctx.cfg.telemetry.result);
	ctx.cfg.telemetry.result = strdup(path);
	plx_hist_add(h, 1000);
	r = plx_result_new(&ctx);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	json_object_set_new(r, "latency", plx_result_hist(h));
	CU_ASSERT_EQUAL(plx_result_write(&ctx, r, PLX_EXIT_OK), 0);
	json_decref(r);
	back = json_load_file(path, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(back, "schema")),
	                       "pollux-result/1");
	r = json_object_get(back, "run");
	CU_ASSERT_EQUAL(json_array_size(json_object_get(r, "argv")), 2);
	CU_ASSERT_EQUAL(strlen(json_string_value(json_object_get(r, "config_sha256"))), 64);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(r, "exit_code")), 0);
	CU_ASSERT_TRUE(json_real_value(json_object_get(r, "duration_s")) < 60);
	r = json_object_get(back, "latency");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(r, "p50_ns")), 1000);
	r = json_object_get(json_object_get(back, "env"), "libraries");
	CU_ASSERT_TRUE(json_is_string(json_object_get(r, "OpenSSL")));
	json_decref(back);
	unlink(path);
	plx_config_fini(&ctx.cfg);
	free(h);
}

static CU_TestInfo tests[] = {
        {"URLs are read in parts, bad ones refused by name", test_urls},
        {"long URLs are refused, not cut", test_long_urls},
        {"what does not resolve is said so", test_resolve},
        {"progress elsewhere than on a terminal is plain lines, one a second",
         test_progress_plain},
        {"progress on a terminal is redrawn, without colour when NO_COLOR is set",
         test_progress_tty},
        {"the first signal asks, one repeated at once too, a later one ends with 130",
         test_signals},
        {"versions compare by number", test_versions},
        {"a result file holds run, environment and numbers", test_result},
        CU_TEST_INFO_NULL,
};

static CU_SuiteInfo suites[] = {
        {"app_helpers", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
};

int
main(void)
{
	return plx_test_main(suites);
}
