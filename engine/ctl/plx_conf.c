/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The public face of configuration and engine (<plx/engine.h>): keys by name, so that a program
 * of others needs no struct that grows.
 */
#include <stdlib.h>
#include <string.h>

#include <plx/embed.h>

#include "plx_ctl.h"
#include "plx_engine_int.h"
#include "plx_hostport.h"
#include "plx_obs.h"

struct plx_conf {
	struct plx_config config;
	struct plx_engine_proto proto[PLX_PROTOS_MAX];
	uint16_t proto_cnt;
	uint16_t listen_port;
	bool serve, dial;
};

int
plx_conf_new(struct plx_conf **out)
{
	struct plx_conf *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (c == NULL)
		return PLX_E_NOMEM;
	if (plx_config_init(&c->config) != 0) {
		plx_conf_free(c);
		return PLX_E_NOMEM;
	}
	*out = c;
	return 0;
}

void
plx_conf_free(struct plx_conf *c)
{
	if (c == NULL)
		return;
	plx_config_fini(&c->config);
	free(c);
}

/* "ports[1].mtu" is key "ports[].mtu" of port 1. @return NULL: no such key */
static const struct plx_key *
find_key(const char *name, uint32_t *port)
{
	char path[PLX_KEY_NAME_MAX];
	const char *open = strchr(name, '[');
	const struct plx_key *k;
	uint32_t cnt;

	*port = 0;
	if (open != NULL) {
		char *end;
		unsigned long n = strtoul(open + 1, &end, 10);

		if (end == open + 1 || *end != ']' || n >= PLX_CONFIG_PORTS_MAX)
			return NULL;
		*port = (uint32_t)n;
		snprintf(path, sizeof(path), "%.*s[]%s", (int)(open - name), name, end + 1);
	} else {
		snprintf(path, sizeof(path), "%s", name);
	}
	k = plx_keys(&cnt);
	for (uint32_t i = 0; i < cnt; i++)
		if (strcmp(k[i].path, path) == 0)
			return &k[i];
	return NULL;
}

int
plx_conf_set(struct plx_conf *c, const char *key, const char *value, char *err,
             size_t err_sz)
{
	struct plx_errtext why = {""};
	uint32_t port;
	const struct plx_key *k = find_key(key, &port);
	int rc;

	if (k == NULL) {
		snprintf(err, err_sz, "%s: no such key; pollux.yaml(5) lists them", key);
		return PLX_E_NOENT;
	}
	rc = plx_config_set(&c->config, k, port, value, true, key, &why);
	if (rc != 0)
		snprintf(err, err_sz, "%s", why.s[0] != '\0' ? why.s : plx_strerror(rc));
	return rc;
}

int
plx_conf_load(struct plx_conf *c, const char *file, char *err, size_t err_sz)
{
	struct plx_errtext why = {""};
	int rc = plx_config_load(&c->config, file, &why);

	if (rc != 0)
		snprintf(err, err_sz, "%s", why.s[0] != '\0' ? why.s : plx_strerror(rc));
	return rc;
}

static int
add_proto(struct plx_conf *c, const char *alpn, enum plx_proto_kind kind,
          const struct plx_app *app, void *arg)
{
	struct plx_engine_proto *p;
	size_t len = strlen(alpn);

	if (len == 0 || len >= sizeof(p->alpn))
		return PLX_E_INVAL;
	if (c->proto_cnt == PLX_PROTOS_MAX)
		return PLX_E_FULL;
	p = &c->proto[c->proto_cnt++];
	memcpy(p->alpn, alpn, len + 1);
	p->kind = (uint8_t)kind;
	p->app = app;
	p->arg = arg;
	return 0;
}

int
plx_conf_ring(struct plx_conf *c, const char *alpn, enum plx_ring_kind kind)
{
	return add_proto(c, alpn,
	                 kind == PLX_RING_H3 ? PLX_PROTO_H3_RING : PLX_PROTO_RAW_RING, NULL,
	                 NULL);
}

int
plx_conf_app(struct plx_conf *c, const char *alpn, const struct plx_app *app, void *arg)
{
	return app == NULL ? PLX_E_INVAL : add_proto(c, alpn, PLX_PROTO_INLINE, app, arg);
}

void
plx_conf_listen(struct plx_conf *c, uint16_t port)
{
	c->serve = true;
	c->listen_port = port;
}

void
plx_conf_dial(struct plx_conf *c)
{
	c->dial = true;
}

uint32_t
plx_conf_mem_mb(const struct plx_conf *c, uint16_t attach_cnt, uint32_t depth)
{
	return plx_ctl_mem_mb(&c->config, attach_cnt, depth);
}

/* Takes the host's port, if there is one. */
static int
open_engine(struct plx_engine **out, const struct plx_conf *c, const char *name,
            const struct plx_embed_port *host, char *err, size_t err_sz)
{
	struct plx_ctl_opts o = {
	        .name = name,
	        .serve = c->serve,
	        .dial = c->dial,
	        .listen_port = c->listen_port,
	        .hosted = host != NULL,
	        .proto = c->proto,
	        .proto_cnt = c->proto_cnt,
	};
	struct plx_errtext why;
	int rc = 0;

	*out = NULL;
	if (c->proto_cnt == 0 || (!c->serve && !c->dial)) {
		snprintf(
		        err, err_sz,
		        "an engine needs a protocol (plx_conf_ring, plx_conf_app) and a role "
		        "(plx_conf_listen, plx_conf_dial)");
		return PLX_E_CONFIG;
	}
	if (plx_config_check(&c->config, &why) != 0) {
		snprintf(err, err_sz, "%s", why.s);
		return PLX_E_CONFIG;
	}
	if (host != NULL)
		rc = plx_hostport_new(&o.pio, host, (uint16_t)c->config.workers.count);
	if (rc != 0) {
		snprintf(err, err_sz, "the host's port %s",
		         rc == PLX_E_INVAL ? "names no pool" : "finds no memory");
		return rc == PLX_E_INVAL ? PLX_E_CONFIG : rc;
	}
	return plx_ctl_make_engine(out, &c->config, &o, err, err_sz);
}

int
plx_engine_open(struct plx_engine **out, const struct plx_conf *c, const char *name,
                char *err, size_t err_sz)
{
	return open_engine(out, c, name, NULL, err, err_sz);
}

int
plx_embed_open(struct plx_engine **out, const struct plx_conf *c, const char *name,
               const struct plx_embed_port *port, char *err, size_t err_sz)
{
	return open_engine(out, c, name, port, err, err_sz);
}

uint64_t
plx_engine_counter(const struct plx_engine *e, const char *name)
{
	for (int i = 0; i < PLX_COUNT_CNT; i++)
		if (strcmp(plx_count_name((enum plx_count)i), name) == 0)
			return plx_engine_count(e, (enum plx_count)i);
	for (int i = PLX_DROP_NONE + 1; i < PLX_DROP_CNT; i++)
		if (strcmp(plx_drop_name((enum plx_drop)i), name) == 0)
			return plx_engine_drops(e, (enum plx_drop)i);
	return 0;
}
