/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "plx_quic_pvt.h"

#define SLOT_NONE UINT32_MAX

/* Stateless answers: what a second may bring at most, whatever is sent to us. */
#define RESETS_PER_S   1000
#define VNS_PER_S      1000
#define REFUSALS_PER_S 1000
#define ANSWER_BURST   PLX_RESP_CNT

/*
 * Memory kept back so that connections which exist can go on: ngtcp2 cannot refuse the data of a
 * packet it has begun. A burst of datagrams takes at most some 4 KiB each.
 */
#define RESERVE_MIN (PLX_BURST_MAX * (size_t)4096)

const char *
plx_quic_ngtcp2(void)
{
	return ngtcp2_version(0)->version_str;
}

const char *
plx_quic_openssl(void)
{
	return OpenSSL_version(OPENSSL_VERSION_STRING);
}

void
plx_quic_cfg_init(struct plx_quic_cfg *cfg)
{
	*cfg = (struct plx_quic_cfg){
	        .conns_max = 4096,
	        .handshakes_max = 1024,
	        .handshake_timeout_ms = 10000,
	        .idle_timeout_ms = 30000,
	        .max_data = UINT64_C(16) << 20,
	        .max_stream_data = UINT64_C(4) << 20,
	        .max_streams_bidi = 256,
	        .max_streams_uni = 16,
	        .max_tx_udp_payload = 1452,
	        .ack_thresh = 2,
	        .migration = true,
	        .cc = PLX_CC_CUBIC,
	        .retry = PLX_RETRY_OFF,
	        .retry_half_open = 100,
	        .initial_rtt_ms = 333,
	        .node = -1,
	};
}

static bool
accepts(const struct plx_quic_cfg *cfg, const struct plx_quic_deps *d)
{
	return cfg->conns_max >= 1 && cfg->conns_max <= (1u << 24) - 2 &&
	       cfg->handshake_timeout_ms > 0 && cfg->initial_rtt_ms > 0 &&
	       cfg->max_tx_udp_payload >= 1200 && cfg->max_tx_udp_payload <= 1472 &&
	       cfg->cc <= PLX_CC_BBR && cfg->retry <= PLX_RETRY_AUTO && d->steer != NULL &&
	       d->crypt != NULL && d->obs != NULL && d->rand != NULL && d->proto_cnt > 0 &&
	       (!cfg->server || d->tls_server != NULL);
}

/* ngtcp2 allocates from the endpoint's slab. */

static void *
mem_malloc(size_t sz, void *user)
{
	return plx_slab_alloc(user, sz);
}

static void
mem_free(void *p, void *user)
{
	plx_slab_release(user, p);
}

static void *
mem_calloc(size_t n, size_t sz, void *user)
{
	return plx_slab_calloc(user, n, sz);
}

static void *
mem_realloc(void *p, size_t sz, void *user)
{
	return plx_slab_realloc(user, p, sz);
}

/* Slots: reused first-in first-out, so that an ID stays unused as long as can be. */

static void
slot_push(struct plx_quic *q, struct plx_conn *c)
{
	c->free_next = SLOT_NONE;
	if (q->free_tail != SLOT_NONE)
		q->conns[q->free_tail].free_next = c->slot;
	else
		q->free_head = c->slot;
	q->free_tail = c->slot;
}

struct plx_conn *
plx_slot_take(struct plx_quic *q)
{
	uint32_t slot = q->free_head;
	uint32_t gen;
	struct plx_conn *c;

	if (slot == SLOT_NONE)
		return NULL;
	c = &q->conns[slot];
	q->free_head = c->free_next;
	if (q->free_head == SLOT_NONE)
		q->free_tail = SLOT_NONE;
	gen = c->gen + 1;
	if ((gen & 0xffff) == 0) {
		/* IDs hold 16 bits of the generation; where they wrap a new epoch begins, or an
		 * ID, and with it a reset token, would be issued twice. */
		gen++;
		plx_steer_set_epoch(q->d.steer, (uint32_t)plx_rand_u64(q->d.rand));
	}
	memset(c, 0, sizeof(*c));
	c->q = q;
	c->slot = slot;
	c->gen = gen;
	c->heap_idx = PLX_HEAP_NONE;
	c->expiry_ns = PLX_TIME_NEVER;
	c->path_next = 1;
	c->start_ns = q->now;
	plx_conn_set_state(c, PLX_CONN_HANDSHAKE);
	plx_steer_set_gen(q->d.steer, slot, (uint16_t)gen);
	q->conn_cnt++;
	return c;
}

void
plx_slot_free(struct plx_conn *c)
{
	struct plx_quic *q = c->q;

	if (q->d.watch != NULL && q->d.watch->on_free != NULL)
		q->d.watch->on_free(q->d.watch_arg, c);
	plx_conn_set_state(c, PLX_CONN_FREE);
	plx_steer_set_gen(q->d.steer, c->slot, 0);
	q->conn_cnt--;
	slot_push(q, c);
}

/* The rotation list. */

void
plx_tx_join(struct plx_conn *c)
{
	struct plx_quic *q = c->q;

	if (c->in_tx)
		return;
	c->in_tx = true;
	c->tx_next = NULL;
	c->tx_prev = q->tx_tail;
	if (q->tx_tail != NULL)
		q->tx_tail->tx_next = c;
	else
		q->tx_head = c;
	q->tx_tail = c;
}

void
plx_tx_leave(struct plx_conn *c)
{
	struct plx_quic *q = c->q;

	if (!c->in_tx)
		return;
	c->in_tx = false;
	if (c->tx_prev != NULL)
		c->tx_prev->tx_next = c->tx_next;
	else
		q->tx_head = c->tx_next;
	if (c->tx_next != NULL)
		c->tx_next->tx_prev = c->tx_prev;
	else
		q->tx_tail = c->tx_prev;
}

static int
make_memory(struct plx_quic *q)
{
	struct plx_slab_cfg sc = {.limit = q->cfg.slab_limit,
	                          .ready = q->cfg.slab_ready,
	                          .node = q->cfg.node};
	uint32_t cnt = q->cfg.conns_max, places = 64;

	while (places < 4 * cnt)
		places *= 2;
	if (plx_region_map(&q->region, cnt * sizeof(struct plx_conn), q->cfg.node) != 0 ||
	    plx_region_map(&q->heap_region, cnt * sizeof(struct plx_heap_item),
	                   q->cfg.node) != 0 ||
	    plx_region_map(&q->srt_region, places * sizeof(struct plx_srt), q->cfg.node) !=
	            0 ||
	    plx_slab_new(&q->slab, &sc) != 0)
		return PLX_E_NOMEM;
	if (sc.ready > 0 && (plx_region_touch(&q->heap_region) != 0 ||
	                     plx_region_touch(&q->srt_region) != 0))
		return PLX_E_NOMEM;
	q->srt = q->srt_region.base;
	q->srt_mask = places - 1;
	plx_rand_bytes(q->d.rand, q->srt_key, sizeof(q->srt_key));
	q->conns = q->region.base;
	q->heap = q->heap_region.base;
	q->free_head = q->free_tail = SLOT_NONE;
	for (uint32_t i = 0; i < cnt; i++) {
		q->conns[i].slot = i;
		slot_push(q, &q->conns[i]);
	}
	q->mem = (ngtcp2_mem){.user_data = q->slab,
	                      .malloc = mem_malloc,
	                      .free = mem_free,
	                      .calloc = mem_calloc,
	                      .realloc = mem_realloc};
	return 0;
}

int
plx_quic_new(struct plx_quic **out, const struct plx_quic_cfg *cfg,
             const struct plx_quic_deps *deps)
{
	static const uint8_t no_key[sizeof(cfg->token_key)];
	struct plx_quic *q;

	*out = NULL;
	if (!accepts(cfg, deps))
		return PLX_E_CONFIG;
	q = calloc(1, sizeof(*q));
	if (q == NULL)
		return PLX_E_NOMEM;
	q->cfg = *cfg;
	q->d = *deps;
	if (q->cfg.slab_limit == 0)
		q->cfg.slab_limit = q->cfg.conns_max * (size_t)(48 << 10);
	q->reserve =
	        q->cfg.slab_limit / 16 > RESERVE_MIN ? q->cfg.slab_limit / 16 : RESERVE_MIN;
	if (memcmp(q->cfg.token_key, no_key, sizeof(no_key)) == 0)
		plx_rand_bytes(q->d.rand, q->cfg.token_key, sizeof(q->cfg.token_key));
	PLX_ACT_AS_WORKER();
	plx_bucket_init(&q->reset_rate, RESETS_PER_S, ANSWER_BURST);
	plx_bucket_init(&q->vn_rate, VNS_PER_S, ANSWER_BURST);
	plx_bucket_init(&q->refuse_rate, REFUSALS_PER_S, ANSWER_BURST);
	if (make_memory(q) != 0 || plx_kept_init(q) != 0) {
		plx_quic_free(q);
		return PLX_E_NOMEM;
	}
	*out = q;
	return 0;
}

void
plx_quic_abort_all(struct plx_quic *q)
{
	for (uint32_t i = 0; q->conns != NULL && i < q->cfg.conns_max; i++) {
		struct plx_conn *c = &q->conns[i];

		if (c->state == PLX_CONN_FREE)
			continue;
		if (c->why.by == PLX_CLOSE_NONE)
			c->why.by = PLX_CLOSE_LOCAL;
		plx_conn_notify(c);
		plx_conn_free(c);
	}
}

void
plx_quic_free(struct plx_quic *q)
{
	if (q == NULL)
		return;
	PLX_ACT_AS_WORKER();
	plx_quic_abort_all(q);
	plx_kept_fini(q);
	plx_slab_free(q->slab);
	plx_region_unmap(&q->region);
	plx_region_unmap(&q->heap_region);
	plx_region_unmap(&q->srt_region);
	free(q);
}

bool
plx_quic_has_tx(const struct plx_quic *q)
{
	return q->tx_head != NULL || q->resp_cnt > 0;
}

struct plx_conn *
plx_quic_find(struct plx_quic *q, struct plx_conn_id id)
{
	struct plx_conn *c = plx_quic_slot(q, plx_conn_id_slot(id));

	if (c == NULL || plx_conn_id_worker(id) != q->d.worker ||
	    c->gen != plx_conn_id_gen(id) || c->nc == NULL || c->app_closed)
		return NULL;
	return c;
}

struct plx_conn *
plx_quic_next(struct plx_quic *q, uint32_t *slot, uint32_t end)
{
	while (*slot < end && *slot < q->cfg.conns_max) {
		struct plx_conn *c = &q->conns[(*slot)++];

		if (c->state != PLX_CONN_FREE)
			return c;
	}
	return NULL;
}

const char *
plx_quic_state_name(const struct plx_conn *c)
{
	static const char *const name[PLX_CONN_STATE_CNT] = {
#define STATE_NAME(name, text) [PLX_CONN_##name] = #name,
	        PLX_CONN_STATE_LIST(STATE_NAME)
#undef STATE_NAME
	};

	return name[c->state];
}

uint32_t
plx_quic_conn_cnt(const struct plx_quic *q)
{
	return q->conn_cnt;
}

struct plx_slab *
plx_quic_slab(struct plx_quic *q)
{
	return q->slab;
}

void
plx_quic_drain(struct plx_quic *q)
{
	q->draining = true;
}

void
plx_quic_close_all(struct plx_quic *q, uint64_t code)
{
	for (uint32_t i = 0; i < q->cfg.conns_max; i++)
		plx_conn_close(&q->conns[i], code, NULL);
}
