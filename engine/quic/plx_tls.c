/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include <threads.h>

#include <ngtcp2/ngtcp2_crypto_ossl.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include "plx_tls_pvt.h"

#define PLX_TLS_SUITES \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define PLX_TLS_GROUPS_SERVER "X25519MLKEM768:X25519:P-256"
/* A client offers a share for the first group only: X25519 keeps the ClientHello in one Initial. */
#define PLX_TLS_GROUPS_CLIENT "X25519:X25519MLKEM768:P-256"

/*
 * The crypto helper of ngtcp2 keeps its fetched algorithms in variables of the process. They
 * must be set once, before the first worker derives Initial keys; this flag only says that they
 * are.
 */
static once_flag helper_once = ONCE_FLAG_INIT;

static void
helper_init(void)
{
	ngtcp2_crypto_ossl_init();
}

OSSL_LIB_CTX *
plx_tls_lib_new(struct plx_rand *rand, OSSL_PROVIDER **def, OSSL_PROVIDER **seeded)
{
	OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();

	*def = NULL;
	*seeded = NULL;
	if (lib == NULL)
		return NULL;
	if (rand != NULL) {
		*seeded = plx_tls_rand_load(lib, rand);
		if (*seeded == NULL)
			goto fail;
	}
	*def = OSSL_PROVIDER_load(lib, "default");
	if (*def == NULL)
		goto fail;
	return lib;
fail:
	plx_tls_lib_free(lib, *def, *seeded);
	return NULL;
}

void
plx_tls_lib_free(OSSL_LIB_CTX *lib, OSSL_PROVIDER *def, OSSL_PROVIDER *seeded)
{
	if (def != NULL)
		OSSL_PROVIDER_unload(def);
	if (seeded != NULL)
		OSSL_PROVIDER_unload(seeded);
	OSSL_LIB_CTX_free(lib);
}

static void
keylog(const SSL *ssl, const char *line)
{
	const struct plx_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	t->keylog(t->keylog_arg, line);
}

static int
setup_ctx(struct plx_tls *t, const struct plx_tls_cfg *cfg, char *err, size_t err_sz)
{
	const char *suites = cfg->ciphers != NULL ? cfg->ciphers : PLX_TLS_SUITES;
	const char *groups = cfg->groups;

	if (groups == NULL)
		groups = cfg->server ? PLX_TLS_GROUPS_SERVER : PLX_TLS_GROUPS_CLIENT;
	if (!SSL_CTX_set_app_data(t->ctx, t)) {
		snprintf(err, err_sz, "no memory for a TLS context");
		return PLX_E_NOMEM;
	}
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_3_VERSION);
	SSL_CTX_set_max_proto_version(t->ctx, TLS1_3_VERSION);
	/* No middlebox compatibility in QUIC: RFC 9001 section 8.4. */
	SSL_CTX_clear_options(t->ctx, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	SSL_CTX_set_options(t->ctx,
	                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	if (!SSL_CTX_set_ciphersuites(t->ctx, suites)) {
		snprintf(err, err_sz,
		         "no TLS 1.3 cipher suite of '%s' is known; use names such "
		         "as TLS_AES_128_GCM_SHA256 joined by colons",
		         suites);
		return PLX_E_TLS;
	}
	if (!SSL_CTX_set1_groups_list(t->ctx, (char *)(uintptr_t)groups)) {
		snprintf(err, err_sz,
		         "a key exchange group of '%s' is not known; use names such "
		         "as X25519 joined by colons",
		         groups);
		return PLX_E_TLS;
	}
	if (cfg->keylog != NULL)
		SSL_CTX_set_keylog_callback(t->ctx, keylog);
	if (cfg->server)
		SSL_CTX_set_alpn_select_cb(t->ctx, plx_tls_alpn_select, NULL);
	if (plx_tls_ticket_setup(t, cfg) != 0) {
		snprintf(err, err_sz, "OpenSSL could not be set up for session tickets");
		return PLX_E_TLS;
	}
	return 0;
}

static int
load_trust(struct plx_tls *t, const struct plx_tls_cfg *cfg, char *err, size_t err_sz)
{
	if (cfg->ca_file == NULL) {
		/* A machine without a trust store can still dial without verification. */
		SSL_CTX_set_default_verify_paths(t->ctx);
		return 0;
	}
	if (!SSL_CTX_load_verify_file(t->ctx, cfg->ca_file)) {
		snprintf(err, err_sz,
		         "the trust store '%s' cannot be read or holds no PEM "
		         "certificate; name a file of CA certificates",
		         cfg->ca_file);
		return PLX_E_CERT;
	}
	return 0;
}

int
plx_tls_new(struct plx_tls **out, const struct plx_tls_cfg *cfg, char *err, size_t err_sz)
{
	struct plx_tls *t = calloc(1, sizeof(*t));
	int rc = PLX_E_NOMEM;

	*out = NULL;
	if (err_sz > 0)
		err[0] = '\0';
	call_once(&helper_once, helper_init);
	if (t == NULL)
		goto nomem;
	t->server = cfg->server;
	t->keylog = cfg->keylog;
	t->keylog_arg = cfg->keylog_arg;
	t->lib = plx_tls_lib_new(cfg->rand, &t->def, &t->seeded);
	if (t->lib == NULL)
		goto nomem;
	t->ctx = SSL_CTX_new_ex(t->lib, NULL,
	                        cfg->server ? TLS_server_method() : TLS_client_method());
	if (t->ctx == NULL)
		goto nomem;
	rc = setup_ctx(t, cfg, err, err_sz);
	if (rc == 0 && (cfg->server || cfg->cert_file != NULL || cfg->cert_pem != NULL))
		rc = plx_tls_load_cert(t, cfg, err, err_sz);
	if (rc == 0 && !cfg->server)
		rc = load_trust(t, cfg, err, err_sz);
	ERR_clear_error();
	if (rc != 0) {
		plx_tls_free(t);
		return rc;
	}
	*out = t;
	return 0;
nomem:
	snprintf(err, err_sz,
	         "OpenSSL could not make a TLS context; is there memory left, and is "
	         "the default provider installed?");
	ERR_clear_error();
	plx_tls_free(t);
	return rc;
}

void
plx_tls_free(struct plx_tls *t)
{
	if (t == NULL)
		return;
	plx_tls_ticket_fini(t);
	SSL_CTX_free(t->ctx);
	if (t->lib != NULL)
		plx_tls_lib_free(t->lib, t->def, t->seeded);
	free(t);
}
