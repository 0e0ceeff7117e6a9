/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <plx/err.h>

#include "plx_ethdev_pvt.h"
#include "plx_rand.h"

/** Unfragmented UDP; a hash over addresses only would not tell flows of one host apart. */
#define RSS_UDP     (RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)
#define RETA_MAX    RTE_DIM(((struct plx_steer_plan *)0)->reta)
#define RETA_GROUPS (RTE_ETH_RSS_RETA_SIZE_512 * 8 / RTE_ETH_RETA_GROUP_SIZE)

bool
plx_ethdev_hashes(const struct plx_ethdev_dev *d)
{
	return d->quirk->spread_by == NULL &&
	       (d->info.flow_type_rss_offloads & RSS_UDP) != 0;
}

void
plx_ethdev_rss_conf(struct plx_ethdev *e, const struct plx_ethdev_cfg *cfg,
                    struct plx_ethdev_dev *d, uint8_t *key)
{
	struct rte_eth_rss_conf *rss = &d->conf.rx_adv_conf.rss_conf;
	uint8_t len = d->info.hash_key_size != 0 ? d->info.hash_key_size : 40;
	struct plx_rand rand;

	(void)e;
	if (cfg->rss == PLX_ETHDEV_OFF || d->rxq == 1 || !plx_ethdev_hashes(d))
		return;
	d->conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	rss->rss_hf = RSS_UDP & d->info.flow_type_rss_offloads;
	if (len > 64)
		return; /* the device keeps its own key, which is read back */
	if (cfg->rss_key != NULL && cfg->rss_key_len == len) {
		memcpy(key, cfg->rss_key, len);
	} else {
		plx_rand_system(&rand);
		plx_rand_bytes(&rand, key, len);
	}
	rss->rss_key = key;
	rss->rss_key_len = len;
}

void
plx_ethdev_rss_table(struct plx_ethdev *e, struct plx_ethdev_dev *d)
{
	struct rte_eth_rss_reta_entry64 reta[RETA_GROUPS];
	uint16_t size = d->info.reta_size;

	(void)e;
	if (d->conf.rxmode.mq_mode != RTE_ETH_MQ_RX_RSS || size == 0 ||
	    size > RETA_GROUPS * RTE_ETH_RETA_GROUP_SIZE)
		return;
	memset(reta, 0, sizeof(reta));
	for (uint16_t i = 0; i < size; i++) {
		struct rte_eth_rss_reta_entry64 *g = &reta[i / RTE_ETH_RETA_GROUP_SIZE];

		g->mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
		/* Repeats after RETA_MAX, so that the plan can hold a larger table. */
		g->reta[i % RTE_ETH_RETA_GROUP_SIZE] = (uint16_t)((i % RETA_MAX) % d->rxq);
	}
	/* Whether it worked is seen when the table is read back. */
	rte_eth_dev_rss_reta_update(d->port_id, reta, size);
}

/** @return whether the device hashes UDP flows and said with which key */
static bool
read_key(struct plx_ethdev_dev *d, struct plx_steer_plan *plan)
{
	struct rte_eth_rss_conf rss = {.rss_key = plan->rss_key,
	                               .rss_key_len = sizeof(plan->rss_key)};
	static const uint8_t zero[sizeof(plan->rss_key)];
	uint8_t len = d->info.hash_key_size != 0 ? d->info.hash_key_size : 40;

	if (len > sizeof(plan->rss_key) ||
	    rte_eth_dev_rss_hash_conf_get(d->port_id, &rss) != 0 ||
	    (rss.rss_hf & RSS_UDP) == 0)
		return false;
	plan->hashes_by_flow = 1;
	if (memcmp(plan->rss_key, zero, len) == 0)
		return false;
	plan->rss_key_len = len;
	return true;
}

static bool
read_table(struct plx_ethdev_dev *d, struct plx_steer_plan *plan)
{
	struct rte_eth_rss_reta_entry64 reta[RETA_GROUPS];
	uint16_t size = d->info.reta_size, i, queue;

	if (size == 0 || (size & (size - 1)) != 0 ||
	    size > RETA_GROUPS * RTE_ETH_RETA_GROUP_SIZE)
		return false;
	memset(reta, 0, sizeof(reta));
	for (i = 0; i < size; i++)
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1)
		                                          << (i % RTE_ETH_RETA_GROUP_SIZE);
	if (rte_eth_dev_rss_reta_query(d->port_id, reta, size) != 0)
		return false;
	for (i = 0; i < size; i++) {
		queue = reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
		if (i < RETA_MAX)
			plan->reta[i] = queue;
		else if (plan->reta[i % RETA_MAX] != queue)
			return false;
	}
	plan->reta_len = (uint16_t)RTE_MIN((size_t)size, RETA_MAX);
	return true;
}

static void
decide(struct plx_ethdev *e)
{
	struct plx_steer_plan *plan = &e->pio.plan;
	struct plx_ethdev_dev *d = &e->dev[0];

	memset(plan, 0, sizeof(*plan));
	plan->level = PLX_SPREAD_SINGLE;
	if (e->pio.rxq_cnt == 1)
		return;
	plan->level = PLX_SPREAD_UNKNOWN;
	if (e->dev_cnt > 1 || d->conf.rxmode.mq_mode != RTE_ETH_MQ_RX_RSS ||
	    !plx_ethdev_hashes(d))
		return;
	if (read_key(d, plan) && read_table(d, plan))
		plan->level = PLX_SPREAD_RSS;
	else
		plan->rss_key_len = 0;
}

void
plx_ethdev_rss_plan(struct plx_ethdev *e)
{
	const struct plx_steer_plan *plan = &e->pio.plan;
	const char *by = e->dev[0].quirk->spread_by;
	char got[40];

	decide(e);
	switch (plan->level) {
	case PLX_SPREAD_SINGLE:
		plx_ethdev_row_add(e, "spread", "-", "one queue", "");
		break;
	case PLX_SPREAD_RSS:
		snprintf(got, sizeof(got), "RSS, key of %u, table of %u", plan->rss_key_len,
		         plan->reta_len);
		plx_ethdev_row_add(e, "spread", "-", got, "");
		break;
	default:
		if (e->dev_cnt > 1)
			by = "the network device";
		snprintf(got, sizeof(got), "by %s",
		         by != NULL             ? by
		         : plan->hashes_by_flow ? "a hash with unknown key"
		                                : "nothing known");
		plx_ethdev_row_add(e, "spread", "-", got, "software, by connection ID");
		break;
	}
}
