/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_quic_pvt.h"

/*
 * Answers that need no connection. They wait in a small ring until the next transmit burst; when
 * it is full, or an answer is over its rate, the datagram is dropped and counted: every one of
 * them is something a spoofed source can ask for.
 */

/** A stateless reset looks like a short packet of this size where the trigger allows it. */
#define RESET_LEN_MAX 43
#define RESET_LEN_MIN (NGTCP2_MIN_STATELESS_RESET_RANDLEN + NGTCP2_STATELESS_RESET_TOKENLEN)

#define RETRY_TOKEN_LIFE_NS (15 * PLX_NS_PER_S)
#define NEW_TOKEN_LIFE_NS   (UINT64_C(14) * 86400 * PLX_NS_PER_S)

void
plx_bucket_init(struct plx_bucket *b, uint32_t per_s, uint32_t burst)
{
	*b = (struct plx_bucket){
	        .step_ns = PLX_NS_PER_S / per_s, .tokens = burst, .burst = burst};
}

bool
plx_bucket_take(struct plx_bucket *b, uint64_t now_ns)
{
	if (b->tokens < b->burst && now_ns - b->last_ns >= b->step_ns) {
		uint64_t n = (now_ns - b->last_ns) / b->step_ns;

		if (n >= b->burst - b->tokens) {
			b->tokens = b->burst;
			b->last_ns = now_ns;
		} else {
			b->tokens += (uint32_t)n;
			b->last_ns += n * b->step_ns;
		}
	}
	if (b->tokens == 0)
		return false;
	if (b->tokens == b->burst)
		b->last_ns = now_ns;
	b->tokens--;
	return true;
}

static struct plx_resp *
resp_next(struct plx_quic *q, const struct plx_path *path)
{
	struct plx_resp *r;

	if (q->resp_cnt == PLX_RESP_CNT || !plx_path_sane(path) ||
	    plx_path_reflects(path)) {
		plx_obs_drop(q->d.obs, PLX_DROP_QUIC_RESPONSE, 1);
		return NULL;
	}
	r = &q->resp[(q->resp_head + q->resp_cnt) % PLX_RESP_CNT];
	memset(&r->tx, 0, sizeof(r->tx));
	r->tx.path = *path;
	return r;
}

static void
resp_commit(struct plx_quic *q, struct plx_resp *r, size_t len)
{
	r->len = (uint16_t)len;
	q->resp_cnt++;
}

bool
plx_resp_put(struct plx_quic *q, const struct plx_path *path, const uint8_t *pkt,
             size_t len)
{
	struct plx_resp *r = len <= PLX_RESP_SZ ? resp_next(q, path) : NULL;

	if (r == NULL)
		return false;
	memcpy(r->buf, pkt, len);
	resp_commit(q, r, len);
	return true;
}

uint16_t
plx_resp_take(struct plx_quic *q, struct plx_txpkt *out, uint16_t cnt)
{
	uint16_t n = 0;

	while (n < cnt && q->resp_cnt > 0) {
		struct plx_resp *r = &q->resp[q->resp_head];

		memcpy(out[n].buf, r->buf, r->len);
		out[n].len = r->len;
		out[n].ecn = 0;
		out[n].tx = &r->tx;
		n++;
		q->resp_head = (uint16_t)((q->resp_head + 1) % PLX_RESP_CNT);
		q->resp_cnt--;
	}
	return n;
}

void
plx_stateless_vn(struct plx_quic *q, const struct plx_dgram *dg,
                 const ngtcp2_version_cid *vc)
{
	uint32_t versions[3] = {0, NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2};
	struct plx_resp *r;
	uint8_t grease[5];
	ngtcp2_ssize n;

	if (!plx_bucket_take(&q->vn_rate, q->now)) {
		plx_obs_drop(q->d.obs, PLX_DROP_QUIC_RESPONSE, 1);
		return;
	}
	r = resp_next(q, &dg->path);
	if (r == NULL)
		return;
	/* One reserved version keeps clients honest about versions they do not know. */
	plx_rand_bytes(q->d.rand, grease, sizeof(grease));
	memcpy(&versions[0], grease, 4);
	versions[0] =
	        (versions[0] & NGTCP2_RESERVED_VERSION_MASK) == NGTCP2_RESERVED_VERSION_MASK
	                ? versions[0]
	                : (versions[0] & UINT32_C(0xf0f0f0f0)) |
	                          NGTCP2_RESERVED_VERSION_MASK;
	n = ngtcp2_pkt_write_version_negotiation(r->buf, sizeof(r->buf), grease[4],
	                                         vc->scid, vc->scidlen, vc->dcid,
	                                         vc->dcidlen, versions, 3);
	if (n <= 0)
		return;
	resp_commit(q, r, (size_t)n);
	plx_obs_add(q->d.obs, PLX_COUNT_vn_sent, 1);
}

void
plx_stateless_retry(struct plx_quic *q, const struct plx_dgram *dg, const ngtcp2_pkt_hd *hd)
{
	uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
	struct plx_resp *r = resp_next(q, &dg->path);
	ngtcp2_path_storage ps;
	ngtcp2_cid scid;
	ngtcp2_ssize n;

	if (r == NULL)
		return;
	scid.datalen = PLX_CID_LEN;
	plx_steer_make_cid(q->d.steer, PLX_CID_SLOT_RETRY, (uint16_t)(q->retry_seq >> 16),
	                   (uint16_t)q->retry_seq, scid.data);
	q->retry_seq++;
	plx_path_to_ngtcp2(&ps, &dg->path);
	n = ngtcp2_crypto_generate_retry_token2(
	        token, q->cfg.token_key, sizeof(q->cfg.token_key), hd->version,
	        ps.path.remote.addr, ps.path.remote.addrlen, &scid, &hd->dcid, q->now);
	if (n > 0)
		n = ngtcp2_crypto_write_retry(r->buf, sizeof(r->buf), hd->version,
		                              &hd->scid, &scid, &hd->dcid, token,
		                              (size_t)n);
	if (n <= 0) {
		plx_obs_drop(q->d.obs, PLX_DROP_QUIC_RESPONSE, 1);
		return;
	}
	resp_commit(q, r, (size_t)n);
	plx_obs_add(q->d.obs, PLX_COUNT_retries_sent, 1);
}

/** For so long after a reset went to an address, nothing small from there is answered. */
#define RESET_QUIET_NS PLX_NS_PER_S

/*
 * To whom resets went: the place of an address, and whether its turn has come again. Two that
 * share a place forget each other, which costs the loop below a turn and nothing else.
 */
static struct plx_reset_seen *
reset_seen(struct plx_quic *q, const struct plx_addr *to, uint64_t *hash)
{
	*hash = plx_siphash24(q->srt_key, to, sizeof(*to));
	return &q->reset_seen[*hash % PLX_RESET_SEEN_CNT];
}

static bool
is_quiet(const struct plx_quic *q, const struct plx_reset_seen *s, uint64_t hash)
{
	return s->at_ns != 0 && s->hash == hash && q->now - s->at_ns < RESET_QUIET_NS;
}

/*
 * RFC 9000 section 10.3: shorter than what it answers, so that two endpoints that lost their
 * state cannot answer each other for ever. Section 10.3.3 leaves more to the endpoint: what is
 * small enough to be a reset itself is answered once a second for an address, so that it ends
 * after two packets and not after twenty.
 */
void
plx_stateless_reset(struct plx_quic *q, const struct plx_dgram *dg)
{
	ngtcp2_stateless_reset_token token;
	uint8_t rnd[RESET_LEN_MAX];
	size_t len = (size_t)dg->len - 1;
	struct plx_reset_seen *seen;
	struct plx_resp *r;
	uint64_t hash;
	ngtcp2_ssize n;

	if (dg->len <= RESET_LEN_MIN || (dg->data[0] & 0x80) != 0) {
		plx_obs_drop(q->d.obs, PLX_DROP_QUIC_UNKNOWN_CID, 1);
		return;
	}
	seen = reset_seen(q, &dg->path.remote, &hash);
	if (len > RESET_LEN_MAX)
		len = RESET_LEN_MAX;
	if ((dg->len <= RESET_LEN_MAX && is_quiet(q, seen, hash)) ||
	    !plx_bucket_take(&q->reset_rate, q->now)) {
		plx_obs_drop(q->d.obs, PLX_DROP_QUIC_RESPONSE, 1);
		return;
	}
	r = resp_next(q, &dg->path);
	if (r == NULL)
		return;
	plx_steer_reset_token(q->d.steer, dg->data + 1, PLX_CID_LEN, token.data);
	plx_rand_bytes(q->d.rand, rnd, len - NGTCP2_STATELESS_RESET_TOKENLEN);
	n = ngtcp2_pkt_write_stateless_reset2(r->buf, len, &token, rnd,
	                                      len - NGTCP2_STATELESS_RESET_TOKENLEN);
	if (n <= 0)
		return;
	resp_commit(q, r, (size_t)n);
	*seen = (struct plx_reset_seen){.hash = hash, .at_ns = q->now};
	plx_obs_add(q->d.obs, PLX_COUNT_resets_sent, 1);
}

void
plx_stateless_close(struct plx_quic *q, const struct plx_dgram *dg, const ngtcp2_pkt_hd *hd,
                    uint64_t code)
{
	struct plx_resp *r;
	ngtcp2_ssize n;

	if (!plx_bucket_take(&q->refuse_rate, q->now)) {
		plx_obs_drop(q->d.obs, PLX_DROP_QUIC_RESPONSE, 1);
		return;
	}
	r = resp_next(q, &dg->path);
	if (r == NULL)
		return;
	n = ngtcp2_crypto_write_connection_close(r->buf, sizeof(r->buf), hd->version,
	                                         &hd->scid, &hd->dcid, code, NULL, 0);
	if (n > 0)
		resp_commit(q, r, (size_t)n);
}

void
plx_token_check(struct plx_quic *q, const struct plx_dgram *dg, const ngtcp2_pkt_hd *hd,
                struct plx_token *out)
{
	ngtcp2_path_storage ps;

	*out = (struct plx_token){.type = NGTCP2_TOKEN_TYPE_UNKNOWN};
	if (hd->tokenlen == 0)
		return;
	plx_path_to_ngtcp2(&ps, &dg->path);
	switch (hd->token[0]) {
	case NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2:
		if (ngtcp2_crypto_verify_retry_token2(
		            &out->odcid, hd->token, hd->tokenlen, q->cfg.token_key,
		            sizeof(q->cfg.token_key), hd->version, ps.path.remote.addr,
		            ps.path.remote.addrlen, &hd->dcid, RETRY_TOKEN_LIFE_NS,
		            q->now) == 0)
			out->type = NGTCP2_TOKEN_TYPE_RETRY;
		else
			out->bad_retry = true;
		return;
	case NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR:
		if (ngtcp2_crypto_verify_regular_token(
		            hd->token, hd->tokenlen, q->cfg.token_key,
		            sizeof(q->cfg.token_key), ps.path.remote.addr,
		            ps.path.remote.addrlen, NEW_TOKEN_LIFE_NS, q->now) == 0)
			out->type = NGTCP2_TOKEN_TYPE_NEW_TOKEN;
		return;
	default:
		return; /* another server's: no proof, no offence */
	}
}

ngtcp2_ssize
plx_token_make(struct plx_conn *c, uint8_t *dst)
{
	const ngtcp2_path *np = &c->path[0].ps.path;

	return ngtcp2_crypto_generate_regular_token(
	        dst, c->q->cfg.token_key, sizeof(c->q->cfg.token_key), np->remote.addr,
	        np->remote.addrlen, c->q->now);
}
