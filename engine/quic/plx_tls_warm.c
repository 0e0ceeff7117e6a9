/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "plx_tls_pvt.h"

/*
 * A library context builds its lists of algorithms when the first handshake asks for them, one
 * list per kind. When memory is short just then, OpenSSL 3.5 keeps a list without entries, and no
 * handshake of that context ever works again. So each worker does one TLS handshake with itself
 * before it takes packets; that also takes some milliseconds off its first connection.
 */

/* Two flights and the tickets are three rounds. */
#define ROUNDS_MAX 8

static SSL_CTX *
make_ctx(OSSL_LIB_CTX *lib, const char *cert_pem, const char *key_pem)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(lib, NULL, TLS_method());
	BIO *cert_bio = BIO_new_mem_buf(cert_pem, -1),
	    *key_bio = BIO_new_mem_buf(key_pem, -1);
	X509 *cert = X509_new_ex(lib, NULL);
	EVP_PKEY *key = NULL;
	bool ok = ctx != NULL && cert_bio != NULL && key_bio != NULL && cert != NULL;

	ok = ok && PEM_read_bio_X509(cert_bio, &cert, NULL, NULL) != NULL;
	if (ok)
		key = PEM_read_bio_PrivateKey_ex(key_bio, NULL, NULL, NULL, lib, NULL);
	ok = ok && key != NULL && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	     SSL_CTX_use_certificate(ctx, cert) == 1 &&
	     SSL_CTX_use_PrivateKey(ctx, key) == 1;
	EVP_PKEY_free(key);
	X509_free(cert);
	BIO_free(cert_bio);
	BIO_free(key_bio);
	if (!ok) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static bool
handshake(SSL_CTX *ctx, const char *group)
{
	SSL *server = SSL_new(ctx), *client = SSL_new(ctx);
	BIO *a = NULL, *b = NULL;
	bool done = false;

	if (server != NULL && client != NULL &&
	    BIO_new_bio_pair(&a, 65536, &b, 65536) == 1 &&
	    SSL_set1_groups_list(client, (char *)(uintptr_t)group) == 1) {
		SSL_set_bio(server, a, a);
		SSL_set_bio(client, b, b);
		a = b = NULL;
		SSL_set_accept_state(server);
		SSL_set_connect_state(client);
		for (int i = 0; i < ROUNDS_MAX && !done; i++) {
			int c = SSL_do_handshake(client), s = SSL_do_handshake(server);

			done = c == 1 && s == 1;
		}
	}
	BIO_free(a);
	BIO_free(b);
	SSL_free(client);
	SSL_free(server);
	return done;
}

int
plx_tls_warm(struct plx_tls *t)
{
	char *cert = NULL, *key = NULL;
	SSL_CTX *ctx = NULL;
	int rc = plx_tls_self_signed("warm", true, NULL, &cert, &key);

	if (rc == 0) {
		ctx = make_ctx(t->lib, cert, key);
		/* A hybrid group too: it is a key encapsulation, which is another list. */
		if (ctx == NULL || !handshake(ctx, "X25519") ||
		    !handshake(ctx, "X25519MLKEM768"))
			rc = PLX_E_NOMEM;
	}
	SSL_CTX_free(ctx);
	free(cert);
	free(key);
	ERR_clear_error();
	return rc;
}

void
plx_tls_thread_end(struct plx_tls *t)
{
	OPENSSL_thread_stop_ex(t->lib);
}
