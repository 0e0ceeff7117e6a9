/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_mbuf.h>

#include "plx_worker_pvt.h"

/*
 * Role quic: the turn that ends connections. It reads as the table of contents of the engine;
 * each step is a burst that cannot fail.
 */

/* 1. Flush what the port refused last time. */
static bool
flush(struct plx_worker *w, uint64_t now_ns)
{
	bool blocked = false;

	for (uint16_t p = 0; p < w->cfg.port_cnt; p++)
		blocked |= plx_net_tx_flush(w->net[p], now_ns) > 0;
	return blocked;
}

static uint8_t
port_of(struct plx_worker *w, struct plx_tx_path *tx)
{
	struct plx_addr local;

	if (w->cfg.port_cnt == 1)
		return 0;
	if (plx_likely(tx->tmpl_len != 0 && tx->port != 0))
		return (uint8_t)(tx->port - 1);
	tx->port = 1;
	for (uint16_t p = 0; p < w->cfg.port_cnt; p++) {
		if (plx_net_pick_local(w->net[p], &tx->path.remote, &local) == 0 &&
		    memcmp(local.ip, tx->path.local.ip, sizeof(local.ip)) == 0) {
			tx->port = (uint8_t)(p + 1);
			break;
		}
	}
	return (uint8_t)(tx->port - 1);
}

static void
send_pkts(struct plx_worker *w, struct plx_txpkt *out, uint16_t cnt, uint64_t now_ns)
{
	uint16_t i = 0;

	/* Runs of one port go down together; with one port that is the whole burst. */
	while (i < cnt) {
		uint8_t port = port_of(w, out[i].tx);
		uint16_t j = (uint16_t)(i + 1);

		while (j < cnt && port_of(w, out[j].tx) == port)
			j++;
		plx_net_tx_burst(w->net[port], &out[i], (uint16_t)(j - i), now_ns);
		i = j;
	}
}

/*
 * 2. Connections write packets straight behind the header room of an mbuf. One burst a turn, as
 * much as a turn receives: more runs ahead of the peer, and then payload waits in the port's ring
 * until it has left the cache (four bursts a turn cost 2 % of the sender's time).
 */
static uint32_t
write_pkts(struct plx_worker *w, uint64_t now_ns)
{
	uint16_t want = (uint16_t)(PLX_BURST_MAX - w->spare_cnt);
	uint16_t n;

	if (!plx_quic_has_tx(w->quic))
		return 0;
	if (want > 0)
		w->spare_cnt += plx_net_tx_alloc(w->net[0], &w->spare[w->spare_cnt], want);
	if (w->spare_cnt == 0)
		return 0; /* no buffer: connections keep what they have for the next turn */
	n = plx_quic_tx_burst(w->quic, w->spare, w->spare_cnt, now_ns);
	if (n == 0)
		return 0;
	send_pkts(w, w->spare, n, now_ns);
	w->spare_cnt = (uint16_t)(w->spare_cnt - n);
	memmove(w->spare, &w->spare[n], w->spare_cnt * sizeof(w->spare[0]));
	flush(w, now_ns);
	return n;
}

static void
stage(struct plx_worker *w, uint8_t dst, struct rte_mbuf *m)
{
	w->staged[dst][w->staged_cnt[dst]++] = m;
}

/* Hand over per burst: a ring operation for one packet costs as much as for thirty-two. */
static void
flush_staged(struct plx_worker *w)
{
	for (uint8_t dst = 0; dst < w->cfg.worker_cnt; dst++) {
		uint8_t cnt = w->staged_cnt[dst];
		uint16_t n;

		if (cnt == 0)
			continue;
		n = plx_mailbox_put(w->cfg.mailboxes, w->cfg.number, dst, w->staged[dst],
		                    cnt);
		plx_obs_add(&w->obs, PLX_COUNT_handover_out, n);
		if (n < cnt) {
			plx_obs_drop(&w->obs, PLX_DROP_STEER_MAILBOX, (uint64_t)(cnt - n));
			rte_pktmbuf_free_bulk(&w->staged[dst][n], (unsigned)(cnt - n));
		}
		w->staged_cnt[dst] = 0;
	}
}

/* Steers datagrams and feeds those that are ours; all mbufs leave. */
static void
steer_and_feed(struct plx_worker *w, struct plx_dgram *dg, uint16_t cnt, uint64_t now_ns)
{
	struct rte_mbuf *done[PLX_BURST_MAX];
	uint16_t done_cnt = 0, ours = 0;
	bool handed = false;

	if (cnt == 0)
		return;
	plx_steer_burst(w->steer, dg, cnt);
	for (uint16_t i = 0; i < cnt; i++) {
		enum plx_drop why = PLX_DROP_NONE;

		switch ((enum plx_verdict)dg[i].verdict) {
		case PLX_VERDICT_OTHER:
			if (dg[i].hops == 0 && dg[i].worker < w->cfg.worker_cnt) {
				plx_net_hand_over(&dg[i]);
				stage(w, dg[i].worker, dg[i].cookie);
				handed = true;
				continue;
			}
			why = PLX_DROP_STEER_HOPS;
			break;
		case PLX_VERDICT_DROP:
			why = (enum plx_drop)dg[i].drop;
			break;
		default:
			break;
		}
		done[done_cnt++] = dg[i].cookie;
		if (why != PLX_DROP_NONE)
			plx_obs_drop(&w->obs, why, 1);
		else
			dg[ours++] = dg[i];
	}
	if (handed)
		flush_staged(w);
	if (ours > 0)
		plx_quic_rx_burst(w->quic, dg, ours, now_ns);
	rte_pktmbuf_free_bulk(done, done_cnt);
}

/* 4. Mailboxes, then the ports: whole bursts, so that each connection acknowledges once. */
static uint32_t
receive(struct plx_worker *w, uint64_t now_ns)
{
	struct rte_mbuf *m[PLX_BURST_MAX];
	struct plx_dgram dg[PLX_BURST_MAX];
	uint32_t total = 0;
	uint16_t n;

	if (w->cfg.mailboxes != NULL) {
		n = plx_mailbox_take(w->cfg.mailboxes, w->cfg.number, m, PLX_BURST_MAX);
		for (uint16_t i = 0; i < n; i++) {
			plx_net_dgram_of(m[i], &dg[i]);
			dg[i].hops = 1;
		}
		plx_obs_add(&w->obs, PLX_COUNT_handover_in, n);
		steer_and_feed(w, dg, n, now_ns);
		total += n;
	}
	for (uint16_t p = 0; p < w->cfg.port_cnt; p++) {
		if (w->cfg.number >= w->cfg.pio[p]->rxq_cnt)
			continue; /* fewer queues than workers: others hand packets over */
		n = plx_pio_rx(w->cfg.pio[p], w->cfg.number, m, PLX_BURST_MAX);
		if (n == 0)
			continue;
		total += n;
		if (plx_unlikely(w->no_link != 0))
			plx_worker_link_rx(w, p);
		n = plx_net_rx_burst(w->net[p], m, n, dg, now_ns);
		steer_and_feed(w, dg, n, now_ns);
	}
	return total;
}

/* 7. Tell applications what happened. */
static uint32_t
publish(struct plx_worker *w)
{
	uint32_t n = 0;

	for (uint16_t a = 0; a < w->cfg.attach_cnt; a++) {
		struct plx_appside *s = &w->side[a];

		if (s->evq.head != NULL || s->done_head != NULL)
			n += plx_pair_publish(w->cfg.pair[a], s);
	}
	return n;
}

/* 8. Now and then: neighbours. */
static void
housekeep(struct plx_worker *w, uint64_t now_ns)
{
	w->housekeep_ns = now_ns + PLX_HOUSEKEEP_NS;
	for (uint16_t p = 0; p < w->cfg.port_cnt; p++)
		plx_net_housekeep(w->net[p], now_ns);
	if (plx_unlikely(w->stalled != 0))
		plx_worker_link_housekeep(w, now_ns);
}

uint32_t
plx_worker_turn_quic(struct plx_worker *w, uint64_t now_ns)
{
	uint32_t moved = 0;
	bool blocked;

	blocked = flush(w, now_ns);
	if (!blocked) {
		moved += write_pkts(w, now_ns);
		moved += plx_worker_cmds(w, now_ns);
	}
	moved += receive(w, now_ns);
	plx_worker_link_run(w, blocked, now_ns); /* 5. before timers: whose link is gone? */
	moved += plx_quic_timers_run(w->quic, now_ns);
	moved += publish(w);
	flush(w, now_ns); /* answers of ARP, ND and ICMP */
	if (plx_unlikely(now_ns >= w->housekeep_ns))
		housekeep(w, now_ns);
	return moved;
}
