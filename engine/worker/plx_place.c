/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_place.h"

#include <rte_lcore.h>

#include "plx_log.h"

int
plx_place_node(const struct plx_numa *numa, unsigned lcore)
{
	if (numa != NULL && numa->lcore_node != NULL)
		return numa->lcore_node(numa->arg, lcore);
	return (int)rte_lcore_to_socket_id(lcore);
}

int
plx_place_node_of(struct plx_pio *const *pio, uint16_t port_cnt)
{
	for (uint16_t p = 0; p < port_cnt; p++)
		if (pio[p]->socket_id >= 0)
			return pio[p]->socket_id;
	return -1;
}

bool
plx_place_pick(unsigned *out, uint16_t cnt, const unsigned *from, unsigned from_cnt,
               int node, const struct plx_numa *numa)
{
	uint16_t n = 0;

	if (from_cnt < cnt)
		return false;
	for (int near = 1; near >= 0; near--)
		for (unsigned i = 0; i < from_cnt && n < cnt; i++) {
			bool here = node < 0 || plx_place_node(numa, from[i]) == node;

			if (here == (near == 1))
				out[n++] = from[i];
		}
	return true;
}

unsigned
plx_place_check(uint16_t worker, int node, struct plx_pio *const *pio, uint16_t port_cnt)
{
	unsigned cnt = 0;

	for (uint16_t p = 0; p < port_cnt; p++) {
		if (pio[p]->socket_id < 0 || pio[p]->socket_id == node)
			continue;
		plx_log(PLX_LOG_WARN,
		        "worker %u runs on NUMA node %d, port %s is on node %d: choose "
		        "lcores of that node",
		        worker, node, pio[p]->name, pio[p]->socket_id);
		cnt++;
	}
	return cnt;
}
