/* SPDX-License-Identifier: BSD-3-Clause */
#include <poll.h>

#include "plx_ring_fixture.h"
#include "plx_test_eal.h"

static void
test_life(void)
{
	struct plx_attach *a, *b;

	PLX_COVERS("S0-52");
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL_FATAL(plx_attach_new(&a, PREFIX, 0, 3, DEPTH, 100, -1), 0);
		CU_ASSERT_EQUAL(plx_attach_workers(a), 3);
		CU_ASSERT_PTR_NOT_NULL(plx_attach_pair(a, 2));
		CU_ASSERT_PTR_NULL(plx_attach_pair(a, 3));
		/* The same name twice, as when two engines are called the same. */
		CU_ASSERT_EQUAL(plx_attach_new(&b, PREFIX, 0, 1, DEPTH, 100, -1),
		                PLX_E_EXIST);
		CU_ASSERT_PTR_NULL(b);
		CU_ASSERT_EQUAL_FATAL(plx_attach_new(&b, PREFIX, 1, 3, DEPTH, 100, -1), 0);
		plx_attach_free(a);
		plx_attach_free(b);
	}
	plx_attach_free(NULL);
}

static void
test_refused(void)
{
	struct plx_attach *a;

	CU_ASSERT_EQUAL(plx_attach_new(&a, "", 0, 1, DEPTH, 100, -1), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_attach_new(&a, "a name that is too long", 0, 1, DEPTH, 100, -1),
	                PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_attach_new(&a, PREFIX, 0, 0, DEPTH, 100, -1), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_attach_new(&a, PREFIX, 0, PLX_WORKERS_MAX + 1, DEPTH, 100, -1),
	                PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_attach_new(&a, PREFIX, 0, 1, 32, 100, -1), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_attach_new(&a, PREFIX, 0, 1, 100, 100, -1), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_attach_new(&a, PREFIX, 0, 1, 131072, 100, -1), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_attach_new(&a, PREFIX, 0, 1, DEPTH, 0, -1), PLX_E_INVAL);
	/* Longest names: prefix, three digits of attachment and worker each. */
	CU_ASSERT_EQUAL(plx_attach_new(&a, "twelve_chars", 255, 1, DEPTH, 100, -1), 0);
	plx_attach_free(a);
	/* Memory for this is not there; what was made before is given back. */
	CU_ASSERT_EQUAL(plx_attach_new(&a, PREFIX, 0, 128, 65536, 1 << 20, -1),
	                PLX_E_NOMEM);
	CU_ASSERT_EQUAL(plx_attach_new(&a, PREFIX, 0, 1, DEPTH, 100, -1), 0);
	plx_attach_free(a);
}

static void
test_full(void)
{
	struct plx_cmd c = cmd_of(PLX_CMD_STREAM_SEND, 1, 0), copy, got[64];
	struct plx_attach *a;
	uint64_t put = 0, taken = 0;
	uint32_t n;

	PLX_COVERS("S0-22", "S0-16", "S0-23");
	CU_ASSERT_EQUAL_FATAL(plx_attach_new(&a, PREFIX, 0, 2, DEPTH, 100, -1), 0);
	for (;;) {
		int rc;

		c.user = put;
		copy = c;
		rc = plx_cmd_put(a, 0, &c);
		CU_ASSERT_EQUAL(memcmp(&copy, &c, sizeof(c)), 0);
		if (rc == PLX_E_FULL)
			break;
		CU_ASSERT_EQUAL_FATAL(rc, 0);
		put++;
	}
	CU_ASSERT_EQUAL(put, DEPTH);
	/* What ends an owner always has a place, and keeps its order. */
	for (int i = 0; i < 5 * DEPTH; i++) {
		c.type = i % 2 ? PLX_CMD_CLOSE : PLX_CMD_STREAM_RESET;
		c.user = put;
		CU_ASSERT_EQUAL_FATAL(plx_cmd_put(a, 0, &c), 0);
		put++;
	}
	c.type = PLX_CMD_STREAM_SEND;
	CU_ASSERT_EQUAL(plx_cmd_put(a, 0, &c), PLX_E_FULL);
	/* The other worker's ring is not concerned. */
	c.conn = plx_conn_id_make(0, 1, 1);
	CU_ASSERT_EQUAL(plx_cmd_put(a, 0, &c), 0);

	while ((n = plx_pair_cmds(plx_attach_pair(a, 1), got, 64)) > 0) {
		struct plx_event ev;

		for (uint32_t i = 0; i < n; i++, taken++)
			CU_ASSERT_EQUAL_FATAL(got[i].user, taken);
		plx_events_take(a, &ev, 1); /* any call moves what waits behind the ring */
	}
	CU_ASSERT_EQUAL(taken, put);
	plx_attach_free(a);
}

static void
test_room(void)
{
	struct plx_cmd c = cmd_of(PLX_CMD_STREAM_SEND, 0, 0), got[64];
	struct plx_attach *a;

	PLX_COVERS("S0-22");
	CU_ASSERT_EQUAL_FATAL(plx_attach_new(&a, PREFIX, 0, 1, DEPTH, 100, -1), 0);
	while (plx_cmd_put(a, 0, &c) == 0)
		;
	CU_ASSERT_EQUAL(plx_events_wait(a, 1000), 0);
	CU_ASSERT_EQUAL(plx_pair_cmds(plx_attach_pair(a, 0), got, 64), 64);
	CU_ASSERT_EQUAL(plx_events_wait(a, UINT64_MAX), 1);
	CU_ASSERT_EQUAL(plx_cmd_put(a, 0, &c), 0);
	/* Told once. */
	CU_ASSERT_EQUAL(plx_events_wait(a, 1000), 0);
	plx_attach_free(a);
}

static void
test_where(void)
{
	struct plx_cmd c = cmd_of(PLX_CMD_CLOSE, 2, 0), got;
	struct plx_attach *a;

	PLX_COVERS("S0-24");
	CU_ASSERT_EQUAL_FATAL(plx_attach_new(&a, PREFIX, 5, 2, DEPTH, 100, -1), 0);
	CU_ASSERT_EQUAL(plx_cmd_put(a, 0, &c), PLX_E_INVAL); /* no such worker */
	c.conn = PLX_CONN_NONE;
	CU_ASSERT_EQUAL(plx_cmd_put(a, 0, &c), PLX_E_INVAL);
	c.type = PLX_CMD_CNT;
	CU_ASSERT_EQUAL(plx_cmd_put(a, 0, &c), PLX_E_INVAL);
	c.type = PLX_CMD_DIAL;
	CU_ASSERT_EQUAL(plx_cmd_put(a, 2, &c), PLX_E_INVAL);
	CU_ASSERT_FALSE(plx_pair_pending(plx_attach_pair(a, 1)));
	CU_ASSERT_EQUAL(plx_cmd_put(a, 1, &c), 0);
	CU_ASSERT_TRUE(plx_pair_pending(plx_attach_pair(a, 1)));
	CU_ASSERT_EQUAL(plx_pair_cmds(plx_attach_pair(a, 0), &got, 1), 0);
	CU_ASSERT_EQUAL(plx_pair_cmds(plx_attach_pair(a, 1), &got, 1), 1);
	CU_ASSERT_EQUAL(got.attach, 5);
	plx_attach_close(a);
	CU_ASSERT_EQUAL(plx_cmd_put(a, 1, &c), PLX_E_CLOSED);
	plx_attach_free(a);
}

static void
test_returns(void)
{
	struct plx_rbuf *held[512], *got[64];
	struct plx_attach *a;
	struct fix f;
	uint32_t n = 0, back = 0, m;

	fix_init(&f, 0);
	CU_ASSERT_EQUAL_FATAL(plx_attach_new(&a, PREFIX, 0, 1, DEPTH, f.rbuf_max, -1), 0);
	while (n < 512 && (held[n] = plx_rbuf_take(f.pool, 1)) != NULL)
		n++;
	CU_ASSERT_EQUAL(n, f.rbuf_max);
	/* The whole pool, and the worker does not look. */
	for (uint32_t i = 0; i < n; i++)
		plx_rbuf_release(a, held[i]);
	while ((m = plx_pair_returns(plx_attach_pair(a, 0), got, 64)) > 0)
		for (uint32_t i = 0; i < m; i++) {
			CU_ASSERT_FATAL(back < n);
			CU_ASSERT_PTR_EQUAL(got[i], held[back++]);
		}
	CU_ASSERT_EQUAL(back, n);
	plx_attach_free(a);
	fix_fini(&f);
}

static void
test_events_full(void)
{
	struct plx_event ev[64];
	struct plx_attach *a;
	struct num s[3];
	uint64_t next[3] = {0};
	uint32_t total = 0, n;
	struct fix f;

	PLX_COVERS("S0-15");
	fix_init(&f, 0);
	CU_ASSERT_EQUAL_FATAL(plx_attach_new(&a, PREFIX, 0, 1, DEPTH, f.rbuf_max, -1), 0);
	for (int i = 0; i < 3; i++) {
		num_init(&s[i], i);
		num_owe(&f, &s[i], 500);
	}
	CU_ASSERT_EQUAL(plx_pair_publish(plx_attach_pair(a, 0), &f.side), DEPTH - 1);
	CU_ASSERT_EQUAL(plx_pair_publish(plx_attach_pair(a, 0), &f.side), 0);
	CU_ASSERT_EQUAL(plx_obs_get(&f.obs, PLX_COUNT_events_deferred), 3);
	while ((n = plx_events_take(a, ev, 20)) > 0) {
		for (uint32_t i = 0; i < n; i++)
			CU_ASSERT_EQUAL_FATAL(ev[i].code, next[ev[i].stream_id]++);
		total += n;
		plx_pair_publish(plx_attach_pair(a, 0), &f.side);
	}
	CU_ASSERT_EQUAL(total, 1500);
	CU_ASSERT_EQUAL(plx_obs_get(&f.obs, PLX_COUNT_events), 1500);
	plx_attach_free(a);
	fix_fini(&f);
}

static void
test_sent_full(void)
{
	static struct plx_sbuf b[200];
	struct plx_sbuf *got[64];
	struct plx_attach *a;
	uint32_t total = 0, n;
	struct fix f;

	fix_init(&f, 0);
	CU_ASSERT_EQUAL_FATAL(plx_attach_new(&a, PREFIX, 0, 1, DEPTH, f.rbuf_max, -1), 0);
	for (uint32_t i = 0; i < 200; i++) {
		b[i].user = i;
		plx_appside_done(&f.side, &b[i]);
	}
	do {
		plx_pair_publish(plx_attach_pair(a, 0), &f.side);
		n = plx_sent_take(a, got, 30);
		for (uint32_t i = 0; i < n; i++)
			CU_ASSERT_EQUAL_FATAL(got[i]->user, total++);
	} while (n > 0);
	CU_ASSERT_EQUAL(total, 200);
	plx_attach_free(a);
	fix_fini(&f);
}

static void
test_rotation(void)
{
	struct plx_event ev[8];
	struct plx_attach *a;
	struct fix f[3];
	struct num s[3];
	bool seen[3] = {false};

	CU_ASSERT_EQUAL_FATAL(plx_attach_new(&a, PREFIX, 0, 3, DEPTH, 200, -1), 0);
	for (uint16_t w = 0; w < 3; w++) {
		fix_init(&f[w], w);
		num_init(&s[w], w);
		num_owe(&f[w], &s[w], 50);
		plx_pair_publish(plx_attach_pair(a, w), &f[w].side);
	}
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL_FATAL(plx_events_take(a, ev, 8), 8);
		seen[ev[0].stream_id] = true;
	}
	CU_ASSERT(seen[0] && seen[1] && seen[2]);
	for (int w = 0; w < 3; w++)
		fix_fini(&f[w]);
	plx_attach_free(a);
}

static void
test_wait(void)
{
	struct plx_attach *a;
	struct plx_event ev;
	struct pollfd pfd;
	struct num s;
	struct fix f;

	fix_init(&f, 0);
	CU_ASSERT_EQUAL_FATAL(plx_attach_new(&a, PREFIX, 0, 1, DEPTH, f.rbuf_max, -1), 0);
	num_init(&s, 0);
	CU_ASSERT_EQUAL(plx_events_wait(a, 0), 0);
	CU_ASSERT_EQUAL(plx_events_wait(a, 2000), 0);
	plx_events_wake(a);
	CU_ASSERT_EQUAL(plx_events_wait(a, UINT64_MAX), 1);
	CU_ASSERT_EQUAL(plx_events_wait(a, 1000), 0);

	/* An epoll set of the application: the descriptor tells once the wait was asked with 0. */
	pfd = (struct pollfd){.fd = plx_events_fd(a), .events = POLLIN};
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(plx_events_wait(a, 0), 0);
		CU_ASSERT_EQUAL(poll(&pfd, 1, 0), 0);
		num_owe(&f, &s, 1);
		CU_ASSERT_EQUAL(plx_pair_publish(plx_attach_pair(a, 0), &f.side), 1);
		CU_ASSERT_EQUAL(poll(&pfd, 1, 0), 1);
		CU_ASSERT_EQUAL(plx_events_wait(a, 0), 1);
		CU_ASSERT_EQUAL(plx_events_take(a, &ev, 1), 1);
	}
	/* Awake, no system call is spent on it. */
	CU_ASSERT_EQUAL(plx_events_wait(a, 0), 0);
	CU_ASSERT_EQUAL(poll(&pfd, 1, 0), 0);
	CU_ASSERT_EQUAL(plx_events_take(a, &ev, 1), 0);
	num_owe(&f, &s, 1);
	plx_pair_publish(plx_attach_pair(a, 0), &f.side);
	CU_ASSERT_EQUAL(poll(&pfd, 1, 0), 0);
	CU_ASSERT_EQUAL(plx_events_take(a, &ev, 1), 1);
	plx_attach_free(a);
	fix_fini(&f);
}

struct counted {
	struct plx_call call;
	uint32_t calls;
};

static void
count_call(struct plx_call *call, struct plx_conn *c)
{
	CU_ASSERT_PTR_NULL(c);
	((struct counted *)call)->calls++;
}

static void
test_left_over(void)
{
	struct counted k = {.call.fn = count_call};
	struct plx_cmd call = cmd_of(PLX_CMD_CALL, 0, 0),
	               msg = cmd_of(PLX_CMD_H3_REQUEST, 0, 0);
	struct plx_attach *a;

	PLX_COVERS("S2-45");
	CU_ASSERT_EQUAL_FATAL(plx_attach_new(&a, PREFIX, 6, 1, DEPTH, 100, -1), 0);
	call.ptr = &k.call;
	msg.ptr = malloc(sizeof(struct plx_h3_msg));
	CU_ASSERT_EQUAL(plx_cmd_put(a, 0, &call), 0);
	CU_ASSERT_EQUAL(plx_cmd_put(a, 0, &msg), 0);
	CU_ASSERT_EQUAL(k.calls, 0);
	plx_attach_free(a); /* the sanitizer build sees whether the message was freed */
	CU_ASSERT_EQUAL(k.calls, 1);
}

static CU_TestInfo tests[] = {
        {"attachments are made and freed again, names are unique", test_life},
        {"what cannot be made is refused and leaves nothing behind", test_refused},
        {"a full command ring hands back unchanged, ends of owners always fit", test_full},
        {"who met a full ring is woken when there is room", test_room},
        {"commands go to the worker of their connection, none to a stopped engine",
         test_where},
        {"the return ring holds the whole pool", test_returns},
        {"a full event ring defers, counts and loses nothing", test_events_full},
        {"send buffers wait for room in their ring", test_sent_full},
        {"workers are asked in rotation", test_rotation},
        {"waiting ends by timeout, wake-up and event, also in a foreign epoll set",
         test_wait},
        {"what no worker came to is ended with the rings", test_left_over},
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"attach", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	plx_test_eal("attach", 64);
	return plx_test_main(suites);
}
