/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Inside of `pollux demo`.
 */
#ifndef PLX_DEMO_PVT_H
#define PLX_DEMO_PVT_H

#include <stdlib.h>

#include <jansson.h>

#include "plx_apps.h"
#include "plx_client.h"
#include "plx_ctl.h"
#include "plx_ctl_host.h"
#include "plx_ctl_local.h"
#include "plx_progress.h"
#include "plx_serve_core.h"

/** Entries of the rings between workers and application cores. */
#define PLX_DEMO_RING 4096

enum plx_demo_part {
	PLX_DEMO_HANDSHAKES = 0,
	PLX_DEMO_DOWNLOAD,
	PLX_DEMO_UPLOAD,
	PLX_DEMO_REQUESTS,
	PLX_DEMO_PART_CNT
};

/** What one part measured. */
struct plx_demo_result {
	double secs;
	uint64_t ops; /**< handshakes or requests that succeeded */
	uint64_t failed;
	uint64_t bytes;                  /**< body bytes */
	double server_busy, client_busy; /**< CPU time of the worker over wall time, 0..1 */
	struct plx_hist latency; /**< ns: handshake, or request to end of response */
};

struct plx_demo {
	struct plx_app_ctx *ctx;
	struct plx_ctl_wire *wire;
	struct plx_ctl_cert cert;
	struct plx_ctl *server, *client_ctl;
	struct plx_attach *server_attach, *client_attach;
	struct plx_serve_core *core;
	struct plx_client *client;
	pthread_t thread;
	bool thread_runs;
	struct plx_progress progress;

	enum plx_demo_part part;
	bool refill; /**< a request that ended is sent again */
	uint32_t open_conns, requests_out;
	uint64_t part_start_ns;
	json_t *json; /**< result file, begun when the run begins */
	struct plx_demo_result result[PLX_DEMO_PART_CNT];
};

/** plx_demo_load.c: runs all parts. @return enum plx_exit */
int plx_demo_run(struct plx_demo *d);
/** plx_demo_report.c: the final table and result.json; returns the exit code of the run. */
int plx_demo_report(struct plx_demo *d, int rc);
const char *plx_demo_part_name(enum plx_demo_part p);

#endif
