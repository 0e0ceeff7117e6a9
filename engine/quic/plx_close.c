/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_quic_pvt.h"

/*
 * The end of a connection. Whatever happens, in this order:
 *
 *   1. the reason is written down (c->why, c->ccerr)
 *   2. the application hears of it, once, outside ngtcp2
 *   3. if the peer is to know: one CONNECTION_CLOSE at the next transmit turn
 *   4. ngtcp2's connection is freed; the slot stays for 3 PTO, so that late packets find a
 *      closed connection and not an unknown one, then its generation goes up
 */

void
plx_conn_notify(struct plx_conn *c)
{
	struct plx_quic *q = c->q;

	if (c->app_closed)
		return;
	c->app_closed = true;
	if (c->state == PLX_CONN_HANDSHAKE) {
		plx_obs_add(q->d.obs, PLX_COUNT_handshakes_failed, 1);
		if (c->is_server)
			q->half_open--;
	} else {
		plx_obs_add(q->d.obs, PLX_COUNT_conns_closed, 1);
	}
	if (c->app != NULL) {
		const struct plx_app *app = c->app;

		c->app = NULL;
		if (app->on_conn_closed != NULL)
			app->on_conn_closed(c->ctx, &c->why);
	}
	if (c->on_failed != NULL && c->state == PLX_CONN_HANDSHAKE)
		c->on_failed(c->on_failed_arg, c->user, &c->why);
	c->ctx = NULL;
}

void
plx_conn_drop(struct plx_conn *c)
{
	struct plx_quic *q = c->q;

	plx_tx_leave(c);
	plx_tls_sess_free(c);
	if (c->nc != NULL)
		ngtcp2_conn_del(c->nc);
	c->nc = NULL;
	plx_srt_del_all(c);
	plx_slab_release(q->slab, c->sni);
	c->sni = NULL;
	if (c->first_len > 0)
		plx_steer_first_del(q->d.steer, c->first_cid, c->first_len);
	c->first_len = 0;
}

void
plx_conn_free(struct plx_conn *c)
{
	plx_conn_drop(c);
	plx_timer_clear(c);
	plx_slab_release(c->q->slab, c->close_pkt);
	c->close_pkt = NULL;
	plx_slot_free(c);
}

/* Keeps only what later packets need. */
static void
linger(struct plx_conn *c, enum plx_conn_state state)
{
	uint64_t until = c->q->now + 3 * ngtcp2_conn_get_pto(c->nc);

	/* Who let a handshake run out sends nothing more, or is nobody: no slot is kept for it. */
	if (c->why.by == PLX_CLOSE_HANDSHAKE_TIMEOUT)
		until = c->q->now;

	plx_conn_drop(c);
	plx_conn_set_state(c, state);
	plx_timer_set(c, until);
}

static void
set_why(struct plx_conn *c, enum plx_close_by by, uint64_t code, const uint8_t *reason,
        size_t len)
{
	if (len > sizeof(c->why.reason))
		len = sizeof(c->why.reason);
	c->why.by = (uint8_t)by;
	c->why.code = code;
	if (len > 0) {
		memcpy(c->why.reason, reason, len);
		c->why.reason_len = (uint8_t)len;
	}
}

/* The peer's word, or a stateless reset. */
static void
peer_closed(struct plx_conn *c)
{
	const ngtcp2_ccerr *e = ngtcp2_conn_get_ccerr(c->nc);

	if (c->got_reset) {
		set_why(c, PLX_CLOSE_STATELESS_RESET, 0, NULL, 0);
	} else if (e->type == NGTCP2_CCERR_TYPE_APPLICATION) {
		set_why(c, PLX_CLOSE_PEER_APPLICATION, e->error_code, e->reason,
		        e->reasonlen);
		c->why.is_app = 1;
	} else {
		set_why(c, PLX_CLOSE_PEER_TRANSPORT, e->error_code, e->reason,
		        e->reasonlen);
	}
	plx_conn_notify(c);
	linger(c, PLX_CONN_DRAINING);
}

void
plx_conn_forget(struct plx_conn *c)
{
	c->q->half_open--;
	c->app_closed = true;
	plx_conn_free(c);
}

/* Ends that the peer is not told of. */
static void
silent(struct plx_conn *c, enum plx_close_by by)
{
	set_why(c, by, 0, NULL, 0);
	plx_conn_notify(c);
	plx_conn_free(c);
}

/* The peer learns that it took too long (S2-33), as far as its address may be written to. */
static void
handshake_timeout(struct plx_conn *c)
{
	ngtcp2_ccerr_set_transport_error(&c->ccerr, NGTCP2_APPLICATION_ERROR, NULL, 0);
	set_why(c, PLX_CLOSE_HANDSHAKE_TIMEOUT, NGTCP2_APPLICATION_ERROR, NULL, 0);
	c->close_wanted = true;
	plx_conn_notify(c);
	plx_tx_join(c);
}

/* We close: what stands in the frame, and what the application is told. */
static void
local_error(struct plx_conn *c, int liberr)
{
	switch (liberr) {
	case NGTCP2_ERR_CRYPTO:
		ngtcp2_ccerr_set_tls_alert(&c->ccerr, ngtcp2_conn_get_tls_alert(c->nc),
		                           NULL, 0);
		break;
	case NGTCP2_ERR_CALLBACK_FAILURE:
		/* An application or our own callback refused: it left the code, or it has none. */
		if (c->ccerr.type == NGTCP2_CCERR_TYPE_TRANSPORT &&
		    c->ccerr.error_code == 0)
			ngtcp2_ccerr_set_transport_error(&c->ccerr, NGTCP2_INTERNAL_ERROR,
			                                 NULL, 0);
		break;
	default:
		ngtcp2_ccerr_set_liberr(&c->ccerr, liberr, NULL, 0);
		break;
	}
	if (c->close_wanted)
		return; /* plx_conn_close() wrote down the rest */
	c->close_wanted = true;
	c->why.code = c->ccerr.error_code;
	c->why.by = c->ccerr.error_code == NGTCP2_INTERNAL_ERROR
	                    ? PLX_CLOSE_LOCAL
	                    : PLX_CLOSE_TRANSPORT_ERROR;
}

void
plx_conn_fail(struct plx_conn *c, int liberr)
{
	switch (liberr) {
	case NGTCP2_ERR_DRAINING:
		peer_closed(c);
		return;
	case NGTCP2_ERR_IDLE_CLOSE:
		silent(c, PLX_CLOSE_IDLE);
		return;
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
		handshake_timeout(c);
		return;
	case NGTCP2_ERR_DROP_CONN:
	case NGTCP2_ERR_RETRY:
		plx_obs_drop(c->q->d.obs, PLX_DROP_QUIC_DECRYPT, 1);
		plx_conn_forget(c);
		return;
	case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
		silent(c, PLX_CLOSE_VERSION);
		return;
	default:
		break;
	}
	local_error(c, liberr);
	plx_conn_notify(c);
	plx_tx_join(c);
}

uint16_t
plx_conn_write_close(struct plx_conn *c, struct plx_txpkt *out)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi = {0};
	ngtcp2_ssize n;

	ngtcp2_path_storage_zero(&ps);
	n = ngtcp2_conn_write_connection_close(c->nc, &ps.path, &pi, out->buf, out->cap,
	                                       &c->ccerr, c->q->now);
	plx_conn_notify(c);
	if (n <= 0) {
		/* Nothing was sent before, or the address is not validated and its credit used
		 * up: the peer learns it from its own timeout. */
		plx_conn_free(c);
		return 0;
	}
	out->len = (uint16_t)n;
	out->ecn = 0;
	out->tx = plx_path_of(c, &ps.path);
	/* Without memory for a copy later packets meet silence, which is allowed. */
	c->close_pkt = n <= PLX_RESP_SZ ? plx_slab_alloc(c->q->slab, (size_t)n) : NULL;
	if (c->close_pkt != NULL) {
		memcpy(c->close_pkt, out->buf, (size_t)n);
		c->close_len = (uint16_t)n;
	}
	c->close_rx = 0;
	c->close_next = 1;
	linger(c, PLX_CONN_CLOSING);
	return 1;
}

/* RFC 9000 section 10.2.1: answers to a closed connection's packets, ever more rarely. */
void
plx_conn_closed_rx(struct plx_conn *c, const struct plx_dgram *dg)
{
	plx_obs_drop(c->q->d.obs, PLX_DROP_QUIC_CLOSED, 1);
	if (c->state != PLX_CONN_CLOSING || c->close_pkt == NULL)
		return;
	if (++c->close_rx < c->close_next)
		return;
	c->close_next *= 2;
	/* The address may be forged: no answer is longer than three times the question, and
	 * none goes to another address than the connection's. */
	if (c->close_len > 3 * dg->len ||
	    memcmp(&dg->path, &c->path[0].tx.path, sizeof(dg->path)) != 0)
		return;
	plx_resp_put(c->q, &dg->path, c->close_pkt, c->close_len);
}
