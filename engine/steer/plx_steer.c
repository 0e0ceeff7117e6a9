/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_steer.h"

#include <string.h>

#include <openssl/crypto.h>

#include "plx_aes_pvt.h"
#include "plx_bug.h"
#include "plx_first_pvt.h"
#include "plx_rand.h"
#include "plx_wire.h"

#define CID_REST   18   /* bytes behind the first octet, which the first octet says */
#define WORD_CHECK 0xa5 /* last byte = bucket ^ this */
#define SLOTS_MAX  ((UINT32_C(1) << 24) - 2)
#define HOPS_MAX   2

#define VERSION_1 UINT32_C(0x00000001)
#define VERSION_2 UINT32_C(0x6b3343cf)

/* RFC 9000 section 10.3: the least a stateless reset, and so any packet to us, can be. */
#define SHORT_LEN_MIN 21
/* RFC 8999 section 5.1: flags, version, two lengths. */
#define LONG_LEN_MIN  7

#define FORM_LONG 0x80
#define FIXED_BIT 0x40

PLX_STATIC_ASSERT(CID_REST == PLX_CID_LEN - 1, "the first octet counts the rest");
PLX_STATIC_ASSERT(SHORT_LEN_MIN >= 1 + PLX_CID_LEN, "a short header holds an ID of ours");

/* Which generation lives in a slot. */
struct slot_gen {
	uint32_t epoch; /* the epoch its IDs carry */
	uint16_t gen;   /* 0 = free */
	uint16_t pad;
};

struct plx_steer {
	/* Read for every datagram, never written after init. */
	struct plx_aes aes;
	struct slot_gen *gens;          /* cfg.slots entries */
	struct plx_first_bucket *first; /* PLX_FIRST_BUCKETS entries */
	/* What a block of ours holds for certain, as two words of memory order: the server id in
	 * front, zeros at the end. */
	uint64_t want, want_msk, zero_msk;
	uint8_t first_octet;
	uint8_t bucket_cnt; /* buckets of this worker, 0 stands for 256 */
	struct plx_steer_cfg cfg;
	struct plx_obs *obs;
	/* Read when an ID is issued or a reset is sent. */
	uint32_t epoch; /* for slots taken from now on */
	struct plx_aes token_aes;
};

/* What the version-independent part of a header says. */
struct view {
	const uint8_t *id; /* destination connection ID */
	uint8_t id_len;
	bool is_long;
	bool is_vn; /* Version Negotiation */
	bool ours;  /* looks like an ID of ours; after decryption: is one */
};

static inline uint64_t
hash_of(const struct plx_steer *st, const uint8_t *p, size_t len)
{
	return plx_siphash24(st->cfg.hash_key, p, len);
}

size_t
plx_steer_align(void)
{
	return PLX_CACHE_LINE;
}

static bool
accepts(const struct plx_steer_cfg *cfg)
{
	return cfg->server_id_len >= 1 && cfg->server_id_len <= 4 && cfg->config_id <= 6 &&
	       cfg->worker_cnt >= 1 && cfg->worker_cnt <= PLX_WORKERS_MAX &&
	       cfg->worker < cfg->worker_cnt && cfg->slots >= 1 && cfg->slots <= SLOTS_MAX;
}

size_t
plx_steer_footprint(const struct plx_steer_cfg *cfg)
{
	size_t sz;

	if (!accepts(cfg))
		return 0;
	sz = sizeof(struct plx_steer) +
	     sizeof(struct plx_first_bucket) * PLX_FIRST_BUCKETS +
	     sizeof(struct slot_gen) * cfg->slots;
	return (sz + PLX_CACHE_LINE - 1) & ~(size_t)(PLX_CACHE_LINE - 1);
}

/* The key of reset tokens: a block under the hash key, so that it is neither of the others. */
static int
token_init(struct plx_steer *st, const struct plx_steer_cfg *cfg)
{
	static const uint8_t label[PLX_AES_BLOCK] = "plx reset token";
	uint8_t key[PLX_AES_BLOCK];
	struct plx_aes from;
	int rc = plx_aes_init(&from, cfg->hash_key, cfg->portable);

	if (rc != 0)
		return rc;
	plx_aes_encrypt(&from, key, label);
	plx_aes_fini(&from);
	rc = plx_aes_init(&st->token_aes, key, cfg->portable);
	OPENSSL_cleanse(key, sizeof(key));
	return rc;
}

struct plx_steer *
plx_steer_init(void *mem, const struct plx_steer_cfg *cfg, struct plx_obs *obs)
{
	size_t sz = plx_steer_footprint(cfg);
	struct plx_steer *st = mem;

	if (sz == 0)
		return NULL;
	PLX_BUG_ON((uintptr_t)mem % PLX_CACHE_LINE != 0);
	memset(mem, 0, sz);
	if (plx_aes_init(&st->aes, cfg->key, cfg->portable) != 0)
		return NULL;
	if (token_init(st, cfg) != 0) {
		plx_aes_fini(&st->aes);
		return NULL;
	}
	st->cfg = *cfg;
	st->obs = obs;
	st->epoch = cfg->epoch;
	memcpy(&st->want, cfg->server_id, cfg->server_id_len);
	memset(&st->want_msk, 0xff, cfg->server_id_len);
	memset((uint8_t *)&st->zero_msk + 4 + cfg->server_id_len, 0xff,
	       4 - cfg->server_id_len);
	st->first_octet = (uint8_t)(cfg->config_id << 5 | CID_REST);
	/* Bucket b belongs to worker b mod worker_cnt. */
	st->bucket_cnt = (uint8_t)((PLX_CID_BUCKETS - cfg->worker + cfg->worker_cnt - 1) /
	                           cfg->worker_cnt);
	st->first = (struct plx_first_bucket *)(st + 1);
	st->gens = (struct slot_gen *)(st->first + PLX_FIRST_BUCKETS);
	return st;
}

void
plx_steer_fini(struct plx_steer *st)
{
	if (st == NULL)
		return;
	plx_aes_fini(&st->aes);
	plx_aes_fini(&st->token_aes);
	OPENSSL_cleanse(st, sizeof(*st));
}

void
plx_steer_set_gen(struct plx_steer *st, uint32_t slot, uint16_t gen)
{
	PLX_BUG_ON(slot >= st->cfg.slots);
	st->gens[slot] = (struct slot_gen){.epoch = st->epoch, .gen = gen};
}

void
plx_steer_set_epoch(struct plx_steer *st, uint32_t epoch)
{
	st->epoch = epoch;
}

void
plx_steer_make_cid(struct plx_steer *st, uint32_t slot, uint16_t gen, uint16_t seq,
                   uint8_t cid[PLX_CID_LEN])
{
	uint8_t block[PLX_AES_BLOCK] = {0};
	uint8_t *p = block;
	uint32_t epoch = st->epoch;
	uint8_t bucket;
	uint64_t h;

	PLX_BUG_ON(slot >= st->cfg.slots && slot != PLX_CID_SLOT_RETRY);
	/* A connection keeps the epoch in which its slot was taken. */
	if (slot < st->cfg.slots && st->gens[slot].gen == gen && gen != 0)
		epoch = st->gens[slot].epoch;
	memcpy(p, st->cfg.server_id, st->cfg.server_id_len);
	p += st->cfg.server_id_len;
	plx_st32_be(p, (uint32_t)st->cfg.worker << 24 | slot);
	plx_st16_be(p + 4, gen);
	plx_st16_be(p + 6, seq);
	plx_st32_be(p + 8, epoch);

	cid[0] = st->first_octet;
	plx_aes_encrypt(&st->aes, cid + 1, block);
	/* Any bucket of ours, another for each ID: a fixed one would link the IDs of a
	 * connection. The choice needs no random source, the block is one. */
	h = hash_of(st, cid + 1, PLX_AES_BLOCK);
	bucket =
	        (uint8_t)(st->cfg.worker +
	                  st->cfg.worker_cnt * (((h & 0xffff) *
	                                         (st->bucket_cnt != 0 ? st->bucket_cnt
	                                                              : PLX_CID_BUCKETS)) >>
	                                        16));
	if (st->cfg.masked)
		bucket ^= (uint8_t)(h >> 32);
	cid[17] = bucket;
	cid[18] = bucket ^ WORD_CHECK;
}

/* May these 19 bytes be an ID of ours? The cheap half of the answer. */
static inline bool
looks_ours(const struct plx_steer *st, const uint8_t *cid)
{
	return cid[0] == st->first_octet && cid[18] == (cid[17] ^ WORD_CHECK);
}

/* The other half: what the decrypted block says. */
static inline bool
read_block(const struct plx_steer *st, const uint8_t block[PLX_AES_BLOCK],
           struct plx_cid_info *out)
{
	const uint8_t *p = block + st->cfg.server_id_len;
	uint64_t w[2];
	uint32_t head, mid;

	memcpy(w, block, sizeof(w));
	if (plx_unlikely((((w[0] ^ st->want) & st->want_msk) | (w[1] & st->zero_msk)) != 0))
		return false;
	head = plx_ld32_be(p);
	mid = plx_ld32_be(p + 4);
	out->worker = (uint8_t)(head >> 24);
	out->slot = head & 0xffffff;
	out->gen = (uint16_t)(mid >> 16);
	out->seq = (uint16_t)mid;
	out->epoch = plx_ld32_be(p + 8);
	return true;
}

bool
plx_steer_decode(const struct plx_steer *st, const uint8_t *cid, size_t len,
                 struct plx_cid_info *out)
{
	uint8_t block[1][PLX_AES_BLOCK];
	const uint8_t *src;

	if (len != PLX_CID_LEN || !looks_ours(st, cid))
		return false;
	src = cid + 1;
	plx_aes_decrypt_burst(&st->aes, block, &src, 1);
	return read_block(st, block[0], out);
}

static inline void
drop(struct plx_dgram *dg, enum plx_drop why)
{
	dg->verdict = PLX_VERDICT_DROP;
	dg->drop = (uint16_t)why;
}

static inline void
give(struct plx_dgram *dg, uint32_t slot, uint32_t cid_seq)
{
	dg->verdict = PLX_VERDICT_CONN;
	dg->slot = slot;
	dg->cid_seq = cid_seq;
}

static void
hand_over(struct plx_dgram *dg, uint8_t worker)
{
	if (dg->hops >= HOPS_MAX) {
		drop(dg, PLX_DROP_STEER_HOPS);
		return;
	}
	dg->verdict = PLX_VERDICT_OTHER;
	dg->worker = worker;
}

/*
 * RFC 8999 section 5.1:
 *
 *     0      form bit, 7 bits of the version's
 *     1..4   version
 *     5      length of the destination ID, n
 *     6..    destination ID
 *     6+n    length of the source ID, and the ID
 */
static enum plx_drop
view_long(const struct plx_dgram *dg, struct view *v)
{
	const uint8_t *p = dg->data;
	size_t left = dg->len;
	uint32_t version;
	uint8_t scid_len;
	bool bounded;

	if (left < LONG_LEN_MIN)
		return PLX_DROP_STEER_SHORT;
	version = plx_ld32_be(p + 1);
	v->is_long = true;
	v->is_vn = version == 0;
	/* The bit means nothing in Version Negotiation (RFC 9000 section 17.2.1). */
	if (!v->is_vn && (p[0] & FIXED_BIT) == 0)
		return PLX_DROP_STEER_FIXED_BIT;
	/* Other versions may have IDs of up to 255 bytes, and get an answer that holds them.
	 * Version Negotiation echoes ours, which are never that long. */
	bounded = v->is_vn || version == VERSION_1 || version == VERSION_2;
	v->id = p + 6;
	v->id_len = p[5];
	if (bounded && v->id_len > PLX_FIRST_ID_MAX)
		return PLX_DROP_STEER_CID_LEN;
	left -= 6;
	if (left < (size_t)v->id_len + 1)
		return PLX_DROP_STEER_SHORT;
	scid_len = v->id[v->id_len];
	left -= (size_t)v->id_len + 1;
	/* In Version Negotiation the source ID is the server's echo of what we sent. */
	if (bounded && scid_len > PLX_FIRST_ID_MAX)
		return PLX_DROP_STEER_CID_LEN;
	return left < scid_len ? PLX_DROP_STEER_SHORT : PLX_DROP_NONE;
}

static enum plx_drop
view_of(const struct plx_dgram *dg, struct view *v)
{
	v->is_long = false;
	v->is_vn = false;
	v->ours = false;
	if (dg->len < 1)
		return PLX_DROP_STEER_SHORT;
	if ((dg->data[0] & FORM_LONG) != 0)
		return view_long(dg, v);
	if ((dg->data[0] & FIXED_BIT) == 0)
		return PLX_DROP_STEER_FIXED_BIT;
	if (dg->len < SHORT_LEN_MIN)
		return PLX_DROP_STEER_SHORT;
	v->id = dg->data + 1;
	v->id_len = PLX_CID_LEN;
	return PLX_DROP_NONE;
}

/* A long header whose ID belongs to this worker's handshakes, or to nobody yet. */
static void
decide_first(struct plx_steer *st, struct plx_dgram *dg, const struct view *v, uint64_t h)
{
	int64_t slot = -1;

	if (v->id_len != 0 && v->id_len <= PLX_FIRST_ID_MAX)
		slot = plx_first_find(st->first, h, v->id, v->id_len);
	if (slot >= 0)
		give(dg, (uint32_t)slot, 0);
	else
		dg->verdict = PLX_VERDICT_NEW;
}

static void
decide_ours(struct plx_steer *st, struct plx_dgram *dg, const struct view *v,
            const struct plx_cid_info *info)
{
	const struct slot_gen *g;

	/* IDs of an earlier boot may name workers and slots that are no more. */
	if (info->worker >= st->cfg.worker_cnt)
		goto stale;
	if (info->worker != st->cfg.worker) {
		hand_over(dg, info->worker);
		return;
	}
	if (info->slot == PLX_CID_SLOT_RETRY && v->is_long && !v->is_vn) {
		decide_first(st, dg, v, hash_of(st, v->id, v->id_len));
		return;
	}
	if (info->slot >= st->cfg.slots)
		goto stale;
	g = &st->gens[info->slot];
	if (g->gen == 0 || g->gen != info->gen || g->epoch != info->epoch)
		goto stale;
	give(dg, info->slot, info->seq);
	return;
stale:
	if (v->is_vn)
		drop(dg, PLX_DROP_QUIC_VERSION);
	else
		dg->verdict = PLX_VERDICT_RESET;
}

static void
decide_unknown(struct plx_steer *st, struct plx_dgram *dg, const struct view *v)
{
	uint64_t h;
	uint8_t owner;

	if (!v->is_long) {
		dg->verdict = PLX_VERDICT_RESET;
		return;
	}
	/* It answers nobody here, and must never be answered itself. */
	if (v->is_vn) {
		drop(dg, PLX_DROP_QUIC_VERSION);
		return;
	}
	h = hash_of(st, v->id, v->id_len);
	/* A number below worker_cnt from the upper half, without a division. */
	owner = (uint8_t)((h >> 32) * st->cfg.worker_cnt >> 32);
	if (st->cfg.first_local || dg->hops > 0 || owner == st->cfg.worker)
		decide_first(st, dg, v, h);
	else
		hand_over(dg, owner);
}

/* Decrypts the IDs that may be ours; what the blocks say goes to info, by view. */
static void
read_blocks(struct plx_steer *st, struct view *view, struct plx_cid_info *info,
            uint16_t cnt)
{
	uint8_t block[PLX_BURST_MAX][PLX_AES_BLOCK];
	const uint8_t *src[PLX_BURST_MAX];
	uint8_t at[PLX_BURST_MAX];
	unsigned block_cnt = 0;

	for (uint16_t i = 0; i < cnt; i++) {
		if (!view[i].ours)
			continue;
		at[block_cnt] = (uint8_t)i;
		src[block_cnt++] = view[i].id + 1;
	}
	if (block_cnt == 0)
		return;
	plx_aes_decrypt_burst(&st->aes, block, src, block_cnt);
	for (unsigned k = 0; k < block_cnt; k++) {
		struct view *v = &view[at[k]];

		v->ours = read_block(st, block[k], &info[at[k]]);
		/* With many connections this line is nowhere near; it comes while the rest of
		 * the burst is read. */
		if (plx_likely(v->ours && info[at[k]].slot < st->cfg.slots))
			__builtin_prefetch(&st->gens[info[at[k]].slot]);
	}
}

void
plx_steer_burst(struct plx_steer *st, struct plx_dgram *dg, uint16_t cnt)
{
	struct plx_cid_info info[PLX_BURST_MAX];
	struct view view[PLX_BURST_MAX];
	uint64_t first_cnt = 0;

	PLX_BUG_ON(cnt > PLX_BURST_MAX);
	for (uint16_t i = 0; i < cnt; i++) {
		struct view *v = &view[i];
		enum plx_drop why = view_of(&dg[i], v);

		dg[i].verdict = PLX_VERDICT_NONE;
		dg[i].drop = PLX_DROP_NONE;
		if (plx_unlikely(why != PLX_DROP_NONE))
			drop(&dg[i], why);
		else
			v->ours = v->id_len == PLX_CID_LEN && looks_ours(st, v->id);
	}
	read_blocks(st, view, info, cnt);
	for (uint16_t i = 0; i < cnt; i++) {
		if (plx_unlikely(dg[i].verdict == PLX_VERDICT_DROP))
			continue;
		if (plx_likely(view[i].ours))
			decide_ours(st, &dg[i], &view[i], &info[i]);
		else
			decide_unknown(st, &dg[i], &view[i]);
		first_cnt += dg[i].verdict == PLX_VERDICT_NEW;
	}
	if (first_cnt > 0 && st->obs != NULL)
		plx_obs_add(st->obs, PLX_COUNT_first_pkts, first_cnt);
}

int
plx_steer_first_add(struct plx_steer *st, const uint8_t *cid, size_t len, uint32_t slot)
{
	return plx_first_add(st->first, hash_of(st, cid, len), cid, len, slot);
}

void
plx_steer_first_del(struct plx_steer *st, const uint8_t *cid, size_t len)
{
	if (len <= PLX_FIRST_ID_MAX)
		plx_first_del(st->first, hash_of(st, cid, len), cid, len);
}

int64_t
plx_steer_first_find(const struct plx_steer *st, const uint8_t *cid, size_t len)
{
	if (len > PLX_FIRST_ID_MAX)
		return -1;
	return plx_first_find(st->first, hash_of(st, cid, len), cid, len);
}

void
plx_steer_reset_token(const struct plx_steer *st, const uint8_t *cid, size_t len,
                      uint8_t token[16])
{
	/* CBC-MAC over two blocks; the length in front makes no input the beginning of
	 * another, which is what that construction needs. */
	uint8_t in[2 * PLX_AES_BLOCK] = {0};

	PLX_BUG_ON(len > PLX_FIRST_ID_MAX);
	in[0] = (uint8_t)len;
	memcpy(in + 1, cid, len);
	plx_aes_encrypt(&st->token_aes, token, in);
	for (int i = 0; i < PLX_AES_BLOCK; i++)
		token[i] ^= in[PLX_AES_BLOCK + i];
	plx_aes_encrypt(&st->token_aes, token, token);
}
