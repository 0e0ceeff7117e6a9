/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench_win.h"

#include <intel-ipsec-mb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <x86intrin.h>

#include "plx_heap.h"

#define RAW_CALLS 1000 /* about 0.1 ms */
#define RAW_AAD   13
#define RAW_MAX   2048

struct window {
	struct bench_side side[BENCH_SIDES];
	double raw; /* ticks per record around it */
};

struct bench_win {
	IMB_MGR *imb;
	struct gcm_key_data key __attribute__((aligned(64)));
	struct gcm_context_data ctx __attribute__((aligned(64)));
	size_t raw_len;
	uint8_t rec[RAW_MAX] __attribute__((aligned(64)));
	double raw_last, raw_best;
	struct window *w;
	double *sorted;
	unsigned max, cnt, opened;
	unsigned dropped;
	long nivcsw, nvcsw;
	uint64_t switches, heap, heap_at_open, pkts;
};

uint64_t
bench_tsc(void)
{
	return __rdtsc();
}

double
bench_tsc_hz(void)
{
	struct timespec a, b;
	uint64_t t;
	double s;

	clock_gettime(CLOCK_MONOTONIC, &a);
	t = __rdtsc();
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
		s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
	} while (s < 0.05);
	return (double)(__rdtsc() - t) / s;
}

struct bench_win *
bench_win_new(size_t raw_len, unsigned max)
{
	static const uint8_t key[16] = {1, 2, 3};
	struct bench_win *b = aligned_alloc(64, (sizeof(*b) + 63) / 64 * 64);

	if (b == NULL || raw_len + IMB_MAX_TAG_LEN > RAW_MAX)
		return NULL;
	memset(b, 0, sizeof(*b));
	b->raw_len = raw_len;
	b->max = max;
	b->raw_best = 1e18;
	b->w = calloc(max, sizeof(*b->w));
	b->sorted = calloc(max, sizeof(*b->sorted));
	b->imb = alloc_mb_mgr(0);
	if (b->w == NULL || b->sorted == NULL || b->imb == NULL)
		return NULL;
	init_mb_mgr_auto(b->imb, NULL);
	IMB_AES128_GCM_PRE(b->imb, key, &b->key);
	return b;
}

void
bench_win_free(struct bench_win *b)
{
	if (b == NULL)
		return;
	free_mb_mgr(b->imb);
	free(b->w);
	free(b->sorted);
	free(b);
}

static double
raw(struct bench_win *b)
{
	static const uint8_t nonce[12], aad[RAW_AAD];
	uint8_t tag[16];
	uint64_t t = __rdtsc();

	for (unsigned i = 0; i < RAW_CALLS; i++)
		IMB_AES128_GCM_ENC(b->imb, &b->key, &b->ctx, b->rec, b->rec, b->raw_len,
		                   nonce, aad, sizeof(aad), tag, sizeof(tag));
	return (double)(__rdtsc() - t) / RAW_CALLS;
}

static void
usage(struct bench_win *b, bool end)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	if (end) {
		b->nivcsw = ru.ru_nivcsw - b->nivcsw;
		b->nvcsw = ru.ru_nvcsw - b->nvcsw;
	} else {
		b->nivcsw = ru.ru_nivcsw;
		b->nvcsw = ru.ru_nvcsw;
	}
}

bool
bench_win_open(struct bench_win *b)
{
	if (b->opened++ == b->max)
		return false;
	usage(b, false);
	b->raw_last = raw(b);
	b->heap_at_open = plx_heap_calls();
	return true;
}

void
bench_win_close(struct bench_win *b, const struct bench_side side[BENCH_SIDES])
{
	uint64_t heap = plx_heap_calls() - b->heap_at_open;
	double r = raw(b);
	struct window *w = &b->w[b->cnt];

	usage(b, true);
	b->heap += heap;
	for (unsigned s = 0; s < BENCH_SIDES; s++) {
		w->side[s] = side[s];
		b->pkts += s == 0 || side[0].pkts == 0 ? side[s].pkts : 0;
	}
	b->switches += (uint64_t)(b->nivcsw + b->nvcsw);
	if (b->nivcsw > 0) {
		b->dropped++;
		return;
	}
	w->raw = (b->raw_last + r) / 2;
	if (b->raw_last < b->raw_best)
		b->raw_best = b->raw_last;
	if (r < b->raw_best)
		b->raw_best = r;
	b->cnt++;
}

static int
cmp(const void *x, const void *y)
{
	const double *a = x, *b = y;

	return (*a > *b) - (*a < *b);
}

static double
gbps_of(double ticks_per_byte, double hz)
{
	return ticks_per_byte > 0 ? 8 * hz / ticks_per_byte / 1e9 : 0;
}

/* Ticks per byte, per packet, and the ratio to RAW, of the windows with packets. */
static void
figures(struct bench_win *b, double (*per_byte)(const struct window *),
        double (*per_pkt)(const struct window *), struct bench_figures *out)
{
	double hz = bench_tsc_hz(), raw_byte = b->raw_best / (double)b->raw_len;
	double best;
	unsigned n = 0;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < b->cnt; i++)
		if (per_byte(&b->w[i]) > 0)
			b->sorted[n++] = per_byte(&b->w[i]);
	if (n == 0)
		return;
	qsort(b->sorted, n, sizeof(*b->sorted), cmp);
	best = b->sorted[0];
	out->gbps = gbps_of(best, hz);
	out->gbps_med = gbps_of(b->sorted[n / 2], hz);
	out->ratio = raw_byte / best;
	n = 0;
	for (unsigned i = 0; i < b->cnt; i++)
		if (per_pkt(&b->w[i]) > 0)
			b->sorted[n++] = per_pkt(&b->w[i]);
	qsort(b->sorted, n, sizeof(*b->sorted), cmp);
	out->tsc = b->sorted[0];
	out->tsc_med = b->sorted[n / 2];
	out->ns = out->tsc / hz * 1e9;
	out->ns_med = out->tsc_med / hz * 1e9;
	n = 0;
	for (unsigned i = 0; i < b->cnt; i++)
		if (per_byte(&b->w[i]) > 0)
			b->sorted[n++] =
			        b->w[i].raw / (double)b->raw_len / per_byte(&b->w[i]);
	qsort(b->sorted, n, sizeof(*b->sorted), cmp);
	out->ratio_med = b->sorted[n / 2];
}

static double
share(double a, uint64_t b)
{
	return b > 0 ? a / (double)b : 0;
}

static double
byte0(const struct window *w)
{
	return share((double)w->side[0].tsc, w->side[0].bytes);
}

static double
byte1(const struct window *w)
{
	return share((double)w->side[1].tsc, w->side[1].bytes);
}

static double
pkt0(const struct window *w)
{
	return share((double)w->side[0].tsc, w->side[0].pkts);
}

static double
pkt1(const struct window *w)
{
	return share((double)w->side[1].tsc, w->side[1].pkts);
}

static double
byte_sum(const struct window *w)
{
	return byte0(w) + byte1(w);
}

static double
pkt_sum(const struct window *w)
{
	return pkt0(w) + pkt1(w);
}

void
bench_win_figures(struct bench_win *b, unsigned side, struct bench_figures *out)
{
	figures(b, side == 0 ? byte0 : byte1, side == 0 ? pkt0 : pkt1, out);
}

void
bench_win_sum(struct bench_win *b, struct bench_figures *out)
{
	figures(b, byte_sum, pkt_sum, out);
}

void
bench_win_totals(struct bench_win *b, struct bench_totals *out)
{
	double hz = bench_tsc_hz();

	*out = (struct bench_totals){.kept = b->cnt, .dropped = b->dropped};
	for (unsigned i = 0; i < b->cnt; i++)
		b->sorted[i] = b->w[i].raw;
	qsort(b->sorted, b->cnt, sizeof(*b->sorted), cmp);
	if (b->cnt > 0) {
		out->raw_gbps = gbps_of(b->raw_best / (double)b->raw_len, hz);
		out->raw_gbps_med = gbps_of(b->sorted[b->cnt / 2] / (double)b->raw_len, hz);
	}
	out->switches = b->switches;
	out->heap_per_pkt = b->pkts > 0 ? (double)b->heap / (double)b->pkts : 0;
}
