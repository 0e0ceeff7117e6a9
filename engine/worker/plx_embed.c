/* SPDX-License-Identifier: BSD-3-Clause */
/* Engines that a host program turns (<plx/embed.h>); plx_embed_open() is with the configuration. */
#include <plx/embed.h>

#include <rte_mbuf.h>

#include "plx_engine_int.h"
#include "plx_hostport.h"

int
plx_embed_turn(struct plx_engine *e, uint16_t worker, struct rte_mbuf **m, uint16_t cnt,
               uint64_t now_ns)
{
	struct plx_worker *w = plx_engine_worker(e, worker);
	struct plx_pio *p = plx_engine_hostport(e);
	uint32_t moved = 0;

	do {
		uint16_t n = RTE_MIN(cnt, (uint16_t)PLX_BURST_MAX);
		int rc = PLX_E_INVAL;

		if (plx_likely(w != NULL && p != NULL)) {
			plx_hostport_give(p, worker, m, n);
			rc = plx_worker_host_turn(w, now_ns);
		}
		if (plx_unlikely(rc < 0)) {
			rte_pktmbuf_free_bulk(m, cnt);
			return rc;
		}
		moved += (uint32_t)rc;
		if (n == 0)
			break; /* m may be NULL then */
		m += n;
		cnt = (uint16_t)(cnt - n);
	} while (cnt > 0);
	return (int)RTE_MIN(moved, (uint32_t)INT32_MAX);
}

uint16_t
plx_embed_take(struct plx_engine *e, uint16_t worker, struct rte_mbuf **m, uint16_t cnt)
{
	struct plx_pio *p = plx_engine_hostport(e);

	return p != NULL && worker < p->txq_cnt ? plx_hostport_take(p, worker, m, cnt) : 0;
}

uint64_t
plx_embed_deadline(struct plx_engine *e, uint16_t worker)
{
	const struct plx_worker *w = plx_engine_worker(e, worker);

	return w != NULL ? plx_worker_deadline(w) : PLX_TIME_NEVER;
}

void
plx_embed_link(struct plx_engine *e, bool up)
{
	struct plx_pio *p = plx_engine_hostport(e);

	if (p != NULL)
		plx_hostport_set_link(p, up);
}
