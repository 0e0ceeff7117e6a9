/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_eal.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>

/* Enough of what DPDK said to explain a failure. */
#define SAID_MAX 1024

struct plx_eal {
	struct plx_strv args;
	char **argv; /* EAL reorders it, so it is a copy of args.v */
	FILE *log;
	bool pass;           /* what DPDK says goes to stderr */
	char said[SAID_MAX]; /* first lines it said while it did not */
	size_t said_len;
	bool up;
};

static ssize_t
take_log(void *cookie, const char *buf, size_t len)
{
	struct plx_eal *e = cookie;
	size_t room = SAID_MAX - 1 - e->said_len;

	if (e->pass) {
		fwrite(buf, 1, len, stderr);
		return (ssize_t)len;
	}
	memcpy(e->said + e->said_len, buf, len < room ? len : room);
	e->said_len += len < room ? len : room;
	e->said[e->said_len] = '\0';
	return (ssize_t)len;
}

static void
forget_said(struct plx_eal *e)
{
	e->said_len = 0;
	e->said[0] = '\0';
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

/* Lines that follow every failure and add nothing. */
static bool
says_nothing(const char *text)
{
	static const char *const empty[] = {
	        "Failed to attach device", "Driver cannot attach",
	        "Invalid 'command line' arguments", "Failed to register mp action"};

	for (unsigned i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		if (strstr(text, empty[i]) != NULL)
			return true;
	}
	return *text == '\0';
}

/* The first lines in one, "; " between them, for the end of a sentence. */
static const char *
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
	return buf;
}

/*
 * EAL makes its directory under /var/run as root, under XDG_RUNTIME_DIR otherwise, and does not
 * start without it. systemd's variable goes before both.
 */
static void
find_runtime_dir(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");

	if (getenv("RUNTIME_DIRECTORY") != NULL)
		return;
	if (getuid() != 0) {
		if (xdg == NULL || access(xdg, W_OK | X_OK) != 0)
			setenv("XDG_RUNTIME_DIR", "/tmp", 1);
	} else if (access("/var/run", W_OK | X_OK) != 0) {
		setenv("RUNTIME_DIRECTORY", "/tmp", 1);
	}
}

static const char *
advice(int error, const struct plx_eal *e)
{
	if (strstr(e->said, "unavailable") != NULL || strstr(e->said, "lcore") != NULL)
		return "name lcores this machine has, or map several to one processor: "
		       "--eal-lcores '(0-3)@(0,1)'";
	if (strstr(e->said, "hugepage") != NULL || strstr(e->said, "memory") != NULL ||
	    error == ENOMEM)
		return "give it memory: hugepages (dpdk-hugepages.py --setup 1G), or "
		       "--eal-no-huge true";
	if (error == EACCES || error == EPERM)
		return "run with the rights that 'pollux doctor' names";
	if (error == ENODEV || strstr(e->said, "vdev") != NULL ||
	    strstr(e->said, "probe") != NULL)
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
		snprintf(ctx->signal.scrap_dir, sizeof(ctx->signal.scrap_dir), "%.255s",
		         dir);
}

static int
fail_start(struct plx_app_ctx *ctx, int error)
{
	struct plx_eal *e = ctx->eal;
	char said[512];
	const char *fix = advice(error, e);

	if (*what_was_said(e, said, sizeof(said)) != '\0')
		plx_fail(PLX_EXIT_DEVICE, "DPDK did not start: %s (%s); %s",
		         rte_strerror(error), said, fix);
	else if (error == EINVAL)
		plx_fail(
		        PLX_EXIT_DEVICE,
		        "DPDK did not start: an EAL argument is unknown or lacks its value; correct "
		        "those after '--' and in eal.extra");
	else
		plx_fail(PLX_EXIT_DEVICE, "DPDK did not start: %s; %s", rte_strerror(error),
		         fix);
	rte_eal_cleanup();
	remember_runtime_dir(ctx);
	if (ctx->signal.scrap_dir[0] != '\0')
		rmdir(ctx->signal.scrap_dir);
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

/* EAL prints two pages of usage on stdout when it refuses an argument; we say it in a sentence. */
static int
init_quietly(const struct plx_eal *e)
{
	int saved = -1, null, rc;

	if (!e->pass) {
		fflush(stdout);
		saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (saved >= 0 && null >= 0)
			dup2(null, STDOUT_FILENO);
		if (null >= 0)
			close(null);
	}
	/* getopt would add a line of its own about an argument it does not know. */
	opterr = e->pass;
	rc = rte_eal_init((int)e->args.cnt, e->argv);
	if (saved >= 0) {
		fflush(stdout);
		dup2(saved, STDOUT_FILENO);
		close(saved);
	}
	return rc;
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
	e->pass = ctx->cfg.log.level == 3 || ctx->eal_first.cnt > 0;
	e->log = fopencookie(e, "w", io);
	if (e->log != NULL) {
		setvbuf(e->log, NULL, _IOLBF, 512);
		rte_openlog_stream(e->log);
	}
	find_runtime_dir();
	rc = init_quietly(e);
	if (e->log != NULL)
		fflush(e->log);
	if (rc < 0)
		return fail_start(ctx, rte_errno);
	e->up = true;
	remember_runtime_dir(ctx);
	/* From now on there is no failure to explain: warnings are shown as they come. */
	forget_said(e);
	e->pass = true;
	return PLX_EXIT_OK;
}

void
plx_eal_stop(struct plx_app_ctx *ctx)
{
	if (ctx->eal == NULL)
		return;
	if (ctx->eal->up)
		rte_eal_cleanup();
	if (ctx->signal.scrap_dir[0] != '\0')
		rmdir(ctx->signal.scrap_dir);
	ctx->signal.scrap_dir[0] = '\0';
	discard(ctx);
}

static int
find_dev(const char *name, uint16_t *id)
{
	return rte_eth_dev_get_port_by_name(name, id) == 0 ? 0 : PLX_E_NOENT;
}

/* What most often stands in the way of a driver, when it does; NULL otherwise. */
static const char *
missing_right(const char *name)
{
	if (strncmp(name, "net_af_packet", 13) == 0 && !plx_eal_has_cap(CAP_NET_RAW))
		return "CAP_NET_RAW";
	if (strncmp(name, "net_af_xdp", 10) == 0 &&
	    (!plx_eal_has_cap(CAP_NET_RAW) || !plx_eal_has_cap(CAP_IPC_LOCK)))
		return "CAP_NET_RAW, CAP_IPC_LOCK, and CAP_NET_ADMIN and CAP_BPF to load its program";
	if (strncmp(name, "net_tap", 7) == 0 && !plx_eal_has_cap(CAP_NET_ADMIN))
		return "CAP_NET_ADMIN and /dev/net/tun";
	return NULL;
}

/* The value of iface= when it names a kernel device that must exist and does not. */
static bool
lacks_iface(const char *vdev, char iface[IF_NAMESIZE])
{
	const char *arg = strstr(vdev, "iface=");
	size_t len;

	if (arg == NULL ||
	    (strncmp(vdev, "net_af_", 7) != 0 && strncmp(vdev, "net_pcap", 8) != 0))
		return false;
	arg += 6;
	len = strcspn(arg, ",");
	snprintf(iface, IF_NAMESIZE, "%.*s",
	         (int)(len < IF_NAMESIZE ? len : IF_NAMESIZE - 1), arg);
	return if_nametoindex(iface) == 0;
}

static int
refuse_dev(struct plx_eal *e, const char *vdev, const char *name)
{
	char said[400], iface[IF_NAMESIZE];
	const char *right = missing_right(name);

	if (right != NULL)
		return plx_fail(
		        PLX_EXIT_DEVICE,
		        "device '%s' needs %s; run as root, or give the program the "
		        "capabilities: 'pollux doctor' shows the setcap command",
		        vdev, right);
	if (lacks_iface(vdev, iface))
		return plx_fail(
		        PLX_EXIT_DEVICE,
		        "device '%s': there is no network device '%s' here; 'ip link' "
		        "lists those of this network namespace",
		        vdev, iface);
	if (strstr(e->said, "failed to parse device") != NULL)
		return plx_fail(
		        PLX_EXIT_DEVICE,
		        "device '%s': no driver of that name is installed; write a "
		        "driver and a number (net_ring0, net_memif0, net_af_packet0, "
		        "net_af_xdp0, net_tap0), 'pollux doctor' lists what is installed",
		        vdev);
	return plx_fail(
	        PLX_EXIT_DEVICE,
	        "device '%s' cannot be made: %s; check its arguments, 'pollux doctor' "
	        "looks at rights and interfaces",
	        vdev, what_was_said(e, said, sizeof(said)));
}

/* "net_af_packet0,iface=veth0": makes the device unless EAL's --vdev already did. */
static int
make_dev(struct plx_app_ctx *ctx, const char *vdev, uint16_t *id)
{
	struct plx_eal *e = ctx->eal;
	size_t len = strcspn(vdev, ",");
	char name[RTE_ETH_NAME_MAX_LEN];
	int rc;

	snprintf(name, sizeof(name), "%.*s", (int)(len < 60 ? len : 60), vdev);
	if (find_dev(name, id) == 0)
		return PLX_EXIT_OK;
	forget_said(e);
	e->pass = ctx->cfg.log.level == 3;
	rc = rte_eal_hotplug_add("vdev", name, vdev[len] == ',' ? vdev + len + 1 : "");
	if (e->log != NULL)
		fflush(e->log);
	e->pass = true;
	if (rc == 0 && find_dev(name, id) == 0)
		return PLX_EXIT_OK;
	return refuse_dev(e, vdev, name);
}

static int
find_nth(uint32_t n, uint16_t *id)
{
	uint16_t p;

	RTE_ETH_FOREACH_DEV (p) {
		if (n-- == 0)
			return *id = p, 0;
	}
	return PLX_E_NOENT;
}

static int
resolve_port(struct plx_app_ctx *ctx, uint32_t idx, struct plx_eal_port *out)
{
	const struct plx_config_port *p = &ctx->cfg.ports[idx];

	out->cfg = p;
	out->dev_cnt = 0;
	if (p->vdev.cnt > PLX_EAL_PORT_DEVS_MAX)
		return plx_fail(PLX_EXIT_USAGE, "ports[%" PRIu32 "]: %d devices at most",
		                idx, PLX_EAL_PORT_DEVS_MAX);
	for (uint32_t i = 0; i < p->vdev.cnt; i++) {
		int rc = make_dev(ctx, p->vdev.v[i], &out->dev[i]);

		if (rc != PLX_EXIT_OK)
			return rc;
		out->dev_cnt++;
	}
	if (out->dev_cnt > 0)
		return PLX_EXIT_OK;
	out->dev_cnt = 1;
	if (*p->match != '\0' && find_dev(p->match, &out->dev[0]) != 0)
		return plx_fail(PLX_EXIT_DEVICE,
		                "ports[%" PRIu32
		                "]: no port '%s'; bind the device to vfio-pci "
		                "(dpdk-devbind.py -b vfio-pci %s) and write it as "
		                "'dpdk-devbind.py -s' shows it",
		                idx, p->match, p->match);
	if (*p->match == '\0' && find_nth(idx, &out->dev[0]) != 0)
		return plx_fail(PLX_EXIT_DEVICE,
		                "ports[%" PRIu32
		                "] names no device and EAL found none for it; set "
		                "match (PCI address) or vdev (net_memif0,role=client)",
		                idx);
	return PLX_EXIT_OK;
}

int
plx_eal_ports(struct plx_app_ctx *ctx, struct plx_eal_port *out, uint32_t *cnt)
{
	*cnt = 0;
	for (uint32_t i = 0; i < ctx->cfg.port_cnt; i++) {
		int rc = resolve_port(ctx, i, &out[i]);

		if (rc != PLX_EXIT_OK)
			return rc;
		(*cnt)++;
	}
	return PLX_EXIT_OK;
}
