/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "plx_quic_pvt.h"

/*
 * TLS in QUIC without OpenSSL's own QUIC and without the stock adapter, which does not show key
 * bytes. OpenSSL calls us through a table: it takes and gives CRYPTO bytes, and hands over
 * secrets, which become keys of engine/crypt.
 *
 * The session ends with the handshake. What TLS sends after it is session tickets only; their
 * type is checked and they are skipped, so that no SSL object stays for the life of a
 * connection, and so that a KeyUpdate never reaches code that would act on it (RFC 9001
 * section 6: it is an error of type 0x10a). A client that keeps tickets lets its session live
 * until one came; whole messages are collected for it, and only tickets.
 */

/** CRYPTO bytes a peer may send per level. A handshake with a long chain takes 16 KiB. */
#define PLX_CRYPTO_MAX (64u << 10)

/** For so long a client that keeps tickets waits for one. */
#define TICKET_WAIT_NS (10 * PLX_NS_PER_S)

#define TLS_ALERT_UNEXPECTED_MESSAGE 10
#define TLS_ALERT_INTERNAL_ERROR     80
#define TLS_ALERT_MISSING_EXTENSION  109
#define TLS_ALERT_NO_ALPN            120
#define TLS_MSG_NEW_SESSION_TICKET   4

/** CRYPTO bytes received and not yet released by OpenSSL, which keeps pointers to them. */
struct chunk {
	struct chunk *next;
	size_t len;
	size_t rel; /**< bytes released */
	uint8_t data[];
};

struct plx_tls_sess {
	SSL *ssl;
	struct chunk *head; /**< first with bytes not released */
	struct chunk *tail;
	struct chunk *unread; /**< first that OpenSSL has not seen */
	ngtcp2_encryption_level rx_level, tx_level;
	bool own_params;  /**< our transport parameters are in place */
	bool got_params;  /**< the peer's came */
	bool early_key;   /**< of 0-RTT is in place */
	bool flight_done; /**< server with early data: SSL_read() goes on */
	uint8_t refused;  /**< alert that says why a secret was refused, 0 = none was */
	uint8_t alert;
	char *name;        /**< of the server, for tickets; from the slab, or NULL */
	uint64_t due_ns;   /**< complete: when it ends; PLX_TIME_NEVER: in the handshake */
	struct chunk *msg; /**< complete: the message that is being received, or NULL */
	size_t msg_len;    /**< bytes of it */
	uint8_t params[512]; /**< they must stay while OpenSSL may send them */
};

static ngtcp2_encryption_level
level_of(uint32_t ossl)
{
	switch (ossl) {
	case OSSL_RECORD_PROTECTION_LEVEL_NONE:
		return NGTCP2_ENCRYPTION_LEVEL_INITIAL;
	case OSSL_RECORD_PROTECTION_LEVEL_EARLY:
		return NGTCP2_ENCRYPTION_LEVEL_0RTT;
	case OSSL_RECORD_PROTECTION_LEVEL_HANDSHAKE:
		return NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE;
	default:
		return NGTCP2_ENCRYPTION_LEVEL_1RTT;
	}
}

static int
crypto_send(SSL *ssl, const unsigned char *buf, size_t len, size_t *consumed, void *arg)
{
	struct plx_conn *c = arg;
	int rv;

	(void)ssl;
	rv = ngtcp2_conn_submit_crypto_data(c->nc, c->tls->tx_level, buf, len);
	if (rv != 0) {
		ngtcp2_conn_set_tls_error(c->nc, rv);
		return 0;
	}
	*consumed = len;
	return 1;
}

static int
crypto_recv_rcd(SSL *ssl, const unsigned char **buf, size_t *len, void *arg)
{
	struct plx_conn *c = arg;
	struct chunk *k = c->tls->unread;

	(void)ssl;
	*buf = k != NULL ? k->data : NULL;
	*len = k != NULL ? k->len : 0;
	if (k != NULL)
		c->tls->unread = k->next;
	return 1;
}

static int
crypto_release_rcd(SSL *ssl, size_t len, void *arg)
{
	struct plx_conn *c = arg;
	struct plx_tls_sess *s = c->tls;

	(void)ssl;
	while (len > 0 && s->head != NULL && s->head != s->unread) {
		struct chunk *k = s->head;
		size_t n = k->len - k->rel;

		if (n > len) {
			k->rel += len;
			return 1;
		}
		len -= n;
		s->head = k->next;
		if (s->head == NULL)
			s->tail = NULL;
		plx_slab_release(c->q->slab, k);
	}
	return len == 0;
}

/* Bytes that OpenSSL is to read next. */
static void
enqueue(struct plx_tls_sess *s, struct chunk *k)
{
	if (s->tail != NULL)
		s->tail->next = k;
	else
		s->head = k;
	s->tail = k;
	if (s->unread == NULL)
		s->unread = k;
}

static int
set_own_params(struct plx_conn *c)
{
	struct plx_tls_sess *s = c->tls;
	ngtcp2_ssize n;

	if (s->own_params)
		return 0;
	n = ngtcp2_conn_encode_local_transport_params(c->nc, s->params, sizeof(s->params));
	if (n < 0 || !SSL_set_quic_tls_transport_params(s->ssl, s->params, (size_t)n))
		return PLX_E_TLS;
	s->own_params = true;
	return 0;
}

static int
got_params(SSL *ssl, const unsigned char *params, size_t len, void *arg)
{
	struct plx_conn *c = arg;
	int rv = ngtcp2_conn_decode_and_set_remote_transport_params(c->nc, params, len);

	(void)ssl;
	if (rv != 0) {
		ngtcp2_conn_set_tls_error(c->nc, rv);
		return 0;
	}
	c->tls->got_params = true;
	return 1;
}

static int
alert(SSL *ssl, unsigned char code, void *arg)
{
	struct plx_conn *c = arg;

	(void)ssl;
	c->tls->alert = code;
	ngtcp2_conn_set_tls_alert(c->nc, code);
	return 1;
}

/* What ngtcp2 must know of the keys of a suite, and their limits. */
static void
fill_crypto_ctx(ngtcp2_crypto_ctx *ctx, const struct plx_suite *suite)
{
	*ctx = (ngtcp2_crypto_ctx){
	        .aead.max_overhead = PLX_AEAD_TAG_LEN,
	        .max_encryption = suite->max_encryption,
	        .max_decryption_failure = suite->max_decryption_failure,
	};
}

static int
choose_suite(struct plx_conn *c)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(c->tls->ssl);
	ngtcp2_crypto_ctx ctx;

	if (cipher == NULL)
		return PLX_E_TLS;
	c->suite = plx_suite_of(SSL_CIPHER_get_protocol_id(cipher));
	if (c->suite == NULL)
		return PLX_E_TLS;
	c->cipher = SSL_CIPHER_get_name(cipher);
	fill_crypto_ctx(&ctx, c->suite);
	ngtcp2_conn_set_crypto_ctx(c->nc, &ctx);
	return 0;
}

static int
install(struct plx_conn *c, ngtcp2_encryption_level level, bool tx, enum plx_aead aead,
        const struct plx_keys *keys, const uint8_t *secret, size_t len)
{
	ngtcp2_crypto_aead_ctx ctx = {plx_protect_key(c->q, aead, keys->key)};
	ngtcp2_crypto_cipher_ctx hp = {plx_protect_hp(c->q, aead, keys->hp)};
	const size_t iv_len = sizeof(keys->iv);
	int rv = NGTCP2_ERR_NOMEM;

	if (ctx.native_handle != NULL && hp.native_handle != NULL) {
		if (level == NGTCP2_ENCRYPTION_LEVEL_0RTT)
			rv = ngtcp2_conn_install_0rtt_key(c->nc, &ctx, keys->iv, iv_len,
			                                  &hp);
		else if (level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE)
			rv = tx ? ngtcp2_conn_install_tx_handshake_key(
			                  c->nc, &ctx, keys->iv, iv_len, &hp)
			        : ngtcp2_conn_install_rx_handshake_key(
			                  c->nc, &ctx, keys->iv, iv_len, &hp);
		else
			rv = tx ? ngtcp2_conn_install_tx_key(c->nc, secret, len, &ctx,
			                                     keys->iv, iv_len, &hp)
			        : ngtcp2_conn_install_rx_key(c->nc, secret, len, &ctx,
			                                     keys->iv, iv_len, &hp);
	}
	if (rv != 0) {
		plx_protect_free(ctx.native_handle);
		plx_protect_free(hp.native_handle);
		ngtcp2_conn_set_tls_error(c->nc, rv);
	}
	return rv;
}

/*
 * What a handshake in QUIC cannot do without, and OpenSSL does not miss; ngtcp2 aborts when it
 * writes without the peer's parameters. Whoever sends them has sent them before the first secret
 * of a server and the last of a client: RFC 9001 sections 8.1, 8.2.
 * @return alert, 0 = all is there
 */
static uint8_t
lacks(const struct plx_tls_sess *s)
{
	const unsigned char *alpn;
	unsigned int len;

	if (!s->got_params)
		return TLS_ALERT_MISSING_EXTENSION;
	SSL_get0_alpn_selected(s->ssl, &alpn, &len);
	return len > 0 ? 0 : TLS_ALERT_NO_ALPN;
}

/*
 * The key of early data: with the cipher of the ticket, which the handshake may yet change, and the
 * labels of the version that the client began with (RFC 9369 section 3.3.1). CRYPTO bytes go on at
 * the level where they are.
 */
static int
early_secret(struct plx_conn *c, bool tx, const unsigned char *secret, size_t len)
{
	const SSL_SESSION *sess = SSL_get_session(c->tls->ssl);
	const SSL_CIPHER *cipher = sess != NULL ? SSL_SESSION_get0_cipher(sess) : NULL;
	const struct plx_suite *suite = NULL;
	ngtcp2_crypto_ctx ctx;
	struct plx_keys keys;
	int rv;

	if (c->tls->early_key)
		return 1;
	if (cipher != NULL)
		suite = plx_suite_of(SSL_CIPHER_get_protocol_id(cipher));
	if (suite == NULL)
		return 0;
	fill_crypto_ctx(&ctx, suite);
	ngtcp2_conn_set_0rtt_crypto_ctx(c->nc, &ctx);
	rv = plx_derive_keys(&keys, ngtcp2_conn_get_client_chosen_version(c->nc), suite,
	                     secret, len);
	if (rv == 0)
		rv = install(c, NGTCP2_ENCRYPTION_LEVEL_0RTT, tx, suite->aead, &keys,
		             secret, len);
	OPENSSL_cleanse(&keys, sizeof(keys));
	if (rv != 0)
		return 0;
	c->early = c->tls->early_key = true;
	return 1;
}

static int
yield_secret(SSL *ssl, uint32_t ossl_level, int direction, const unsigned char *secret,
             size_t len, void *arg)
{
	struct plx_conn *c = arg;
	struct plx_tls_sess *s = c->tls;
	ngtcp2_encryption_level level = level_of(ossl_level);
	struct plx_keys keys;
	int rv;

	(void)ssl;
	if (level == NGTCP2_ENCRYPTION_LEVEL_INITIAL)
		return 0;
	if (level == NGTCP2_ENCRYPTION_LEVEL_0RTT)
		return early_secret(c, direction != 0, secret, len);
	/* RFC 9001 section 4.1.3: no bytes of a level may be left when the next one begins. */
	if (!direction && s->unread != NULL) {
		ngtcp2_conn_set_tls_error(c->nc, NGTCP2_ERR_PROTO);
		return 0;
	}
	if (c->is_server || level == NGTCP2_ENCRYPTION_LEVEL_1RTT)
		s->refused = lacks(s);
	if (s->refused != 0)
		return 0;
	if (c->suite == NULL && choose_suite(c) != 0)
		return 0;
	rv = plx_derive_keys(&keys, ngtcp2_conn_get_negotiated_version(c->nc), c->suite,
	                     secret, len);
	if (rv == 0)
		rv = install(c, level, direction != 0, c->suite->aead, &keys, secret, len);
	OPENSSL_cleanse(&keys, sizeof(keys));
	if (rv != 0)
		return 0;
	/* A server's parameters are complete once ngtcp2 has its first Handshake key, which is
	 * before OpenSSL writes them. */
	if (c->is_server && direction && set_own_params(c) != 0)
		return 0;
	if (direction)
		s->tx_level = level;
	else
		s->rx_level = level;
	return 1;
}

#define FN(f) ((void (*)(void))(f))

static const OSSL_DISPATCH table[] = {
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_SEND, FN(crypto_send)},
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RECV_RCD, FN(crypto_recv_rcd)},
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RELEASE_RCD, FN(crypto_release_rcd)},
        {OSSL_FUNC_SSL_QUIC_TLS_YIELD_SECRET, FN(yield_secret)},
        {OSSL_FUNC_SSL_QUIC_TLS_GOT_TRANSPORT_PARAMS, FN(got_params)},
        {OSSL_FUNC_SSL_QUIC_TLS_ALERT, FN(alert)},
        OSSL_DISPATCH_END,
};

/* Our order decides: the first of our protocols that the client names. */
int
plx_tls_alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                    const unsigned char *in, unsigned int in_len, void *arg)
{
	struct plx_conn *c = SSL_get_app_data(ssl);
	struct plx_quic *q = c->q;

	(void)arg;
	for (uint16_t p = 0; p < q->d.proto_cnt; p++) {
		size_t len = strlen(q->d.proto[p].alpn);

		for (unsigned int i = 0; i < in_len && in[i] < in_len - i;
		     i += 1u + in[i]) {
			if (in[i] != len ||
			    memcmp(&in[i + 1], q->d.proto[p].alpn, len) != 0)
				continue;
			*out = &in[i + 1];
			*out_len = in[i];
			if (q->d.watch != NULL && q->d.watch->on_hello != NULL)
				q->d.watch->on_hello(
				        q->d.watch_arg, c,
				        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
				        q->d.proto[p].alpn);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

const struct plx_proto *
plx_tls_find_proto(const struct plx_quic *q, const uint8_t *alpn, size_t len)
{
	for (uint16_t p = 0; p < q->d.proto_cnt; p++) {
		if (strlen(q->d.proto[p].alpn) == len &&
		    memcmp(q->d.proto[p].alpn, alpn, len) == 0)
			return &q->d.proto[p];
	}
	return NULL;
}

static int
setup_client(SSL *ssl, const char *sni, const char *alpn, bool verify)
{
	unsigned char wire[1 + 255], addr[16];
	size_t len = strlen(alpn);
	bool ip = sni != NULL && (inet_pton(AF_INET, sni, addr) == 1 ||
	                          inet_pton(AF_INET6, sni, addr) == 1);

	if (len == 0 || len > 255)
		return PLX_E_INVAL;
	wire[0] = (unsigned char)len;
	memcpy(&wire[1], alpn, len);
	if (SSL_set_alpn_protos(ssl, wire, (unsigned int)len + 1) != 0)
		return PLX_E_TLS;
	/* RFC 6066: no IP addresses in server_name. */
	if (sni != NULL && sni[0] != '\0' && !ip &&
	    !SSL_set_tlsext_host_name(ssl, (char *)(uintptr_t)sni))
		return PLX_E_TLS;
	SSL_set_verify(ssl, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (!verify)
		return 0;
	if (sni == NULL || sni[0] == '\0')
		return PLX_E_INVAL;
	if (ip)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), sni) ? 0
		                                                               : PLX_E_TLS;
	return SSL_set1_host(ssl, sni) ? 0 : PLX_E_TLS;
}

static int
keep_name(struct plx_conn *c, const char *name)
{
	size_t len = name != NULL ? strlen(name) + 1 : 0;

	if (len == 0)
		return 0;
	c->tls->name = plx_slab_alloc(c->q->slab, len);
	if (c->tls->name == NULL)
		return PLX_E_NOMEM;
	memcpy(c->tls->name, name, len);
	return 0;
}

const char *
plx_tls_name(const struct plx_conn *c)
{
	return c->tls != NULL && c->tls->name != NULL ? c->tls->name : "";
}

int
plx_tls_sess_new(struct plx_conn *c, struct plx_tls *t, const struct plx_quic_dial *d)
{
	struct plx_tls_sess *s = plx_slab_calloc(c->q->slab, 1, sizeof(*s));
	int rc = PLX_E_TLS;

	if (s == NULL)
		return PLX_E_NOMEM;
	s->rx_level = s->tx_level = NGTCP2_ENCRYPTION_LEVEL_INITIAL;
	s->due_ns = PLX_TIME_NEVER;
	c->tls = s;
	s->ssl = SSL_new(t->ctx);
	if (s->ssl == NULL)
		goto fail;
	if (!SSL_set_app_data(s->ssl, c) || !SSL_set_quic_tls_cbs(s->ssl, table, c))
		goto fail;
	if (t->server) {
		SSL_set_accept_state(s->ssl);
		if (t->spent != NULL && !SSL_set_quic_tls_early_data_enabled(s->ssl, 1))
			goto fail;
	} else {
		SSL_set_connect_state(s->ssl);
		rc = setup_client(s->ssl, d->sni, d->alpn, d->verify);
		if (rc == 0 && t->keep_tickets)
			rc = keep_name(c, d->sni);
		if (rc != 0)
			goto fail;
		c->early = plx_tls_ticket_offer(c, s->ssl, t, d);
	}
	return 0;
fail:
	plx_tls_sess_free(c);
	ERR_clear_error();
	return rc;
}

void
plx_tls_sess_free(struct plx_conn *c)
{
	struct plx_tls_sess *s = c->tls;

	if (s == NULL)
		return;
	SSL_free(s->ssl);
	plx_slab_release(c->q->slab, s->msg);
	plx_slab_release(c->q->slab, s->name);
	while (s->head != NULL) {
		struct chunk *k = s->head;

		s->head = k->next;
		plx_slab_release(c->q->slab, k);
	}
	c->tls = NULL;
	plx_slab_release(c->q->slab, s);
}

static int
tls_failed(struct plx_conn *c)
{
	struct plx_tls_sess *s = c->tls;
	long verify = SSL_get_verify_result(s->ssl);
	int rv = ngtcp2_conn_get_tls_error(c->nc);

	ERR_clear_error();
	if (rv != 0)
		return rv;
	if (s->refused != 0) {
		/* The alert that OpenSSL raised is about our refusal. */
		ngtcp2_conn_set_tls_alert(c->nc, s->refused);
		return NGTCP2_ERR_CRYPTO;
	}
	if (s->alert == 0)
		ngtcp2_conn_set_tls_alert(c->nc, TLS_ALERT_INTERNAL_ERROR);
	/* For our own side only: the peer gets the alert. */
	if (!c->is_server && verify != X509_V_OK) {
		const char *text = X509_verify_cert_error_string(verify);
		size_t len = strlen(text);

		if (len > sizeof(c->why.reason))
			len = sizeof(c->why.reason);
		memcpy(c->why.reason, text, len);
		c->why.reason_len = (uint8_t)len;
	}
	return NGTCP2_ERR_CRYPTO;
}

/*
 * What became of early data. A client that had keys for it and whose data was not taken begins
 * anew: ngtcp2 forgets what was sent and all streams, and so does the application.
 */
static int
early_outcome(struct plx_conn *c)
{
	int status = SSL_get_early_data_status(c->tls->ssl);
	struct plx_obs *obs = c->q->d.obs;
	int rv;

	if (SSL_session_reused(c->tls->ssl)) {
		c->resumed = true;
		plx_obs_add(obs, PLX_COUNT_sessions_resumed, 1);
	}
	if (status == SSL_EARLY_DATA_ACCEPTED)
		plx_obs_add(obs, PLX_COUNT_early_accepted, 1);
	else if (status == SSL_EARLY_DATA_REJECTED)
		plx_obs_add(obs, PLX_COUNT_early_rejected, 1);
	if (c->is_server || !c->early)
		return 0;
	c->early_ok = status == SSL_EARLY_DATA_ACCEPTED;
	if (c->early_ok)
		return 0;
	rv = ngtcp2_conn_tls_early_data_rejected(c->nc);
	if (c->app != NULL)
		c->app->on_early_rejected(c->ctx);
	return rv;
}

/* The handshake is over: keep what is asked for later, let the SSL object go. */
static int
tls_done(struct plx_conn *c)
{
	SSL *ssl = c->tls->ssl;
	int rv = early_outcome(c);
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const unsigned char *alpn;
	unsigned int alpn_len;

	if (rv != 0)
		return rv;
	SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
	c->proto = plx_tls_find_proto(c->q, alpn, alpn_len);
	if (c->proto == NULL) {
		/* RFC 9001 section 8.1: a handshake without a protocol in common fails. */
		ngtcp2_conn_set_tls_alert(c->nc, TLS_ALERT_NO_ALPN);
		return NGTCP2_ERR_CRYPTO;
	}
	if (sni != NULL && c->is_server && c->sni == NULL) {
		size_t len = strlen(sni) + 1;

		c->sni = plx_slab_alloc(c->q->slab, len);
		if (c->sni != NULL)
			memcpy(c->sni, sni, len);
	}
	ngtcp2_conn_tls_handshake_completed(c->nc);
	if (!c->is_server && c->q->d.tls_client->keep_tickets)
		c->tls->due_ns = c->q->now + TICKET_WAIT_NS;
	else
		plx_tls_sess_free(c);
	ERR_clear_error();
	return 0;
}

/*
 * A server that takes early data has SSL_do_handshake() say that it is done once its own flight is
 * written, and do nothing from then on; SSL_read() finds the client's Finished.
 */
static int
do_handshake(struct plx_conn *c)
{
	struct plx_tls_sess *s = c->tls;
	int rv = 1, e;

	ERR_clear_error();
	if (!s->flight_done)
		rv = SSL_do_handshake(s->ssl);
	if (rv == 1 && !SSL_is_init_finished(s->ssl)) {
		s->flight_done = true;
		rv = SSL_read(s->ssl, NULL, 0);
	}
	/* Our keys and the client's limits are in place, its early data is read next. */
	if (s->early_key && c->is_server && c->app == NULL &&
	    s->tx_level == NGTCP2_ENCRYPTION_LEVEL_1RTT && plx_conn_begin_early(c) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	if (SSL_is_init_finished(s->ssl))
		return tls_done(c);
	e = SSL_get_error(s->ssl, rv);
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return 0;
	return tls_failed(c);
}

int
plx_tls_client_start(struct plx_conn *c)
{
	if (set_own_params(c) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return do_handshake(c) == 0 ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int
unexpected(struct plx_conn *c)
{
	ngtcp2_conn_set_tls_alert(c->nc, TLS_ALERT_UNEXPECTED_MESSAGE);
	return NGTCP2_ERR_CRYPTO;
}

/* A ticket is here as a whole. @return 0 or NGTCP2_ERR_* */
static int
read_ticket(struct plx_conn *c)
{
	struct plx_tls_sess *s = c->tls;
	bool limited;
	int rv, e;

	enqueue(s, s->msg);
	s->msg = NULL;
	ERR_clear_error();
	rv = SSL_read(s->ssl, NULL, 0);
	e = SSL_get_error(s->ssl, rv);
	limited = ERR_GET_REASON(ERR_peek_error()) == SSL_R_INVALID_MAX_EARLY_DATA;
	ERR_clear_error();
	if (e != SSL_ERROR_SSL)
		return 0;
	/* OpenSSL has an alert for it, RFC 9001 section 4.6.1 a code. */
	if (limited)
		return NGTCP2_ERR_PROTO;
	if (s->alert != 0 && s->alert != TLS_ALERT_INTERNAL_ERROR)
		return NGTCP2_ERR_CRYPTO;
	/* Our own fault, a want of memory mostly: the connection can do without. */
	c->got_ticket = true;
	return 0;
}

/* The header of a message is complete: somebody may wait for the rest. */
static void
begin_msg(struct plx_conn *c)
{
	struct plx_tls_sess *s = c->tls;
	size_t len = sizeof(c->post_hdr) + c->post_left;

	if (s == NULL || c->got_ticket || len > PLX_TICKET_MAX)
		return;
	s->msg = plx_slab_alloc(c->q->slab, sizeof(*s->msg) + len);
	if (s->msg == NULL)
		return;
	*s->msg = (struct chunk){.len = len};
	memcpy(s->msg->data, c->post_hdr, sizeof(c->post_hdr));
	s->msg_len = sizeof(c->post_hdr);
}

uint64_t
plx_tls_due(const struct plx_conn *c)
{
	return c->tls != NULL ? c->tls->due_ns : PLX_TIME_NEVER;
}

void
plx_tls_trim(struct plx_conn *c)
{
	if (c->tls != NULL && c->tls->due_ns <= c->q->now)
		plx_tls_sess_free(c);
}

/*
 * TLS messages after the handshake: type (1), length (3), body. A server may send tickets, a
 * client nothing at all, since certificates are not asked for afterwards (RFC 9001 4.4).
 */
static int
post_handshake(struct plx_conn *c, ngtcp2_encryption_level level, const uint8_t *data,
               size_t len)
{
	int rv = 0;

	if (c->is_server || level != NGTCP2_ENCRYPTION_LEVEL_1RTT)
		return unexpected(c);
	while (len > 0 && rv == 0) {
		size_t n;

		if (c->post_left > 0) {
			n = len < c->post_left ? len : c->post_left;
			c->post_left -= (uint32_t)n;
			if (c->tls != NULL && c->tls->msg != NULL) {
				memcpy(c->tls->msg->data + c->tls->msg_len, data, n);
				c->tls->msg_len += n;
			}
		} else {
			n = 1;
			c->post_hdr[c->post_hdr_len++] = *data;
			if (c->post_hdr[0] != TLS_MSG_NEW_SESSION_TICKET)
				return unexpected(c);
			if (c->post_hdr_len == sizeof(c->post_hdr)) {
				c->post_left = (uint32_t)c->post_hdr[1] << 16 |
				               (uint32_t)c->post_hdr[2] << 8 |
				               c->post_hdr[3];
				c->post_hdr_len = 0;
				begin_msg(c);
			}
		}
		data += n;
		len -= n;
		if (c->tls != NULL && c->tls->msg != NULL &&
		    c->tls->msg_len == c->tls->msg->len)
			rv = read_ticket(c);
	}
	if (c->got_ticket && c->tls != NULL)
		plx_tls_sess_free(c);
	return rv;
}

int
plx_tls_recv(struct plx_conn *c, ngtcp2_encryption_level level, uint64_t off,
             const uint8_t *data, size_t len)
{
	struct plx_tls_sess *s = c->tls;
	struct chunk *k;

	if (off + len > PLX_CRYPTO_MAX) {
		ngtcp2_ccerr_set_transport_error(&c->ccerr, NGTCP2_CRYPTO_BUFFER_EXCEEDED,
		                                 NULL, 0);
		return NGTCP2_ERR_CALLBACK_FAILURE;
	}
	if (s == NULL || s->due_ns != PLX_TIME_NEVER)
		return post_handshake(c, level, data, len);
	if (level != s->rx_level)
		return NGTCP2_ERR_PROTO;
	k = plx_slab_alloc(c->q->slab, sizeof(*k) + len);
	if (k == NULL)
		return NGTCP2_ERR_NOMEM;
	k->next = NULL;
	k->len = len;
	k->rel = 0;
	memcpy(k->data, data, len);
	enqueue(s, k);
	return do_handshake(c);
}
