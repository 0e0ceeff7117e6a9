/* SPDX-License-Identifier: BSD-3-Clause */
#include <time.h>

#include "plx_quic_pvt.h"

#define US 1000 /* ns */

static void
put(struct plx_socket_stats *s, enum plx_socket_stat i, uint64_t v)
{
	s->valid |= UINT64_C(1) << i;
	s->val[i] = v;
}

void
plx_conn_get_stats(const struct plx_conn *c, struct plx_socket_stats *out)
{
	ngtcp2_conn_info ni;

	*out = (struct plx_socket_stats){0};
	put(out, PLX_SOCKET_bytes_unsent, 0);
	if (c->nc == NULL)
		return;
	ngtcp2_conn_get_conn_info(c->nc, &ni);
	put(out, PLX_SOCKET_pmtu, ngtcp2_conn_get_path_max_tx_udp_payload_size(c->nc));
	put(out, PLX_SOCKET_cwnd, ni.cwnd);
	put(out, PLX_SOCKET_bytes_in_flight, ni.bytes_in_flight);
	if (ni.latest_rtt > 0) {
		put(out, PLX_SOCKET_rtt_us, ni.smoothed_rtt / US);
		put(out, PLX_SOCKET_min_rtt_us, ni.min_rtt / US);
		put(out, PLX_SOCKET_rtt_var_us, ni.rttvar / US);
	}
	if (ni.ssthresh != UINT64_MAX)
		put(out, PLX_SOCKET_startup_exit_cwnd, ni.ssthresh);
	put(out, PLX_SOCKET_packets_sent, ni.pkt_sent);
	put(out, PLX_SOCKET_packets_recvd, ni.pkt_recv);
	put(out, PLX_SOCKET_packets_lost, ni.pkt_lost);
	put(out, PLX_SOCKET_bytes_sent, ni.bytes_sent);
	put(out, PLX_SOCKET_bytes_recvd, ni.bytes_recv);
	put(out, PLX_SOCKET_bytes_lost, ni.bytes_lost);
}

const char *
plx_socket_stat_name(enum plx_socket_stat s)
{
	static const char *const name[PLX_SOCKET_STAT_CNT] = {
#define STAT_NAME(name, text) [PLX_SOCKET_##name] = #name,
	        PLX_SOCKET_STAT_LIST(STAT_NAME)
#undef STAT_NAME
	};

	return (unsigned)s < PLX_SOCKET_STAT_CNT ? name[s] : "?";
}

void
plx_conn_get_handshake(const struct plx_conn *c, struct plx_handshake_info *out)
{
	*out = (struct plx_handshake_info){
	        .start_ns = c->start_ns,
	        .deadline_ns = c->hs_due_ns,
	        .elapsed_ns = c->handshake_ns,
	};
}

/* Who closed, with which code, in the four numbers of the audit record. */
static void
put_codes(struct plx_conn_audit *a, const struct plx_close_info *why)
{
	int64_t code = why->code <= INT64_MAX ? (int64_t)why->code : INT64_MAX;

	switch ((enum plx_close_by)why->by) {
	case PLX_CLOSE_LOCAL:
	case PLX_CLOSE_TRANSPORT_ERROR:
	case PLX_CLOSE_HANDSHAKE_TIMEOUT:
		*(why->is_app ? &a->sent_app_code : &a->sent_transport_code) = code;
		break;
	case PLX_CLOSE_PEER_TRANSPORT:
		a->recvd_transport_code = code;
		break;
	case PLX_CLOSE_PEER_APPLICATION:
		a->recvd_app_code = code;
		break;
	default:
		break; /* no frame was sent, none came */
	}
}

void
plx_conn_get_audit(const struct plx_conn *c, struct plx_conn_audit *out)
{
	struct timespec ts;

	*out = (struct plx_conn_audit){
	        .sent_transport_code = -1,
	        .sent_app_code = -1,
	        .recvd_transport_code = -1,
	        .recvd_app_code = -1,
	        .handshake_us = -1,
	};
	/* The first ID is a function of the slot: nothing has to be kept. */
	plx_steer_make_cid(c->q->d.steer, c->slot, (uint16_t)c->gen, 0, out->cid);
	if (c->handshake_ns > 0)
		out->handshake_us = (int64_t)(c->handshake_ns / US);
	clock_gettime(CLOCK_REALTIME, &ts);
	out->start_wall_ns = (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec -
	                     (c->q->now - c->start_ns);
	out->why = c->why;
	put_codes(out, &c->why);
}
