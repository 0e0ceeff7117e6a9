/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <plx/err.h>

#include <rte_byteorder.h>
#include <rte_thash.h>

#include "plx_pio.h"

/* Where a NIC that hashes with a known key and table puts a flow. */

#define TUPLE_WORDS_MAX 9

static uint32_t
word_of(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The key where rte_softrss() wants it. */
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

/* The tuple without ports. @return its words with the one of the ports, 0 = families differ */
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

/* Key and tuple fit, and the plan knows enough. */
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
plx_pio_predict_queue(const struct plx_steer_plan *plan, const struct plx_path *path)
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
plx_pio_pick_port(const struct plx_steer_plan *plan, const struct plx_path *path,
                  uint16_t queue, const struct plx_pio_ports *range, uint64_t seed)
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
