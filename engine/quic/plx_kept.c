/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "plx_quic_pvt.h"

/*
 * Tickets that a client endpoint keeps for its own later dials: a few, the newest, each used once.
 * They live in the slab and count against its limit.
 */

struct plx_kept {
	uint8_t *ticket; /**< from the slab; NULL = empty */
	size_t len;
	uint64_t age; /**< running number: the least is the oldest */
};

int
plx_kept_init(struct plx_quic *q)
{
	if (q->cfg.tickets_kept == 0)
		return 0;
	q->kept = calloc(q->cfg.tickets_kept, sizeof(*q->kept));
	return q->kept != NULL ? 0 : PLX_E_NOMEM;
}

static void
forget(struct plx_quic *q, struct plx_kept *k)
{
	if (k->ticket == NULL)
		return;
	OPENSSL_cleanse(k->ticket, k->len);
	plx_slab_release(q->slab, k->ticket);
	k->ticket = NULL;
}

void
plx_kept_fini(struct plx_quic *q)
{
	for (uint16_t i = 0; q->kept != NULL && i < q->cfg.tickets_kept; i++)
		forget(q, &q->kept[i]);
	free(q->kept);
	q->kept = NULL;
}

void
plx_kept_put(struct plx_quic *q, const uint8_t *ticket, size_t len)
{
	struct plx_kept *k = q->kept;

	if (k == NULL)
		return;
	for (uint16_t i = 1; i < q->cfg.tickets_kept && k->ticket != NULL; i++) {
		struct plx_kept *o = &q->kept[i];

		if (o->ticket == NULL || o->age < k->age)
			k = o;
	}
	forget(q, k);
	k->ticket = plx_slab_alloc(q->slab, len);
	if (k->ticket == NULL)
		return;
	memcpy(k->ticket, ticket, len);
	k->len = len;
	k->age = q->kept_cnt++;
}

size_t
plx_kept_take(struct plx_quic *q, const struct plx_quic_dial *d, uint8_t **ticket)
{
	struct plx_kept *best = NULL;

	*ticket = NULL;
	for (uint16_t i = 0; q->kept != NULL && i < q->cfg.tickets_kept; i++) {
		struct plx_kept *k = &q->kept[i];

		if (k->ticket != NULL && (best == NULL || k->age > best->age) &&
		    plx_tls_ticket_fits(k->ticket, k->len, d))
			best = k;
	}
	if (best == NULL)
		return 0;
	*ticket = best->ticket;
	best->ticket = NULL;
	return best->len;
}
