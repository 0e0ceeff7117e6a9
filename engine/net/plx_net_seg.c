/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_net_pvt.h"

/*
 * Cuts a list that comes back to itself behind its last distinct segment (Floyd), so that
 * walking and freeing it ends.
 */
static bool
cut_cycle(struct rte_mbuf *m)
{
	struct rte_mbuf *slow = m, *fast = m;

	do {
		if (fast == NULL || fast->next == NULL)
			return false;
		slow = slow->next;
		fast = fast->next->next;
	} while (slow != fast);
	/* From the head and from where they met it is equally far to the cycle's first segment. */
	for (slow = m; slow != fast; slow = slow->next)
		fast = fast->next;
	while (fast->next != slow)
		fast = fast->next;
	fast->next = NULL;
	return true;
}

/* Frees every segment, whatever nb_segs says. */
static void
free_list(struct rte_mbuf *m)
{
	while (m != NULL) {
		struct rte_mbuf *next = m->next;

		rte_pktmbuf_free_seg(m);
		m = next;
	}
}

/* Do the segments add up to what the first one announces? */
static bool
adds_up(const struct rte_mbuf *m)
{
	const uint32_t pkt_len = m->pkt_len, nb_segs = m->nb_segs;
	uint64_t sum = 0;
	uint32_t cnt = 0;

	for (; m != NULL; m = m->next) {
		if ((uint32_t)m->data_off + m->data_len > m->buf_len)
			return false;
		sum += m->data_len;
		cnt++;
	}
	return cnt == nb_segs && sum == pkt_len;
}

struct rte_mbuf *
plx_net_seg_join(struct plx_net *n, struct rte_mbuf *m, enum plx_drop *drop)
{
	struct rte_mbuf *to = NULL;
	uint8_t *p;

	if (cut_cycle(m) || !adds_up(m)) {
		*drop = PLX_DROP_NET_SEGMENTS;
	} else if (m->pkt_len > n->rule.frame_max || m->pkt_len > n->room) {
		*drop = PLX_DROP_NET_TOO_LARGE;
	} else {
		to = rte_pktmbuf_alloc(n->pool);
		*drop = PLX_DROP_NET_NO_MBUF;
	}
	if (to != NULL) {
		to->ol_flags = m->ol_flags &
		               (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
		to->port = m->port;
		p = (uint8_t *)rte_pktmbuf_append(to, (uint16_t)m->pkt_len);
		for (const struct rte_mbuf *s = m; s != NULL; s = s->next) {
			memcpy(p, rte_pktmbuf_mtod(s, const uint8_t *), s->data_len);
			p += s->data_len;
		}
	}
	free_list(m);
	return to;
}
