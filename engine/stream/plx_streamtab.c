/* SPDX-License-Identifier: BSD-3-Clause */
#include <stddef.h>

#include "plx_bug.h"
#include "plx_streamtab.h"

#define CAP_LEAST 8

/* Ids of one kind are 4 apart: a multiplication spreads them over the upper bits. */
static inline uint32_t
home(const struct plx_streamtab *t, int64_t id)
{
	return (uint32_t)((uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->cap - 1);
}

static uint32_t
slot_of(const struct plx_streamtab *t, int64_t id)
{
	uint32_t i = home(t, id);

	while (t->tab[i].obj != NULL && t->tab[i].id != id)
		i = (i + 1) & (t->cap - 1);
	return i;
}

void *
plx_streamtab_get(const struct plx_streamtab *t, int64_t id)
{
	return t->cap != 0 ? t->tab[slot_of(t, id)].obj : NULL;
}

static int
grow(struct plx_streamtab *t, struct plx_slab *slab)
{
	struct plx_streamtab big = {.cap = t->cap != 0 ? 2 * t->cap : CAP_LEAST};

	big.tab = plx_slab_calloc(slab, big.cap, sizeof(*big.tab));
	if (big.tab == NULL)
		return PLX_E_NOMEM;
	for (uint32_t i = 0; i < t->cap; i++)
		if (t->tab[i].obj != NULL)
			big.tab[slot_of(&big, t->tab[i].id)] = t->tab[i];
	big.cnt = t->cnt;
	plx_slab_release(slab, t->tab);
	*t = big;
	return 0;
}

int
plx_streamtab_put(struct plx_streamtab *t, struct plx_slab *slab, int64_t id, void *obj)
{
	uint32_t i;

	/* Half full at most: an unsuccessful probe takes 2.5 steps on average. */
	if (2 * (t->cnt + 1) > t->cap && grow(t, slab) != 0)
		return PLX_E_NOMEM;
	i = slot_of(t, id);
	PLX_BUG_ON(t->tab[i].obj != NULL);
	t->tab[i].id = id;
	t->tab[i].obj = obj;
	t->cnt++;
	return 0;
}

void *
plx_streamtab_del(struct plx_streamtab *t, int64_t id)
{
	uint32_t msk = t->cap - 1;
	uint32_t hole, i;
	void *obj;

	if (t->cap == 0)
		return NULL;
	hole = slot_of(t, id);
	obj = t->tab[hole].obj;
	if (obj == NULL)
		return NULL;
	t->cnt--;
	/* An entry moves back when its home does not lie behind the hole. */
	for (i = (hole + 1) & msk; t->tab[i].obj != NULL; i = (i + 1) & msk) {
		uint32_t from_home = (i - home(t, t->tab[i].id)) & msk;

		if (from_home < ((i - hole) & msk))
			continue;
		t->tab[hole] = t->tab[i];
		hole = i;
	}
	t->tab[hole].obj = NULL;
	return obj;
}

void
plx_streamtab_drain(struct plx_streamtab *t, void (*fn)(void *arg, int64_t id, void *obj),
                    void *arg)
{
	for (uint32_t i = 0; i < t->cap; i++) {
		void *obj = t->tab[i].obj;

		if (obj == NULL)
			continue;
		t->tab[i].obj = NULL;
		t->cnt--;
		fn(arg, t->tab[i].id, obj);
	}
}

void
plx_streamtab_fini(struct plx_streamtab *t, struct plx_slab *slab)
{
	plx_slab_release(slab, t->tab);
	*t = (struct plx_streamtab){0};
}
