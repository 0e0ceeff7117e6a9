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
 * and plx_h3_ring, which is such a table that publishes events to application cores and
 * carries out their commands (<plx/event.h>, PLX_EV_H3_*).
 *
 * A malformed message (RFC 9114 section 4.1.2) ends its stream with H3_MESSAGE_ERROR and
 * concerns nobody else; a message is never reported as complete unless it is: the sum of DATA
 * is compared with content-length at every way a stream can end. Errors of frames and QPACK,
 * a field section above field_section_max and floods end the connection.
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

/**
 * Functions of an application above HTTP/3, called on the worker. All may be NULL. Where an int
 * is returned, a negative value cancels the stream with H3_REQUEST_CANCELLED, unless
 * plx_h3_cancel() was called before with another code (on_open: refuses the connection).
 *
 * Order for one stream: on_head (client: interim responses first) · on_data … · on_trailers ·
 * on_end · on_closed. on_reset may come at any time before on_closed; after plx_h3_cancel()
 * only on_closed follows.
 */
struct plx_h3_app {
	const char *name;

	/** The connection is up. ctx [out] is the first argument of the rest. */
	int (*on_open)(void *arg, struct plx_h3 *h, struct plx_conn *c, void **ctx);

	/**
	 * Request headers (server) or response headers (client, 1xx too).
	 * @param head  pseudo-header fields first; checked; valid until the function returns
	 * @param fin   the message ends here; on_end follows all the same
	 */
	int (*on_head)(void *ctx, int64_t stream_id, const struct plx_h3_head *head,
	               bool fin);

	/**
	 * Body bytes, valid until the function returns. Each byte is to be given to
	 * plx_h3_consume() once, also after on_closed; NULL and a negative return consume.
	 */
	int (*on_data)(void *ctx, int64_t stream_id, const uint8_t *data, size_t len);

	/** Trailer fields; as on_head. */
	int (*on_trailers)(void *ctx, int64_t stream_id, const struct plx_h3_head *head);

	/** The message of the peer is complete; once. */
	int (*on_end)(void *ctx, int64_t stream_id);

	/**
	 * The peer reset its side, or wants no more of ours (code may be unknown then:
	 * H3_REQUEST_CANCELLED), or its message is malformed (H3_MESSAGE_ERROR; both sides
	 * were ended). Our side of the stream goes on until it is cancelled or complete.
	 */
	int (*on_reset)(void *ctx, int64_t stream_id, uint64_t code);

	/**
	 * Next pieces of the body. @return pieces 0..cnt; 0 without *fin: nothing now, call
	 * plx_h3_resume() later. The bytes stay until on_acked or on_closed. It is called in
	 * the middle of a packet: the only operation allowed inside is plx_h3_cancel().
	 */
	int (*read_body)(void *ctx, int64_t stream_id, struct plx_iov *vec, uint16_t cnt,
	                 bool *fin);

	/** len more bytes of the body are acknowledged, in order. */
	void (*on_acked)(void *ctx, int64_t stream_id, uint64_t len);

	/**
	 * The stream is gone; once for each stream that on_head reported or plx_h3_request()
	 * made. code: of the cancellation, of the peer's reset, or PLX_H3_NO_ERROR; with the
	 * connection: its code, H3_REQUEST_CANCELLED where that says nothing.
	 */
	void (*on_closed)(void *ctx, int64_t stream_id, uint64_t code);

	/** Client: requests from this id on are not served. Server: no more pushes. */
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
	uint32_t requests_max;      /**< per connection, 0 = no limit */
};

/** The inline application; proto.arg = struct plx_h3_cfg, which outlives the endpoint. */
extern const struct plx_app plx_h3_inline;

/**
 * plx_h3_request() sends a request on a new stream, plx_h3_respond() the final response,
 * plx_h3_inform() an interim one (1xx), plx_h3_trailers() the trailer fields, which must be
 * called before read_body says fin: they end the message in place of the body.
 *
 * @param f     fields, pseudo-header fields first, names in lower case; copied
 * @param cnt   1..65535
 * @param body  read_body will be asked for a body; false: the message ends with its head
 * @return 0; PLX_E_INVAL: wrong role, or a name or value with forbidden bytes;
 *         PLX_E_STREAM_LIMIT: on_streams_avail follows; PLX_E_CLOSING: GOAWAY or closing;
 *         PLX_E_NOENT: no such stream; PLX_E_STREAM_CLOSED: answered or cancelled already;
 *         PLX_E_NOMEM; PLX_E_H3: trailers after the end
 *
 * Thread: the worker. Owns: nothing is kept. Errors: as returned, nothing was sent then.
 * Spec:   RFC 9114 section 4.1.
 */
int plx_h3_request(struct plx_h3 *h, const struct plx_h3_field *f, uint16_t cnt, bool body,
                   int64_t *stream_id) PLX_ON_WORKER;
int plx_h3_respond(struct plx_h3 *h, int64_t stream_id, const struct plx_h3_field *f,
                   uint16_t cnt, bool body) PLX_ON_WORKER;
int plx_h3_inform(struct plx_h3 *h, int64_t stream_id, const struct plx_h3_field *f,
                  uint16_t cnt) PLX_ON_WORKER;
int plx_h3_trailers(struct plx_h3 *h, int64_t stream_id, const struct plx_h3_field *f,
                    uint16_t cnt) PLX_ON_WORKER;

/** plx_h3_resume() has read_body called again. Thread: the worker. Errors: PLX_E_CLOSING. */
int plx_h3_resume(struct plx_h3 *h, int64_t stream_id) PLX_ON_WORKER;

/** plx_h3_consume() returns credit for len bytes of on_data. Thread: the worker. Errors: none. */
int plx_h3_consume(struct plx_h3 *h, int64_t stream_id, size_t len) PLX_ON_WORKER;

/**
 * plx_h3_cancel() ends a stream in both directions; on_closed follows, with code.
 * @return 0, PLX_E_NOENT, PLX_E_STREAM_CLOSED cancelled already, PLX_E_CLOSING
 * Thread: the worker, also inside any function of the table. Errors: as returned.
 */
int plx_h3_cancel(struct plx_h3 *h, int64_t stream_id, uint64_t code) PLX_ON_WORKER;

/**
 * plx_h3_goaway() announces that no more requests are taken: first the notice, a round trip
 * later the last stream id (RFC 9114 section 5.2). A server closes the connection with
 * H3_NO_ERROR when the last request below it is over. A second call does nothing.
 * Thread: the worker. Owns: nothing. Errors: PLX_E_CLOSING.
 */
int plx_h3_goaway(struct plx_h3 *h) PLX_ON_WORKER;

/**
 * A pointer of the application per stream, NULL at first; gone when on_closed returns.
 * Thread: the worker. Owns: the pointer stays the caller's. Errors: PLX_E_NOENT, NULL.
 */
int plx_h3_set_user(struct plx_h3 *h, int64_t stream_id, void *user) PLX_ON_WORKER;
void *plx_h3_user(struct plx_h3 *h, int64_t stream_id) PLX_ON_WORKER;

/**
 * HTTP/3 for application cores: register plx_h3_ring as struct plx_proto.app with a
 * struct plx_ringapp_cfg (stream/plx_ringapp.h) as arg.
 *
 * Order of events of a stream: H3_REQUEST or H3_RESPONSE (interim ones first) · H3_DATA … ·
 * H3_TRAILERS · H3_DATA with flag FIN, exactly one, perhaps without a buffer · H3_CLOSED. A
 * message that was reset has no FIN; H3_RESET comes behind its bytes. Header events never carry
 * FIN. Events of a client carry the user value of PLX_CMD_H3_REQUEST; a request that could not
 * be sent is a CMD_FAILED, with STREAMS_AVAIL later if the stream limit was the reason.
 * A header list must fit into a buffer (PLX_RBUF_LARGE): a larger one ends the connection with
 * H3_EXCESSIVE_LOAD whatever field_section_max says.
 */
extern const struct plx_app plx_h3_ring;

/** Raw streams for application cores, in engine/stream: plx_raw_ring, the same arg. */

#endif
