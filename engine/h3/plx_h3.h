/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * HTTP/3 on nghttp3, as an inline application (struct plx_app) with a table of its own above.
 *
 * Path:    nic -> net -> steer -> quic -> stream -> [h3] -> app
 * Threads: the worker that owns the connection.
 * Memory:  nghttp3 allocates from the endpoint's slab.
 * Spec:    RFC 9114, RFC 9204
 *
 * Two users: struct plx_h3_app functions on the worker itself (benchmark responder, MASQUE),
 * and plx_h3_ringapp, which is such a table that publishes events to application cores and
 * carries out their commands (<plx/event.h>, PLX_EV_H3_*).
 */
#ifndef PLX_H3_H
#define PLX_H3_H

#include <plx/app.h>
#include <plx/event.h>

#include "plx_mem.h"
#include "plx_obs.h"
#include "plx_ringapp.h"

struct plx_h3; /**< one HTTP/3 connection */

/** RFC 9114 section 8.1. */
enum plx_h3_code {
	PLX_H3_NO_ERROR = 0x100,
	PLX_H3_GENERAL_PROTOCOL_ERROR = 0x101,
	PLX_H3_INTERNAL_ERROR = 0x102,
	PLX_H3_STREAM_CREATION_ERROR = 0x103,
	PLX_H3_CLOSED_CRITICAL_STREAM = 0x104,
	PLX_H3_FRAME_UNEXPECTED = 0x105,
	PLX_H3_FRAME_ERROR = 0x106,
	PLX_H3_EXCESSIVE_LOAD = 0x107,
	PLX_H3_ID_ERROR = 0x108,
	PLX_H3_SETTINGS_ERROR = 0x109,
	PLX_H3_MISSING_SETTINGS = 0x10a,
	PLX_H3_REQUEST_REJECTED = 0x10b,
	PLX_H3_REQUEST_CANCELLED = 0x10c,
	PLX_H3_REQUEST_INCOMPLETE = 0x10d,
	PLX_H3_MESSAGE_ERROR = 0x10e,
	PLX_H3_CONNECT_ERROR = 0x10f,
	PLX_H3_VERSION_FALLBACK = 0x110,
};

/** Functions of an application above HTTP/3. All may be NULL. Return < 0: cancel the stream. */
struct plx_h3_app {
	const char *name;
	int (*on_open)(void *arg, struct plx_h3 *h, struct plx_conn *c, void **ctx);
	/** Request headers (server) or response headers (client, 1xx too). head is valid until
	 * the function returns. fin: no body follows. */
	int (*on_head)(void *ctx, int64_t stream_id, const struct plx_h3_head *head, bool fin);
	/** Body bytes. Credit goes back with plx_h3_consume(). */
	int (*on_data)(void *ctx, int64_t stream_id, const uint8_t *data, size_t len);
	int (*on_trailers)(void *ctx, int64_t stream_id, const struct plx_h3_head *head);
	/** The message of the peer is complete. */
	int (*on_end)(void *ctx, int64_t stream_id);
	/** The peer reset its side, or wants no more of ours. */
	int (*on_reset)(void *ctx, int64_t stream_id, uint64_t code);
	/**
	 * Next pieces of the body. @return pieces 0..cnt; 0 without *fin: nothing now, call
	 * plx_h3_resume() later. The bytes stay until on_acked.
	 */
	int (*read_body)(void *ctx, int64_t stream_id, struct plx_iov *vec, uint16_t cnt,
			 bool *fin);
	/** len more bytes of the body are acknowledged. */
	void (*on_acked)(void *ctx, int64_t stream_id, uint64_t len);
	/** The stream is gone; once. code: application code or PLX_H3_NO_ERROR. */
	void (*on_closed)(void *ctx, int64_t stream_id, uint64_t code);
	void (*on_goaway)(void *ctx, int64_t id);
	/** The connection is over; frees ctx. on_closed was called for each stream before. */
	void (*on_conn_closed)(void *ctx, const struct plx_close_info *why);
	/** Client: the peer allows more requests, after one was refused or not. */
	void (*on_streams_avail)(void *ctx);
};

/** What is registered as struct plx_proto.arg of plx_h3_inline. */
struct plx_h3_cfg {
	const struct plx_h3_app *app;
	void *arg;
	struct plx_obs *obs;
	struct plx_slab *slab;
	uint32_t field_section_max; /**< bytes, default 65536 when 0 */
	uint32_t requests_max;	    /**< per connection, 0 = no limit */
};

/** The inline application; proto.arg = struct plx_h3_cfg, which outlives the endpoint. */
extern const struct plx_app plx_h3_inline;

/**
 * Operations of an application above. All return 0 or enum plx_err; PLX_E_H3 when nghttp3
 * refused. Strings are copied during the call. body: read_body will be asked for a body.
 * Thread: the worker. Owns: nothing is kept. Errors: as returned.
 */
int plx_h3_request(struct plx_h3 *h, const struct plx_h3_field *f, uint16_t cnt, bool body,
		   int64_t *stream_id) PLX_ON_WORKER;
int plx_h3_respond(struct plx_h3 *h, int64_t stream_id, const struct plx_h3_field *f,
		   uint16_t cnt, bool body) PLX_ON_WORKER;
int plx_h3_inform(struct plx_h3 *h, int64_t stream_id, const struct plx_h3_field *f,
		  uint16_t cnt) PLX_ON_WORKER; /**< 1xx */
/**
 * Trailer fields, before read_body says fin: they end the message in place of the body's end.
 * PLX_E_H3 when the end was sent already.
 */
int plx_h3_trailers(struct plx_h3 *h, int64_t stream_id, const struct plx_h3_field *f,
		    uint16_t cnt) PLX_ON_WORKER;
int plx_h3_resume(struct plx_h3 *h, int64_t stream_id) PLX_ON_WORKER;
int plx_h3_consume(struct plx_h3 *h, int64_t stream_id, size_t len) PLX_ON_WORKER;
int plx_h3_cancel(struct plx_h3 *h, int64_t stream_id, uint64_t code) PLX_ON_WORKER;
int plx_h3_goaway(struct plx_h3 *h) PLX_ON_WORKER;
struct plx_conn *plx_h3_conn(struct plx_h3 *h) PLX_ON_WORKER;

/** A pointer of the application per stream, NULL at first; gone after on_closed. */
int plx_h3_set_user(struct plx_h3 *h, int64_t stream_id, void *user) PLX_ON_WORKER;
void *plx_h3_user(struct plx_h3 *h, int64_t stream_id) PLX_ON_WORKER;

/**
 * HTTP/3 for application cores: register plx_h3_ring as struct plx_proto.app with a
 * struct plx_ringapp_cfg (stream/plx_ringapp.h) as arg.
 */
extern const struct plx_app plx_h3_ring;

/** Raw streams for application cores, in engine/stream: plx_raw_ring, the same arg. */

#endif
