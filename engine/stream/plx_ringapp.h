/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * What connects an inline application to application cores: events out, commands in.
 *
 * Path:    nic -> net -> steer -> quic -> [stream] -> app
 * Threads: the worker.
 * Memory:  see the members.
 *
 * An inline application whose user sits on another core (raw streams: plx_rawapp, HTTP/3:
 * plx_h3_ringapp) embeds struct plx_ringconn as the FIRST member of its connection context and
 * names its functions in struct plx_ringapp_ops. The worker finds the context by
 * plx_conn_ctx(), and knows from the operations how to carry out a command. One struct
 * plx_appside exists per pair of worker and attachment; engine/ring puts rings behind it,
 * a sans-IO user or a test drives it directly.
 *
 * Life of a connection context:
 *
 *   1. on_conn_established: cfg->pick() gives the side; allocate; plx_ringconn_init() marks
 *      CONN_NEW or CONN_UP, which is therefore the first event of the handle
 *   2. each stream object is announced by plx_ringconn_hold() and given up, after its last
 *      event was published, by plx_ringconn_put()
 *   3. on_conn_closed: mark the last event of every stream, then plx_ringconn_closed().
 *      CONN_CLOSED is marked when no stream object is left, so it is the last event
 *   4. ops->free() is called after CONN_CLOSED was published: the context outlives the
 *      connection (rc->conn is NULL in between)
 */
#ifndef PLX_RINGAPP_H
#define PLX_RINGAPP_H

#include <plx/app.h>
#include <plx/event.h>

#include "plx_evq.h"
#include "plx_mem.h"
#include "plx_obs.h"
#include "plx_rbufpool.h"

/**
 * Failed commands that a side can hold until they are published. A worker takes no more
 * commands than plx_appside_cmd_room(), so a stalled application is pushed back instead of
 * losing CMD_FAILED. 64 = two bursts of commands; fewer would cut bursts short, more only
 * keeps more failures of an application that does not listen.
 */
#define PLX_APPSIDE_FAILS 64

struct plx_recvq;
struct plx_sendq;
struct plx_apprec; /**< CMD_FAILED or DIAL_FAILED that was not published yet */

/** The worker's side of one pair (worker, attachment). Made by plx_appside_init(). */
struct plx_appside {
	struct plx_evq evq;        /**< what is to be published */
	struct plx_rbufpool *pool; /**< the worker's receive buffers */
	struct plx_slab *slab;     /**< the worker's slab */
	struct plx_obs *obs;
	struct plx_sbuf *done_head,
	        *done_tail; /**< send buffers to give back, linked by next */
	uint64_t done_cnt;
	uint16_t worker;
	uint16_t attach;                               /**< number of the attachment */
	struct plx_recvq *starved_head, *starved_tail; /**< queues that wait for buffers */
	struct plx_apprec *rec_free;                   /**< records reserved for failures */
	uint32_t rec_free_cnt;                         /**< entries of rec_free */
	uint32_t dial_cnt; /**< entries of rec_free reserved by dials under way */
};

struct plx_ringconn;

struct plx_ringapp_ops {
	const char *name;

	/**
	 * Carries out a command for a connection; CLOSE and the SET_USER of a connection are
	 * done before. @return 0 or enum plx_err (CMD_FAILED).
	 */
	int (*cmd)(struct plx_ringconn *rc, const struct plx_cmd *cmd);

	/**
	 * A lent buffer came back: return its credit to the peer. The connection is alive;
	 * the worker gives the buffer itself back to the pool afterwards, always.
	 */
	void (*released)(struct plx_ringconn *rc, struct plx_rbuf *b);

	/** CONN_CLOSED was published: free the context. */
	void (*free)(struct plx_ringconn *rc);
};

/** Events of the connection itself, bits of plx_ringconn.ev; reported in this order. */
#define PLX_RINGCONN_EV_UP         0x01u /**< CONN_NEW or CONN_UP */
#define PLX_RINGCONN_EV_AVAIL_BIDI 0x02u /**< STREAMS_AVAIL, flag BIDI */
#define PLX_RINGCONN_EV_AVAIL_UNI  0x04u /**< STREAMS_AVAIL */
#define PLX_RINGCONN_EV_GOAWAY     0x08u /**< H3_GOAWAY; code = rc->goaway_id */
#define PLX_RINGCONN_EV_CLOSED     0x10u /**< CONN_CLOSED; plx_ringconn_closed() marks it */

/** First member of the connection context of an application behind a ring. */
struct plx_ringconn {
	const struct plx_ringapp_ops *ops;
	struct plx_appside *side;
	struct plx_conn *conn; /**< NULL once the connection is over */
	struct plx_conn_id id;
	uint64_t user;       /**< value of the dial or of SET_USER */
	uint64_t dial_user;  /**< value of the dial */
	struct plx_evsrc ev; /**< source of the connection's events */
	uint32_t held;       /**< stream objects that still have events */
	bool server;
	bool closed;      /**< plx_ringconn_closed() was called */
	uint8_t close_by; /**< enum plx_close_by */
	uint64_t close_code;
	uint64_t goaway_id;
};

/**
 * plx_appside_init() prepares a side and reserves its records of failures.
 * @return 0, PLX_E_NOMEM
 * Thread: main before the worker starts. Owns: pool, slab, obs outlive the side.
 *
 * plx_appside_fini() drops what was not published: contexts of closed connections are freed,
 * buffers go back to the pool, send buffers stay where the application put them. Call it
 * after the endpoint closed its connections (on_conn_closed was called for each) and while
 * pool and slab exist. Thread: main after the worker stopped. Errors: none.
 */
int plx_appside_init(struct plx_appside *s, struct plx_rbufpool *pool,
                     struct plx_slab *slab, struct plx_obs *obs, uint16_t worker,
                     uint16_t attach) PLX_ON_MAIN;
void plx_appside_fini(struct plx_appside *s) PLX_ON_MAIN;

/** Queues send buffers (linked by next, NULL allowed) to go back to the application. */
void plx_appside_done(struct plx_appside *s, struct plx_sbuf *list) PLX_ON_WORKER;

/**
 * plx_appside_take_done() takes up to max send buffers that go back.
 * Thread: the worker. Owns: the buffers are the application's as soon as it sees them.
 */
uint32_t plx_appside_take_done(struct plx_appside *s, struct plx_sbuf **b, uint32_t max)
        PLX_ON_WORKER;

/**
 * Commands that may be taken now without risking that a CMD_FAILED finds no memory; pass it
 * as limit to plx_pair_cmds(). 0..PLX_APPSIDE_FAILS. Thread: the worker. Errors: none.
 */
uint32_t plx_appside_cmd_room(const struct plx_appside *s) PLX_ON_WORKER;

/**
 * plx_appside_cmd() carries out a command of a connection and answers CMD_FAILED if that did
 * not work.
 *
 * @param rc   context of cmd->conn (plx_conn_ctx()), NULL when the handle is stale
 * @param cmd  any but DIAL
 * @return 0 or the error that CMD_FAILED reports
 *
 * Thread: the worker. Owns: what cmd->ptr names is with the application (ops->cmd took it) or
 * on its way back. Errors: as returned, already reported.
 */
int plx_appside_cmd(struct plx_appside *s, struct plx_ringconn *rc,
                    const struct plx_cmd *cmd) PLX_ON_WORKER;

/**
 * plx_appside_cmd_failed() reports that a command failed: event CMD_FAILED with the command's
 * conn, stream_id and user, code = -err, extra = type of the command. A send buffer goes back
 * through plx_appside_done(), a header list or dial block is freed with free().
 * Thread: the worker. Owns: takes what cmd->ptr names. Errors: none.
 */
void plx_appside_cmd_failed(struct plx_appside *s, const struct plx_cmd *cmd, int err)
        PLX_ON_WORKER;

/**
 * plx_cmd_discard() ends what belongs to the engine of a command that nobody will carry out:
 * blocks are freed, a call is made with NULL; send buffers stay the application's.
 * Thread: the worker, or main when no worker runs. Owns: takes what cmd->ptr names.
 */
void plx_cmd_discard(const struct plx_cmd *cmd) PLX_ANY_THREAD;

/**
 * Dials. plx_appside_dial_begin() reserves the record of a failure, before plx_quic_dial():
 * with it the failure cannot get lost. The reservation ends with plx_appside_dial_failed()
 * (event DIAL_FAILED), with CONN_UP (plx_ringconn_init() of a connection that was dialed), or
 * with plx_appside_dial_cancel() when plx_quic_dial() itself failed (answer that with
 * plx_appside_cmd_failed()).
 *
 * @return plx_appside_dial_begin(): 0, PLX_E_NOMEM
 * Thread: the worker. Owns: nothing of the caller's. Errors: as returned.
 */
int plx_appside_dial_begin(struct plx_appside *s) PLX_ON_WORKER;
void plx_appside_dial_cancel(struct plx_appside *s) PLX_ON_WORKER;
void plx_appside_dial_failed(struct plx_appside *s, uint64_t user,
                             const struct plx_close_info *why) PLX_ON_WORKER;

/**
 * plx_ringconn_init() fills the common part of a context from the connection (handle, user,
 * role) and marks CONN_NEW or CONN_UP. The context was zeroed.
 * Thread: the worker. Owns: nothing; cfg and side outlive rc. Errors: none.
 */
struct plx_ringapp_cfg;
void plx_ringconn_init(struct plx_ringconn *rc, const struct plx_ringapp_ops *ops,
                       const struct plx_ringapp_cfg *cfg, struct plx_appside *side,
                       struct plx_conn *c) PLX_ON_WORKER;

/** plx_ringconn_mark() marks PLX_RINGCONN_EV_* other than CLOSED. Thread: the worker. */
void plx_ringconn_mark(struct plx_ringconn *rc, uint32_t bits) PLX_ON_WORKER;

/** A stream object was made, or freed after its last event; see the life of a context. */
void plx_ringconn_hold(struct plx_ringconn *rc) PLX_ON_WORKER;
void plx_ringconn_put(struct plx_ringconn *rc) PLX_ON_WORKER;

/** The connection is over (from on_conn_closed, last). why NULL: refused by us. */
void plx_ringconn_closed(struct plx_ringconn *rc, const struct plx_close_info *why)
        PLX_ON_WORKER;

/** plx_ringconn_fill() fills the fields of an event that are the same for all of a handle. */
static inline void
plx_ringconn_fill(const struct plx_ringconn *rc, struct plx_event *ev,
                  enum plx_event_type type, int64_t stream_id, uint64_t user)
{
	ev->type = (uint8_t)type;
	ev->flags = rc->server ? PLX_EV_FLAG_SERVER : 0;
	ev->worker = rc->side->worker;
	ev->conn = rc->id;
	ev->stream_id = stream_id;
	ev->user = user;
	ev->conn_user = rc->user;
}

/**
 * Chooses the attachment that a connection goes to, accepted or dialed (plx_conn_is_server()
 * tells which; a dialed one goes where its dial came from). arg is the engine's.
 * @return NULL: refuse the connection
 */
typedef struct plx_appside *(*plx_appside_pick_fn)(void *arg, struct plx_conn *c);

/** What an application behind a ring is made with: registered as struct plx_proto.arg. */
struct plx_ringapp_cfg {
	plx_appside_pick_fn pick;
	void *pick_arg;
	/** Value of the dial, called once after pick; NULL: plx_conn_user(). arg is pick_arg. */
	uint64_t (*user)(void *arg, struct plx_conn *c);
	uint32_t
	        send_high; /**< bytes queued per stream above which WRITABLE waits, 256 KiB */
	uint32_t field_section_max; /**< HTTP/3: bytes of a header list, default 64 KiB */
	uint32_t requests_max;      /**< HTTP/3: requests per connection, 0 = no limit */
};

/** Bytes queued per stream above which WRITABLE waits. */
static inline uint64_t
plx_ringapp_send_high(const struct plx_ringapp_cfg *cfg)
{
	return cfg->send_high != 0 ? cfg->send_high : 256u << 10;
}

/**
 * plx_ringapp_refused() answers the dial of a connection whose context could not be made
 * (on_conn_established is about to return an error, and on_failed will not be called any
 * more): a dial is answered exactly once. Nothing happens for an accepted connection.
 * Thread: the worker. Owns: nothing of the caller's. Errors: none.
 */
void plx_ringapp_refused(const struct plx_ringapp_cfg *cfg, struct plx_appside *side,
                         struct plx_conn *c) PLX_ON_WORKER;

/**
 * plx_ringconn_queue() appends what STREAM_SEND or H3_BODY brings to the queue of the stream.
 * A buffer without bytes goes back at once: no acknowledgement would ever name it.
 * @return 0; PLX_E_INVAL: neither buffer nor FIN; PLX_E_STREAM_CLOSED: behind FIN
 * Thread: the worker. Owns: on success the buffer of the command. Errors: as returned.
 */
int plx_ringconn_queue(struct plx_ringconn *rc, struct plx_sendq *q,
                       const struct plx_cmd *cmd) PLX_ON_WORKER;

#endif
