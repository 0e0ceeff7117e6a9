/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>

#include "plx_demo_pvt.h"
#include "plx_result.h"
#include "plx_summary.h"

static double
per_core(double rate, double busy)
{
	return busy > 0 ? rate / busy : 0;
}

static bool
is_bulk(int p)
{
	return p == PLX_DEMO_DOWNLOAD || p == PLX_DEMO_UPLOAD;
}

static void
row(const struct plx_demo *d, int p)
{
	const struct plx_demo_result *r = &d->result[p];
	double rate;

	if (r->secs <= 0)
		return;
	if (is_bulk(p)) {
		rate = (double)r->bytes * 8 / r->secs / 1e9;
		printf("  %-15s %9.2f Gbit/s %9.2f per busy server core %9.2f per busy client core",
		       plx_demo_part_name((enum plx_demo_part)p), rate,
		       per_core(rate, r->server_busy), per_core(rate, r->client_busy));
	} else {
		rate = (double)r->ops / r->secs;
		printf("  %-15s %9.0f /s     %9.0f per busy server core %9.0f per busy client core",
		       plx_demo_part_name((enum plx_demo_part)p), rate,
		       per_core(rate, r->server_busy), per_core(rate, r->client_busy));
	}
	printf("%s\n", r->failed > 0 ? "  FAILURES" : "");
	if (r->failed > 0)
		printf("  %-15s %" PRIu64 " failed\n", "", r->failed);
	if (!is_bulk(p))
		printf("  %-15s p50 %.0f us  p90 %.0f us  p99 %.0f us  max %.0f us\n",
		       "  latency", (double)plx_hist_percentile(&r->latency, 50) / 1e3,
		       (double)plx_hist_percentile(&r->latency, 90) / 1e3,
		       (double)plx_hist_percentile(&r->latency, 99) / 1e3,
		       (double)plx_hist_percentile(&r->latency, 100) / 1e3);
}

static void
add_drop(void *arg, const char *name, const char *text, uint64_t n)
{
	(void)text;
	json_object_set_new(arg, name, json_integer((json_int_t)n));
}

static void
print_drop(void *arg, const char *name, const char *text, uint64_t n)
{
	(void)arg;
	printf("  drop %-20s %12" PRIu64 "  %s\n", name, n, text);
}

static json_t *
losses(const struct plx_ctl *c)
{
	json_t *o = json_object();

	plx_ctl_drops(c, add_drop, o);
	return o;
}

static int
write_json(struct plx_demo *d, json_t *root, int rc)
{
	json_t *totals = json_object(), *loss = json_object(), *wire = json_object();

	for (int p = 0; p < PLX_DEMO_PART_CNT; p++) {
		const struct plx_demo_result *r = &d->result[p];
		json_t *o;

		if (r->secs <= 0)
			continue;
		o = json_pack("{s:f, s:I, s:I, s:I, s:f, s:f}", "seconds", r->secs,
		              "operations", (json_int_t)r->ops, "failed",
		              (json_int_t)r->failed, "body_bytes", (json_int_t)r->bytes,
		              "server_busy", r->server_busy, "client_busy", r->client_busy);
		json_object_set_new(o, "gbit_per_s",
		                    json_real((double)r->bytes * 8 / r->secs / 1e9));
		json_object_set_new(o, "latency", plx_result_hist(&r->latency));
		json_object_set_new(totals, plx_demo_part_name((enum plx_demo_part)p), o);
	}
	json_object_set_new(loss, "server", losses(d->server));
	json_object_set_new(loss, "client", losses(d->client_ctl));
	plx_ctl_wire_drops(d->wire, add_drop, wire);
	json_object_set_new(loss, "wire", wire);
	json_object_set_new(root, "totals", totals);
	json_object_set_new(root, "loss", loss);
	return plx_result_write(d->ctx, root, (enum plx_exit)rc);
}

int
plx_demo_report(struct plx_demo *d, int rc)
{
	printf("\n%s\n", rc == PLX_EXIT_INTERRUPTED ? "interrupted; so far:" : "result:");
	for (int p = 0; p < PLX_DEMO_PART_CNT; p++)
		row(d, p);
	printf("  (a busy core is one second of CPU time of the worker's thread; latencies of small "
	       "requests are\n   of a closed loop, so they show the load and not an unloaded "
	       "server)\n\n");
	plx_summary_print(d->server, "server engine", stdout);
	plx_summary_print(d->client_ctl, "client engine", stdout);
	printf("wire:\n");
	if (plx_ctl_wire_drops(d->wire, print_drop, NULL) == 0)
		printf("  no drops\n");
	if (d->json == NULL || d->ctx->cfg.telemetry.result[0] == '\0')
		return rc;
	if (write_json(d, d->json, rc) != 0)
		return rc == PLX_EXIT_OK ? PLX_EXIT_FAILED : rc;
	printf("result file: %s\n", d->ctx->cfg.telemetry.result);
	return rc;
}
