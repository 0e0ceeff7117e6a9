/* SPDX-License-Identifier: BSD-3-Clause */
#include "siege.h"

#include <malloc.h>
#include <time.h>

#define WINDOW   (256u << 10)
#define EVERLAST (UINT64_C(1) << 40)
#define GRACE_NS (100 * SEC)

uint64_t
siege_scale(uint64_t cnt)
{
	const char *e = getenv("PLX_ATTACK_SCALE");
	unsigned long n = e != NULL ? strtoul(e, NULL, 10) : 1;

	return cnt * (n > 0 ? n : 1);
}

uint64_t
siege_count(struct plx_pair *p, enum plx_count c)
{
	return plx_obs_get(p->end[PLX_PAIR_SERVER].obs, c);
}

uint64_t
siege_drops(struct plx_pair *p, enum plx_drop d)
{
	return plx_obs_get_drop(p->end[PLX_PAIR_SERVER].obs, d);
}

uint64_t
siege_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec;
}

uint64_t
siege_heap_used(void)
{
#ifdef PLX_SANITIZE
	return 0;
#else
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
#endif
}

static void
run_to(struct plx_pair *p, uint64_t at)
{
	if (at > p->now)
		plx_pair_run(p, NULL, at - p->now);
}

static struct plx_pair *
make(const struct siege *s)
{
	struct plx_pair_cfg cfg;
	struct plx_pair *p = NULL;

	plx_pair_cfg_init(&cfg);
	cfg.seed = 77;
	cfg.link[PLX_PAIR_SERVER].per_pkt_ns = s->ns / SIEGE_PKTS;
	cfg.quic[PLX_PAIR_CLIENT].max_data = cfg.quic[PLX_PAIR_CLIENT].max_stream_data =
	        WINDOW;
	if (s->setup != NULL)
		s->setup(&cfg);
	CU_ASSERT_EQUAL_FATAL(plx_pair_new(&p, &cfg), 0);
	p->end[PLX_PAIR_CLIENT].app.down = EVERLAST;
	return p;
}

static void
dial(struct plx_pair *p, uint32_t cnt)
{
	while (cnt-- > 0)
		CU_ASSERT_EQUAL(plx_pair_dial(p, true, NULL), 0);
}

static void
watch(struct siege *s, struct plx_pair *p, uint64_t *peak)
{
	uint64_t used = plx_pair_slab_used(p, PLX_PAIR_SERVER);

	if (used > *peak)
		*peak = used;
	if (p->end[PLX_PAIR_SERVER].quic->half_open > s->half_open_peak)
		s->half_open_peak = p->end[PLX_PAIR_SERVER].quic->half_open;
}

/* One story. @return bytes that honest clients got */
static uint64_t
story(struct siege *s, bool attack, uint64_t *peak)
{
	struct plx_pair *p = make(s);
	uint64_t start = p->now, got;

	dial(p, s->honest / 2);
	run_to(p, start + 200 * MS);
	if (attack && s->begin != NULL)
		s->begin(p, s->arg);
	for (uint64_t t = 200 * MS; t < s->ns; t += MS) {
		if (t == 300 * MS)
			dial(p, s->honest - s->honest / 2);
		if (attack && s->tick != NULL)
			s->tick(p, s->arg);
		run_to(p, start + t + MS);
		watch(s, p, peak);
	}
	got = p->end[PLX_PAIR_CLIENT].app.rx_bytes;
	s->server_tx[attack] = p->end[PLX_PAIR_SERVER].tx_pkts;
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_CLIENT].app.established, s->honest);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_CLIENT].app.closed, 0);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_CLIENT].app.mismatches, 0);
	if (attack && s->end != NULL)
		s->end(p, s->arg);
	plx_quic_close_all(p->end[PLX_PAIR_CLIENT].quic, 0);
	CU_ASSERT_TRUE(plx_pair_run(p, plx_pair_idle, GRACE_NS));
	CU_ASSERT_EQUAL(plx_pair_slab_used(p, PLX_PAIR_SERVER), 0);
	CU_ASSERT_EQUAL(plx_pair_slab_used(p, PLX_PAIR_CLIENT), 0);
	CU_ASSERT_EQUAL(p->end[PLX_PAIR_SERVER].quic->half_open, 0);
	CU_ASSERT_EQUAL(plx_quic_deadline(p->end[PLX_PAIR_SERVER].quic), PLX_TIME_NEVER);
	plx_pair_free(p);
	return got;
}

void
siege_run(struct siege *s)
{
	s->calm = story(s, false, &s->calm_peak);
	s->half_open_peak = 0;
	s->stormy = story(s, true, &s->stormy_peak);
	CU_ASSERT_TRUE(s->calm > SIEGE_PKTS * UINT64_C(500));
	printf("\n    honest clients kept %lu %%, the slab's peak was %lu KiB and became %lu KiB ",
	       (unsigned long)(s->stormy * 100 / s->calm),
	       (unsigned long)(s->calm_peak >> 10), (unsigned long)(s->stormy_peak >> 10));
	CU_ASSERT_TRUE(s->stormy * 5 >= s->calm * 4);
}
