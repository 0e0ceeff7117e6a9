/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_endpoint_pvt.h"

/* DATAGRAMs: a queue of bytes each way. ngtcp2 has neither. */

/* Short header without the ID: type, the longest packet number, tag of the AEAD. */
#define PKT_OVERHEAD (1 + 4 + PLX_AEAD_TAG_LEN)

/* Type and length of a DATAGRAM frame with len bytes. */
static int64_t
frame_overhead(int64_t len)
{
	return len < 64 ? 2 : len < 16384 ? 3 : 5;
}

/* Largest payload whose frame has at most room bytes; -1: not even an empty one. */
static int64_t
payload_max(int64_t room)
{
	int64_t len = room - frame_overhead(room);

	/* The length itself may need fewer bytes than that of room. */
	while (len + 1 + frame_overhead(len + 1) <= room)
		len++;
	return len >= 0 ? len : -1;
}

static uint64_t
peer_frame_max(const struct plx_ep_rec *rec)
{
	const ngtcp2_transport_params *p;

	/* An application that is there before has early data. */
	if (rec->conn->nc == NULL || (!rec->established && rec->conn->app == NULL))
		return 0;
	p = ngtcp2_conn_get_remote_transport_params(rec->conn->nc);
	return p != NULL ? p->max_datagram_frame_size : 0;
}

int64_t
plx_ep_dgram_max(const struct plx_ep_rec *rec)
{
	uint64_t limit = peer_frame_max(rec);
	int64_t room;

	if (limit == 0 || rec->ep->cfg.datagram_recv_buffer == 0)
		return -1;
	room = (int64_t)ngtcp2_conn_get_path_max_tx_udp_payload_size(rec->conn->nc) -
	       PKT_OVERHEAD - (int64_t)ngtcp2_conn_get_dcid(rec->conn->nc)->datalen;
	return payload_max(limit < (uint64_t)room ? (int64_t)limit : room);
}

int64_t
plx_endpoint_datagram_max(struct plx_endpoint *ep, struct plx_conn_id id)
{
	const struct plx_ep_rec *rec = plx_ep_rec_of(ep, id);

	if (rec == NULL)
		return -1;
	return rec->conn->nc != NULL ? plx_ep_dgram_max(rec) : rec->dg_max;
}

int64_t
plx_endpoint_datagram_space(struct plx_endpoint *ep, struct plx_conn_id id)
{
	const struct plx_ep_rec *rec = plx_ep_rec_of(ep, id);

	return rec != NULL ? (int64_t)(ep->cfg.datagram_send_buffer - rec->dg_tx.bytes)
	                   : -1;
}

/* The oldest one that waits to be sent leaves the queue. */
static void
shift(struct plx_ep_rec *rec)
{
	struct plx_ep_dgram *d = rec->dg_tx.head;

	rec->dg_tx.head = d->next;
	if (rec->dg_tx.head == NULL)
		rec->dg_tx.tail = NULL;
	rec->dg_tx.bytes -= d->len;
	plx_slab_release(rec->ep->slab, d);
}

static void
drop_oldest(struct plx_ep_rec *rec)
{
	shift(rec);
	rec->dg_dropped++;
	plx_obs_drop(rec->ep->obs, PLX_DROP_DGRAM_TX_FULL, 1);
}

static struct plx_ep_dgram *
dgram_new(struct plx_slab *slab, const void *data, size_t len)
{
	struct plx_ep_dgram *d = plx_slab_alloc(slab, sizeof(*d) + len);

	if (d == NULL)
		return NULL;
	memset(d, 0, sizeof(*d));
	d->len = (uint32_t)len;
	if (len > 0)
		memcpy(d->data, data, len);
	return d;
}

int
plx_endpoint_send_datagram(struct plx_endpoint *ep, struct plx_conn_id id, const void *data,
                           size_t len, bool drop_old)
{
	struct plx_ep_rec *rec = plx_ep_live(ep, id);
	struct plx_ep_dgram_queue *q;
	struct plx_ep_dgram *d;
	int64_t max;

	if (rec == NULL)
		return PLX_E_STALE;
	if (ep->cfg.datagram_recv_buffer == 0)
		return PLX_E_DISABLED;
	max = plx_ep_dgram_max(rec);
	if (max < 0)
		return PLX_E_UNSUPPORTED;
	if (len > (uint64_t)max || len > ep->cfg.datagram_send_buffer)
		return PLX_E_TOO_LARGE;
	q = &rec->dg_tx;
	if (!drop_old && q->bytes + len > ep->cfg.datagram_send_buffer) {
		rec->dg_wanted = true;
		return PLX_E_BLOCKED;
	}
	d = dgram_new(ep->slab, data, len);
	if (d == NULL)
		return PLX_E_NOMEM;
	while (q->bytes + len > ep->cfg.datagram_send_buffer)
		drop_oldest(rec);
	if (q->tail != NULL)
		q->tail->next = d;
	else
		q->head = d;
	q->tail = d;
	q->bytes += len;
	plx_conn_want_write(rec->conn);
	plx_ep_drain(ep);
	return 0;
}

int
plx_ep_dgram_next(void *ctx, struct plx_iov *data)
{
	struct plx_ep_rec *rec = ctx;
	int64_t max;

	if (rec->dg_tx.head == NULL)
		return 0;
	/* The path may have become narrower than it was when they were taken. */
	max = plx_ep_dgram_max(rec);
	while (rec->dg_tx.head != NULL && rec->dg_tx.head->len > max)
		drop_oldest(rec);
	if (rec->dg_tx.head == NULL)
		return 0;
	data->base = rec->dg_tx.head->data;
	data->len = rec->dg_tx.head->len;
	return 1;
}

void
plx_ep_dgram_done(void *ctx, bool sent)
{
	struct plx_ep_rec *rec = ctx;

	if (sent) {
		shift(rec);
		rec->dg_sent++;
	} else {
		drop_oldest(rec);
	}
	if (rec->dg_wanted) {
		rec->dg_wanted = false;
		plx_ep_mark(rec, &rec->unblocked, PLX_EP_DATAGRAMS_UNBLOCKED);
	}
}

int
plx_ep_dgram_recv(void *ctx, const uint8_t *data, size_t len)
{
	struct plx_ep_rec *rec = ctx;
	struct plx_ep_dgram *d;

	rec->dg_recv++;
	d = rec->closed || len > rec->ep->cfg.datagram_recv_buffer
	            ? NULL
	            : dgram_new(rec->ep->slab, data, len);
	if (d == NULL) {
		rec->dg_dropped++;
		plx_obs_drop(rec->ep->obs, PLX_DROP_DGRAM_RX_FULL, 1);
		return 0;
	}
	plx_ep_dgram_mark(rec, d);
	return 0;
}

void
plx_ep_dgram_end(struct plx_ep_rec *rec)
{
	while (rec->dg_tx.head != NULL)
		shift(rec);
}
