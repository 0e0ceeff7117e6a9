/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int
refuse(struct plx_errtext *err, const char *url, const char *why)
{
	plx_errtext_set(err, "URL '%.200s': %s", url, why);
	return PLX_E_INVAL;
}

/* host[:port] or [v6][:port] in s..s+len. */
static int
parse_authority(const char *url, const char *s, size_t len, struct plx_url *out,
                struct plx_errtext *err)
{
	const char *end = s + len, *host = s, *host_end = end, *port = NULL;
	uint64_t number = 443;
	char text[8];

	if (memchr(s, '@', len) != NULL)
		return refuse(err, url,
		              "user names are not supported; remove what precedes '@'");
	if (len > 0 && *s == '[') {
		host_end = memchr(s, ']', len);
		if (host_end == NULL)
			return refuse(err, url, "']' is missing behind the IPv6 address");
		host++;
		if (host_end + 1 < end) {
			if (host_end[1] != ':')
				return refuse(err, url,
				              "':' and the port, or '/', must follow ']'");
			port = host_end + 2;
		}
	} else {
		const char *colon = memchr(s, ':', len);

		if (colon != NULL) {
			host_end = colon;
			port = colon + 1;
			if (memchr(port, ':', (size_t)(end - port)) != NULL)
				return refuse(err, url,
				              "an IPv6 address needs brackets: "
				              "https://[2001:db8::1]/");
		}
	}
	if (host_end == host)
		return refuse(err, url, "it names no host; write https://host/path");
	if ((size_t)(host_end - host) >= sizeof(out->host))
		return refuse(err, url, "the host name is longer than 255 bytes");
	if (port != NULL) {
		size_t n = (size_t)(end - port);

		snprintf(text, sizeof(text), "%.*s", (int)(n < 7 ? n : 7), port);
		if (plx_u64_parse(text, &number) != 0 || number == 0 || number > UINT16_MAX)
			return refuse(err, url, "the port must be 1 to 65535");
	}
	memcpy(out->host, host, (size_t)(host_end - host));
	out->host[host_end - host] = '\0';
	out->port = (uint16_t)number;
	snprintf(out->authority, sizeof(out->authority), *s == '[' ? "[%s]" : "%s",
	         out->host);
	if (number != 443)
		snprintf(out->authority + strlen(out->authority),
		         sizeof(out->authority) - strlen(out->authority), ":%u", out->port);
	return 0;
}

int
plx_url_parse(const char *s, struct plx_url *out, struct plx_errtext *err)
{
	const char *rest = s + 8, *slash, *query;
	size_t auth_len, path_len;

	memset(out, 0, sizeof(*out));
	for (const char *p = s; *p != '\0'; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return refuse(err, s,
			              "spaces and control characters must be written as "
			              "%20 and so on");
	}
	if (strncasecmp(s, "https://", 8) != 0)
		return refuse(err, s, "only https:// is spoken over QUIC");
	auth_len = strcspn(rest, "/?#");
	slash = rest + auth_len;
	path_len = strcspn(slash, "#");
	if (path_len + 2 > sizeof(out->path))
		return refuse(err, s, "the path is longer than 2046 bytes");
	if (parse_authority(s, rest, auth_len, out, err) != 0)
		return PLX_E_INVAL;
	snprintf(out->path, sizeof(out->path), "%s%.*s", *slash == '/' ? "" : "/",
	         (int)path_len, slash);
	query = strchr(out->path, '?');
	path_len = query != NULL ? (size_t)(query - out->path) : strlen(out->path);
	while (path_len > 0 && out->path[path_len - 1] != '/')
		path_len--;
	snprintf(out->file, sizeof(out->file), "%.*s",
	         (int)strcspn(out->path + path_len, "?"), out->path + path_len);
	/* What would leave the output directory is no file name. */
	if (out->file[0] == '\0' || strcmp(out->file, ".") == 0 ||
	    strcmp(out->file, "..") == 0)
		snprintf(out->file, sizeof(out->file), "index.html");
	return 0;
}

static bool
take_address(const struct sockaddr *sa, uint16_t port, struct plx_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->port_be = htons(port);
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		out->family = PLX_FAMILY_IPV4;
		memcpy(out->ip, &in->sin_addr, 4);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		out->family = PLX_FAMILY_IPV6;
		memcpy(out->ip, &in6->sin6_addr, 16);
		return true;
	}
	return false;
}

int
plx_resolve(const char *host, uint16_t port, enum plx_family family, struct plx_addr *out,
            uint32_t max, uint32_t *cnt, struct plx_errtext *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP};
	struct addrinfo *list = NULL;
	int rc;

	*cnt = 0;
	hints.ai_family = family == PLX_FAMILY_IPV4   ? AF_INET
	                  : family == PLX_FAMILY_IPV6 ? AF_INET6
	                                              : AF_UNSPEC;
	rc = getaddrinfo(host, NULL, &hints, &list);
	for (const struct addrinfo *a = list; rc == 0 && a != NULL && *cnt < max;
	     a = a->ai_next)
		*cnt += take_address(a->ai_addr, port, &out[*cnt]);
	if (list != NULL)
		freeaddrinfo(list);
	if (*cnt > 0)
		return 0;
	plx_errtext_set(
	        err,
	        "%s does not resolve: %s; check the name, /etc/resolv.conf, or write an "
	        "address",
	        host,
	        rc == EAI_SYSTEM ? strerror(errno)
	        : rc != 0        ? gai_strerror(rc)
	                         : "no address of the family wanted");
	return PLX_E_NOENT;
}
