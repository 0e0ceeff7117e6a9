/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_rogue.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/err.h>

/* The misbehaving side: TLS, what it hears, and what it sends by itself. */

#define CRYPTO_CHUNK 1100
#define FULL_PKT     1452
#define ALPN_EXT     16
#define PARAMS_EXT   57
#define DRAFT_EXT    0xffa5

static enum plx_rogue_level
level_of(uint32_t ossl)
{
	switch (ossl) {
	case OSSL_RECORD_PROTECTION_LEVEL_NONE:
		return PLX_ROGUE_INITIAL;
	case OSSL_RECORD_PROTECTION_LEVEL_EARLY:
		return PLX_ROGUE_0RTT;
	case OSSL_RECORD_PROTECTION_LEVEL_HANDSHAKE:
		return PLX_ROGUE_HANDSHAKE;
	default:
		return PLX_ROGUE_1RTT;
	}
}

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Removes or renames an extension of a ClientHello (RFC 8446 section 4.1.2). */
static void
edit_hello(enum plx_rogue_hello how, uint8_t *msg, size_t *len)
{
	const size_t ext = how == PLX_ROGUE_HELLO_NO_ALPN ? ALPN_EXT : PARAMS_EXT;
	size_t i = 4 + 2 + 32, ext_len, at;

	i += 1u + msg[i];                             /* legacy_session_id */
	i += 2u + ((size_t)msg[i] << 8 | msg[i + 1]); /* cipher_suites */
	i += 1u + msg[i];                             /* legacy_compression_methods */
	at = i;
	ext_len = (size_t)msg[i] << 8 | msg[i + 1];
	for (i += 2; i + 4 <= *len;) {
		size_t n = 4 + ((size_t)msg[i + 2] << 8 | msg[i + 3]);

		if (((size_t)msg[i] << 8 | msg[i + 1]) != ext) {
			i += n;
			continue;
		}
		if (how == PLX_ROGUE_HELLO_DRAFT_PARAMS) {
			put16(msg + i, DRAFT_EXT);
			return;
		}
		memmove(msg + i, msg + i + n, *len - i - n);
		*len -= n;
		put16(msg + at, ext_len - n);
		put16(msg + 2, *len - 4);
		return;
	}
}

static int
crypto_send(SSL *ssl, const unsigned char *buf, size_t len, size_t *consumed, void *arg)
{
	struct plx_rogue *r = arg;
	struct plx_rogue_space *s = &r->sp[r->tx_level];
	size_t n = len;

	(void)ssl;
	if (s->out_len + len > sizeof(s->out))
		return 0;
	memcpy(s->out + s->out_len, buf, len);
	if (r->tx_level == PLX_ROGUE_INITIAL && r->cfg.hello != PLX_ROGUE_HELLO_AS_IS)
		edit_hello(r->cfg.hello, s->out + s->out_len, &n);
	s->out_len += n;
	*consumed = len;
	return 1;
}

static int
crypto_recv(SSL *ssl, const unsigned char **buf, size_t *len, void *arg)
{
	struct plx_rogue *r = arg;
	struct plx_rogue_space *s = &r->sp[r->rx_level];

	(void)ssl;
	*buf = s->in + s->in_read;
	*len = s->in_len - s->in_read;
	s->in_read = s->in_len;
	return 1;
}

static int
crypto_release(SSL *ssl, size_t len, void *arg)
{
	(void)ssl;
	(void)len;
	(void)arg;
	return 1;
}

static int
yield_secret(SSL *ssl, uint32_t ossl, int tx, const unsigned char *secret, size_t len,
             void *arg)
{
	struct plx_rogue *r = arg;
	enum plx_rogue_level level = level_of(ossl);

	(void)ssl;
	if (tx)
		r->tx_level = level;
	else
		r->rx_level = level;
	return plx_rogue_set_keys(tx ? &r->sp[level].tx : &r->sp[level].rx, secret, len,
	                          tx != 0);
}

static int
got_params(SSL *ssl, const unsigned char *params, size_t len, void *arg)
{
	(void)ssl;
	(void)params;
	(void)len;
	(void)arg;
	return 1;
}

static int
alert(SSL *ssl, unsigned char code, void *arg)
{
	struct plx_rogue *r = arg;

	(void)ssl;
	r->alert = code;
	return 1;
}

#define FN(f) ((void (*)(void))(f))

static const OSSL_DISPATCH table[] = {
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_SEND, FN(crypto_send)},
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RECV_RCD, FN(crypto_recv)},
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RELEASE_RCD, FN(crypto_release)},
        {OSSL_FUNC_SSL_QUIC_TLS_YIELD_SECRET, FN(yield_secret)},
        {OSSL_FUNC_SSL_QUIC_TLS_GOT_TRANSPORT_PARAMS, FN(got_params)},
        {OSSL_FUNC_SSL_QUIC_TLS_ALERT, FN(alert)},
        OSSL_DISPATCH_END,
};

/* RFC 9000 section 18.2. */
static size_t
write_params(const struct plx_rogue *r, uint8_t *dst)
{
	static const uint32_t v[][2] = {
	        {0x01, 30000},    {0x04, 16u << 20}, {0x05, 4u << 20}, {0x06, 4u << 20},
	        {0x07, 4u << 20}, {0x08, 100},       {0x09, 16}};
	uint8_t *p = dst, n[8];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		size_t len = plx_rogue_varint(n, v[i][1]);

		*p++ = (uint8_t)v[i][0];
		*p++ = (uint8_t)len;
		memcpy(p, n, len);
		p += len;
	}
	if (r->cfg.server) {
		*p++ = 0x00;
		*p++ = r->odcid_len;
		memcpy(p, r->odcid, r->odcid_len);
		p += r->odcid_len;
	}
	if (!r->cfg.no_iscid) {
		*p++ = 0x0f;
		*p++ = PLX_ROGUE_CID_LEN;
		memcpy(p, r->scid, PLX_ROGUE_CID_LEN);
		p += PLX_ROGUE_CID_LEN;
	}
	if (r->cfg.extra_len > 0)
		memcpy(p, r->cfg.extra_params, r->cfg.extra_len);
	return (size_t)(p - dst) + r->cfg.extra_len;
}

/* Whatever the client offers, it gets the name of ours. */
static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
            const unsigned char *in, unsigned int in_len, void *arg)
{
	const struct plx_rogue *r = arg;
	const char *alpn = r->cfg.alpn != NULL ? r->cfg.alpn : "plx-test";

	(void)ssl;
	(void)in;
	(void)in_len;
	*out = (const unsigned char *)alpn;
	*out_len = (unsigned char)strlen(alpn);
	return SSL_TLSEXT_ERR_OK;
}

static bool
start_ctx(struct plx_rogue *r)
{
	enum plx_pair_side side = r->cfg.server ? PLX_PAIR_SERVER : PLX_PAIR_CLIENT;
	const struct plx_tls *of = r->p->end[side].tls;
	/* Not const: OpenSSL's macros cast it away. */
	char group[] = "X25519";

	r->ctx = SSL_CTX_new_ex(of->lib, NULL, TLS_method());
	if (r->ctx == NULL)
		return false;
	SSL_CTX_set_min_proto_version(r->ctx, TLS1_3_VERSION);
	SSL_CTX_clear_options(r->ctx, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	if (!SSL_CTX_set_ciphersuites(r->ctx, "TLS_AES_128_GCM_SHA256") ||
	    !SSL_CTX_set1_groups_list(r->ctx, group))
		return false;
	if (!r->cfg.server)
		return true;
	SSL_CTX_set_num_tickets(r->ctx, 0);
	SSL_CTX_set_alpn_select_cb(r->ctx, choose_alpn, r);
	return SSL_CTX_use_certificate(r->ctx, SSL_CTX_get0_certificate(of->ctx)) == 1 &&
	       SSL_CTX_use_PrivateKey(r->ctx, SSL_CTX_get0_privatekey(of->ctx)) == 1;
}

static bool
start_tls(struct plx_rogue *r)
{
	const char *alpn = r->cfg.alpn != NULL ? r->cfg.alpn : "plx-test";
	size_t len = strlen(alpn);
	/* Not const: OpenSSL's macros cast it away. */
	char name[] = "server.example";
	unsigned char wire[64];

	if (!start_ctx(r) || len > sizeof(wire) - 1)
		return false;
	r->ssl = SSL_new(r->ctx);
	if (r->ssl == NULL || !SSL_set_quic_tls_cbs(r->ssl, table, r))
		return false;
	if (r->cfg.server) {
		SSL_set_accept_state(r->ssl);
		return true; /* the parameters name the client's first ID */
	}
	wire[0] = (unsigned char)len;
	memcpy(wire + 1, alpn, len);
	SSL_set_connect_state(r->ssl);
	SSL_set_verify(r->ssl, SSL_VERIFY_NONE, NULL);
	return SSL_set_alpn_protos(r->ssl, wire, (unsigned)len + 1) == 0 &&
	       SSL_set_tlsext_host_name(r->ssl, name) == 1 &&
	       SSL_set_quic_tls_transport_params(r->ssl, r->params,
	                                         write_params(r, r->params)) == 1;
}

void
plx_rogue_accept(struct plx_rogue *r, const uint8_t *dcid, size_t len)
{
	if (len == 0 || len > sizeof(r->odcid))
		return;
	memcpy(r->odcid, dcid, len);
	r->odcid_len = (uint8_t)len;
	if (!plx_rogue_initial_keys(r, dcid, len) ||
	    SSL_set_quic_tls_transport_params(r->ssl, r->params,
	                                      write_params(r, r->params)) != 1)
		abort();
}

static void
set_path(struct plx_rogue *r)
{
	uint16_t port = r->cfg.port != 0 ? r->cfg.port : 50000;

	if (r->cfg.server) {
		r->path.local = r->p->end[PLX_PAIR_SERVER].addr;
		r->path.remote = r->p->end[PLX_PAIR_CLIENT].addr;
		return;
	}
	r->path.local = r->p->end[PLX_PAIR_CLIENT].addr;
	r->path.local.ip[3] = r->cfg.host != 0 ? r->cfg.host : 9;
	r->path.local.port_be = (uint16_t)(port >> 8 | port << 8);
	r->path.remote = r->p->end[PLX_PAIR_SERVER].addr;
}

struct plx_rogue *
plx_rogue_new(struct plx_pair *p, const struct plx_rogue_cfg *cfg)
{
	struct plx_rogue *r = calloc(1, sizeof(*r));

	if (r == NULL)
		abort();
	if (cfg != NULL)
		r->cfg = *cfg;
	r->p = p;
	r->acked = -1;
	for (int i = 0; i < PLX_ROGUE_LEVELS; i++)
		r->sp[i].largest = -1;
	set_path(r);
	r->dcid_len = 18;
	plx_rand_bytes(&p->rand, r->dcid, r->dcid_len);
	plx_rand_bytes(&p->rand, r->scid, sizeof(r->scid));
	/* One tap serves all rogues of a pair. */
	r->next = p->cfg.tap == plx_rogue_tap ? p->cfg.tap_arg : NULL;
	if (!start_tls(r) ||
	    (!r->cfg.server && !plx_rogue_initial_keys(r, r->dcid, r->dcid_len)))
		abort();
	p->cfg.tap = plx_rogue_tap;
	p->cfg.tap_arg = r;
	return r;
}

void
plx_rogue_free(struct plx_rogue *r)
{
	struct plx_rogue *it;

	if (r == NULL)
		return;
	if (r->p->cfg.tap_arg == r) {
		r->p->cfg.tap_arg = r->next;
		if (r->next == NULL)
			r->p->cfg.tap = NULL;
	}
	for (it = r->p->cfg.tap == plx_rogue_tap ? r->p->cfg.tap_arg : NULL; it != NULL;
	     it = it->next) {
		if (it->next == r)
			it->next = r->next;
	}
	for (int i = 0; i < PLX_ROGUE_LEVELS; i++) {
		plx_rogue_clear_keys(&r->sp[i].rx);
		plx_rogue_clear_keys(&r->sp[i].tx);
	}
	SSL_free(r->ssl);
	SSL_CTX_free(r->ctx);
	ERR_clear_error();
	free(r);
}

/* Sending. */

void
plx_rogue_send_raw(struct plx_rogue *r, const uint8_t *dgram, size_t len)
{
	r->tx_pkts++;
	r->tx_bytes += len;
	plx_pair_send(r->p, r->cfg.server ? PLX_PAIR_SERVER : PLX_PAIR_CLIENT, &r->path,
	              dgram, (uint16_t)len);
}

void
plx_rogue_send(struct plx_rogue *r, enum plx_rogue_level level, const uint8_t *frames,
               size_t len)
{
	struct plx_rogue_pkt pkt = {.level = level,
	                            .frames = frames,
	                            .len = len,
	                            .pad_to = level == PLX_ROGUE_INITIAL ? 1200 : 0};
	uint8_t out[1500];
	size_t n = plx_rogue_seal(r, &pkt, out, sizeof(out));

	if (n > 0)
		plx_rogue_send_raw(r, out, n);
}

void
plx_rogue_send_ints(struct plx_rogue *r, enum plx_rogue_level level, const uint64_t *v,
                    size_t cnt)
{
	uint8_t frames[1200];
	size_t len = 0;

	for (size_t i = 0; i < cnt && len + 8 <= sizeof(frames); i++)
		len += plx_rogue_varint(frames + len, v[i]);
	plx_rogue_send(r, level, frames, len);
}

void
plx_rogue_crypto(struct plx_rogue *r, enum plx_rogue_level level, uint64_t off,
                 const uint8_t *data, size_t len)
{
	uint8_t f[CRYPTO_CHUNK + 32];
	size_t n;

	if (len > CRYPTO_CHUNK)
		return;
	f[0] = 6;
	n = 1 + plx_rogue_varint(f + 1, off);
	n += plx_rogue_varint(f + n, len);
	memcpy(f + n, data, len);
	plx_rogue_send(r, level, f, n + len);
}

void
plx_rogue_flush(struct plx_rogue *r)
{
	for (int l = 0; l < PLX_ROGUE_LEVELS; l++) {
		struct plx_rogue_space *s = &r->sp[l];

		if (l == PLX_ROGUE_HANDSHAKE && r->cfg.hold_finished)
			continue;
		while (s->out_sent < s->out_len) {
			size_t n = s->out_len - s->out_sent;

			n = n > CRYPTO_CHUNK ? CRYPTO_CHUNK : n;
			plx_rogue_crypto(r, (enum plx_rogue_level)l, s->out_sent,
			                 s->out + s->out_sent, n);
			s->out_sent += n;
		}
	}
}

static void
tls_go(struct plx_rogue *r)
{
	int rv, e;

	if (r->tls_done || r->tls_failed || r->cfg.by_hand)
		return;
	ERR_clear_error();
	rv = SSL_do_handshake(r->ssl);
	r->tls_done = rv == 1;
	e = SSL_get_error(r->ssl, rv);
	r->tls_failed =
	        !r->tls_done && e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE;
	ERR_clear_error();
}

void
plx_rogue_make_hello(struct plx_rogue *r)
{
	tls_go(r);
}

void
plx_rogue_hello(struct plx_rogue *r)
{
	tls_go(r);
	plx_rogue_flush(r);
}

/* Acknowledgements. */

static bool
is_seen(const struct plx_rogue_space *s, int64_t pn)
{
	uint64_t i = (uint64_t)pn % PLX_ROGUE_SEEN;

	return pn >= 0 && (s->seen[i / 64] >> i % 64 & 1) != 0;
}

static void
note(struct plx_rogue_space *s, int64_t pn)
{
	uint64_t i;

	while (s->largest < pn) {
		i = (uint64_t)++s->largest % PLX_ROGUE_SEEN;
		s->seen[i / 64] &= ~(UINT64_C(1) << i % 64);
	}
	i = (uint64_t)pn % PLX_ROGUE_SEEN;
	if (pn > s->largest - PLX_ROGUE_SEEN)
		s->seen[i / 64] |= UINT64_C(1) << i % 64;
}

size_t
plx_rogue_ack(const struct plx_rogue *r, enum plx_rogue_level level, uint8_t *dst,
              size_t cap)
{
	const struct plx_rogue_space *s = &r->sp[level];
	int64_t pn = s->largest, end = pn - PLX_ROGUE_SEEN;
	uint64_t len[32] = {0}, gap[32] = {0};
	size_t cnt = 0, n;

	if (pn < 0 || cap < 16 + sizeof(len) + sizeof(gap))
		return 0;
	while (pn > end && pn >= 0 && cnt < 32) {
		for (; is_seen(s, pn) && pn > end; pn--)
			len[cnt]++;
		cnt++;
		for (; !is_seen(s, pn) && pn > end && pn >= 0; pn--)
			gap[cnt % 32]++;
	}
	dst[0] = 2;
	n = 1 + plx_rogue_varint(dst + 1, (uint64_t)s->largest);
	dst[n++] = 0;
	n += plx_rogue_varint(dst + n, cnt - 1);
	n += plx_rogue_varint(dst + n, len[0] - 1);
	for (size_t i = 1; i < cnt; i++) {
		n += plx_rogue_varint(dst + n, gap[i] - 1);
		n += plx_rogue_varint(dst + n, len[i] - 1);
	}
	return n;
}

static void
send_acks(struct plx_rogue *r)
{
	for (int l = 0; l < PLX_ROGUE_LEVELS; l++) {
		uint8_t f[600];
		size_t n;

		if (!r->sp[l].ack_due || r->cfg.no_acks || r->sp[l].tx.aead == NULL)
			continue;
		r->sp[l].ack_due = false;
		n = plx_rogue_ack(r, (enum plx_rogue_level)l, f, sizeof(f));
		if (n > 0)
			plx_rogue_send(r, (enum plx_rogue_level)l, f, n);
	}
}

/* What the other side says. */

static void
got_crypto(struct plx_rogue *r, enum plx_rogue_level level, struct plx_rogue_reader *rd)
{
	struct plx_rogue_space *s = &r->sp[level];
	uint64_t off = plx_rogue_get(rd), len = plx_rogue_get(rd);
	const uint8_t *data = plx_rogue_take(rd, len);

	/* The link keeps order, but a client cuts its ClientHello and mixes the pieces. */
	if (data == NULL || off > sizeof(s->in) || len > sizeof(s->in) - off)
		return;
	memcpy(s->in + off, data, len);
	memset(s->in_known + off, 1, len);
	while (s->in_len < sizeof(s->in) && s->in_known[s->in_len] != 0)
		s->in_len++;
}

static void
got_ack(struct plx_rogue *r, enum plx_rogue_level level, uint64_t type,
        struct plx_rogue_reader *rd)
{
	int64_t largest = (int64_t)plx_rogue_get(rd);
	uint64_t cnt;

	plx_rogue_get(rd);
	cnt = plx_rogue_get(rd);
	plx_rogue_get(rd);
	while (cnt-- > 0 && !rd->bad) {
		plx_rogue_get(rd);
		plx_rogue_get(rd);
	}
	for (int i = 0; type == 3 && i < 3; i++)
		plx_rogue_get(rd);
	if (level == PLX_ROGUE_1RTT && largest > r->acked)
		r->acked = largest;
}

static void
got_new_cid(struct plx_rogue *r, struct plx_rogue_reader *rd)
{
	uint64_t seq = plx_rogue_get(rd);
	const uint8_t *len, *cid;

	plx_rogue_get(rd);
	len = plx_rogue_take(rd, 1);
	cid = len != NULL ? plx_rogue_take(rd, *len) : NULL;
	plx_rogue_take(rd, 16);
	if (cid == NULL || seq >= PLX_ROGUE_CIDS || *len > sizeof(r->cid[0]))
		return;
	memcpy(r->cid[seq], cid, *len);
	r->cid_len[seq] = *len;
}

static void
got_close(struct plx_rogue *r, enum plx_rogue_level level, uint64_t type,
          struct plx_rogue_reader *rd)
{
	uint64_t code = plx_rogue_get(rd), frame = type == 0x1c ? plx_rogue_get(rd) : 0;

	plx_rogue_take(rd, plx_rogue_get(rd));
	r->close.cnt++;
	if (r->close.got && r->close.level > level)
		return; /* the same close in a packet of a lower level */
	r->close.got = true;
	r->close.app = type == 0x1d;
	r->close.level = level;
	r->close.code = code;
	r->close.frame_type = frame;
}

static void
got_stream(struct plx_rogue *r, uint64_t type, struct plx_rogue_reader *rd)
{
	uint64_t len;

	plx_rogue_get(rd);
	if ((type & 4) != 0)
		plx_rogue_get(rd);
	len = (type & 2) != 0 ? plx_rogue_get(rd) : (uint64_t)(rd->end - rd->p);
	plx_rogue_take(rd, len);
	r->stream_bytes += len;
}

/* Numbers that a frame consists of, for those that are only counted. */
static const uint8_t numbers[PLX_ROGUE_FRAME_MAX] = {
        [0x04] = 3, [0x05] = 2, [0x10] = 1, [0x11] = 2, [0x12] = 1, [0x13] = 1,
        [0x14] = 1, [0x15] = 2, [0x16] = 1, [0x17] = 1, [0x19] = 1,
};

static void
got_frame(struct plx_rogue *r, enum plx_rogue_level level, struct plx_rogue_reader *rd)
{
	uint64_t type = plx_rogue_get(rd);
	const uint8_t *p;

	if (type >= PLX_ROGUE_FRAME_MAX) {
		rd->p = rd->end;
		return;
	}
	r->frames[type]++;
	if (type != 0 && type != 2 && type != 3 && type != 0x1c && type != 0x1d)
		r->sp[level].ack_due = true;
	if (type >= 0x08 && type <= 0x0f) {
		got_stream(r, type, rd);
		return;
	}
	switch (type) {
	case 0x02:
	case 0x03:
		got_ack(r, level, type, rd);
		break;
	case 0x06:
		got_crypto(r, level, rd);
		break;
	case 0x07:
		plx_rogue_take(rd, plx_rogue_get(rd));
		break;
	case 0x18:
		got_new_cid(r, rd);
		break;
	case 0x1a:
	case 0x1b:
		p = plx_rogue_take(rd, 8);
		if (p != NULL && type == 0x1a)
			memcpy(r->challenge, p, 8);
		break;
	case 0x1c:
	case 0x1d:
		got_close(r, level, type, rd);
		break;
	case 0x1e:
		r->confirmed = true;
		break;
	default:
		for (unsigned i = numbers[type]; i > 0; i--)
			plx_rogue_get(rd);
		break;
	}
}

static void
receive(struct plx_rogue *r, const uint8_t *dgram, size_t len)
{
	struct plx_rogue_opened o;
	size_t n;

	r->rx_pkts++;
	r->rx_bytes += len;
	r->last_len = len;
	memcpy(r->last, dgram, len < sizeof(r->last) ? len : sizeof(r->last));
	for (; len > 0; dgram += n, len -= n) {
		struct plx_rogue_reader rd;

		n = plx_rogue_open(r, dgram, len, &o);
		if (n == 0)
			break;
		rd = (struct plx_rogue_reader){o.payload, o.payload + o.len, false};
		if (o.len > 0)
			note(&r->sp[o.level], o.pn);
		while (rd.p < rd.end && !rd.bad)
			got_frame(r, o.level, &rd);
		/* Keys of the next packet in this datagram may come from this one. */
		tls_go(r);
	}
	send_acks(r);
	if (!(r->cfg.keep_retry && r->retries > 0))
		plx_rogue_flush(r);
}

bool
plx_rogue_tap(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	const struct plx_addr *to = &pkt->path->remote;

	for (struct plx_rogue *r = arg; r != NULL; r = r->next) {
		if ((pkt->from == PLX_PAIR_CLIENT) != r->cfg.server)
			continue;
		if (memcmp(to, &r->path.local, sizeof(*to)) != 0)
			continue;
		/* It takes its time on the wire that honest clients share. */
		if (p->cfg.link[pkt->from].per_pkt_ns > 0) {
			if (p->wire_free[pkt->from] < p->now)
				p->wire_free[pkt->from] = p->now;
			p->wire_free[pkt->from] +=
			        p->cfg.link[pkt->from].per_pkt_ns * pkt->len / FULL_PKT;
		}
		receive(r, pkt->data, pkt->len);
		return false;
	}
	return true;
}

bool
plx_rogue_has_handshake_keys(const struct plx_rogue *r)
{
	return r->sp[PLX_ROGUE_HANDSHAKE].tx.aead != NULL;
}

bool
plx_rogue_is_confirmed(const struct plx_rogue *r)
{
	return r->confirmed;
}

bool
plx_rogue_is_closed(const struct plx_rogue *r)
{
	return r->close.got;
}

bool
plx_rogue_run(struct plx_rogue *r, bool (*until)(const struct plx_rogue *r), uint64_t ns)
{
	uint64_t end = r->p->now + ns;

	r->p->limit = end;
	while (r->p->now < end && !until(r))
		plx_pair_step(r->p);
	r->p->limit = PLX_TIME_NEVER;
	return until(r);
}

bool
plx_rogue_connect(struct plx_rogue *r)
{
	plx_rogue_hello(r);
	return plx_rogue_run(r, plx_rogue_is_confirmed, 5 * PLX_NS_PER_S);
}

bool
plx_rogue_wait_close(struct plx_rogue *r)
{
	return plx_rogue_run(r, plx_rogue_is_closed, 5 * PLX_NS_PER_S);
}
