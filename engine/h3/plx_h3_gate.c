/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_h3_pvt.h"

/* Frame types the gate must understand, RFC 9114 section 7.2. The rest is nghttp3's. */
#define FRAME_DATA    0x00u
#define FRAME_HEADERS 0x01u

static enum plx_h3_verdict
stream_err(struct plx_h3 *h, uint64_t code)
{
	h->gate_code = code;
	return PLX_H3_GATE_STREAM_ERR;
}

/*
 *     0                   1
 *     0 1 2 3 4 5 6 7 8 9 0 1 ...      RFC 9000 section 16: two bits say how many bytes
 *    +---+-----------+-------
 *    |lg2|  value, most significant first
 *    +---+-----------+-------
 */
size_t
plx_h3_varint_read(struct plx_h3_stream *s, const uint8_t *p, size_t len, bool *done)
{
	size_t i = 0;

	*done = false;
	if (len == 0)
		return 0;
	if (s->varint_left == 0) {
		s->varint = p[0] & 0x3f;
		s->varint_left = (uint8_t)((1u << (p[0] >> 6)) - 1);
		i = 1;
	}
	while (s->varint_left && i < len) {
		s->varint = s->varint << 8 | p[i++];
		s->varint_left--;
	}
	*done = s->varint_left == 0;
	return i;
}

/* The header of a frame is complete. */
static enum plx_h3_verdict
frame_begin(struct plx_h3 *h, struct plx_h3_stream *s)
{
	s->frame_left = s->varint;
	switch (s->frame_type) {
	case FRAME_HEADERS:
		/* After the trailers it is out of place: nghttp3 closes the connection. */
		if (s->part == PLX_H3_PART_TRAILERS) {
			s->at = PLX_H3_AT_SKIP;
			break;
		}
		s->at = PLX_H3_AT_HEADERS;
		/* Not even the two bytes of the prefix; empty trailers are harmless. */
		if (s->frame_left == 0 && s->part == PLX_H3_PART_NONE)
			return stream_err(h, PLX_H3_MESSAGE_ERROR);
		break;
	case FRAME_DATA:
		s->at = PLX_H3_AT_DATA;
		if (s->part != PLX_H3_PART_BODY) {
			s->at = PLX_H3_AT_SKIP;
			break;
		}
		/* Decided by the header of the frame, before one byte too many is passed on. */
		s->body_len += s->frame_left;
		if (s->content_len >= 0 && s->body_len > (uint64_t)s->content_len)
			return stream_err(h, PLX_H3_MESSAGE_ERROR);
		break;
	default:
		s->at = PLX_H3_AT_SKIP;
		break;
	}
	if (s->frame_left == 0) {
		s->at = PLX_H3_AT_TYPE;
		if (s->frame_type == FRAME_HEADERS && s->part == PLX_H3_PART_BODY)
			s->part = PLX_H3_PART_TRAILERS;
	}
	return PLX_H3_GATE_MORE;
}

/* A field section is complete: what it means for the rest of the message. */
static void
section_end(struct plx_h3 *h, struct plx_h3_stream *s)
{
	const struct plx_h3_rules *r = &s->sect->rules;

	s->at = PLX_H3_AT_TYPE;
	if (s->part == PLX_H3_PART_BODY) {
		s->part = PLX_H3_PART_TRAILERS;
		return;
	}
	if (!h->server && r->status < 200)
		return;
	s->part = PLX_H3_PART_BODY;
	s->content_len = r->content_len;
	if (h->server) {
		if (r->connect)
			s->content_len = -1;
		return;
	}
	/* RFC 9110 section 6.4.1: these have no body, whatever they announce. */
	if (s->head_req || r->status == 204 || r->status == 304)
		s->content_len = 0;
	else if (s->connect && r->status < 300)
		s->content_len = -1;
}

static enum plx_h3_verdict
headers(struct plx_h3 *h, struct plx_h3_stream *s, const uint8_t *p, size_t len,
        size_t *used)
{
	size_t n = s->frame_left < len ? (size_t)s->frame_left : len;
	enum plx_h3_verdict v;

	v = plx_h3_section_read(h, s, p, n, n == s->frame_left, used);
	s->frame_left -= *used;
	/* A prefix that names entries and no field that uses them, RFC 9204 section 2.1.2. */
	if (v == PLX_H3_GATE_BLOCKED && s->frame_left == 0) {
		h->gate_code = PLX_QPACK_DECOMPRESSION_FAILED;
		return PLX_H3_GATE_CONN_ERR;
	}
	if (v != PLX_H3_GATE_MORE || s->frame_left > 0)
		return v;
	section_end(h, s);
	return PLX_H3_GATE_SECTION;
}

enum plx_h3_verdict
plx_h3_gate_scan(struct plx_h3 *h, struct plx_h3_stream *s, const uint8_t *p, size_t len,
                 size_t *used)
{
	enum plx_h3_verdict v = PLX_H3_GATE_MORE;
	size_t off = 0, n;
	bool done;

	while (off < len && v == PLX_H3_GATE_MORE) {
		switch (s->at) {
		case PLX_H3_AT_TYPE:
			off += plx_h3_varint_read(s, p + off, len - off, &done);
			if (done) {
				s->frame_type = s->varint;
				s->at = PLX_H3_AT_LEN;
			}
			break;
		case PLX_H3_AT_LEN:
			off += plx_h3_varint_read(s, p + off, len - off, &done);
			if (done)
				v = frame_begin(h, s);
			break;
		case PLX_H3_AT_HEADERS:
			v = headers(h, s, p + off, len - off, &n);
			off += n;
			break;
		default:
			n = s->frame_left < len - off ? (size_t)s->frame_left : len - off;
			off += n;
			s->frame_left -= n;
			if (s->frame_left == 0)
				s->at = PLX_H3_AT_TYPE;
			break;
		}
	}
	*used = off;
	return v;
}

enum plx_h3_verdict
plx_h3_gate_fin(struct plx_h3 *h, struct plx_h3_stream *s)
{
	/* In the middle of a frame: nghttp3 closes the connection with H3_FRAME_ERROR. */
	if (s->at != PLX_H3_AT_TYPE || s->varint_left)
		return PLX_H3_GATE_MORE;
	if (s->part == PLX_H3_PART_NONE)
		return stream_err(h, h->server ? PLX_H3_REQUEST_INCOMPLETE
		                               : PLX_H3_MESSAGE_ERROR);
	if (s->content_len >= 0 && s->body_len != (uint64_t)s->content_len)
		return stream_err(h, PLX_H3_MESSAGE_ERROR);
	return PLX_H3_GATE_MORE;
}
