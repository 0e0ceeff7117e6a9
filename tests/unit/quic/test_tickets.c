/* SPDX-License-Identifier: BSD-3-Clause */
#include "early_visit.h"

/* Session tickets: who resumes with which. */

/* Certificate messages that the server wrote. */
static uint32_t certificates;

static void
see_message(int write, int version, int type, const void *buf, size_t len, SSL *ssl,
            void *arg)
{
	(void)version;
	(void)ssl;
	(void)arg;
	if (write && type == SSL3_RT_HANDSHAKE && len > 0 &&
	    *(const uint8_t *)buf == SSL3_MT_CERTIFICATE)
		certificates++;
}

static void
a_ticket_resumes_without_a_certificate(void)
{
	struct ep_net *n = prepare();
	struct kept k;

	PLX_COVERS("IC-resumption");
	ep_net_start(n);
	certificates = 0;
	SSL_CTX_set_msg_callback(n->ep[SRV]->tls_server->ctx, see_message);
	visit(n, &k);
	CU_ASSERT_EQUAL(certificates, 1);
	CU_ASSERT_EQUAL(count(n, SRV, PLX_COUNT_sessions_resumed), 0);
	come_back(n, &k, false);
	wait_up(n);
	CU_ASSERT_EQUAL(certificates, 1);
	CU_ASSERT_TRUE(plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_TRUE(plx_endpoint_resumed(n->ep[SRV], n->conn[SRV]));
	CU_ASSERT_FALSE(plx_endpoint_has_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_FALSE(plx_endpoint_has_0rtt(n->ep[SRV], n->conn[SRV]));
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_ZERO_RTT_REJECTED), 0);
	/* A resumed session brings the ticket of the next one. */
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_TICKET), 1);
	CU_ASSERT_EQUAL(count(n, CLI, PLX_COUNT_sessions_resumed), 1);
	CU_ASSERT_EQUAL(count(n, SRV, PLX_COUNT_sessions_resumed), 1);
	ep_net_free(n);
}

static void
servers_with_one_secret_resume_each_others_sessions(void)
{
	struct ep_net *n = prepare();
	struct kept k;

	visit(n, &k);
	plx_endpoint_free(swap_server(n, NULL)); /* it was started again */
	come_back(n, &k, false);
	wait_up(n);
	CU_ASSERT_TRUE(plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]));
	leave(n);
	/* Without the secret the handshake is a full one, and works. */
	n->server.ticket_secret = NULL;
	plx_endpoint_free(swap_server(n, NULL));
	come_back(n, &k, false);
	wait_up(n);
	CU_ASSERT_FALSE(plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]));
	ep_net_free(n);
}

static uint64_t wall;

static uint64_t
tell_wall(void)
{
	return wall;
}

static void
a_ticket_opens_in_its_half_day_and_the_next(void)
{
	static const struct {
		int64_t later;
		bool resumed;
	} at[] = {{0, true},          {12 * 3600, true},  {24 * 3600 - 3, true},
	          {-12 * 3600, true}, {24 * 3600, false}, {-24 * 3600, false}};
	const uint64_t start = UINT64_C(40000) * 12 * 3600 + 2;
	struct ep_net *n = prepare();
	struct kept k;

	PLX_COVERS("F15");
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		wall = start;
		if (n->ep[SRV] == NULL)
			ep_net_start(n);
		n->ep[SRV]->tls_server->wall_s = tell_wall;
		visit(n, &k);
		wall = start + (uint64_t)at[i].later;
		come_back(n, &k, false);
		wait_up(n);
		CU_ASSERT_EQUAL(plx_endpoint_resumed(n->ep[SRV], n->conn[SRV]),
		                at[i].resumed);
		leave(n);
	}
	ep_net_free(n);
}

static void
a_ticket_of_another_name_or_protocol_is_not_used(void)
{
	struct plx_path path = {0};
	struct ep_net *n = prepare();
	struct kept k;

	n->client.insecure = true;
	visit(n, &k);
	path.remote = n->addr[SRV];
	CU_ASSERT_EQUAL_FATAL(plx_endpoint_resume(n->ep[CLI], n->now, &path,
	                                          "other.example", k.data, k.len, true,
	                                          &n->conn[CLI]),
	                      0);
	CU_ASSERT_FALSE(plx_endpoint_has_0rtt(n->ep[CLI], n->conn[CLI]));
	wait_up(n);
	CU_ASSERT_FALSE(plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]));
	leave(n);
	/* One that was had without verification is no proof for somebody who wants it. */
	n->ep[CLI]->verify = true;
	come_back(n, &k, true);
	wait_up(n);
	CU_ASSERT_FALSE(plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]));
	n->ep[CLI]->verify = false;
	leave(n);
	memcpy(n->ep[CLI]->alpn[0], "plx-other", 10);
	memcpy(n->ep[SRV]->alpn[0], "plx-other", 10);
	come_back(n, &k, true);
	CU_ASSERT_FALSE(plx_endpoint_has_0rtt(n->ep[CLI], n->conn[CLI]));
	wait_up(n);
	CU_ASSERT_FALSE(plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_ZERO_RTT_REJECTED), 0);
	ep_net_free(n);
}

/* A visit by a name, without a ticket of the owner's. @return it was resumed */
static bool
visit_name(struct ep_net *n, const char *name)
{
	bool resumed;

	n->conn[CLI] = ep_net_connect(n, name);
	wait_up(n);
	resumed = plx_endpoint_resumed(n->ep[CLI], n->conn[CLI]);
	leave(n);
	return resumed;
}

static void
a_client_may_keep_the_newest_tickets_itself(void)
{
	struct ep_net *n = prepare();
	struct plx_slab_stats before, after;
	struct plx_quic *q;

	n->client.insecure = true;
	ep_net_start(n);
	q = n->ep[CLI]->q;
	plx_slab_get_stats(n->ep[CLI]->slab, &before);
	q->cfg.tickets_kept = 2;
	CU_ASSERT_EQUAL_FATAL(plx_kept_init(q), 0);
	CU_ASSERT_FALSE(visit_name(n, "a.example"));
	CU_ASSERT_TRUE(visit_name(n, "a.example"));
	CU_ASSERT_FALSE(visit_name(n, "b.example"));
	CU_ASSERT_TRUE(visit_name(n, "a.example"));
	CU_ASSERT_FALSE(visit_name(n, "10.0.0.7")); /* pushes out that of b */
	CU_ASSERT_FALSE(visit_name(n, "10.0.0.8")); /* names without SNI differ too */
	CU_ASSERT_TRUE(visit_name(n, "10.0.0.7"));
	CU_ASSERT_FALSE(visit_name(n, "b.example"));
	/* Each once, also where the visit brings no other. */
	n->server.no_tickets = true;
	plx_endpoint_free(swap_server(n, NULL));
	CU_ASSERT_TRUE(visit_name(n, "b.example"));
	CU_ASSERT_FALSE(visit_name(n, "b.example"));
	plx_kept_fini(q);
	plx_slab_get_stats(n->ep[CLI]->slab, &after);
	CU_ASSERT_EQUAL(after.used, before.used);
	ep_net_free(n);
}

static bool
is_decided(struct ep_net *n)
{
	return ep_cnt(n, CLI, PLX_EP_CONNECTED) + ep_cnt(n, CLI, PLX_EP_CLOSED) > 0;
}

static void
whatever_is_given_for_a_ticket_the_dial_ends_once(void)
{
	struct ep_net *n = prepare();
	struct kept good, bad;
	uint32_t up = 0;

	n->cfg[CLI].conns_max = n->cfg[SRV].conns_max = 256;
	n->cfg[CLI].handshake_timeout_ms = n->cfg[SRV].handshake_timeout_ms = 1000;
	visit(n, &good);
	for (size_t i = 0; i < 160; i++) {
		bad = good;
		if (i < 20)
			bad.len = good.len * i / 20;
		else if (i < 40)
			bad.data[i - 20] ^= 1u << (i % 8);
		else
			bad.data[(i * 7919) % bad.len] ^= 0x10;
		come_back(n, &bad, true);
		CU_ASSERT_TRUE(ep_net_run(n, is_decided, 5 * SEC));
		up += ep_cnt(n, CLI, PLX_EP_CONNECTED);
		CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_CONNECTED) +
		                        ep_cnt(n, CLI, PLX_EP_CLOSED),
		                1);
		leave(n);
	}
	/* All but those whose session secret was changed. */
	CU_ASSERT(up > 120);
	ep_net_free(n);
}

static void
the_tls_object_of_a_client_waits_ten_seconds_for_a_ticket(void)
{
	struct ep_net *n = prepare();
	struct plx_conn *c;

	n->server.no_tickets = true;
	ep_net_up(n);
	c = &n->ep[CLI]->q->conns[plx_conn_id_slot(n->conn[CLI])];
	CU_ASSERT_PTR_NOT_NULL(c->tls);
	CU_ASSERT_PTR_NULL(n->ep[SRV]->q->conns[plx_conn_id_slot(n->conn[SRV])].tls);
	ep_net_for(n, 11 * SEC);
	CU_ASSERT_PTR_NULL(c->tls);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_TICKET), 0);
	ep_net_free(n);

	/* With one it ends when the ticket came, and more are skipped. */
	n = prepare();
	n->server.tickets = 4;
	ep_net_start(n);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	wait_up(n);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_TICKET), 1);
	c = &n->ep[CLI]->q->conns[plx_conn_id_slot(n->conn[CLI])];
	CU_ASSERT_PTR_NULL(c->tls);
	leave(n);
	ep_net_free(n);
}

/* RFC 9001 section 4.6.1: any other limit than the greatest is a PROTOCOL_VIOLATION. */
static void
a_ticket_with_a_limit_on_early_data_ends_the_connection(void)
{
	struct ep_net *n = prepare();

	n->server.early_data = false;
	ep_net_start(n);
	SSL_CTX_set_max_early_data(n->ep[SRV]->tls_server->ctx, 1000);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE(ep_wait(n, CLI, PLX_EP_CLOSED, SEC));
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CLOSED)->ev.why.by,
	                PLX_CLOSE_TRANSPORT_ERROR);
	CU_ASSERT_EQUAL(ep_last(n, CLI, PLX_EP_CLOSED)->ev.why.code,
	                NGTCP2_PROTOCOL_VIOLATION);
	CU_ASSERT_EQUAL(ep_cnt(n, CLI, PLX_EP_TICKET), 0);
	ep_net_free(n);
}

int
main(void)
{
#define T(name) {#name, name}
	CU_TestInfo tickets[] = {
	        T(a_ticket_resumes_without_a_certificate),
	        T(servers_with_one_secret_resume_each_others_sessions),
	        T(a_ticket_opens_in_its_half_day_and_the_next),
	        T(a_ticket_of_another_name_or_protocol_is_not_used),
	        T(a_client_may_keep_the_newest_tickets_itself),
	        T(whatever_is_given_for_a_ticket_the_dial_ends_once),
	        T(the_tls_object_of_a_client_waits_ten_seconds_for_a_ticket),
	        T(a_ticket_with_a_limit_on_early_data_ends_the_connection),
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"tickets", NULL, NULL, NULL, NULL, tickets},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
