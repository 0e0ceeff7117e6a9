/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * HTTP/3 over two real endpoints (plx_pair.h): any application on either side.
 */
#ifndef H3_PAIR_H
#define H3_PAIR_H

#include "plx_h3.h"
#include "plx_pair.h"
#include "plx_test.h"

/** Virtual time after which a story that did not end has failed. */
#define PAIR_LIMIT (60 * PLX_NS_PER_S)

struct h3_pair {
	struct plx_pair *p;
	struct plx_conn_id id;
	uint64_t slab[PLX_PAIR_SIDES]; /* before the connection */
};

static inline struct plx_slab *
h3_pair_slab(struct h3_pair *w, enum plx_pair_side side)
{
	return plx_quic_slab(w->p->end[side].quic);
}

static inline void
h3_pair_app(struct h3_pair *w, enum plx_pair_side side, const struct plx_app *app,
            void *arg)
{
	w->p->end[side].proto.app = app;
	w->p->end[side].proto.arg = arg;
}

static inline void
h3_pair_open(struct h3_pair *w, const struct plx_pair_cfg *cfg)
{
	memset(w, 0, sizeof(*w));
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&w->p, cfg), 0);
	for (int i = 0; i < PLX_PAIR_SIDES; i++)
		w->slab[i] = plx_pair_slab_used(w->p, (enum plx_pair_side)i);
}

static inline void
h3_pair_dial(struct h3_pair *w)
{
	CU_ASSERT_EQUAL_FATAL(plx_pair_dial(w->p, false, &w->id), 0);
}

/* Ends what is open, waits until no slot is in use, and wants all memory back. */
static inline void
h3_pair_end(struct h3_pair *w)
{
	plx_quic_close_all(w->p->end[PLX_PAIR_CLIENT].quic, PLX_H3_NO_ERROR);
	CU_ASSERT(plx_pair_run(w->p, plx_pair_idle, PAIR_LIMIT));
	for (int i = 0; i < PLX_PAIR_SIDES; i++)
		CU_ASSERT_EQUAL(plx_pair_slab_used(w->p, (enum plx_pair_side)i),
		                w->slab[i]);
	plx_pair_free(w->p);
	w->p = NULL;
}

#endif
