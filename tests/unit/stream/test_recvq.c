/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_rand.h"
#include "plx_recvq.h"
#include "plx_ringapp.h"
#include "plx_test.h"

#define POOL_SZ (64 << 10) /* the least: 8 small, 3 large buffers */
#define BUFS    (8 + 3)
#define CONN    ((struct plx_conn_id){77})

static struct plx_rbufpool *pool;
static struct plx_slab *slab;
static struct plx_appside side;
static struct plx_obs obs;

static int
init(void)
{
	if (plx_slab_new(&slab, &(struct plx_slab_cfg){.limit = 8 << 20, .node = -1}) != 0)
		return -1;
	if (plx_rbufpool_new(&pool, POOL_SZ, -1, 3) != 0)
		return -1;
	side = (struct plx_appside){.pool = pool, .slab = slab, .obs = &obs};
	return 0;
}

static int
fini(void)
{
	plx_rbufpool_free(pool);
	plx_slab_free(slab);
	return 0;
}

/* A byte of a stream is a function of its offset. */
static uint8_t
byte_at(uint64_t stream, uint64_t off)
{
	return (uint8_t)(off * 131 + (off >> 8) * 7 + stream * 53);
}

struct stream {
	struct plx_recvq q; /* first */
	uint64_t no;
	uint64_t in, out; /* offsets */
	uint32_t refilled_cnt;
};

static void
refilled(struct plx_recvq *q)
{
	((struct stream *)(void *)q)->refilled_cnt++;
}

static void
stream_init(struct stream *s, uint64_t no)
{
	memset(s, 0, sizeof(*s));
	s->no = no;
	plx_recvq_init(&s->q, &side, refilled);
}

/* All that the pool has. */
static void
take_all(struct plx_rbuf *held[BUFS])
{
	for (uint32_t i = 0; i < BUFS; i++) {
		held[i] = plx_rbuf_take(pool, 1);
		CU_ASSERT_PTR_NOT_NULL_FATAL(held[i]);
	}
	CU_ASSERT_PTR_NULL(plx_rbuf_take(pool, 1));
}

static int
feed(struct stream *s, size_t len)
{
	uint8_t *data = malloc(len + 1);
	int rc;

	for (size_t i = 0; i < len; i++)
		data[i] = byte_at(s->no, s->in + i);
	rc = plx_recvq_append(&s->q, data, len);
	free(data);
	s->in += len;
	return rc;
}

/* Checks a buffer's bytes; they are the next ones of the stream. */
static void
check(struct stream *s, const struct plx_rbuf *b)
{
	CU_ASSERT_FATAL(b->len > 0);
	CU_ASSERT_EQUAL(b->credit, b->len);
	CU_ASSERT_EQUAL(b->conn.v, CONN.v);
	CU_ASSERT_EQUAL(b->stream_id, (int64_t)s->no);
	for (uint32_t i = 0; i < b->len; i++)
		CU_ASSERT_EQUAL_FATAL(b->data[i], byte_at(s->no, s->out + i));
	s->out += b->len;
}

static void
test_packs(void)
{
	struct stream s;
	struct plx_rbuf *b;

	PLX_COVERS("S1-29");
	stream_init(&s, 4);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(feed(&s, 100), 0);
	b = plx_recvq_take(&s.q, CONN, 4);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL(b->len, 1000);
	check(&s, b);
	/* A lent buffer gets no more bytes. */
	CU_ASSERT_EQUAL(feed(&s, 10), 0);
	CU_ASSERT_EQUAL(b->len, 1000);
	plx_rbuf_give(pool, b);
	b = plx_recvq_take(&s.q, CONN, 4);
	check(&s, b);
	CU_ASSERT_EQUAL(b->len, 10);
	CU_ASSERT_PTR_NULL(plx_recvq_take(&s.q, CONN, 4));
	CU_ASSERT_EQUAL(plx_recvq_len(&s.q), 0);
	CU_ASSERT_EQUAL(plx_recvq_append(&s.q, NULL, 0), 0);
	CU_ASSERT_EQUAL(plx_recvq_len(&s.q), 0);
	plx_rbuf_give(pool, b);
	CU_ASSERT_EQUAL(plx_recvq_fini(&s.q), 0);
}

static void
test_bulk(void)
{
	struct stream s;
	uint32_t bufs = 0;

	stream_init(&s, 0);
	/* A burst of packets before the reader comes: a few large buffers, not one per packet. */
	for (int i = 0; i < 32; i++)
		CU_ASSERT_EQUAL(feed(&s, 1400), 0);
	for (struct plx_rbuf *b; (b = plx_recvq_take(&s.q, CONN, 0)) != NULL; bufs++) {
		check(&s, b);
		plx_rbuf_give(pool, b);
	}
	CU_ASSERT_EQUAL(s.out, 32 * 1400);
	CU_ASSERT(bufs <= 4);
}

static void
test_spill(void)
{
	struct plx_slab_stats st;
	struct plx_rbuf *held[BUFS];
	struct stream s;
	uint32_t n = BUFS;

	PLX_COVERS("S1-31");
	stream_init(&s, 8);
	take_all(held);
	CU_ASSERT_EQUAL(feed(&s, 50000), 0);
	CU_ASSERT_EQUAL(feed(&s, 1), 0);
	CU_ASSERT_EQUAL(plx_recvq_len(&s.q), 50001);
	CU_ASSERT_PTR_NULL(plx_recvq_take(&s.q, CONN, 8));
	CU_ASSERT_EQUAL(plx_recvq_len(&s.q), 50001);
	plx_appside_refill(&side);
	CU_ASSERT_EQUAL(s.refilled_cnt, 0);
	CU_ASSERT_PTR_EQUAL(side.starved_head, &s.q);

	/* One buffer comes back, and is lent again, until everything was read. */
	while (plx_recvq_len(&s.q) > 0) {
		struct plx_rbuf *b;

		plx_rbuf_give(pool, held[--n]);
		plx_appside_refill(&side);
		b = plx_recvq_take(&s.q, CONN, 8);
		CU_ASSERT_PTR_NOT_NULL_FATAL(b);
		check(&s, b);
		held[n++] = b;
	}
	CU_ASSERT(s.refilled_cnt > 0);
	CU_ASSERT_EQUAL(s.out, 50001);
	CU_ASSERT_PTR_NULL(side.starved_head);
	plx_slab_get_stats(slab, &st);
	CU_ASSERT_EQUAL(st.used, 0);
	while (n > 0)
		plx_rbuf_give(pool, held[--n]);
	CU_ASSERT_EQUAL(plx_rbufpool_level(pool), 256);
}

static void
test_turns(void)
{
	struct plx_rbuf *held[BUFS];
	struct stream s[3];
	uint32_t n = BUFS;

	take_all(held);
	for (uint64_t i = 0; i < 3; i++) {
		stream_init(&s[i], 4 * i);
		CU_ASSERT_EQUAL(feed(&s[i], 100000), 0);
	}
	for (int i = 0; i < 3; i++)
		plx_rbuf_give(pool, held[--n]);
	plx_appside_refill(&side);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(s[i].refilled_cnt, 1);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(plx_recvq_fini(&s[i].q), 100000);
	CU_ASSERT_PTR_NULL(side.starved_head);
	CU_ASSERT_PTR_NULL(side.starved_tail);
	while (n > 0)
		plx_rbuf_give(pool, held[--n]);
	CU_ASSERT_EQUAL(plx_rbufpool_level(pool), 256);
}

static void
test_no_memory(void)
{
	struct plx_rbuf *held[BUFS];
	struct stream s;
	uint32_t n = BUFS;

	stream_init(&s, 0);
	take_all(held);
	plx_slab_fail_at(slab, 1);
	CU_ASSERT_EQUAL(feed(&s, 100), PLX_E_NOMEM);
	CU_ASSERT_EQUAL(plx_recvq_fini(&s.q), 0);
	CU_ASSERT_PTR_NULL(side.starved_head);
	while (n > 0)
		plx_rbuf_give(pool, held[--n]);
}

/* Several streams fed and read at random, with buffers that come back late. */
static void
random_story(uint64_t seed)
{
	struct plx_rbuf *lent[64];
	struct plx_slab_stats st;
	struct stream s[4];
	struct plx_rand r;
	uint32_t n = 0;
	uint64_t in = 0, out = 0;

	plx_rand_seed(&r, seed);
	for (uint64_t i = 0; i < 4; i++)
		stream_init(&s[i], 4 * i);
	for (int step = 0; step < 2000; step++) {
		struct stream *x = &s[plx_rand_below(&r, 4)];

		switch (plx_rand_below(&r, 4)) {
		case 0:
			if (x->in - x->out < 200000)
				CU_ASSERT_EQUAL_FATAL(feed(x, plx_rand_below(&r, 3000)), 0);
			break;
		case 1:
			if (n < 64) {
				lent[n] = plx_recvq_take(&x->q, CONN, (int64_t)x->no);
				if (lent[n] != NULL)
					check(x, lent[n++]);
			}
			break;
		default:
			if (n > 0) {
				uint32_t i = (uint32_t)plx_rand_below(&r, n);

				plx_rbuf_give(pool, lent[i]);
				lent[i] = lent[--n];
				plx_appside_refill(&side);
			}
			break;
		}
		CU_ASSERT_EQUAL_FATAL(plx_recvq_len(&x->q), x->in - x->out);
	}
	while (n > 0)
		plx_rbuf_give(pool, lent[--n]);
	for (int i = 0; i < 4; i++) {
		in += s[i].in;
		out += s[i].out + plx_recvq_fini(&s[i].q);
	}
	CU_ASSERT_EQUAL(in, out);
	CU_ASSERT_PTR_NULL(side.starved_head);
	CU_ASSERT_EQUAL(plx_rbufpool_level(pool), 256);
	plx_slab_get_stats(slab, &st);
	CU_ASSERT_EQUAL(st.used, 0);
}

static void
test_random(void)
{
	for (uint64_t seed = 1; seed <= 50; seed++)
		random_story(seed);
}

static CU_TestInfo tests[] = {
        {"small pieces share a buffer until it is lent", test_packs},
        {"bulk data fills few large buffers", test_bulk},
        {"bytes that find no buffer wait and lose nothing", test_spill},
        {"queues that wait for buffers take turns", test_turns},
        {"without any memory the append fails and says so", test_no_memory},
        {"50 random stories keep every byte in order", test_random},
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"recvq", init, fini, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
