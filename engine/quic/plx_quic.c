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

static struct plx_conn *
slot_take(struct plx_quic *q)
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
	struct plx_slab_cfg sc = {.limit = q->cfg.slab_limit, .node = q->cfg.node};
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
	if (make_memory(q) != 0) {
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
	plx_slab_free(q->slab);
	plx_region_unmap(&q->region);
	plx_region_unmap(&q->heap_region);
	plx_region_unmap(&q->srt_region);
	free(q);
}

static inline void
advance(struct plx_quic *q, uint64_t now_ns)
{
	if (plx_likely(now_ns > q->now))
		q->now = now_ns;
}

/* Settings that both roles share. */
static void
fill_settings(const struct plx_quic *q, ngtcp2_settings *s, uint32_t handshake_ms)
{
	static const ngtcp2_cc_algo algo[] = {
	        [PLX_CC_CUBIC] = NGTCP2_CC_ALGO_CUBIC,
	        [PLX_CC_RENO] = NGTCP2_CC_ALGO_RENO,
	        [PLX_CC_BBR] = NGTCP2_CC_ALGO_BBR,
	};

	ngtcp2_settings_default(s);
	s->initial_ts = q->now;
	s->initial_rtt = q->cfg.initial_rtt_ms * PLX_NS_PER_MS;
	s->handshake_timeout = handshake_ms * PLX_NS_PER_MS;
	s->cc_algo = algo[q->cfg.cc];
	s->max_tx_udp_payload_size = q->cfg.max_tx_udp_payload;
	/* Without discovery the configured size is what the network carries. */
	s->no_pmtud = !q->cfg.pmtud;
	s->no_tx_udp_payload_size_shaping = !q->cfg.pmtud;
	s->ack_thresh = q->cfg.ack_thresh;
	s->rand_ctx.native_handle = q->d.rand;
}

static void
fill_params(const struct plx_quic *q, ngtcp2_transport_params *p)
{
	ngtcp2_transport_params_default(p);
	p->initial_max_data = q->cfg.max_data;
	p->initial_max_stream_data_bidi_local = q->cfg.max_stream_data;
	p->initial_max_stream_data_bidi_remote = q->cfg.max_stream_data;
	p->initial_max_stream_data_uni = q->cfg.max_stream_data;
	p->initial_max_streams_bidi = q->cfg.max_streams_bidi;
	p->initial_max_streams_uni = q->cfg.max_streams_uni;
	p->max_idle_timeout = q->cfg.idle_timeout_ms * PLX_NS_PER_MS;
	p->active_connection_id_limit = 4;
	p->max_datagram_frame_size = q->cfg.max_datagram_frame;
	p->disable_active_migration = !q->cfg.migration;
}

static void
set_path(struct plx_conn *c, const struct plx_path *path)
{
	plx_path_set(&c->path[0], path);
	c->rx_path = *path;
	plx_path_to_ngtcp2(&c->rx_ps, path);
}

/* A slot that got no further: nobody heard of it. */
static void
undo(struct plx_conn *c)
{
	c->app_closed = true;
	plx_conn_free(c);
}

static bool
retry_wanted(const struct plx_quic *q)
{
	return q->cfg.retry == PLX_RETRY_ON ||
	       (q->cfg.retry == PLX_RETRY_AUTO && q->half_open > q->cfg.retry_half_open);
}

static int
make_server(struct plx_conn *c, const struct plx_dgram *dg, const ngtcp2_pkt_hd *hd,
            const struct plx_token *token)
{
	struct plx_quic *q = c->q;
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	ngtcp2_cid scid;

	set_path(c, &dg->path);
	c->is_server = true;
	fill_settings(q, &settings, q->cfg.handshake_timeout_ms);
	fill_params(q, &params);
	params.original_dcid = hd->dcid;
	params.original_dcid_present = 1;
	params.stateless_reset_token_present = 1;
	if (token->type != NGTCP2_TOKEN_TYPE_UNKNOWN) {
		settings.token = hd->token;
		settings.tokenlen = hd->tokenlen;
		settings.token_type = token->type;
	}
	if (token->type == NGTCP2_TOKEN_TYPE_RETRY) {
		params.original_dcid = token->odcid;
		params.retry_scid = hd->dcid;
		params.retry_scid_present = 1;
	}
	if (plx_conn_new_cid(c, &scid, params.stateless_reset_token) != 0 ||
	    ngtcp2_conn_server_new(&c->nc, &hd->scid, &scid, &c->path[0].ps.path,
	                           hd->version, &plx_server_callbacks, &settings, &params,
	                           &q->mem, c) != 0)
		return PLX_E_NOMEM;
	if (q->cfg.keep_alive_ms > 0)
		ngtcp2_conn_set_keep_alive_timeout(c->nc,
		                                   q->cfg.keep_alive_ms * PLX_NS_PER_MS);
	return plx_tls_sess_new(c, q->d.tls_server, NULL, NULL, false);
}

/* What a refused client is told, so that it need not wait for its timeout. */
static void
refuse(struct plx_quic *q, const struct plx_dgram *dg, const ngtcp2_pkt_hd *hd,
       enum plx_drop why)
{
	plx_obs_drop(q->d.obs, why, 1);
	plx_obs_add(q->d.obs, PLX_COUNT_conns_refused, 1);
	plx_stateless_close(q, dg, hd, NGTCP2_CONNECTION_REFUSED);
}

static void rx_conn(struct plx_conn *c, const struct plx_dgram *dg);

/* Keeps a first packet that continues what has not come yet. */
static void
early_put(struct plx_quic *q, const struct plx_dgram *dg, const ngtcp2_pkt_hd *hd)
{
	struct plx_early *e = &q->early[q->early_next++ % PLX_EARLY_CNT];

	if (dg->len > sizeof(e->data))
		return;
	e->at_ns = q->now;
	e->path = dg->path;
	e->len = dg->len;
	e->ecn = dg->ecn;
	e->cid_len = (uint8_t)hd->dcid.datalen;
	memcpy(e->cid, hd->dcid.data, hd->dcid.datalen);
	memcpy(e->data, dg->data, dg->len);
}

/* Feeds what waits for c. */
static void
early_take(struct plx_conn *c, const struct plx_dgram *dg)
{
	struct plx_quic *q = c->q;

	for (uint32_t i = 0; i < PLX_EARLY_CNT && c->nc != NULL; i++) {
		struct plx_early *e = &q->early[i];
		struct plx_dgram again = *dg;

		if (e->at_ns == 0 || q->now - e->at_ns > PLX_EARLY_LIFE_NS ||
		    e->cid_len != c->first_len ||
		    memcmp(e->cid, c->first_cid, e->cid_len) != 0 ||
		    memcmp(&e->path, &dg->path, sizeof(e->path)) != 0)
			continue;
		e->at_ns = 0;
		again.data = e->data;
		again.len = e->len;
		again.ecn = e->ecn;
		rx_conn(c, &again);
	}
}

/* The packet that opens a connection. */
static void
rx_opening(struct plx_conn *c, const struct plx_dgram *dg, const ngtcp2_pkt_hd *hd)
{
	struct plx_quic *q = c->q;
	ngtcp2_pkt_info pi = {.ecn = dg->ecn};
	int rv;

	rv = ngtcp2_conn_read_pkt(c->nc, &c->rx_ps.path, &pi, dg->data, dg->len, q->now);
	if (rv == NGTCP2_ERR_RETRY) {
		/* Its CRYPTO bytes do not begin at 0. ngtcp2 proposes a Retry, which would cost a
		 * round trip; the missing packet is a few microseconds behind. */
		early_put(q, dg, hd);
		plx_conn_forget(c);
		return;
	}
	if (rv == NGTCP2_ERR_DROP_CONN) {
		plx_conn_fail(c, rv);
		return;
	}
	plx_obs_add(q->d.obs, PLX_COUNT_conns_accepted, 1);
	plx_obs_add(q->d.obs, PLX_COUNT_quic_rx_pkts, 1);
	if (rv != 0) {
		plx_conn_fail(c, rv);
		return;
	}
	plx_tx_join(c);
	early_take(c, dg);
}

static void
accept_conn(struct plx_quic *q, const struct plx_dgram *dg, const ngtcp2_pkt_hd *hd)
{
	struct plx_token token;
	struct plx_conn *c;

	if (q->draining || q->mem_tight) {
		refuse(q, dg, hd,
		       q->draining ? PLX_DROP_QUIC_NO_SERVER : PLX_DROP_QUIC_MEMORY);
		return;
	}
	plx_token_check(q, dg, hd, &token);
	if (token.bad_retry) {
		plx_stateless_close(q, dg, hd, NGTCP2_INVALID_TOKEN);
		return;
	}
	if (token.type == NGTCP2_TOKEN_TYPE_UNKNOWN && retry_wanted(q)) {
		plx_stateless_retry(q, dg, hd);
		return;
	}
	if (q->half_open >= q->cfg.handshakes_max) {
		refuse(q, dg, hd, PLX_DROP_QUIC_HS_LIMIT);
		return;
	}
	c = slot_take(q);
	if (c == NULL || plx_steer_first_add(q->d.steer, hd->dcid.data, hd->dcid.datalen,
	                                     c->slot) != 0) {
		if (c != NULL)
			undo(c);
		refuse(q, dg, hd, PLX_DROP_QUIC_CONN_LIMIT);
		return;
	}
	c->first_len = (uint8_t)hd->dcid.datalen;
	memcpy(c->first_cid, hd->dcid.data, hd->dcid.datalen);
	if (make_server(c, dg, hd, &token) != 0) {
		undo(c);
		refuse(q, dg, hd, PLX_DROP_QUIC_MEMORY);
		return;
	}
	q->half_open++;
	rx_opening(c, dg, hd);
}

/* RFC 9000 sections 5.2.2, 6.1, 14.1: what may open a connection. */
static void
rx_first(struct plx_quic *q, const struct plx_dgram *dg)
{
	enum plx_drop why = PLX_DROP_QUIC_NOT_INITIAL;
	ngtcp2_version_cid vc;
	ngtcp2_pkt_hd hd;
	int64_t slot;
	int rv;

	rv = ngtcp2_pkt_decode_version_cid(&vc, dg->data, dg->len, PLX_CID_LEN);
	if (rv == 0 && vc.version == 0)
		rv = NGTCP2_ERR_INVALID_ARGUMENT; /* Version Negotiation: never answered */
	if (rv != 0) {
		plx_obs_drop(q->d.obs, PLX_DROP_QUIC_VERSION, 1);
		if (rv == NGTCP2_ERR_VERSION_NEGOTIATION && q->cfg.server)
			plx_stateless_vn(q, dg, &vc);
		return;
	}
	/* A connection that this very burst opened, after steering had looked. */
	slot = plx_steer_first_find(q->d.steer, vc.dcid, vc.dcidlen);
	if (slot >= 0) {
		rx_conn(&q->conns[slot], dg);
		return;
	}
	if (!q->cfg.server) {
		plx_obs_drop(q->d.obs, PLX_DROP_QUIC_NO_SERVER, 1);
		return;
	}
	if (ngtcp2_pkt_decode_hd_long(&hd, dg->data, dg->len) >= 0 &&
	    hd.type == NGTCP2_PKT_INITIAL) {
		if (dg->len < NGTCP2_MAX_UDP_PAYLOAD_SIZE)
			why = PLX_DROP_QUIC_INITIAL_SHORT;
		else if (hd.dcid.datalen < NGTCP2_MIN_INITIAL_DCIDLEN)
			why = PLX_DROP_QUIC_DCID_SHORT;
		else if (plx_path_sane(&dg->path))
			why = PLX_DROP_NONE;
	}
	if (why != PLX_DROP_NONE) {
		plx_obs_drop(q->d.obs, why, 1);
		return;
	}
	accept_conn(q, dg, &hd);
}

/* The address pair of a datagram differs from the last one's. @return false: drop it */
static bool
rx_new_path(struct plx_conn *c, const struct plx_dgram *dg)
{
	if (memcmp(&dg->path, &c->path[0].tx.path, sizeof(dg->path)) != 0 &&
	    (!c->q->cfg.migration || c->state != PLX_CONN_OPEN ||
	     !plx_path_sane(&dg->path))) {
		plx_obs_drop(c->q->d.obs, PLX_DROP_QUIC_MIGRATION, 1);
		return false;
	}
	c->rx_path = dg->path;
	plx_path_to_ngtcp2(&c->rx_ps, &dg->path);
	return true;
}

static void
rx_conn(struct plx_conn *c, const struct plx_dgram *dg)
{
	struct plx_quic *q = c->q;
	ngtcp2_pkt_info pi = {.ecn = dg->ecn};
	int rv;

	if (plx_unlikely(c->nc == NULL || c->close_wanted)) {
		plx_conn_closed_rx(c, dg);
		return;
	}
	if (plx_unlikely(memcmp(&dg->path, &c->rx_path, sizeof(dg->path)) != 0) &&
	    !rx_new_path(c, dg))
		return;
	plx_obs_add(q->d.obs, PLX_COUNT_quic_rx_pkts, 1);
	if (c->app != NULL && c->app->on_stream_stop != NULL) {
		q->stop_conn = c;
		q->stop_cnt = 0;
	}
	rv = ngtcp2_conn_read_pkt(c->nc, &c->rx_ps.path, &pi, dg->data, dg->len, q->now);
	q->stop_conn = NULL;
	if (plx_unlikely(q->stop_cnt > 0) && rv == 0)
		rv = plx_stop_tell(c);
	if (plx_unlikely(rv != 0)) {
		plx_conn_fail(c, rv);
		return;
	}
	if (plx_unlikely(memcmp(&c->rx_path, &c->path[0].tx.path, sizeof(c->rx_path)) != 0))
		plx_path_sync(c);
	plx_tx_join(c);
}

/* How much of the slab is left decides what is still taken, once per burst. */
static void
check_memory(struct plx_quic *q)
{
	struct plx_slab_stats st;
	size_t left;

	plx_slab_get_stats(q->slab, &st);
	left = st.used < q->cfg.slab_limit ? q->cfg.slab_limit - st.used : 0;
	q->mem_tight = left < 2 * q->reserve;
	q->mem_out = left < q->reserve;
}

/*
 * A packet's bytes come from another core or from the NIC, so the first touch of each cache line
 * waits for it. The next packet is fetched while this one is worked on.
 */
static inline void
prefetch_read(const uint8_t *p, uint16_t len)
{
	for (uint16_t off = 0; off < len; off += PLX_CACHE_LINE)
		__builtin_prefetch(p + off, 0, 3);
}

static inline void
prefetch_write(uint8_t *p, uint16_t len)
{
	for (uint16_t off = 0; off < len; off += PLX_CACHE_LINE)
		__builtin_prefetch(p + off, 1, 3);
}

void
plx_quic_rx_burst(struct plx_quic *q, struct plx_dgram *dg, uint16_t cnt, uint64_t now_ns)
{
	advance(q, now_ns);
	check_memory(q);
	for (uint16_t i = 0; i < cnt; i++) {
		struct plx_conn *c;

		if (i + 1 < cnt)
			prefetch_read(dg[i + 1].data, dg[i + 1].len);
		if (plx_unlikely(q->mem_out && (dg[i].verdict == PLX_VERDICT_CONN ||
		                                dg[i].verdict == PLX_VERDICT_NEW))) {
			plx_obs_drop(q->d.obs, PLX_DROP_QUIC_MEMORY, 1);
			continue;
		}
		switch ((enum plx_verdict)dg[i].verdict) {
		case PLX_VERDICT_CONN:
			c = plx_quic_slot(q, dg[i].slot);
			/* The slot may have been freed earlier in this burst. */
			if (plx_likely(c != NULL && c->state != PLX_CONN_FREE))
				rx_conn(c, &dg[i]);
			else
				plx_obs_drop(q->d.obs, PLX_DROP_QUIC_UNKNOWN_CID, 1);
			break;
		case PLX_VERDICT_NEW:
			rx_first(q, &dg[i]);
			break;
		case PLX_VERDICT_RESET:
			c = plx_srt_find(q, &dg[i]);
			if (c != NULL)
				rx_conn(c, &dg[i]);
			else
				plx_stateless_reset(q, &dg[i]);
			break;
		default:
			break;
		}
	}
}

/* How often an application is asked within one packet: blocked streams must not loop for ever. */
#define ASKS_PER_PKT 256

static size_t
vec_len(const struct plx_iov *vec, uint16_t cnt)
{
	size_t len = 0;

	for (uint16_t i = 0; i < cnt; i++)
		len += vec[i].len;
	return len;
}

/* What the application has for this packet; next is cleared when it has nothing. */
static int
ask(struct plx_conn *c, struct plx_tx_next *next)
{
	int rc;

	*next = (struct plx_tx_next){.stream_id = -1};
	if (c->app == NULL || c->app->next_tx == NULL || c->close_wanted)
		return 0;
	rc = c->app->next_tx(c->ctx, next);
	if (rc <= 0)
		*next = (struct plx_tx_next){.stream_id = -1};
	return rc < 0 ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int
done(struct plx_conn *c, const struct plx_tx_next *next, ngtcp2_ssize len)
{
	bool fin = next->fin && (size_t)len == vec_len(next->vec, next->cnt);

	plx_obs_add(c->q->d.obs, PLX_COUNT_stream_tx_bytes, (uint64_t)len);
	if (c->app->tx_done == NULL)
		return 0;
	return c->app->tx_done(c->ctx, next->stream_id, (size_t)len, fin) < 0
	               ? NGTCP2_ERR_CALLBACK_FAILURE
	               : 0;
}

static int
tell(struct plx_conn *c, int (*fn)(void *ctx, int64_t id), int64_t id)
{
	return fn != NULL && fn(c->ctx, id) < 0 ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

PLX_STATIC_ASSERT(sizeof(struct plx_iov) == sizeof(ngtcp2_vec), "pieces pass unchanged");

/*
 * One packet. Frames of several streams share it as long as ngtcp2 says WRITE_MORE; once it did,
 * the packet must be finished by a call without more data.
 * @return bytes written, 0 nothing can be sent now, negative NGTCP2_ERR_*
 */
static ngtcp2_ssize
write_pkt(struct plx_conn *c, struct plx_txpkt *out, ngtcp2_path *path, ngtcp2_pkt_info *pi)
{
	struct plx_tx_next next;
	bool mute = false; /* the connection's own limit is reached */
	unsigned asks = 0;
	int rv = 0;

	for (;;) {
		uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_NONE;
		ngtcp2_ssize n, len = -1;

		if (rv == 0 && !mute && asks < ASKS_PER_PKT) {
			asks++;
			rv = ask(c, &next);
		} else {
			next = (struct plx_tx_next){.stream_id = -1};
		}
		if (next.stream_id >= 0)
			flags = NGTCP2_WRITE_STREAM_FLAG_MORE |
			        (next.fin ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0);
		n = ngtcp2_conn_writev_stream(
		        c->nc, path, pi, out->buf, out->cap, &len, flags, next.stream_id,
		        (const ngtcp2_vec *)next.vec, next.cnt, c->q->now);
		if (len >= 0 && next.stream_id >= 0 && rv == 0)
			rv = done(c, &next, len);
		switch (n) {
		case NGTCP2_ERR_WRITE_MORE:
			continue;
		case NGTCP2_ERR_STREAM_DATA_BLOCKED:
			/* MAX_DATA brings the connection back, and the stream must be offered
			 * then: what blocks is not its own limit. */
			mute = ngtcp2_conn_get_max_data_left(c->nc) == 0;
			if (!mute)
				rv = tell(c, c->app->tx_blocked, next.stream_id);
			continue;
		case NGTCP2_ERR_STREAM_SHUT_WR:
		case NGTCP2_ERR_STREAM_NOT_FOUND:
			rv = tell(c, c->app->tx_shut, next.stream_id);
			continue;
		default:
			if (rv != 0)
				c->app_err = rv;
			c->tx_cut = n == 0 && asks == ASKS_PER_PKT && !mute;
			return n > 0 || rv == 0 ? n : rv;
		}
	}
}

/*
 * A connection's turn to write.
 * @param more  [out] it stopped for want of buffers, or of its share
 */
static uint16_t
write_conn(struct plx_conn *c, struct plx_txpkt *out, uint16_t cnt, bool *more)
{
	struct plx_quic *q = c->q;
	size_t quantum = ngtcp2_conn_get_send_quantum(c->nc);
	ngtcp2_path_storage ps;
	ngtcp2_ssize rv = 0;
	size_t bytes = 0;
	uint16_t n = 0;

	*more = false;
	ngtcp2_path_storage_zero(&ps);
	while (n < cnt && bytes < quantum && !c->close_wanted && c->app_err == 0) {
		ngtcp2_pkt_info pi = {0};

		rv = write_pkt(c, &out[n], &ps.path, &pi);
		if (rv <= 0)
			break;
		out[n].len = (uint16_t)rv;
		out[n].ecn = pi.ecn;
		out[n].tx = plx_path_of(c, &ps.path);
		bytes += (size_t)rv;
		n++;
	}
	if (!q->cfg.no_pacing)
		ngtcp2_conn_update_pkt_tx_time(c->nc, q->now);
	if (plx_unlikely(rv < 0 || c->app_err != 0)) {
		plx_conn_fail(c, rv < 0 ? (int)rv : c->app_err);
		return n;
	}
	*more = rv > 0 || c->close_wanted || c->tx_cut;
	plx_conn_rearm(c);
	return n;
}

uint16_t
plx_quic_tx_burst(struct plx_quic *q, struct plx_txpkt *out, uint16_t cnt, uint64_t now_ns)
{
	uint16_t n;

	advance(q, now_ns);
	n = plx_resp_take(q, out, cnt);
	while (n < cnt && q->tx_head != NULL) {
		struct plx_conn *c = q->tx_head;
		bool more = false;

		plx_tx_leave(c);
		if (plx_unlikely(c->close_wanted)) {
			n = (uint16_t)(n + plx_conn_write_close(c, &out[n]));
			continue;
		}
		n = (uint16_t)(n + write_conn(c, &out[n], (uint16_t)(cnt - n), &more));
		if (more)
			plx_tx_join(c);
	}
	plx_obs_add(q->d.obs, PLX_COUNT_quic_tx_pkts, n);
	return n;
}

bool
plx_quic_has_tx(const struct plx_quic *q)
{
	return q->tx_head != NULL || q->resp_cnt > 0;
}

static int
make_client(struct plx_conn *c, const struct plx_quic_dial *d)
{
	struct plx_quic *q = c->q;
	uint32_t ms = d->handshake_ms > 0 ? d->handshake_ms : q->cfg.handshake_timeout_ms;
	uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN];
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	ngtcp2_cid scid, dcid;

	set_path(c, &d->path);
	fill_settings(q, &settings, ms);
	fill_params(q, &params);
	/* Never as long as an ID of ours, so that no server's steering takes it for one. */
	dcid.datalen = PLX_CID_LEN - 1;
	plx_rand_bytes(q->d.rand, dcid.data, dcid.datalen);
	if (plx_conn_new_cid(c, &scid, token) != 0 ||
	    ngtcp2_conn_client_new(&c->nc, &dcid, &scid, &c->path[0].ps.path,
	                           NGTCP2_PROTO_VER_V1, &plx_client_callbacks, &settings,
	                           &params, &q->mem, c) != 0)
		return PLX_E_NOMEM;
	if (q->cfg.keep_alive_ms > 0)
		ngtcp2_conn_set_keep_alive_timeout(c->nc,
		                                   q->cfg.keep_alive_ms * PLX_NS_PER_MS);
	return plx_tls_sess_new(c, q->d.tls_client, d->sni, d->alpn, d->verify);
}

int
plx_quic_dial(struct plx_quic *q, const struct plx_quic_dial *d, uint64_t now_ns,
              struct plx_conn_id *id)
{
	struct plx_conn *c;
	int rc;

	*id = PLX_CONN_NONE;
	advance(q, now_ns);
	if (q->d.tls_client == NULL || d->alpn == NULL || !plx_path_sane(&d->path) ||
	    (d->sni != NULL && strlen(d->sni) > 255))
		return PLX_E_INVAL;
	c = slot_take(q);
	if (c == NULL)
		return PLX_E_FULL;
	rc = make_client(c, d);
	if (rc != 0) {
		undo(c);
		return rc;
	}
	c->user = d->user;
	c->on_failed = d->on_failed;
	c->on_failed_arg = d->on_failed_arg;
	plx_obs_add(q->d.obs, PLX_COUNT_conns_dialed, 1);
	plx_conn_rearm(c);
	plx_tx_join(c); /* the ClientHello is made by the first write */
	*id = plx_conn_id_of(c);
	return 0;
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
