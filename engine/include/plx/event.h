/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Events and commands: what application cores and workers say to each other over rings.
 *
 * Path:    nic -> net -> steer -> quic -> stream -> [app]
 * Threads: an attachment (struct plx_attach) is used by one thread; each pair of worker and
 *          attachment has four rings of its own, all single producer, single consumer:
 *
 *              worker --events--> app     64-byte struct plx_event
 *              app  --commands--> worker  64-byte struct plx_cmd
 *              app  --returns---> worker  struct plx_rbuf *, read buffers that were consumed
 *              worker --sent----> app     struct plx_sbuf *, send buffers acknowledged
 *
 * Memory:  received bytes and header lists arrive in a struct plx_rbuf, which belongs to the
 *          worker: give each back with plx_rbuf_release(); that is also what returns flow
 *          control credit to the peer. Bytes to send are passed in a struct plx_sbuf, which
 *          belongs to the application: it must not change until it comes back.
 *
 * Events are state, not messages (docs/adr): a connection or stream keeps a mask of what was
 * not yet reported; the worker moves as many as the ring holds each turn. None is dropped and
 * none needs memory; repeats merge.
 */
#ifndef PLX_EVENT_H
#define PLX_EVENT_H

#include <plx/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
#define PLX_EVENT_LIST(X)                                                                     \
	X(NONE,          "no event")                                                          \
	X(CONN_NEW,      "a peer connected; handshake complete")                              \
	X(CONN_UP,       "a connection that was dialed is established")                       \
	X(CONN_CLOSED,   "the connection is over; last event of its handle, exactly once")    \
	X(DIAL_FAILED,   "a dial ended without a connection; exactly one of this or CONN_UP") \
	X(STREAM_OPEN,   "the peer opened a stream")                                          \
	X(STREAM_DATA,   "stream bytes; buf to release; FIN flag on the last")                \
	X(STREAM_RESET,  "the peer reset the stream; code")                                   \
	X(STREAM_STOP,   "the peer asked to stop sending; code, UINT64_MAX = not known")      \
	X(STREAM_WRITABLE, "room for more send buffers on the stream")                        \
	X(STREAM_CLOSED, "both sides are done; last event of the stream, exactly once")       \
	X(STREAMS_AVAIL, "the peer allows more streams")                                      \
	X(H3_REQUEST,    "request headers (server); buf holds struct plx_h3_head")            \
	X(H3_RESPONSE,   "response headers (client), 1xx included; buf as above")             \
	X(H3_DATA,       "body bytes; buf to release; FIN flag on the last, which may be empty")  \
	X(H3_TRAILERS,   "trailer fields; buf as above")                                      \
	X(H3_RESET,      "the peer reset or stopped the request; code")                       \
	X(H3_WRITABLE,   "room for body buffers; the first of a request tells its stream id") \
	X(H3_CLOSED,     "the request is over; last event of the stream, exactly once; code") \
	X(H3_GOAWAY,     "the peer accepts no more requests")                                 \
	X(CMD_FAILED,    "a command could not be carried out; code = enum plx_err, negated")
/* clang-format on */

enum plx_event_type {
#define PLX_EVENT_ENUM(name, text) PLX_EV_##name,
	PLX_EVENT_LIST(PLX_EVENT_ENUM)
#undef PLX_EVENT_ENUM
	        PLX_EV_CNT
};

#define PLX_EV_FLAG_FIN    0x01 /**< nothing follows on this direction of the stream */
#define PLX_EV_FLAG_SERVER 0x02 /**< the connection was accepted, not dialed */
#define PLX_EV_FLAG_BIDI   0x04 /**< the stream is bidirectional */
#define PLX_EV_FLAG_LOCAL  0x08 /**< the stream was opened by us */

/** Bytes lent by a worker to an application core. */
struct plx_rbuf {
	const uint8_t *data; /**< the bytes */
	uint32_t len;        /**< bytes at data */
	uint16_t worker;     /**< owner */
	uint16_t cls;        /**< the owner's */
	struct plx_conn_id conn;
	int64_t stream_id;
	uint32_t credit; /**< flow-control credit that goes back on release, bytes */
	uint32_t slot;   /**< the owner's */
	struct plx_rbuf
	        *next; /**< the owner's; the application may use it while it holds it */
};

/** Bytes of the application, to be sent. */
struct plx_sbuf {
	const uint8_t *data;     /**< stays unchanged until the buffer comes back */
	uint64_t len;            /**< bytes at data */
	uint64_t acked;          /**< the worker's: bytes acknowledged */
	uint64_t user;           /**< the application's */
	struct plx_conn_id conn; /**< filled by the worker */
	int64_t stream_id;       /**< filled by the worker */
	struct plx_sbuf *next;   /**< the worker's while it has the buffer */
};

/** One field of a header list. Strings are not terminated. */
struct plx_h3_field {
	const char *name;
	const char *value;
	uint32_t name_len, value_len; /**< bytes */
};

/** Header list inside a plx_rbuf: data points at this structure. */
struct plx_h3_head {
	uint16_t cnt;    /**< entries of field, pseudo-header fields first */
	uint16_t status; /**< response: 100..599; request: 0 */
	uint32_t bytes;  /**< sum of names and values */
	struct plx_h3_field field[];
};

struct plx_event {
	uint8_t type;    /**< enum plx_event_type */
	uint8_t flags;   /**< PLX_EV_FLAG_* */
	uint16_t worker; /**< where it comes from */
	uint32_t extra;  /**< CONN_CLOSED, DIAL_FAILED: enum plx_close_by;
			      CMD_FAILED: enum plx_cmd_type */
	struct plx_conn_id conn;
	int64_t stream_id;    /**< -1 where the event is of the connection */
	uint64_t user;        /**< stream: value given when it was opened or by SET_USER;
				connection: value of the dial */
	uint64_t code;        /**< error code where the event has one */
	struct plx_rbuf *buf; /**< or NULL */
	uint64_t conn_user;   /**< connection: value of the dial or of SET_USER */
	uint64_t pad;
};
PLX_STATIC_ASSERT(sizeof(struct plx_event) == PLX_CACHE_LINE, "one event, one cache line");

/* clang-format off */
#define PLX_CMD_LIST(X)                                                                       \
	X(NONE,        "no command")                                                          \
	X(DIAL,        "connect; ptr = struct plx_dial, copied before the command is taken back") \
	X(CLOSE,       "close the connection with code")                                      \
	X(SET_USER,    "user value of a stream, or of the connection with stream_id -1")      \
	X(STREAM_OPEN, "open a stream; STREAM_OPEN or CMD_FAILED answers, with user")         \
	X(STREAM_SEND, "append a send buffer; flag FIN; ptr = struct plx_sbuf or NULL with FIN") \
	X(STREAM_RESET, "reset the sending side with code")                                   \
	X(STREAM_STOP, "ask the peer to stop sending, with code")                             \
	X(H3_REQUEST,  "new request; ptr = struct plx_h3_msg, lent until H3_* answers; FIN = no body") \
	X(H3_RESPONSE, "final or 1xx response; ptr as above; FIN = no body")                  \
	X(H3_BODY,     "append a body buffer; ptr = struct plx_sbuf or NULL with FIN")        \
	X(H3_CANCEL,   "reset and stop the request with code")                                \
	X(H3_GOAWAY,   "announce that no more requests are taken")                            \
	X(CALL,        "call a function on the worker; ptr = struct plx_call")
/* clang-format on */

enum plx_cmd_type {
#define PLX_CMD_ENUM(name, text) PLX_CMD_##name,
	PLX_CMD_LIST(PLX_CMD_ENUM)
#undef PLX_CMD_ENUM
	        PLX_CMD_CNT
};

#define PLX_CMD_FLAG_FIN 0x01
#define PLX_CMD_FLAG_UNI 0x02 /**< STREAM_OPEN: unidirectional */

struct plx_cmd {
	uint8_t type;    /**< enum plx_cmd_type */
	uint8_t flags;   /**< PLX_CMD_FLAG_* */
	uint16_t attach; /**< filled by plx_cmd_put */
	uint32_t pad;
	struct plx_conn_id conn;
	int64_t stream_id;
	uint64_t user;
	uint64_t code;
	void *ptr;
	uint64_t pad2[2];
};
PLX_STATIC_ASSERT(sizeof(struct plx_cmd) == PLX_CACHE_LINE, "one command, one cache line");

/**
 * Header list to send. It is one heap block made by the application with malloc(); on a
 * successful plx_cmd_put() it belongs to the engine, which frees it with free() on the worker
 * once nghttp3 has copied the fields (a request allocates anyway, R16 counts data packets).
 */
struct plx_h3_msg {
	uint16_t cnt;
	uint16_t pad[3];
	struct plx_h3_field field[]; /**< strings lie behind the array, in the same block */
};

struct plx_conn;

/**
 * A function to be called with a connection on the worker that owns it, exactly once: for live
 * statistics and for whatever else only the owner may do (S2-45, S2-46). It belongs to the
 * engine from a successful plx_cmd_put() on, and to fn, which is called with c NULL when the
 * connection is gone (CMD_FAILED follows) or the engine ends. fn does not block.
 */
struct plx_call {
	void (*fn)(struct plx_call *call, struct plx_conn *c);
};

/** A dial: where to, and how. One heap block, owned as struct plx_h3_msg is. */
struct plx_dial {
	struct plx_addr remote;
	struct plx_addr local; /**< family NONE: the engine chooses address and port */
	char sni[256];         /**< terminated */
	char alpn[16];         /**< terminated, "h3" */
	bool verify;           /**< check the certificate against the trust store and sni */
	uint32_t handshake_ms; /**< 0 = the endpoint's default */
};

#ifdef __cplusplus
}
#endif

#endif
