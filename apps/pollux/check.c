/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pollux check: main has read the configuration already and refused what is wrong in itself; here
 * come the files it names, what it will take, and, with --probe, the devices.
 */
#include <inttypes.h>
#include <stdio.h>

#include <rte_ethdev.h>

#include "plx_apps.h"
#include "plx_eal.h"
#include "plx_files.h"

/* Upper bound of transport state of a connection; default of slab_limit in plx_quic.h. */
#define CONN_KIB 48

/* EAL memory that a probe needs: no packet pools are made. */
#define PROBE_MB 32

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
	uint64_t mib = (uint64_t)c->quic.max_conns * CONN_KIB / 1024;

	printf("workers          %" PRIu32 "\n", c->workers.count);
	printf("ports            %" PRIu32 "\n", c->port_cnt);
	printf("connections      %" PRIu32 " per worker, up to %" PRIu64
	       " MiB each worker\n",
	       c->quic.max_conns, mib);
	if (c->eal.memory_mb != 0)
		printf("packet memory    %" PRIu32 " MiB\n", c->eal.memory_mb);
	else
		printf("packet memory    computed at start\n");
}

static int
probe(struct plx_app_ctx *ctx)
{
	const struct plx_eal_want want = {
	        .lcore_cnt = ctx->cfg.workers.count + 1,
	        .memory_mb = PROBE_MB,
	};
	struct plx_eal_port port[PLX_CONFIG_PORTS_MAX];
	uint32_t cnt;
	int rc = plx_eal_start(ctx, &want);

	if (rc == PLX_EXIT_OK)
		rc = plx_eal_ports(ctx, port, &cnt);
	for (uint32_t i = 0; rc == PLX_EXIT_OK && i < cnt; i++) {
		for (uint32_t j = 0; j < port[i].dev_cnt; j++) {
			struct rte_eth_dev_info info;
			char name[RTE_ETH_NAME_MAX_LEN];

			if (rte_eth_dev_info_get(port[i].dev[j], &info) != 0 ||
			    rte_eth_dev_get_name_by_port(port[i].dev[j], name) != 0)
				continue;
			printf("device           %s, driver %s, up to %u receive and %u transmit "
			       "queues\n",
			       name, info.driver_name, info.max_rx_queues,
			       info.max_tx_queues);
		}
	}
	plx_eal_stop(ctx);
	return rc;
}

int
plx_check_main(struct plx_app_ctx *ctx)
{
	unsigned failed = 0;
	int rc = PLX_EXIT_OK;

	plx_files_check(&ctx->cfg, take_finding, &failed);
	if (failed > 0)
		return PLX_EXIT_USAGE;
	if (plx_flags_opt(&ctx->flags, "probe") != NULL)
		rc = probe(ctx);
	if (rc != PLX_EXIT_OK)
		return rc;
	print_bill(&ctx->cfg);
	printf("ok               %s\n",
	       *ctx->config_path != '\0' ? ctx->config_path : "built-in defaults");
	return PLX_EXIT_OK;
}
