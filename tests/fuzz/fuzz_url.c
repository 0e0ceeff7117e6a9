/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What people type: URLs, addresses, numbers and command lines. The first byte says what the
 * text behind it is. Addresses that are accepted are written and read again.
 */
#include <stdlib.h>
#include <string.h>

#include "plx_config_flags.h"
#include "plx_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
url(const char *s)
{
	struct plx_errtext err = {""};
	struct plx_url u;

	if (plx_url_parse(s, &u, &err) != 0) {
		if (err.s[0] == '\0')
			abort();
		return;
	}
	if (u.host[0] == '\0' || u.path[0] != '/' || u.file[0] == '\0' || u.port == 0 ||
	    strchr(u.file, '/') != NULL)
		abort();
}

static void
endpoint(const char *s, uint16_t port)
{
	struct plx_addr a, b;
	char text[PLX_ADDR_TEXT_MAX];

	if (plx_endpoint_parse(s, port, &a, NULL) != 0 || a.family == PLX_FAMILY_NONE)
		return;
	plx_addr_format(&a, text);
	if (plx_endpoint_parse(text, port, &b, NULL) != 0 || memcmp(&a, &b, sizeof(a)) != 0)
		abort();
}

static void
address(const char *s)
{
	struct plx_addr a, b;
	struct plx_prefix p;
	char text[PLX_ADDR_TEXT_MAX];

	if (plx_ip_parse(s, &a, NULL) == 0) {
		plx_addr_format(&a, text);
		if (plx_ip_parse(text, &b, NULL) != 0 || memcmp(&a, &b, sizeof(a)) != 0)
			abort();
	}
	if (plx_prefix_parse(s, &p, NULL) == 0 &&
	    p.len > (p.addr.family == PLX_FAMILY_IPV4 ? 32 : 128))
		abort();
}

static void
number(const char *s)
{
	uint8_t bytes[4], mac[6];
	uint64_t v;
	size_t len;

	(void)plx_u64_parse(s, &v);
	(void)plx_mac_parse(s, mac);
	if (plx_hex_parse(s, bytes, sizeof(bytes), &len) == 0 && len > sizeof(bytes))
		abort();
}

/* Each line is an argument. */
static void
flags(char *s)
{
	static const struct plx_opt opts[] = {
	        {"iface", "NAME", ""}, {"probe", NULL, ""}, {0}};
	static const struct plx_short shorts[] = {{'o', "get-output"}, {'p', "probe"}, {0}};
	static const struct plx_flags_spec spec = {"get", opts, shorts};
	struct plx_errtext err = {""};
	struct plx_flags f = {0};
	struct plx_config c;
	char *argv[64], *save = NULL;
	int argc = 0, rc;

	for (char *a = strtok_r(s, "\n", &save); a != NULL && argc < 63;
	     a = strtok_r(NULL, "\n", &save))
		argv[argc++] = a;
	argv[argc] = NULL;
	rc = plx_flags_parse(&f, &spec, argc, argv, &err);
	if (rc == 0) {
		if (plx_config_init(&c) != 0)
			abort();
		rc = plx_flags_apply(&f, &c, &err);
		(void)plx_flags_opt(&f, "iface");
		plx_config_fini(&c);
	}
	if (rc != 0 && err.s[0] == '\0')
		abort();
	plx_flags_fini(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s;

	if (size == 0)
		return 0;
	s = malloc(size);
	if (s == NULL)
		abort();
	memcpy(s, data + 1, size - 1);
	s[size - 1] = '\0';
	switch (data[0] % 5) {
	case 0:
		url(s);
		break;
	case 1:
		endpoint(s, data[0] & 0x80 ? 443 : 0);
		break;
	case 2:
		address(s);
		break;
	case 3:
		number(s);
		break;
	default:
		flags(s);
		break;
	}
	free(s);
	return 0;
}
