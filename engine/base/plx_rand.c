/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_rand.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "plx_bug.h"

static inline uint64_t
rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

/* splitmix64: spreads one seed over the state, and never to all zeros. */
static uint64_t
split(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* xoshiro256** */
static uint64_t
next_seeded(struct plx_rand *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

static void
fetch_system(struct plx_rand *r)
{
	size_t have = 0;

	while (have < sizeof(r->buf)) {
		ssize_t n = getrandom(r->buf + have, sizeof(r->buf) - have, 0);

		/* Keys made without randomness are worse than no process. */
		PLX_BUG_ON(n < 0 && errno != EINTR);
		if (n > 0)
			have += (size_t)n;
	}
	r->left = sizeof(r->buf);
}

void
plx_rand_seed(struct plx_rand *r, uint64_t seed)
{
	memset(r, 0, sizeof(*r));
	r->seeded = true;
	for (int i = 0; i < 4; i++)
		r->s[i] = split(&seed);
}

void
plx_rand_system(struct plx_rand *r)
{
	memset(r, 0, sizeof(*r));
}

void
plx_rand_bytes(struct plx_rand *r, void *dst, size_t len)
{
	uint8_t *p = dst;

	while (len > 0) {
		size_t n;

		if (r->seeded) {
			uint64_t v = next_seeded(r);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
			v = __builtin_bswap64(v);
#endif
			n = len < sizeof(v) ? len : sizeof(v);
			memcpy(p, &v, n);
		} else {
			uint8_t *from;

			if (r->left == 0)
				fetch_system(r);
			n = len < r->left ? len : r->left;
			from = r->buf + sizeof(r->buf) - r->left;
			memcpy(p, from, n);
			/* What was given out cannot be read here later. */
			explicit_bzero(from, n);
			r->left = (uint16_t)(r->left - n);
		}
		p += n;
		len -= n;
	}
}

uint64_t
plx_rand_u64(struct plx_rand *r)
{
	uint64_t v;

	if (r->seeded)
		return next_seeded(r);
	plx_rand_bytes(r, &v, sizeof(v));
	return v;
}

uint64_t
plx_rand_below(struct plx_rand *r, uint64_t n)
{
	unsigned __int128 m;
	uint64_t least;

	PLX_BUG_ON(n == 0);
	/* Lemire: scale by multiplication, draw again in the part that would count twice. */
	m = (unsigned __int128)plx_rand_u64(r) * n;
	if ((uint64_t)m < n) {
		least = -n % n;
		while ((uint64_t)m < least)
			m = (unsigned __int128)plx_rand_u64(r) * n;
	}
	return (uint64_t)(m >> 64);
}
