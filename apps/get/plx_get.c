/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "plx_apps.h"
#include "plx_client.h"
#include "plx_ctl.h"
#include "plx_eal.h"
#include "plx_progress.h"
#include "plx_summary.h"
#include "plx_url.h"

#define RING_DEPTH 4096

struct get;

/** Connections to one server; URLs with the same host and port share them. */
struct origin {
	struct plx_url url;
	struct plx_addr addr;
	struct plx_client_conn **conn;
	uint32_t conn_cnt, next_conn;
};

struct item {
	struct plx_client_req req; /* first: callbacks get its address */
	struct get *get;
	struct plx_url url;
	const char *text;
	struct origin *origin;
	int fd; /* -1: to standard output, or not opened */
	bool to_stdout, ok, failed_write;
	char file[512];
};

struct get {
	struct plx_app_ctx *ctx;
	struct plx_ctl *ctl;
	struct plx_attach *attach;
	struct plx_client *client;
	struct item *item;
	uint32_t item_cnt, ok_cnt, done_cnt;
	struct origin *origin;
	uint32_t origin_cnt;
	uint64_t bytes, start_ns, last_bytes, last_ns;
	struct plx_progress progress;
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int
write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
open_file(struct item *it)
{
	if (it->to_stdout) {
		it->fd = STDOUT_FILENO;
		return 0;
	}
	it->fd = open(it->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return it->fd < 0 ? -1 : 0;
}

static int
on_data(struct plx_client_req *r, const uint8_t *data, size_t len)
{
	struct item *it = (struct item *)(void *)r;

	if (r->status < 200 || r->status > 299)
		return 0; /* the page of an error is no file */
	if ((it->fd < 0 && open_file(it) != 0) || write_all(it->fd, data, len) != 0) {
		plx_progress_end(&it->get->progress);
		plx_fail(PLX_EXIT_FAILED, "%s: %s",
		         it->to_stdout ? "standard output" : it->file, strerror(errno));
		it->failed_write = true;
		return -1;
	}
	it->get->bytes += len;
	return 0;
}

static void
on_done(struct plx_client_req *r, enum plx_client_end end, uint64_t code)
{
	struct item *it = (struct item *)(void *)r;
	struct get *g = it->get;

	g->done_cnt++;
	if (end == PLX_CLIENT_OK && r->status >= 200 && r->status <= 299) {
		if (it->fd < 0 && open_file(it) != 0) { /* an empty body is an empty file */
			plx_progress_end(&g->progress);
			plx_fail(PLX_EXIT_FAILED, "%s: %s", it->file, strerror(errno));
		} else {
			it->ok = true;
			g->ok_cnt++;
		}
	} else if (!it->failed_write) {
		plx_progress_end(&g->progress);
		if (end == PLX_CLIENT_OK)
			plx_fail(PLX_EXIT_FAILED, "%s: the server answered %u", it->text,
			         r->status);
		else if (end != PLX_CLIENT_CONN_LOST)
			plx_fail(PLX_EXIT_FAILED, "%s: %s (code 0x%" PRIx64 ")", it->text,
			         plx_client_end_text(end), code);
	}
	if (it->fd > STDOUT_FILENO && close(it->fd) != 0 && it->ok) {
		plx_fail(PLX_EXIT_FAILED, "%s: %s", it->file, strerror(errno));
		it->ok = false;
		g->ok_cnt--;
	}
	it->fd = -1;
}

static void
explain(const struct origin *o, const struct plx_event *ev)
{
	const char *host = o->url.authority;
	uint64_t alert = ev->code - 0x100;

	switch ((enum plx_close_by)ev->extra) {
	case PLX_CLOSE_HANDSHAKE_TIMEOUT:
	case PLX_CLOSE_IDLE:
		plx_fail(
		        PLX_EXIT_FAILED,
		        "%s: no answer; check address, port and that UDP is let through, or raise "
		        "--quic-handshake-timeout-ms",
		        host);
		return;
	case PLX_CLOSE_VERSION:
		plx_fail(PLX_EXIT_FAILED, "%s: the server speaks no QUIC version of ours",
		         host);
		return;
	default:
		break;
	}
	/* TLS alerts, RFC 8446 section 6: bad_certificate .. unknown_ca. */
	if (ev->code >= 0x100 &&
	    (alert == 42 || (alert >= 44 && alert <= 46) || alert == 48))
		plx_fail(
		        PLX_EXIT_FAILED,
		        "%s: the certificate is not trusted or not for this name (alert %u); give "
		        "its authority with --tls-ca FILE, or --no-tls-verify for a trial",
		        host, (unsigned)alert);
	else
		plx_fail(PLX_EXIT_FAILED, "%s: connection ended with code 0x%" PRIx64, host,
		         ev->code);
}

static void
on_state(struct plx_client_conn *c, bool up, const struct plx_event *ev)
{
	struct origin *o = plx_client_conn_user(c);

	if (up)
		return;
	for (uint32_t i = 0; i < o->conn_cnt; i++)
		if (o->conn[i] == c)
			o->conn[i] = NULL;
	if (ev != NULL &&
	    (ev->type != PLX_EV_CONN_CLOSED || ev->extra != PLX_CLOSE_LOCAL) &&
	    ev->type != PLX_EV_CMD_FAILED)
		explain(o, ev);
	if (ev != NULL && ev->type == PLX_EV_CMD_FAILED)
		plx_fail(
		        PLX_EXIT_FAILED, "%s: %s", o->url.authority,
		        (int)-(int64_t)ev->code == PLX_E_NOENT
		                ? "no port of ours has an address that reaches it; give one with "
		                  "--port-addresses, or a --port-gateway"
		                : plx_strerror((int)-(int64_t)ev->code));
}

static struct origin *
origin_of(struct get *g, const struct plx_url *u, int *rc)
{
	struct plx_errtext err;
	struct origin *o;
	uint32_t cnt;

	for (uint32_t i = 0; i < g->origin_cnt; i++)
		if (strcmp(g->origin[i].url.authority, u->authority) == 0)
			return &g->origin[i];
	o = &g->origin[g->origin_cnt];
	o->url = *u;
	if (plx_resolve(u->host, u->port, PLX_FAMILY_NONE, &o->addr, 1, &cnt, &err) != 0) {
		*rc = plx_fail(PLX_EXIT_FAILED, "%s", err.s);
		return NULL;
	}
	g->origin_cnt++;
	return o;
}

static int
prepare(struct get *g)
{
	const struct plx_strv *urls = &g->ctx->flags.operands;
	const char *dir = g->ctx->cfg.get.output;
	struct plx_errtext err;
	struct stat st;
	int rc = 0;

	if (urls->cnt == 0)
		return plx_fail(PLX_EXIT_USAGE,
		                "get needs a URL, e.g. https://192.0.2.1/file");
	if (dir[0] != '\0' && stat(dir, &st) != 0)
		return plx_fail(PLX_EXIT_USAGE,
		                "--get-output %s: %s; make the directory first", dir,
		                strerror(errno));
	if (dir[0] != '\0' && !S_ISDIR(st.st_mode))
		return plx_fail(PLX_EXIT_USAGE, "--get-output %s: is not a directory", dir);
	g->item = calloc(urls->cnt, sizeof(*g->item));
	g->origin = calloc(urls->cnt, sizeof(*g->origin));
	if (g->item == NULL || g->origin == NULL)
		return plx_fail(PLX_EXIT_FAILED, "%s", plx_strerror(PLX_E_NOMEM));
	for (uint32_t i = 0; i < urls->cnt; i++) {
		struct item *it = &g->item[i];

		it->get = g;
		it->text = urls->v[i];
		it->fd = -1;
		if (plx_url_parse(it->text, &it->url, &err) != 0)
			return plx_fail(PLX_EXIT_USAGE, "%s", err.s);
		it->origin = origin_of(g, &it->url, &rc);
		if (it->origin == NULL)
			return rc;
		it->to_stdout = dir[0] == '\0';
		snprintf(it->file, sizeof(it->file), "%s/%s", dir, it->url.file);
		snprintf(it->req.method, sizeof(it->req.method), "GET");
		if (strlen(it->url.path) >= sizeof(it->req.path))
			return plx_fail(PLX_EXIT_USAGE, "%s: path longer than %zu bytes",
			                it->text, sizeof(it->req.path) - 1);
		snprintf(it->req.path, sizeof(it->req.path), "%.*s",
		         (int)sizeof(it->req.path) - 1, it->url.path);
		it->req.on_data = on_data;
		it->req.on_done = on_done;
		g->item_cnt++;
	}
	return 0;
}

static int
open_conns(struct get *g)
{
	const struct plx_config *cfg = &g->ctx->cfg;
	uint16_t worker = 0;

	for (uint32_t i = 0; i < g->origin_cnt; i++) {
		struct origin *o = &g->origin[i];
		struct plx_client_conn_cb cb = {.on_state = on_state, .user = o};
		struct plx_client_target t = {
		        .remote = o->addr,
		        .verify = cfg->tls.verify,
		        .parallel = (uint16_t)cfg->get.parallel,
		};

		snprintf(t.host, sizeof(t.host), "%.255s", o->url.authority);
		snprintf(t.sni, sizeof(t.sni), "%s", o->url.host);
		o->conn = calloc(cfg->get.connections, sizeof(struct plx_client_conn *));
		if (o->conn == NULL)
			return plx_fail(PLX_EXIT_FAILED, "%s", plx_strerror(PLX_E_NOMEM));
		for (; o->conn_cnt < cfg->get.connections; o->conn_cnt++) {
			t.worker = worker;
			worker = (uint16_t)((worker + 1) % plx_ctl_workers(g->ctl));
			o->conn[o->conn_cnt] = plx_client_open(g->client, &t, &cb);
			if (o->conn[o->conn_cnt] == NULL)
				return plx_fail(PLX_EXIT_FAILED, "%s",
				                plx_strerror(PLX_E_NOMEM));
		}
	}
	for (uint32_t i = 0; i < g->item_cnt; i++) {
		struct origin *o = g->item[i].origin;

		plx_client_request(o->conn[o->next_conn], &g->item[i].req);
		o->next_conn = (o->next_conn + 1) % o->conn_cnt;
	}
	return 0;
}

static void
progress(struct get *g)
{
	uint64_t now = now_ns();
	double secs;

	if (!plx_progress_due(&g->progress, now))
		return;
	secs = (double)(now - g->last_ns) / (double)PLX_NS_PER_S;
	plx_progress_line(&g->progress,
	                  "%u of %u done  %.1f MB  %.2f Gbit/s  connections %u",
	                  g->done_cnt, g->item_cnt, (double)g->bytes / 1e6,
	                  (double)(g->bytes - g->last_bytes) * 8 / secs / 1e9,
	                  plx_client_conns(g->client));
	g->last_bytes = g->bytes;
	g->last_ns = now;
}

static int
work(struct get *g)
{
	uint64_t limit = g->ctx->cfg.get.timeout_ms * PLX_NS_PER_MS;
	bool late = false;

	g->start_ns = g->last_ns = now_ns();
	while (g->done_cnt < g->item_cnt && !plx_app_stopping(g->ctx) && !late) {
		if (plx_client_turn(g->client) == 0)
			plx_client_wait(g->client, 20000);
		plx_ctl_poll(g->ctl);
		progress(g);
		late = limit != 0 && now_ns() - g->start_ns > limit;
	}
	plx_progress_end(&g->progress);
	if (late)
		return plx_fail(PLX_EXIT_FAILED, "%u of %u URLs were not done after %u ms",
		                g->item_cnt - g->done_cnt, g->item_cnt,
		                g->ctx->cfg.get.timeout_ms);
	if (plx_app_stopping(g->ctx))
		return PLX_EXIT_INTERRUPTED;
	return g->ok_cnt == g->item_cnt ? PLX_EXIT_OK : PLX_EXIT_FAILED;
}

static int
start(struct get *g)
{
	const struct plx_ctl_opts opts = {
	        .name = "get", .dial = true, .stop = plx_app_stop, .stop_arg = g->ctx};
	char err[4096];
	int rc = plx_ctl_open(&g->ctl, &g->ctx->cfg, &opts, err, sizeof(err));

	if (rc == 0)
		rc = plx_app_attach(plx_ctl_engine(g->ctl), RING_DEPTH, &g->attach);
	if (rc == 0)
		rc = plx_client_new(&g->client, g->attach);
	if (rc == 0)
		rc = plx_ctl_start(g->ctl, err, sizeof(err));
	if (rc == PLX_E_INTERRUPTED)
		return PLX_EXIT_INTERRUPTED;
	if (rc != 0)
		return plx_fail((enum plx_exit)plx_ctl_exit_code(rc), "%s",
		                err[0] != '\0' ? err : plx_strerror(rc));
	return 0;
}

static void
finish(struct get *g)
{
	if (g->ctl != NULL)
		plx_ctl_stop(g->ctl);
	plx_client_free(g->client);
	plx_ctl_close(g->ctl);
	for (uint32_t i = 0; i < g->origin_cnt; i++)
		free(g->origin[i].conn);
	free(g->origin);
	free(g->item);
	plx_eal_stop(g->ctx);
}

int
plx_get_main(struct plx_app_ctx *ctx)
{
	struct get g = {.ctx = ctx};
	const struct plx_eal_want want = {
	        .lcore_cnt = ctx->cfg.workers.count + 1,
	        .memory_mb = plx_ctl_mem_mb(&ctx->cfg, 1, RING_DEPTH),
	};
	double secs;
	int rc = prepare(&g);

	if (rc == 0)
		rc = plx_eal_start(ctx, &want);
	if (rc == 0)
		rc = start(&g);
	if (rc == 0)
		rc = open_conns(&g);
	if (rc == 0) {
		plx_progress_init(&g.progress,
		                  (enum plx_config_progress)ctx->cfg.telemetry.progress,
		                  stderr);
		rc = work(&g);
		secs = (double)(now_ns() - g.start_ns) / (double)PLX_NS_PER_S;
		fprintf(stderr,
		        "%u of %u URLs, %" PRIu64 " bytes in %.3f s (%.3f Gbit/s)\n",
		        g.ok_cnt, g.item_cnt, g.bytes, secs,
		        (double)g.bytes * 8 / secs / 1e9);
		plx_ctl_stop(g.ctl);
		if (rc != PLX_EXIT_OK)
			plx_summary_print(g.ctl, "engine", stderr);
	}
	finish(&g);
	return rc;
}
