/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Inside the sans-IO endpoint: its records, events and queues, and what its files offer each other.
 *
 * Path:    nic -> net -> steer -> [quic -> stream] -> app
 * Threads: the owner of the endpoint.
 * Memory:  records, streams and datagrams from the slab of the struct plx_quic inside, so that
 *          one limit holds for all; packets of the send queue from a slab of their own.
 *
 *     plx_endpoint.c         life, datagrams in, timers, batches
 *     plx_endpoint_sendq.c   packets out: the send queue
 *     plx_endpoint_event.c   events out: nodes in one list
 *     plx_endpoint_app.c     the inline application: what the connection tells
 *     plx_endpoint_conn.c    records, connect, close, getters
 *     plx_endpoint_stream.c  stream calls
 *     plx_endpoint_dgram.c   DATAGRAM queues
 *
 * An event is a node inside the object it tells of, linked into the endpoint's list while it
 * waits: to report never needs memory and never fails. Objects outlive their linked nodes: a
 * stream is freed when it is over and has none, a record when its slot is free, its streams are
 * gone and it has none.
 */
#ifndef PLX_ENDPOINT_PVT_H
#define PLX_ENDPOINT_PVT_H

#include <plx/endpoint.h>

#include "plx_bytes.h"
#include "plx_quic_pvt.h"
#include "plx_streamtab.h"

struct plx_ep_rec;
struct plx_ep_stream;

/** A place in the list of events. */
struct plx_ep_node {
	struct plx_ep_node *next, *prev;
	uint8_t type; /**< enum plx_endpoint_ev */
	uint8_t aux;  /**< bidi, or the index of an address change */
	bool linked;
};

/** Changes of address that wait as events of their own; more merge into the last. */
#define PLX_EP_ADDRS 4

/** Nodes of a stream, in no order. */
enum plx_ep_stream_node {
	PLX_EP_S_OPENED = 0,
	PLX_EP_S_READABLE,
	PLX_EP_S_WRITABLE,
	PLX_EP_S_FINISHED,
	PLX_EP_S_STOPPED,
	PLX_EP_S_CNT
};

struct plx_ep_stream {
	struct plx_ep_rec *rec;
	int64_t id;
	struct plx_bytes tx, rx;
	struct plx_ep_stream *tx_next,
	        *tx_prev; /**< ring of those with something to send */
	uint64_t reset_code, stop_code;
	uint16_t linked; /**< nodes in the list of events */
	bool local;
	bool over; /**< out of the table: waits for its last node */
	bool gone; /**< ngtcp2 does not know it any more */

	/* Our side. */
	bool tx_linked;
	bool tx_off;    /**< nothing can be sent any more */
	bool stopped;   /**< because the peer asked */
	bool blocked;   /**< flow control: wait for on_stream_writable */
	bool full;      /**< WRITABLE is owed */
	bool fin;       /**< the end was asked for */
	bool fin_sent;  /**< it is in a packet */
	bool fin_alone; /**< in one without bytes of the stream: acknowledged by itself */
	bool fin_acked;
	bool finished; /**< FINISHED was reported */

	/* The peer's side. */
	bool rx_off;   /**< the owner has seen its end, or wants none of it */
	bool rx_fin;   /**< all bytes are in rx */
	bool rx_reset; /**< or no more will come */

	struct plx_ep_node node[PLX_EP_S_CNT];
};

/** A DATAGRAM, received or to be sent. */
struct plx_ep_dgram {
	struct plx_ep_node node; /**< received: its event */
	struct plx_ep_rec *rec;
	struct plx_ep_dgram *next;
	uint32_t len;
	uint8_t data[];
};

struct plx_ep_dgram_queue {
	struct plx_ep_dgram *head, *tail;
	uint64_t bytes;
};

/** What an endpoint knows of a connection. */
struct plx_ep_rec {
	struct plx_endpoint *ep;
	struct plx_conn *conn; /**< valid while in ep->rec[] */
	struct plx_conn_id id;
	uint32_t refs; /**< slot, linked nodes, streams */
	bool established;
	bool outbound;
	bool closed;    /**< CLOSED was queued, the one at the end of everything */
	bool told;      /**< CLOSED was polled */
	bool hello;     /**< HELLO was queued */
	bool hit[2];    /**< [bidi] an open was refused: STREAMS_AVAILABLE is owed */
	bool dg_wanted; /**< DATAGRAMS_UNBLOCKED is owed */
	struct plx_streamtab streams;
	struct plx_ep_stream *tx; /**< next to send */
	struct plx_iov vec[16];

	struct plx_ep_dgram_queue dg_tx, dg_rx;
	int64_t dg_max; /**< when it closed */

	struct plx_addr remote; /**< last reported, or first */
	struct {
		struct plx_addr previous, current;
	} addr[PLX_EP_ADDRS];
	struct plx_ep_node addr_node[PLX_EP_ADDRS];
	uint8_t addr_next;

	struct plx_ep_node connected, rejected, over, hello_node, avail[2], unblocked;
	struct plx_ep_node ticket_node;
	uint8_t *ticket; /**< waits to be polled; from the slab, or NULL */
	size_t ticket_len;
	struct plx_close_info why;
	struct plx_endpoint_stats at_close;
	uint64_t udp_tx_datagrams, udp_tx_bytes, udp_tx_ios;
	uint64_t udp_rx_datagrams, udp_rx_bytes;
	uint64_t dg_sent, dg_recv, dg_dropped, path_changes;
	char alpn[16];
	char *sni; /**< from the slab, or NULL */
};

/** A packet that waits. */
struct plx_ep_pkt {
	struct plx_endpoint_packet pkt;
	uint8_t *buf;
};

/** Bytes of one buffer that plx_quic_tx_burst() writes into. */
#define PLX_EP_PKT_MAX 1500

struct plx_endpoint {
	struct plx_endpoint_cfg cfg;
	uint64_t now;
	struct plx_quic *q;
	struct plx_slab *slab;   /**< q's */
	struct plx_ep_rec **rec; /**< by slot; NULL = nobody was told of it */
	struct plx_ep_node *ev_head, *ev_tail;
	void *held;            /**< DATAGRAM or ticket that was polled last */
	uint32_t batch;        /**< depth */
	uint16_t fed_len;      /**< bytes of the datagram that was fed last */
	bool starved;          /**< packets wait for room in the send queue */
	bool verify;           /**< servers' certificates */
	uint64_t path_changes; /**< seen so far */

	struct plx_ep_pkt *sendq; /**< ring of cfg.send_queue_capacity */
	uint32_t sendq_head, sendq_len;
	struct plx_slab *pkt_slab;

	struct plx_steer *steer;
	struct plx_crypt *crypt;
	struct plx_tls *tls_server, *tls_client;
	struct plx_spent *spent; /**< of its own, or NULL */
	void *steer_mem;
	struct plx_obs *obs;
	struct plx_rand rand;
	struct plx_proto proto[PLX_ENDPOINT_ALPN_MAX];
	char alpn[PLX_ENDPOINT_ALPN_MAX][16];
	uint16_t proto_cnt;
	uint8_t scratch[PLX_BURST_MAX][PLX_EP_PKT_MAX];
};

/* plx_endpoint_sendq.c */

/** Writes what can be written into the send queue; in a batch only stateless answers. */
void plx_ep_drain(struct plx_endpoint *ep) PLX_ON_WORKER;
int plx_ep_sendq_init(struct plx_endpoint *ep) PLX_ON_MAIN;
void plx_ep_sendq_fini(struct plx_endpoint *ep) PLX_ON_MAIN;

/* plx_endpoint_event.c */

/** Reports something of a record or a stream, unless it waits to be reported already. */
void plx_ep_mark(struct plx_ep_rec *rec, struct plx_ep_node *n, enum plx_endpoint_ev type)
        PLX_ON_WORKER;
void plx_ep_stream_mark(struct plx_ep_stream *s, enum plx_ep_stream_node n) PLX_ON_WORKER;
/** Reports the end of a connection, once; nothing of it is reported afterwards. */
void plx_ep_closed(struct plx_ep_rec *rec, const struct plx_close_info *why) PLX_ON_WORKER;
/** A received datagram enters the list, oldest ones leave it when there are too many bytes. */
void plx_ep_dgram_mark(struct plx_ep_rec *rec, struct plx_ep_dgram *d) PLX_ON_WORKER;
/** Forgets all events. */
void plx_ep_events_fini(struct plx_endpoint *ep) PLX_ON_WORKER;

/* plx_endpoint_conn.c */

struct plx_ep_rec *plx_ep_rec_new(struct plx_endpoint *ep) PLX_ON_WORKER;
/** The record of a slot begins: from here on the handle means something. */
void plx_ep_rec_attach(struct plx_ep_rec *rec, struct plx_conn *c) PLX_ON_WORKER;
void plx_ep_rec_put(struct plx_ep_rec *rec) PLX_ON_WORKER;
/** Record of a handle. NULL: stale. */
struct plx_ep_rec *plx_ep_rec_of(struct plx_endpoint *ep, struct plx_conn_id id)
        PLX_ON_WORKER;
/** The same, and it can still be acted on. */
struct plx_ep_rec *plx_ep_live(struct plx_endpoint *ep, struct plx_conn_id id)
        PLX_ON_WORKER;
/** Reports addresses that peers changed to since the last call. */
void plx_ep_check_addresses(struct plx_endpoint *ep) PLX_ON_WORKER;
/** Keeps what getters answer while the connection drains. */
void plx_ep_snapshot(struct plx_ep_rec *rec) PLX_ON_WORKER;

/* plx_endpoint_app.c */

extern const struct plx_app plx_ep_app;
extern const struct plx_quic_watch plx_ep_watch;
/** Callback of a dial, and of an accepted connection, that came to nothing. */
void plx_ep_failed(void *arg, uint64_t user, const struct plx_close_info *why)
        PLX_ON_WORKER;

/* plx_endpoint_stream.c */

struct plx_ep_stream *plx_ep_stream_new(struct plx_ep_rec *rec, int64_t id, bool local)
        PLX_ON_WORKER;
void plx_ep_tx_link(struct plx_ep_stream *s) PLX_ON_WORKER;
void plx_ep_tx_unlink(struct plx_ep_stream *s) PLX_ON_WORKER;
/** Nothing will be sent any more; buffers go back as they are. */
void plx_ep_tx_end(struct plx_ep_stream *s) PLX_ON_WORKER;
/** Frees s if nobody can ask for it any more. */
void plx_ep_stream_reap(struct plx_ep_stream *s) PLX_ON_WORKER;
/** The connection is over, and with it its streams. */
void plx_ep_streams_end(struct plx_ep_rec *rec) PLX_ON_WORKER;

/* plx_endpoint_dgram.c */

int64_t plx_ep_dgram_max(const struct plx_ep_rec *rec) PLX_ON_WORKER;
int plx_ep_dgram_next(void *ctx, struct plx_iov *data) PLX_ON_WORKER;
void plx_ep_dgram_done(void *ctx, bool sent) PLX_ON_WORKER;
int plx_ep_dgram_recv(void *ctx, const uint8_t *data, size_t len) PLX_ON_WORKER;
void plx_ep_dgram_end(struct plx_ep_rec *rec) PLX_ON_WORKER;

#endif
