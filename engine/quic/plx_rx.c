/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_quic_pvt.h"

/* Datagrams in: each goes to the connection that steering named. */

/* The address pair of a datagram differs from the last one's. @return false: drop it */
static bool
rx_new_path(struct plx_conn *c, const struct plx_dgram *dg)
{
	if (memcmp(&dg->path, &c->path[0].tx.path, sizeof(dg->path)) != 0 &&
	    (!c->q->cfg.migration || c->state != PLX_CONN_OPEN ||
	     !plx_path_sane(&dg->path) || plx_path_reflects(&dg->path))) {
		plx_obs_drop(c->q->d.obs, PLX_DROP_QUIC_MIGRATION, 1);
		return false;
	}
	c->rx_path = dg->path;
	plx_path_to_ngtcp2(&c->rx_ps, &dg->path);
	return true;
}

void
plx_rx_conn(struct plx_conn *c, const struct plx_dgram *dg)
{
	struct plx_quic *q = c->q;
	ngtcp2_pkt_info pi = {.ecn = dg->ecn};
	int rv;

	if (plx_unlikely(c->nc == NULL || c->close_wanted)) {
		plx_conn_closed_rx(c, dg);
		return;
	}
	if (plx_unlikely(memcmp(&dg->path, &c->rx_path, sizeof(dg->path)) != 0) &&
	    !rx_new_path(c, dg))
		return;
	plx_obs_add(q->d.obs, PLX_COUNT_quic_rx_pkts, 1);
	if (c->app != NULL && c->app->on_stream_stop != NULL) {
		q->stop_conn = c;
		q->stop_cnt = 0;
	}
	q->opened = NULL;
	rv = ngtcp2_conn_read_pkt(c->nc, &c->rx_ps.path, &pi, dg->data, dg->len, q->now);
	q->stop_conn = NULL;
	if (plx_unlikely(q->stop_cnt > 0))
		rv = plx_stop_tell(c, rv);
	/* RFC 9000 section 19.4 has a code of its own for it, ngtcp2 the general one. */
	if (plx_unlikely(rv == NGTCP2_ERR_PROTO && plx_stop_reset_of_ours(c)))
		rv = NGTCP2_ERR_STREAM_STATE;
	if (plx_unlikely(rv != 0)) {
		plx_conn_fail(c, rv);
		return;
	}
	if (plx_unlikely(memcmp(&c->rx_path, &c->path[0].tx.path, sizeof(c->rx_path)) != 0))
		plx_path_sync(c);
	plx_tx_join(c);
}

/* How much of the slab is left decides what is still taken, once per burst. */
static void
check_memory(struct plx_quic *q)
{
	struct plx_slab_stats st;
	size_t left;

	plx_slab_get_stats(q->slab, &st);
	left = st.used < q->cfg.slab_limit ? q->cfg.slab_limit - st.used : 0;
	q->mem_tight = left < 2 * q->reserve;
	q->mem_out = left < q->reserve;
}

/*
 * A packet's bytes come from another core or from the NIC, so the first touch of each cache line
 * waits for it. The next packet is fetched while this one is worked on.
 */
static inline void
prefetch_read(const uint8_t *p, uint16_t len)
{
	for (uint16_t off = 0; off < len; off += PLX_CACHE_LINE)
		__builtin_prefetch(p + off, 0, 3);
}

void
plx_quic_rx_burst(struct plx_quic *q, struct plx_dgram *dg, uint16_t cnt, uint64_t now_ns)
{
	plx_quic_advance(q, now_ns);
	check_memory(q);
	for (uint16_t i = 0; i < cnt; i++) {
		struct plx_conn *c;

		if (i + 1 < cnt)
			prefetch_read(dg[i + 1].data, dg[i + 1].len);
		if (plx_unlikely(q->mem_out && (dg[i].verdict == PLX_VERDICT_CONN ||
		                                dg[i].verdict == PLX_VERDICT_NEW))) {
			plx_obs_drop(q->d.obs, PLX_DROP_QUIC_MEMORY, 1);
			continue;
		}
		switch ((enum plx_verdict)dg[i].verdict) {
		case PLX_VERDICT_CONN:
			c = plx_quic_slot(q, dg[i].slot);
			/* The slot may have been freed earlier in this burst. */
			if (plx_likely(c != NULL && c->state != PLX_CONN_FREE))
				plx_rx_conn(c, &dg[i]);
			else
				plx_obs_drop(q->d.obs, PLX_DROP_QUIC_UNKNOWN_CID, 1);
			break;
		case PLX_VERDICT_NEW:
			plx_rx_first(q, &dg[i]);
			break;
		case PLX_VERDICT_RESET:
			c = plx_srt_find(q, &dg[i]);
			if (c != NULL)
				plx_rx_conn(c, &dg[i]);
			else
				plx_stateless_reset(q, &dg[i]);
			break;
		default:
			break;
		}
	}
}
