/* SPDX-License-Identifier: BSD-3-Clause */
#include <unistd.h>

#include <openssl/rand.h>

#include "plx_test.h"
#include "plx_tls_pvt.h"

static void
hex(const char *s, uint8_t *out)
{
	for (size_t i = 0; s[2 * i] != '\0'; i++) {
		unsigned v = 0;

		sscanf(s + 2 * i, "%2x", &v);
		out[i] = (uint8_t)v;
	}
}

static bool
is_hex(const uint8_t *p, const char *s)
{
	uint8_t want[64];

	hex(s, want);
	return memcmp(p, want, strlen(s) / 2) == 0;
}

/* RFC 9001 appendix A.1: "client_initial_secret", and what is derived of it. */
static void
keys_are_those_of_rfc_9001_appendix_a(void)
{
	uint8_t initial[32], client[32], server[32];
	struct plx_keys k;

	hex("7db5df06e7a69e432496adedb00851923595221596ae2ae9fb8115c1e9ed0a44", initial);
	CU_ASSERT_EQUAL(plx_hkdf_expand_label(client, 32, false, initial, 32, "client in"),
	                0);
	CU_ASSERT_TRUE(
	        is_hex(client,
	               "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea"));
	CU_ASSERT_EQUAL(plx_hkdf_expand_label(server, 32, false, initial, 32, "server in"),
	                0);
	CU_ASSERT_TRUE(
	        is_hex(server,
	               "3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b"));
	CU_ASSERT_EQUAL(plx_derive_keys(&k, 1, plx_suite_of(0x1301), client, 32), 0);
	CU_ASSERT_TRUE(is_hex(k.key, "1f369613dd76d5467730efcbe3b1a22d"));
	CU_ASSERT_TRUE(is_hex(k.iv, "fa044b2f42a3fd3b46fb255c"));
	CU_ASSERT_TRUE(is_hex(k.hp, "9f50449e04a0e810283a1e9933adedd2"));
	CU_ASSERT_EQUAL(plx_derive_keys(&k, 1, plx_suite_of(0x1301), server, 32), 0);
	CU_ASSERT_TRUE(is_hex(k.key, "cf3a5331653c364c88f0f379b6067e37"));
	CU_ASSERT_TRUE(is_hex(k.iv, "0ac1493ca1905853b0bba03e"));
	CU_ASSERT_TRUE(is_hex(k.hp, "c206b8d9b9f0f37644430b490eeaa314"));
}

/* RFC 9001 appendix A.5: ChaCha20-Poly1305, key update included. */
static void
chacha_keys_and_the_next_secret_are_those_of_appendix_a_5(void)
{
	uint8_t secret[32], next[32];
	struct plx_keys k;

	hex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b", secret);
	CU_ASSERT_EQUAL(plx_derive_keys(&k, 1, plx_suite_of(0x1303), secret, 32), 0);
	CU_ASSERT_TRUE(is_hex(
	        k.key, "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8"));
	CU_ASSERT_TRUE(is_hex(k.iv, "e0459b3474bdd0e44a41c144"));
	CU_ASSERT_TRUE(is_hex(
	        k.hp, "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4"));
	CU_ASSERT_EQUAL(plx_next_secret(next, 1, plx_suite_of(0x1303), secret, 32), 0);
	CU_ASSERT_TRUE(is_hex(
	        next, "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9"));
}

/* RFC 9369 appendix A.1: version 2 has labels of its own. */
static void
version_2_keys_are_those_of_rfc_9369(void)
{
	uint8_t client[32];
	struct plx_keys k;

	hex("14ec9d6eb9fd7af83bf5a668bc17a7e283766aade7ecd0891f70f9ff7f4bf47b", client);
	CU_ASSERT_EQUAL(
	        plx_derive_keys(&k, NGTCP2_PROTO_VER_V2, plx_suite_of(0x1301), client, 32),
	        0);
	CU_ASSERT_TRUE(is_hex(k.key, "8b1a0bc121284290a29e0971b5cd045d"));
	CU_ASSERT_TRUE(is_hex(k.iv, "91f73e2351d8fa91660e909f"));
	CU_ASSERT_TRUE(is_hex(k.hp, "45b95e15235d6f45a6b19cbcb0294ba9"));
}

static void
suites_that_are_not_quic_s_are_unknown(void)
{
	CU_ASSERT_EQUAL(plx_suite_of(0x1302)->aead, PLX_AEAD_AES_256_GCM);
	CU_ASSERT_TRUE(plx_suite_of(0x1302)->sha384);
	CU_ASSERT_PTR_NULL(plx_suite_of(0x1304));
	CU_ASSERT_PTR_NULL(plx_suite_of(0x00ff));
}

static void
a_seeded_context_repeats_and_others_do_not(void)
{
	uint8_t out[3][64];

	for (int i = 0; i < 3; i++) {
		OSSL_PROVIDER *def, *seeded;
		struct plx_rand r;
		OSSL_LIB_CTX *lib;

		plx_rand_seed(&r, i < 2 ? 11 : 12);
		lib = plx_tls_lib_new(&r, &def, &seeded);
		CU_ASSERT_PTR_NOT_NULL_FATAL(lib);
		CU_ASSERT_EQUAL(RAND_bytes_ex(lib, out[i], 32, 0), 1);
		CU_ASSERT_EQUAL(RAND_priv_bytes_ex(lib, out[i] + 32, 32, 0), 1);
		plx_tls_lib_free(lib, def, seeded);
	}
	CU_ASSERT_EQUAL(memcmp(out[0], out[1], 64), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(out[0], out[2], 64), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(out[0], out[0] + 32, 32), 0);
	/* The rest of the process keeps its own randomness. */
	CU_ASSERT_EQUAL(RAND_bytes(out[1], 32), 1);
	CU_ASSERT_NOT_EQUAL(memcmp(out[0], out[1], 32), 0);
}

static void
a_seeded_certificate_repeats(void)
{
	char *cert[2], *key[2];

	for (int i = 0; i < 2; i++) {
		struct plx_rand r;

		plx_rand_seed(&r, 5);
		CU_ASSERT_EQUAL(
		        plx_tls_self_signed("a.example", true, &r, &cert[i], &key[i]), 0);
	}
	CU_ASSERT_STRING_EQUAL(cert[0], cert[1]);
	CU_ASSERT_STRING_EQUAL(key[0], key[1]);
	for (int i = 0; i < 2; i++) {
		free(cert[i]);
		free(key[i]);
	}
}

static char *cert_a, *key_a, *cert_b, *key_b;

static int
make_pairs(void)
{
	return plx_tls_self_signed("a.example", true, NULL, &cert_a, &key_a) != 0 ||
	       plx_tls_self_signed("10.0.0.1", false, NULL, &cert_b, &key_b) != 0;
}

static int
free_pairs(void)
{
	free(cert_a);
	free(key_a);
	free(cert_b);
	free(key_b);
	return 0;
}

static int
load(const struct plx_tls_cfg *cfg, char err[256])
{
	struct plx_tls *t = NULL;
	int rc = plx_tls_new(&t, cfg, err, 256);

	CU_ASSERT_EQUAL(rc == 0, t != NULL);
	plx_tls_free(t);
	return rc;
}

static void
both_kinds_of_pairs_load(void)
{
	char err[256];

	CU_ASSERT_EQUAL(load(&(struct plx_tls_cfg){.server = true,
	                                           .cert_pem = cert_a,
	                                           .key_pem = key_a},
	                     err),
	                0);
	CU_ASSERT_EQUAL(load(&(struct plx_tls_cfg){.server = true,
	                                           .cert_pem = cert_b,
	                                           .key_pem = key_b},
	                     err),
	                0);
	CU_ASSERT_STRING_EQUAL(err, "");
}

static void
a_key_of_another_certificate_is_refused(void)
{
	char err[256];

	PLX_COVERS("F15");
	CU_ASSERT_EQUAL(load(&(struct plx_tls_cfg){.server = true,
	                                           .cert_pem = cert_a,
	                                           .key_pem = key_b},
	                     err),
	                PLX_E_CERT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "does not belong"));
}

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

static void
each_bad_file_is_named_with_its_fault(void)
{
	char dir[] = "/tmp/plx-tls-XXXXXX", cert[64], key[64], err[256];
	struct plx_tls_cfg cfg = {.server = true, .cert_file = cert, .key_file = key};

	PLX_COVERS("F15");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
	snprintf(key, sizeof(key), "%s/key.pem", dir);
	CU_ASSERT_EQUAL(load(&cfg, err), PLX_E_CERT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, cert));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "No such file"));
	write_file(cert, cert_a);
	CU_ASSERT_EQUAL(load(&cfg, err), PLX_E_CERT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, key));
	write_file(key, "not a key\n");
	CU_ASSERT_EQUAL(load(&cfg, err), PLX_E_CERT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "no PEM private key"));
	write_file(key, "");
	CU_ASSERT_EQUAL(load(&cfg, err), PLX_E_CERT);
	write_file(key, key_a);
	CU_ASSERT_EQUAL(load(&cfg, err), 0);
	write_file(cert, key_a);
	CU_ASSERT_EQUAL(load(&cfg, err), PLX_E_CERT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "no PEM certificate"));
	cfg.cert_file = dir; /* a directory that should be a file */
	CU_ASSERT_EQUAL(load(&cfg, err), PLX_E_CERT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "directory"));
	cfg.cert_file = NULL;
	CU_ASSERT_EQUAL(load(&cfg, err), PLX_E_CERT);
	CU_ASSERT_TRUE(strlen(err) > 0);
	unlink(cert);
	unlink(key);
	rmdir(dir);
}

static void
tickets_are_one_unless_told_otherwise(void)
{
	struct plx_tls_cfg cfg = {.server = true, .cert_pem = cert_a, .key_pem = key_a};
	struct plx_tls *t;
	char err[256];

	CU_ASSERT_EQUAL_FATAL(plx_tls_new(&t, &cfg, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(SSL_CTX_get_num_tickets(t->ctx), 1);
	plx_tls_free(t);
	cfg.tickets = 3;
	CU_ASSERT_EQUAL_FATAL(plx_tls_new(&t, &cfg, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(SSL_CTX_get_num_tickets(t->ctx), 3);
	plx_tls_free(t);
	cfg.no_tickets = true;
	CU_ASSERT_EQUAL_FATAL(plx_tls_new(&t, &cfg, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL(SSL_CTX_get_num_tickets(t->ctx), 0);
	plx_tls_free(t);
}

static void
names_that_tls_does_not_know_are_refused(void)
{
	char err[256];

	CU_ASSERT_EQUAL(load(&(struct plx_tls_cfg){.ciphers = "TLS_NO_SUCH"}, err),
	                PLX_E_TLS);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "TLS_NO_SUCH"));
	CU_ASSERT_EQUAL(load(&(struct plx_tls_cfg){.groups = "NOGROUP"}, err), PLX_E_TLS);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "NOGROUP"));
	CU_ASSERT_EQUAL(load(&(struct plx_tls_cfg){.ca_file = "/nonexistent"}, err),
	                PLX_E_CERT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "/nonexistent"));
	CU_ASSERT_EQUAL(load(&(struct plx_tls_cfg){0}, err), 0);
}

int
main(void)
{
	CU_TestInfo kdf[] = {
	        {"keys are those of RFC 9001 appendix A",
	         keys_are_those_of_rfc_9001_appendix_a},
	        {"ChaCha20 keys and the next secret are those of appendix A.5",
	         chacha_keys_and_the_next_secret_are_those_of_appendix_a_5},
	        {"version 2 keys are those of RFC 9369",
	         version_2_keys_are_those_of_rfc_9369},
	        {"suites that are not QUIC's are unknown",
	         suites_that_are_not_quic_s_are_unknown},
	        CU_TEST_INFO_NULL,
	};
	CU_TestInfo context[] = {
	        {"a seeded context repeats and others do not",
	         a_seeded_context_repeats_and_others_do_not},
	        {"a seeded certificate repeats", a_seeded_certificate_repeats},
	        {"both kinds of pairs load", both_kinds_of_pairs_load},
	        {"a key of another certificate is refused",
	         a_key_of_another_certificate_is_refused},
	        {"each bad file is named with its fault",
	         each_bad_file_is_named_with_its_fault},
	        {"tickets are one unless told otherwise",
	         tickets_are_one_unless_told_otherwise},
	        {"names that TLS does not know are refused",
	         names_that_tls_does_not_know_are_refused},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"key schedule", NULL, NULL, NULL, NULL, kdf},
	        {"contexts", make_pairs, free_pairs, NULL, NULL, context},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
