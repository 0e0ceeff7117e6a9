/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_neigh.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <plx/err.h>

/* Slots that an address can be in: long enough that a table half full loses nobody. */
#define WINDOW     16
/*
 * A change takes the writer some ten stores. Should its thread be suspended in the middle, a
 * reader gives up and takes the address for unknown: its packet waits, the worker does not.
 */
#define READ_TRIES 256
#define MSG_CNT    256
#define MSG_MSK    (MSG_CNT - 1)
#define MAC_BITS   UINT64_C(0xffffffffffff)

/*
 * Readers copy an entry between two equal, even values of seq. All that they read is atomic;
 * acquire loads and release stores keep seq on both sides of the rest without fences, which
 * ThreadSanitizer would not understand.
 */
struct entry {
	/* written by the writer, read by every worker */
	_Atomic uint32_t seq; /* odd: being changed */
	_Atomic uint64_t ip[2];
	_Atomic uint64_t val; /* MAC in bits 0..47, state in 48..55, family in 56..63 */
	/* set by every worker, cleared by the writer */
	_Atomic uint8_t wanted;
	/* the writer's own */
	uint8_t tries;
	uint64_t since_ns; /* reachable or stale since */
	uint64_t due_ns;   /* next probe, or end of the failed state */
} PLX_CACHE_ALIGNED;
PLX_STATIC_ASSERT(sizeof(struct entry) == PLX_CACHE_LINE, "one line per neighbour");

/* Bounded queue of many producers: a cell's seq says whose turn it is (D. Vyukov). */
struct msg {
	_Atomic uint32_t seq;
	uint8_t op;
	bool has_mac;
	uint8_t mac[6];
	struct plx_addr ip;
};

struct plx_neigh {
	/* read by every worker once per packet, written when a neighbour changes */
	_Atomic uint32_t epoch PLX_CACHE_ALIGNED;
	uint32_t msk;
	/* producers */
	_Atomic uint32_t tail PLX_CACHE_ALIGNED;
	/* the writer */
	uint32_t head PLX_CACHE_ALIGNED;
	uint32_t age_pos;
	struct msg msg[MSG_CNT];
	struct entry entry[];
};

struct key {
	uint64_t ip[2];
	uint8_t family;
};

static struct key
key_of(const struct plx_addr *a)
{
	struct key k = {.family = a->family};

	memcpy(k.ip, a->ip, sizeof(k.ip));
	return k;
}

static uint64_t
pack(const uint8_t mac[6], enum plx_neigh_state state, uint8_t family)
{
	uint64_t v = 0;

	memcpy(&v, mac, 6);
	return (v & MAC_BITS) | (uint64_t)state << 48 | (uint64_t)family << 56;
}

static enum plx_neigh_state
state_of(uint64_t val)
{
	return (enum plx_neigh_state)(val >> 48 & 0xff);
}

static uint32_t
hash_of(const struct key *k)
{
	uint64_t h = k->ip[0] * UINT64_C(0x9e3779b97f4a7c15) ^ k->ip[1];

	h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(h >> 32);
}

int
plx_neigh_new(struct plx_neigh **out, uint32_t entries)
{
	uint32_t cnt = WINDOW;
	struct plx_neigh *t;
	size_t sz;

	*out = NULL;
	if (entries == 0 || entries > UINT32_C(1) << 20)
		return PLX_E_INVAL;
	while (cnt < entries)
		cnt *= 2;
	sz = sizeof(*t) + cnt * sizeof(t->entry[0]);
	t = aligned_alloc(PLX_CACHE_LINE, (sz + PLX_CACHE_LINE - 1) & ~(size_t)63);
	if (t == NULL)
		return PLX_E_NOMEM;
	memset(t, 0, sz);
	t->msk = cnt - 1;
	atomic_store_explicit(&t->epoch, 1, memory_order_relaxed);
	for (uint32_t i = 0; i < MSG_CNT; i++)
		atomic_store_explicit(&t->msg[i].seq, i, memory_order_relaxed);
	*out = t;
	return 0;
}

void
plx_neigh_free(struct plx_neigh *n)
{
	free(n);
}

uint32_t
plx_neigh_epoch(const struct plx_neigh *t)
{
	/* pairs with the release in bump() */
	return atomic_load_explicit(&t->epoch, memory_order_acquire);
}

/* Copies an entry; false when the writer is in it. */
static bool
read_entry(const struct entry *e, struct key *k, uint64_t *val)
{
	uint32_t seq = atomic_load_explicit(&e->seq, memory_order_acquire);

	/* These pair with the release stores in write_entry(): seeing one of them means seeing
	 * the odd seq before it. */
	k->ip[0] = atomic_load_explicit(&e->ip[0], memory_order_acquire);
	k->ip[1] = atomic_load_explicit(&e->ip[1], memory_order_acquire);
	*val = atomic_load_explicit(&e->val, memory_order_acquire);
	k->family = (uint8_t)(*val >> 56);
	return (seq & 1) == 0 && atomic_load_explicit(&e->seq, memory_order_relaxed) == seq;
}

/* Finds the entry of a key; its value goes to *val. Any thread. */
static const struct entry *
lookup(const struct plx_neigh *t, const struct key *key, uint64_t *val)
{
	uint32_t h = hash_of(key);

	for (uint32_t i = 0; i < WINDOW; i++) {
		const struct entry *e = &t->entry[(h + i) & t->msk];
		struct key k;
		unsigned tries = READ_TRIES;
		bool ok;

		do {
			ok = read_entry(e, &k, val);
		} while (!ok && --tries > 0);
		if (ok && k.family == key->family && k.ip[0] == key->ip[0] &&
		    k.ip[1] == key->ip[1])
			return e;
	}
	return NULL;
}

enum plx_neigh_state
plx_neigh_peek(const struct plx_neigh *t, const struct plx_addr *ip)
{
	struct key key = key_of(ip);
	uint64_t val;

	return lookup(t, &key, &val) != NULL ? state_of(val) : PLX_NEIGH_FREE;
}

enum plx_neigh_state
plx_neigh_find(struct plx_neigh *t, const struct plx_addr *ip, uint8_t mac[6])
{
	struct key key = key_of(ip);
	const struct entry *e;
	enum plx_neigh_state s;
	uint64_t val;

	e = lookup(t, &key, &val);
	if (e == NULL)
		return PLX_NEIGH_FREE;
	memcpy(mac, &val, 6);
	s = state_of(val);
	if (s == PLX_NEIGH_STALE) {
		/* A hint: should the slot have changed hands, a neighbour is probed once more. */
		struct entry *w = &t->entry[e - t->entry];

		if (atomic_load_explicit(&w->wanted, memory_order_relaxed) == 0)
			atomic_store_explicit(&w->wanted, 1, memory_order_relaxed);
	}
	return s;
}

int
plx_neigh_post(struct plx_neigh *t, enum plx_neigh_op op, const struct plx_addr *ip,
               const uint8_t *mac)
{
	uint32_t tail = atomic_load_explicit(&t->tail, memory_order_relaxed);
	struct msg *m;

	for (;;) {
		int32_t turn;

		m = &t->msg[tail & MSG_MSK];
		/* pairs with the release in next_msg(): the cell was read before it is reused */
		turn = (int32_t)(atomic_load_explicit(&m->seq, memory_order_acquire) -
		                 tail);
		if (turn < 0)
			return PLX_E_FULL;
		if (turn > 0)
			tail = atomic_load_explicit(&t->tail, memory_order_relaxed);
		else if (atomic_compare_exchange_weak_explicit(&t->tail, &tail, tail + 1,
		                                               memory_order_relaxed,
		                                               memory_order_relaxed))
			break;
	}
	m->op = (uint8_t)op;
	m->ip = *ip;
	m->has_mac = mac != NULL;
	if (mac != NULL)
		memcpy(m->mac, mac, 6);
	/* pairs with the acquire in plx_neigh_pending() */
	atomic_store_explicit(&m->seq, tail + 1, memory_order_release);
	return 0;
}

bool
plx_neigh_pending(const struct plx_neigh *t)
{
	const struct msg *m = &t->msg[t->head & MSG_MSK];

	return atomic_load_explicit(&m->seq, memory_order_acquire) == t->head + 1;
}

static void
bump(struct plx_neigh *t)
{
	uint32_t e = atomic_load_explicit(&t->epoch, memory_order_relaxed) + 1;

	/* 0 is the epoch of templates that were never made */
	atomic_store_explicit(&t->epoch, e != 0 ? e : 1, memory_order_release);
}

static void
write_entry(struct entry *e, const struct key *k, uint64_t val)
{
	uint32_t seq = atomic_load_explicit(&e->seq, memory_order_relaxed);

	atomic_store_explicit(&e->seq, seq + 1, memory_order_relaxed);
	atomic_store_explicit(&e->ip[0], k->ip[0], memory_order_release);
	atomic_store_explicit(&e->ip[1], k->ip[1], memory_order_release);
	atomic_store_explicit(&e->val, val, memory_order_release);
	atomic_store_explicit(&e->seq, seq + 2, memory_order_release);
}

static uint64_t
val_of(const struct entry *e)
{
	return atomic_load_explicit(&e->val, memory_order_relaxed);
}

/* Changes the state and keeps address and MAC. */
static void
set_state(struct entry *e, enum plx_neigh_state s)
{
	uint64_t val = val_of(e) & ~(UINT64_C(0xff) << 48);

	atomic_store_explicit(&e->wanted, 0, memory_order_relaxed);
	/* One word: it needs no sequence, address and family stay. */
	atomic_store_explicit(&e->val, val | (uint64_t)s << 48, memory_order_release);
}

static void
clear_entry(struct plx_neigh *t, struct entry *e)
{
	static const struct key none;

	write_entry(e, &none, 0);
	bump(t);
}

/*
 * A slot for a new address. What nobody uses makes way: failed entries, then the stale one that
 * is longest unused. An entry in use makes way for none: who floods the link gains nothing.
 */
static struct entry *
take_slot(struct plx_neigh *t, const struct key *key)
{
	uint32_t h = hash_of(key);
	struct entry *old = NULL;

	for (uint32_t i = 0; i < WINDOW; i++) {
		struct entry *e = &t->entry[(h + i) & t->msk];
		enum plx_neigh_state s = state_of(val_of(e));

		if (s == PLX_NEIGH_FREE)
			return e;
		if (s == PLX_NEIGH_FAILED)
			old = e;
		else if (s == PLX_NEIGH_STALE &&
		         (old == NULL || old->since_ns > e->since_ns))
			old = e;
	}
	if (old != NULL)
		clear_entry(t, old);
	return old;
}

static void
put_probe(const struct entry *e, const uint8_t mac[6], struct plx_neigh_probe *out)
{
	uint64_t ip[2] = {atomic_load_explicit(&e->ip[0], memory_order_relaxed),
	                  atomic_load_explicit(&e->ip[1], memory_order_relaxed)};

	memset(out, 0, sizeof(*out));
	memcpy(out->ip.ip, ip, sizeof(ip));
	out->ip.family = (uint8_t)(val_of(e) >> 56);
	memcpy(out->mac, mac, 6);
}

/* Begins to resolve: the first request to everybody. */
static void
start_resolve(struct entry *e, uint64_t now_ns, struct plx_neigh_probe *out)
{
	static const uint8_t everybody[6];

	set_state(e, PLX_NEIGH_INCOMPLETE);
	e->tries = 1;
	e->due_ns = now_ns + PLX_NEIGH_PROBE_NS;
	put_probe(e, everybody, out);
}

/* @return requests written to out, 0 or 1 */
static uint16_t
apply_want(struct plx_neigh *t, const struct key *key, uint64_t now_ns,
           struct plx_neigh_probe *out)
{
	static const uint8_t no_mac[6];
	struct entry *e;
	uint64_t val;

	if (lookup(t, key, &val) != NULL)
		return 0;
	e = take_slot(t, key);
	if (e == NULL)
		return 0;
	write_entry(e, key, pack(no_mac, PLX_NEIGH_INCOMPLETE, key->family));
	start_resolve(e, now_ns, out);
	return 1;
}

static void
apply_mac(struct plx_neigh *t, const struct msg *m, const struct key *key, uint64_t now_ns)
{
	const bool reply = m->op == PLX_NEIGH_REPLY;
	const struct entry *found;
	enum plx_neigh_state was = PLX_NEIGH_FREE, next;
	struct entry *e;
	uint64_t val;
	bool same;

	found = lookup(t, key, &val);
	if (found != NULL) {
		e = &t->entry[found - t->entry];
		was = state_of(val);
	} else {
		/* Replies and announcements of strangers are none of our business. */
		e = m->op == PLX_NEIGH_LEARN ? take_slot(t, key) : NULL;
		if (e == NULL)
			return;
		val = 0;
	}
	if (!m->has_mac && !plx_neigh_usable(was))
		return;
	same = !m->has_mac || memcmp(&val, m->mac, 6) == 0;
	if (same && plx_neigh_usable(was) && !reply)
		return;
	next = reply ? PLX_NEIGH_REACHABLE : PLX_NEIGH_STALE;
	if (m->has_mac)
		write_entry(e, key, pack(m->mac, next, key->family));
	else
		set_state(e, next);
	atomic_store_explicit(&e->wanted, 0, memory_order_relaxed);
	e->since_ns = now_ns;
	if (was != PLX_NEIGH_FREE && (!same || !plx_neigh_usable(was)))
		bump(t);
}

uint16_t
plx_neigh_take(struct plx_neigh *t, uint64_t now_ns, struct plx_neigh_probe *out)
{
	uint16_t cnt = 0;

	while (cnt < PLX_NEIGH_BURST && plx_neigh_pending(t)) {
		struct msg *m = &t->msg[t->head & MSG_MSK];
		struct key key = key_of(&m->ip);

		if (m->op == PLX_NEIGH_WANT)
			cnt = (uint16_t)(cnt + apply_want(t, &key, now_ns, &out[cnt]));
		else
			apply_mac(t, m, &key, now_ns);
		/* gives the cell to the producer one round later; pairs with plx_neigh_post() */
		atomic_store_explicit(&m->seq, t->head + MSG_CNT, memory_order_release);
		t->head++;
	}
	return cnt;
}

/* The next probe of an entry that is being asked, or the end of asking. */
static uint16_t
age_asked(struct plx_neigh *t, struct entry *e, uint64_t now_ns,
          struct plx_neigh_probe *out)
{
	uint64_t val = val_of(e);
	uint8_t mac[6] = {0};

	if (now_ns < e->due_ns)
		return 0;
	if (e->tries < PLX_NEIGH_PROBES) {
		if (state_of(val) == PLX_NEIGH_PROBE)
			memcpy(mac, &val, 6);
		e->tries++;
		e->due_ns = now_ns + PLX_NEIGH_PROBE_NS;
		put_probe(e, mac, out);
		return 1;
	}
	if (state_of(val) == PLX_NEIGH_PROBE) {
		/* The machine may have moved to another MAC: ask everybody. */
		start_resolve(e, now_ns, out);
		bump(t);
		return 1;
	}
	set_state(e, PLX_NEIGH_FAILED);
	e->due_ns = now_ns + PLX_NEIGH_FAILED_NS;
	bump(t);
	return 0;
}

static uint16_t
age_entry(struct plx_neigh *t, struct entry *e, uint64_t now_ns,
          struct plx_neigh_probe *out)
{
	uint64_t val = val_of(e);
	uint8_t mac[6];

	switch (state_of(val)) {
	case PLX_NEIGH_INCOMPLETE:
	case PLX_NEIGH_PROBE:
		return age_asked(t, e, now_ns, out);
	case PLX_NEIGH_REACHABLE:
		if (now_ns - e->since_ns >= PLX_NEIGH_REACHABLE_NS) {
			set_state(e, PLX_NEIGH_STALE);
			e->since_ns = now_ns;
			bump(t);
		}
		return 0;
	case PLX_NEIGH_STALE:
		if (atomic_load_explicit(&e->wanted, memory_order_relaxed) != 0) {
			memcpy(mac, &val, 6);
			set_state(e, PLX_NEIGH_PROBE);
			e->tries = 1;
			e->due_ns = now_ns + PLX_NEIGH_PROBE_NS;
			put_probe(e, mac, out);
			return 1;
		}
		if (now_ns - e->since_ns >= PLX_NEIGH_STALE_NS)
			clear_entry(t, e);
		return 0;
	case PLX_NEIGH_FAILED:
		if (now_ns >= e->due_ns)
			clear_entry(t, e);
		return 0;
	default:
		return 0;
	}
}

uint16_t
plx_neigh_age(struct plx_neigh *t, uint64_t now_ns, struct plx_neigh_probe *out)
{
	uint16_t cnt = 0;

	/* Goes on where a full answer stopped it, so that no entry starves. */
	for (uint32_t i = 0; i <= t->msk && cnt < PLX_NEIGH_BURST; i++) {
		struct entry *e = &t->entry[t->age_pos];

		cnt = (uint16_t)(cnt + age_entry(t, e, now_ns, &out[cnt]));
		t->age_pos = (t->age_pos + 1) & t->msk;
	}
	return cnt;
}

void
plx_neigh_recheck(struct plx_neigh *t, uint64_t now_ns)
{
	for (uint32_t i = 0; i <= t->msk; i++) {
		struct entry *e = &t->entry[i];

		switch (state_of(val_of(e))) {
		case PLX_NEIGH_REACHABLE:
			set_state(e, PLX_NEIGH_STALE);
			e->since_ns = now_ns;
			break;
		case PLX_NEIGH_INCOMPLETE:
		case PLX_NEIGH_PROBE:
			/* Questions into a dead link count for nothing. */
			e->tries = 0;
			e->due_ns = now_ns;
			break;
		case PLX_NEIGH_FAILED:
			clear_entry(t, e);
			break;
		default:
			break;
		}
	}
	/* Templates are looked up once more, which is what starts the probes. */
	bump(t);
}
