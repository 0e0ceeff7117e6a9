/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_cksum.h"

#if defined(__x86_64__)
# include <immintrin.h>

/*
 * Sixteen-bit words have no unsigned multiply-add, so each word is moved into the signed range
 * (w - 32768), pairs are added by pmaddwd, and the bias goes back on at the end. A 32-bit lane
 * sees at most 4096 pairs of a 64 KiB buffer: 2^12 * 2^16 stays below 2^31.
 */
static uint64_t
unbias(__m128i acc, size_t len)
{
	int32_t lane[4];

	_mm_storeu_si128((__m128i *)lane, acc);
	return (uint64_t)((int64_t)lane[0] + lane[1] + lane[2] + lane[3] +
	                  32768 * (int64_t)(len / 2));
}

static uint64_t
add_sse2(const uint8_t *p, size_t len)
{
	const __m128i bias = _mm_set1_epi16((short)0x8000), one = _mm_set1_epi16(1);
	__m128i a = _mm_setzero_si128(), b = a;

	for (size_t i = 0; i < len; i += 32) {
		__m128i v = _mm_loadu_si128((const __m128i *)(p + i));
		__m128i w = _mm_loadu_si128((const __m128i *)(p + i + 16));

		a = _mm_add_epi32(a, _mm_madd_epi16(_mm_xor_si128(v, bias), one));
		b = _mm_add_epi32(b, _mm_madd_epi16(_mm_xor_si128(w, bias), one));
	}
	return unbias(_mm_add_epi32(a, b), len);
}

__attribute__((target("avx2"))) static uint64_t
add_avx2(const uint8_t *p, size_t len)
{
	const __m256i bias = _mm256_set1_epi16((short)0x8000), one = _mm256_set1_epi16(1);
	__m256i a = _mm256_setzero_si256(), b = a;

	for (size_t i = 0; i < len; i += 64) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(p + i));
		__m256i w = _mm256_loadu_si256((const __m256i *)(p + i + 32));

		a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_xor_si256(v, bias), one));
		b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_xor_si256(w, bias), one));
	}
	a = _mm256_add_epi32(a, b);
	return unbias(
	        _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1)),
	        len);
}

/* Whole blocks of the widest unit there is; sets *done to the bytes they cover. */
static uint64_t
add_blocks(const uint8_t *p, size_t len, size_t *done)
{
	uint64_t sum = 0;

	*done = 0;
	if (len >= 64 && __builtin_cpu_supports("avx2")) {
		*done = len & ~(size_t)63;
		sum = add_avx2(p, *done);
	}
	if (len - *done >= 32) {
		size_t n = (len - *done) & ~(size_t)31;

		sum += add_sse2(p + *done, n);
		*done += n;
	}
	return sum;
}
#else
static uint64_t
add_blocks(const uint8_t *p, size_t len, size_t *done)
{
	uint64_t a = 0, b = 0;

	*done = len & ~(size_t)7;
	for (size_t i = 0; i < *done; i += 8) {
		a += plx_ld32(p + i);
		b += plx_ld32(p + i + 4);
	}
	return a + b;
}
#endif

uint64_t
plx_cksum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t done;

	sum += add_blocks(p, len, &done);
	p += done;
	len -= done;
	for (; len >= 4; len -= 4, p += 4)
		sum += plx_ld32(p);
	if (len >= 2) {
		sum += plx_ld16(p);
		p += 2;
		len -= 2;
	}
	if (len != 0) {
		const uint8_t last[2] = {*p, 0};

		sum += plx_ld16(last);
	}
	return sum;
}
