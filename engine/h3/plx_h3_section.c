/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_h3_pvt.h"

/* Fields of the first allocation: what a browser sends; doubled as needed. */
#define FIELDS_MIN 24u

static enum plx_h3_verdict
conn_err(struct plx_h3 *h, uint64_t code)
{
	h->gate_code = code;
	return PLX_H3_GATE_CONN_ERR;
}

static enum plx_h3_verdict
qpack_err(struct plx_h3 *h, nghttp3_ssize err)
{
	/* A single name or value above nghttp3's own caps is load, not a fault of ours. */
	if (err == NGHTTP3_ERR_QPACK_HEADER_TOO_LARGE)
		return conn_err(h, PLX_H3_EXCESSIVE_LOAD);
	return conn_err(h, nghttp3_err_infer_quic_app_error_code((int)err));
}

static int
reserve(struct plx_h3 *h, struct plx_h3_section *x, uint32_t cap)
{
	struct plx_h3_head *head;
	nghttp3_rcbuf **rc;

	head = plx_slab_realloc(h->slab, x->head,
	                        sizeof(*head) + cap * sizeof(struct plx_h3_field));
	if (!head)
		return PLX_E_NOMEM;
	if (!x->head)
		memset(head, 0, sizeof(*head));
	x->head = head;
	rc = plx_slab_realloc(h->slab, x->rcbuf, (size_t)cap * 2 * sizeof(nghttp3_rcbuf *));
	if (!rc)
		return PLX_E_NOMEM;
	x->rcbuf = rc;
	x->cap = cap;
	return 0;
}

static void
clear(struct plx_h3_section *x)
{
	for (uint32_t i = 0; x->head && i < 2u * x->head->cnt; i++)
		nghttp3_rcbuf_decref(x->rcbuf[i]);
	if (x->head)
		memset(x->head, 0, sizeof(*x->head));
	x->size = 0;
}

static void
section_free(struct plx_h3 *h, struct plx_h3_section *x)
{
	clear(x);
	if (x->sctx)
		nghttp3_qpack_stream_context_del(x->sctx);
	plx_slab_release(h->slab, x->head);
	plx_slab_release(h->slab, x->rcbuf);
	plx_slab_release(h->slab, x);
}

void
plx_h3_section_give(struct plx_h3 *h, struct plx_h3_stream *s)
{
	struct plx_h3_section *x = s->sect;

	s->sect = NULL;
	if (!x)
		return;
	/* One is kept: requests that arrive whole, one after the other, allocate nothing. */
	if (h->spare || x->cap > FIELDS_MIN * 2) {
		section_free(h, x);
		return;
	}
	clear(x);
	nghttp3_qpack_stream_context_reset(x->sctx);
	h->spare = x;
}

void
plx_h3_section_drop(struct plx_h3 *h, struct plx_h3_stream *s)
{
	if (s->sect)
		section_free(h, s->sect);
	s->sect = NULL;
}

void
plx_h3_sections_fini(struct plx_h3 *h)
{
	if (h->spare)
		section_free(h, h->spare);
	h->spare = NULL;
}

static struct plx_h3_section *
take(struct plx_h3 *h, const struct plx_h3_stream *s)
{
	struct plx_h3_section *x = h->spare;
	enum plx_h3_sect kind = PLX_H3_SECT_TRAILERS;

	h->spare = NULL;
	if (!x) {
		x = plx_slab_calloc(h->slab, 1, sizeof(*x));
		if (!x)
			return NULL;
		if (nghttp3_qpack_stream_context_new(&x->sctx, s->id, &h->mem)) {
			x->sctx = NULL;
			section_free(h, x);
			return NULL;
		}
		if (reserve(h, x, FIELDS_MIN)) {
			section_free(h, x);
			return NULL;
		}
	}
	if (s->part == PLX_H3_PART_NONE)
		kind = h->server ? PLX_H3_SECT_REQUEST : PLX_H3_SECT_RESPONSE;
	plx_h3_rules_begin(&x->rules, kind);
	return x;
}

/* The gate's decoder acknowledges what nghttp3's acknowledges too: once is enough. */
static void
discard_acks(struct plx_h3 *h)
{
	uint8_t mem[64];
	nghttp3_buf buf = {.begin = mem, .end = mem + sizeof(mem), .pos = mem, .last = mem};

	/* At most one section or one encoder chunk since the last call: 2 integers. */
	if (nghttp3_qpack_decoder_get_decoder_streamlen(h->qdec) <= sizeof(mem))
		nghttp3_qpack_decoder_write_decoder(h->qdec, &buf);
}

static enum plx_h3_verdict
add_field(struct plx_h3 *h, struct plx_h3_section *x, const nghttp3_qpack_nv *nv)
{
	nghttp3_vec name = nghttp3_rcbuf_get_buf(nv->name);
	nghttp3_vec value = nghttp3_rcbuf_get_buf(nv->value);
	uint16_t idx = x->head->cnt;
	struct plx_h3_field f = {
	        .name = (const char *)name.base,
	        .value = (const char *)value.base,
	        .name_len = (uint32_t)name.len,
	        .value_len = (uint32_t)value.len,
	};

	/* Before anything is kept: a reference of a byte may name a field of 4 KiB. */
	x->size += name.len + value.len + PLX_H3_FIELD_OVERHEAD;
	if (x->size > h->section_max)
		return conn_err(h, PLX_H3_EXCESSIVE_LOAD);
	switch (plx_h3_rules_field(&x->rules, &f, nv->token, idx)) {
	case PLX_H3_FIELD_BAD:
		h->gate_code = PLX_H3_MESSAGE_ERROR;
		return PLX_H3_GATE_STREAM_ERR;
	case PLX_H3_FIELD_DROP:
		return PLX_H3_GATE_MORE;
	case PLX_H3_FIELD_KEEP:
		break;
	}
	if (idx == UINT16_MAX)
		return conn_err(h, PLX_H3_EXCESSIVE_LOAD);
	if (idx == x->cap && reserve(h, x, x->cap * 2))
		return conn_err(h, PLX_H3_INTERNAL_ERROR);
	nghttp3_rcbuf_incref(nv->name);
	nghttp3_rcbuf_incref(nv->value);
	x->rcbuf[2 * (size_t)idx] = nv->name;
	x->rcbuf[2 * (size_t)idx + 1] = nv->value;
	x->head->field[idx] = f;
	x->head->cnt++;
	x->head->bytes += f.name_len + f.value_len;
	return PLX_H3_GATE_MORE;
}

static enum plx_h3_verdict
finish(struct plx_h3 *h, struct plx_h3_section *x)
{
	discard_acks(h);
	if (!plx_h3_rules_end(&x->rules, x->head->field)) {
		h->gate_code = PLX_H3_MESSAGE_ERROR;
		return PLX_H3_GATE_STREAM_ERR;
	}
	x->head->status = x->rules.status > 599 ? 599 : x->rules.status;
	return PLX_H3_GATE_MORE;
}

enum plx_h3_verdict
plx_h3_section_read(struct plx_h3 *h, struct plx_h3_stream *s, const uint8_t *p, size_t len,
                    bool fin, size_t *used)
{
	enum plx_h3_verdict v;

	*used = 0;
	if (!s->sect && !(s->sect = take(h, s)))
		return conn_err(h, PLX_H3_INTERNAL_ERROR);
	for (;;) {
		nghttp3_qpack_nv nv;
		nghttp3_ssize n;
		uint8_t flags;

		n = nghttp3_qpack_decoder_read_request(h->qdec, s->sect->sctx, &nv, &flags,
		                                       p + *used, len - *used, fin);
		if (n < 0)
			return qpack_err(h, n);
		*used += (size_t)n;
		if (flags & NGHTTP3_QPACK_DECODE_FLAG_BLOCKED)
			return PLX_H3_GATE_BLOCKED;
		if (flags & NGHTTP3_QPACK_DECODE_FLAG_EMIT) {
			v = add_field(h, s->sect, &nv);
			nghttp3_rcbuf_decref(nv.name);
			nghttp3_rcbuf_decref(nv.value);
			if (v != PLX_H3_GATE_MORE)
				return v;
			continue;
		}
		if (flags & NGHTTP3_QPACK_DECODE_FLAG_FINAL)
			return finish(h, s->sect);
		if (n == 0 || *used == len)
			return PLX_H3_GATE_MORE;
	}
}

bool
plx_h3_section_waits(const struct plx_h3 *h, const struct plx_h3_stream *s)
{
	return nghttp3_qpack_stream_context_get_ricnt(s->sect->sctx) >
	       nghttp3_qpack_decoder_get_icnt(h->qdec);
}

enum plx_h3_verdict
plx_h3_section_encoder(struct plx_h3 *h, const uint8_t *p, size_t len)
{
	nghttp3_ssize n = nghttp3_qpack_decoder_read_encoder(h->qdec, p, len);

	if (n < 0)
		return qpack_err(h, n);
	discard_acks(h);
	return PLX_H3_GATE_MORE;
}
