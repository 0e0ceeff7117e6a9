/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Two nets back to back over arrays: A (10.0.0.1, fd00::1) is a server on port 443, B
 * (10.0.0.2, fd00::2) a client. carry() is the wire. For test programs with one EAL and one pool.
 */
#ifndef NET_PAIR_H
#define NET_PAIR_H

#include <plx/err.h>

#include "net_rig.h"
#include "plx_test.h"
#include "plx_test_eal.h"

#define S     PLX_NS_PER_S
#define BUFS  2047
#define ROUND 100 /* turns that exchange() lets pass at most */

struct side {
	struct plx_net *net;
	struct plx_neigh *neigh;
	struct plx_obs obs;
	struct rig_port port;
	struct plx_dgram dg[64];
	unsigned dg_cnt;
};

static struct rte_mempool *pool;
static struct side a, b;
static uint64_t now_ns;

static inline void
open_side(struct side *s, unsigned host, const struct plx_net_cfg *cfg, uint32_t off_got)
{
	memset(s, 0, sizeof(*s));
	rig_port_init(&s->port, host, pool, off_got);
	CU_ASSERT_EQUAL_FATAL(plx_neigh_new(&s->neigh, 64), 0);
	CU_ASSERT_EQUAL_FATAL(plx_net_new(&s->net, cfg, &s->port.pio, 0, s->neigh, &s->obs),
	                      0);
}

static inline void
free_dgrams(struct side *s)
{
	for (unsigned i = 0; i < s->dg_cnt; i++)
		rte_pktmbuf_free(s->dg[i].cookie);
	s->dg_cnt = 0;
}

static inline void
close_side(struct side *s)
{
	free_dgrams(s);
	plx_net_free(s->net);
	rig_port_drop(&s->port);
	plx_neigh_free(s->neigh);
}

static inline void
open_both(uint32_t off_got)
{
	struct plx_net_cfg ca = rig_cfg(1), cb = rig_cfg(2);

	now_ns = 10 * S;
	open_side(&a, 1, &ca, off_got);
	open_side(&b, 2, &cb, off_got);
}

/* Nothing of the pool is lost: the last statement of every test. */
static inline void
close_both(void)
{
	close_side(&a);
	close_side(&b);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(pool), BUFS);
}

/* Gives frames to a side as its port would: without what the sender noted in the mbuf. */
static inline void
receive(struct side *s, struct rte_mbuf **m, unsigned cnt)
{
	for (unsigned i = 0; i < cnt; i += PLX_BURST_MAX) {
		uint16_t n = (uint16_t)RTE_MIN(cnt - i, (unsigned)PLX_BURST_MAX);

		for (unsigned j = 0; j < n; j++) {
			m[i + j]->ol_flags &= ~(RTE_MBUF_F_TX_OFFLOAD_MASK);
			m[i + j]->tx_offload = 0;
		}
		CU_ASSERT_FATAL(s->dg_cnt + n <= RTE_DIM(s->dg));
		s->dg_cnt += plx_net_rx_burst(s->net, m + i, n, s->dg + s->dg_cnt, now_ns);
	}
}

static inline unsigned
carry(struct side *from, struct side *to)
{
	unsigned cnt;

	plx_net_tx_flush(from->net, now_ns);
	cnt = from->port.sent_cnt;
	from->port.sent_cnt = 0;
	receive(to, from->port.sent, cnt);
	return cnt;
}

/* The wire in both directions until it is silent. */
static inline void
exchange(void)
{
	unsigned moved = 1;

	for (unsigned i = 0; i < ROUND && moved > 0; i++) {
		moved = carry(&a, &b);
		moved += carry(&b, &a);
	}
	CU_ASSERT_EQUAL(moved, 0);
}

static inline void
receive_bytes(struct side *s, const uint8_t *p, size_t len)
{
	struct rte_mbuf *m = rig_mbuf(pool, p, len);

	receive(s, &m, 1);
}

static inline struct plx_tx_path
path_of(unsigned from, bool v6, uint16_t sport, uint16_t dport)
{
	const uint8_t *ip[2] = {v6 ? rig_ip6_a : rig_ip4_a, v6 ? rig_ip6_b : rig_ip4_b};
	const uint8_t family = v6 ? PLX_FAMILY_IPV6 : PLX_FAMILY_IPV4;
	struct plx_tx_path tx = {.path.local = rig_addr(ip[from - 1], family, sport),
	                         .path.remote = rig_addr(ip[2 - from], family, dport)};

	return tx;
}

/* Sends cnt packets of len bytes; byte j of packet i is i + j * 13. */
static inline void
send_some(struct side *s, struct plx_tx_path *tx, uint16_t cnt, uint16_t len, uint8_t ecn)
{
	struct plx_txpkt out[PLX_BURST_MAX];

	CU_ASSERT_EQUAL_FATAL(plx_net_tx_alloc(s->net, out, cnt), cnt);
	for (unsigned i = 0; i < cnt; i++) {
		CU_ASSERT_FATAL(out[i].cap >= len);
		for (unsigned j = 0; j < len; j++)
			out[i].buf[j] = (uint8_t)(i + j * 13);
		out[i].len = len;
		out[i].ecn = ecn;
		out[i].tx = tx;
	}
	plx_net_tx_burst(s->net, out, cnt, now_ns);
}

static inline void
check_some(const struct side *s, unsigned cnt, uint16_t len, uint8_t ecn)
{
	CU_ASSERT_EQUAL(s->dg_cnt, cnt);
	for (unsigned i = 0; i < s->dg_cnt; i++) {
		unsigned wrong = 0;

		CU_ASSERT_EQUAL(s->dg[i].len, len);
		CU_ASSERT_EQUAL(s->dg[i].ecn, ecn);
		for (unsigned j = 0; j < s->dg[i].len; j++)
			wrong += s->dg[i].data[j] != (uint8_t)(i + j * 13);
		CU_ASSERT_EQUAL(wrong, 0);
	}
}

static inline uint64_t
drops(const struct side *s, enum plx_drop r)
{
	return plx_obs_get_drop(&s->obs, r);
}

static inline void
arp_frame(uint8_t f[60], uint16_t oper, const uint8_t *sha, const uint8_t *spa,
          const uint8_t *tpa)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t fixed[6] = {0, 1, 8, 0, 6, 4};

	memset(f, 0, 60);
	rig_put_eth(f, all, sha, 0, 0x0806);
	memcpy(f + 14, fixed, 6);
	plx_st16_be(f + 20, oper);
	memcpy(f + 22, sha, 6);
	memcpy(f + 28, spa, 4);
	memcpy(f + 38, tpa, 4);
}

/** EAL, the pool, the suites; the body of main(). */
static inline int
pair_main(const char *prefix, CU_SuiteInfo *suites)
{
	int rc;

	if (plx_test_eal(prefix, 64) != 0)
		return EXIT_FAILURE;
	pool = rte_pktmbuf_pool_create("net", BUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	if (pool == NULL)
		return EXIT_FAILURE;
	rc = plx_test_main(suites);
	rte_mempool_free(pool);
	rte_eal_cleanup();
	return rc;
}

#endif
