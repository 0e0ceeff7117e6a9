/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_quic_pvt.h"

/* Packets out: connections take turns, each writes at most its share of a burst. */

/* The next packet's buffer is fetched while this one is written. */
static inline void
prefetch_write(uint8_t *p, uint16_t len)
{
	for (uint16_t off = 0; off < len; off += PLX_CACHE_LINE)
		__builtin_prefetch(p + off, 1, 3);
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
 * DATAGRAM frames, as many as fit the packet. They go before stream data: what they carry is worth
 * less the longer it waits.
 * @return > 0 the packet is complete, 0 it may take streams, negative NGTCP2_ERR_*
 */
static ngtcp2_ssize
write_dgrams(struct plx_conn *c, struct plx_txpkt *out, ngtcp2_path *path,
             ngtcp2_pkt_info *pi)
{
	struct plx_iov data;

	while (c->app->next_datagram(c->ctx, &data) > 0) {
		int accepted = 0;
		ngtcp2_ssize n = ngtcp2_conn_writev_datagram(
		        c->nc, path, pi, out->buf, plx_path_room(c, out), &accepted,
		        NGTCP2_WRITE_DATAGRAM_FLAG_MORE, 0, (const ngtcp2_vec *)&data, 1,
		        c->q->now);

		if (accepted)
			c->app->datagram_done(c->ctx, true);
		if (n == NGTCP2_ERR_INVALID_ARGUMENT || n == NGTCP2_ERR_INVALID_STATE)
			c->app->datagram_done(c->ctx, false);
		else if (n != NGTCP2_ERR_WRITE_MORE)
			return n;
		else if (!accepted)
			return 0; /* no room left in this packet */
	}
	return 0;
}

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

	if (c->app != NULL && c->app->next_datagram != NULL && !c->close_wanted) {
		ngtcp2_ssize n = write_dgrams(c, out, path, pi);

		if (n != 0)
			return n;
	}
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
		        c->nc, path, pi, out->buf, plx_path_room(c, out), &len, flags,
		        next.stream_id, (const ngtcp2_vec *)next.vec, next.cnt, c->q->now);
		if (len >= 0 && next.stream_id >= 0 && rv == 0)
			rv = done(c, &next, len);
		switch (n) {
		case NGTCP2_ERR_WRITE_MORE:
			continue;
		case NGTCP2_ERR_STREAM_DATA_BLOCKED:
			/* MAX_DATA brings the connection back, and the stream must be offered
			 * then: what blocks is not its own limit. */
			mute = ngtcp2_conn_get_max_data_left(c->nc) == 0;
			if (!mute && c->app != NULL)
				rv = tell(c, c->app->tx_blocked, next.stream_id);
			continue;
		case NGTCP2_ERR_STREAM_SHUT_WR:
		case NGTCP2_ERR_STREAM_NOT_FOUND:
			if (c->app != NULL)
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

		if (n + 1 < cnt)
			prefetch_write(out[n + 1].buf, out[n + 1].cap);
		rv = write_pkt(c, &out[n], &ps.path, &pi);
		if (rv <= 0)
			break;
		out[n].len = (uint16_t)rv;
		out[n].ecn = pi.ecn;
		out[n].tx = plx_path_of(c, &ps.path);
		bytes += (size_t)rv;
		n++;
	}
	if (plx_unlikely(c->finished_due))
		c->finished_due = n == 0;
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

	plx_quic_advance(q, now_ns);
	n = plx_resp_take(q, out, cnt);
	while (n < cnt && q->tx_head != NULL) {
		struct plx_conn *c = q->tx_head;
		bool more = false, nudge;

		plx_tx_leave(c);
		if (plx_unlikely(c->close_wanted)) {
			n = (uint16_t)(n + plx_conn_write_close(c, &out[n]));
			continue;
		}
		if (plx_unlikely(plx_hold_any(c)) && plx_hold_write(c))
			continue;
		nudge = plx_unlikely(c->nudges > 0) && plx_nudge_begin(c);
		n = (uint16_t)(n + write_conn(c, &out[n], (uint16_t)(cnt - n), &more));
		if (plx_unlikely(nudge))
			plx_nudge_end(c);
		if (more)
			plx_tx_join(c);
	}
	plx_obs_add(q->d.obs, PLX_COUNT_quic_tx_pkts, n);
	return n;
}
