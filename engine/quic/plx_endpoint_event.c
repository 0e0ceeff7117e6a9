/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_endpoint_pvt.h"

/* Events: one list, first in, first out, of nodes that live in what they tell of. */

static void
link_tail(struct plx_endpoint *ep, struct plx_ep_node *n, enum plx_endpoint_ev type)
{
	n->type = (uint8_t)type;
	n->linked = true;
	n->next = NULL;
	n->prev = ep->ev_tail;
	if (ep->ev_tail != NULL)
		ep->ev_tail->next = n;
	else
		ep->ev_head = n;
	ep->ev_tail = n;
}

static void
unlink_node(struct plx_endpoint *ep, struct plx_ep_node *n)
{
	if (n->prev != NULL)
		n->prev->next = n->next;
	else
		ep->ev_head = n->next;
	if (n->next != NULL)
		n->next->prev = n->prev;
	else
		ep->ev_tail = n->prev;
	n->linked = false;
}

void
plx_ep_mark(struct plx_ep_rec *rec, struct plx_ep_node *n, enum plx_endpoint_ev type)
{
	if (rec->closed || n->linked)
		return;
	rec->refs++;
	link_tail(rec->ep, n, type);
}

void
plx_ep_stream_mark(struct plx_ep_stream *s, enum plx_ep_stream_node n)
{
	static const enum plx_endpoint_ev type[] = {
	        [PLX_EP_S_OPENED] = PLX_EP_STREAM_OPENED,
	        [PLX_EP_S_READABLE] = PLX_EP_STREAM_READABLE,
	        [PLX_EP_S_WRITABLE] = PLX_EP_STREAM_WRITABLE,
	        [PLX_EP_S_FINISHED] = PLX_EP_STREAM_FINISHED,
	        [PLX_EP_S_STOPPED] = PLX_EP_STREAM_STOPPED,
	};

	if (s->rec->closed || s->node[n].linked)
		return;
	s->node[n].aux = (uint8_t)n;
	s->linked++;
	link_tail(s->rec->ep, &s->node[n], type[n]);
}

void
plx_ep_closed(struct plx_ep_rec *rec, const struct plx_close_info *why)
{
	if (rec->closed)
		return;
	rec->why = *why;
	plx_ep_mark(rec, &rec->over, PLX_EP_CLOSED);
	rec->closed = true;
}

static void
dgram_unlink(struct plx_ep_dgram *d)
{
	struct plx_ep_rec *rec = d->rec;

	/* Datagrams of one connection leave in the order in which they came. */
	rec->dg_rx.head = d->next;
	if (rec->dg_rx.head == NULL)
		rec->dg_rx.tail = NULL;
	rec->dg_rx.bytes -= d->len;
	unlink_node(rec->ep, &d->node);
}

void
plx_ep_dgram_mark(struct plx_ep_rec *rec, struct plx_ep_dgram *d)
{
	struct plx_ep_dgram_queue *q = &rec->dg_rx;

	while (q->head != NULL && q->bytes + d->len > rec->ep->cfg.datagram_recv_buffer) {
		struct plx_ep_dgram *old = q->head;

		dgram_unlink(old);
		plx_slab_release(rec->ep->slab, old);
		rec->refs--;
		rec->dg_dropped++;
		plx_obs_drop(rec->ep->obs, PLX_DROP_DGRAM_RX_FULL, 1);
	}
	d->rec = rec;
	d->next = NULL;
	if (q->tail != NULL)
		q->tail->next = d;
	else
		q->head = d;
	q->tail = d;
	q->bytes += d->len;
	rec->refs++;
	link_tail(rec->ep, &d->node, PLX_EP_DATAGRAM);
}

#define OF(type, member, node) \
	((struct type *)(void *)((uint8_t *)(node) - offsetof(struct type, member)))

/* An event of a stream. */
static void
take_stream(struct plx_ep_node *n, struct plx_endpoint_event *ev)
{
	struct plx_ep_node *first = n - n->aux;
	struct plx_ep_stream *s = OF(plx_ep_stream, node, first);

	ev->conn = s->rec->id;
	ev->stream_id = s->id;
	ev->bidi = n->type == PLX_EP_STREAM_OPENED && ngtcp2_is_bidi_stream(s->id);
	if (n->type == PLX_EP_STREAM_STOPPED)
		ev->code = s->stop_code;
	s->linked--;
	if (s->gone && s->linked == 0) {
		struct plx_endpoint *ep = s->rec->ep;

		/* Its end may let the peer open another one, who must hear of that. */
		plx_ep_stream_reap(s);
		plx_ep_drain(ep);
	} else {
		plx_ep_stream_reap(s);
	}
}

static void
take_dgram(struct plx_endpoint *ep, struct plx_ep_node *n, struct plx_endpoint_event *ev)
{
	struct plx_ep_dgram *d = OF(plx_ep_dgram, node, n);
	struct plx_ep_rec *rec = d->rec;

	ev->conn = rec->id;
	ev->data = d->data;
	ev->len = d->len;
	ep->held = d;
	plx_ep_rec_put(rec);
}

/* An event of a connection. */
static void
take_rec(struct plx_ep_rec *rec, struct plx_ep_node *n, struct plx_endpoint_event *ev)
{
	ev->conn = rec->id;
	switch (n->type) {
	case PLX_EP_CLOSED:
		ev->why = rec->why;
		rec->told = true;
		break;
	case PLX_EP_STREAMS_AVAILABLE:
		ev->bidi = n->aux;
		break;
	case PLX_EP_TICKET:
		ev->data = rec->ep->held = rec->ticket;
		ev->len = rec->ticket_len;
		rec->ticket = NULL;
		break;
	case PLX_EP_PEER_ADDRESS:
		ev->previous = rec->addr[n->aux].previous;
		ev->current = rec->addr[n->aux].current;
		break;
	default:
		break;
	}
	plx_ep_rec_put(rec);
}

static struct plx_ep_rec *
rec_of_node(struct plx_ep_node *n)
{
	switch (n->type) {
	case PLX_EP_CONNECTED:
	case PLX_EP_NEW_CONNECTION:
		return OF(plx_ep_rec, connected, n);
	case PLX_EP_ZERO_RTT_REJECTED:
		return OF(plx_ep_rec, rejected, n);
	case PLX_EP_CLOSED:
		return OF(plx_ep_rec, over, n);
	case PLX_EP_HELLO:
		return OF(plx_ep_rec, hello_node, n);
	case PLX_EP_TICKET:
		return OF(plx_ep_rec, ticket_node, n);
	case PLX_EP_STREAMS_AVAILABLE:
		return OF(plx_ep_rec, avail, n - n->aux);
	case PLX_EP_PEER_ADDRESS:
		return OF(plx_ep_rec, addr_node, n - n->aux);
	default:
		return OF(plx_ep_rec, unblocked, n);
	}
}

bool
plx_endpoint_poll_event(struct plx_endpoint *ep, struct plx_endpoint_event *ev)
{
	struct plx_ep_node *n = ep->ev_head;

	*ev = (struct plx_endpoint_event){.stream_id = -1};
	plx_slab_release(ep->slab, ep->held);
	ep->held = NULL;
	if (n == NULL)
		return false;
	ev->type = n->type;
	switch (n->type) {
	case PLX_EP_STREAM_OPENED:
	case PLX_EP_STREAM_READABLE:
	case PLX_EP_STREAM_WRITABLE:
	case PLX_EP_STREAM_FINISHED:
	case PLX_EP_STREAM_STOPPED:
		unlink_node(ep, n);
		take_stream(n, ev);
		break;
	case PLX_EP_DATAGRAM:
		dgram_unlink(OF(plx_ep_dgram, node, n));
		take_dgram(ep, n, ev);
		break;
	default:
		unlink_node(ep, n);
		take_rec(rec_of_node(n), n, ev);
		break;
	}
	return true;
}

void
plx_ep_events_fini(struct plx_endpoint *ep)
{
	struct plx_endpoint_event ev;

	while (plx_endpoint_poll_event(ep, &ev))
		;
}

const char *
plx_endpoint_ev_name(enum plx_endpoint_ev e)
{
	static const char *const name[PLX_EP_EV_CNT] = {
	        [PLX_EP_NONE] = "none",
	        [PLX_EP_CONNECTED] = "connected",
	        [PLX_EP_NEW_CONNECTION] = "new_connection",
	        [PLX_EP_ZERO_RTT_REJECTED] = "zero_rtt_rejected",
	        [PLX_EP_CLOSED] = "closed",
	        [PLX_EP_HELLO] = "hello",
	        [PLX_EP_STREAM_OPENED] = "stream_opened",
	        [PLX_EP_STREAM_READABLE] = "stream_readable",
	        [PLX_EP_STREAM_WRITABLE] = "stream_writable",
	        [PLX_EP_STREAM_FINISHED] = "stream_finished",
	        [PLX_EP_STREAM_STOPPED] = "stream_stopped",
	        [PLX_EP_STREAMS_AVAILABLE] = "streams_available",
	        [PLX_EP_DATAGRAM] = "datagram",
	        [PLX_EP_DATAGRAMS_UNBLOCKED] = "datagrams_unblocked",
	        [PLX_EP_PEER_ADDRESS] = "peer_address",
	        [PLX_EP_TICKET] = "ticket",
	};

	return (unsigned)e < PLX_EP_EV_CNT ? name[e] : "?";
}
