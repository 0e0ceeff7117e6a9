/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

struct report {
	plx_finding_fn fn;
	void *arg;
};

static void tell(const struct report *r, enum plx_verdict v, const char *topic,
                 const char *fix, const char *fmt, ...) PLX_PRINTF(5, 6);

static void
tell(const struct report *r, enum plx_verdict v, const char *topic, const char *fix,
     const char *fmt, ...)
{
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->fn(r->arg, v, topic, text, fix);
}

/* Opens a file that must be one and readable; NULL after a finding. */
static FILE *
open_file(const struct report *r, const char *topic, const char *path)
{
	struct stat st;
	FILE *f = NULL;
	char fix[320];

	if (stat(path, &st) != 0) {
		snprintf(fix, sizeof(fix),
		         "correct the path, or make the file: ls -l %.250s", path);
		tell(r, PLX_VERDICT_FAIL, topic, fix, "cannot find %s: %s", path,
		     strerror(errno));
	} else if (S_ISDIR(st.st_mode)) {
		tell(r, PLX_VERDICT_FAIL, topic, "name the file in it",
		     "%s is a directory, a file "
		     "is expected",
		     path);
	} else if ((f = fopen(path, "re")) == NULL) {
		snprintf(fix, sizeof(fix), "let uid %u read it: setfacl -m u:%u:r %.200s",
		         (unsigned)geteuid(), (unsigned)geteuid(), path);
		tell(r, PLX_VERDICT_FAIL, topic, fix, "cannot read %s: %s", path,
		     strerror(errno));
	}
	return f;
}

static X509 *
read_cert(const struct report *r, const char *topic, const char *path)
{
	FILE *f = open_file(r, topic, path);
	X509 *x = NULL;
	time_t soon = time(NULL) + 14L * 24 * 3600;

	if (f == NULL)
		return NULL;
	x = PEM_read_X509(f, NULL, NULL, NULL);
	fclose(f);
	if (x == NULL)
		tell(r, PLX_VERDICT_FAIL, topic,
		     "it must contain '-----BEGIN CERTIFICATE-----'; convert with openssl x509",
		     "%s holds no PEM certificate", path);
	else if (X509_cmp_time(X509_get0_notBefore(x), NULL) > 0)
		tell(r, PLX_VERDICT_FAIL, topic,
		     "set the clock, or use another certificate",
		     "the certificate in %s is not valid yet", path);
	else if (X509_cmp_time(X509_get0_notAfter(x), NULL) < 0)
		tell(r, PLX_VERDICT_FAIL, topic, "renew it",
		     "the certificate in %s has expired", path);
	else if (X509_cmp_time(X509_get0_notAfter(x), &soon) < 0)
		tell(r, PLX_VERDICT_WARN, topic, "renew it",
		     "the certificate in %s expires within 14 days", path);
	else
		tell(r, PLX_VERDICT_OK, topic, "", "%s is a valid certificate", path);
	return x;
}

/* A password cannot be asked for; without this OpenSSL would ask on the terminal. */
static int
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is OpenSSL's */
no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static EVP_PKEY *
read_key(const struct report *r, const char *topic, const char *path)
{
	FILE *f = open_file(r, topic, path);
	EVP_PKEY *key = NULL;
	struct stat st;

	if (f == NULL)
		return NULL;
	key = PEM_read_PrivateKey(f, NULL, no_password, NULL);
	if (key == NULL)
		tell(r, PLX_VERDICT_FAIL, topic,
		     "it must be PEM and without a password: openssl pkey -in … -out …",
		     "%s holds no private key that can be read", path);
	else if (fstat(fileno(f), &st) == 0 && (st.st_mode & S_IROTH) != 0)
		tell(r, PLX_VERDICT_WARN, topic, "chmod o-r",
		     "everybody may read the private key "
		     "%s",
		     path);
	else
		tell(r, PLX_VERDICT_OK, topic, "", "%s is a private key", path);
	fclose(f);
	return key;
}

static void
check_pair(const struct plx_config *c, const struct report *r)
{
	X509 *x = NULL;
	EVP_PKEY *key = NULL;

	if (*c->tls.cert != '\0')
		x = read_cert(r, "tls.cert", c->tls.cert);
	if (*c->tls.key != '\0')
		key = read_key(r, "tls.key", c->tls.key);
	if (x != NULL && key != NULL && X509_check_private_key(x, key) != 1)
		tell(r, PLX_VERDICT_FAIL, "tls.key",
		     "give the key the certificate was made with: compare openssl x509 -pubkey and "
		     "openssl pkey -pubout",
		     "the key %s does not belong to the certificate %s", c->tls.key,
		     c->tls.cert);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void
check_dir(const struct report *r, const char *topic, const char *path, int rights)
{
	struct stat st;

	if (*path == '\0')
		return;
	if (stat(path, &st) != 0)
		tell(r, PLX_VERDICT_FAIL, topic, "make it with mkdir, or correct the path",
		     "cannot find %s: %s", path, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		tell(r, PLX_VERDICT_FAIL, topic, "name the directory it is in",
		     "%s is a file, a directory is expected", path);
	else if (access(path, rights) != 0)
		tell(r, PLX_VERDICT_FAIL, topic, "change its owner or mode: ls -ld",
		     "this user may not %s in %s", (rights & W_OK) != 0 ? "write" : "read",
		     path);
	else
		tell(r, PLX_VERDICT_OK, topic, "", "%s can be used", path);
}

/* A file that will be written: its directory must allow that, or the file. */
static void
check_output(const struct report *r, const char *topic, const char *path)
{
	char dir[1024];
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (*path == '\0')
		return;
	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			tell(r, PLX_VERDICT_FAIL, topic, "name a file in it",
			     "%s is a directory, a file is expected", path);
		else if (S_ISREG(st.st_mode) && access(path, W_OK) != 0)
			tell(r, PLX_VERDICT_FAIL, topic, "change its owner or mode: ls -l",
			     "this user may not write %s", path);
		return;
	}
	snprintf(dir, sizeof(dir), "%.*s",
	         slash == NULL   ? 1
	         : slash == path ? 1
	                         : (int)(slash - path),
	         slash == NULL ? "." : path);
	if (access(dir, W_OK | X_OK) != 0)
		tell(r, PLX_VERDICT_FAIL, topic, "make the directory, or change its mode",
		     "%s cannot be made in %s: %s", path, dir, strerror(errno));
}

void
plx_files_check(const struct plx_config *c, plx_finding_fn fn, void *arg)
{
	const struct report r = {fn, arg};
	FILE *f;

	check_pair(c, &r);
	if (*c->tls.ca != '\0')
		X509_free(read_cert(&r, "tls.ca", c->tls.ca));
	if (*c->quic.cid.key_file != '\0') {
		f = open_file(&r, "quic.cid.key_file", c->quic.cid.key_file);
		if (f != NULL)
			fclose(f);
	}
	check_dir(&r, "serve.root", c->serve.root, R_OK | X_OK);
	check_dir(&r, "get.output", c->get.output, R_OK | X_OK);
	check_dir(&r, "eal.huge_dir", c->eal.huge_dir, R_OK | X_OK);
	check_output(&r, "tls.keylog", c->tls.keylog);
	check_output(&r, "telemetry.result", c->telemetry.result);
}
