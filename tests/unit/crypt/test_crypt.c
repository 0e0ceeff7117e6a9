/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "plx_crypt_pvt.h"
#include "plx_log.h"
#include "plx_rand.h"
#include "plx_test.h"

#define TEXT_MAX 1500
#define AAD_MAX  64

/* Every allocation of OpenSSL; set in main() before its first. */
static uint64_t alloc_cnt;

static void *
count_malloc(size_t sz, const char *file, int line)
{
	(void)file;
	(void)line;
	alloc_cnt++;
	return malloc(sz);
}

static void *
count_realloc(void *p, size_t sz, const char *file, int line)
{
	(void)file;
	(void)line;
	alloc_cnt++;
	return realloc(p, sz);
}

static void
count_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

/* A back end with keys of one suite in memory of exact size. */
struct end {
	struct plx_crypt *c;
	struct plx_crypt_key *k;
	struct plx_crypt_hp *hp;
};

static void
end_open(struct end *e, enum plx_crypt_backend want, enum plx_aead aead,
         const uint8_t key[32])
{
	CU_ASSERT_EQUAL_FATAL(plx_crypt_new(&e->c, want), 0);
	e->k = plx_crypt_key_init(e->c, aligned_alloc(PLX_CACHE_LINE, plx_crypt_key_sz()),
	                          aead, key);
	e->hp = plx_crypt_hp_init(e->c, aligned_alloc(PLX_CACHE_LINE, plx_crypt_hp_sz()),
	                          aead, key);
	CU_ASSERT_FATAL(e->k != NULL && e->hp != NULL);
}

static void
end_close(struct end *e)
{
	plx_crypt_key_fini(e->k);
	plx_crypt_hp_fini(e->hp);
	free(e->k);
	free(e->hp);
	plx_crypt_free(e->c);
}

static bool
has_imb(void)
{
	struct plx_crypt *c;

	if (plx_crypt_new(&c, PLX_CRYPT_IPSEC_MB) != 0)
		return false;
	plx_crypt_free(c);
	return true;
}

/* One random packet through both, from blocks of exact size; false where they differ. */
static bool
agree(struct end *a, struct end *b, struct plx_rand *r, size_t len, size_t aad_len)
{
	size_t sealed = len + PLX_AEAD_TAG_LEN;
	uint8_t *text = malloc(len + 1), *aad = malloc(aad_len + 1);
	uint8_t *x = malloc(sealed), *y = malloc(sealed), *back = malloc(len + 1);
	uint8_t nonce[PLX_AEAD_NONCE_LEN];
	bool ok = true;

	plx_rand_bytes(r, text, len);
	plx_rand_bytes(r, aad, aad_len);
	plx_rand_bytes(r, nonce, sizeof(nonce));
	ok = ok && plx_crypt_seal(a->c, a->k, x, text, len, nonce, aad, aad_len) == 0;
	/* The other one in place, as ngtcp2 calls it. */
	memcpy(y, text, len);
	ok = ok && plx_crypt_seal(b->c, b->k, y, y, len, nonce, aad, aad_len) == 0;
	ok = ok && memcmp(x, y, sealed) == 0;
	ok = ok && plx_crypt_open(b->c, b->k, back, x, sealed, nonce, aad, aad_len) == 0;
	ok = ok && memcmp(back, text, len) == 0;
	ok = ok && plx_crypt_open(a->c, a->k, y, y, sealed, nonce, aad, aad_len) == 0;
	ok = ok && memcmp(y, text, len) == 0;
	free(text);
	free(aad);
	free(x);
	free(y);
	free(back);
	return ok;
}

static void
check_agreement(enum plx_aead aead)
{
	struct plx_rand r;
	unsigned differ = 0;

	plx_rand_seed(&r, 1000 + aead);
	for (int round = 0; round < 8; round++) {
		uint8_t key[32], sample[PLX_HP_SAMPLE_LEN];
		uint8_t m1[PLX_HP_MASK_LEN], m2[PLX_HP_MASK_LEN];
		struct end a, b;

		plx_rand_bytes(&r, key, sizeof(key));
		end_open(&a, PLX_CRYPT_AUTO, aead, key);
		end_open(&b, PLX_CRYPT_EVP, aead, key);
		/* Every length once over the rounds, with some AAD. */
		for (size_t len = (size_t)round; len <= TEXT_MAX; len += 8)
			differ += !agree(&a, &b, &r, len, plx_rand_below(&r, AAD_MAX + 1));
		/* Every length of AAD. */
		for (size_t n = 0; n <= AAD_MAX; n++)
			differ += !agree(&a, &b, &r, plx_rand_below(&r, TEXT_MAX + 1), n);
		for (int i = 0; i < 200; i++) {
			plx_rand_bytes(&r, sample, sizeof(sample));
			CU_ASSERT_EQUAL(plx_crypt_mask(a.c, a.hp, m1, sample), 0);
			CU_ASSERT_EQUAL(plx_crypt_mask(b.c, b.hp, m2, sample), 0);
			differ += memcmp(m1, m2, sizeof(m1)) != 0;
		}
		end_close(&a);
		end_close(&b);
	}
	CU_ASSERT_EQUAL(differ, 0);
}

static void
test_both_back_ends_agree_bit_for_bit(void)
{
	if (!has_imb())
		PLX_SKIP("ipsec-mb cannot be used here");
	check_agreement(PLX_AEAD_AES_128_GCM);
	check_agreement(PLX_AEAD_AES_256_GCM);
}

static void
test_the_suites_go_to_the_back_ends_that_the_header_names(void)
{
	struct plx_crypt *c;

	CU_ASSERT_EQUAL_FATAL(plx_crypt_new(&c, PLX_CRYPT_EVP), 0);
	for (int i = 0; i < PLX_AEAD_CNT; i++)
		CU_ASSERT_EQUAL(plx_crypt_backend_of(c, i), PLX_CRYPT_EVP);
	plx_crypt_free(c);
	CU_ASSERT_EQUAL_FATAL(plx_crypt_new(&c, PLX_CRYPT_AUTO), 0);
	CU_ASSERT_EQUAL(plx_crypt_backend_of(c, PLX_AEAD_AES_128_GCM),
	                has_imb() ? PLX_CRYPT_IPSEC_MB : PLX_CRYPT_EVP);
	CU_ASSERT_EQUAL(plx_crypt_backend_of(c, PLX_AEAD_AES_256_GCM),
	                has_imb() ? PLX_CRYPT_IPSEC_MB : PLX_CRYPT_EVP);
	CU_ASSERT_EQUAL(plx_crypt_backend_of(c, PLX_AEAD_CHACHA20_POLY1305), PLX_CRYPT_EVP);
	plx_crypt_free(c);
	plx_crypt_free(NULL);
}

static void
test_a_library_of_another_version_is_not_used(void)
{
	CU_ASSERT_TRUE(plx_crypt_imb_fits(IMB_VERSION_STR, imb_get_version_str()));
	CU_ASSERT_FALSE(plx_crypt_imb_fits("2.0.0", "2.0.1"));
	CU_ASSERT_FALSE(plx_crypt_imb_fits("2.0.0", "2.0.0-dev"));
	CU_ASSERT_FALSE(plx_crypt_imb_fits("2.0.0", ""));
	CU_ASSERT_FALSE(plx_crypt_imb_fits("2.0.0", NULL));
}

/* All combinations of back end and suite; once more without ipsec-mb is no harm. */
static void
for_all(void (*check)(struct end *e))
{
	for (int aead = 0; aead < PLX_AEAD_CNT; aead++) {
		for (int want = PLX_CRYPT_AUTO; want <= PLX_CRYPT_EVP;
		     want += PLX_CRYPT_EVP) {
			uint8_t key[32];
			struct end e;

			for (unsigned i = 0; i < sizeof(key); i++)
				key[i] = (uint8_t)(i * 7 + 1);
			end_open(&e, want, aead, key);
			check(&e);
			end_close(&e);
		}
	}
}

static void
check_flips(struct end *e)
{
	enum { LEN = 100 };
	uint8_t text[LEN], aad[20], sealed[LEN + PLX_AEAD_TAG_LEN], out[LEN];
	uint8_t nonce[PLX_AEAD_NONCE_LEN] = {9};
	unsigned taken = 0, unwiped = 0;

	memset(text, 0xc5, sizeof(text));
	memset(aad, 3, sizeof(aad));
	CU_ASSERT_EQUAL(
	        plx_crypt_seal(e->c, e->k, sealed, text, LEN, nonce, aad, sizeof(aad)), 0);
	for (unsigned bit = 0; bit < 8 * sizeof(sealed); bit++) {
		memset(out, 0xee, sizeof(out));
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		taken += plx_crypt_open(e->c, e->k, out, sealed, sizeof(sealed), nonce, aad,
		                        sizeof(aad)) != PLX_E_CRYPTO;
		sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		for (unsigned i = 0; i < LEN; i++)
			unwiped += out[i] != 0;
	}
	for (unsigned bit = 0; bit < 8 * sizeof(aad); bit++) {
		aad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		taken += plx_crypt_open(e->c, e->k, out, sealed, sizeof(sealed), nonce, aad,
		                        sizeof(aad)) != PLX_E_CRYPTO;
		aad[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (unsigned bit = 0; bit < 8 * sizeof(nonce); bit++) {
		nonce[bit / 8] ^= (uint8_t)(1u << bit % 8);
		taken += plx_crypt_open(e->c, e->k, out, sealed, sizeof(sealed), nonce, aad,
		                        sizeof(aad)) != PLX_E_CRYPTO;
		nonce[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CU_ASSERT_EQUAL(taken, 0);
	CU_ASSERT_EQUAL(unwiped, 0);
	/* Refusals leave the key as good as it was. */
	CU_ASSERT_EQUAL(plx_crypt_open(e->c, e->k, out, sealed, sizeof(sealed), nonce, aad,
	                               sizeof(aad)),
	                0);
	CU_ASSERT_EQUAL(memcmp(out, text, LEN), 0);
}

static void
test_every_flipped_bit_is_refused_and_its_text_wiped(void)
{
	PLX_COVERS("A8");
	for_all(check_flips);
}

static void
check_short(struct end *e)
{
	uint8_t buf[PLX_AEAD_TAG_LEN] = {0}, nonce[PLX_AEAD_NONCE_LEN] = {0};

	for (size_t len = 0; len < PLX_AEAD_TAG_LEN; len++) {
		uint8_t *p = malloc(len + 1);

		memcpy(p, buf, len);
		CU_ASSERT_EQUAL(plx_crypt_open(e->c, e->k, p, p, len, nonce, NULL, 0),
		                PLX_E_CRYPTO);
		free(p);
	}
	/* Nothing but a tag is a packet, an empty one. */
	CU_ASSERT_EQUAL(plx_crypt_seal(e->c, e->k, buf, buf, 0, nonce, NULL, 0), 0);
	CU_ASSERT_EQUAL(plx_crypt_open(e->c, e->k, buf, buf, sizeof(buf), nonce, NULL, 0),
	                0);
}

static void
test_what_is_shorter_than_a_tag_is_refused(void)
{
	PLX_COVERS("A8");
	for_all(check_short);
}

/* The last bytes before a page that cannot be touched. */
static uint8_t *
edge(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_FATAL(p != MAP_FAILED && mprotect(p + page, page, PROT_NONE) == 0);
	return p + page - len;
}

static void
edge_free(uint8_t *p, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	munmap(p + len - page, 2 * page);
}

static void
check_edges(struct end *e)
{
	uint8_t *text = edge(TEXT_MAX), *sealed = edge(TEXT_MAX + PLX_AEAD_TAG_LEN);
	uint8_t *aad = edge(AAD_MAX), *nonce = edge(PLX_AEAD_NONCE_LEN);
	uint8_t *sample = edge(PLX_HP_SAMPLE_LEN), *mask = edge(PLX_HP_MASK_LEN);
	int rc = 0;

	for (size_t len = 0; len <= TEXT_MAX; len += len < 300 ? 1 : 13) {
		size_t aad_len = len % (AAD_MAX + 1);
		uint8_t *t = text + TEXT_MAX - len, *s = sealed + TEXT_MAX - len;
		const uint8_t *a = aad + AAD_MAX - aad_len;

		rc |= plx_crypt_seal(e->c, e->k, s, t, len, nonce, a, aad_len);
		rc |= plx_crypt_open(e->c, e->k, t, s, len + PLX_AEAD_TAG_LEN, nonce, a,
		                     aad_len);
	}
	rc |= plx_crypt_mask(e->c, e->hp, mask, sample);
	CU_ASSERT_EQUAL(rc, 0);
	edge_free(text, TEXT_MAX);
	edge_free(sealed, TEXT_MAX + PLX_AEAD_TAG_LEN);
	edge_free(aad, AAD_MAX);
	edge_free(nonce, PLX_AEAD_NONCE_LEN);
	edge_free(sample, PLX_HP_SAMPLE_LEN);
	edge_free(mask, PLX_HP_MASK_LEN);
}

/* The sanitizers do not see what assembly touches; a page that is not there does. */
static void
test_no_byte_behind_a_buffer_is_touched(void)
{
	PLX_COVERS("A8");
	for_all(check_edges);
}

static void
check_no_alloc(struct end *e)
{
	uint8_t buf[1200 + PLX_AEAD_TAG_LEN] = {0}, aad[21] = {0};
	uint8_t nonce[PLX_AEAD_NONCE_LEN] = {0}, mask[PLX_HP_MASK_LEN];
	uint64_t before;
	int rc = 0;

	before = alloc_cnt;
	for (int i = 0; i < 1000; i++) {
		nonce[0] = (uint8_t)i;
		rc |= plx_crypt_seal(e->c, e->k, buf, buf, 1200, nonce, aad, sizeof(aad));
		rc |= plx_crypt_mask(e->c, e->hp, mask, buf);
		rc |= plx_crypt_open(e->c, e->k, buf, buf, sizeof(buf), nonce, aad,
		                     sizeof(aad));
	}
	CU_ASSERT_EQUAL(rc, 0);
	CU_ASSERT_EQUAL(alloc_cnt, before);
}

static void
test_a_packet_costs_no_allocation_in_openssl(void)
{
	PLX_COVERS("R16");
	CU_ASSERT_FATAL(alloc_cnt > 0); /* the counter is in force */
	for_all(check_no_alloc);
}

/* Is any run of eight bytes of the secret in this memory? */
static bool
holds(const uint8_t *mem, size_t sz, const uint8_t *secret, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i++) {
		if (memmem(mem, sz, secret + i, 8) != NULL)
			return true;
	}
	return false;
}

static void
test_an_ended_key_leaves_nothing_in_its_memory(void)
{
	static const enum plx_crypt_backend want[] = {PLX_CRYPT_AUTO, PLX_CRYPT_EVP};
	size_t key_sz = plx_crypt_key_sz(), hp_sz = plx_crypt_hp_sz();
	uint8_t *mem = aligned_alloc(PLX_CACHE_LINE, key_sz + hp_sz);
	uint8_t key[32];
	size_t left = 0;

	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(0x80 | i);
	for (unsigned b = 0; b < 2; b++) {
		for (int aead = 0; aead < PLX_AEAD_CNT; aead++) {
			struct plx_crypt_key *k;
			struct plx_crypt_hp *hp;
			struct plx_crypt *c;

			CU_ASSERT_EQUAL_FATAL(plx_crypt_new(&c, want[b]), 0);
			k = plx_crypt_key_init(c, mem, aead, key);
			hp = plx_crypt_hp_init(c, mem + key_sz, aead, key);
			CU_ASSERT_FATAL(k != NULL && hp != NULL);
			/* Expanded keys begin with the key itself. */
			if (plx_crypt_backend_of(c, aead) == PLX_CRYPT_IPSEC_MB) {
				CU_ASSERT_TRUE(holds(mem, key_sz, key, 16));
				CU_ASSERT_TRUE(holds(mem + key_sz, hp_sz, key, 16));
			}
			plx_crypt_key_fini(k);
			plx_crypt_hp_fini(hp);
			plx_crypt_free(c);
			for (size_t i = 0; i < key_sz + hp_sz; i++)
				left += mem[i] != 0;
		}
	}
	CU_ASSERT_EQUAL(left, 0);
	plx_crypt_key_fini(NULL);
	plx_crypt_hp_fini(NULL);
	free(mem);
}

static void
test_two_keys_of_one_owner_do_not_disturb_each_other(void)
{
	uint8_t key[32] = {1}, nonce[PLX_AEAD_NONCE_LEN] = {0};
	struct end a;

	/* A key update: the old key opens late packets between packets of the new one. */
	for (int aead = 0; aead < PLX_AEAD_CNT; aead++) {
		uint8_t old_pkt[64 + PLX_AEAD_TAG_LEN] = {0},
		                     new_pkt[sizeof(old_pkt)] = {0};
		uint8_t out[64];
		struct plx_crypt_key *next;

		end_open(&a, PLX_CRYPT_AUTO, aead, key);
		key[0] ^= 0xff;
		next = plx_crypt_key_init(
		        a.c, aligned_alloc(PLX_CACHE_LINE, plx_crypt_key_sz()), aead, key);
		CU_ASSERT_PTR_NOT_NULL_FATAL(next);
		CU_ASSERT_EQUAL(
		        plx_crypt_seal(a.c, a.k, old_pkt, old_pkt, 64, nonce, NULL, 0), 0);
		CU_ASSERT_EQUAL(
		        plx_crypt_seal(a.c, next, new_pkt, new_pkt, 64, nonce, NULL, 0), 0);
		CU_ASSERT_NOT_EQUAL(memcmp(old_pkt, new_pkt, sizeof(old_pkt)), 0);
		for (int i = 0; i < 4; i++) {
			CU_ASSERT_EQUAL(plx_crypt_open(a.c, a.k, out, old_pkt,
			                               sizeof(old_pkt), nonce, NULL, 0),
			                0);
			CU_ASSERT_EQUAL(plx_crypt_open(a.c, next, out, new_pkt,
			                               sizeof(new_pkt), nonce, NULL, 0),
			                0);
			CU_ASSERT_EQUAL(plx_crypt_open(a.c, a.k, out, new_pkt,
			                               sizeof(new_pkt), nonce, NULL, 0),
			                PLX_E_CRYPTO);
		}
		plx_crypt_key_fini(next);
		free(next);
		end_close(&a);
	}
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"both back ends agree bit for bit", test_both_back_ends_agree_bit_for_bit},
	        {"the suites go to the back ends that the header names",
	         test_the_suites_go_to_the_back_ends_that_the_header_names},
	        {"a library of another version is not used",
	         test_a_library_of_another_version_is_not_used},
	        {"every flipped bit is refused and its text wiped",
	         test_every_flipped_bit_is_refused_and_its_text_wiped},
	        {"what is shorter than a tag is refused",
	         test_what_is_shorter_than_a_tag_is_refused},
	        {"no byte behind a buffer is touched",
	         test_no_byte_behind_a_buffer_is_touched},
	        {"a packet costs no allocation in OpenSSL",
	         test_a_packet_costs_no_allocation_in_openssl},
	        {"an ended key leaves nothing in its memory",
	         test_an_ended_key_leaves_nothing_in_its_memory},
	        {"two keys of one owner do not disturb each other",
	         test_two_keys_of_one_owner_do_not_disturb_each_other},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"packet protection", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1)
		return EXIT_FAILURE;
	return plx_test_main(suites);
}
