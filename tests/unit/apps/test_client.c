/* SPDX-License-Identifier: BSD-3-Clause */
/* The client of get and demo, over the rings of a worker that says what the test wants. */
#include "plx_test_eal.h"
#include "ring/plx_ring_fixture.h"

#include "plx_client.h"

static struct fix f;
static struct plx_attach *attach;
static struct plx_client *client;
static unsigned done_cnt, down_cnt;
static enum plx_client_end done_end;

static struct plx_conn_id conn_id;

/* One scripted event. */
struct said {
	struct plx_evsrc ev; /* first */
	struct plx_event what;
};

static bool
say_take(struct plx_evsrc *src, struct plx_event *ev)
{
	const struct said *s = (const struct said *)(void *)src;

	*ev = s->what;
	src->mask = 0;
	return true;
}

/* The worker publishes one event, the client takes it. */
static void
say(const struct plx_event *ev)
{
	struct said s = {.what = *ev};

	plx_evsrc_init(&s.ev, say_take, NULL);
	plx_evq_mark(&f.side.evq, &s.ev, 1);
	CU_ASSERT_EQUAL(plx_pair_publish(plx_attach_pair(attach, 0), &f.side), 1);
	plx_client_turn(client);
}

/* The next command of the client; its block is freed. */
static struct plx_cmd
asked(void)
{
	struct plx_cmd cmd = {0};

	plx_client_turn(client);
	if (plx_pair_cmds(plx_attach_pair(attach, 0), &cmd, 1) == 1)
		free(cmd.ptr);
	cmd.ptr = NULL;
	return cmd;
}

static void
on_state(struct plx_client_conn *c, bool up, const struct plx_event *ev)
{
	(void)c;
	(void)ev;
	down_cnt += !up;
}

static void
on_done(struct plx_client_req *r, enum plx_client_end end, uint64_t code)
{
	(void)r;
	(void)code;
	done_cnt++;
	done_end = end;
}

static struct plx_client_conn *
connect_one(uint16_t parallel)
{
	struct plx_client_target t = {.parallel = parallel, .host = "test", .sni = "test"};
	struct plx_client_conn_cb cb = {.on_state = on_state};
	struct plx_client_conn *c = plx_client_open(client, &t, &cb);
	struct plx_cmd cmd = asked();

	CU_ASSERT_EQUAL(cmd.type, PLX_CMD_DIAL);
	say(&(struct plx_event){.type = PLX_EV_CONN_UP,
	                        .conn = conn_id,
	                        .stream_id = -1,
	                        .conn_user = cmd.user});
	done_cnt = down_cnt = 0;
	return c;
}

static void
closed(struct plx_client_conn *c)
{
	say(&(struct plx_event){.type = PLX_EV_CONN_CLOSED,
	                        .conn = conn_id,
	                        .stream_id = -1,
	                        .conn_user = (uint64_t)(uintptr_t)c});
}

static void
request_failed(uint64_t user, int err)
{
	say(&(struct plx_event){.type = PLX_EV_CMD_FAILED,
	                        .extra = PLX_CMD_H3_REQUEST,
	                        .conn = conn_id,
	                        .stream_id = -1,
	                        .user = user,
	                        .code = (uint64_t)-(int64_t)err});
}

static void
a_request_that_fails_behind_its_connection_is_done_once(void)
{
	struct plx_client_req *r = calloc(1, sizeof(*r));
	struct plx_client_conn *c = connect_one(1);
	struct plx_cmd cmd;

	snprintf(r->method, sizeof(r->method), "GET");
	snprintf(r->path, sizeof(r->path), "/");
	r->on_done = on_done;
	plx_client_request(c, r);
	cmd = asked();
	CU_ASSERT_EQUAL(cmd.type, PLX_CMD_H3_REQUEST);
	closed(c);
	CU_ASSERT_EQUAL(done_cnt, 1);
	CU_ASSERT_EQUAL(done_end, PLX_CLIENT_CONN_LOST);
	CU_ASSERT_EQUAL(down_cnt, 1);
	/* Its owner frees it in on_done; what comes now must not look at it. */
	memset(r, 0xa5, sizeof(*r));
	free(r);
	request_failed(cmd.user, PLX_E_STALE);
	request_failed(cmd.user, PLX_E_STREAM_LIMIT);
	CU_ASSERT_EQUAL(done_cnt, 1);
	CU_ASSERT_EQUAL(plx_client_active(client), 0);
	CU_ASSERT_EQUAL(plx_client_conns(client), 0);
}

static void
nothing_is_asked_behind_close(void)
{
	struct plx_client_req r[2] = {0};
	struct plx_client_conn *c = connect_one(1);

	for (unsigned i = 0; i < 2; i++) {
		snprintf(r[i].method, sizeof(r[i].method), "GET");
		snprintf(r[i].path, sizeof(r[i].path), "/");
		r[i].on_done = on_done;
		plx_client_request(c, &r[i]);
	}
	CU_ASSERT_EQUAL(asked().type, PLX_CMD_H3_REQUEST);
	plx_client_close(c, true);
	CU_ASSERT_EQUAL(asked().type, PLX_CMD_CLOSE);
	/* The first one ends and would make room for the second. */
	say(&(struct plx_event){.type = PLX_EV_H3_CLOSED,
	                        .conn = conn_id,
	                        .stream_id = 0,
	                        .user = (uint64_t)(uintptr_t)&r[0]});
	CU_ASSERT_EQUAL(done_cnt, 1);
	CU_ASSERT_EQUAL(asked().type, PLX_CMD_NONE);
	closed(c);
	CU_ASSERT_EQUAL(done_cnt, 2);
}

static void
a_request_above_the_limit_waits_its_turn(void)
{
	struct plx_client_req r = {.method = "GET", .path = "/", .on_done = on_done};
	struct plx_client_conn *c = connect_one(1);
	struct plx_cmd cmd;

	plx_client_request(c, &r);
	cmd = asked();
	request_failed(cmd.user, PLX_E_STREAM_LIMIT);
	CU_ASSERT_EQUAL(done_cnt, 0);
	CU_ASSERT_EQUAL(asked().type, PLX_CMD_NONE);
	say(&(struct plx_event){.type = PLX_EV_STREAMS_AVAIL,
	                        .conn = conn_id,
	                        .stream_id = -1,
	                        .conn_user = (uint64_t)(uintptr_t)c});
	CU_ASSERT_EQUAL(asked().type, PLX_CMD_H3_REQUEST);
	closed(c);
	CU_ASSERT_EQUAL(done_cnt, 1);
}

static int
init(void)
{
	conn_id = plx_conn_id_make(0, 1, 1);
	return plx_attach_new(&attach, PREFIX, 0, 1, DEPTH, 4096, -1) != 0 ||
	       plx_client_new(&client, attach) != 0;
}

static int
fini(void)
{
	plx_client_free(client);
	plx_attach_close(attach);
	plx_attach_free(attach);
	return 0;
}

static void
each_begin(void)
{
	fix_init(&f, 0);
}

static void
each_end(void)
{
	fix_fini(&f);
}

static CU_TestInfo tests[] = {
        {"a request that fails behind its connection is done once",
         a_request_that_fails_behind_its_connection_is_done_once},
        {"nothing is asked behind CLOSE", nothing_is_asked_behind_close},
        {"a request above the stream limit waits its turn",
         a_request_above_the_limit_waits_its_turn},
        CU_TEST_INFO_NULL,
};

static CU_SuiteInfo suites[] = {
        {"client", init, fini, each_begin, each_end, tests},
        CU_SUITE_INFO_NULL,
};

int
main(void)
{
	int rc = plx_test_eal("client", 32);

	return rc != 0 ? rc : plx_test_main(suites);
}
