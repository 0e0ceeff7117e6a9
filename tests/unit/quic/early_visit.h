/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * A client that visits a server, keeps the ticket, and comes back with it: what the tests of
 * tickets and of early data share.
 *
 * Threads: one.
 */
#ifndef EARLY_VISIT_H
#define EARLY_VISIT_H

#include <string.h>

#include "plx_endpoint_pvt.h"
#include "plx_ep_net.h"
#include "plx_test.h"

static const uint8_t secret[32] = {9, 8, 7};

/** A ticket as an application keeps it. */
struct kept {
	uint8_t data[8192];
	size_t len;
};

/** Prepares two endpoints of which one takes early data and the other wants tickets. */
static inline struct ep_net *
prepare(void)
{
	struct ep_net *n = ep_net_new();

	n->server.early_data = true;
	n->server.ticket_secret = secret;
	n->server.ticket_secret_len = sizeof(secret);
	n->client.tickets = true;
	n->client.insecure = false;
	return n;
}

/* The log holds the beginning of the bytes only, so the test polls for itself. */
static inline bool
take_ticket(struct ep_net *n, struct kept *k)
{
	struct plx_endpoint_event ev;
	bool got = false;

	k->len = 0;
	n->own_events[CLI] = true;
	for (int i = 0; i < 400 && !got; i++) {
		ep_net_for(n, 5 * MS);
		while (plx_endpoint_poll_event(n->ep[CLI], &ev)) {
			if (ev.type != PLX_EP_TICKET)
				continue;
			CU_ASSERT_FATAL(ev.len <= sizeof(k->data));
			CU_ASSERT_EQUAL(ev.conn.v, n->conn[CLI].v);
			memcpy(k->data, ev.data, ev.len);
			k->len = ev.len;
			got = true;
		}
	}
	n->own_events[CLI] = false;
	return got;
}

static inline void
leave(struct ep_net *n)
{
	plx_endpoint_close(n->ep[CLI], n->conn[CLI], 0, NULL);
	ep_net_for(n, 10 * SEC);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[SRV]), 0);
	CU_ASSERT_EQUAL(plx_endpoint_conn_cnt(n->ep[CLI]), 0);
	ep_forget(n);
}

/** A connection, its ticket, its end. */
static inline void
visit(struct ep_net *n, struct kept *k)
{
	if (n->ep[SRV] == NULL)
		ep_net_start(n);
	n->conn[CLI] = ep_net_connect(n, "server.example");
	CU_ASSERT_TRUE_FATAL(take_ticket(n, k));
	leave(n);
}

static inline void
come_back(struct ep_net *n, const struct kept *k, bool early)
{
	struct plx_path path = {.remote = n->addr[SRV]};

	CU_ASSERT_EQUAL_FATAL(plx_endpoint_resume(n->ep[CLI], n->now, &path,
	                                          "server.example", k->data, k->len, early,
	                                          &n->conn[CLI]),
	                      0);
}

/** The same with a text on the first stream, all in one flight. */
static inline void
come_back_talking(struct ep_net *n, const struct kept *k, const char *text)
{
	plx_endpoint_batch_begin(n->ep[CLI]);
	come_back(n, k, true);
	CU_ASSERT_TRUE_FATAL(plx_endpoint_has_0rtt(n->ep[CLI], n->conn[CLI]));
	CU_ASSERT_EQUAL_FATAL(plx_endpoint_open(n->ep[CLI], n->conn[CLI], true), 0);
	ep_say(n, CLI, 0, text, true);
	plx_endpoint_batch_end(n->ep[CLI], n->now);
}

static inline bool
is_up(struct ep_net *n)
{
	return ep_cnt(n, CLI, PLX_EP_CONNECTED) == 1 &&
	       ep_cnt(n, SRV, PLX_EP_NEW_CONNECTION) == 1;
}

static inline void
wait_up(struct ep_net *n)
{
	CU_ASSERT_TRUE_FATAL(ep_net_run(n, is_up, 20 * SEC));
	n->conn[SRV] = ep_last(n, SRV, PLX_EP_NEW_CONNECTION)->ev.conn;
	ep_net_for(n, 200 * MS);
}

static inline uint64_t
count(struct ep_net *n, int side, enum plx_count c)
{
	return plx_obs_get(n->ep[side]->obs, c);
}

/** Another server takes the place of the one there is. @return the old one */
static inline struct plx_endpoint *
swap_server(struct ep_net *n, struct plx_endpoint *other)
{
	struct plx_endpoint *old = n->ep[SRV];
	char err[256];

	n->ep[SRV] = other;
	n->cfg[SRV].rng_seed[0]++;
	if (other == NULL)
		CU_ASSERT_EQUAL_FATAL(
		        plx_endpoint_new(&n->ep[SRV], &n->cfg[SRV], err, sizeof(err)), 0);
	return old;
}

#endif
