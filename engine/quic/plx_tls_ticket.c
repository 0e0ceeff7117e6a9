/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "plx_quic_pvt.h"
#include "plx_spent.h"

/*
 * Session tickets: what lets a client come back without certificates, and send before the server
 * has answered.
 *
 * A server keeps nothing of them but one bit each. Their key follows from a secret that all
 * workers, and all servers with the same key file, have, and from the half day: nobody rotates it,
 * it is another one every twelve hours. Tickets of the half days before and after ours open too,
 * the latter because clocks differ.
 *
 * A client hands them to its owner as bytes that it can write into a file.
 */

/** Time under one key, s. */
#define KEY_PERIOD_S  UINT64_C(43200)
/** How long clients may use a ticket, s: at most one period, so that two keys are enough. */
#define TICKET_LIFE_S KEY_PERIOD_S

/** What a server puts into a ticket for itself: form, realm, number, version, parameters. */
#define NOTE_FORM   1
#define NOTE_PARAMS (1 + PLX_SPENT_REALM_LEN + 8 + 4)
#define PARAMS_MAX  256

/** What a client is given: form, flags, lengths, version, then the pieces. */
#define BLOB_FORM     1
#define BLOB_HEAD     13
#define BLOB_VERIFIED 1 /**< flag: the certificate was verified */

/** The only value of max_early_data_size in QUIC: RFC 9001 section 4.6.1. */
#define EARLY_MAX UINT32_C(0xffffffff)

static void
put_be(uint8_t *dst, uint64_t v, size_t len)
{
	while (len-- > 0) {
		dst[len] = (uint8_t)v;
		v >>= 8;
	}
}

static uint64_t
get_be(const uint8_t *src, size_t len)
{
	uint64_t v = 0;

	while (len-- > 0)
		v = v << 8 | *src++;
	return v;
}

/* Keys. */

static uint64_t
wall_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec;
}

static const struct plx_ticket_key *
key_of(struct plx_tls *t, uint64_t period)
{
	struct plx_ticket_key *k = &t->ticket_key[period % PLX_TICKET_KEYS];
	uint8_t out[sizeof(k->name) + sizeof(k->aes) + sizeof(k->mac)];
	char label[PLX_HKDF_LABEL_MAX + 1];
	int rc;

	if (k->made && k->period == period)
		return k;
	k->made = false;
	snprintf(label, sizeof(label), "pollux ticket %016llx", (unsigned long long)period);
	rc = plx_hkdf_expand_label(out, sizeof(out), false, t->ticket_secret,
	                           sizeof(t->ticket_secret), label);
	if (rc == 0) {
		memcpy(k->name, out, sizeof(k->name));
		memcpy(k->aes, out + sizeof(k->name), sizeof(k->aes));
		memcpy(k->mac, out + sizeof(k->name) + sizeof(k->aes), sizeof(k->mac));
		k->period = period;
		k->made = true;
	}
	OPENSSL_cleanse(out, sizeof(out));
	return k->made ? k : NULL;
}

/* @return 1 sealed or found, 2 found and old, 0 none: OpenSSL goes on without a ticket */
static int
ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *ctx,
           EVP_MAC_CTX *mac, int seal)
{
	struct plx_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	uint64_t now = t->wall_s() / KEY_PERIOD_S;
	const struct plx_ticket_key *k = NULL;
	char sha256[] = "SHA256";
	OSSL_PARAM params[2] = {
	        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0),
	        OSSL_PARAM_construct_end()};

	if (seal) {
		k = key_of(t, now);
		if (k == NULL || RAND_bytes_ex(t->lib, iv, 16, 0) != 1)
			return 0;
		memcpy(name, k->name, sizeof(k->name));
	} else {
		for (int i = 1; i >= -1 && k == NULL; i--) {
			k = key_of(t, now + (uint64_t)i);
			if (k != NULL && memcmp(name, k->name, sizeof(k->name)) != 0)
				k = NULL;
		}
		if (k == NULL)
			return 0;
	}
	if (!EVP_MAC_init(mac, k->mac, sizeof(k->mac), params) ||
	    !EVP_CipherInit_ex2(ctx, t->ticket_cipher, k->aes, iv, seal, NULL))
		return 0;
	return !seal && k->period < now ? 2 : 1;
}

/* Server. */

/* Binds a ticket to us, to the version, and to the limits that its early data may use. */
static int
write_note(SSL *ssl, void *arg)
{
	struct plx_tls *t = arg;
	struct plx_conn *c = SSL_get_app_data(ssl);
	uint8_t note[NOTE_PARAMS + PARAMS_MAX] = {NOTE_FORM};
	uint8_t *p = note + 1;
	ngtcp2_ssize n;

	if (t->spent != NULL) {
		memcpy(p, plx_spent_realm(t->spent), PLX_SPENT_REALM_LEN);
		put_be(p + PLX_SPENT_REALM_LEN, plx_spent_issue(t->spent), 8);
	}
	p += PLX_SPENT_REALM_LEN + 8;
	put_be(p, ngtcp2_conn_get_negotiated_version(c->nc), 4);
	p += 4;
	n = ngtcp2_conn_encode_0rtt_transport_params(c->nc, p, PARAMS_MAX);
	if (n < 0)
		return 0;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), note,
	                                       NOTE_PARAMS + (size_t)n);
}

/* The note of a session, NULL: it has none of this form. */
static const uint8_t *
note_of(SSL_SESSION *sess, size_t *len)
{
	void *note = NULL;

	if (sess == NULL || SSL_SESSION_get0_ticket_appdata(sess, &note, len) != 1 ||
	    note == NULL || *len < NOTE_PARAMS || *(uint8_t *)note != NOTE_FORM)
		return NULL;
	return note;
}

/* RFC 9369 section 5: a ticket of one version opens no connection of the other. */
static SSL_TICKET_RETURN
check_note(SSL *ssl, SSL_SESSION *sess, const unsigned char *name, size_t name_len,
           SSL_TICKET_STATUS status, void *arg)
{
	const struct plx_conn *c = SSL_get_app_data(ssl);
	const uint8_t *note;
	size_t len;

	(void)name;
	(void)name_len;
	(void)arg;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	note = note_of(sess, &len);
	if (note == NULL || get_be(note + NOTE_PARAMS - 4, 4) !=
	                            ngtcp2_conn_get_client_chosen_version(c->nc))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return SSL_TICKET_RETURN_USE_RENEW;
}

/* RFC 9000 section 7.4.1: no limit may be lower than the one that the client remembers. */
static bool
limits_hold(ngtcp2_conn *nc, const uint8_t *params, size_t len)
{
	const ngtcp2_transport_params *now = ngtcp2_conn_get_local_transport_params(nc);
	ngtcp2_transport_params old;

	if (ngtcp2_transport_params_decode(&old, params, len) != 0)
		return false;
	return old.initial_max_data <= now->initial_max_data &&
	       old.initial_max_stream_data_bidi_local <=
	               now->initial_max_stream_data_bidi_local &&
	       old.initial_max_stream_data_bidi_remote <=
	               now->initial_max_stream_data_bidi_remote &&
	       old.initial_max_stream_data_uni <= now->initial_max_stream_data_uni &&
	       old.initial_max_streams_bidi <= now->initial_max_streams_bidi &&
	       old.initial_max_streams_uni <= now->initial_max_streams_uni &&
	       old.active_connection_id_limit <= now->active_connection_id_limit &&
	       old.max_datagram_frame_size <= now->max_datagram_frame_size;
}

/*
 * May the early data that a client offers be taken? OpenSSL asks last: protocol, server name and
 * cipher are those of the ticket, and its age is what the client says.
 */
static int
allow_early(SSL *ssl, void *arg)
{
	struct plx_tls *t = arg;
	struct plx_conn *c = SSL_get_app_data(ssl);
	const unsigned char *alpn;
	unsigned int alpn_len;
	const uint8_t *note;
	size_t len;

	SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
	c->proto = plx_tls_find_proto(c->q, alpn, alpn_len);
	note = note_of(SSL_get_session(ssl), &len);
	if (t->spent == NULL || note == NULL || c->proto == NULL ||
	    c->proto->app->on_conn_early == NULL ||
	    memcmp(note + 1, plx_spent_realm(t->spent), PLX_SPENT_REALM_LEN) != 0 ||
	    !limits_hold(c->nc, note + NOTE_PARAMS, len - NOTE_PARAMS))
		return 0;
	if (plx_spent_use(t->spent, get_be(note + 1 + PLX_SPENT_REALM_LEN, 8)) !=
	    PLX_SPENT_FIRST) {
		plx_obs_add(c->q->d.obs, PLX_COUNT_early_replays, 1);
		return 0;
	}
	return 1;
}

/* Client. */

struct blob {
	bool verified;
	uint32_t version;
	const uint8_t *alpn, *name, *params, *sess;
	size_t alpn_len, name_len, params_len, sess_len;
};

/* Takes bytes apart; they may be anything. */
static bool
read_blob(struct blob *b, const uint8_t *p, size_t len)
{
	if (len < BLOB_HEAD || len > PLX_TICKET_MAX || p[0] != BLOB_FORM)
		return false;
	b->verified = (p[1] & BLOB_VERIFIED) != 0;
	b->alpn_len = p[2];
	b->name_len = p[3];
	b->params_len = (size_t)get_be(p + 4, 2);
	b->sess_len = (size_t)get_be(p + 6, 3);
	b->version = (uint32_t)get_be(p + 9, 4);
	b->alpn = p + BLOB_HEAD;
	b->name = b->alpn + b->alpn_len;
	b->params = b->name + b->name_len;
	b->sess = b->params + b->params_len;
	return BLOB_HEAD + b->alpn_len + b->name_len + b->params_len + b->sess_len == len;
}

static uint8_t *
put(uint8_t *dst, const void *src, size_t len)
{
	if (len > 0)
		memcpy(dst, src, len);
	return dst + len;
}

static size_t
write_blob(struct plx_conn *c, SSL *ssl, SSL_SESSION *sess, uint8_t *dst)
{
	const char *name = plx_tls_name(c);
	bool verified = SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
	size_t name_len = strlen(name);
	uint8_t params[PARAMS_MAX], *p = dst + BLOB_HEAD;
	const unsigned char *alpn;
	unsigned int alpn_len;
	int sess_len = i2d_SSL_SESSION(sess, NULL);
	ngtcp2_ssize params_len =
	        ngtcp2_conn_encode_0rtt_transport_params(c->nc, params, sizeof(params));

	SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
	if (sess_len <= 0 || params_len < 0 || name_len > UINT8_MAX ||
	    BLOB_HEAD + alpn_len + name_len + (size_t)params_len + (size_t)sess_len >
	            PLX_TICKET_MAX)
		return 0;
	dst[0] = BLOB_FORM;
	dst[1] = verified ? BLOB_VERIFIED : 0;
	dst[2] = (uint8_t)alpn_len;
	dst[3] = (uint8_t)name_len;
	put_be(dst + 4, (uint64_t)params_len, 2);
	put_be(dst + 6, (uint64_t)sess_len, 3);
	put_be(dst + 9, c->version, 4);
	p = put(p, alpn, alpn_len);
	p = put(p, name, name_len);
	p = put(p, params, (size_t)params_len);
	if (i2d_SSL_SESSION(sess, &p) != sess_len)
		return 0;
	return (size_t)(p - dst);
}

/* A ticket came. @return 0: the session stays OpenSSL's */
static int
on_session(SSL *ssl, SSL_SESSION *sess)
{
	struct plx_conn *c = SSL_get_app_data(ssl);
	struct plx_quic *q = c->q;
	uint8_t *blob;
	size_t len;

	c->got_ticket = true;
	blob = plx_slab_alloc(q->slab, PLX_TICKET_MAX);
	if (blob == NULL)
		return 0;
	len = write_blob(c, ssl, sess, blob);
	if (len > 0 && q->d.watch != NULL && q->d.watch->on_ticket != NULL)
		q->d.watch->on_ticket(q->d.watch_arg, c, blob, len);
	if (len > 0)
		plx_kept_put(q, blob, len);
	plx_slab_release(q->slab, blob);
	return 0;
}

static bool
same(const uint8_t *p, size_t len, const char *text)
{
	size_t want = text != NULL ? strlen(text) : 0;

	return len == want && (len == 0 || memcmp(p, text, len) == 0);
}

/* A resumed handshake shows no certificate. */
bool
plx_tls_ticket_fits(const uint8_t *ticket, size_t len, const struct plx_quic_dial *d)
{
	struct blob b;

	return read_blob(&b, ticket, len) && b.version == NGTCP2_PROTO_VER_V1 &&
	       (b.verified || !d->verify) && same(b.alpn, b.alpn_len, d->alpn) &&
	       same(b.name, b.name_len, d->sni);
}

/* What stands beside the session says the same as the session, or somebody put them together. */
static bool
agrees(const struct blob *b, SSL_SESSION *sess)
{
	const char *sni = SSL_SESSION_get0_hostname(sess);
	const unsigned char *alpn;
	size_t alpn_len;

	SSL_SESSION_get0_alpn_selected(sess, &alpn, &alpn_len);
	return alpn_len == b->alpn_len && alpn_len > 0 &&
	       memcmp(alpn, b->alpn, alpn_len) == 0 &&
	       (sni == NULL || same(b->name, b->name_len, sni));
}

/*
 * A client sees each message of its handshake here first. OpenSSL 3.5 repeats the offer of early
 * data when a server wants another key share, which no server may take (RFC 8446 section 4.1.2);
 * a session that allows none is not offered.
 */
static void
see_message(int write, int version, int type, const void *buf, size_t len, SSL *ssl,
            void *arg)
{
	static const uint8_t retry[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
	                                  0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	                                  0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
	                                  0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
	const uint8_t *msg = buf;

	(void)version;
	(void)arg;
	/* Type (1), length (3), version (2), random (32): RFC 8446 section 4.1.3. */
	if (!write && type == SSL3_RT_HANDSHAKE && len > 6 + sizeof(retry) &&
	    msg[0] == SSL3_MT_SERVER_HELLO && memcmp(msg + 6, retry, sizeof(retry)) == 0)
		SSL_SESSION_set_max_early_data(SSL_get_session(ssl), 0);
}

static bool
offer_early(struct plx_conn *c, SSL *ssl, const struct plx_quic_dial *d,
            const struct blob *b)
{
	const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(SSL_get_session(ssl));

	c->proto = plx_tls_find_proto(c->q, (const uint8_t *)d->alpn, strlen(d->alpn));
	if (!d->early || c->proto == NULL || c->proto->app->on_conn_early == NULL ||
	    cipher == NULL || plx_suite_of(SSL_CIPHER_get_protocol_id(cipher)) == NULL ||
	    SSL_SESSION_get_max_early_data(SSL_get_session(ssl)) != EARLY_MAX ||
	    !SSL_set_quic_tls_early_data_enabled(ssl, 1))
		return false;
	if (ngtcp2_conn_decode_and_set_0rtt_transport_params(c->nc, b->params,
	                                                     b->params_len) == 0) {
		SSL_set_msg_callback(ssl, see_message);
		return true;
	}
	SSL_set_quic_tls_early_data_enabled(ssl, 0);
	return false;
}

bool
plx_tls_ticket_offer(struct plx_conn *c, SSL *ssl, const struct plx_tls *t,
                     const struct plx_quic_dial *d)
{
	const uint8_t *p;
	SSL_SESSION *sess;
	struct blob b;
	bool taken;

	if (d->ticket == NULL || !plx_tls_ticket_fits(d->ticket, d->ticket_len, d) ||
	    !read_blob(&b, d->ticket, d->ticket_len))
		return false;
	p = b.sess;
	sess = d2i_SSL_SESSION_ex(NULL, &p, (long)b.sess_len, t->lib, NULL);
	taken = sess != NULL && SSL_SESSION_is_resumable(sess) && agrees(&b, sess) &&
	        SSL_set_session(ssl, sess) == 1;
	SSL_SESSION_free(sess);
	ERR_clear_error();
	return taken && offer_early(c, ssl, d, &b);
}

/* Contexts. */

int
plx_tls_ticket_setup(struct plx_tls *t, const struct plx_tls_cfg *cfg)
{
	t->wall_s = wall_clock;
	t->spent = cfg->spent;
	t->keep_tickets = !cfg->server && cfg->keep_tickets;
	if (!cfg->server) {
		if (!t->keep_tickets)
			return 0;
		SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT |
		                                               SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(t->ctx, on_session);
		return 0;
	}
	t->ticket_cipher = EVP_CIPHER_fetch(t->lib, "AES-256-CBC", NULL);
	if (t->ticket_cipher == NULL)
		return PLX_E_TLS;
	if (cfg->ticket_secret == NULL) {
		if (RAND_bytes_ex(t->lib, t->ticket_secret, sizeof(t->ticket_secret), 0) !=
		    1)
			return PLX_E_TLS;
	} else if (plx_hkdf_expand_label(t->ticket_secret, sizeof(t->ticket_secret), false,
	                                 cfg->ticket_secret, cfg->ticket_secret_len,
	                                 "pollux tickets") != 0) {
		return PLX_E_TLS;
	}
	/* OpenSSL's own guard against replays keeps sessions instead of sealing them; ours is
	 * plx_spent.c. */
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_ANTI_REPLAY);
	SSL_CTX_set_num_tickets(t->ctx, cfg->no_tickets    ? 0
	                                : cfg->tickets > 0 ? cfg->tickets
	                                                   : PLX_TLS_TICKETS);
	SSL_CTX_set_timeout(t->ctx, (long)TICKET_LIFE_S);
	if (!SSL_CTX_set_tlsext_ticket_key_evp_cb(t->ctx, ticket_key) ||
	    !SSL_CTX_set_session_ticket_cb(t->ctx, write_note, check_note, t))
		return PLX_E_TLS;
	SSL_CTX_set_allow_early_data_cb(t->ctx, allow_early, t);
	return 0;
}

void
plx_tls_ticket_fini(struct plx_tls *t)
{
	EVP_CIPHER_free(t->ticket_cipher);
	OPENSSL_cleanse(t->ticket_key, sizeof(t->ticket_key));
	OPENSSL_cleanse(t->ticket_secret, sizeof(t->ticket_secret));
}
