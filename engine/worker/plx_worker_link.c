/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_worker_pvt.h"

/*
 * Which ports have no link. Two witnesses: what the driver reports, which main reads and passes
 * on (plx_worker_set_links), and the port itself, when it takes no frame for PLX_NET_TX_HOLD_NS.
 * One counter-witness: a port that receives has a link, whatever its driver says.
 */

void
plx_worker_set_links(struct plx_worker *w, uint32_t down)
{
	atomic_store_explicit(&w->links_down, down, memory_order_relaxed);
}

void
plx_worker_link_rx(struct plx_worker *w, uint16_t port)
{
	w->no_link &= ~(UINT32_C(1) << port);
}

/* What main reports has changed. */
static void
reported(struct plx_worker *w, uint32_t down)
{
	uint32_t lost = down & ~w->link_seen, back = w->link_seen & ~down;

	w->link_seen = down;
	w->no_link = (w->no_link | lost) & ~back;
	if (w->cfg.number != 0)
		return; /* each port counts once */
	plx_obs_add(&w->obs, PLX_COUNT_link_downs, (uint64_t)__builtin_popcount(lost));
	plx_obs_add(&w->obs, PLX_COUNT_link_ups, (uint64_t)__builtin_popcount(back));
}

/* Ports that refuse, as of now. */
static uint32_t
stalls(struct plx_worker *w, uint64_t now_ns)
{
	uint32_t bits = 0;

	for (uint16_t p = 0; p < w->cfg.port_cnt; p++)
		if (plx_net_tx_stalled(w->net[p], now_ns))
			bits |= UINT32_C(1) << p;
	plx_obs_add(&w->obs, PLX_COUNT_tx_stalls,
	            (uint64_t)__builtin_popcount(bits & ~w->stalled));
	return bits;
}

void
plx_worker_link_run(struct plx_worker *w, bool blocked, uint64_t now_ns)
{
	const uint32_t every = (UINT32_C(1) << w->cfg.port_cnt) - 1;
	uint32_t asked = atomic_load_explicit(&w->links_down, memory_order_relaxed);
	uint32_t down, back;

	if (asked != w->link_seen)
		reported(w, asked);
	if (blocked || w->stalled != 0)
		w->stalled = stalls(w, now_ns);
	down = w->no_link | w->stalled;
	if (down == w->down)
		return;
	back = w->down & ~down;
	w->down = down;
	for (uint16_t p = 0; p < w->cfg.port_cnt; p++)
		if (back >> p & 1)
			plx_net_link_up(w->net[p], now_ns);
	plx_quic_set_down(w->quic, down, down == every, now_ns);
}

void
plx_worker_link_housekeep(struct plx_worker *w, uint64_t now_ns)
{
	/* Connections of such a port are silent, and only an offer shows that it takes again. */
	for (uint16_t p = 0; p < w->cfg.port_cnt; p++)
		if (w->stalled >> p & 1)
			plx_net_announce(w->net[p], now_ns);
}
