/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules of RFC 9114 sections 4.2 and 4.3 and RFC 9110 sections 5 and 8.6. They refuse everything
 * that nghttp3 calls malformed, since what passes here must not end the connection there, and
 * besides what nghttp3 lets pass or drops in silence: forbidden bytes in names and values,
 * empty names, Host that differs from :authority.
 */
#include <string.h>

#include "plx_h3_pvt.h"

/* Largest content-length: sums of it stay representable, and it is nghttp3's limit too. */
#define LEN_MAX ((INT64_C(1) << 62) - 1)

void
plx_h3_rules_begin(struct plx_h3_rules *r, enum plx_h3_sect kind)
{
	memset(r, 0, sizeof(*r));
	r->kind = (uint8_t)kind;
	r->content_len = -1;
}

static bool
is_alpha(uint8_t c)
{
	return (uint8_t)((c | 0x20) - 'a') < 26;
}

static bool
is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') < 10;
}

static bool
equals(const struct plx_h3_field *f, const char *lit)
{
	return f->value_len == strlen(lit) && memcmp(f->value, lit, f->value_len) == 0;
}

static bool
equals_case(const char *a, uint32_t a_len, const char *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	for (uint32_t i = 0; i < a_len; i++) {
		uint8_t x = (uint8_t)a[i], y = (uint8_t)b[i];

		if (x != y && !(is_alpha(x) && (x | 0x20) == (y | 0x20)))
			return false;
	}
	return true;
}

/* RFC 9110 section 5.6.2; upper case is refused by RFC 9114 section 4.2. */
static bool
name_ok(const char *p, uint32_t len)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	if (len == 0)
		return false;
	for (uint32_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)p[i];

		if (!(c >= 'a' && c <= 'z') && !is_digit(c) && (!c || !strchr(marks, c)))
			return false;
	}
	return true;
}

/* No control characters but the tab: CR, LF and NUL would cut a message in HTTP/1 behind us. */
static bool
value_ok(const char *p, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* Letters, digits and these marks; not empty. */
static bool
chars_ok(const struct plx_h3_field *f, const char *marks)
{
	for (uint32_t i = 0; i < f->value_len; i++) {
		uint8_t c = (uint8_t)f->value[i];

		if (!is_alpha(c) && !is_digit(c) && (!c || !strchr(marks, c)))
			return false;
	}
	return f->value_len > 0;
}

/* RFC 3986 section 3.2 without "@": user information is not allowed (9114, 4.3.1). */
static bool
authority_ok(const struct plx_h3_field *f)
{
	return chars_ok(f, "!$%&'()*+,-.:;=[]_~");
}

static bool
scheme_ok(const struct plx_h3_field *f)
{
	return chars_ok(f, "+-.") && is_alpha((uint8_t)f->value[0]);
}

static bool
method_ok(const struct plx_h3_field *f)
{
	return chars_ok(f, "!#$%&'*+-.^_`|~");
}

static bool
path_ok(const struct plx_h3_field *f)
{
	for (uint32_t i = 0; i < f->value_len; i++) {
		uint8_t c = (uint8_t)f->value[i];

		if (c <= 0x20 || c == 0x7f)
			return false;
	}
	return f->value_len > 0;
}

static int64_t
parse_len(const struct plx_h3_field *f)
{
	int64_t n = 0;

	if (f->value_len == 0)
		return -1;
	for (uint32_t i = 0; i < f->value_len; i++) {
		uint8_t c = (uint8_t)f->value[i];

		if (!is_digit(c) || n > (LEN_MAX - (c - '0')) / 10)
			return -1;
		n = n * 10 + (c - '0');
	}
	return n;
}

static bool
once(struct plx_h3_rules *r, uint8_t bit)
{
	bool first = !(r->seen & bit);

	r->seen |= bit;
	return first;
}

static bool
request_pseudo(struct plx_h3_rules *r, const struct plx_h3_field *f, int32_t token,
               uint16_t idx)
{
	switch (token) {
	case NGHTTP3_QPACK_TOKEN__METHOD:
		r->connect = equals(f, "CONNECT");
		r->options = equals(f, "OPTIONS");
		r->head = equals(f, "HEAD");
		return method_ok(f) && once(r, PLX_H3_SEEN_METHOD);
	case NGHTTP3_QPACK_TOKEN__SCHEME:
		r->http = equals_case(f->value, f->value_len, "http", 4) ||
		          equals_case(f->value, f->value_len, "https", 5);
		return scheme_ok(f) && once(r, PLX_H3_SEEN_SCHEME);
	case NGHTTP3_QPACK_TOKEN__AUTHORITY:
		r->authority = (uint16_t)(idx + 1);
		return authority_ok(f) && once(r, PLX_H3_SEEN_AUTHORITY);
	case NGHTTP3_QPACK_TOKEN__PATH:
		r->path_slash = f->value_len > 0 && f->value[0] == '/';
		r->path_star = equals(f, "*");
		return path_ok(f) && once(r, PLX_H3_SEEN_PATH);
	default:
		/* :protocol too: extended CONNECT is not announced. */
		return false;
	}
}

static bool
response_pseudo(struct plx_h3_rules *r, const struct plx_h3_field *f, int32_t token)
{
	if (token != NGHTTP3_QPACK_TOKEN__STATUS || f->value_len != 3 ||
	    !once(r, PLX_H3_SEEN_STATUS))
		return false;
	for (int i = 0; i < 3; i++) {
		if (!is_digit((uint8_t)f->value[i]))
			return false;
	}
	r->status = (uint16_t)parse_len(f);
	/* 101 does not exist in HTTP/3; above 599 is taken as 5xx (RFC 9110 section 15). */
	return r->status >= 100 && r->status != 101;
}

static enum plx_h3_field_verdict
content_length(struct plx_h3_rules *r, const struct plx_h3_field *f)
{
	/* A response without a body may not announce one; servers that send it are common. */
	if (r->kind == PLX_H3_SECT_TRAILERS ||
	    (r->kind == PLX_H3_SECT_RESPONSE && r->status < 200))
		return PLX_H3_FIELD_DROP;
	if (r->content_len >= 0)
		return PLX_H3_FIELD_BAD;
	r->content_len = parse_len(f);
	if (r->content_len < 0)
		return PLX_H3_FIELD_BAD;
	if (r->kind == PLX_H3_SECT_RESPONSE && r->status == 204)
		return r->content_len ? PLX_H3_FIELD_BAD : PLX_H3_FIELD_DROP;
	return PLX_H3_FIELD_KEEP;
}

/* @return true: there was white space around the value */
static bool
trim(struct plx_h3_field *f)
{
	uint32_t len = f->value_len;

	while (f->value_len && (f->value[0] == ' ' || f->value[0] == '\t')) {
		f->value++;
		f->value_len--;
	}
	while (f->value_len &&
	       (f->value[f->value_len - 1] == ' ' || f->value[f->value_len - 1] == '\t'))
		f->value_len--;
	return f->value_len != len;
}

static enum plx_h3_field_verdict
verdict(bool ok)
{
	return ok ? PLX_H3_FIELD_KEEP : PLX_H3_FIELD_BAD;
}

enum plx_h3_field_verdict
plx_h3_rules_field(struct plx_h3_rules *r, struct plx_h3_field *f, int32_t token,
                   uint16_t idx)
{
	if (f->name_len && f->name[0] == ':') {
		if (r->regular || r->kind == PLX_H3_SECT_TRAILERS ||
		    !value_ok(f->value, f->value_len))
			return PLX_H3_FIELD_BAD;
		if (r->kind == PLX_H3_SECT_REQUEST)
			return verdict(request_pseudo(r, f, token, idx));
		return verdict(response_pseudo(r, f, token));
	}
	r->regular = true;
	if (!name_ok(f->name, f->name_len) || !value_ok(f->value, f->value_len))
		return PLX_H3_FIELD_BAD;
	/* nghttp3 takes these as they are, and we must not be more lenient than it. */
	if (trim(f) &&
	    (token == NGHTTP3_QPACK_TOKEN_TE || token == NGHTTP3_QPACK_TOKEN_HOST ||
	     token == NGHTTP3_QPACK_TOKEN_CONTENT_LENGTH))
		return PLX_H3_FIELD_BAD;
	switch (token) {
	case NGHTTP3_QPACK_TOKEN_CONNECTION:
	case NGHTTP3_QPACK_TOKEN_KEEP_ALIVE:
	case NGHTTP3_QPACK_TOKEN_PROXY_CONNECTION:
	case NGHTTP3_QPACK_TOKEN_TRANSFER_ENCODING:
	case NGHTTP3_QPACK_TOKEN_UPGRADE:
		return PLX_H3_FIELD_BAD;
	case NGHTTP3_QPACK_TOKEN_TE:
		return verdict(equals_case(f->value, f->value_len, "trailers", 8));
	case NGHTTP3_QPACK_TOKEN_CONTENT_LENGTH:
		return content_length(r, f);
	case NGHTTP3_QPACK_TOKEN_HOST:
		if (r->kind != PLX_H3_SECT_REQUEST)
			return PLX_H3_FIELD_KEEP;
		r->host = (uint16_t)(idx + 1);
		return verdict(authority_ok(f) && once(r, PLX_H3_SEEN_HOST));
	default:
		return PLX_H3_FIELD_KEEP;
	}
}

static bool
request_end(const struct plx_h3_rules *r, const struct plx_h3_field *f)
{
	uint8_t must = PLX_H3_SEEN_METHOD | PLX_H3_SEEN_SCHEME | PLX_H3_SEEN_PATH;

	if (r->authority && r->host) {
		const struct plx_h3_field *a = &f[r->authority - 1], *b = &f[r->host - 1];

		/* Two names of one host: the server and a proxy might pick different ones. */
		if (!equals_case(a->value, a->value_len, b->value, b->value_len))
			return false;
	}
	if (r->connect)
		return (r->seen & PLX_H3_SEEN_AUTHORITY) &&
		       !(r->seen & (PLX_H3_SEEN_SCHEME | PLX_H3_SEEN_PATH));
	if ((r->seen & must) != must ||
	    !(r->seen & (PLX_H3_SEEN_AUTHORITY | PLX_H3_SEEN_HOST)))
		return false;
	return !r->http || r->path_slash || (r->options && r->path_star);
}

bool
plx_h3_rules_end(const struct plx_h3_rules *r, const struct plx_h3_field *f)
{
	switch (r->kind) {
	case PLX_H3_SECT_REQUEST:
		return request_end(r, f);
	case PLX_H3_SECT_RESPONSE:
		return r->seen & PLX_H3_SEEN_STATUS;
	default:
		return true;
	}
}

bool
plx_h3_fields_valid(const struct plx_h3_field *f, uint16_t cnt)
{
	for (uint16_t i = 0; i < cnt; i++) {
		const char *name = f[i].name;
		uint32_t len = f[i].name_len;

		if (len && name[0] == ':') {
			name++;
			len--;
		}
		if (!name_ok(name, len) || !value_ok(f[i].value, f[i].value_len))
			return false;
	}
	return true;
}
