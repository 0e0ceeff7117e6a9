/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_quic_pvt.h"

/* How connections begin: accepted from a first packet, or dialed. */

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
	c->hs_due_ns = q->now + settings.handshake_timeout;
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
	return plx_tls_sess_new(c, q->d.tls_server, NULL);
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
		plx_rx_conn(c, &again);
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
	c = plx_slot_take(q);
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
void
plx_rx_first(struct plx_quic *q, const struct plx_dgram *dg)
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
		plx_rx_conn(&q->conns[slot], dg);
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
		else if (plx_path_sane(&dg->path) && !plx_path_reflects(&dg->path))
			why = PLX_DROP_NONE;
	}
	if (why != PLX_DROP_NONE) {
		plx_obs_drop(q->d.obs, why, 1);
		return;
	}
	accept_conn(q, dg, &hd);
}

/* With a ticket of our own where the dial brings none. */
static int
client_tls(struct plx_conn *c, const struct plx_quic_dial *d)
{
	struct plx_quic *q = c->q;
	struct plx_quic_dial with = *d;
	uint8_t *kept = NULL;
	int rc;

	if (d->ticket == NULL) {
		with.ticket_len = plx_kept_take(q, d, &kept);
		with.ticket = kept;
	}
	rc = plx_tls_sess_new(c, q->d.tls_client, &with);
	plx_slab_release(q->slab, kept);
	return rc;
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
	c->hs_due_ns = q->now + settings.handshake_timeout;
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
	return client_tls(c, d);
}

int
plx_quic_dial(struct plx_quic *q, const struct plx_quic_dial *d, uint64_t now_ns,
              struct plx_conn_id *id)
{
	struct plx_conn *c;
	int rc;

	*id = PLX_CONN_NONE;
	plx_quic_advance(q, now_ns);
	if (q->d.tls_client == NULL || d->alpn == NULL || !plx_path_sane(&d->path) ||
	    (d->sni != NULL && strlen(d->sni) > 255))
		return PLX_E_INVAL;
	c = plx_slot_take(q);
	if (c == NULL)
		return PLX_E_FULL;
	c->user = d->user;
	c->on_failed = d->on_failed;
	c->on_failed_arg = d->on_failed_arg;
	rc = make_client(c, d);
	if (rc == 0 && c->early)
		rc = plx_conn_begin_early(c);
	if (rc != 0) {
		undo(c);
		return rc;
	}
	plx_obs_add(q->d.obs, PLX_COUNT_conns_dialed, 1);
	plx_conn_rearm(c);
	plx_tx_join(c); /* the ClientHello is made by the first write */
	*id = plx_conn_id_of(c);
	return 0;
}
