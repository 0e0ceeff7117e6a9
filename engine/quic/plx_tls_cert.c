/* SPDX-License-Identifier: BSD-3-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "plx_tls_pvt.h"

/* A chain of certificates is a few KiB; what is larger is not a certificate file. */
#define PEM_FILE_MAX (1 << 20)

/* Opens a PEM text from memory or from a file, in full, so that errors name the file. */
static int
open_pem(BIO **out, const char *what, const char *file, const char *text, char *err,
         size_t err_sz)
{
	FILE *f = NULL;
	char *buf = NULL;
	size_t len = 0;
	int e = 0;

	*out = NULL;
	if (text != NULL) {
		*out = BIO_new_mem_buf(text, -1);
		return *out != NULL ? 0 : PLX_E_NOMEM;
	}
	if (file == NULL) {
		snprintf(err, err_sz,
		         "no %s was given; a server needs a certificate and its key", what);
		return PLX_E_CERT;
	}
	f = fopen(file, "rbe");
	if (f == NULL) {
		e = errno;
	} else {
		buf = malloc(PEM_FILE_MAX);
		if (buf != NULL) {
			errno = 0;
			len = fread(buf, 1, PEM_FILE_MAX, f);
			if (ferror(f))
				e = errno != 0 ? errno : EIO;
		}
		fclose(f);
	}
	if (e != 0) {
		snprintf(err, err_sz, "the %s '%s' cannot be read: %s", what, file,
		         strerror(e));
		free(buf);
		return PLX_E_CERT;
	}
	if (buf != NULL && len < PEM_FILE_MAX) {
		*out = BIO_new(BIO_s_mem());
		if (*out != NULL && len > 0 && BIO_write(*out, buf, (int)len) != (int)len) {
			BIO_free(*out);
			*out = NULL;
		}
	}
	if (buf != NULL)
		OPENSSL_cleanse(buf, len);
	free(buf);
	if (*out == NULL) {
		snprintf(err, err_sz,
		         "the %s '%s' is larger than %d KiB or there is no memory", what,
		         file, PEM_FILE_MAX >> 10);
		return PLX_E_CERT;
	}
	return 0;
}

/* No terminal is asked for a passphrase: a server starts unattended. */
static int
no_password(char *buf, int sz, int rw, void *arg)
{
	(void)rw;
	if (sz > 0)
		buf[0] = '\0';
	*(bool *)arg = true;
	return -1;
}

static int
read_chain(struct plx_tls *t, BIO *bio, X509 **leaf)
{
	X509 *x = X509_new_ex(t->lib, NULL);

	*leaf = NULL;
	if (x == NULL || PEM_read_bio_X509_AUX(bio, &x, NULL, NULL) == NULL ||
	    SSL_CTX_use_certificate(t->ctx, x) != 1) {
		X509_free(x);
		return PLX_E_CERT;
	}
	*leaf = x;
	for (;;) {
		X509 *ca = X509_new_ex(t->lib, NULL);

		if (ca == NULL || PEM_read_bio_X509(bio, &ca, NULL, NULL) == NULL) {
			X509_free(ca);
			break; /* no more certificates is the end, not an error */
		}
		if (SSL_CTX_add0_chain_cert(t->ctx, ca) != 1) {
			X509_free(ca);
			return PLX_E_CERT;
		}
	}
	ERR_clear_error();
	return 0;
}

static int
check_dates(const X509 *x, const char *name, char *err, size_t err_sz)
{
	if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0) {
		snprintf(err, err_sz, "the certificate '%s' has expired; renew it", name);
		return PLX_E_CERT;
	}
	if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0) {
		snprintf(err, err_sz,
		         "the certificate '%s' is not valid yet; check the clock of "
		         "this machine",
		         name);
		return PLX_E_CERT;
	}
	return 0;
}

int
plx_tls_load_cert(struct plx_tls *t, const struct plx_tls_cfg *cfg, char *err,
                  size_t err_sz)
{
	const char *cert_name = cfg->cert_pem != NULL ? "(in memory)" : cfg->cert_file;
	const char *key_name = cfg->key_pem != NULL ? "(in memory)" : cfg->key_file;
	BIO *cert = NULL, *key = NULL;
	EVP_PKEY *pkey = NULL;
	bool encrypted = false;
	X509 *leaf = NULL;
	int rc;

	rc = open_pem(&cert, "certificate file", cfg->cert_file, cfg->cert_pem, err,
	              err_sz);
	if (rc == 0)
		rc = open_pem(&key, "key file", cfg->key_file, cfg->key_pem, err, err_sz);
	if (rc != 0)
		goto out;
	rc = read_chain(t, cert, &leaf);
	if (rc != 0) {
		snprintf(err, err_sz,
		         "the certificate file '%s' holds no PEM certificate that "
		         "can be used; it must begin with the server's own certificate",
		         cert_name);
		goto out;
	}
	rc = check_dates(leaf, cert_name, err, err_sz);
	if (rc != 0)
		goto out;
	rc = PLX_E_CERT;
	pkey = PEM_read_bio_PrivateKey_ex(key, NULL, no_password, &encrypted, t->lib, NULL);
	if (pkey == NULL) {
		snprintf(
		        err, err_sz,
		        encrypted
		                ? "the key file '%s' is encrypted; give one without passphrase"
		                : "the key file '%s' holds no PEM private key",
		        key_name);
		goto out;
	}
	if (X509_check_private_key(leaf, pkey) != 1) {
		snprintf(err, err_sz,
		         "the key '%s' does not belong to the certificate '%s'; give "
		         "the pair that was made together",
		         key_name, cert_name);
		goto out;
	}
	if (SSL_CTX_use_PrivateKey(t->ctx, pkey) != 1) {
		snprintf(err, err_sz,
		         "the key '%s' is of a kind that TLS 1.3 cannot use; use "
		         "ECDSA P-256, Ed25519 or RSA",
		         key_name);
		goto out;
	}
	rc = 0;
out:
	EVP_PKEY_free(pkey);
	X509_free(leaf);
	BIO_free(cert);
	BIO_free(key);
	ERR_clear_error();
	return rc;
}

static int
add_ext(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL)
		return PLX_E_TLS;
	ok = X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	return ok == 1 ? 0 : PLX_E_TLS;
}

static int
fill_cert(X509 *x, EVP_PKEY *key, const char *name, struct plx_rand *rand)
{
	struct plx_rand system;
	unsigned char addr[16];
	char san[320];
	X509_NAME *subject;
	uint64_t serial;
	bool ip;

	if (rand == NULL)
		plx_rand_system(&system);
	serial = plx_rand_u64(rand != NULL ? rand : &system) >> 1;
	ip = inet_pton(AF_INET, name, addr) == 1 || inet_pton(AF_INET6, name, addr) == 1;
	snprintf(san, sizeof(san), "%s:%s", ip ? "IP" : "DNS", name);
	if (X509_set_version(x, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial | 1) != 1 ||
	    X509_set_pubkey(x, key) != 1)
		return PLX_E_TLS;
	/* A seeded certificate must not hold the date of the run. */
	if (rand != NULL) {
		if (!ASN1_TIME_set_string(X509_getm_notBefore(x), "20200101000000Z") ||
		    !ASN1_TIME_set_string(X509_getm_notAfter(x), "20991231235959Z"))
			return PLX_E_TLS;
	} else if (X509_gmtime_adj(X509_getm_notBefore(x), -24L * 3600) == NULL ||
	           X509_gmtime_adj(X509_getm_notAfter(x), 365L * 24 * 3600) == NULL) {
		return PLX_E_TLS;
	}
	subject = X509_get_subject_name(x);
	if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
	                               (const unsigned char *)name, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, subject) != 1)
		return PLX_E_TLS;
	/* It is its own authority, so that a client can be given it as trust store. */
	if (add_ext(x, NID_basic_constraints, "critical,CA:TRUE") != 0 ||
	    add_ext(x, NID_subject_key_identifier, "hash") != 0 ||
	    add_ext(x, NID_subject_alt_name, san) != 0)
		return PLX_E_TLS;
	return 0;
}

static char *
to_text(BIO *bio)
{
	char *data = NULL, *text;
	long len = BIO_get_mem_data(bio, &data);

	if (len <= 0)
		return NULL;
	text = malloc((size_t)len + 1);
	if (text == NULL)
		return NULL;
	memcpy(text, data, (size_t)len);
	text[len] = '\0';
	return text;
}

int
plx_tls_self_signed(const char *name, bool ed25519, struct plx_rand *rand, char **cert_pem,
                    char **key_pem)
{
	OSSL_PROVIDER *def = NULL, *seeded = NULL;
	OSSL_LIB_CTX *lib = plx_tls_lib_new(rand, &def, &seeded);
	BIO *cert = BIO_new(BIO_s_mem()), *priv = BIO_new(BIO_s_mem());
	EVP_PKEY *key = NULL;
	X509 *x = NULL;
	int rc = PLX_E_NOMEM;

	*cert_pem = NULL;
	*key_pem = NULL;
	if (lib == NULL || cert == NULL || priv == NULL || strlen(name) > 255)
		goto out;
	rc = PLX_E_TLS;
	key = ed25519 ? EVP_PKEY_Q_keygen(lib, NULL, "ED25519")
	              : EVP_PKEY_Q_keygen(lib, NULL, "EC", "P-256");
	x = X509_new_ex(lib, NULL);
	if (key == NULL || x == NULL || fill_cert(x, key, name, rand) != 0)
		goto out;
	if (X509_sign(x, key, ed25519 ? NULL : EVP_sha256()) == 0 ||
	    PEM_write_bio_X509(cert, x) != 1 ||
	    PEM_write_bio_PKCS8PrivateKey(priv, key, NULL, NULL, 0, NULL, NULL) != 1)
		goto out;
	*cert_pem = to_text(cert);
	*key_pem = to_text(priv);
	rc = *cert_pem != NULL && *key_pem != NULL ? 0 : PLX_E_NOMEM;
	if (rc != 0) {
		free(*cert_pem);
		free(*key_pem);
		*cert_pem = *key_pem = NULL;
	}
out:
	X509_free(x);
	EVP_PKEY_free(key);
	BIO_free(cert);
	BIO_free(priv);
	if (lib != NULL)
		plx_tls_lib_free(lib, def, seeded);
	ERR_clear_error();
	return rc;
}
