/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection between two real endpoints, in virtual time, with somebody on the path. The first
 * byte of the input chooses the set-up, the rest is what happens to the packets of one side, as
 * operations; each packet takes operations until one lets it go, and when none are left packets
 * go as they are.
 *
 *     0x00..0x7f                 it goes; the next 0..127 % 8 packets go as well
 *     0x80 | n, off (2), xor     the byte at off changes
 *     0xa0 | n, off (2)          it ends at off
 *     0xb0 | n, len, bytes       a datagram of these bytes comes first
 *     0xc0 | n, len, bytes       its payload is replaced (makes sense without protection)
 *     0xe0 | n                   it is lost
 *     0xf0 | n                   it comes again
 *
 * Built twice. As "quic" with packet protection: what anybody can send. As "frames" with
 * -DFUZZ_FRAMES and fuzz_plain.c, which takes the protection away: what a peer can send.
 */
#include <stdlib.h>
#include <string.h>

#include "plx_pair.h"

#define PKT_MAX     1500
#define AEAD_TAG    16
#define LIMIT_NS    (60 * PLX_NS_PER_S)
#define STREAM_SIZE 3000

enum setup {
	SETUP_RETRY = 1,
	SETUP_IPV6 = 2,
	SETUP_SERVER_IS_EVIL = 4,
	SETUP_DATAGRAMS = 8,
	SETUP_LONG_CHAIN = 16,
	SETUP_KEEP = 32, /* the client does not close */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
	const uint8_t *at, *end;
	enum plx_pair_side side;
	unsigned pass; /* packets that go as they are */
	bool busy;     /* inside a packet that the script sends itself */
};

static size_t
left(const struct script *s)
{
	return (size_t)(s->end - s->at);
}

static uint8_t
take(struct script *s)
{
	return s->at < s->end ? *s->at++ : 0;
}

static const uint8_t *
take_bytes(struct script *s, size_t *len)
{
	const uint8_t *p;

	*len = take(s);
	if (*len > left(s))
		*len = left(s);
	p = s->at;
	s->at += *len;
	return p;
}

/* A variable-length integer (RFC 9000 section 16); its bytes, 0 when it does not fit. */
static size_t
varint(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
	size_t len;

	if (p >= end)
		return 0;
	len = (size_t)1 << (*p >> 6);
	if (len > (size_t)(end - p))
		return 0;
	*v = *p & 0x3f;
	for (size_t i = 1; i < len; i++)
		*v = *v << 8 | p[i];
	return len;
}

/* Where the frames of the first packet of a datagram begin and end; false: it has none. */
static bool
find_payload(const uint8_t *p, uint16_t len, uint16_t *from, uint16_t *to)
{
	const uint8_t *at = p + 1, *end = p + len;
	uint64_t v = 0;
	size_t n;

	if ((p[0] & 0x80) == 0) {
		*from = (uint16_t)(1 + PLX_CID_LEN + (p[0] & 3) + 1);
		*to = (uint16_t)(len - AEAD_TAG);
		return *from + AEAD_TAG < len;
	}
	at += 4;
	for (int ids = 0; ids < 2; ids++) {
		if (at >= end || at + 1 + *at >= end)
			return false;
		at += 1 + *at;
	}
	if ((p[0] & 0x30) == 0) {
		n = varint(at, end, &v);
		if (n == 0 || v >= (uint64_t)(end - at) - n)
			return false;
		at += n + v;
	}
	n = (p[0] & 0x30) == 0x30 ? 0 : varint(at, end, &v);
	if (n == 0 || v > (uint64_t)(end - at) - n || v < AEAD_TAG + 8)
		return false;
	at += n;
	*from = (uint16_t)(at - p + (p[0] & 3) + 1);
	*to = (uint16_t)(at - p + (ptrdiff_t)v - AEAD_TAG);
	return true;
}

/* A short header packet becomes as long as its new payload, a long one is filled up with PADDING. */
static void
replace_payload(struct plx_pair_pkt *pkt, const uint8_t *bytes, size_t cnt)
{
	uint16_t from, to;

	if (!find_payload(pkt->data, pkt->len, &from, &to))
		return;
	if ((pkt->data[0] & 0x80) == 0 && from + cnt + AEAD_TAG <= PKT_MAX) {
		to = (uint16_t)(from + (cnt > 4 ? cnt : 4));
		pkt->len = (uint16_t)(to + AEAD_TAG);
	}
	memset(pkt->data + from, 0, (size_t)(pkt->len - from));
	memcpy(pkt->data + from, bytes,
	       cnt < (size_t)(to - from) ? cnt : (size_t)(to - from));
}

/* One operation on a packet. Returns 0 when more may follow, 1: it goes, -1: it is lost. */
static int
operate(struct script *s, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	uint8_t op = take(s);
	const uint8_t *bytes;
	size_t cnt, off;

	if (op < 0x80) {
		s->pass = op % 8;
		return 1;
	}
	if (op >= 0xf0) {
		plx_pair_send(p, s->side, pkt->path, pkt->data, pkt->len);
		return 0;
	}
	if (op >= 0xe0)
		return -1;
	if (op >= 0xb0) {
		bytes = take_bytes(s, &cnt);
		if (op >= 0xc0)
			replace_payload(pkt, bytes, cnt);
		else if (cnt > 0)
			plx_pair_send(p, s->side, pkt->path, bytes, (uint16_t)cnt);
		return 0;
	}
	off = (size_t)take(s) << 8;
	off |= take(s);
	off %= pkt->len;
	if (op < 0xa0)
		pkt->data[off] ^= take(s);
	else if (off > 0)
		pkt->len = (uint16_t)off;
	return 0;
}

static bool
tap(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct script *s = arg;
	int rc = 0;

	if (pkt->from != s->side || s->busy)
		return true;
	if (s->pass > 0) {
		s->pass--;
		return true;
	}
	s->busy = true;
	while (rc == 0 && left(s) > 0)
		rc = operate(s, p, pkt);
	s->busy = false;
	return rc >= 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct plx_pair
	        *pairs[2]; /* with a short and a long chain of certificates */
	struct script s = {.at = data, .end = data + size};
	struct plx_pair_cfg cfg;
	struct plx_pair *p;
	uint8_t setup = take(&s);
	struct plx_pair **kept = &pairs[(setup & SETUP_LONG_CHAIN) != 0];

	plx_pair_cfg_init(&cfg);
	s.side = setup & SETUP_SERVER_IS_EVIL ? PLX_PAIR_SERVER : PLX_PAIR_CLIENT;
	cfg.tap = tap;
	cfg.tap_arg = &s;
	cfg.ipv6 = setup & SETUP_IPV6;
	cfg.chain = setup & SETUP_LONG_CHAIN ? 8 : 0;
	cfg.groups[PLX_PAIR_CLIENT] = "X25519";
	for (int i = 0; i < PLX_PAIR_SIDES; i++) {
		cfg.quic[i].conns_max = 8;
		cfg.quic[i].slab_limit = 8 << 20;
		cfg.quic[i].idle_timeout_ms = 3000;
		cfg.quic[i].max_datagram_frame = setup & SETUP_DATAGRAMS ? 1200 : 0;
	}
	if (setup & SETUP_RETRY)
		cfg.quic[PLX_PAIR_SERVER].retry = PLX_RETRY_ON;
	if ((*kept == NULL && plx_pair_new(kept, &cfg) != 0) ||
	    plx_pair_reset(*kept, &cfg) != 0)
		abort();
	p = *kept;
	p->end[PLX_PAIR_CLIENT].app.up = STREAM_SIZE;
	p->end[PLX_PAIR_CLIENT].app.down = STREAM_SIZE;
	p->end[PLX_PAIR_CLIENT].app.streams = 2;
	p->end[PLX_PAIR_CLIENT].app.close_when_done = (setup & SETUP_KEEP) == 0;
	p->end[PLX_PAIR_CLIENT].app.blind = true;
	p->end[PLX_PAIR_SERVER].app.blind = true;
	if (plx_pair_dial(p, false, NULL) != 0)
		abort();
	/* Whatever was done, each side comes to its end by itself and gives everything back. */
	if (!plx_pair_run(p, plx_pair_idle, LIMIT_NS))
		abort();
	for (int i = 0; i < PLX_PAIR_SIDES; i++)
		if (plx_pair_slab_used(p, (enum plx_pair_side)i) != 0 ||
		    p->end[i].app.established != p->end[i].app.closed)
			abort();
	return 0;
}
