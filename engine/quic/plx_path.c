/* SPDX-License-Identifier: BSD-3-Clause */
#include <endian.h>
#include <netinet/in.h>
#include <string.h>

#include "plx_quic_pvt.h"

/** Time between two packet-too-big messages that are looked at, ns. */
#define PTB_NS (10 * PLX_NS_PER_MS)

static void
addr_to_ngtcp2(ngtcp2_addr *out, ngtcp2_sockaddr_union *buf, const struct plx_addr *a)
{
	memset(buf, 0, sizeof(*buf));
	out->addr = &buf->sa;
	if (a->family == PLX_FAMILY_IPV6) {
		buf->in6.sin6_family = AF_INET6;
		buf->in6.sin6_port = a->port_be;
		memcpy(&buf->in6.sin6_addr, a->ip, 16);
		out->addrlen = sizeof(buf->in6);
	} else {
		buf->in.sin_family = AF_INET;
		buf->in.sin_port = a->port_be;
		memcpy(&buf->in.sin_addr, a->ip, 4);
		out->addrlen = sizeof(buf->in);
	}
}

static void
addr_from_ngtcp2(struct plx_addr *out, const ngtcp2_addr *a)
{
	const ngtcp2_sockaddr_union *u = (const void *)a->addr;

	memset(out, 0, sizeof(*out));
	if (a->addr->sa_family == AF_INET6) {
		out->family = PLX_FAMILY_IPV6;
		out->port_be = u->in6.sin6_port;
		memcpy(out->ip, &u->in6.sin6_addr, 16);
	} else {
		out->family = PLX_FAMILY_IPV4;
		out->port_be = u->in.sin_port;
		memcpy(out->ip, &u->in.sin_addr, 4);
	}
}

void
plx_path_to_ngtcp2(ngtcp2_path_storage *ps, const struct plx_path *p)
{
	addr_to_ngtcp2(&ps->path.local, &ps->local_addrbuf, &p->local);
	addr_to_ngtcp2(&ps->path.remote, &ps->remote_addrbuf, &p->remote);
	ps->path.user_data = NULL;
}

void
plx_path_set(struct plx_conn_path *p, const struct plx_path *path)
{
	memset(&p->tx, 0, sizeof(p->tx));
	p->tx.path = *path;
	p->udp_max = 0;
	plx_path_to_ngtcp2(&p->ps, path);
}

static void
set_from_ngtcp2(struct plx_conn_path *p, const ngtcp2_path *np)
{
	struct plx_path path;

	addr_from_ngtcp2(&path.local, &np->local);
	addr_from_ngtcp2(&path.remote, &np->remote);
	plx_path_set(p, &path);
}

/*
 * Packets of one burst may point at up to PLX_CONN_PATHS paths. A fourth, which takes three
 * address changes within one burst, overwrites the oldest: what was written for that one goes
 * to the newer address, where it is dropped as any stray packet is.
 */
struct plx_tx_path *
plx_path_of(struct plx_conn *c, const ngtcp2_path *np)
{
	struct plx_conn_path *p;

	if (plx_likely(ngtcp2_path_eq(&c->path[0].ps.path, np)))
		return &c->path[0].tx;
	plx_path_sync(c);
	for (int i = 0; i < PLX_CONN_PATHS; i++) {
		if (c->path[i].tx.path.local.family != PLX_FAMILY_NONE &&
		    ngtcp2_path_eq(&c->path[i].ps.path, np))
			return &c->path[i].tx;
	}
	p = &c->path[c->path_next];
	c->path_next = (uint8_t)(c->path_next % (PLX_CONN_PATHS - 1) + 1);
	set_from_ngtcp2(p, np);
	return &p->tx;
}

void
plx_path_sync(struct plx_conn *c)
{
	const ngtcp2_path *np = ngtcp2_conn_get_path(c->nc);
	struct plx_conn_path *old;

	if (ngtcp2_path_eq(&c->path[0].ps.path, np))
		return;
	/* The path left stays known: the peer may return, or validation fall back to it. */
	old = &c->path[c->path_next];
	c->path_next = (uint8_t)(c->path_next % (PLX_CONN_PATHS - 1) + 1);
	plx_path_set(old, &c->path[0].tx.path);
	set_from_ngtcp2(&c->path[0], np);
	c->path_changes++;
	plx_obs_add(c->q->d.obs, PLX_COUNT_path_changes, 1);
}

size_t
plx_path_room(const struct plx_conn *c, const struct plx_txpkt *out)
{
	uint16_t max = c->path[0].udp_max;

	return plx_unlikely(max != 0 && max < out->cap) ? max : out->cap;
}

void
plx_quic_too_big(struct plx_quic *q, const struct plx_path *path, uint16_t udp_max,
                 uint64_t now_ns)
{
	/* Each message costs a walk over the slots: a flood of them must not cost more. */
	if (now_ns < q->ptb_ns)
		return;
	q->ptb_ns = now_ns + PTB_NS;
	if (udp_max < NGTCP2_MAX_UDP_PAYLOAD_SIZE)
		udp_max = NGTCP2_MAX_UDP_PAYLOAD_SIZE;
	for (uint32_t i = 0; i < q->cfg.conns_max; i++) {
		struct plx_conn_path *p = &q->conns[i].path[0];

		if (q->conns[i].nc != NULL && (p->udp_max == 0 || udp_max < p->udp_max) &&
		    memcmp(&p->tx.path, path, sizeof(*path)) == 0)
			p->udp_max = udp_max;
	}
}

static bool
addr_sane(const struct plx_addr *a)
{
	static const uint8_t zero[16];

	if (a->port_be == 0)
		return false;
	if (a->family == PLX_FAMILY_IPV4)
		return a->ip[0] < 224 &&
		       memcmp(a->ip, zero, 4) != 0; /* multicast, broadcast */
	return a->ip[0] != 0xff && memcmp(a->ip, zero, 16) != 0;
}

/*
 * Services that answer whatever UDP brings them, most of them with more than they got. No client
 * sends from such a port, but whoever forges a source address likes to.
 */
bool
plx_path_reflects(const struct plx_path *p)
{
	switch (be16toh(p->remote.port_be)) {
	case 7:   /* echo */
	case 17:  /* quote of the day */
	case 19:  /* character generator */
	case 53:  /* DNS */
	case 69:  /* TFTP */
	case 111: /* portmapper */
	case 123: /* NTP */
	case 137: /* NetBIOS */
	case 138:
	case 161:   /* SNMP */
	case 389:   /* CLDAP */
	case 500:   /* IKE */
	case 520:   /* RIP */
	case 1900:  /* SSDP */
	case 3702:  /* WS-Discovery */
	case 5353:  /* mDNS */
	case 5355:  /* LLMNR */
	case 11211: /* memcached */
		return true;
	default:
		return false;
	}
}

bool
plx_path_sane(const struct plx_path *p)
{
	return addr_sane(&p->remote) && p->remote.family == p->local.family &&
	       memcmp(&p->remote, &p->local, sizeof(p->remote)) != 0;
}
