/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/3 between two real QUIC endpoints in virtual time.
 */
#include "h3_pair.h"
#include "h3_site.h"

static struct h3_pair w;
static struct site site;
static struct visitor visitor;
static struct plx_h3_cfg server_cfg, client_cfg;
static struct plx_pair_cfg cfg;

static void
prepare(void)
{
	plx_pair_cfg_init(&cfg);
	memset(&server_cfg, 0, sizeof(server_cfg));
	memset(&client_cfg, 0, sizeof(client_cfg));
	memset(&visitor, 0, sizeof(visitor));
	memset(&site, 0, sizeof(site));
}

static bool
both_open(struct plx_pair *p)
{
	(void)p;
	return site.conns && visitor.conns;
}

static void
begin(void)
{
	h3_pair_open(&w, &cfg);
	server_cfg.app = &site_app;
	server_cfg.arg = &site;
	server_cfg.obs = w.p->end[PLX_PAIR_SERVER].obs;
	server_cfg.slab = h3_pair_slab(&w, PLX_PAIR_SERVER);
	client_cfg.app = &visitor_app;
	client_cfg.arg = &visitor;
	client_cfg.obs = w.p->end[PLX_PAIR_CLIENT].obs;
	client_cfg.slab = h3_pair_slab(&w, PLX_PAIR_CLIENT);
	h3_pair_app(&w, PLX_PAIR_SERVER, &plx_h3_inline, &server_cfg);
	h3_pair_app(&w, PLX_PAIR_CLIENT, &plx_h3_inline, &client_cfg);
	h3_pair_dial(&w);
	CU_ASSERT_FATAL(plx_pair_run(w.p, both_open, PAIR_LIMIT));
}

static void
end(void)
{
	h3_pair_end(&w);
	site_fini(&site);
}

static bool
all_closed(struct plx_pair *p)
{
	(void)p;
	for (uint32_t i = 0; i < visitor.cnt; i++) {
		if (!visitor.v[i].closes)
			return false;
	}
	return true;
}

static bool
all_over(struct plx_pair *p)
{
	return all_closed(p) && site.closed == site.opened;
}

static bool
run(void)
{
	return plx_pair_run(w.p, all_over, PAIR_LIMIT);
}

static void
get_all(void)
{
	static const uint64_t len[] = {0, 1, 1 << 20};
	char path[32];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/n/%llu", (unsigned long long)len[i]);
		visit(&visitor, "GET", path, 0);
	}
	CU_ASSERT(run());
	for (int i = 0; i < 3; i++)
		CU_ASSERT(visit_ok(&visitor.v[i], len[i]));
}

static void
test_get(void)
{
	PLX_COVERS("S3-8", "S3-64", "S3-65", "S3-69");
	prepare();
	begin();
	get_all();
	CU_ASSERT_EQUAL(plx_obs_get(w.p->end[PLX_PAIR_SERVER].obs, PLX_COUNT_h3_requests),
	                3);
	end();
}

static void
test_echo(void)
{
	struct visit *v;

	PLX_COVERS("S3-39", "S3-40", "S3-24");
	prepare();
	begin();
	v = visit(&visitor, "POST", "/echo", 1 << 20);
	CU_ASSERT(run());
	CU_ASSERT(visit_ok(v, 1 << 20));
	end();
}

static void
test_parallel(void)
{
	prepare();
	begin();
	for (int i = 0; i < 100; i++)
		visit(&visitor, i % 2 ? "POST" : "GET", i % 2 ? "/echo" : "/n/10000",
		      i % 2 ? 10000 : 0);
	CU_ASSERT(run());
	for (int i = 0; i < 100; i++)
		CU_ASSERT(visit_ok(&visitor.v[i], 10000));
	CU_ASSERT_EQUAL(site.closed, 100);
	end();
}

static void
test_many_in_turn(void)
{
	prepare();
	begin();
	/* More than the stream limit: each request that ends makes room. */
	for (int i = 0; i < 1000; i++) {
		visit(&visitor, "GET", "/n/100", 0);
		CU_ASSERT_FATAL(run());
	}
	CU_ASSERT_EQUAL(site.closed, 1000);
	end();
}

static void
test_loss(void)
{
	struct visit *v;

	for (uint64_t seed = 1; seed <= 3; seed++) {
		prepare();
		cfg.seed = seed;
		for (int i = 0; i < PLX_PAIR_SIDES; i++) {
			cfg.link[i].loss_ppm = 50000;
			cfg.link[i].jitter_ns = 5 * PLX_NS_PER_MS;
		}
		begin();
		get_all();
		v = visit(&visitor, "POST", "/echo", 300000);
		for (int i = 0; i < 50; i++)
			visit(&visitor, "GET", "/trailers", 0);
		CU_ASSERT(run());
		CU_ASSERT(visit_ok(v, 300000));
		for (int i = 0; i < 50; i++) {
			CU_ASSERT(visit_ok(&visitor.v[4 + i], 5000));
			CU_ASSERT_EQUAL(visitor.v[4 + i].trailers, 1);
		}
		end();
	}
}

static void
test_trailers_and_interim(void)
{
	struct visit *v[3];

	PLX_COVERS("S3-36");
	prepare();
	begin();
	v[0] = visit(&visitor, "GET", "/trailers", 0);
	v[1] = visit(&visitor, "GET", "/early", 0);
	v[2] = visit(&visitor, "HEAD", "/n/1000", 0);
	CU_ASSERT(run());
	CU_ASSERT(visit_ok(v[0], 5000));
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

	PLX_COVERS("S3-10", "S3-28", "S3-43", "S3-44", "S3-47", "S3-48", "S3-70");
	prepare();
	begin();
	a = visit(&visitor, "GET", "/reset", 0);
	b = visit(&visitor, "POST", "/n/10", 3000000);
	b->cancel_at_half = true;
	c = visit(&visitor, "GET", "/n/50000", 0);
	CU_ASSERT(run());
	CU_ASSERT_EQUAL(a->resets, 1);
	CU_ASSERT_EQUAL(a->reset_code, PLX_H3_EXCESSIVE_LOAD);
	CU_ASSERT_EQUAL(a->ends, 0);
	CU_ASSERT_EQUAL(b->closes, 1);
	CU_ASSERT_EQUAL(b->close_code, PLX_H3_REQUEST_CANCELLED);
	CU_ASSERT(visit_ok(c, 50000));
	CU_ASSERT_EQUAL(visitor.conns_closed, 0);
	end();
}

static bool
two_visits_closed(struct plx_pair *p)
{
	(void)p;
	return visitor.v[1].closes && visitor.v[2].closes;
}

static void
test_slow_consumer(void)
{
	struct visit *slow;

	PLX_COVERS("S3-25");
	prepare();
	cfg.quic[PLX_PAIR_SERVER].max_stream_data = 100000;
	cfg.quic[PLX_PAIR_CLIENT].max_stream_data = 100000;
	begin();
	slow = visit(&visitor, "POST", "/hold", 1000000);
	visit(&visitor, "POST", "/echo", 500000);
	visit(&visitor, "GET", "/n/500000", 0);
	CU_ASSERT(plx_pair_run(w.p, two_visits_closed, PAIR_LIMIT));
	CU_ASSERT(visit_ok(&visitor.v[1], 500000));
	CU_ASSERT(visit_ok(&visitor.v[2], 500000));
	CU_ASSERT_EQUAL(slow->closes, 0);
	CU_ASSERT(site.held > 90000 && site.held <= 100000);
	end();
}

static bool
goaway_seen(struct plx_pair *p)
{
	(void)p;
	return visitor.goaways >= 2;
}

static void
test_goaway(void)
{
	struct visit *v;
	int err;

	PLX_COVERS("S3-54");
	prepare();
	begin();
	v = visit(&visitor, "POST", "/echo", 2000000);
	visit(&visitor, "GET", "/n/10", 0);
	while (!site.opened)
		plx_pair_step(w.p);
	plx_h3_goaway(site.h);
	CU_ASSERT(plx_pair_run(w.p, goaway_seen, PAIR_LIMIT));
	CU_ASSERT_EQUAL(visitor.goaway_id, 8);
	CU_ASSERT_PTR_NULL(visit_try(&visitor, "GET", "/n/1", 0, &err));
	CU_ASSERT_EQUAL(err, PLX_E_CLOSING);
	CU_ASSERT(plx_pair_run(w.p, all_closed, PAIR_LIMIT));
	CU_ASSERT(visit_ok(v, 2000000));
	/* Nothing is left to do: the server ends the connection. */
	CU_ASSERT(plx_pair_run(w.p, plx_pair_idle, PAIR_LIMIT));
	CU_ASSERT_EQUAL(visitor.why.code, PLX_H3_NO_ERROR);
	CU_ASSERT_EQUAL(visitor.why.by, PLX_CLOSE_PEER_APPLICATION);
	end();
}

static void
test_large_head(void)
{
	static char value[9000];
	struct plx_h3_field f[13] = {
	        F(":method", "GET"),
	        F(":scheme", "https"),
	        F(":authority", "site.test"),
	        F(":path", "/n/1"),
	};
	int64_t id;

	PLX_COVERS("C5");
	memset(value, 'v', sizeof(value) - 1);
	for (int i = 4; i < 13; i++)
		f[i] = (struct plx_h3_field)F("cookie", value);
	for (uint16_t cnt = 10; cnt <= 13; cnt += 3) {
		prepare();
		begin();
		CU_ASSERT_EQUAL(plx_h3_request(visitor.h, f, cnt, false, &id), 0);
		plx_h3_set_user(visitor.h, id, &visitor.v[visitor.cnt++]);
		CU_ASSERT(plx_pair_run(w.p, all_closed, PAIR_LIMIT));
		if (cnt == 10) { /* 54 KiB */
			CU_ASSERT_EQUAL(site.heads, 1);
			CU_ASSERT_EQUAL(visitor.v[0].status, 200);
		} else { /* 81 KiB */
			CU_ASSERT_EQUAL(site.heads, 0);
			CU_ASSERT_EQUAL(visitor.why.code, PLX_H3_EXCESSIVE_LOAD);
			CU_ASSERT(visitor.why.is_app);
		}
		end();
	}
}

static void
test_requests_max(void)
{
	PLX_COVERS("S3-62");
	prepare();
	server_cfg.requests_max = 3;
	begin();
	for (int i = 0; i < 3; i++)
		visit(&visitor, "GET", "/trailers", 0);
	CU_ASSERT(run());
	visit(&visitor, "GET", "/n/1", 0);
	CU_ASSERT(plx_pair_run(w.p, all_closed, PAIR_LIMIT));
	CU_ASSERT_EQUAL(site.heads, 3);
	CU_ASSERT_EQUAL(visitor.why.code, PLX_H3_NO_ERROR);
	CU_ASSERT_EQUAL(visitor.v[3].status, 0);
	end();
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"GET of 0 B, 1 B and 1 MiB", test_get},
	        {"POST of 1 MiB that comes back at once", test_echo},
	        {"100 requests in parallel", test_parallel},
	        {"1000 requests in turn", test_many_in_turn},
	        {"5 % loss and reordering change nothing but time", test_loss},
	        {"trailers, interim responses and HEAD", test_trailers_and_interim},
	        {"either side resets in mid-body, others go on", test_resets},
	        {"a slow consumer stalls only itself", test_slow_consumer},
	        {"GOAWAY lets requests end and closes the connection", test_goaway},
	        {"a header list above the limit ends the connection", test_large_head},
	        {"the request after requests_max is not served", test_requests_max},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"h3", site_init, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
