/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_h3.h"
#include "plx_quic_pvt.h"
#include "plx_rogue.h"
#include "plx_spent.h"
#include "plx_test.h"

/*
 * A client that comes back with a ticket and breaks a rule in its early data, and what the server
 * that takes early data closes with.
 */

#define SEC PLX_NS_PER_S

static struct plx_app early_app;

static int
on_conn_early(void *app, struct plx_conn *c, void **ctx)
{
	return plx_testapp_server.on_conn_established(app, c, ctx);
}

static void
on_early_rejected(void *ctx)
{
	(void)ctx;
}

static int
on_conn_established(void *app, struct plx_conn *c, void **ctx)
{
	if (*ctx != NULL)
		return 0;
	return plx_testapp_server.on_conn_established(app, c, ctx);
}

static SSL_SESSION *ticket;

static int
keep(SSL *ssl, SSL_SESSION *sess)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = sess;
	return 1;
}

/* A server that takes early data, and a client's session with it. */
static struct plx_pair *
pair(void)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p = NULL;
	struct plx_rogue *r;

	plx_pair_cfg_init(&cfg);
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, &cfg), 0);
	early_app = plx_testapp_server;
	early_app.on_conn_early = on_conn_early;
	early_app.on_early_rejected = on_early_rejected;
	early_app.on_conn_established = on_conn_established;
	p->end[PLX_PAIR_SERVER].proto.app = &early_app;
	p->end[PLX_PAIR_SERVER].tls->spent = plx_spent_new(64, &p->rand);
	r = plx_rogue_new(p, NULL);
	SSL_CTX_set_session_cache_mode(r->ctx,
	                               SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(r->ctx, keep);
	CU_ASSERT_TRUE_FATAL(plx_rogue_connect(r));
	SSL_read(r->ssl, NULL, 0);
	/* Else OpenSSL takes the session for one that broke. */
	SSL_set_shutdown(r->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	CU_ASSERT_PTR_NOT_NULL_FATAL(ticket);
	PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, 0x1c, 0, 0, 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 10 * SEC));
	plx_rogue_free(r);
	memset(&p->end[PLX_PAIR_SERVER].app, 0, sizeof(p->end[PLX_PAIR_SERVER].app));
	return p;
}

static void
free_pair(struct plx_pair *p)
{
	plx_spent_free(p->end[PLX_PAIR_SERVER].tls->spent);
	p->end[PLX_PAIR_SERVER].tls->spent = NULL;
	SSL_SESSION_free(ticket);
	ticket = NULL;
	plx_pair_free(p);
}

/* One datagram: the ClientHello, and a 0-RTT packet with these frames. */
static struct plx_rogue *
come_back(struct plx_pair *p, const uint8_t *frames, size_t len)
{
	struct plx_rogue *r = plx_rogue_new(p, NULL);
	struct plx_rogue_pkt initial = {.level = PLX_ROGUE_INITIAL};
	struct plx_rogue_pkt early = {
	        .level = PLX_ROGUE_0RTT, .frames = frames, .len = len};
	struct plx_rogue_space *s = &r->sp[PLX_ROGUE_INITIAL];
	uint8_t out[1500], hello[1400] = {6, 0};
	size_t n;

	CU_ASSERT_EQUAL_FATAL(SSL_set_session(r->ssl, ticket), 1);
	CU_ASSERT_EQUAL_FATAL(SSL_set_quic_tls_early_data_enabled(r->ssl, 1), 1);
	plx_rogue_make_hello(r);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r->sp[PLX_ROGUE_0RTT].tx.aead);
	CU_ASSERT_FATAL(s->out_len < 1000);
	n = 2 + plx_rogue_varint(hello + 2, s->out_len);
	memcpy(hello + n, s->out, s->out_len);
	initial.frames = hello;
	initial.len = n + s->out_len;
	s->out_sent = s->out_len;
	n = plx_rogue_seal(r, &initial, out, sizeof(out));
	early.pad_to = 1300 - n;
	n += plx_rogue_seal(r, &early, out + n, sizeof(out) - n);
	CU_ASSERT_FATAL(n >= 1200);
	plx_rogue_send_raw(r, out, n);
	return r;
}

static void
is_a_violation(const uint8_t *frames, size_t len)
{
	struct plx_pair *p = pair();
	struct plx_rogue *r = come_back(p, frames, len);

	CU_ASSERT_TRUE(plx_rogue_wait_close(r));
	CU_ASSERT_EQUAL(r->close.code, NGTCP2_PROTOCOL_VIOLATION);
	CU_ASSERT_FALSE(r->close.app);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].app.closed,
	                p->end[PLX_PAIR_SERVER].app.established);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 20 * SEC));
	plx_rogue_free(r);
	free_pair(p);
}

#define VIOLATION(...)                                 \
	is_a_violation((const uint8_t[]){__VA_ARGS__}, \
	               sizeof((const uint8_t[]){__VA_ARGS__}))

/*
 * RFC 9001 section 8.3: "A server MUST treat receipt of a CRYPTO frame in a 0-RTT packet as a
 * connection error of type PROTOCOL_VIOLATION."
 */
static void
crypto_in_0rtt(void)
{
	PLX_COVERS("T34");
	VIOLATION(0x06, 0, 4, 5, 0, 0, 0); /* EndOfEarlyData */
	VIOLATION(0x06, 0, 1, 0);
}

/* RFC 9000 section 12.5, table 3: what a 0-RTT packet cannot hold. */
static void
frames_that_0rtt_cannot_hold(void)
{
	VIOLATION(0x02, 0, 0, 0, 0);             /* ACK */
	VIOLATION(0x07, 1, 0);                   /* NEW_TOKEN */
	VIOLATION(0x19, 0);                      /* RETIRE_CONNECTION_ID */
	VIOLATION(0x1b, 1, 2, 3, 4, 5, 6, 7, 8); /* PATH_RESPONSE */
	VIOLATION(0x1e);                         /* HANDSHAKE_DONE */
}

/* What is right goes through: a stream of the test's application, and its answer. */
static void
a_stream_in_0rtt_is_answered(void)
{
	/* STREAM 0 with length and end: nothing up, 100 bytes down. */
	static const uint8_t f[3 + 16] = {0x0b, 0, 16, [3 + 8] = 100};
	struct plx_pair *p = pair();
	struct plx_rogue *r = come_back(p, f, sizeof(f));

	CU_ASSERT_TRUE(plx_rogue_run(r, plx_rogue_is_confirmed, 5 * SEC));
	plx_pair_run(p, NULL, SEC);
	CU_ASSERT_FALSE(r->close.got);
	CU_ASSERT_EQUAL(r->stream_bytes, 100);
	CU_ASSERT_EQUAL(SSL_get_early_data_status(r->ssl), SSL_EARLY_DATA_ACCEPTED);
	/* Behind the handshake 0-RTT packets are old, not wrong: RFC 9001 section 4.9.3. */
	PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, 0x1c, 0, 0, 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 20 * SEC));
	plx_rogue_free(r);
	free_pair(p);
}

/* HTTP/3: what a request does to the application above. */
static struct {
	struct plx_h3 *h;
	uint32_t requests;
	bool done; /* the handshake was complete when it came */
} site;

static int
site_open(void *arg, struct plx_h3 *h, struct plx_conn *c, void **ctx)
{
	(void)arg;
	(void)c;
	site.h = h;
	*ctx = &site;
	return 0;
}

static int
site_head(void *ctx, int64_t id, const struct plx_h3_head *head, bool fin)
{
	static const struct plx_h3_field ok = {":status", "200", 7, 3};

	(void)ctx;
	(void)head;
	(void)fin;
	site.requests++;
	return plx_h3_respond(site.h, id, &ok, 1, false);
}

static const struct plx_h3_app site_app = {
        .name = "site", .on_open = site_open, .on_head = site_head};

/*
 * A request as early data: RFC 8470. GET is answered before the handshake is complete; POST is not
 * looked at, and the client is told that it may ask again.
 */
static void
http_requests_in_0rtt(void)
{
	/* The control stream with SETTINGS; HEADERS with :method, :scheme, :path, :authority. */
	uint8_t f[] = {0x0a, 2,    3,    0x00, 0x04, 0x00, 0x0b, 0,    10, 0x01,
	               8,    0x00, 0x00, 0xd1, 0xd7, 0xc1, 0x50, 0x01, 'a'};
	struct plx_h3_cfg cfg = {.app = &site_app};

	PLX_COVERS("C11");
	for (int post = 0; post < 2; post++) {
		struct plx_pair *p;
		struct plx_rogue *r;

		memset(&site, 0, sizeof(site));
		f[13] = post ? 0xd4 : 0xd1; /* static table: POST, GET */
		p = pair();
		cfg.obs = p->end[PLX_PAIR_SERVER].obs;
		cfg.slab = plx_quic_slab(p->end[PLX_PAIR_SERVER].quic);
		p->end[PLX_PAIR_SERVER].proto.app = &plx_h3_inline;
		p->end[PLX_PAIR_SERVER].proto.arg = &cfg;
		r = come_back(p, f, sizeof(f));
		plx_pair_run(p, NULL, 2 * SEC);
		CU_ASSERT_FALSE(r->close.got);
		CU_ASSERT_EQUAL(site.requests, !post);
		/* The answer, or RESET_STREAM. */
		CU_ASSERT(r->frames[0x04] == (uint64_t)post);
		CU_ASSERT_TRUE(r->confirmed);
		PLX_ROGUE_SEND(r, PLX_ROGUE_1RTT, 0x1c, 0, 0, 0);
		CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, 20 * SEC));
		plx_rogue_free(r);
		free_pair(p);
	}
}

int
main(void)
{
	CU_TestInfo early[] = {
	        {"CRYPTO in 0-RTT", crypto_in_0rtt},
	        {"frames that 0-RTT cannot hold", frames_that_0rtt_cannot_hold},
	        {"a stream in 0-RTT is answered", a_stream_in_0rtt_is_answered},
	        {"HTTP requests in 0-RTT", http_requests_in_0rtt},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"early data", NULL, NULL, NULL, NULL, early},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
