/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Inside of engine/h3: a connection, its streams, and the gate in front of nghttp3.
 *
 * Path:    nic -> net -> steer -> quic -> stream -> [h3] -> app
 * Threads: the worker that owns the connection.
 * Memory:  the slab of struct plx_h3_cfg.
 *
 *     on_stream_data --> gate: frames, field sections, sum of DATA --> nghttp3 --> plx_h3_app
 *                          |
 *                          +--> malformed message: this stream is reset, nghttp3 never sees it
 *
 * Why a gate: nghttp3 1.15 answers a malformed message with an error of the whole connection
 * (RFC 9114 section 4.1.2 makes it an error of the stream, and a proxy in front of us carries
 * the requests of many users on one connection), drops fields with forbidden bytes in silence
 * and limits no field section. The gate decodes each field section itself, with a QPACK decoder
 * that sees the same encoder stream, and lets nghttp3 have only what is well formed. A request
 * is decoded twice for that; body bytes are only counted.
 */
#ifndef PLX_H3_PVT_H
#define PLX_H3_PVT_H

#include <nghttp3/nghttp3.h>

#include <plx/conn.h>
#include <plx/err.h>

#include "plx_h3.h"
#include "plx_streamtab.h"

/** Codes of RFC 9204 section 8.3. */
#define PLX_QPACK_DECOMPRESSION_FAILED 0x200u

/**
 * QPACK dynamic table a peer may fill, bytes, and streams that may wait for it. 4 KiB is what
 * browsers use well; 16 waiting streams cover reordering of one flight. Each waiting stream
 * holds its bytes against its own flow-control credit, so neither needs a deadline.
 */
#define PLX_H3_QPACK_TABLE   4096u
#define PLX_H3_QPACK_BLOCKED 16u

/** Default of plx_h3_cfg.field_section_max: what large cookies need, and no more. */
#define PLX_H3_FIELD_SECTION_MAX 65536u

/** Overhead of a field in the size of a section, RFC 9114 section 4.2.2. */
#define PLX_H3_FIELD_OVERHEAD 32u

/**
 * Request streams ahead of the highest one seen that PRIORITY_UPDATE may name. nghttp3 makes a
 * stream object for each; 256 is the default of the endpoint's stream limit.
 */
#define PLX_H3_PRIORITY_AHEAD 256u

/** Pieces of one write. 16 hold a header block and several frames with their bodies. */
#define PLX_H3_TX_VEC 16u

/** What the gate says about the bytes it was given. */
enum plx_h3_verdict {
	PLX_H3_GATE_MORE = 0,   /**< all bytes are good */
	PLX_H3_GATE_SECTION,    /**< good up to here, where a field section ends */
	PLX_H3_GATE_BLOCKED,    /**< the section waits for the QPACK encoder stream */
	PLX_H3_GATE_STREAM_ERR, /**< h->gate_code: error of the stream */
	PLX_H3_GATE_CONN_ERR,   /**< h->gate_code: error of the connection */
};

/** Pseudo-header fields and Host seen in a section, bits of plx_h3_rules.seen. */
enum {
	PLX_H3_SEEN_METHOD = 0x01,
	PLX_H3_SEEN_SCHEME = 0x02,
	PLX_H3_SEEN_AUTHORITY = 0x04,
	PLX_H3_SEEN_PATH = 0x08,
	PLX_H3_SEEN_STATUS = 0x10,
	PLX_H3_SEEN_HOST = 0x20,
};

/** Which message a field section belongs to. */
enum plx_h3_sect {
	PLX_H3_SECT_REQUEST = 0,
	PLX_H3_SECT_RESPONSE,
	PLX_H3_SECT_TRAILERS,
};

/** What the rules of RFC 9114 section 4 need to remember within one section. */
struct plx_h3_rules {
	uint8_t kind;    /**< enum plx_h3_sect */
	uint8_t seen;    /**< PLX_H3_SEEN_* */
	bool regular;    /**< a regular field was seen: no pseudo-header field may follow */
	bool connect;    /**< :method CONNECT */
	bool options;    /**< :method OPTIONS */
	bool head;       /**< :method HEAD */
	bool http;       /**< :scheme http or https */
	bool path_slash; /**< :path begins with '/' */
	bool path_star;  /**< :path is "*" */
	uint16_t status; /**< response */
	uint16_t authority;  /**< index of :authority + 1 */
	uint16_t host;       /**< index of Host + 1 */
	int64_t content_len; /**< -1 = none */
};

/** A field section that is being decoded, and the list it becomes. */
struct plx_h3_section {
	struct plx_h3_section *next; /**< spare */
	nghttp3_qpack_stream_context *sctx;
	struct plx_h3_head *head; /**< room for cap fields */
	nghttp3_rcbuf **rcbuf;    /**< two per field: they own the strings */
	uint32_t cap;
	uint64_t size; /**< RFC 9114 section 4.2.2 */
	struct plx_h3_rules rules;
};

/** Where the gate is in a stream. */
enum plx_h3_at {
	PLX_H3_AT_TYPE = 0, /**< frame type */
	PLX_H3_AT_LEN,      /**< frame length */
	PLX_H3_AT_HEADERS,
	PLX_H3_AT_DATA,
	PLX_H3_AT_SKIP, /**< payload of a frame that is nghttp3's to judge */
};

/** Which part of a message the peer has sent. */
enum plx_h3_part {
	PLX_H3_PART_NONE = 0, /**< nothing, or interim responses only */
	PLX_H3_PART_BODY,     /**< header section complete */
	PLX_H3_PART_TRAILERS, /**< trailer section complete */
};

/** Bytes of a stream that waits. Bounded by the credit of the stream, which is not returned. */
struct plx_h3_held {
	struct plx_h3_held *next;
	uint32_t len, cap;
	uint8_t data[];
};

struct plx_h3_stream {
	int64_t id;
	struct plx_h3_stream *todo_next; /**< waits in h->todo for the end of a callback */
	void *user;                      /**< plx_h3_set_user() */

	/* The gate. */
	struct plx_h3_section *sect; /**< section under way or about to be reported */
	uint64_t varint;
	uint64_t frame_type;
	uint64_t frame_left; /**< bytes of payload to come */
	uint64_t body_len;   /**< sum of DATA */
	int64_t content_len; /**< announced, -1 = not */
	uint8_t varint_left; /**< bytes of varint to come */
	uint8_t at;          /**< enum plx_h3_at */
	uint8_t part;        /**< enum plx_h3_part */

	/* Bytes that wait for the QPACK encoder stream. The gate has judged the first one. */
	struct plx_h3_held *held, *held_tail;
	bool held_fin;
	bool blocked;

	/* Our side and the stream as a whole. */
	bool known;     /**< the application has heard of it */
	bool head_req;  /**< the request was HEAD: the response has no body */
	bool connect;   /**< the request was CONNECT */
	bool final;     /**< client: final response seen */
	bool responded; /**< server: final response submitted */
	bool rx_end;    /**< message complete */
	bool rx_reset;  /**< the peer reset its side */
	bool stopped;   /**< the peer wants no more of our side */
	bool dead;      /**< cancelled or malformed: nothing more is reported but its end */
	bool shut;      /**< nghttp3 and the connection were told so */
	uint64_t code;  /**< of the cancellation */
	uint8_t uni;    /**< peer's unidirectional: enum plx_h3_uni */
};

enum plx_h3_uni {
	PLX_H3_UNI_NEW = 0, /**< type not complete */
	PLX_H3_UNI_QPACK_ENCODER,
	PLX_H3_UNI_CRITICAL, /**< control, QPACK decoder */
	PLX_H3_UNI_OTHER,
};

enum plx_h3_goaway_state {
	PLX_H3_GOAWAY_NONE = 0,
	PLX_H3_GOAWAY_NOTICE, /**< "no new requests" is under way */
	PLX_H3_GOAWAY_FINAL,  /**< the last stream id was named */
};

struct plx_h3 {
	/* Every packet. */
	nghttp3_conn *ng;
	struct plx_conn *conn;
	const struct plx_h3_app *app;
	void *ctx;                    /**< the application's */
	struct plx_streamtab streams; /**< struct plx_h3_stream by id */
	uint16_t in_ng;               /**< depth of calls into nghttp3 */
	bool starved;                 /**< a body had nothing to give during this write */
	bool closing;                 /**< plx_conn_close() was called */
	bool server;
	bool early; /**< server: the handshake is not complete, what comes is early data */
	struct plx_h3_stream *todo; /**< cancelled inside a callback */
	struct plx_h3_stream *over; /**< its on_closed is being called */
	nghttp3_vec vec[PLX_H3_TX_VEC];

	/* Field sections. */
	nghttp3_qpack_decoder *qdec; /**< the gate's */
	struct plx_h3_section *spare;
	uint64_t gate_code; /**< with PLX_H3_GATE_*_ERR */
	uint32_t section_max;
	uint32_t waiting_cnt;
	struct plx_h3_stream *waiting[PLX_H3_QPACK_BLOCKED]; /**< for the encoder stream */

	/* Rarely. */
	struct plx_slab *slab;
	struct plx_obs *obs;
	nghttp3_mem mem;
	int64_t ctrl_id, qenc_id, qdec_id; /**< our unidirectional streams */
	uint64_t ctrl_sent, ctrl_acked;    /**< bytes of our control stream */
	uint64_t ctrl_mark;                /**< ctrl_sent when the notice was submitted */
	uint64_t requests, requests_max;
	int64_t id_max; /**< server: highest request stream seen, -4 = none */
	uint8_t goaway; /**< enum plx_h3_goaway_state */
	bool goaway_rx;
};

/* plx_h3_stream.c */
static inline struct plx_h3_stream *
plx_h3_stream_find(const struct plx_h3 *h, int64_t id)
{
	return plx_streamtab_get(&h->streams, id);
}

/** Makes a stream and puts it into the table. NULL: no memory. */
struct plx_h3_stream *plx_h3_stream_new(struct plx_h3 *h, int64_t id);
/** Frees a stream that is out of the table, with what it holds. */
void plx_h3_stream_free(struct plx_h3 *h, struct plx_h3_stream *s);
/** Keeps bytes until the encoder stream brings what they need. PLX_E_NOMEM. */
int plx_h3_stream_hold(struct plx_h3 *h, struct plx_h3_stream *s, const uint8_t *p,
                       size_t len);
/** Takes a stream out of those that wait. */
void plx_h3_stream_unwait(struct plx_h3 *h, struct plx_h3_stream *s);
/** Drops what is held. @return bytes: their credit is the caller's to return */
size_t plx_h3_stream_unhold(struct plx_h3 *h, struct plx_h3_stream *s);

/* plx_h3_field.c: the rules of RFC 9114 section 4 for single fields and whole sections. */
enum plx_h3_field_verdict {
	PLX_H3_FIELD_KEEP = 0,
	PLX_H3_FIELD_DROP, /**< ignore this field */
	PLX_H3_FIELD_BAD,  /**< the message is malformed */
};
void plx_h3_rules_begin(struct plx_h3_rules *r, enum plx_h3_sect kind);
/** f may be changed: white space around the value goes. idx: where the field will stand. */
enum plx_h3_field_verdict plx_h3_rules_field(struct plx_h3_rules *r, struct plx_h3_field *f,
                                             int32_t token, uint16_t idx);
/** @return false: malformed */
bool plx_h3_rules_end(const struct plx_h3_rules *r, const struct plx_h3_field *f);
/** Fields that we send: names in lower case, values without forbidden bytes. */
bool plx_h3_fields_valid(const struct plx_h3_field *f, uint16_t cnt);

/* plx_h3_section.c: QPACK decoding of a field section. */
/** Gives the complete section of a stream back for the next one. */
void plx_h3_section_give(struct plx_h3 *h, struct plx_h3_stream *s);
/** Frees the section of a stream, complete or not. */
void plx_h3_section_drop(struct plx_h3 *h, struct plx_h3_stream *s);
void plx_h3_sections_fini(struct plx_h3 *h);
/**
 * Decodes up to len bytes of the section of s.
 * @param used  [out] bytes read
 * @return PLX_H3_GATE_MORE: all was read, more follows, or fin and the section is complete
 */
enum plx_h3_verdict plx_h3_section_read(struct plx_h3 *h, struct plx_h3_stream *s,
                                        const uint8_t *p, size_t len, bool fin,
                                        size_t *used);
/** Does the section still wait for the encoder stream? */
bool plx_h3_section_waits(const struct plx_h3 *h, const struct plx_h3_stream *s);
/** Bytes of the peer's QPACK encoder stream, for the gate's decoder. */
enum plx_h3_verdict plx_h3_section_encoder(struct plx_h3 *h, const uint8_t *p, size_t len);

/* plx_h3_gate.c */
/**
 * Judges bytes of a request stream from the front, at most up to the end of a field section.
 * @param used  [out] bytes judged; with BLOCKED the last of them waits too
 */
enum plx_h3_verdict plx_h3_gate_scan(struct plx_h3 *h, struct plx_h3_stream *s,
                                     const uint8_t *p, size_t len, size_t *used);
/** The peer ended the stream behind what was judged. */
enum plx_h3_verdict plx_h3_gate_fin(struct plx_h3 *h, struct plx_h3_stream *s);
/** Reads a QUIC variable-length integer byte by byte. @return bytes used; done is set */
size_t plx_h3_varint_read(struct plx_h3_stream *s, const uint8_t *p, size_t len,
                          bool *done);

/* plx_h3_glue.c: nghttp3 itself. Codes of nghttp3 end here. */
int plx_h3_ng_new(struct plx_h3 *h);
void plx_h3_ng_free(struct plx_h3 *h);
int plx_h3_ng_bind(struct plx_h3 *h);
/** Server: makes nghttp3 know a stream that the peer opened; behind a GOAWAY it is killed. */
int plx_h3_ng_open(struct plx_h3 *h, int64_t id);
/** Feeds nghttp3. @return 0, or PLX_E_H3 after closing the connection with its code */
int plx_h3_ng_read(struct plx_h3 *h, int64_t id, const uint8_t *p, size_t len, bool fin);
int plx_h3_ng_writev(struct plx_h3 *h, int64_t *id, bool *fin);
int plx_h3_ng_sent(struct plx_h3 *h, int64_t id, size_t len);
int plx_h3_ng_acked(struct plx_h3 *h, int64_t id, uint64_t off);
void plx_h3_ng_block(struct plx_h3 *h, int64_t id);
int plx_h3_ng_unblock(struct plx_h3 *h, int64_t id);
void plx_h3_ng_shut_write(struct plx_h3 *h, int64_t id);
int plx_h3_ng_shut_read(struct plx_h3 *h, int64_t id);
int plx_h3_ng_close_stream(struct plx_h3 *h, int64_t id, uint64_t code);
int plx_h3_ng_resume(struct plx_h3 *h, int64_t id);
/** s: client, the new stream; NULL: server. interim: 1xx. @return 0, PLX_E_* */
int plx_h3_ng_submit(struct plx_h3 *h, struct plx_h3_stream *s,
                     const struct plx_h3_field *f, uint16_t cnt, bool body, bool interim);
int plx_h3_ng_trailers(struct plx_h3 *h, int64_t id, const struct plx_h3_field *f,
                       uint16_t cnt);
int plx_h3_ng_goaway_notice(struct plx_h3 *h);
int plx_h3_ng_goaway_final(struct plx_h3 *h);
bool plx_h3_ng_drained(const struct plx_h3 *h);

/* plx_h3.c: what the glue calls back. */
/** Closes the connection with an HTTP/3 code. @return PLX_E_H3, to be returned further */
int plx_h3_fail(struct plx_h3 *h, uint64_t code, const char *reason);
/** Resets a stream in both directions, at once or when nghttp3 has returned. */
void plx_h3_kill(struct plx_h3 *h, struct plx_h3_stream *s, uint64_t code);
int plx_h3_got_head(struct plx_h3 *h, struct plx_h3_stream *s, bool fin);
int plx_h3_got_trailers(struct plx_h3 *h, struct plx_h3_stream *s);
int plx_h3_got_goaway(struct plx_h3 *h, int64_t id);
int plx_h3_got_data(struct plx_h3 *h, struct plx_h3_stream *s, const uint8_t *p,
                    size_t len);
int plx_h3_got_end(struct plx_h3 *h, struct plx_h3_stream *s);
/** Enter and leave nghttp3; leaving the outermost call carries out what waited. */
void plx_h3_enter(struct plx_h3 *h);
void plx_h3_leave(struct plx_h3 *h);

static inline void
plx_h3_count(struct plx_h3 *h, enum plx_count c)
{
	if (h->obs)
		plx_obs_add(h->obs, c, 1);
}

#endif
