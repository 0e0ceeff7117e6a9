/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_quic_pvt.h"

/* Which state may follow which: the drawing in plx_quic_pvt.h. */
static const uint8_t successors[PLX_CONN_STATE_CNT] = {
        [PLX_CONN_FREE] = 1 << PLX_CONN_HANDSHAKE,
        [PLX_CONN_HANDSHAKE] = 1 << PLX_CONN_OPEN | 1 << PLX_CONN_CLOSING |
                               1 << PLX_CONN_DRAINING | 1 << PLX_CONN_FREE,
        [PLX_CONN_OPEN] =
                1 << PLX_CONN_CLOSING | 1 << PLX_CONN_DRAINING | 1 << PLX_CONN_FREE,
        [PLX_CONN_CLOSING] = 1 << PLX_CONN_FREE,
        [PLX_CONN_DRAINING] = 1 << PLX_CONN_FREE,
};

bool
plx_conn_may_follow(enum plx_conn_state from, enum plx_conn_state to)
{
	return (successors[from] & 1 << to) != 0;
}

void
plx_conn_set_state(struct plx_conn *c, enum plx_conn_state to)
{
	PLX_BUG_ON(!plx_conn_may_follow((enum plx_conn_state)c->state, to));
	c->state = (uint8_t)to;
}

int
plx_conn_new_cid(struct plx_conn *c, ngtcp2_cid *cid, uint8_t token[16])
{
	if (c->cid_seq == PLX_CID_SEQ_MAX)
		return PLX_E_FULL;
	cid->datalen = PLX_CID_LEN;
	plx_steer_make_cid(c->q->d.steer, c->slot, (uint16_t)c->gen, c->cid_seq++,
	                   cid->data);
	plx_steer_reset_token(c->q->d.steer, cid->data, PLX_CID_LEN, token);
	return 0;
}

void
plx_conn_rearm(struct plx_conn *c)
{
	uint64_t when = ngtcp2_conn_get_expiry(c->nc), due = plx_tls_due(c);

	if (plx_unlikely(c->nudges > 0) && c->nudge_ns < due)
		due = c->nudge_ns;
	plx_timer_set(c, due < when ? due : when);
}

int
plx_conn_begin_early(struct plx_conn *c)
{
	const struct plx_app *app = c->proto->app;
	void *ctx = NULL;
	int rc;

	/* It may open streams at once. */
	c->app = app;
	rc = app->on_conn_early(c->proto->arg, c, &ctx);
	if (rc < 0)
		c->app = NULL;
	c->ctx = ctx;
	return rc < 0 ? rc : 0;
}

/* ngtcp2's callbacks. A negative answer of an application becomes CALLBACK_FAILURE. */

static inline int
answer(int rc)
{
	return plx_likely(rc >= 0) ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int
cb_client_initial(ngtcp2_conn *nc, void *user)
{
	int rv = ngtcp2_crypto_recv_client_initial_cb(nc, ngtcp2_conn_get_dcid(nc), NULL);

	return rv != 0 ? rv : plx_tls_client_start(user);
}

static int
cb_recv_crypto_data(ngtcp2_conn *nc, ngtcp2_encryption_level level, uint64_t off,
                    const uint8_t *data, size_t len, void *user)
{
	(void)nc;
	return plx_tls_recv(user, level, off, data, len);
}

static int
cb_handshake_completed(ngtcp2_conn *nc, void *user)
{
	struct plx_conn *c = user;
	struct plx_quic *q = c->q;
	void *ctx = c->ctx;

	if (c->proto == NULL || c->proto->app->on_conn_established == NULL)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	c->version = ngtcp2_conn_get_negotiated_version(nc);
	c->handshake_ns = q->now - c->start_ns;
	plx_conn_set_state(c, PLX_CONN_OPEN);
	c->finished_due = !c->is_server;
	plx_obs_add(q->d.obs, PLX_COUNT_handshakes_done, 1);
	if (c->is_server) {
		uint8_t token[NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN];
		ngtcp2_ssize n = plx_token_make(c, token);

		q->half_open--;
		if (c->first_len > 0)
			plx_steer_first_del(q->d.steer, c->first_cid, c->first_len);
		c->first_len = 0;
		if (n > 0 && ngtcp2_conn_submit_new_token(nc, token, (size_t)n) != 0)
			return NGTCP2_ERR_NOMEM;
	}
	if (c->proto->app->on_conn_established(c->proto->arg, c, &ctx) < 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	c->app = c->proto->app;
	c->ctx = ctx;
	return 0;
}

static int
cb_recv_stream_data(ngtcp2_conn *nc, uint32_t flags, int64_t id, uint64_t off,
                    const uint8_t *data, size_t len, void *user, void *stream_user)
{
	struct plx_conn *c = user;

	(void)nc;
	(void)stream_user;
	if (plx_unlikely(c->app == NULL))
		return NGTCP2_ERR_CALLBACK_FAILURE;
	plx_obs_add(c->q->d.obs, PLX_COUNT_stream_rx_bytes, len);
	return answer(c->app->on_stream_data(c->ctx, id, off, data, len,
	                                     (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0));
}

static int
cb_acked(ngtcp2_conn *nc, int64_t id, uint64_t off, uint64_t len, void *user,
         void *stream_user)
{
	struct plx_conn *c = user;

	(void)nc;
	(void)stream_user;
	if (c->app == NULL || c->app->on_stream_acked == NULL)
		return 0;
	return answer(c->app->on_stream_acked(c->ctx, id, off, len));
}

static int
cb_stream_open(ngtcp2_conn *nc, int64_t id, void *user)
{
	struct plx_conn *c = user;

	(void)nc;
	plx_obs_add(c->q->d.obs, PLX_COUNT_streams_opened, 1);
	if (c->app == NULL || c->app->on_stream_open == NULL)
		return 0;
	return answer(c->app->on_stream_open(c->ctx, id));
}

static int
cb_stream_close(ngtcp2_conn *nc, uint32_t flags, int64_t id, uint64_t code, void *user,
                void *stream_user)
{
	struct plx_conn *c = user;

	(void)stream_user;
	if ((flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET) == 0)
		code = UINT64_MAX;
	/* A stream of the peer that ended makes room for another. */
	if (!ngtcp2_conn_is_local_stream(nc, id) &&
	    (c->app == NULL || !c->app->holds_streams))
		plx_conn_grant_stream(c, ngtcp2_is_bidi_stream(id));
	if (c->app == NULL || c->app->on_stream_closed == NULL)
		return 0;
	return answer(c->app->on_stream_closed(c->ctx, id, code));
}

static int
cb_stream_reset(ngtcp2_conn *nc, int64_t id, uint64_t final_sz, uint64_t code, void *user,
                void *stream_user)
{
	struct plx_conn *c = user;

	(void)nc;
	(void)stream_user;
	if (c->app == NULL || c->app->on_stream_reset == NULL)
		return 0;
	return answer(c->app->on_stream_reset(c->ctx, id, final_sz, code));
}

static int
cb_stream_writable(ngtcp2_conn *nc, int64_t id, uint64_t max_data, void *user,
                   void *stream_user)
{
	struct plx_conn *c = user;

	(void)nc;
	(void)max_data;
	(void)stream_user;
	if (c->app == NULL || c->app->on_stream_writable == NULL)
		return 0;
	return answer(c->app->on_stream_writable(c->ctx, id));
}

static int
streams_available(struct plx_conn *c, bool bidi)
{
	if (c->app == NULL || c->app->on_streams_available == NULL)
		return 0;
	return answer(c->app->on_streams_available(c->ctx, bidi));
}

static int
cb_local_bidi(ngtcp2_conn *nc, uint64_t max, void *user)
{
	(void)nc;
	(void)max;
	return streams_available(user, true);
}

static int
cb_local_uni(ngtcp2_conn *nc, uint64_t max, void *user)
{
	(void)nc;
	(void)max;
	return streams_available(user, false);
}

static int
cb_datagram(ngtcp2_conn *nc, uint32_t flags, const uint8_t *data, size_t len, void *user)
{
	struct plx_conn *c = user;

	(void)nc;
	(void)flags;
	if (c->app == NULL || c->app->on_datagram == NULL) {
		plx_obs_drop(c->q->d.obs, PLX_DROP_DGRAM_RX_FULL, 1);
		return 0;
	}
	return answer(c->app->on_datagram(c->ctx, data, len));
}

static void
cb_rand(uint8_t *dst, size_t len, const ngtcp2_rand_ctx *ctx)
{
	plx_rand_bytes(ctx->native_handle, dst, len);
}

static int
cb_new_cid(ngtcp2_conn *nc, ngtcp2_cid *cid, ngtcp2_stateless_reset_token *token,
           size_t len, void *user)
{
	struct plx_conn *c = user;

	(void)nc;
	if (len != PLX_CID_LEN || plx_conn_new_cid(c, cid, token->data) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int
cb_path_challenge(ngtcp2_conn *nc, ngtcp2_path_challenge_data *data, void *user)
{
	struct plx_conn *c = user;

	(void)nc;
	plx_rand_bytes(c->q->d.rand, data->data, sizeof(data->data));
	return 0;
}

static int
cb_reset(ngtcp2_conn *nc, const ngtcp2_pkt_stateless_reset2 *sr, void *user)
{
	struct plx_conn *c = user;

	(void)nc;
	(void)sr;
	c->got_reset = true;
	return 0;
}

/* A destination ID comes into use or leaves it, and its reset token with it. */
static int
cb_dcid_status(ngtcp2_conn *nc, ngtcp2_connection_id_status_type type, uint64_t seq,
               const ngtcp2_cid *cid, const ngtcp2_stateless_reset_token *token, void *user)
{
	(void)nc;
	(void)seq;
	(void)cid;
	if (token == NULL)
		return 0;
	if (type == NGTCP2_CONNECTION_ID_STATUS_TYPE_ACTIVATE)
		plx_srt_add(user, token->data);
	else
		plx_srt_del(user, token->data);
	return 0;
}

/*
 * A server confirms what the client's Finished told it (RFC 9001 section 4.1.2). One that does
 * so in the datagram with its own Finished takes the Handshake keys from a client that has yet to
 * use them, which ngtcp2 1.22 does not survive: the next write reads what was discarded.
 */
static int
cb_handshake_confirmed(ngtcp2_conn *nc, void *user)
{
	struct plx_conn *c = user;

	(void)nc;
	if (!c->finished_due)
		return 0;
	ngtcp2_ccerr_set_transport_error(&c->ccerr, NGTCP2_PROTOCOL_VIOLATION, NULL, 0);
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

#define CALLBACKS_OF_BOTH                                                                 \
	.recv_crypto_data = cb_recv_crypto_data,                                          \
	.handshake_completed = cb_handshake_completed, .encrypt = plx_protect_encrypt,    \
	.decrypt = plx_protect_decrypt, .hp_mask = plx_protect_mask,                      \
	.recv_stream_data = cb_recv_stream_data, .acked_stream_data_offset = cb_acked,    \
	.stream_open = cb_stream_open, .stream_close = cb_stream_close,                   \
	.stream_reset = cb_stream_reset, .extend_max_local_streams_bidi = cb_local_bidi,  \
	.extend_max_local_streams_uni = cb_local_uni,                                     \
	.extend_max_stream_data = cb_stream_writable, .rand = cb_rand,                    \
	.get_new_connection_id2 = cb_new_cid, .update_key = plx_protect_update,           \
	.delete_crypto_aead_ctx = plx_protect_del_aead,                                   \
	.delete_crypto_cipher_ctx = plx_protect_del_cipher, .recv_datagram = cb_datagram, \
	.get_path_challenge_data2 = cb_path_challenge, .recv_stateless_reset2 = cb_reset, \
	.dcid_status2 = cb_dcid_status,                                                   \
	.version_negotiation = ngtcp2_crypto_version_negotiation_cb

const ngtcp2_callbacks plx_client_callbacks = {
        CALLBACKS_OF_BOTH,
        .client_initial = cb_client_initial,
        .recv_retry = ngtcp2_crypto_recv_retry_cb,
        .handshake_confirmed = cb_handshake_confirmed,
};

const ngtcp2_callbacks plx_server_callbacks = {
        CALLBACKS_OF_BOTH,
        .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
};

/* What applications may call: <plx/conn.h>. */

int
plx_conn_open_stream(struct plx_conn *c, bool bidi, int64_t *id)
{
	int rv;

	if ((c->state != PLX_CONN_OPEN && c->app == NULL) || c->close_wanted)
		return PLX_E_CLOSED;
	rv = bidi ? ngtcp2_conn_open_bidi_stream(c->nc, id, NULL)
	          : ngtcp2_conn_open_uni_stream(c->nc, id, NULL);
	if (rv == NGTCP2_ERR_STREAM_ID_BLOCKED)
		return PLX_E_STREAM_LIMIT;
	if (rv != 0)
		return PLX_E_NOMEM;
	plx_obs_add(c->q->d.obs, PLX_COUNT_streams_opened, 1);
	return 0;
}

void
plx_conn_want_write(struct plx_conn *c)
{
	if (c->nc != NULL)
		plx_tx_join(c);
}

void
plx_conn_consume(struct plx_conn *c, int64_t stream_id, size_t len)
{
	if (c->nc == NULL || len == 0)
		return;
	/* A stream that is gone has no window of its own any more. */
	ngtcp2_conn_extend_max_stream_offset(c->nc, stream_id, len);
	ngtcp2_conn_extend_max_offset(c->nc, len);
	plx_tx_join(c);
}

void
plx_conn_grant_stream(struct plx_conn *c, bool bidi)
{
	if (c->nc == NULL)
		return;
	if (bidi)
		ngtcp2_conn_extend_max_streams_bidi(c->nc, 1);
	else
		ngtcp2_conn_extend_max_streams_uni(c->nc, 1);
	plx_tx_join(c);
}

static int
shut_stream(struct plx_conn *c, int64_t id, uint64_t code,
            int (*fn)(ngtcp2_conn *, uint32_t, int64_t, uint64_t))
{
	int rv;

	/* ngtcp2 takes an unknown stream for one that is finished; this call does not. */
	if (c->nc == NULL || ngtcp2_conn_set_stream_user_data(c->nc, id, NULL) != 0)
		return PLX_E_NOENT;
	rv = fn(c->nc, 0, id, code);
	if (rv == NGTCP2_ERR_STREAM_NOT_FOUND)
		return PLX_E_NOENT;
	if (rv == NGTCP2_ERR_INVALID_ARGUMENT)
		return PLX_E_STREAM_CLOSED;
	if (rv != 0)
		return PLX_E_NOMEM;
	plx_tx_join(c);
	return 0;
}

int
plx_conn_reset_stream(struct plx_conn *c, int64_t stream_id, uint64_t code)
{
	return shut_stream(c, stream_id, code, ngtcp2_conn_shutdown_stream_write);
}

int
plx_conn_stop_stream(struct plx_conn *c, int64_t stream_id, uint64_t code)
{
	return shut_stream(c, stream_id, code, ngtcp2_conn_shutdown_stream_read);
}

int
plx_conn_shut_stream(struct plx_conn *c, int64_t stream_id, uint64_t code)
{
	return shut_stream(c, stream_id, code, ngtcp2_conn_shutdown_stream);
}

void
plx_conn_close(struct plx_conn *c, uint64_t code, const char *reason)
{
	size_t len = reason != NULL ? strlen(reason) : 0;

	if (c->nc == NULL || c->close_wanted || c->app_closed)
		return;
	if (len > sizeof(c->why.reason))
		len = sizeof(c->why.reason);
	c->close_wanted = true;
	c->why.code = code;
	c->why.by = PLX_CLOSE_LOCAL;
	c->why.is_app = 1;
	c->why.reason_len = (uint8_t)len;
	if (len > 0)
		memcpy(c->why.reason, reason, len);
	ngtcp2_ccerr_set_application_error(&c->ccerr, code, (const uint8_t *)c->why.reason,
	                                   len);
	plx_tx_join(c);
}

void
plx_conn_get_info(const struct plx_conn *c, struct plx_conn_info *out)
{
	ngtcp2_conn_info ni;

	memset(out, 0, sizeof(*out));
	out->id = plx_conn_id_of(c);
	out->path = c->path[0].tx.path;
	out->handshake_ns = c->handshake_ns;
	out->version = c->version;
	out->is_server = c->is_server;
	out->resumed = c->resumed;
	out->early_data = c->is_server ? c->early : c->early_ok;
	if (c->proto != NULL)
		strncpy(out->alpn, c->proto->alpn, sizeof(out->alpn) - 1);
	if (c->sni != NULL)
		strncpy(out->sni, c->sni, sizeof(out->sni) - 1);
	if (c->cipher != NULL)
		strncpy(out->cipher, c->cipher, sizeof(out->cipher) - 1);
	if (c->nc == NULL)
		return;
	ngtcp2_conn_get_conn_info(c->nc, &ni);
	out->rtt_ns = ni.latest_rtt > 0 ? ni.smoothed_rtt : 0;
	out->rtt_min_ns = ni.min_rtt != UINT64_MAX ? ni.min_rtt : 0;
	out->cwnd = ni.cwnd;
	out->in_flight = ni.bytes_in_flight;
	out->tx_pkts = ni.pkt_sent;
	out->rx_pkts = ni.pkt_recv;
	out->tx_bytes = ni.bytes_sent;
	out->rx_bytes = ni.bytes_recv;
	out->lost_pkts = ni.pkt_lost;
	out->max_udp_payload =
	        (uint16_t)ngtcp2_conn_get_path_max_tx_udp_payload_size(c->nc);
}

struct plx_conn_id
plx_conn_id_of(const struct plx_conn *c)
{
	return plx_conn_id_make(c->q->d.worker, c->slot, c->gen);
}

void *
plx_conn_ctx(const struct plx_conn *c)
{
	return c->ctx;
}

uint64_t
plx_conn_user(const struct plx_conn *c)
{
	return c->user;
}

void
plx_conn_set_user(struct plx_conn *c, uint64_t user)
{
	c->user = user;
}

bool
plx_conn_is_server(const struct plx_conn *c)
{
	return c->is_server;
}

uint64_t
plx_conn_now(const struct plx_conn *c)
{
	return c->q->now;
}
