/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No key, flag or command is longer. */
#define WORD_MAX 63

void
plx_errtext_set(struct plx_errtext *e, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(e->s, sizeof(e->s), fmt, ap);
	va_end(ap);
}

int
plx_strv_add(struct plx_strv *l, const char *s)
{
	char **v = realloc(l->v, (l->cnt + 2) * sizeof(*v));

	if (v == NULL)
		return PLX_E_NOMEM;
	l->v = v;
	v[l->cnt] = strdup(s);
	if (v[l->cnt] == NULL)
		return PLX_E_NOMEM;
	v[++l->cnt] = NULL;
	return 0;
}

int
plx_strv_addf(struct plx_strv *l, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n, rc;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		return PLX_E_NOMEM;
	rc = plx_strv_add(l, s);
	free(s);
	return rc;
}

void
plx_strv_clear(struct plx_strv *l)
{
	for (uint32_t i = 0; i < l->cnt; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct plx_strv){0};
}

static char
letter(char c)
{
	return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

unsigned
plx_near(const char *a, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return UINT_MAX;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = (unsigned)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			char x = letter(a[i - 1]), y = letter(b[j - 1]);
			unsigned best = d[i - 1][j - 1] + (x != y);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && x == letter(b[j - 2]) &&
			    letter(a[i - 2]) == y && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[n][m];
}

void
plx_guess_offer(struct plx_guess *g, const char *typed, const char *word)
{
	unsigned dist = plx_near(typed, word);
	size_t len = strlen(word);

	if (dist > (len < 6 ? 2 : len / 3) || dist >= len)
		return;
	if (g->best == NULL || dist < g->dist) {
		g->best = word;
		g->dist = dist;
	}
}

int
plx_u64_parse(const char *s, uint64_t *out)
{
	uint64_t v = 0;

	if (*s == '\0')
		return PLX_E_INVAL;
	for (; *s != '\0'; s++) {
		unsigned digit = (unsigned)(*s - '0');

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return PLX_E_INVAL;
		v = v * 10 + digit;
	}
	*out = v;
	return 0;
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
plx_hex_parse(const char *s, uint8_t *out, size_t max, size_t *len)
{
	size_t n = 0;

	for (; *s != '\0'; s += 2, n++) {
		int hi = nibble(s[0]), lo = hi < 0 ? -1 : nibble(s[1]);

		if (lo < 0 || n == max)
			return PLX_E_INVAL;
		out[n] = (uint8_t)(hi << 4 | lo);
	}
	*len = n;
	return 0;
}

int
plx_mac_parse(const char *s, uint8_t mac[6])
{
	for (int i = 0; i < 6; i++, s += 3) {
		int hi = nibble(s[0]), lo = hi < 0 ? -1 : nibble(s[1]);

		if (lo < 0 || s[2] != (i < 5 ? ':' : '\0'))
			return PLX_E_INVAL;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

/* An address of len bytes at s; sentences are the callers'. */
static int
parse_ip(const char *s, size_t len, struct plx_addr *out)
{
	char text[INET6_ADDRSTRLEN];

	if (len >= 2 && s[0] == '[' && s[len - 1] == ']') {
		s++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(text))
		return PLX_E_INVAL;
	memcpy(text, s, len);
	text[len] = '\0';
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, out->ip) == 1)
		out->family = PLX_FAMILY_IPV4;
	else if (inet_pton(AF_INET6, text, out->ip) == 1)
		out->family = PLX_FAMILY_IPV6;
	else
		return PLX_E_INVAL;
	return 0;
}

int
plx_ip_parse(const char *s, struct plx_addr *out, struct plx_errtext *err)
{
	if (parse_ip(s, strlen(s), out) == 0)
		return 0;
	plx_errtext_set(err, "'%s' is not an IP address; write 192.0.2.1 or 2001:db8::1",
	                s);
	return PLX_E_INVAL;
}

int
plx_prefix_parse(const char *s, struct plx_prefix *out, struct plx_errtext *err)
{
	const char *slash = strchr(s, '/');
	size_t len = slash != NULL ? (size_t)(slash - s) : strlen(s);
	uint64_t bits, max;

	if (parse_ip(s, len, &out->addr) != 0) {
		plx_errtext_set(err,
		                "'%s' is not an address with prefix; write 192.0.2.1/24 or "
		                "2001:db8::1/64",
		                s);
		return PLX_E_INVAL;
	}
	bits = max = out->addr.family == PLX_FAMILY_IPV4 ? 32 : 128;
	if (slash != NULL && (plx_u64_parse(slash + 1, &bits) != 0 || bits > max)) {
		plx_errtext_set(err, "'%s': the prefix after '/' must be 0 to %u bits", s,
		                (unsigned)max);
		return PLX_E_INVAL;
	}
	out->len = (uint8_t)bits;
	return 0;
}

int
plx_endpoint_parse(const char *s, uint16_t default_port, struct plx_addr *out,
                   struct plx_errtext *err)
{
	const char *colon = strrchr(s, ':'), *port = NULL;
	size_t len = strlen(s);
	uint64_t number = default_port;

	memset(out, 0, sizeof(*out));
	/* More than one colon outside brackets is an IPv6 address without port. */
	if (colon != NULL && (colon == s || colon[-1] == ']' || strchr(s, ':') == colon))
		port = colon + 1;
	else if (colon == NULL && strchr(s, '.') == NULL)
		port = s;
	if (port != NULL) {
		if (plx_u64_parse(port, &number) != 0 || number == 0 ||
		    number > UINT16_MAX) {
			plx_errtext_set(err, "'%s': the UDP port must be 1 to 65535", s);
			return PLX_E_INVAL;
		}
		len = port == s ? 0 : (size_t)(colon - s);
	} else if (default_port == 0) {
		plx_errtext_set(err,
		                "'%s' has no UDP port; write 192.0.2.1:443 or "
		                "[2001:db8::1]:443",
		                s);
		return PLX_E_INVAL;
	}
	if (len != 0 && parse_ip(s, len, out) != 0) {
		plx_errtext_set(err,
		                "'%s' is not an address with port; write 192.0.2.1:443, "
		                "[2001:db8::1]:443 or :443",
		                s);
		return PLX_E_INVAL;
	}
	out->port_be = htons((uint16_t)number);
	return 0;
}

const char *
plx_addr_format(const struct plx_addr *a, char buf[PLX_ADDR_TEXT_MAX])
{
	char ip[INET6_ADDRSTRLEN];
	bool v6 = a->family == PLX_FAMILY_IPV6;

	if (a->family == PLX_FAMILY_NONE ||
	    inet_ntop(v6 ? AF_INET6 : AF_INET, a->ip, ip, sizeof(ip)) == NULL)
		snprintf(buf, PLX_ADDR_TEXT_MAX, "-");
	else if (a->port_be == 0)
		snprintf(buf, PLX_ADDR_TEXT_MAX, "%s", ip);
	else
		snprintf(buf, PLX_ADDR_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", ip,
		         ntohs(a->port_be));
	return buf;
}
