/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/3 over connections in memory: exact chunks, exact credit, exact codes.
 */
#define SITE_MAX 128
#include "h3_site.h"
#include "plx_conn_mem.h"
#include "plx_test.h"

static struct plx_slab *slab;
static struct plx_obs obs;
static struct site site;
static struct visitor visitor;
static struct plx_h3_cfg server_cfg, client_cfg;
static struct plx_conn server, client;
static uint64_t slab_base;

static uint64_t
slab_used(void)
{
	struct plx_slab_stats st;

	plx_slab_get_stats(slab, &st);
	return st.used;
}

static int
setup(void)
{
	struct plx_slab_cfg cfg = {.limit = 256 << 20, .node = -1};

	site_init();
	return plx_slab_new(&slab, &cfg);
}

static int
teardown(void)
{
	plx_slab_free(slab);
	return 0;
}

static void
begin(void)
{
	slab_base = slab_used();
	memset(&obs, 0, sizeof(obs));
	server_cfg = (struct plx_h3_cfg){
	        .app = &site_app, .arg = &site, .obs = &obs, .slab = slab};
	client_cfg = (struct plx_h3_cfg){
	        .app = &visitor_app, .arg = &visitor, .obs = &obs, .slab = slab};
	memset(&visitor, 0, sizeof(visitor));
	memset(&site, 0, sizeof(site));
}

static void
begin_pair(void)
{
	mem_init(&server, true, &plx_h3_inline, &server_cfg);
	mem_init(&client, false, &plx_h3_inline, &client_cfg);
	CU_ASSERT_FATAL(server.up && client.up);
}

/* No credit was returned twice; what is missing is what the test holds. */
static void
end(void)
{
	uint64_t held = site.held;

	CU_ASSERT_EQUAL(server.over, 0);
	CU_ASSERT_EQUAL(client.over, 0);
	if (!server.closing)
		CU_ASSERT_EQUAL(server.credit, held);
	mem_fini(&server);
	if (client.app)
		mem_fini(&client);
	site_fini(&site);
	CU_ASSERT_EQUAL(slab_used(), slab_base);
	memset(&server, 0, sizeof(server));
	memset(&client, 0, sizeof(client));
}

static void
run(void)
{
	mem_run(&client, &server);
}

static void
test_get(void)
{
	static const uint64_t len[] = {0, 1, 100, 16384, 1 << 20};
	char path[32];

	PLX_COVERS("S3-8", "S3-64", "S3-65");
	for (size_t chunk = 0; chunk < 4; chunk++) {
		begin();
		begin_pair();
		server.chunk = client.chunk = (size_t[]){0, 1, 7, 1200}[chunk];
		for (size_t i = 0; i < 5; i++) {
			if (client.chunk == 1 && len[i] > 20000)
				continue;
			snprintf(path, sizeof(path), "/n/%llu", (unsigned long long)len[i]);
			CU_ASSERT_PTR_NOT_NULL_FATAL(visit(&visitor, "GET", path, 0));
			run();
			CU_ASSERT(visit_ok(&visitor.v[visitor.cnt - 1], len[i]));
		}
		CU_ASSERT_EQUAL(site.closed, visitor.cnt);
		CU_ASSERT_EQUAL(client.credit, 0);
		end();
	}
}

static void
test_echo(void)
{
	struct visit *v;

	PLX_COVERS("S3-39", "S3-40");
	begin();
	begin_pair();
	server.chunk = client.chunk = 1333;
	server.window = client.window = 40000;
	v = visit(&visitor, "POST", "/echo", 1 << 20);
	run();
	CU_ASSERT(visit_ok(v, 1 << 20));
	CU_ASSERT_EQUAL(client.credit, 0);
	end();
}

static void
test_parallel(void)
{
	begin();
	begin_pair();
	server.chunk = client.chunk = 1400;
	for (int i = 0; i < 100; i++)
		CU_ASSERT_PTR_NOT_NULL(visit(&visitor, "GET", "/n/20000", 0));
	run();
	for (int i = 0; i < 100; i++)
		CU_ASSERT(visit_ok(&visitor.v[i], 20000));
	CU_ASSERT_EQUAL(site.closed, 100);
	end();
}

static void
test_trailers_and_interim(void)
{
	struct visit *v[3];

	PLX_COVERS("S3-36", "S3-65");
	begin();
	begin_pair();
	v[0] = visit(&visitor, "GET", "/trailers", 0);
	v[1] = visit(&visitor, "GET", "/early", 0);
	v[2] = visit(&visitor, "HEAD", "/n/1000", 0);
	run();
	CU_ASSERT(visit_ok(v[0], 5000));
	CU_ASSERT_EQUAL(v[0]->trailers, 1);
	CU_ASSERT_STRING_EQUAL(v[0]->trailer, "abc");
	CU_ASSERT(visit_ok(v[1], 0));
	CU_ASSERT_EQUAL(v[1]->interim, 1);
	CU_ASSERT(visit_ok(v[2], 0));
	end();
}

static void
test_resets(void)
{
	struct visit *a, *b, *c;

	PLX_COVERS("S3-10", "S3-28", "S3-43", "S3-47", "S3-48");
	begin();
	begin_pair();
	client.window = 30000;
	a = visit(&visitor, "GET", "/reset", 0);
	b = visit(&visitor, "POST", "/n/10", 500000);
	b->cancel_at_half = true;
	c = visit(&visitor, "GET", "/n/5000", 0);
	run();
	CU_ASSERT_EQUAL(a->resets, 1);
	CU_ASSERT_EQUAL(a->reset_code, PLX_H3_EXCESSIVE_LOAD);
	CU_ASSERT_EQUAL(a->ends, 0);
	CU_ASSERT_EQUAL(a->closes, 1);
	CU_ASSERT_EQUAL(b->closes, 1);
	CU_ASSERT_EQUAL(b->close_code, PLX_H3_REQUEST_CANCELLED);
	CU_ASSERT(visit_ok(c, 5000));
	CU_ASSERT_EQUAL(site.closed, 3);
	CU_ASSERT(!client.closing && !server.closing);
	end();
}

static void
test_slow_consumer(void)
{
	struct visit *slow, *fast;

	PLX_COVERS("S3-25");
	begin();
	begin_pair();
	client.window = 30000;
	slow = visit(&visitor, "POST", "/hold", 200000);
	fast = visit(&visitor, "POST", "/echo", 200000);
	run();
	CU_ASSERT(visit_ok(fast, 200000));
	CU_ASSERT_EQUAL(slow->ends, 1); /* the answer has no body */
	CU_ASSERT_EQUAL(slow->closes, 0);
	CU_ASSERT(site.held > 29000 && site.held <= 30000);
	/* It takes what it has: the rest follows. */
	while (slow->closes == 0 && site.held) {
		size_t n = (size_t)site.held;

		site.held = 0;
		plx_h3_consume(site.h, slow->id, n);
		run();
	}
	CU_ASSERT_EQUAL(slow->closes, 1);
	CU_ASSERT_EQUAL(slow->acked, 200000);
	plx_h3_consume(site.h, slow->id, (size_t)site.held);
	site.held = 0;
	end();
}

static void
test_goaway(void)
{
	struct visit *v;
	int err;

	PLX_COVERS("S3-54");
	begin();
	begin_pair();
	v = visit(&visitor, "GET", "/never", 0);
	run();
	plx_h3_goaway(site.h);
	run();
	CU_ASSERT_EQUAL(visitor.goaways, 2); /* notice, then the id */
	CU_ASSERT_EQUAL(visitor.goaway_id, 4);
	CU_ASSERT_PTR_NULL(visit_try(&visitor, "GET", "/n/1", 0, &err));
	CU_ASSERT_EQUAL(err, PLX_E_CLOSING);
	CU_ASSERT(!server.closing);
	plx_h3_cancel(visitor.h, v->id, PLX_H3_REQUEST_CANCELLED);
	run();
	/* The last request is over: the connection ends well. */
	CU_ASSERT(server.closed);
	CU_ASSERT_EQUAL(server.close_code, PLX_H3_NO_ERROR);
	end();
}

static void
test_requests_max(void)
{
	PLX_COVERS("S3-62");
	begin();
	server_cfg.requests_max = 2;
	begin_pair();
	CU_ASSERT_PTR_NOT_NULL(visit(&visitor, "GET", "/trailers", 0));
	CU_ASSERT_PTR_NOT_NULL(visit(&visitor, "GET", "/n/1", 0));
	run();
	CU_ASSERT(!server.closing);
	CU_ASSERT_PTR_NOT_NULL(visit(&visitor, "GET", "/n/1", 0));
	run();
	CU_ASSERT_EQUAL(site.heads, 2);
	CU_ASSERT(server.closed);
	CU_ASSERT_EQUAL(server.close_code, PLX_H3_NO_ERROR);
	CU_ASSERT_EQUAL(visitor.v[2].closes, 1);
	CU_ASSERT_EQUAL(visitor.v[2].close_code, PLX_H3_REQUEST_CANCELLED);
	end();
}

static void
test_stream_limit(void)
{
	int err;

	PLX_COVERS("S3-64");
	begin();
	begin_pair();
	client.bidi_left = 1;
	CU_ASSERT_PTR_NOT_NULL(visit(&visitor, "GET", "/n/1", 0));
	CU_ASSERT_PTR_NULL(visit_try(&visitor, "GET", "/n/1", 0, &err));
	CU_ASSERT_EQUAL(err, PLX_E_STREAM_LIMIT);
	client.bidi_left = 1;
	client.app->on_streams_available(client.ctx, true);
	CU_ASSERT_EQUAL(visitor.avail, 1);
	CU_ASSERT_PTR_NOT_NULL(visit(&visitor, "GET", "/n/1", 0));
	run();
	CU_ASSERT(visit_ok(&visitor.v[1], 1));
	end();
}

static void
test_invalid_requests(void)
{
	struct plx_h3_field bad[] = {F(":method", "GET"), F("x", "a\r\nb: c")};
	struct plx_h3_field upper[] = {F(":method", "GET"), F("Host", "a")};
	int64_t id;

	begin();
	begin_pair();
	CU_ASSERT_EQUAL(plx_h3_request(visitor.h, bad, 2, false, &id), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_h3_request(visitor.h, upper, 2, false, &id), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_h3_request(site.h, bad, 1, false, &id), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_h3_respond(site.h, 0, bad, 1, false), PLX_E_NOENT);
	CU_ASSERT_EQUAL(plx_h3_cancel(visitor.h, 0, 1), PLX_E_NOENT);
	end();
}

static void
test_no_streams_for_us(void)
{
	begin();
	memset(&server, 0, sizeof(server));
	mem_init(&client, false, &plx_h3_inline, &client_cfg);
	mem_fini(&client);
	/* Two unidirectional streams are not enough. */
	server.uni_left = 2;
	server.server = true;
	server.app = &plx_h3_inline;
	server.next_uni = 3;
	CU_ASSERT(plx_h3_inline.on_conn_established(&server_cfg, &server, &server.ctx) < 0);
	CU_ASSERT_EQUAL(server.close_code, PLX_H3_STREAM_CREATION_ERROR);
	server.closed = true;
	mem_fini(&server);
	CU_ASSERT_EQUAL(slab_used(), slab_base);
	memset(&server, 0, sizeof(server));
	memset(&client, 0, sizeof(client));
}

/* Every allocation fails once: nothing leaks, nothing crashes, and then it works. */
static void
test_shortage(void)
{
	uint64_t n, fails;

	PLX_COVERS("C7");
	for (n = 1;; n++) {
		struct plx_slab_stats st;

		begin();
		plx_slab_get_stats(slab, &st);
		fails = st.fails;
		plx_slab_fail_at(slab, n);
		mem_init(&server, true, &plx_h3_inline, &server_cfg);
		mem_init(&client, false, &plx_h3_inline, &client_cfg);
		if (server.up && client.up) {
			int err;

			visit_try(&visitor, "GET", "/trailers", 0, &err);
			if (visitor.h)
				visit_try(&visitor, "POST", "/echo", 30000, &err);
			run();
		}
		plx_slab_fail_at(slab, 0);
		plx_slab_get_stats(slab, &st);
		if (!server.closed)
			mem_end(&server, PLX_CLOSE_IDLE, 0);
		if (!client.closed)
			mem_end(&client, PLX_CLOSE_IDLE, 0);
		mem_fini(&server);
		mem_fini(&client);
		site_fini(&site);
		CU_ASSERT_EQUAL(slab_used(), slab_base);
		if (slab_used() != slab_base) {
			printf("allocation %llu\n", (unsigned long long)n);
			break;
		}
		if (st.fails == fails)
			break;
	}
	CU_ASSERT(n > 20);
	memset(&server, 0, sizeof(server));
	memset(&client, 0, sizeof(client));
}

/* What can happen to a request, in any order. */
enum happening {
	HAP_HEAD = 0,
	HAP_DATA,
	HAP_FIN,
	HAP_RESET,
	HAP_STOP,
	HAP_CANCEL,
	HAP_TURN,
	HAP_CNT
};

#ifdef PLX_SANITIZE
# define HAP_DEPTH 5
#else
# define HAP_DEPTH 6
#endif

static size_t
post_head(uint8_t *out)
{
	static const char *const f[] = {":method",    "POST", ":scheme", "https",
	                                ":authority", "a",    ":path",   "/echo"};
	size_t n = 4;

	for (int i = 0; i < 8; i++) {
		size_t len = strlen(f[i]);

		if (i % 2 == 0 && len >= 7) {
			out[n++] = 0x27;
			out[n++] = (uint8_t)(len - 7);
		} else {
			out[n++] = (uint8_t)((i % 2 ? 0 : 0x20) | len);
		}
		memcpy(out + n, f[i], len);
		n += len;
	}
	out[0] = 1;
	out[1] = (uint8_t)(n - 2);
	out[2] = out[3] = 0;
	return n;
}

static void
happen(enum happening what)
{
	static const uint8_t data[] = {0, 3, 0x00, 0x07, 0x0e};
	struct mem_stream *s = mem_find(&server, 0);
	uint8_t head[64];

	/* QUIC delivers nothing behind the end of a stream. */
	if (server.closing || (s && s->rx_done && what <= HAP_RESET) ||
	    (!s && server.s_cnt > 3 && what != HAP_TURN && what != HAP_CANCEL))
		return;
	switch (what) {
	case HAP_HEAD:
		mem_deliver(&server, 0, head, post_head(head), false);
		break;
	case HAP_DATA:
		mem_deliver(&server, 0, data, sizeof(data), false);
		break;
	case HAP_FIN:
		mem_deliver(&server, 0, NULL, 0, true);
		break;
	case HAP_RESET:
		mem_reset(&server, 0, 0x10c);
		break;
	case HAP_STOP:
		mem_stop(&server, 0, 0x10c);
		break;
	case HAP_CANCEL:
		plx_h3_cancel(site.h, 0, 0x10c);
		break;
	default:
		mem_turn(&server);
		break;
	}
}

static void
test_orders(void)
{
	uint32_t cases = 1, bad = 0, closed = 0;

	PLX_COVERS("C7");
	for (int i = 0; i < HAP_DEPTH; i++)
		cases *= HAP_CNT;
	for (uint32_t n = 0; n < cases && bad == 0; n++) {
		uint32_t opened;

		begin();
		memset(&server, 0, sizeof(server));
		mem_init(&server, true, &plx_h3_inline, &server_cfg);
		for (uint32_t i = 0, v = n; i < HAP_DEPTH; i++, v /= HAP_CNT)
			happen((enum happening)(v % HAP_CNT));
		mem_turn(&server);
		closed += site.closed;
		opened = site.opened;
		mem_fini(&server);
		bad += server.over || site.closed != opened || site.conns_closed != 1;
		site_fini(&site);
		bad += slab_used() != slab_base;
		if (bad)
			printf("case %u\n", n);
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT(closed > cases / 10);
	memset(&server, 0, sizeof(server));
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"bodies of 0 B to 1 MiB arrive whatever the chunks are", test_get},
	        {"1 MiB goes up and comes back at once through small windows", test_echo},
	        {"100 requests in parallel", test_parallel},
	        {"trailers, interim responses and HEAD", test_trailers_and_interim},
	        {"either side resets in mid-body, others go on", test_resets},
	        {"a slow consumer stalls only itself", test_slow_consumer},
	        {"GOAWAY refuses new requests, lets old ones end, then closes",
	         test_goaway},
	        {"the request after requests_max closes the connection", test_requests_max},
	        {"the stream limit refuses, and says when it no longer does",
	         test_stream_limit},
	        {"field lists that would be malformed are not sent", test_invalid_requests},
	        {"a peer that allows too few streams is refused", test_no_streams_for_us},
	        {"whatever happens to a request in whatever order", test_orders},
	        {"each allocation that fails leaves nothing behind", test_shortage},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"h3 in memory", setup, teardown, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
