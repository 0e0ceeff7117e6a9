/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plx_demo_pvt.h"

/** Dials under way at once in the handshake part. */
#define DIALS          8
/** Requests at once on each connection of the small-request part. */
#define SMALL_PARALLEL 32
/** Response body of a small request, bytes. */
#define SMALL_BYTES    1000
/** Body of one bulk request, bytes; streams follow each other without a pause. */
#define BULK_BYTES     (UINT64_C(64) << 20)
/** Time that connections get to close behind a part, ms. */
#define CLOSE_MS       2000

struct conn {
	struct plx_demo *demo;
	struct plx_client_conn *c;
	uint64_t start_ns;
	bool up;
};

static const char *const names[PLX_DEMO_PART_CNT] = {
        [PLX_DEMO_HANDSHAKES] = "handshakes",
        [PLX_DEMO_DOWNLOAD] = "download",
        [PLX_DEMO_UPLOAD] = "upload",
        [PLX_DEMO_REQUESTS] = "small requests",
};

const char *
plx_demo_part_name(enum plx_demo_part p)
{
	return names[p];
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int open_conn(struct plx_demo *d, uint16_t parallel);

static void
on_state(struct plx_client_conn *c, bool up, const struct plx_event *ev)
{
	struct conn *k = plx_client_conn_user(c);
	struct plx_demo *d = k->demo;
	struct plx_demo_result *r = &d->result[d->part];

	if (up) {
		k->up = true;
		if (d->part == PLX_DEMO_HANDSHAKES) {
			r->ops++;
			plx_hist_add(&r->latency, now_ns() - k->start_ns);
			plx_client_close(c, true);
		}
		return;
	}
	if (!k->up || (ev != NULL && ev->extra != PLX_CLOSE_LOCAL))
		r->failed++;
	d->open_conns--;
	free(k);
	if (d->part == PLX_DEMO_HANDSHAKES && d->refill)
		(void)open_conn(d, 1);
}

static int
open_conn(struct plx_demo *d, uint16_t parallel)
{
	struct plx_client_target t = {.verify = true, .parallel = parallel};
	struct conn *k = calloc(1, sizeof(*k));
	struct plx_client_conn_cb cb = {.on_state = on_state, .user = k};

	if (k == NULL)
		return PLX_E_NOMEM;
	t.remote.family = PLX_FAMILY_IPV4;
	t.remote.port_be = htons(443);
	inet_pton(AF_INET, "192.0.2.1", t.remote.ip);
	snprintf(t.host, sizeof(t.host), "demo.pollux");
	snprintf(t.sni, sizeof(t.sni), "demo.pollux");
	k->demo = d;
	k->start_ns = now_ns();
	k->c = plx_client_open(d->client, &t, &cb);
	if (k->c == NULL) {
		free(k);
		return PLX_E_NOMEM;
	}
	d->open_conns++;
	return 0;
}

static int
on_data(struct plx_client_req *r, const uint8_t *data, size_t len)
{
	struct plx_demo *d = r->user;

	(void)data;
	d->result[d->part].bytes += len;
	return 0;
}

static void
on_done(struct plx_client_req *r, enum plx_client_end end, uint64_t code)
{
	struct plx_demo *d = r->user;
	struct plx_demo_result *res = &d->result[d->part];

	(void)code;
	if (end == PLX_CLIENT_OK && r->status == 200) {
		res->ops++;
		res->bytes += r->upload;
		plx_hist_add(&res->latency, r->end_ns - r->start_ns);
	} else if (d->refill) {
		res->failed++; /* behind a part its requests are given up, that is no failure */
	}
	if (d->refill && end == PLX_CLIENT_OK) {
		plx_client_request(r->conn, r);
		return;
	}
	d->requests_out--;
	free(r);
}

static int
add_request(struct plx_demo *d, struct plx_client_conn *c)
{
	struct plx_client_req *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return PLX_E_NOMEM;
	r->user = d;
	r->on_done = on_done;
	r->on_data = on_data;
	snprintf(r->method, sizeof(r->method), "GET");
	if (d->part == PLX_DEMO_UPLOAD) {
		snprintf(r->method, sizeof(r->method), "POST");
		snprintf(r->path, sizeof(r->path), "/discard");
		r->upload = BULK_BYTES;
		r->on_data = NULL;
	} else {
		snprintf(r->path, sizeof(r->path), "/stream-bytes/%" PRIu64,
		         d->part == PLX_DEMO_DOWNLOAD ? BULK_BYTES : (uint64_t)SMALL_BYTES);
	}
	d->requests_out++;
	plx_client_request(c, r);
	return 0;
}

static int
begin(struct plx_demo *d)
{
	uint32_t conns =
	        d->part == PLX_DEMO_HANDSHAKES ? DIALS : d->ctx->cfg.demo.connections;
	uint16_t parallel = d->part == PLX_DEMO_REQUESTS ? SMALL_PARALLEL : 1;
	int rc = 0;

	d->refill = true;
	for (uint32_t i = 0; rc == 0 && i < conns; i++)
		rc = open_conn(d, parallel);
	if (d->part == PLX_DEMO_HANDSHAKES)
		return rc;
	for (struct plx_client_conn *c = plx_client_first(d->client); rc == 0 && c != NULL;
	     c = plx_client_next(c))
		for (uint16_t i = 0; rc == 0 && i < parallel; i++)
			rc = add_request(d, c);
	return rc;
}

/* Uploads are counted while they run: the server's count of body bytes is the truth. */
static uint64_t
bytes_now(const struct plx_demo *d)
{
	if (d->part == PLX_DEMO_UPLOAD)
		return atomic_load(&plx_serve_core_stats(d->core)->body_rx);
	return d->result[d->part].bytes;
}

static void
line(struct plx_demo *d, uint64_t *last_ops, uint64_t *last_bytes, uint64_t *last_ns)
{
	const struct plx_demo_result *r = &d->result[d->part];
	uint64_t now = now_ns(), bytes;
	double secs;

	if (!plx_progress_due(&d->progress, now))
		return;
	bytes = bytes_now(d);
	secs = (double)(now - *last_ns) / (double)PLX_NS_PER_S;
	if (d->part == PLX_DEMO_DOWNLOAD || d->part == PLX_DEMO_UPLOAD)
		plx_progress_line(&d->progress, "%-14s %6.2f Gbit/s  drops %" PRIu64,
		                  names[d->part],
		                  (double)(bytes - *last_bytes) * 8 / secs / 1e9,
		                  plx_ctl_drops(d->server, NULL, NULL) +
		                          plx_ctl_drops(d->client_ctl, NULL, NULL));
	else
		plx_progress_line(&d->progress, "%-14s %8.0f/s  p50 %.0f us  p99 %.0f us",
		                  names[d->part], (double)(r->ops - *last_ops) / secs,
		                  (double)plx_hist_percentile(&r->latency, 50) / 1e3,
		                  (double)plx_hist_percentile(&r->latency, 99) / 1e3);
	*last_ops = r->ops;
	*last_bytes = bytes;
	*last_ns = now;
}

static void
turn(struct plx_demo *d)
{
	if (plx_client_turn(d->client) == 0)
		plx_client_wait(d->client, 10000);
	plx_ctl_poll(d->server);
	plx_ctl_poll(d->client_ctl);
}

static void
measure(struct plx_demo *d, uint64_t len_ns)
{
	struct plx_demo_result *r = &d->result[d->part];
	uint64_t start = now_ns(), last_ns = start, last_ops = 0;
	uint64_t bytes = bytes_now(d), last_bytes = bytes;
	uint64_t server_cpu = plx_ctl_cpu_ns(d->server),
	         client_cpu = plx_ctl_cpu_ns(d->client_ctl);
	uint64_t wall;

	/* The first line of a part has a second of it to speak of. */
	d->progress.next_ns = start + PLX_NS_PER_S;
	while (now_ns() - start < len_ns && !plx_app_stopping(d->ctx)) {
		turn(d);
		line(d, &last_ops, &last_bytes, &last_ns);
	}
	wall = now_ns() - start;
	r->secs = (double)wall / (double)PLX_NS_PER_S;
	r->bytes = bytes_now(d) - bytes;
	r->server_busy = (double)(plx_ctl_cpu_ns(d->server) - server_cpu) / (double)wall;
	r->client_busy =
	        (double)(plx_ctl_cpu_ns(d->client_ctl) - client_cpu) / (double)wall;
	d->refill = false;
}

/* Requests in hand are given up: a 64 MiB transfer would outlast its part. */
static void
end(struct plx_demo *d)
{
	struct plx_demo_result done = d->result[d->part];
	uint64_t limit = now_ns() + CLOSE_MS * PLX_NS_PER_MS;

	for (struct plx_client_conn *c = plx_client_first(d->client); c != NULL;
	     c = plx_client_next(c))
		plx_client_close(c, true);
	while (d->open_conns > 0 && now_ns() < limit)
		turn(d);
	done.failed = d->result[d->part].failed + d->open_conns;
	d->result[d->part] = done;
}

/* @return what failed in one round of all parts */
static uint64_t
run_round(struct plx_demo *d, uint64_t len_ns)
{
	uint64_t failed = 0;

	memset(d->result, 0, sizeof(d->result));
	for (int p = 0; p < PLX_DEMO_PART_CNT && !plx_app_stopping(d->ctx); p++) {
		d->part = (enum plx_demo_part)p;
		if (begin(d) != 0) {
			plx_fail(PLX_EXIT_FAILED, "%s", plx_strerror(PLX_E_NOMEM));
			return failed + 1;
		}
		measure(d, len_ns);
		end(d);
		failed += d->result[p].failed;
		if (d->result[p].ops == 0 && d->result[p].bytes == 0)
			failed++;
	}
	return failed;
}

int
plx_demo_run(struct plx_demo *d)
{
	const struct plx_config_demo *c = &d->ctx->cfg.demo;
	uint64_t len_ns = c->duration_s * PLX_NS_PER_S / PLX_DEMO_PART_CNT;
	uint64_t failed = 0;

	for (uint32_t i = 0; i < c->rounds && !plx_app_stopping(d->ctx); i++)
		failed += run_round(d, len_ns);
	plx_progress_end(&d->progress);
	if (plx_app_stopping(d->ctx))
		return PLX_EXIT_INTERRUPTED;
	return failed == 0 ? PLX_EXIT_OK : PLX_EXIT_FAILED;
}
