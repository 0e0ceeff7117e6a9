/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_quic_pvt.h"

/*
 * Connections whose port has no link wait (docs/adr/0008).
 *
 * RFC 9002 section 6.2.1 doubles the probe timeout each time it expires. Probes into a dead link
 * would therefore end with a pause as long as the outage: after 20 s the next one is up to 20 s
 * away, later than the idle timeout, although the link has been up for long. ngtcp2 has no call
 * that takes the backoff back, and its clock cannot be turned forward without harm to its
 * round-trip samples. So the timer is not told of its expiry while nothing can leave: the probe
 * is late, never skipped. When the link is back it expires once, its probe leaves at once, and
 * the backoff goes on from where the outage met it. To ngtcp2 it looks like a machine that was
 * suspended.
 *
 * A connection is held when its turn to write comes, or one of its timers fires, while its port
 * is down; the rest never notices. The timers that end a connection go on.
 *
 * The peer may have seen nothing of our link, and backs off with what was lost on its side: a
 * request, or the credit that we wait for. A connection with nothing in flight therefore sends
 * two PINGs, a probe timeout apart. The first answer shows the peer nothing; with the second one
 * it sends, once a round trip as RFC 9000 section 13.2.4 proposes, a PING of its own, and our
 * acknowledgement of that is what tells it of its losses.
 */

/*
 * Connections that go on at once, and the time until the next ones may, when a link comes back:
 * each sends two packets, so 64 in a millisecond are some 1.5 Gbit/s, and 100,000 connections
 * are back within 1.6 s. More would send a burst that fills the queues of the first switch; less
 * would let the last ones wait longer than an application waits for a page.
 */
#define RESUME_BATCH 64
#define RESUME_NS    PLX_NS_PER_MS
/** Slots looked at in that time: empty ones cost a cache line each, some 100 us together. */
#define RESUME_SLOTS 4096
#define NUDGES       2

static bool
in_ports(const struct plx_conn *c, uint32_t ports, bool all)
{
	uint8_t port = c->path[0].tx.port;

	/* Before its first packet nobody looked up the port: it may be any. */
	return port == 0 ? all : (ports >> (port - 1) & 1) != 0;
}

static bool
port_down(const struct plx_conn *c)
{
	return in_ports(c, c->q->down, c->q->down_all);
}

static void
hold(struct plx_conn *c)
{
	if (c->held)
		return;
	c->held = true;
	plx_obs_add(c->q->d.obs, PLX_COUNT_conns_held, 1);
}

static uint64_t
in_flight(const struct plx_conn *c)
{
	ngtcp2_conn_info ni;

	ngtcp2_conn_get_conn_info(c->nc, &ni);
	return ni.bytes_in_flight;
}

/*
 * When a connection has surely come to its end, if it is held from now on. ngtcp2 does not tell
 * since when it is idle, only, when asked too early, probes instead.
 */
static uint64_t
end_of(const struct plx_conn *c)
{
	const ngtcp2_transport_params *peer =
	        ngtcp2_conn_get_remote_transport_params(c->nc);
	uint64_t idle = c->q->cfg.idle_timeout_ms * PLX_NS_PER_MS;
	uint64_t pto3 = 3 * ngtcp2_conn_get_pto(c->nc);
	uint64_t end;

	if (peer != NULL && peer->max_idle_timeout > 0 &&
	    (idle == 0 || peer->max_idle_timeout < idle))
		idle = peer->max_idle_timeout;
	end = idle == 0 ? PLX_TIME_NEVER : c->q->now + (idle > pto3 ? idle : pto3);
	return c->state == PLX_CONN_HANDSHAKE && c->hs_due_ns < end ? c->hs_due_ns : end;
}

/* Timers that were due meanwhile fire now: acknowledgements, losses, one probe timeout. */
static void
resume(struct plx_conn *c)
{
	int rv;

	c->held = false;
	c->hold_end_ns = 0;
	rv = ngtcp2_conn_handle_expiry(c->nc, c->q->now);
	if (rv != 0) {
		plx_conn_fail(c, rv);
		return;
	}
	if (c->state == PLX_CONN_OPEN && in_flight(c) == 0) {
		c->nudges = NUDGES;
		c->nudge_ns = c->q->now;
	}
	plx_tx_join(c); /* its deadline is read again after it wrote */
}

bool
plx_hold_write(struct plx_conn *c)
{
	if (!port_down(c)) {
		if (!c->held)
			return false;
		resume(c); /* something came to it before its turn did */
		return true;
	}
	hold(c);
	plx_conn_rearm(c);
	return true;
}

bool
plx_hold_fire(struct plx_conn *c)
{
	if (!port_down(c)) {
		c->held = false;
		c->hold_end_ns = 0;
		return false;
	}
	/* A client in the handshake probes without anything in flight. */
	if (c->state != PLX_CONN_HANDSHAKE && in_flight(c) == 0)
		return false; /* the idle timer, or one that only makes it write */
	hold(c);
	if (c->hold_end_ns == 0)
		c->hold_end_ns = end_of(c);
	if (c->q->now >= c->hold_end_ns) {
		c->hold_end_ns = 0;
		return false;
	}
	plx_timer_set(c, c->hold_end_ns);
	return true;
}

bool
plx_nudge_begin(struct plx_conn *c)
{
	if (c->q->now < c->nudge_ns)
		return false;
	/* Silent for longer than a nanosecond: a packet that asks for no answer gets a PING. */
	ngtcp2_conn_set_keep_alive_timeout(c->nc, 1);
	return true;
}

void
plx_nudge_end(struct plx_conn *c)
{
	if (c->nc == NULL)
		return;
	ngtcp2_conn_set_keep_alive_timeout(c->nc, c->q->cfg.keep_alive_ms * PLX_NS_PER_MS);
	c->nudges--;
	c->nudge_ns = c->q->now + ngtcp2_conn_get_pto(c->nc);
	plx_conn_rearm(c);
}

void
plx_quic_set_down(struct plx_quic *q, uint32_t ports, bool all, uint64_t now_ns)
{
	uint32_t back = q->down & ~ports;
	bool back_all = q->down_all && !all;

	plx_quic_advance(q, now_ns);
	q->down = ports;
	q->down_all = all;
	if (back == 0 && !back_all)
		return;
	/* A walk that another port began goes over the slots once more. */
	q->back |= back;
	q->back_all |= back_all;
	q->resume_left = q->cfg.conns_max;
	q->resume_ns = q->now;
}

uint64_t
plx_hold_deadline(const struct plx_quic *q)
{
	return q->resume_left > 0 ? q->resume_ns : PLX_TIME_NEVER;
}

uint32_t
plx_hold_run(struct plx_quic *q)
{
	uint32_t cnt = 0;

	if (q->now < q->resume_ns)
		return 0;
	q->resume_ns = q->now + RESUME_NS;
	for (uint32_t i = 0; i < RESUME_SLOTS && cnt < RESUME_BATCH && q->resume_left > 0;
	     i++) {
		struct plx_conn *c = &q->conns[--q->resume_left];

		if (c->nc == NULL || c->close_wanted || port_down(c) ||
		    !in_ports(c, q->back, q->back_all))
			continue;
		resume(c);
		cnt++;
	}
	if (q->resume_left == 0) {
		q->back = 0;
		q->back_all = false;
	}
	return cnt;
}
