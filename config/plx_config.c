/* SPDX-License-Identifier: BSD-3-Clause */
/* Values: defaults, setting one from text, writing them all as YAML, what must fit together. */
#include "plx_config.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool
is_port_key(const struct plx_key *k)
{
	return strncmp(k->path, "ports[].", 8) == 0;
}

static void *
member(struct plx_config *c, const struct plx_key *k, uint32_t port)
{
	if (is_port_key(k))
		return (uint8_t *)&c->ports[port] + k->off;
	return (uint8_t *)c + k->off;
}

static const void *
const_member(const struct plx_config *c, const struct plx_key *k, uint32_t port)
{
	if (is_port_key(k))
		return (const uint8_t *)&c->ports[port] + k->off;
	return (const uint8_t *)c + k->off;
}

static int
refuse(struct plx_errtext *err, const char *where, const char *sentence)
{
	plx_errtext_set(err, "%s: %s", where, sentence);
	return PLX_E_CONFIG;
}

static int
parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"true", "yes", "on", "1"};
	static const char *const no[] = {"false", "no", "off", "0"};

	for (unsigned i = 0; i < 4; i++) {
		if (strcmp(text, yes[i]) == 0)
			return *out = true, 0;
		if (strcmp(text, no[i]) == 0)
			return *out = false, 0;
	}
	return PLX_E_INVAL;
}

static int
set_enum(uint8_t *out, const struct plx_key *k, const char *text, const char *where,
         struct plx_errtext *err)
{
	char list[128];
	struct plx_guess g = {0};

	for (uint8_t i = 0; k->names[i] != NULL; i++) {
		if (strcmp(text, k->names[i]) == 0)
			return *out = i, 0;
		plx_guess_offer(&g, text, k->names[i]);
	}
	plx_key_format(k, list, sizeof(list));
	if (g.best != NULL)
		plx_errtext_set(err, "%s: '%s' is not one of %s; did you mean '%s'?", where,
		                text, list, g.best);
	else
		plx_errtext_set(err, "%s: '%s' is not one of %s", where, text, list);
	return PLX_E_CONFIG;
}

static int
parse_number(const struct plx_key *k, const char *text, const char *where, uint64_t *out,
             struct plx_errtext *err)
{
	char range[96];

	if (k->word0 != NULL && strcmp(text, k->word0) == 0)
		return *out = 0, 0;
	plx_key_format(k, range, sizeof(range));
	if (plx_u64_parse(text, out) != 0) {
		plx_errtext_set(err, "%s: '%s' is not a whole number; allowed: %s", where,
		                text, range);
		return PLX_E_CONFIG;
	}
	if (*out == 0 && k->word0 != NULL)
		return 0;
	if (*out < k->min || *out > k->max) {
		plx_errtext_set(err, "%s: %s is out of range; allowed: %s", where, text,
		                range);
		return PLX_E_CONFIG;
	}
	return 0;
}

static bool
is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && strchr("-_.", s[i]) == NULL)
			return false;
	}
	return true;
}

static int
check_form(const struct plx_key *k, const char *text, const char *where,
           struct plx_errtext *err)
{
	struct plx_errtext why;
	struct plx_prefix prefix;
	struct plx_addr addr;
	uint8_t bytes[6];
	size_t len;

	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return refuse(err, where, "control characters are not allowed");
	}
	if (*text == '\0')
		return 0;
	switch (k->form) {
	case PLX_FORM_IP:
		return plx_ip_parse(text, &addr, &why) == 0 ? 0 : refuse(err, where, why.s);
	case PLX_FORM_PREFIX:
		return plx_prefix_parse(text, &prefix, &why) == 0
		               ? 0
		               : refuse(err, where, why.s);
	case PLX_FORM_ENDPOINT:
		return plx_endpoint_parse(text, 443, &addr, &why) == 0
		               ? 0
		               : refuse(err, where, why.s);
	case PLX_FORM_MAC:
		if (plx_mac_parse(text, bytes) == 0 && (bytes[0] & 1) == 0)
			return 0;
		plx_errtext_set(err,
		                "%s: '%s' is not a station's MAC address; write "
		                "02:00:5e:00:53:01",
		                where, text);
		return PLX_E_CONFIG;
	case PLX_FORM_SERVER_ID:
		if (plx_hex_parse(text, bytes, 4, &len) == 0)
			return 0;
		plx_errtext_set(err, "%s: '%s' is not 1 to 4 bytes of hex; write \"0a01\"",
		                where, text);
		return PLX_E_CONFIG;
	case PLX_FORM_VDEV:
		len = strcspn(text, ",");
		if (len > 0 && is_name(text, len))
			return 0;
		plx_errtext_set(err,
		                "%s: '%s' is not a device; write driver and number, then "
		                "arguments: net_af_packet0,iface=veth0",
		                where, text);
		return PLX_E_CONFIG;
	case PLX_FORM_NAME:
		if (strlen(text) < 48 && is_name(text, strlen(text)))
			return 0;
		plx_errtext_set(
		        err,
		        "%s: '%s' is not a name of up to 47 letters, digits, '-', '_' "
		        "and '.'",
		        where, text);
		return PLX_E_CONFIG;
	default:
		return 0;
	}
}

static int
set_list(struct plx_strv *l, const char *text, bool append)
{
	if (!append)
		plx_strv_clear(l);
	return *text == '\0' ? 0 : plx_strv_add(l, text);
}

static int
set_str(char **out, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return PLX_E_NOMEM;
	free(*out);
	*out = copy;
	return 0;
}

static int
set_value(void *out, const struct plx_key *k, const char *text, bool append,
          const char *where, struct plx_errtext *err)
{
	uint64_t number;
	int rc;

	switch (k->type) {
	case PLX_KEY_BOOL:
		if (parse_bool(text, out) == 0)
			return 0;
		plx_errtext_set(err, "%s: '%s' is neither true nor false", where, text);
		return PLX_E_CONFIG;
	case PLX_KEY_ENUM:
		return set_enum(out, k, text, where, err);
	case PLX_KEY_U32:
	case PLX_KEY_U64:
		rc = parse_number(k, text, where, &number, err);
		if (rc != 0)
			return rc;
		if (k->type == PLX_KEY_U32)
			*(uint32_t *)out = (uint32_t)number;
		else
			*(uint64_t *)out = number;
		return 0;
	default:
		rc = check_form(k, text, where, err);
		if (rc != 0)
			return rc;
		rc = k->type == PLX_KEY_LIST ? set_list(out, text, append)
		                             : set_str(out, text);
		if (rc != 0)
			plx_errtext_set(err, "%s: out of memory", where);
		return rc;
	}
}

static int
set_defaults(struct plx_config *c, bool ports, uint32_t port)
{
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);
	struct plx_errtext err;

	for (uint32_t i = 0; i < cnt; i++) {
		int rc = 0;

		if (is_port_key(&k[i]) != ports)
			continue;
		if (k[i].def != NULL || k[i].type == PLX_KEY_STR)
			rc = set_value(member(c, &k[i], port), &k[i],
			               k[i].def != NULL ? k[i].def : "", false, k[i].path,
			               &err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
plx_config_init(struct plx_config *c)
{
	memset(c, 0, sizeof(*c));
	return set_defaults(c, false, 0);
}

void
plx_config_fini(struct plx_config *c)
{
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);

	for (uint32_t i = 0; i < cnt; i++) {
		uint32_t copies = is_port_key(&k[i]) ? PLX_CONFIG_PORTS_MAX : 1;

		for (uint32_t p = 0; p < copies; p++) {
			void *m = member(c, &k[i], p);

			if (k[i].type == PLX_KEY_LIST)
				plx_strv_clear(m);
			else if (k[i].type == PLX_KEY_STR)
				free(*(char **)m);
		}
	}
	memset(c, 0, sizeof(*c));
}

int
plx_config_set(struct plx_config *c, const struct plx_key *k, uint32_t port,
               const char *text, bool append, const char *where, struct plx_errtext *err)
{
	if (!is_port_key(k))
		return set_value(member(c, k, 0), k, text, append, where, err);
	if (port > c->port_cnt || port >= PLX_CONFIG_PORTS_MAX) {
		plx_errtext_set(err,
		                "%s: there are %" PRIu32
		                " ports, counted from 0; at most %d "
		                "are possible, without gaps",
		                where, c->port_cnt, PLX_CONFIG_PORTS_MAX);
		return PLX_E_CONFIG;
	}
	if (port == c->port_cnt) {
		if (set_defaults(c, true, port) != 0) {
			plx_errtext_set(err, "%s: out of memory", where);
			return PLX_E_NOMEM;
		}
		c->port_cnt++;
	}
	return set_value(member(c, k, port), k, text, append, where, err);
}

void
plx_config_get_text(const struct plx_config *c, const struct plx_key *k, uint32_t port,
                    uint32_t item, char *buf, size_t sz)
{
	const void *m = const_member(c, k, port);
	uint64_t number;

	switch (k->type) {
	case PLX_KEY_BOOL:
		snprintf(buf, sz, "%s", *(const bool *)m ? "true" : "false");
		break;
	case PLX_KEY_ENUM:
		snprintf(buf, sz, "%s", k->names[*(const uint8_t *)m]);
		break;
	case PLX_KEY_U32:
	case PLX_KEY_U64:
		number = k->type == PLX_KEY_U32 ? *(const uint32_t *)m
		                                : *(const uint64_t *)m;
		if (number == 0 && k->word0 != NULL)
			snprintf(buf, sz, "%s", k->word0);
		else
			snprintf(buf, sz, "%" PRIu64, number);
		break;
	case PLX_KEY_STR:
		snprintf(buf, sz, "%s", *(char *const *)m);
		break;
	default:
		snprintf(buf, sz, "%s", ((const struct plx_strv *)m)->v[item]);
		break;
	}
}

static void
dump_quoted(const char *s, FILE *out)
{
	fputc('"', out);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static void
dump_value(const struct plx_config *c, const struct plx_key *k, uint32_t port, FILE *out)
{
	const void *m = const_member(c, k, port);
	char text[96];

	if (k->type == PLX_KEY_STR) {
		dump_quoted(*(char *const *)m, out);
	} else if (k->type == PLX_KEY_LIST) {
		const struct plx_strv *l = m;

		fputc('[', out);
		for (uint32_t i = 0; i < l->cnt; i++) {
			if (i > 0)
				fputs(", ", out);
			dump_quoted(l->v[i], out);
		}
		fputc(']', out);
	} else {
		plx_config_get_text(c, k, port, 0, text, sizeof(text));
		/* Other YAML readers take these words for booleans. */
		if (strcmp(text, "on") == 0 || strcmp(text, "off") == 0)
			dump_quoted(text, out);
		else
			fputs(text, out);
	}
	fputc('\n', out);
}

/* One section's keys, then its sub-sections, which follow it in the table. */
static void
dump_keys(const struct plx_config *c, const char *section, uint32_t port,
          const char *indent, const char *first, FILE *out)
{
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);

	for (uint32_t i = 0; i < cnt; i++) {
		if (!plx_key_in(&k[i], section))
			continue;
		fprintf(out, "%s%s: ", first != NULL ? first : indent,
		        plx_key_leaf(k[i].path));
		first = NULL;
		dump_value(c, &k[i], port, out);
	}
}

static void
dump_section(const struct plx_config *c, const struct plx_key_section *s, FILE *out)
{
	if (strcmp(s->path, "ports[]") == 0) {
		fputs(c->port_cnt == 0 ? "ports: []\n" : "ports:\n", out);
		for (uint32_t p = 0; p < c->port_cnt; p++) {
			dump_keys(c, s->path, p, "    ", "  - ", out);
			fputs("    offloads:\n", out);
			dump_keys(c, "ports[].offloads", p, "      ", NULL, out);
		}
	} else if (strncmp(s->path, "ports[].", 8) != 0) {
		bool nested = strchr(s->path, '.') != NULL;

		fprintf(out, "%s%s:\n", nested ? "  " : "", plx_key_leaf(s->path));
		dump_keys(c, s->path, 0, nested ? "    " : "  ", NULL, out);
	}
}

int
plx_config_dump(const struct plx_config *c, FILE *out)
{
	uint32_t cnt;
	const struct plx_key_section *s = plx_key_sections(&cnt);

	dump_keys(c, "", 0, "", NULL, out);
	for (uint32_t i = 1; i < cnt; i++)
		dump_section(c, &s[i], out);
	return fflush(out) == 0 && ferror(out) == 0 ? 0 : PLX_E_IO;
}

/* Do the first bits of both agree? */
static bool
in_prefix(const struct plx_prefix *p, const struct plx_addr *a)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	if (p->addr.family != a->family || memcmp(p->addr.ip, a->ip, whole) != 0)
		return false;
	return rest == 0 || ((p->addr.ip[whole] ^ a->ip[whole]) >> (8 - rest)) == 0;
}

static int
check_port(const struct plx_config *c, uint32_t idx, struct plx_errtext *err)
{
	const struct plx_config_port *p = &c->ports[idx];
	struct plx_prefix net;
	struct plx_addr gw;
	bool reached = false;
	char where[32];

	snprintf(where, sizeof(where), "ports[%" PRIu32 "]", idx);
	if (*p->match != '\0' && p->vdev.cnt > 0)
		return refuse(err, where,
		              "match and vdev exclude each other; keep one of them");
	if (*p->gateway == '\0') {
		if (*p->gateway_mac != '\0')
			return refuse(err, where, "gateway_mac needs gateway");
		return 0;
	}
	if (plx_ip_parse(p->gateway, &gw, err) != 0)
		return PLX_E_CONFIG;
	for (uint32_t i = 0; i < p->addresses.cnt; i++)
		reached |= plx_prefix_parse(p->addresses.v[i], &net, NULL) == 0 &&
		           in_prefix(&net, &gw);
	if (reached)
		return 0;
	plx_errtext_set(
	        err,
	        "%s: gateway %s is in no network of addresses; give the address with "
	        "its prefix, e.g. 192.0.2.10/24",
	        where, p->gateway);
	return PLX_E_CONFIG;
}

int
plx_config_check(const struct plx_config *c, struct plx_errtext *err)
{
	const struct plx_config_quic *q = &c->quic;
	int rc;

	if (c->eal.no_huge == PLX_TRI_TRUE && c->eal.in_memory == PLX_TRI_TRUE)
		return refuse(err, "eal",
		              "no_huge and in_memory exclude each other (DPDK refuses "
		              "the pair); set one of them to auto");
	for (uint32_t i = 0; i < c->port_cnt; i++) {
		if (c->ports[i].queues > c->workers.count) {
			plx_errtext_set(err,
			                "ports[%" PRIu32 "].queues: %" PRIu32
			                " queues, but only %" PRIu32
			                " workers, and each reads one; leave queues out or "
			                "raise workers.count",
			                i, c->ports[i].queues, c->workers.count);
			return PLX_E_CONFIG;
		}
		rc = check_port(c, i, err);
		if (rc != 0)
			return rc;
	}
	if (q->max_stream_data > q->max_data) {
		plx_errtext_set(err,
		                "quic.max_stream_data: %" PRIu64
		                " exceeds quic.max_data, %" PRIu64
		                "; a stream cannot use more than its connection",
		                q->max_stream_data, q->max_data);
		return PLX_E_CONFIG;
	}
	if (q->keep_alive_ms >= q->idle_timeout_ms) {
		plx_errtext_set(err,
		                "quic.keep_alive_ms: %" PRIu32 " must be below "
		                "quic.idle_timeout_ms, %" PRIu32,
		                q->keep_alive_ms, q->idle_timeout_ms);
		return PLX_E_CONFIG;
	}
	if ((*c->tls.cert == '\0') != (*c->tls.key == '\0'))
		return refuse(err, "tls",
		              "cert and key belong together; set both or neither");
	return 0;
}
