/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_spent.h"

#include <stdatomic.h>
#include <stdlib.h>

struct plx_spent {
	uint8_t realm[PLX_SPENT_REALM_LEN];
	uint32_t places;
	atomic_uint_least64_t last;    /**< number issued */
	atomic_uint_least32_t place[]; /**< turn of the newest ticket used here, 0 = none */
};

struct plx_spent *
plx_spent_new(uint32_t places, struct plx_rand *rand)
{
	struct plx_spent *s;

	if (places < 64 || places > UINT32_C(1) << 28 || (places & (places - 1)) != 0)
		return NULL;
	s = calloc(1, sizeof(*s) + places * sizeof(s->place[0]));
	if (s == NULL)
		return NULL;
	plx_rand_bytes(rand, s->realm, sizeof(s->realm));
	s->places = places;
	return s;
}

void
plx_spent_free(struct plx_spent *s)
{
	free(s);
}

const uint8_t *
plx_spent_realm(const struct plx_spent *s)
{
	return s->realm;
}

uint64_t
plx_spent_issue(struct plx_spent *s)
{
	return atomic_fetch_add(&s->last, 1) + 1;
}

/*
 * The tickets of a place come in turns, 1 and up, which only grow there: whoever raises the turn to
 * that of its ticket is the first with it. 2^32 turns are more than any server issues.
 */
enum plx_spent_verdict
plx_spent_use(struct plx_spent *s, uint64_t number)
{
	uint64_t turn = number / s->places + 1;
	atomic_uint_least32_t *place = &s->place[number & (s->places - 1)];
	uint_least32_t used = atomic_load(place);

	if (number == 0 || number > atomic_load(&s->last) || turn > UINT32_MAX)
		return PLX_SPENT_OLD;
	do {
		if (used >= turn)
			return used == turn ? PLX_SPENT_AGAIN : PLX_SPENT_OLD;
	} while (!atomic_compare_exchange_weak(place, &used, (uint32_t)turn));
	return PLX_SPENT_FIRST;
}
