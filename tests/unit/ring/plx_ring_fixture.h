/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * A worker's side without a worker: pool, slab and sources that report numbered events.
 */
#ifndef PLX_RING_FIXTURE_H
#define PLX_RING_FIXTURE_H

#include <stdatomic.h>

#include "plx_ring.h"
#include "plx_test.h"

#define PREFIX "rt"
#define DEPTH  64

struct fix {
	struct plx_rbufpool *pool;
	struct plx_slab *slab;
	struct plx_obs obs;
	struct plx_appside side;
	uint32_t rbuf_max;
};

/* Event source of numbered events: `owed` are to be reported. */
struct num {
	struct plx_evsrc ev; /* first */
	int64_t id;
	uint64_t owed, told;
	struct plx_rbufpool *pool; /* not NULL: each event carries a buffer */
};

static inline bool
num_take(struct plx_evsrc *src, struct plx_event *ev)
{
	struct num *s = (struct num *)(void *)src;

	if (s->pool != NULL) {
		ev->buf = plx_rbuf_take(s->pool, 8);
		if (ev->buf == NULL)
			return false;
		memcpy(plx_rbuf_room(ev->buf), &s->told, 8);
		ev->buf->len = 8;
		plx_rbuf_seal(ev->buf);
	}
	ev->type = PLX_EV_STREAM_DATA;
	ev->stream_id = s->id;
	ev->code = s->told++;
	if (s->told == s->owed)
		src->mask = 0;
	return true;
}

static inline void
num_init(struct num *s, int64_t id)
{
	memset(s, 0, sizeof(*s));
	s->id = id;
	plx_evsrc_init(&s->ev, num_take, NULL);
}

static inline void
num_owe(struct fix *f, struct num *s, uint64_t cnt)
{
	s->owed += cnt;
	plx_evq_mark(&f->side.evq, &s->ev, 1);
}

static inline void
fix_init(struct fix *f, uint16_t worker)
{
	struct plx_rbufpool_stats st;

	memset(f, 0, sizeof(*f));
	CU_ASSERT_EQUAL_FATAL(
	        plx_slab_new(&f->slab,
	                     &(struct plx_slab_cfg){.limit = 1 << 20, .node = -1}),
	        0);
	CU_ASSERT_EQUAL_FATAL(plx_rbufpool_new(&f->pool, 256 << 10, -1, worker), 0);
	CU_ASSERT_EQUAL_FATAL(
	        plx_appside_init(&f->side, f->pool, f->slab, &f->obs, worker, 0), 0);
	plx_rbufpool_get_stats(f->pool, &st);
	f->rbuf_max = st.small_cnt + st.large_cnt;
}

static inline void
fix_fini(struct fix *f)
{
	plx_appside_fini(&f->side);
	plx_rbufpool_free(f->pool);
	plx_slab_free(f->slab);
}

static inline struct plx_cmd
cmd_of(enum plx_cmd_type type, uint16_t worker, uint64_t user)
{
	return (struct plx_cmd){.type = (uint8_t)type,
	                        .conn = plx_conn_id_make((uint8_t)worker, 1, 1),
	                        .stream_id = 4,
	                        .user = user};
}

#endif
