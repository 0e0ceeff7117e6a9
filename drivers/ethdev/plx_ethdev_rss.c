/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <plx/err.h>

#include <rte_byteorder.h>
#include <rte_thash.h>

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

/* ---- prediction ---- */

#define TUPLE_WORDS_MAX 9

static uint32_t
word_of(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/** The key where rte_softrss() wants it. */
struct key {
	_Alignas(uint32_t) uint8_t b[sizeof(((struct plx_steer_plan *)0)->rss_key)];
};

static struct key
key_of(const struct plx_steer_plan *plan)
{
	struct key k;

	memcpy(k.b, plan->rss_key, sizeof(k.b));
	return k;
}

/** The tuple without ports. @return its words with the one of the ports, 0 = families differ */
static uint32_t
tuple_of(const struct plx_path *path, uint32_t tuple[TUPLE_WORDS_MAX])
{
	uint32_t half;

	if (path->local.family != path->remote.family)
		return 0;
	if (path->local.family == PLX_FAMILY_IPV4)
		half = 1;
	else if (path->local.family == PLX_FAMILY_IPV6)
		half = 4;
	else
		return 0;
	for (size_t i = 0; i < half; i++) {
		tuple[i] = word_of(&path->remote.ip[4 * i]);
		tuple[half + i] = word_of(&path->local.ip[4 * i]);
	}
	return 2 * half + 1;
}

/** Key and tuple fit, and the plan knows enough. */
static int
can_predict(const struct plx_steer_plan *plan, uint32_t words)
{
	if (plan->level != PLX_SPREAD_RSS || plan->reta_len == 0)
		return PLX_E_UNSUPPORTED;
	/* A window of 32 key bits slides over the tuple. */
	if (words == 0 || plan->rss_key_len < 4 * words + 4)
		return PLX_E_INVAL;
	return 0;
}

static uint16_t
queue_of(const struct plx_steer_plan *plan, const struct key *k, uint32_t *tuple,
         uint32_t words)
{
	return plan->reta[rte_softrss(tuple, words, k->b) & (plan->reta_len - 1)];
}

int
plx_ethdev_predict_queue(const struct plx_steer_plan *plan, const struct plx_path *path)
{
	uint32_t tuple[TUPLE_WORDS_MAX] = {0};
	uint32_t words = tuple_of(path, tuple);
	int rc = can_predict(plan, words);
	struct key k = key_of(plan);

	if (rc != 0)
		return rc;
	tuple[words - 1] = (uint32_t)rte_be_to_cpu_16(path->remote.port_be) << 16 |
	                   rte_be_to_cpu_16(path->local.port_be);
	return queue_of(plan, &k, tuple, words);
}

static uint32_t
gcd(uint32_t a, uint32_t b)
{
	uint32_t r;

	for (; b != 0; b = r) {
		r = a % b;
		a = b;
	}
	return a;
}

int
plx_ethdev_pick_port(const struct plx_steer_plan *plan, const struct plx_path *path,
                     uint16_t queue, const struct plx_ethdev_ports *range, uint64_t seed)
{
	uint32_t tuple[TUPLE_WORDS_MAX] = {0};
	uint32_t words = tuple_of(path, tuple), step, at, low, cnt;
	uint32_t every = range->modulo > 1 ? range->modulo : 1;
	int rc = can_predict(plan, words);
	struct key k = key_of(plan);

	if (rc != 0)
		return rc;
	if (range->first > range->last || range->rest >= every)
		return PLX_E_INVAL;
	low = range->first + (range->rest + every - range->first % every) % every;
	if (low > range->last)
		return PLX_E_NOENT;
	cnt = (range->last - low) / every + 1;

	at = (uint32_t)(seed % cnt);
	/* Odd, and without a factor in common with the range: each port is met once. */
	step = (uint32_t)(seed >> 32) % cnt | 1;
	while (gcd(step, cnt) != 1)
		step += 2;
	for (uint32_t i = 0; i < cnt; i++) {
		uint32_t port = low + at * every;

		tuple[words - 1] =
		        (uint32_t)rte_be_to_cpu_16(path->remote.port_be) << 16 | port;
		if (queue_of(plan, &k, tuple, words) == queue)
			return (int)port;
		at = (uint32_t)(((uint64_t)at + step) % cnt);
	}
	return PLX_E_NOENT;
}
