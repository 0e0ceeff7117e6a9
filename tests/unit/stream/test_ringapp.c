/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_ringapp.h"
#include "plx_test.h"

static struct plx_rbufpool *pool;
static struct plx_slab *slab;
static struct plx_appside side;
static struct plx_obs obs;

static int
setup(void)
{
	if (plx_slab_new(&slab, &(struct plx_slab_cfg){.limit = 1 << 20, .node = -1}) != 0)
		return -1;
	if (plx_rbufpool_new(&pool, 64 << 10, -1, 3) != 0)
		return -1;
	return plx_appside_init(&side, pool, slab, &obs, 3, 1);
}

static int
teardown(void)
{
	struct plx_slab_stats st;

	plx_appside_fini(&side);
	plx_slab_get_stats(slab, &st);
	plx_rbufpool_free(pool);
	plx_slab_free(slab);
	return st.used != 0;
}

static void
test_done(void)
{
	struct plx_sbuf b[5] = {0};
	struct plx_sbuf *got[8];

	plx_appside_done(&side, NULL);
	b[0].next = &b[1];
	plx_appside_done(&side, &b[0]);
	b[2].next = &b[3];
	b[3].next = &b[4];
	plx_appside_done(&side, &b[2]);
	CU_ASSERT_EQUAL(plx_appside_take_done(&side, got, 3), 3);
	CU_ASSERT_EQUAL(plx_appside_take_done(&side, got + 3, 5), 2);
	for (int i = 0; i < 5; i++) {
		CU_ASSERT_PTR_EQUAL(got[i], &b[i]);
		CU_ASSERT_PTR_NULL(b[i].next);
	}
	CU_ASSERT_EQUAL(plx_appside_take_done(&side, got, 8), 0);
	CU_ASSERT_EQUAL(side.done_cnt, 5);
}

static void
test_cmd_failed(void)
{
	struct plx_sbuf b = {.len = 9, .acked = 3}, *back;
	struct plx_cmd cmd = {.type = PLX_CMD_STREAM_SEND,
	                      .conn = {5},
	                      .stream_id = 4,
	                      .user = 99,
	                      .ptr = &b};
	struct plx_event ev;

	PLX_COVERS("S1-26");
	/* A handle that names nothing any more. */
	CU_ASSERT_EQUAL(plx_appside_cmd(&side, NULL, &cmd), PLX_E_STALE);
	CU_ASSERT_EQUAL_FATAL(plx_evq_publish(&side.evq, &ev, 1), 1);
	CU_ASSERT_EQUAL(ev.type, PLX_EV_CMD_FAILED);
	CU_ASSERT_EQUAL(ev.code, (uint64_t)-PLX_E_STALE);
	CU_ASSERT_EQUAL(ev.conn.v, 5);
	CU_ASSERT_EQUAL(ev.stream_id, 4);
	CU_ASSERT_EQUAL(ev.user, 99);
	CU_ASSERT_EQUAL(ev.extra, PLX_CMD_STREAM_SEND);
	CU_ASSERT_EQUAL(ev.worker, 3);
	CU_ASSERT_EQUAL_FATAL(plx_appside_take_done(&side, &back, 1), 1);
	CU_ASSERT_PTR_EQUAL(back, &b);
	CU_ASSERT_EQUAL(b.acked, 0);

	/* A header list belongs to us: freed, as LeakSanitizer knows. */
	cmd.type = PLX_CMD_H3_REQUEST;
	cmd.ptr = calloc(1, sizeof(struct plx_h3_msg));
	plx_appside_cmd_failed(&side, &cmd, PLX_E_CLOSING);
	CU_ASSERT_EQUAL(plx_evq_publish(&side.evq, &ev, 1), 1);
	CU_ASSERT_EQUAL(plx_appside_take_done(&side, &back, 1), 0);
}

static void
test_cmd_room(void)
{
	struct plx_cmd cmd = {.type = PLX_CMD_CLOSE, .conn = {5}};
	struct plx_event ev[PLX_APPSIDE_FAILS + 1];

	PLX_COVERS("S0-16");
	CU_ASSERT_EQUAL(plx_appside_cmd_room(&side), PLX_APPSIDE_FAILS);
	/* Not one of these asks the slab: it may be exhausted. */
	plx_slab_fail_at(slab, 1);
	for (uint64_t i = 0; i < PLX_APPSIDE_FAILS; i++) {
		cmd.user = i;
		plx_appside_cmd(&side, NULL, &cmd);
		CU_ASSERT_EQUAL(plx_appside_cmd_room(&side), PLX_APPSIDE_FAILS - 1 - i);
	}
	CU_ASSERT_PTR_NULL(
	        plx_slab_alloc(slab, 16)); /* the planned failure was still due */
	CU_ASSERT_EQUAL(plx_evq_publish(&side.evq, ev, PLX_APPSIDE_FAILS + 1),
	                PLX_APPSIDE_FAILS);
	for (uint64_t i = 0; i < PLX_APPSIDE_FAILS; i++)
		CU_ASSERT_EQUAL(ev[i].user, i);
	CU_ASSERT_EQUAL(plx_appside_cmd_room(&side), PLX_APPSIDE_FAILS);
}

static void
test_dials(void)
{
	struct plx_close_info why = {.by = PLX_CLOSE_HANDSHAKE_TIMEOUT, .code = 0x128};
	struct plx_event ev[300];

	PLX_COVERS("S0-25");
	for (int i = 0; i < 200; i++)
		CU_ASSERT_EQUAL_FATAL(plx_appside_dial_begin(&side), 0);
	CU_ASSERT_EQUAL(plx_appside_cmd_room(&side), PLX_APPSIDE_FAILS);
	plx_slab_fail_at(slab, 1);
	CU_ASSERT_EQUAL(plx_appside_dial_begin(&side), PLX_E_NOMEM);
	/* Failures come when the slab has nothing: each was provided for. */
	plx_slab_fail_at(slab, 1);
	for (uint64_t i = 0; i < 150; i++)
		plx_appside_dial_failed(&side, i, &why);
	for (int i = 0; i < 50; i++)
		plx_appside_dial_cancel(&side);
	plx_slab_fail_at(slab, 0);
	CU_ASSERT_EQUAL(side.dial_cnt, 0);
	CU_ASSERT_EQUAL_FATAL(plx_evq_publish(&side.evq, ev, 300), 150);
	for (uint64_t i = 0; i < 150; i++) {
		CU_ASSERT_EQUAL(ev[i].type, PLX_EV_DIAL_FAILED);
		CU_ASSERT_EQUAL(ev[i].user, i);
		CU_ASSERT_EQUAL(ev[i].extra, PLX_CLOSE_HANDSHAKE_TIMEOUT);
		CU_ASSERT_EQUAL(ev[i].code, 0x128);
		CU_ASSERT_EQUAL(ev[i].stream_id, -1);
		CU_ASSERT_EQUAL(ev[i].conn.v, 0);
	}
	CU_ASSERT_EQUAL(side.rec_free_cnt, PLX_APPSIDE_FAILS);
}

static void
test_no_memory(void)
{
	struct plx_appside s;

	for (uint64_t n = 1; n <= 3; n++) {
		plx_slab_fail_at(slab, n);
		CU_ASSERT_EQUAL(plx_appside_init(&s, pool, slab, &obs, 0, 0), PLX_E_NOMEM);
	}
}

static CU_TestInfo tests[] = {
        {"send buffers go back in order, each once", test_done},
        {"a refused command is reported and its buffer comes back", test_cmd_failed},
        {"failures are provided for, and the room for more is told", test_cmd_room},
        {"each failed dial is reported once, also without memory", test_dials},
        {"a side that finds no memory leaves nothing behind", test_no_memory},
        CU_TEST_INFO_NULL,
};

int
main(void)
{
	CU_SuiteInfo suites[] = {
	        {"ringapp", setup, teardown, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
