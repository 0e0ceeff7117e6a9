/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_quic_pvt.h"

/*
 * What ngtcp2 does not say about a packet, read from its frames.
 *
 * ngtcp2 answers STOP_SENDING with RESET_STREAM by itself and has no callback for it (the one
 * named stream_stop_sending is about our own frames). Applications that want to hear of it, with
 * the code, have it read from the packet here, between decryption and ngtcp2. Only connections of
 * such applications pay for it. Nothing is decided on what is found: ngtcp2 still judges every
 * frame, and a packet that it discards, a duplicate say, reports nothing.
 */

struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

static uint64_t
varint(struct cursor *c)
{
	uint64_t v;
	size_t len;

	if (c->p == c->end) {
		c->bad = true;
		return 0;
	}
	len = (size_t)1 << (*c->p >> 6);
	if ((size_t)(c->end - c->p) < len) {
		c->bad = true;
		return 0;
	}
	v = *c->p++ & 0x3f;
	while (--len > 0)
		v = v << 8 | *c->p++;
	return v;
}

static void
varints(struct cursor *c, uint64_t cnt)
{
	while (cnt-- > 0 && !c->bad)
		varint(c);
}

static void
skip(struct cursor *c, uint64_t len)
{
	if ((uint64_t)(c->end - c->p) < len)
		c->bad = true;
	else
		c->p += len;
}

static void
skip_ack(struct cursor *c, uint64_t type)
{
	uint64_t ranges;

	varints(c, 2);
	ranges = varint(c);
	varints(c, 1);
	varints(c, 2 * ranges);
	if (type == 3)
		varints(c, 3);
}

static void
skip_stream(struct cursor *c, uint64_t type)
{
	varints(c, (type & 4) != 0 ? 2 : 1);
	if ((type & 2) != 0)
		skip(c, varint(c));
	else
		c->p = c->end;
}

/* Moves over one frame: RFC 9000 section 19. */
static void
skip_frame(struct cursor *c, uint64_t type)
{
	if (type >= 0x08 && type <= 0x0f) {
		skip_stream(c, type);
		return;
	}
	switch (type) {
	case 0x00: /* PADDING */
	case 0x01: /* PING */
	case 0x1e: /* HANDSHAKE_DONE */
		return;
	case 0x02:
	case 0x03: /* ACK */
		skip_ack(c, type);
		return;
	case 0x04: /* RESET_STREAM */
		varints(c, 3);
		return;
	case 0x06: /* CRYPTO */
		varints(c, 1);
		skip(c, varint(c));
		return;
	case 0x07: /* NEW_TOKEN */
		skip(c, varint(c));
		return;
	case 0x05: /* STOP_SENDING */
		varints(c, 2);
		return;
	case 0x10: /* MAX_DATA */
	case 0x12: /* MAX_STREAMS */
	case 0x13:
	case 0x14: /* DATA_BLOCKED */
	case 0x16: /* STREAMS_BLOCKED */
	case 0x17:
	case 0x19: /* RETIRE_CONNECTION_ID */
		varints(c, 1);
		return;
	case 0x11: /* MAX_STREAM_DATA */
	case 0x15: /* STREAM_DATA_BLOCKED */
		varints(c, 2);
		return;
	case 0x18: /* NEW_CONNECTION_ID */
		varints(c, 2);
		skip(c, c->p < c->end ? (uint64_t)*c->p + 1 : 1);
		skip(c, NGTCP2_STATELESS_RESET_TOKENLEN);
		return;
	case 0x1a: /* PATH_CHALLENGE */
	case 0x1b: /* PATH_RESPONSE */
		skip(c, 8);
		return;
	case 0x31: /* DATAGRAM with length */
		skip(c, varint(c));
		return;
	default:
		c->p = c->end; /* the last frame of a packet, or an error that ngtcp2 will find */
		return;
	}
}

void
plx_stop_scan(struct plx_quic *q, const uint8_t *p, size_t len)
{
	struct cursor c = {p, p + len, false};
	ngtcp2_conn_info info;

	while (c.p < c.end && !c.bad) {
		uint64_t type = varint(&c);
		struct plx_stop s;

		if (type != 0x05) {
			skip_frame(&c, type);
			continue;
		}
		s.stream_id = (int64_t)varint(&c);
		s.code = varint(&c);
		if (c.bad || q->stop_cnt == PLX_STOP_MAX)
			return;
		if (q->stop_cnt == 0) {
			ngtcp2_conn_get_conn_info(q->stop_conn->nc, &info);
			q->stop_discarded = info.pkt_discarded;
		}
		q->stop[q->stop_cnt++] = s;
	}
}

bool
plx_stop_reset_of_ours(const struct plx_conn *c)
{
	const struct plx_quic *q = c->q;
	struct cursor cur = {q->opened, q->opened, false};

	if (q->opened != NULL)
		cur.end += q->opened_len;
	while (cur.p < cur.end && !cur.bad) {
		uint64_t type = varint(&cur);
		const uint8_t *body = cur.p;

		skip_frame(&cur, type);
		if (type == 0x04 && !cur.bad) {
			struct cursor id = {body, cur.p, false};

			/* Unidirectional, and of our side. */
			if ((varint(&id) & 3) == (c->is_server ? 3 : 2))
				return true;
		}
	}
	return false;
}

int
plx_stop_tell(struct plx_conn *c, int rv)
{
	struct plx_quic *q = c->q;
	ngtcp2_conn_info info;
	uint16_t cnt = q->stop_cnt;

	q->stop_cnt = 0;
	if (rv != 0)
		return rv;
	ngtcp2_conn_get_conn_info(c->nc, &info);
	if (info.pkt_discarded != q->stop_discarded)
		return 0;
	for (uint16_t i = 0; i < cnt; i++) {
		/* Gone with this very packet: its end was reported already. */
		if (ngtcp2_conn_set_stream_user_data(c->nc, q->stop[i].stream_id, NULL) !=
		    0)
			continue;
		if (c->app->on_stream_stop(c->ctx, q->stop[i].stream_id, q->stop[i].code) <
		    0)
			return NGTCP2_ERR_CALLBACK_FAILURE;
	}
	return 0;
}
