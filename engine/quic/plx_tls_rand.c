/* SPDX-License-Identifier: BSD-3-Clause */
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include "plx_tls_pvt.h"

/*
 * A provider with one algorithm, a random generator that draws from a struct plx_rand. A
 * simulated handshake repeats bit for bit only if OpenSSL's keys, nonces and key shares come
 * from the simulation's seed too, and a generator behind a provider is the one place where
 * OpenSSL lets them be chosen for one library context and not for the whole process.
 */
struct seeded_prov {
	struct plx_rand *rand;
};

struct seeded_ctx {
	struct seeded_prov *prov;
	int state;
};

static void *
seeded_new(void *provctx, void *parent, const OSSL_DISPATCH *parent_fns)
{
	struct seeded_ctx *s = OPENSSL_zalloc(sizeof(*s));

	(void)parent;
	(void)parent_fns;
	if (s == NULL)
		return NULL;
	s->prov = provctx;
	s->state = EVP_RAND_STATE_UNINITIALISED;
	return s;
}

static void
seeded_free(void *vctx)
{
	OPENSSL_free(vctx);
}

static int
seeded_instantiate(void *vctx, unsigned int strength, int resist, const unsigned char *pstr,
                   size_t pstr_len, const OSSL_PARAM params[])
{
	struct seeded_ctx *s = vctx;

	(void)strength;
	(void)resist;
	(void)pstr;
	(void)pstr_len;
	(void)params;
	s->state = EVP_RAND_STATE_READY;
	return 1;
}

static int
seeded_uninstantiate(void *vctx)
{
	struct seeded_ctx *s = vctx;

	s->state = EVP_RAND_STATE_UNINITIALISED;
	return 1;
}

static int
seeded_generate(void *vctx, unsigned char *out, size_t len, unsigned int strength,
                int resist, const unsigned char *add, size_t add_len)
{
	struct seeded_ctx *s = vctx;

	(void)strength;
	(void)resist;
	(void)add; /* OpenSSL adds the time and a thread number here */
	(void)add_len;
	plx_rand_bytes(s->prov->rand, out, len);
	return 1;
}

/* One worker owns the library context: there is nothing to lock. */
static int
seeded_lock(void *vctx)
{
	(void)vctx;
	return 1;
}

static void
seeded_unlock(void *vctx)
{
	(void)vctx;
}

static const OSSL_PARAM *
seeded_gettable(void *vctx, void *provctx)
{
	static const OSSL_PARAM known[] = {
	        OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, NULL),
	        OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, NULL),
	        OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, NULL),
	        OSSL_PARAM_END,
	};

	(void)vctx;
	(void)provctx;
	return known;
}

static int
seeded_get(void *vctx, OSSL_PARAM params[])
{
	struct seeded_ctx *s = vctx;
	OSSL_PARAM *p;

	p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);
	if (p != NULL && !OSSL_PARAM_set_int(p, s->state))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
	if (p != NULL && !OSSL_PARAM_set_uint(p, 256))
		return 0;
	p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);
	if (p != NULL && !OSSL_PARAM_set_size_t(p, 1 << 16))
		return 0;
	return 1;
}

#define FN(f) ((void (*)(void))(f))

static const OSSL_DISPATCH seeded_fns[] = {
        {OSSL_FUNC_RAND_NEWCTX, FN(seeded_new)},
        {OSSL_FUNC_RAND_FREECTX, FN(seeded_free)},
        {OSSL_FUNC_RAND_INSTANTIATE, FN(seeded_instantiate)},
        {OSSL_FUNC_RAND_UNINSTANTIATE, FN(seeded_uninstantiate)},
        {OSSL_FUNC_RAND_GENERATE, FN(seeded_generate)},
        {OSSL_FUNC_RAND_ENABLE_LOCKING, FN(seeded_lock)},
        {OSSL_FUNC_RAND_LOCK, FN(seeded_lock)},
        {OSSL_FUNC_RAND_UNLOCK, FN(seeded_unlock)},
        {OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, FN(seeded_gettable)},
        {OSSL_FUNC_RAND_GET_CTX_PARAMS, FN(seeded_get)},
        OSSL_DISPATCH_END,
};

static const OSSL_ALGORITHM seeded_algs[] = {
        {"PLX-SEEDED", "provider=plx-seeded", seeded_fns,
         "seeded generator for simulation"},
        {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM *
prov_query(void *provctx, int op, int *no_cache)
{
	(void)provctx;
	*no_cache = 0;
	return op == OSSL_OP_RAND ? seeded_algs : NULL;
}

static void
prov_teardown(void *provctx)
{
	OPENSSL_free(provctx);
}

static int
prov_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
          const OSSL_DISPATCH **out, void **provctx)
{
	static const OSSL_DISPATCH fns[] = {
	        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, FN(prov_query)},
	        {OSSL_FUNC_PROVIDER_TEARDOWN, FN(prov_teardown)},
	        OSSL_DISPATCH_END,
	};

	(void)handle;
	(void)in;
	*provctx = OPENSSL_zalloc(sizeof(struct seeded_prov));
	*out = fns;
	return *provctx != NULL;
}

OSSL_PROVIDER *
plx_tls_rand_load(OSSL_LIB_CTX *lib, struct plx_rand *rand)
{
	struct seeded_prov *ctx;
	OSSL_PROVIDER *p;

	if (!OSSL_PROVIDER_add_builtin(lib, "plx-seeded", prov_init))
		return NULL;
	p = OSSL_PROVIDER_load(lib, "plx-seeded");
	if (p == NULL)
		return NULL;
	/* The provider's own initialisation knows no argument: the generator is set behind it,
	 * before the first byte is drawn. */
	ctx = OSSL_PROVIDER_get0_provider_ctx(p);
	ctx->rand = rand;
	if (!RAND_set_DRBG_type(lib, "PLX-SEEDED", NULL, NULL, NULL)) {
		OSSL_PROVIDER_unload(p);
		return NULL;
	}
	return p;
}
