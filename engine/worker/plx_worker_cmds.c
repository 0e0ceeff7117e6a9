/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "plx_recvq.h"
#include "plx_worker_pvt.h"

/* Step 3 of a turn: what application cores gave back and what they want. */

/* Buffers taken back at once; a ring operation for more gains nothing. */
#define RETURNS_MAX 64

static struct plx_ringconn *
ringconn_of(struct plx_worker *w, struct plx_conn_id id)
{
	struct plx_conn *c = plx_quic_find(w->quic, id);

	return c != NULL ? plx_conn_ctx(c) : NULL;
}

static uint32_t
take_returns(struct plx_worker *w, struct plx_pair *pair, struct plx_appside *s)
{
	struct plx_rbuf *b[RETURNS_MAX];
	uint32_t n = plx_pair_returns(pair, b, RETURNS_MAX);

	for (uint32_t i = 0; i < n; i++) {
		struct plx_ringconn *rc = ringconn_of(w, b[i]->conn);

		if (rc != NULL)
			rc->ops->released(rc, b[i]);
		plx_rbuf_give(w->pool, b[i]);
	}
	if (n > 0)
		plx_appside_refill(s);
	return n;
}

/* Ports of a worker are those with the worker's number modulo the number of workers. */
static uint16_t
next_port(struct plx_worker *w)
{
	uint16_t port = w->next_dial_port;

	if (port > UINT16_MAX - w->cfg.worker_cnt)
		w->next_dial_port = (uint16_t)(PLX_DIAL_PORT_FIRST + w->cfg.number);
	else
		w->next_dial_port = (uint16_t)(port + w->cfg.worker_cnt);
	return port;
}

/* The port that a path leaves by. */
static const struct plx_pio *
pio_of(const struct plx_worker *w, const struct plx_path *path)
{
	struct plx_addr local;

	for (uint16_t p = 1; p < w->cfg.port_cnt; p++)
		if (plx_net_pick_local(w->net[p], &path->remote, &local) == 0 &&
		    memcmp(local.ip, path->local.ip, sizeof(local.ip)) == 0)
			return w->cfg.pio[p];
	return w->cfg.pio[0];
}

/*
 * The next port of ours whose answers come to our own queue; where nobody can tell, the next one,
 * and other workers hand over what they receive for us. Steps of one, not of a stride, so that
 * each port is used before one is used again.
 */
static uint16_t
port_for(struct plx_worker *w, const struct plx_path *path)
{
	const uint16_t first = (uint16_t)(PLX_DIAL_PORT_FIRST + w->cfg.number);
	const struct plx_pio_ports range = {.first = PLX_DIAL_PORT_FIRST,
	                                    .last = UINT16_MAX,
	                                    .modulo = w->cfg.worker_cnt,
	                                    .rest = first % w->cfg.worker_cnt};
	const struct plx_pio *pio = pio_of(w, path);
	uint32_t at = (uint32_t)(w->next_dial_port - first) / w->cfg.worker_cnt;
	int port;

	if (pio->ops->pick_port == NULL || pio->rxq_cnt < 2 ||
	    w->cfg.number >= pio->rxq_cnt)
		return next_port(w);
	port = pio->ops->pick_port(pio, path, w->cfg.number, &range, at);
	if (port >= 0)
		w->next_dial_port = (uint16_t)port;
	return next_port(w);
}

static int
choose_local(struct plx_worker *w, const struct plx_dial *d, struct plx_path *path)
{
	path->remote = d->remote;
	path->local = d->local;
	if (path->local.family == PLX_FAMILY_NONE) {
		int rc = PLX_E_NOENT;

		for (uint16_t p = 0; rc != 0 && p < w->cfg.port_cnt; p++)
			rc = plx_net_pick_local(w->net[p], &d->remote, &path->local);
		if (rc != 0)
			return rc;
		path->local.port_be = 0;
	}
	if (path->local.port_be == 0)
		path->local.port_be = htons(port_for(w, path));
	return 0;
}

static void
dial_failed(void *arg, uint64_t user, const struct plx_close_info *why)
{
	struct plx_worker *w = arg;
	struct plx_dialing *rec = (struct plx_dialing *)(uintptr_t)user;

	plx_appside_dial_failed(rec->side, rec->user, why);
	plx_slab_release(plx_quic_slab(w->quic), rec);
}

static int
begin_dial(struct plx_worker *w, struct plx_appside *s, const struct plx_cmd *cmd,
           uint64_t now_ns)
{
	const struct plx_dial *d = cmd->ptr;
	struct plx_quic_dial qd = {
	        .sni = d->sni,
	        .alpn = d->alpn,
	        .verify = d->verify,
	        .handshake_ms = d->handshake_ms,
	        .on_failed = dial_failed,
	        .on_failed_arg = w,
	};
	struct plx_dialing *rec;
	struct plx_conn_id id;
	int rc = choose_local(w, d, &qd.path);

	if (rc != 0)
		return rc;
	rec = plx_slab_alloc(plx_quic_slab(w->quic), sizeof(*rec));
	if (rec == NULL)
		return PLX_E_NOMEM;
	*rec = (struct plx_dialing){.side = s, .user = cmd->user};
	qd.user = (uint64_t)(uintptr_t)rec;
	rc = plx_appside_dial_begin(s);
	if (rc == 0) {
		rc = plx_quic_dial(w->quic, &qd, now_ns, &id);
		if (rc != 0)
			plx_appside_dial_cancel(s);
	}
	if (rc != 0)
		plx_slab_release(plx_quic_slab(w->quic), rec);
	return rc;
}

static void
dial(struct plx_worker *w, struct plx_appside *s, const struct plx_cmd *cmd,
     uint64_t now_ns)
{
	int rc = begin_dial(w, s, cmd, now_ns);

	if (rc != 0)
		plx_appside_cmd_failed(s, cmd, rc); /* frees the block too */
	else
		free(cmd->ptr);
}

struct plx_appside *
plx_worker_pick(void *arg, struct plx_conn *c)
{
	struct plx_worker *w = arg;

	if (!plx_conn_is_server(c))
		return ((struct plx_dialing *)(uintptr_t)plx_conn_user(c))->side;
	if (w->cfg.attach_cnt == 0)
		return NULL;
	if (w->next_side >= w->cfg.attach_cnt)
		w->next_side = 0;
	return &w->side[w->next_side++];
}

uint64_t
plx_worker_dial_user(void *arg, struct plx_conn *c)
{
	struct plx_worker *w = arg;
	struct plx_dialing *rec;
	uint64_t user;

	if (plx_conn_is_server(c))
		return 0;
	rec = (struct plx_dialing *)(uintptr_t)plx_conn_user(c);
	user = rec->user;
	plx_conn_set_user(c, user);
	plx_slab_release(plx_quic_slab(w->quic), rec);
	return user;
}

uint32_t
plx_worker_cmds(struct plx_worker *w, uint64_t now_ns)
{
	struct plx_cmd cmd[PLX_CMDS_PER_TURN];
	uint32_t total = 0;

	for (uint16_t a = 0; a < w->cfg.attach_cnt; a++) {
		struct plx_appside *s = &w->side[a];
		uint32_t n, room = plx_appside_cmd_room(s);

		total += take_returns(w, w->cfg.pair[a], s);
		n = plx_pair_cmds(w->cfg.pair[a], cmd,
		                  room < PLX_CMDS_PER_TURN ? room : PLX_CMDS_PER_TURN);
		for (uint32_t i = 0; i < n; i++) {
			if (cmd[i].type == PLX_CMD_DIAL)
				dial(w, s, &cmd[i], now_ns);
			else
				plx_appside_cmd(s, ringconn_of(w, cmd[i].conn), &cmd[i]);
		}
		plx_obs_add(&w->obs, PLX_COUNT_cmds, n);
		total += n;
	}
	return total;
}
