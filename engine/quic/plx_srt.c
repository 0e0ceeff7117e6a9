/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_quic_pvt.h"

/*
 * Stateless reset tokens of our peers. A reset names no connection: it is a short packet with a
 * made-up ID that ends in the token the peer gave us earlier (RFC 9000 section 10.3.1). So a
 * packet whose ID nobody knows is looked up here by its last 16 bytes before it counts as
 * unknown.
 *
 * Open addressing over keyed hashes, at most half full, linear probing. Only hashes are kept and
 * compared: a table of tokens would be worth stealing, and comparing hashes under a secret key
 * tells a guesser nothing by its timing (RFC 9000 section 10.3.1 asks for that).
 */

static uint64_t
hash_of(const struct plx_quic *q, const uint8_t *token)
{
	uint64_t h = plx_siphash24(q->srt_key, token, NGTCP2_STATELESS_RESET_TOKENLEN);

	return h != 0 ? h : 1; /* 0 marks an empty place */
}

static uint32_t
find(const struct plx_quic *q, uint64_t h)
{
	uint32_t i = (uint32_t)h & q->srt_mask;

	while (q->srt[i].hash != 0 && q->srt[i].hash != h)
		i = (i + 1) & q->srt_mask;
	return i;
}

static void
del_hash(struct plx_quic *q, uint64_t h)
{
	uint32_t hole = find(q, h);
	uint32_t i = hole;

	if (q->srt[hole].hash == 0)
		return;
	q->srt_cnt--;
	/* Close the gap, so that searches need no marks of what was here. */
	for (;;) {
		uint32_t home;

		i = (i + 1) & q->srt_mask;
		if (q->srt[i].hash == 0)
			break;
		home = (uint32_t)q->srt[i].hash & q->srt_mask;
		if (((i - home) & q->srt_mask) < ((i - hole) & q->srt_mask))
			continue;
		q->srt[hole] = q->srt[i];
		hole = i;
	}
	q->srt[hole].hash = 0;
}

void
plx_srt_add(struct plx_conn *c, const uint8_t *token)
{
	struct plx_quic *q = c->q;
	uint64_t h = hash_of(q, token);
	uint32_t i = find(q, h);

	/* Without a place the reset is not recognised, and the idle timeout has to do. */
	if (q->srt[i].hash != 0 || q->srt_cnt > q->srt_mask / 2)
		return;
	for (int k = 0; k < PLX_CONN_TOKENS; k++) {
		if (c->srt[k] != 0)
			continue;
		c->srt[k] = h;
		q->srt[i] = (struct plx_srt){.hash = h, .slot = c->slot};
		q->srt_cnt++;
		return;
	}
}

void
plx_srt_del(struct plx_conn *c, const uint8_t *token)
{
	uint64_t h = hash_of(c->q, token);

	for (int k = 0; k < PLX_CONN_TOKENS; k++) {
		if (c->srt[k] != h)
			continue;
		c->srt[k] = 0;
		del_hash(c->q, h);
		return;
	}
}

void
plx_srt_del_all(struct plx_conn *c)
{
	for (int k = 0; k < PLX_CONN_TOKENS; k++) {
		if (c->srt[k] != 0)
			del_hash(c->q, c->srt[k]);
		c->srt[k] = 0;
	}
}

struct plx_conn *
plx_srt_find(struct plx_quic *q, const struct plx_dgram *dg)
{
	uint32_t i;

	if (dg->len <
	            NGTCP2_MIN_STATELESS_RESET_RANDLEN + NGTCP2_STATELESS_RESET_TOKENLEN ||
	    q->srt_cnt == 0)
		return NULL;
	i = find(q, hash_of(q, dg->data + dg->len - NGTCP2_STATELESS_RESET_TOKENLEN));
	return q->srt[i].hash != 0 ? &q->conns[q->srt[i].slot] : NULL;
}
