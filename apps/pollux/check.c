/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pollux check: main has read the configuration already and refused what is wrong in itself; here
 * come the files it names, what it will take, and, with --probe, the devices.
 */
#include <inttypes.h>
#include <stdio.h>

#include "plx_apps.h"
#include "plx_ctl.h"
#include "plx_eal.h"
#include "plx_files.h"

/* Rings of one application, as serve and get have. */
#define ATTACH_CNT 1
#define RING_DEPTH 4096

/* A sentence with a start-up table behind it. */
#define ERR_SZ 4096

static void
take_finding(void *arg, enum plx_verdict v, const char *topic, const char *text,
             const char *fix)
{
	unsigned *failed = arg;

	if (v == PLX_VERDICT_OK)
		return;
	fprintf(stderr, "pollux: %s%s: %s; %s\n", v == PLX_VERDICT_WARN ? "warning: " : "",
	        topic, text, fix);
	*failed += v == PLX_VERDICT_FAIL;
}

static void
print_bill(const struct plx_config *c)
{
	printf("workers          %" PRIu32 "\n", c->workers.count);
	printf("ports            %" PRIu32 "\n", c->port_cnt);
	printf("connections      %" PRIu32 " per worker, up to %" PRIu64 " MiB of %" PRIu64
	       "\n",
	       c->quic.max_conns, plx_ctl_conns_mb(c), plx_ctl_machine_mb());
	printf("packet memory    %" PRIu32 " MiB\n",
	       plx_ctl_mem_mb(c, ATTACH_CNT, RING_DEPTH));
}

/* The ports come up as for a client, with their start-up table, and go down again. */
static int
probe_ports(struct plx_app_ctx *ctx)
{
	const struct plx_ctl_opts opts = {
	        .name = "plxprobe", .dial = true, .stop = plx_app_stop, .stop_arg = ctx};
	char err[ERR_SZ];
	struct plx_ctl *ctl;
	int rc = plx_ctl_open(&ctl, &ctx->cfg, &opts, err, sizeof(err));

	if (rc == PLX_E_INTERRUPTED)
		return PLX_EXIT_INTERRUPTED;
	if (rc == PLX_E_CONFIG || rc == PLX_E_CERT || rc == PLX_E_TLS)
		return plx_fail(PLX_EXIT_USAGE, "%s", err);
	if (rc != 0)
		return plx_fail(PLX_EXIT_DEVICE, "%s", err);
	plx_ctl_print_table(ctl, stdout);
	plx_ctl_close(ctl);
	return PLX_EXIT_OK;
}

static int
probe(struct plx_app_ctx *ctx)
{
	const struct plx_eal_want want = {
	        .lcore_cnt = ctx->cfg.workers.count + 1,
	        .memory_mb = plx_ctl_mem_mb(&ctx->cfg, ATTACH_CNT, RING_DEPTH),
	};
	int rc = plx_eal_start(ctx, &want);

	if (rc == PLX_EXIT_OK && ctx->cfg.port_cnt > 0)
		rc = probe_ports(ctx);
	plx_eal_stop(ctx);
	return rc;
}

int
plx_check_main(struct plx_app_ctx *ctx)
{
	unsigned failed = 0;
	int rc = PLX_EXIT_OK;
	char err[ERR_SZ];

	plx_files_check(&ctx->cfg, take_finding, &failed);
	if (failed > 0)
		return PLX_EXIT_USAGE;
	if (plx_ctl_check_mem(&ctx->cfg, plx_ctl_mem_mb(&ctx->cfg, ATTACH_CNT, RING_DEPTH),
	                      err, sizeof(err)) != 0)
		return plx_fail(PLX_EXIT_DEVICE, "%s", err);
	if (plx_flags_opt(&ctx->flags, "probe") != NULL)
		rc = probe(ctx);
	if (rc != PLX_EXIT_OK)
		return rc;
	print_bill(&ctx->cfg);
	printf("ok               %s\n",
	       *ctx->config_path != '\0' ? ctx->config_path : "built-in defaults");
	return PLX_EXIT_OK;
}
