/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <openssl/hmac.h>

#include "plx_rogue.h"

/* Packets of the misbehaving side: RFC 9000 section 17, RFC 9001 section 5. */

#define TAG_LEN 16
#define KEY_LEN 16
#define PN_LEN  4 /* always: the sample of header protection is then never short */

size_t
plx_rogue_varint(uint8_t *dst, uint64_t v)
{
	unsigned log = v < 64 ? 0 : v < 16384 ? 1 : v < (1u << 30) ? 2 : 3;
	size_t len = (size_t)1 << log;

	for (size_t i = 0; i < len; i++)
		dst[i] = (uint8_t)(v >> 8 * (len - 1 - i));
	dst[0] |= (uint8_t)(log << 6);
	return len;
}

void
plx_rogue_clear_keys(struct plx_rogue_keys *k)
{
	EVP_CIPHER_CTX_free(k->aead);
	EVP_CIPHER_CTX_free(k->hp);
	k->aead = k->hp = NULL;
}

bool
plx_rogue_set_keys(struct plx_rogue_keys *k, const uint8_t *secret, size_t len,
                   bool encrypt)
{
	struct plx_keys m;

	plx_rogue_clear_keys(k);
	k->aead = EVP_CIPHER_CTX_new();
	k->hp = EVP_CIPHER_CTX_new();
	if (plx_derive_keys(&m, NGTCP2_PROTO_VER_V1, plx_suite_of(0x1301), secret, len) !=
	    0)
		return false;
	memcpy(k->iv, m.iv, sizeof(k->iv));
	return EVP_CipherInit_ex(k->aead, EVP_aes_128_gcm(), NULL, m.key, NULL, encrypt) ==
	               1 &&
	       EVP_EncryptInit_ex(k->hp, EVP_aes_128_ecb(), NULL, m.hp, NULL) == 1;
}

bool
plx_rogue_initial_keys(struct plx_rogue *r, const uint8_t *dcid, size_t len)
{
	static const uint8_t salt[20] = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34,
	                                 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
	                                 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};
	struct plx_rogue_space *s = &r->sp[PLX_ROGUE_INITIAL];
	const char *ours = r->cfg.server ? "server in" : "client in";
	const char *theirs = r->cfg.server ? "client in" : "server in";
	uint8_t initial[32], side[32];

	HMAC(EVP_sha256(), salt, sizeof(salt), dcid, len, initial, NULL);
	if (plx_hkdf_expand_label(side, 32, false, initial, 32, ours) != 0 ||
	    !plx_rogue_set_keys(&s->tx, side, 32, true))
		return false;
	return plx_hkdf_expand_label(side, 32, false, initial, 32, theirs) == 0 &&
	       plx_rogue_set_keys(&s->rx, side, 32, false);
}

static void
nonce(uint8_t dst[PLX_AEAD_NONCE_LEN], const struct plx_rogue_keys *k, int64_t pn)
{
	memcpy(dst, k->iv, PLX_AEAD_NONCE_LEN);
	for (int i = 0; i < 8; i++)
		dst[PLX_AEAD_NONCE_LEN - 1 - i] ^= (uint8_t)(pn >> 8 * i);
}

static void
mask(uint8_t dst[16], const struct plx_rogue_keys *k, const uint8_t *sample)
{
	int n = 0;

	EVP_EncryptUpdate(k->hp, dst, &n, sample, 16);
}

/* Header up to the packet number. @return bytes; *length is where a long header's Length is */
static size_t
header(struct plx_rogue *r, const struct plx_rogue_pkt *pkt, uint8_t *out, uint8_t **length)
{
	static const uint8_t first[PLX_ROGUE_LEVELS] = {0xc0, 0xd0, 0xe0, 0x40};
	static const uint8_t version[4] = {0, 0, 0, 1};
	const uint8_t *dcid = pkt->dcid != NULL ? pkt->dcid : r->dcid;
	uint8_t dcid_len = pkt->dcid != NULL ? pkt->dcid_len : r->dcid_len;
	uint8_t *p = out;

	*length = NULL;
	if (pkt->level == PLX_ROGUE_1RTT) {
		*p++ = (uint8_t)(first[pkt->level] | pkt->reserved << 3 | (PN_LEN - 1));
		memcpy(p, dcid, dcid_len);
		return 1u + dcid_len;
	}
	*p++ = (uint8_t)(first[pkt->level] | pkt->reserved << 2 | (PN_LEN - 1));
	memcpy(p, version, sizeof(version));
	p += sizeof(version);
	*p++ = dcid_len;
	memcpy(p, dcid, dcid_len);
	p += dcid_len;
	*p++ = PLX_ROGUE_CID_LEN;
	memcpy(p, r->scid, PLX_ROGUE_CID_LEN);
	p += PLX_ROGUE_CID_LEN;
	if (pkt->level == PLX_ROGUE_INITIAL) {
		const uint8_t *token = pkt->token != NULL ? pkt->token : r->token;
		size_t len = pkt->token != NULL ? pkt->token_len : r->token_len;

		p += plx_rogue_varint(p, len);
		memcpy(p, token, len);
		p += len;
	}
	*length = p;
	return (size_t)(p + 2 - out);
}

size_t
plx_rogue_seal(struct plx_rogue *r, const struct plx_rogue_pkt *pkt, uint8_t *out,
               size_t cap)
{
	struct plx_rogue_space *s = &r->sp[pkt->level];
	struct plx_rogue_keys *k = &s->tx;
	int64_t pn = pkt->pn_given ? pkt->pn : s->next_pn++;
	uint8_t plain[1500], iv[PLX_AEAD_NONCE_LEN], m[16], *length, *body;
	size_t hdr, len = pkt->len;
	int n = 0;

	if (k->aead == NULL || pkt->token_len > 1300)
		return 0;
	hdr = header(r, pkt, out, &length) + PN_LEN;
	if (hdr + len + TAG_LEN < pkt->pad_to)
		len = pkt->pad_to - hdr - TAG_LEN;
	if (len > sizeof(plain) || hdr + len + TAG_LEN > cap)
		return 0;
	memset(plain, 0, len);
	if (pkt->len > 0)
		memcpy(plain, pkt->frames, pkt->len);
	if (length != NULL) {
		unsigned v = (unsigned)((int)(PN_LEN + len + TAG_LEN) + pkt->length_lie);

		length[0] = (uint8_t)(0x40 | v >> 8);
		length[1] = (uint8_t)v;
	}
	for (int i = 0; i < PN_LEN; i++)
		out[hdr - 1 - (size_t)i] = (uint8_t)(pn >> 8 * i);
	body = out + hdr;
	nonce(iv, k, pn);
	EVP_EncryptInit_ex(k->aead, NULL, NULL, NULL, iv);
	EVP_EncryptUpdate(k->aead, NULL, &n, out, (int)hdr);
	if (len > 0)
		EVP_EncryptUpdate(k->aead, body, &n, plain, (int)len);
	EVP_EncryptFinal_ex(k->aead, body + len, &n);
	EVP_CIPHER_CTX_ctrl(k->aead, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, body + len);
	mask(m, k,
	     body); /* the sample begins four bytes behind the packet number's first */
	out[0] ^= m[0] & (length != NULL ? 0x0f : 0x1f);
	for (int i = 0; i < PN_LEN; i++)
		out[hdr - PN_LEN + (size_t)i] ^= m[1 + i];
	return hdr + len + TAG_LEN;
}

/* Opening. */

uint64_t
plx_rogue_get(struct plx_rogue_reader *rd)
{
	uint64_t v;
	size_t len = rd->p < rd->end ? (size_t)1 << (*rd->p >> 6) : 1;

	if ((size_t)(rd->end - rd->p) < len) {
		rd->bad = true;
		rd->p = rd->end;
		return 0;
	}
	v = *rd->p++ & 0x3f;
	while (--len > 0)
		v = v << 8 | *rd->p++;
	return v;
}

const uint8_t *
plx_rogue_take(struct plx_rogue_reader *rd, uint64_t len)
{
	const uint8_t *p = rd->p;

	if ((uint64_t)(rd->end - rd->p) < len) {
		rd->bad = true;
		rd->p = rd->end;
		return NULL;
	}
	rd->p += len;
	return p;
}

/* RFC 9000 appendix A.3. */
static int64_t
full_pn(int64_t largest, uint32_t cut, unsigned len)
{
	int64_t win = INT64_C(1) << 8 * len, expected = largest + 1;
	int64_t v = (expected & ~(win - 1)) | (int64_t)cut;

	if (v <= expected - win / 2)
		return v + win;
	return v > expected + win / 2 && v >= win ? v - win : v;
}

static void
decrypt(struct plx_rogue *r, const uint8_t *pkt, size_t hdr, size_t len,
        struct plx_rogue_opened *o)
{
	struct plx_rogue_space *s = &r->sp[o->level];
	uint8_t h[128], m[16], iv[PLX_AEAD_NONCE_LEN];
	uint32_t cut = 0;
	unsigned pn_len;
	int n = 0, fin = 0;

	if (s->rx.aead == NULL || len < hdr + 4 + TAG_LEN || hdr + 4 > sizeof(h))
		return;
	memcpy(h, pkt, hdr + 4);
	mask(m, &s->rx, pkt + hdr + 4);
	h[0] ^= m[0] & ((h[0] & 0x80) != 0 ? 0x0f : 0x1f);
	pn_len = (h[0] & 3u) + 1;
	for (unsigned i = 0; i < pn_len; i++) {
		h[hdr + i] ^= m[1 + i];
		cut = cut << 8 | h[hdr + i];
	}
	o->pn = full_pn(s->largest, cut, pn_len);
	hdr += pn_len;
	len -= hdr + TAG_LEN;
	nonce(iv, &s->rx, o->pn);
	EVP_DecryptInit_ex(s->rx.aead, NULL, NULL, NULL, iv);
	memcpy(m, pkt + hdr + len, TAG_LEN);
	EVP_CIPHER_CTX_ctrl(s->rx.aead, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, m);
	EVP_DecryptUpdate(s->rx.aead, NULL, &n, h, (int)hdr);
	EVP_DecryptUpdate(s->rx.aead, o->payload, &n, pkt + hdr, (int)len);
	if (EVP_DecryptFinal_ex(s->rx.aead, o->payload + n, &fin) == 1)
		o->len = len;
	else
		r->bad++;
}

/* What a Retry says: its SCID and token are the next Initial's. */
static void
take_retry(struct plx_rogue *r, const uint8_t *scid, size_t scid_len,
           const struct plx_rogue_reader *rd)
{
	size_t len = (size_t)(rd->end - rd->p);

	r->retries++;
	if (len <= TAG_LEN || len - TAG_LEN > sizeof(r->token) ||
	    scid_len > sizeof(r->dcid) || r->token_len > 0)
		return;
	r->token_len = len - TAG_LEN;
	memcpy(r->token, rd->p, r->token_len);
	memcpy(r->dcid, scid, scid_len);
	r->dcid_len = (uint8_t)scid_len;
	plx_rogue_initial_keys(r, r->dcid, r->dcid_len);
	r->sp[PLX_ROGUE_INITIAL].out_sent = 0;
}

size_t
plx_rogue_open(struct plx_rogue *r, const uint8_t *dgram, size_t len,
               struct plx_rogue_opened *o)
{
	struct plx_rogue_reader rd = {dgram, dgram + len, false};
	const uint8_t *dcid, *scid;
	size_t scid_len, hdr;
	uint64_t rest;

	o->len = 0;
	o->level = PLX_ROGUE_1RTT;
	if (len < 7)
		return 0;
	if ((dgram[0] & 0x80) == 0) {
		decrypt(r, dgram, 1 + PLX_ROGUE_CID_LEN, len, o);
		return len;
	}
	if (memcmp(dgram + 1, "\0\0\0\0", 4) == 0) {
		r->negotiations++;
		return len;
	}
	plx_rogue_take(&rd, 5);
	dcid = rd.p;
	plx_rogue_take(&rd, 1u + *rd.p);
	if (rd.bad || rd.p == rd.end)
		return 0;
	if (r->cfg.server && r->odcid_len == 0)
		plx_rogue_accept(r, dcid + 1, *dcid);
	scid_len = *rd.p;
	scid = rd.p + 1;
	plx_rogue_take(&rd, 1 + scid_len);
	o->level = (enum plx_rogue_level)(dgram[0] >> 4 & 3);
	if (rd.bad)
		return 0;
	if (o->level == PLX_ROGUE_1RTT) { /* type 3: Retry */
		take_retry(r, scid, scid_len, &rd);
		return len;
	}
	if (o->level == PLX_ROGUE_INITIAL)
		plx_rogue_take(&rd, plx_rogue_get(&rd));
	rest = plx_rogue_get(&rd);
	hdr = (size_t)(rd.p - dgram);
	if (rd.bad || rest > len - hdr)
		return 0;
	decrypt(r, dgram, hdr, hdr + (size_t)rest, o);
	if (o->len > 0 && !r->dcid_known && scid_len <= sizeof(r->dcid)) {
		memcpy(r->dcid, scid, scid_len);
		r->dcid_len = (uint8_t)scid_len;
		r->dcid_known = true;
	}
	return hdr + (size_t)rest;
}
