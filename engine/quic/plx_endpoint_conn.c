/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_endpoint_pvt.h"

/* Records of connections: how they begin and end, and what can be asked of them. */

struct plx_ep_rec *
plx_ep_rec_new(struct plx_endpoint *ep)
{
	struct plx_ep_rec *rec = plx_slab_calloc(ep->slab, 1, sizeof(*rec));

	if (rec == NULL)
		return NULL;
	rec->ep = ep;
	rec->avail[1].aux = 1;
	for (uint8_t i = 0; i < PLX_EP_ADDRS; i++)
		rec->addr_node[i].aux = i;
	return rec;
}

void
plx_ep_rec_attach(struct plx_ep_rec *rec, struct plx_conn *c)
{
	rec->conn = c;
	rec->id = plx_conn_id_of(c);
	rec->outbound = !c->is_server;
	rec->remote = c->path[0].tx.path.remote;
	if (!rec->outbound) {
		/* It begins while the datagram that completed its ClientHello is read. */
		rec->udp_rx_datagrams = 1;
		rec->udp_rx_bytes = rec->ep->fed_len;
	}
	rec->refs++;
	rec->ep->rec[c->slot] = rec;
}

void
plx_ep_rec_put(struct plx_ep_rec *rec)
{
	struct plx_slab *slab = rec->ep->slab;

	if (--rec->refs > 0)
		return;
	plx_streamtab_fini(&rec->streams, slab);
	plx_ep_dgram_end(rec);
	plx_slab_release(slab, rec->ticket);
	plx_slab_release(slab, rec->sni);
	plx_slab_release(slab, rec);
}

struct plx_ep_rec *
plx_ep_rec_of(struct plx_endpoint *ep, struct plx_conn_id id)
{
	uint32_t slot = plx_conn_id_slot(id);
	struct plx_ep_rec *rec = slot < ep->cfg.conns_max ? ep->rec[slot] : NULL;

	return rec != NULL && rec->id.v == id.v ? rec : NULL;
}

struct plx_ep_rec *
plx_ep_live(struct plx_endpoint *ep, struct plx_conn_id id)
{
	struct plx_ep_rec *rec = plx_ep_rec_of(ep, id);

	return rec != NULL && !rec->closed ? rec : NULL;
}

/* One address that a peer changed to. */
static void
address_changed(struct plx_ep_rec *rec, const struct plx_addr *now)
{
	uint8_t i = rec->addr_next;

	rec->path_changes++;
	if (rec->addr_node[i].linked) {
		/* All places wait to be polled: the last one tells where it ended. */
		i = (uint8_t)((i + PLX_EP_ADDRS - 1) % PLX_EP_ADDRS);
	} else {
		rec->addr[i].previous = rec->remote;
		rec->addr_next = (uint8_t)((i + 1) % PLX_EP_ADDRS);
	}
	rec->addr[i].current = *now;
	rec->remote = *now;
	plx_ep_mark(rec, &rec->addr_node[i], PLX_EP_PEER_ADDRESS);
}

void
plx_ep_check_addresses(struct plx_endpoint *ep)
{
	uint64_t changes = plx_obs_get(ep->obs, PLX_COUNT_path_changes);

	if (plx_likely(changes == ep->path_changes))
		return;
	ep->path_changes = changes;
	for (uint32_t i = 0; i < ep->cfg.conns_max; i++) {
		struct plx_ep_rec *rec = ep->rec[i];
		const struct plx_addr *remote;

		if (rec == NULL || !rec->established || rec->closed)
			continue;
		remote = &rec->conn->path[0].tx.path.remote;
		if (memcmp(remote, &rec->remote, sizeof(*remote)) != 0)
			address_changed(rec, remote);
	}
}

int
plx_endpoint_connect(struct plx_endpoint *ep, uint64_t now_ns, const struct plx_path *path,
                     const char *name, struct plx_conn_id *id)
{
	return plx_endpoint_resume(ep, now_ns, path, name, NULL, 0, false, id);
}

int
plx_endpoint_resume(struct plx_endpoint *ep, uint64_t now_ns, const struct plx_path *path,
                    const char *name, const void *ticket, size_t len, bool early,
                    struct plx_conn_id *id)
{
	struct plx_quic_dial d = {.path = *path,
	                          .sni = name,
	                          .alpn = ep->alpn[0],
	                          .on_failed = plx_ep_failed,
	                          .ticket = ticket,
	                          .ticket_len = len,
	                          .early = early};
	struct plx_ep_rec *rec;
	int rc;

	*id = PLX_CONN_NONE;
	if (ep->tls_client == NULL)
		return PLX_E_CLOSED;
	if (now_ns > ep->now)
		ep->now = now_ns;
	if (d.path.local.family == PLX_FAMILY_NONE)
		d.path.local = ep->cfg.local;
	d.verify = ep->verify;
	rec = plx_ep_rec_new(ep);
	if (rec == NULL)
		return PLX_E_NOMEM;
	d.on_failed_arg = rec;
	rc = plx_quic_dial(ep->q, &d, ep->now, id);
	if (rc != 0) {
		plx_slab_release(ep->slab, rec);
		return rc;
	}
	if (rec->conn == NULL) /* with early data it began inside */
		plx_ep_rec_attach(rec, &ep->q->conns[plx_conn_id_slot(*id)]);
	plx_ep_drain(ep);
	return 0;
}

void
plx_endpoint_close(struct plx_endpoint *ep, struct plx_conn_id id, uint32_t code,
                   const char *reason)
{
	struct plx_ep_rec *rec = plx_ep_live(ep, id);

	if (rec == NULL)
		return;
	plx_conn_close(rec->conn, code, reason);
	plx_ep_closed(rec, &rec->conn->why);
	plx_ep_drain(ep);
}

/* Getters. */

static void
set(struct plx_endpoint_stats *st, enum plx_endpoint_stat s, uint64_t val)
{
	st->val[s] = val;
	st->valid |= UINT64_C(1) << s;
}

static void
fill_from_ngtcp2(struct plx_endpoint_stats *st, ngtcp2_conn *nc)
{
	ngtcp2_conn_info ni;

	ngtcp2_conn_get_conn_info(nc, &ni);
	if (ni.latest_rtt > 0) {
		set(st, PLX_EP_STAT_rtt_ns, ni.smoothed_rtt);
		set(st, PLX_EP_STAT_rtt_latest_ns, ni.latest_rtt);
		set(st, PLX_EP_STAT_rtt_min_ns, ni.min_rtt);
		set(st, PLX_EP_STAT_rtt_var_ns, ni.rttvar);
	}
	set(st, PLX_EP_STAT_cwnd, ni.cwnd);
	if (ni.ssthresh != UINT64_MAX)
		set(st, PLX_EP_STAT_ssthresh, ni.ssthresh);
	set(st, PLX_EP_STAT_bytes_in_flight, ni.bytes_in_flight);
	set(st, PLX_EP_STAT_mtu, ngtcp2_conn_get_path_max_tx_udp_payload_size(nc));
	set(st, PLX_EP_STAT_sent_packets, ni.pkt_sent);
	set(st, PLX_EP_STAT_sent_bytes, ni.bytes_sent);
	set(st, PLX_EP_STAT_recv_packets, ni.pkt_recv);
	set(st, PLX_EP_STAT_recv_bytes, ni.bytes_recv);
	set(st, PLX_EP_STAT_lost_packets, ni.pkt_lost);
	set(st, PLX_EP_STAT_lost_bytes, ni.bytes_lost);
	set(st, PLX_EP_STAT_discarded_packets, ni.pkt_discarded);
	set(st, PLX_EP_STAT_frame_rx_ping, ni.ping_recv);
}

void
plx_ep_snapshot(struct plx_ep_rec *rec)
{
	if (rec->conn->nc == NULL)
		return;
	fill_from_ngtcp2(&rec->at_close, rec->conn->nc);
	rec->dg_max = plx_ep_dgram_max(rec);
}

int
plx_endpoint_get_stats(struct plx_endpoint *ep, struct plx_conn_id id,
                       struct plx_endpoint_stats *out)
{
	const struct plx_ep_rec *rec = plx_ep_rec_of(ep, id);

	*out = (struct plx_endpoint_stats){0};
	if (rec == NULL)
		return PLX_E_STALE;
	if (rec->conn->nc != NULL)
		fill_from_ngtcp2(out, rec->conn->nc);
	else
		*out = rec->at_close;
	set(out, PLX_EP_STAT_udp_tx_datagrams, rec->udp_tx_datagrams);
	set(out, PLX_EP_STAT_udp_tx_bytes, rec->udp_tx_bytes);
	set(out, PLX_EP_STAT_udp_tx_ios, rec->udp_tx_ios);
	set(out, PLX_EP_STAT_udp_rx_datagrams, rec->udp_rx_datagrams);
	set(out, PLX_EP_STAT_udp_rx_bytes, rec->udp_rx_bytes);
	set(out, PLX_EP_STAT_udp_rx_ios, rec->udp_rx_datagrams);
	set(out, PLX_EP_STAT_frame_tx_datagram, rec->dg_sent);
	set(out, PLX_EP_STAT_frame_rx_datagram, rec->dg_recv);
	set(out, PLX_EP_STAT_datagrams_dropped, rec->dg_dropped);
	set(out, PLX_EP_STAT_path_changes, rec->path_changes);
	return 0;
}

bool
plx_endpoint_remote(struct plx_endpoint *ep, struct plx_conn_id id, struct plx_addr *out)
{
	const struct plx_ep_rec *rec = plx_ep_live(ep, id);

	memset(out, 0, sizeof(*out));
	if (rec == NULL)
		return false;
	*out = rec->conn->path[0].tx.path.remote;
	return true;
}

static void
copy_text(char *dst, size_t sz, const char *src)
{
	size_t len = src != NULL ? strlen(src) : 0;

	if (sz == 0)
		return;
	if (len >= sz)
		len = sz - 1;
	if (len > 0)
		memcpy(dst, src, len);
	dst[len] = '\0';
}

int
plx_endpoint_hello(struct plx_endpoint *ep, struct plx_conn_id id, char *name,
                   size_t name_sz, char *alpn, size_t alpn_sz)
{
	const struct plx_ep_rec *rec = plx_ep_rec_of(ep, id);

	copy_text(name, name_sz, rec != NULL ? rec->sni : NULL);
	copy_text(alpn, alpn_sz, rec != NULL ? rec->alpn : NULL);
	if (rec == NULL)
		return PLX_E_STALE;
	return rec->alpn[0] != '\0' ? 0 : PLX_E_AGAIN;
}

bool
plx_endpoint_resumed(struct plx_endpoint *ep, struct plx_conn_id id)
{
	const struct plx_ep_rec *rec = plx_ep_rec_of(ep, id);

	return rec != NULL && rec->conn->resumed;
}

bool
plx_endpoint_has_0rtt(struct plx_endpoint *ep, struct plx_conn_id id)
{
	const struct plx_ep_rec *rec = plx_ep_rec_of(ep, id);

	return rec != NULL && rec->conn->early;
}

bool
plx_endpoint_accepted_0rtt(struct plx_endpoint *ep, struct plx_conn_id id)
{
	const struct plx_ep_rec *rec = plx_ep_rec_of(ep, id);

	return rec != NULL && rec->outbound && rec->conn->early_ok;
}

uint32_t
plx_endpoint_conn_cnt(const struct plx_endpoint *ep)
{
	return plx_quic_conn_cnt(ep->q);
}

const char *
plx_endpoint_stat_name(enum plx_endpoint_stat s)
{
	static const char *const name[] = {
#define STAT_NAME(name, text) #name,
	        PLX_ENDPOINT_STAT_LIST(STAT_NAME)
#undef STAT_NAME
	};

	return (unsigned)s < PLX_EP_STAT_CNT ? name[s] : "?";
}
