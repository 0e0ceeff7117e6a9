/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_worker_ask.h"

#include <time.h>

#include "plx_worker_pvt.h"

/* How often an asker looks for its answer: a worker that sleeps does so for 50 us. */
#define LOOK_NS 50000

static void
nap(void)
{
	struct timespec ts = {.tv_nsec = LOOK_NS};

	nanosleep(&ts, NULL);
}

int
plx_worker_ask(struct plx_worker *w, struct plx_ask *a, uint32_t timeout_ms)
{
	uint64_t looks = timeout_ms * PLX_NS_PER_MS / LOOK_NS;
	struct plx_ask *none = NULL;

	atomic_store_explicit(&a->done, false, memory_order_relaxed);
	if (!atomic_compare_exchange_strong(&w->ask, &none, a))
		return PLX_E_AGAIN;
	for (; looks > 0; looks--) {
		if (atomic_load_explicit(&a->done, memory_order_acquire))
			return a->rc;
		nap();
	}
	/* Taken back, unless the worker has it in hand: then it is through in a moment. */
	none = a;
	if (atomic_compare_exchange_strong(&w->ask, &none, NULL))
		return PLX_E_TIMEOUT;
	while (!atomic_load_explicit(&a->done, memory_order_acquire))
		nap();
	return a->rc;
}

static PLX_ON_WORKER void
list(struct plx_worker *w, struct plx_ask *a)
{
	uint32_t slot = a->from, end = slot + PLX_ASK_SLOTS;
	struct plx_conn_info info;
	struct plx_conn *c;

	a->cnt = 0;
	while (a->cnt < PLX_ASK_CONNS && (c = plx_quic_next(w->quic, &slot, end)) != NULL) {
		plx_conn_get_info(c, &info);
		a->line[a->cnt++] = (struct plx_ask_line){
		        .id = info.id,
		        .remote = info.path.remote,
		        .state = plx_quic_state_name(c),
		};
	}
	a->next = slot < w->cfg.quic.conns_max ? slot : 0;
}

void
plx_worker_answer(struct plx_worker *w)
{
	struct plx_ask *a = atomic_exchange_explicit(&w->ask, NULL, memory_order_acquire);

	if (a == NULL)
		return; /* taken back */
	a->rc = 0;
	if (a->id.v == PLX_CONN_NONE.v) {
		list(w, a);
	} else {
		struct plx_conn *c = plx_quic_find(w->quic, a->id);

		if (c != NULL)
			plx_conn_get_info(c, &a->info);
		else
			a->rc = PLX_E_STALE;
	}
	atomic_store_explicit(&a->done, true, memory_order_release);
}
