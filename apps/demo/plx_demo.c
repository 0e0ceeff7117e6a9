/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "plx_demo_pvt.h"
#include "plx_eal.h"
#include "plx_result.h"
#include "plx_summary.h"

/*
 * pollux demo: a server engine and a client engine in one process, joined by the in-process
 * wire; each has one worker, application cores talk to them over rings.
 *
 *   main: client core ==rings== client worker --wire-- server worker ==rings== server core
 */

static const char server_ip[] = "192.0.2.1", client_ip[] = "192.0.2.2";

static int
open_engines(struct plx_demo *d, char *err, size_t err_sz)
{
	struct plx_ctl_opts server = {
	        .name = "server",
	        .serve = true,
	        .listen_port = 443,
	        .cert_pem = d->cert.cert_pem,
	        .key_pem = d->cert.key_pem,
	        .address = "192.0.2.1/24",
	        .wire = true,
	};
	struct plx_ctl_opts client = {
	        .name = "client",
	        .dial = true,
	        .ca_file = d->cert.ca_file,
	        .first_lcore = 1,
	        .address = "192.0.2.2/24",
	        .wire = true,
	};
	int rc = plx_ctl_wire_open(&d->wire, 1, d->ctx->cfg.demo.seed);

	if (rc == 0) {
		server.pio = plx_ctl_wire_port(d->wire, 0);
		client.pio = plx_ctl_wire_port(d->wire, 1);
		rc = plx_ctl_open(&d->server, &d->ctx->cfg, &server, err, err_sz);
		if (rc == 0)
			rc = plx_ctl_open(&d->client_ctl, &d->ctx->cfg, &client, err,
			                  err_sz);
	}
	if (rc == 0)
		rc = plx_app_attach(plx_ctl_engine(d->server), PLX_DEMO_RING,
		                    &d->server_attach);
	if (rc == 0)
		rc = plx_app_attach(plx_ctl_engine(d->client_ctl), PLX_DEMO_RING,
		                    &d->client_attach);
	if (rc == 0)
		rc = plx_serve_core_new(&d->core, d->server_attach, NULL, false);
	if (rc == 0)
		rc = plx_client_new(&d->client, d->client_attach);
	return rc;
}

static int
start(struct plx_demo *d)
{
	char err[1024] = "";
	int rc = plx_ctl_cert_make(&d->cert, "demo.pollux");

	if (rc == 0)
		rc = open_engines(d, err, sizeof(err));
	if (rc == 0 && pthread_create(&d->thread, NULL, plx_serve_core_run, d->core) != 0)
		rc = PLX_E_NOMEM;
	else if (rc == 0)
		d->thread_runs = true;
	if (rc == 0)
		rc = plx_ctl_start(d->server, err, sizeof(err));
	if (rc == 0)
		rc = plx_ctl_start(d->client_ctl, err, sizeof(err));
	if (rc != 0)
		return plx_fail((enum plx_exit)plx_ctl_exit_code(rc), "%s",
		                err[0] != '\0' ? err : plx_strerror(rc));
	return 0;
}

static void
finish(struct plx_demo *d)
{
	/* The client first: its CONNECTION_CLOSE finds the server still there. */
	if (d->client_ctl != NULL)
		plx_ctl_stop(d->client_ctl);
	if (d->server != NULL)
		plx_ctl_stop(d->server);
	if (d->thread_runs) {
		plx_serve_core_stop(d->core);
		pthread_join(d->thread, NULL);
	}
	plx_client_free(d->client);
	plx_serve_core_free(d->core);
	plx_ctl_close(d->client_ctl);
	plx_ctl_close(d->server);
	plx_ctl_wire_close(d->wire);
	plx_ctl_cert_free(&d->cert);
	plx_eal_stop(d->ctx);
}

/* Without a flag the numbers go to the current directory, if that is ours to write in. */
static int
choose_result(struct plx_app_ctx *ctx)
{
	struct plx_config_telemetry *t = &ctx->cfg.telemetry;
	bool asked = t->result[0] != '\0';

	if (!asked) {
		free(t->result);
		t->result = strdup("result.json");
		if (t->result == NULL)
			return plx_fail(PLX_EXIT_DEVICE, "%s", plx_strerror(PLX_E_NOMEM));
	}
	if (plx_result_check(ctx) == 0)
		return PLX_EXIT_OK;
	if (asked)
		return plx_fail(PLX_EXIT_USAGE,
		                "--result %s cannot be written: %s; name a file in a "
		                "directory you may write to",
		                t->result, strerror(errno));
	fprintf(stderr,
	        "pollux: no result file, this directory cannot be written: %s; --result FILE "
	        "names another\n",
	        strerror(errno));
	t->result[0] = '\0';
	return PLX_EXIT_OK;
}

int
plx_demo_main(struct plx_app_ctx *ctx)
{
	/* Main, one worker for each engine. */
	const struct plx_eal_want want = {
	        .lcore_cnt = 3,
	        .memory_mb = plx_ctl_wire_mem_mb(1) +
	                     2 * plx_ctl_mem_mb(&ctx->cfg, 1, PLX_DEMO_RING),
	};
	struct plx_demo *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return plx_fail(PLX_EXIT_FAILED, "%s", plx_strerror(PLX_E_NOMEM));
	d->ctx = ctx;
	d->cert.fd = -1;
	ctx->cfg.workers.count = 1;
	rc = choose_result(ctx);
	if (rc == 0)
		rc = plx_eal_start(ctx, &want);
	if (rc == 0)
		rc = start(d);
	if (rc == 0) {
		printf("pollux demo: server %s and client %s in one process, joined by the "
		       "in-process wire\n(two workers, two application cores; QUIC version 1, "
		       "TLS 1.3, HTTP/3; no NIC, no root)\n",
		       server_ip, client_ip);
		plx_progress_init(&d->progress,
		                  (enum plx_config_progress)ctx->cfg.telemetry.progress,
		                  stderr);
		d->json = plx_result_new(ctx);
		rc = plx_demo_run(d);
		plx_ctl_stop(d->client_ctl);
		plx_ctl_stop(d->server);
		rc = plx_demo_report(d, rc);
	}
	finish(d);
	json_decref(d->json);
	free(d);
	return rc;
}
