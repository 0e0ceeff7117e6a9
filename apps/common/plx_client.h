/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * HTTP/3 client of an application core, for `pollux get`, `pollux demo` and `pollux bench`:
 * connections, requests with generated or no body, responses by callback.
 *
 * Path:    nic -> net -> steer -> quic -> stream -> h3 -> [app]
 * Threads: the thread of the attachment, callbacks included.
 * Memory:  connections and requests from the heap; a request belongs to the client from
 *          plx_client_request() until on_done.
 * Spec:    RFC 9114
 */
#ifndef PLX_CLIENT_H
#define PLX_CLIENT_H

#include <plx/attach.h>

struct plx_client;
struct plx_client_conn;

/** How a request ended. */
enum plx_client_end {
	PLX_CLIENT_OK = 0,    /**< complete response, whatever its status */
	PLX_CLIENT_RESET,     /**< the peer reset the stream; code */
	PLX_CLIENT_CONN_LOST, /**< the connection ended first */
	PLX_CLIENT_LENGTH,    /**< body and content-length disagree */
	PLX_CLIENT_REFUSED,   /**< the engine could not send it; code = -enum plx_err */
};

struct plx_client_req {
	/* The caller's, before plx_client_request(). */
	char method[8];
	char path[1024];
	uint64_t upload; /**< body bytes to send, of value 0x57 */
	void *user;
	/** Body bytes; NULL = counted only. @return < 0: cancel the request */
	int (*on_data)(struct plx_client_req *r, const uint8_t *data, size_t len);
	/** Once. The request is the caller's again, to free or to use anew. */
	void (*on_done)(struct plx_client_req *r, enum plx_client_end end, uint64_t code);

	/* Filled while it runs. */
	struct plx_client_conn *conn;
	uint64_t start_ns; /**< CLOCK_MONOTONIC when it was given to the engine */
	uint64_t head_ns;  /**< when the response headers came, 0 = not yet */
	uint64_t end_ns;
	uint64_t body_len;    /**< bytes received */
	uint64_t content_len; /**< announced, UINT64_MAX = not */
	uint64_t sent;        /**< body bytes given to the engine */
	int64_t stream_id;    /**< -1 until known */
	uint16_t status;
	uint16_t out_cnt; /**< send buffers on their way */
	uint8_t state;    /**< the client's */
	bool cancelled;
	struct plx_client_req *next, *prev;
};

struct plx_client_target {
	struct plx_addr remote;
	char host[256]; /**< :authority, with port where it is not 443; terminated */
	char sni[256];  /**< terminated */
	bool verify;
	uint16_t worker;       /**< of the engine */
	uint32_t handshake_ms; /**< 0 = default */
	uint16_t parallel;     /**< requests in flight at most, 1.. */
};

/** What the owner of a connection hears. */
struct plx_client_conn_cb {
	/** up: handshake complete; else the connection is over, once, and c is freed after it. */
	void (*on_state)(struct plx_client_conn *c, bool up, const struct plx_event *ev);
	void *user;
};

/**
 * plx_client_new() makes a client on an attachment.
 * @return 0, PLX_E_NOMEM. Thread: main or the attachment's. Owns: caller frees.
 */
int plx_client_new(struct plx_client **out, struct plx_attach *a) PLX_ON_APP;
/** Frees connections and gives every request back with PLX_CLIENT_CONN_LOST. */
void plx_client_free(struct plx_client *cl) PLX_ON_APP;

/** plx_client_open() dials. @return NULL without memory. Result: cb.on_state, once down. */
struct plx_client_conn *plx_client_open(struct plx_client *cl,
                                        const struct plx_client_target *t,
                                        const struct plx_client_conn_cb *cb) PLX_ON_APP;
void *plx_client_conn_user(const struct plx_client_conn *c) PLX_ON_APP;
/** Closes with H3_NO_ERROR when its requests are done (now = false) or at once. */
void plx_client_close(struct plx_client_conn *c, bool now) PLX_ON_APP;

/** plx_client_request() queues a request; it goes out when the connection is up and a place
 * among `parallel` is free. Errors: none; everything ends in on_done. */
void plx_client_request(struct plx_client_conn *c, struct plx_client_req *r) PLX_ON_APP;

/** plx_client_cancel() gives a request up; on_done follows. */
void plx_client_cancel(struct plx_client_req *r) PLX_ON_APP;

/**
 * plx_client_turn() takes events and moves requests on.
 * @return things moved; 0: call plx_client_wait()
 */
uint32_t plx_client_turn(struct plx_client *cl) PLX_ON_APP;

/** plx_client_wait() sleeps until there is something, at most timeout_us. */
void plx_client_wait(struct plx_client *cl, uint64_t timeout_us) PLX_ON_APP;

/** Walks the connections that are not over; the one at hand may be closed. NULL: no more. */
struct plx_client_conn *plx_client_first(const struct plx_client *cl) PLX_ON_APP;
struct plx_client_conn *plx_client_next(const struct plx_client_conn *c) PLX_ON_APP;

/** Connections that are not over, requests that are not done. */
uint32_t plx_client_conns(const struct plx_client *cl) PLX_ON_APP;
uint64_t plx_client_active(const struct plx_client *cl) PLX_ON_APP;

/** "connection lost", "reset by the server", … Thread: any. */
const char *plx_client_end_text(enum plx_client_end end) PLX_ANY_THREAD;

#endif
