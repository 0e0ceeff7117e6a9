/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "plx_apps.h"
#include "plx_ctl.h"
#include "plx_eal.h"
#include "plx_progress.h"
#include "plx_serve_core.h"
#include "plx_summary.h"

/** Entries of the rings between workers and the application core. */
#define RING_DEPTH 4096
/** Requests in hand get this long to finish after SIGTERM, ms. */
#define DRAIN_MS   5000
/** Files that are being read get this long after that, ms; then the disk counts as dead. */
#define DISK_MS    1000

struct serve {
	struct plx_app_ctx *ctx;
	struct plx_ctl *ctl;
	struct plx_attach *attach;
	struct plx_io_pool *io;
	struct plx_serve_core *core;
	pthread_t thread;
	bool thread_runs;
	struct plx_progress progress;
	uint64_t last_bytes, last_requests, last_ns;
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void
progress(struct serve *s)
{
	const struct plx_serve_stats *st = plx_serve_core_stats(s->core);
	uint64_t now = now_ns(), bytes, requests;
	double secs;

	if (!plx_progress_due(&s->progress, now))
		return;
	bytes = atomic_load(&st->body_tx);
	requests = atomic_load(&st->requests);
	secs = s->last_ns != 0 ? (double)(now - s->last_ns) / (double)PLX_NS_PER_S : 1;
	plx_progress_line(&s->progress,
	                  "connections %" PRIu64 "  requests %" PRIu64
	                  " (%.0f/s)  sent %.1f MB "
	                  "(%.2f Gbit/s)  drops %" PRIu64,
	                  atomic_load(&st->conns_open), requests,
	                  (double)(requests - s->last_requests) / secs, (double)bytes / 1e6,
	                  (double)(bytes - s->last_bytes) * 8 / secs / 1e9,
	                  plx_ctl_drops(s->ctl, NULL, NULL));
	s->last_bytes = bytes;
	s->last_requests = requests;
	s->last_ns = now;
}

static void
work(struct serve *s)
{
	struct pollfd pfd = {.fd = s->ctx->signal.fd, .events = POLLIN};
	uint64_t end;

	while (!plx_app_stopping(s->ctx)) {
		poll(&pfd, 1, 100);
		plx_ctl_poll(s->ctl);
		progress(s);
	}
	plx_progress_end(&s->progress);
	/* Soft stop: nobody new, requests in hand get their time; a second signal ends it. */
	plx_ctl_drain(s->ctl);
	end = now_ns() + DRAIN_MS * PLX_NS_PER_MS;
	while (plx_serve_core_active(s->core) > 0 && now_ns() < end) {
		poll(NULL, 0, 20);
		plx_ctl_poll(s->ctl);
	}
}

static void
finish(struct serve *s)
{
	if (s->ctl != NULL)
		plx_ctl_stop(s->ctl);
	if (s->thread_runs) {
		plx_serve_core_stop(s->core);
		pthread_join(s->thread, NULL);
	}
	if (plx_io_pool_free(s->io, DISK_MS) == 0)
		plx_serve_core_free(s->core);
	else /* the core's buffers are what the disk may still write to */
		fprintf(stderr,
		        "pollux: a file below %s has not been read for %u s; ending all the "
		        "same; look at that disk or network file system\n",
		        s->ctx->cfg.serve.root, (DRAIN_MS + DISK_MS) / 1000);
	plx_ctl_close(s->ctl);
	plx_eal_stop(s->ctx);
}

static int
start_io(struct serve *s)
{
	const struct plx_config_serve *c = &s->ctx->cfg.serve;
	int rc;

	if (c->root[0] == '\0')
		return 0;
	rc = plx_io_pool_new(&s->io, c->root, c->io_threads);
	switch (rc) {
	case 0:
		return 0;
	case PLX_E_IO:
		return plx_fail(PLX_EXIT_USAGE,
		                "--serve-root %s: %s; name a directory to serve", c->root,
		                strerror(errno));
	case PLX_E_INVAL:
		return plx_fail(
		        PLX_EXIT_USAGE,
		        "--serve-root %s: is not a directory; name the directory that "
		        "holds the files",
		        c->root);
	default:
		return plx_fail(PLX_EXIT_FAILED, "--serve-root: %s", plx_strerror(rc));
	}
}

static int
start(struct serve *s, uint16_t port)
{
	const struct plx_ctl_opts opts = {
	        .name = "serve",
	        .serve = true,
	        .listen_port = port,
	        .stop = plx_app_stop,
	        .stop_arg = s->ctx,
	};
	char err[4096];
	int rc = plx_ctl_open(&s->ctl, &s->ctx->cfg, &opts, err, sizeof(err));

	if (rc == 0) {
		rc = plx_app_attach(plx_ctl_engine(s->ctl), RING_DEPTH, &s->attach);
		if (rc == 0)
			rc = plx_serve_core_new(&s->core, s->attach, s->io, s->io != NULL);
		if (rc == 0 &&
		    pthread_create(&s->thread, NULL, plx_serve_core_run, s->core) != 0)
			rc = PLX_E_NOMEM;
		if (rc != 0) {
			snprintf(err, sizeof(err), "application core: %s",
			         plx_strerror(rc));
			return plx_fail(PLX_EXIT_DEVICE, "%s", err);
		}
		s->thread_runs = true;
		rc = plx_ctl_start(s->ctl, err, sizeof(err));
	}
	if (rc == PLX_E_INTERRUPTED)
		return PLX_EXIT_INTERRUPTED;
	return rc == 0 ? 0 : plx_fail((enum plx_exit)plx_ctl_exit_code(rc), "%s", err);
}

int
plx_serve_main(struct plx_app_ctx *ctx)
{
	struct serve s = {.ctx = ctx};
	const struct plx_config *cfg = &ctx->cfg;
	struct plx_errtext err;
	struct plx_addr listen;
	struct plx_eal_want want = {
	        .lcore_cnt = cfg->workers.count + 1,
	        .memory_mb = plx_ctl_mem_mb(cfg, 1, RING_DEPTH),
	};
	int rc;

	if (cfg->tls.cert[0] == '\0' || cfg->tls.key[0] == '\0')
		return plx_fail(
		        PLX_EXIT_USAGE,
		        "serve needs --tls-cert and --tls-key; for a trial make them with: "
		        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
		        "-nodes -subj /CN=localhost -keyout key.pem -out cert.pem");
	if (plx_endpoint_parse(cfg->serve.listen, 443, &listen, &err) != 0)
		return plx_fail(PLX_EXIT_USAGE, "--serve-listen: %s", err.s);
	rc = start_io(&s);
	if (rc == 0)
		rc = plx_eal_start(ctx, &want);
	if (rc == 0)
		rc = start(&s, ntohs(listen.port_be));
	if (rc == 0) {
		plx_ctl_print_table(s.ctl, stdout);
		for (uint32_t p = 0; p < cfg->port_cnt; p++)
			for (uint32_t i = 0; i < cfg->ports[p].addresses.cnt; i++)
				printf("serving %s UDP port %u, %u worker%s\n",
				       cfg->ports[p].addresses.v[i], ntohs(listen.port_be),
				       cfg->workers.count,
				       cfg->workers.count == 1 ? "" : "s");
		fflush(stdout);
		plx_progress_init(&s.progress,
		                  (enum plx_config_progress)cfg->telemetry.progress,
		                  stderr);
		work(&s);
		plx_ctl_stop(s.ctl);
		plx_summary_print(s.ctl, "served", stdout);
	}
	finish(&s);
	return rc;
}
