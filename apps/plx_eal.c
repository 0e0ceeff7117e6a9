/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_eal.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>

#include "plx_ctl_host.h"

/* Enough of what DPDK said to explain a failure. */
#define SAID_MAX 1024

struct plx_eal {
	struct plx_strv args;
	char **argv; /* EAL reorders it, so it is a copy of args.v */
	FILE *log;
	bool pass;  /* what DPDK says goes to stderr; otherwise our sentences do */
	FILE *held; /* until it is known that DPDK starts; then it goes there too */
	char *held_text;
	size_t held_len;
	char said[SAID_MAX]; /* its first lines, where they were not passed on */
	size_t said_len;
	char refused[128]; /* what getopt said about an argument */
	FILE *stderr_real; /* while DPDK starts */
	bool up;
};

static ssize_t
take_log(void *cookie, const char *buf, size_t len)
{
	struct plx_eal *e = cookie;
	size_t room = SAID_MAX - 1 - e->said_len;

	if (e->pass && e->held == NULL) {
		fwrite(buf, 1, len, e->stderr_real != NULL ? e->stderr_real : stderr);
		return (ssize_t)len;
	}
	if (e->held != NULL)
		fwrite(buf, 1, len, e->held);
	memcpy(e->said + e->said_len, buf, len < room ? len : room);
	e->said_len += len < room ? len : room;
	e->said[e->said_len] = '\0';
	return (ssize_t)len;
}

/*
 * What is printed on stderr while DPDK starts, past its log: "program: option '--x' requires an
 * argument" is getopt's way to say what a sentence of ours will, the rest goes on.
 */
static ssize_t
take_stderr(void *cookie, const char *buf, size_t len)
{
	struct plx_eal *e = cookie;
	size_t name = strlen(e->argv[0]);
	const char *end = memchr(buf, '\n', len);

	if (e->refused[0] == '\0' && len > name + 2 && end != NULL &&
	    strncmp(buf, e->argv[0], name) == 0 && strncmp(buf + name, ": ", 2) == 0)
		snprintf(e->refused, sizeof(e->refused), "%.*s",
		         (int)(end - buf - (ptrdiff_t)name - 2), buf + name + 2);
	else
		fwrite(buf, 1, len, e->stderr_real);
	return (ssize_t)len;
}

/* Where a line of DPDK's log begins to say something. */
static const char *
skip_prefix(const char *line)
{
	static const char *const prefix[] = {
	        "EAL: ", "FATAL: ", "Error - exiting with code: 1"};

	for (unsigned i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++) {
		if (strncmp(line, prefix[i], strlen(prefix[i])) == 0)
			line += strlen(prefix[i]);
	}
	return line;
}

/* Lines that stand before or behind every failure and add nothing. */
static bool
says_nothing(const char *text)
{
	static const char *const empty[] = {"Failed to attach device",
	                                    "Driver cannot attach",
	                                    "Invalid 'command line' arguments",
	                                    "Failed to register mp action",
	                                    "Detected ",
	                                    "Multi-process socket",
	                                    "Selected IOVA mode",
	                                    "VFIO support initialized",
	                                    "Static memory layout is selected"};

	for (unsigned i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		if (strstr(text, empty[i]) != NULL)
			return true;
	}
	return *text == '\0';
}

/* The first lines in one, "; " between them, for the end of a sentence. */
static void
what_was_said(struct plx_eal *e, char *buf, size_t sz)
{
	size_t n = 0;
	char *save = NULL, *last = NULL;
	unsigned lines = 0;

	buf[0] = '\0';
	for (char *l = strtok_r(e->said, "\n", &save); l != NULL && lines < 3;
	     l = strtok_r(NULL, "\n", &save)) {
		const char *text = skip_prefix(l);

		if (says_nothing(text) || (last != NULL && strcmp(last, l) == 0))
			continue;
		n += (size_t)snprintf(buf + n, n < sz ? sz - n : 0, "%s%s",
		                      n > 0 ? "; " : "", text);
		if (n >= sz)
			break;
		last = l;
		lines++;
	}
}

/*
 * EAL makes its directory under /var/run as root, under XDG_RUNTIME_DIR otherwise, and does not
 * start without it. systemd's variable goes before both. Where neither can be had it is a
 * directory of this run: one in /tmp itself would stay there and shut other users out.
 */
static void
find_runtime_dir(struct plx_app_ctx *ctx)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char dir[] = "/tmp/pollux-XXXXXX";

	if (getenv("RUNTIME_DIRECTORY") != NULL)
		return;
	if (getuid() == 0 && access("/var/run", W_OK | X_OK) == 0)
		return;
	if (getuid() != 0 && xdg != NULL && access(xdg, W_OK | X_OK) == 0)
		return;
	if (mkdtemp(dir) == NULL)
		return;
	setenv("RUNTIME_DIRECTORY", dir, 1);
	snprintf(ctx->signal.scrap_dir[1], sizeof(ctx->signal.scrap_dir[1]), "%s/dpdk",
	         dir);
	snprintf(ctx->signal.scrap_dir[2], sizeof(ctx->signal.scrap_dir[2]), "%s", dir);
}

static const char *
advice(int error, const char *said)
{
	if (strstr(said, "unavailable") != NULL || strstr(said, "lcore") != NULL)
		return "name lcores this machine has, or map several to one processor: "
		       "--eal-lcores '(0-3)@(0,1)'";
	if (strstr(said, "hugepage") != NULL || strstr(said, "memory") != NULL ||
	    error == ENOMEM)
		return "give it memory: hugepages (dpdk-hugepages.py --setup 1G), or "
		       "--eal-no-huge true";
	if (error == EACCES || error == EPERM)
		return "run with the rights that 'pollux doctor' names";
	if (error == ENODEV || strstr(said, "vdev") != NULL ||
	    strstr(said, "probe") != NULL)
		return "check the device's name and arguments; 'pollux doctor' lists the drivers";
	if (error == EALREADY || error == EEXIST)
		return "another process has this file prefix; choose another --eal-file-prefix";
	return "'pollux doctor' looks for what is missing; --log-level debug shows what DPDK does";
}

static void
discard(struct plx_app_ctx *ctx)
{
	struct plx_eal *e = ctx->eal;

	rte_openlog_stream(NULL);
	if (e->log != NULL)
		fclose(e->log);
	plx_strv_clear(&e->args);
	if (e->held != NULL)
		fclose(e->held);
	free(e->held_text);
	free(e->argv);
	free(e);
	ctx->eal = NULL;
}

/* The directory holds nothing after cleanup, and EAL leaves it; its name ends with our prefix. */
static void
remember_runtime_dir(struct plx_app_ctx *ctx)
{
	const char *dir = rte_eal_get_runtime_dir();

	if (dir != NULL)
		snprintf(ctx->signal.scrap_dir[0], sizeof(ctx->signal.scrap_dir[0]),
		         "%.255s", dir);
}

static int
fail_start(struct plx_app_ctx *ctx, int error)
{
	struct plx_eal *e = ctx->eal;
	char said[512];
	const char *fix;

	what_was_said(e, said, sizeof(said));
	fix = advice(error, said);
	if (e->refused[0] != '\0')
		plx_fail(
		        PLX_EXIT_DEVICE,
		        "DPDK did not start: an EAL argument is unknown or lacks its value "
		        "(%s); correct those %s",
		        e->refused,
		        ctx->eal_first.cnt > 0 ? "before '--'"
		                               : "after '--' and in eal.extra");
	else if (*said != '\0')
		plx_fail(PLX_EXIT_DEVICE, "DPDK did not start: %s (%s); %s",
		         rte_strerror(error), said, fix);
	else if (error == EINVAL)
		plx_fail(PLX_EXIT_DEVICE,
		         "DPDK did not start: an EAL argument has a value that it does not "
		         "understand; correct those %s",
		         ctx->eal_first.cnt > 0 ? "before '--'"
		                                : "after '--' and in eal.extra");
	else
		plx_fail(PLX_EXIT_DEVICE, "DPDK did not start: %s; %s", rte_strerror(error),
		         fix);
	rte_eal_cleanup();
	remember_runtime_dir(ctx);
	plx_signal_scrap(&ctx->signal);
	discard(ctx);
	return PLX_EXIT_DEVICE;
}

static int
make_args(struct plx_app_ctx *ctx, const struct plx_eal_want *want)
{
	struct plx_eal *e = ctx->eal;
	struct plx_eal_host host;
	struct plx_errtext err;
	int rc = 0;

	if (ctx->eal_first.cnt > 0) {
		for (uint32_t i = 0; i < ctx->eal_first.cnt; i++)
			rc |= plx_strv_add(&e->args, ctx->eal_first.v[i]);
		plx_errtext_set(&err, "out of memory");
	} else {
		plx_eal_host(&host);
		rc = plx_eal_args(&ctx->cfg, &ctx->flags.eal, want, &host, &e->args, &err);
	}
	if (rc == 0) {
		e->argv = calloc(e->args.cnt + 1, sizeof(*e->argv));
		rc = e->argv == NULL;
	}
	if (rc == 0) {
		memcpy(e->argv, e->args.v, e->args.cnt * sizeof(*e->argv));
		return PLX_EXIT_OK;
	}
	return plx_fail(rc == PLX_E_CONFIG ? PLX_EXIT_USAGE : PLX_EXIT_DEVICE, "%s", err.s);
}

static bool
asks_for_help(const struct plx_eal *e)
{
	for (uint32_t i = 1; i < e->args.cnt; i++)
		if (strcmp(e->args.v[i], "--help") == 0 || strcmp(e->args.v[i], "-h") == 0)
			return true;
	return false;
}

/* @return a copy of stdout, which goes nowhere from now on; -1: it goes where it went */
static int
mute_stdout(void)
{
	int saved, null;

	fflush(stdout);
	saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (saved >= 0 && null >= 0)
		dup2(null, STDOUT_FILENO);
	if (null >= 0)
		close(null);
	return saved;
}

/*
 * EAL prints two pages of usage on stdout when it refuses an argument, and getopt its line on
 * stderr; we say it in a sentence.
 */
static int
init_quietly(struct plx_eal *e)
{
	static const cookie_io_functions_t io = {.write = take_stderr};
	int saved = asks_for_help(e) ? -1 : mute_stdout();
	FILE *err = fopencookie(e, "w", io);
	int rc;

	if (err != NULL) {
		setvbuf(err, NULL, _IOLBF, 512);
		e->stderr_real = stderr;
		stderr = err; /* the C library lets programs set it */
	}
	opterr = err != NULL;
	rc = rte_eal_init((int)e->args.cnt, e->argv);
	if (err != NULL) {
		stderr = e->stderr_real;
		fclose(err);
		e->stderr_real = NULL;
	}
	if (saved >= 0) {
		fflush(stdout);
		dup2(saved, STDOUT_FILENO);
		close(saved);
	}
	return rc;
}

/*
 * DPDK's log in the first style, whose users want to see it; but not beside the sentence that it
 * did not start. Who asks for more than the ordinary wants it as it comes.
 */
static void
hold_log(struct plx_app_ctx *ctx)
{
	struct plx_eal *e = ctx->eal;

	if (ctx->eal_first.cnt > 0 && ctx->cfg.log.level != PLX_LOG_DEBUG)
		e->held = open_memstream(&e->held_text, &e->held_len);
}

static void
pass_held_log(struct plx_eal *e)
{
	if (e->held == NULL)
		return;
	fclose(e->held);
	e->held = NULL;
	fwrite(e->held_text, 1, e->held_len, stderr);
}

/* A port of the configuration that names no device is the port of that number, if EAL made one. */
static int
name_ports(struct plx_app_ctx *ctx)
{
	for (uint32_t i = 0; i < ctx->cfg.port_cnt; i++) {
		struct plx_config_port *p = &ctx->cfg.ports[i];
		char *number;

		if (*p->match != '\0' || p->vdev.cnt > 0 ||
		    !rte_eth_dev_is_valid_port((uint16_t)i))
			continue;
		if (asprintf(&number, "%" PRIu32, i) < 0)
			return PLX_E_NOMEM;
		free(p->match);
		p->match = number;
	}
	return 0;
}

int
plx_eal_start(struct plx_app_ctx *ctx, const struct plx_eal_want *want)
{
	static const cookie_io_functions_t io = {.write = take_log};
	struct plx_eal *e = calloc(1, sizeof(*e));
	int rc;

	if (e == NULL)
		return plx_fail(PLX_EXIT_DEVICE, "out of memory");
	ctx->eal = e;
	rc = make_args(ctx, want);
	if (rc != PLX_EXIT_OK) {
		discard(ctx);
		return rc;
	}
	e->pass = ctx->cfg.log.level == PLX_LOG_DEBUG || ctx->eal_first.cnt > 0;
	e->log = fopencookie(e, "w", io);
	if (e->log != NULL) {
		setvbuf(e->log, NULL, _IOLBF, 512);
		rte_openlog_stream(e->log);
	}
	hold_log(ctx);
	find_runtime_dir(ctx);
	rc = init_quietly(e);
	if (e->log != NULL)
		fflush(e->log);
	if (rc < 0)
		return fail_start(ctx, rte_errno);
	pass_held_log(e);
	e->up = true;
	remember_runtime_dir(ctx);
	return name_ports(ctx) == 0 ? PLX_EXIT_OK
	                            : plx_fail(PLX_EXIT_DEVICE, "out of memory");
}

void
plx_eal_stop(struct plx_app_ctx *ctx)
{
	if (ctx->eal == NULL)
		return;
	if (ctx->eal->up)
		rte_eal_cleanup();
	plx_signal_scrap(&ctx->signal);
	memset(ctx->signal.scrap_dir, 0, sizeof(ctx->signal.scrap_dir));
	discard(ctx);
}
