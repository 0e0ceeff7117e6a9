/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Malformed HTTP/3 that ends the connection: frames out of place, QPACK, critical streams. Rows
 * H1 to H15 are the checks of h3spec.
 */
#include "h3_raw.h"

/* RFC 9204 section 8.3 */
#define QPACK_DECOMPRESSION_FAILED 0x200

static void
test_frames(void)
{
	PLX_COVERS("H1", "H6", "H7", "H8", "H9", "H10", "H11", "H14");
	begin();
	DATA(&req, "x");
	send_all(true);
	settle("H1 DATA before HEADERS", CONN_ERR, PLX_H3_FRAME_UNEXPECTED);

	begin();
	ctrl.len = 1;
	put_frame(&ctrl, 0x0d, "\x01", 1);
	send_all(false);
	settle("H6 MAX_PUSH_ID before SETTINGS", CONN_ERR, PLX_H3_MISSING_SETTINGS);

	begin();
	DATA(&ctrl, "x");
	send_all(false);
	settle("H7 DATA on the control stream", CONN_ERR, PLX_H3_FRAME_UNEXPECTED);

	begin();
	HEADERS(&ctrl, GET);
	send_all(false);
	settle("H8 HEADERS on the control stream", CONN_ERR, PLX_H3_FRAME_UNEXPECTED);

	begin();
	put_frame(&ctrl, 4, "", 0);
	send_all(false);
	settle("H9 second SETTINGS", CONN_ERR, PLX_H3_FRAME_UNEXPECTED);

	begin();
	ctrl.len = 1;
	put_frame(&ctrl, 4, "\x02\x01", 2);
	send_all(false);
	settle("H10 HTTP/2 setting", CONN_ERR, PLX_H3_SETTINGS_ERROR);

	begin();
	put_frame(&req, 3, "\x00", 1);
	send_all(false);
	settle("H11 CANCEL_PUSH on a request", CONN_ERR, PLX_H3_FRAME_UNEXPECTED);

	begin();
	raw_send(raw.ctrl, &ctrl, true);
	settle("H14 control stream ends", CONN_ERR, PLX_H3_CLOSED_CRITICAL_STREAM);

	begin();
	put_frame(&req, 4, "", 0);
	send_all(false);
	settle("SETTINGS on a request", CONN_ERR, PLX_H3_FRAME_UNEXPECTED);
}

static void
test_qpack(void)
{
	PLX_COVERS("H12", "H13", "H15");
	begin();
	put_frame(&req, 1, "\x00\x00\xff\x24", 4); /* indexed, static, 63 + 36 */
	send_all(true);
	settle("H12 static index 99", CONN_ERR, QPACK_DECOMPRESSION_FAILED);

	begin();
	put_int(&qenc, 5, 0x20, 10000000000);
	send_all(false);
	settle("H13 capacity of 10^10", CONN_ERR, 0x201);

	begin();
	put_byte(&qdec, 0x00);
	send_all(false);
	settle("H15 insert count increment 0", CONN_ERR, 0x202);

	begin();
	put_frame(&req, 1, "\x00", 1);
	send_all(true);
	settle("half a prefix", CONN_ERR, QPACK_DECOMPRESSION_FAILED);

	/* A name above the cap of the decoder. */
	static struct bytes sect;
	static char name[4000];

	memset(name, 'n', sizeof(name));
	begin();
	sect.len = 0;
	put_byte(&sect, 0);
	put_byte(&sect, 0);
	put_field_len(&sect, name, sizeof(name), "", 0);
	put_frame(&req, 1, sect.b, sect.len);
	send_all(true);
	settle("name of 4000 bytes", CONN_ERR, PLX_H3_EXCESSIVE_LOAD);
}

/* One entry of 4 KiB, then a thousand references of one byte each. */
static void
test_qpack_bomb(void)
{
	static struct bytes sect;
	static char value[3900];
	struct plx_slab_stats st;
	uint64_t before;

	PLX_COVERS("C5");
	memset(value, 'v', sizeof(value));
	begin();
	put_int(&qenc, 5, 0x20, 4096);
	put_int(&qenc, 5, 0x40, 1);
	put(&qenc, "x", 1);
	put_int(&qenc, 7, 0, sizeof(value));
	put(&qenc, value, sizeof(value));
	sect.len = 0;
	put_byte(&sect, 2); /* insert count 1 */
	put_byte(&sect, 0);
	for (int i = 0; i < 1000; i++)
		put_byte(&sect, 0x80);
	put_frame(&req, 1, sect.b, sect.len);
	plx_slab_get_stats(server_cfg.slab, &st);
	before = st.peak;
	send_all(true);
	run_for(200 * PLX_NS_PER_MS);
	plx_slab_get_stats(server_cfg.slab, &st);
	CU_ASSERT(st.peak - before < 65536);
	settle("QPACK bomb", CONN_ERR, PLX_H3_EXCESSIVE_LOAD);
}

/* Requests whose fields are still on their way wait, and go on in order. */
static void
test_qpack_blocked(void)
{
	static struct bytes sect, enc, type;

	begin();
	type.len = enc.len = sect.len = 0;
	put_byte(&type, 0x02);
	put_int(&enc, 5, 0x20, 4096);
	put_int(&enc, 5, 0x40, 7); /* insert with literal name */
	put(&enc, "x-table", 7);
	put_int(&enc, 7, 0, 5);
	put(&enc, "value", 5);
	put_byte(&sect, 2); /* insert count 1 */
	put_byte(&sect, 0); /* base 1 */
	put_field(&sect, ":method", "POST");
	put_field(&sect, ":scheme", "https");
	put_field(&sect, ":authority", "a.test");
	put_field(&sect, ":path", "/never");
	put_byte(&sect, 0x80); /* dynamic, relative index 0 */
	put_frame(&req, 1, sect.b, sect.len);
	put_frame(&req, 0, site_pattern, 5000);
	sect.len = 0;
	put_byte(&sect, 2);
	put_byte(&sect, 0);
	put_byte(&sect, 0x80);
	put_frame(&req, 1, sect.b, sect.len); /* trailers from the table, too */
	raw_send(raw.ctrl, &ctrl, false);
	raw_send(raw.qenc, &type, false);
	raw_send(raw.req, &req, true);
	run_for(100 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(site.heads, 0);
	raw_send(raw.qenc, &enc, false);
	run_for(100 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(site.heads, 1);
	CU_ASSERT_EQUAL(site.s[0].rx, 5000);
	CU_ASSERT(!site.s[0].bad);
	CU_ASSERT_PTR_NOT_NULL(strstr(site.last_fields, "x-table=value;"));
	settle("blocked", OK, 0);
}

static void
test_qpack_blocked_limit(void)
{
	static struct bytes one;

	begin();
	one.len = 0;
	put_frame(&one, 1, "\x02\x00\x80", 3);
	raw_send(raw.ctrl, &ctrl, false);
	for (int i = 0; i < 17; i++) {
		int64_t id;

		CU_ASSERT_FALSE(raw.closed);
		plx_conn_open_stream(raw.c, true, &id);
		raw.tx_cnt = 1;
		raw.tx[0].done = false;
		raw.tx[0].id = id;
		raw.tx[0].p = one.b;
		raw.tx[0].len = one.len;
		raw.tx[0].fin = false;
		plx_conn_want_write(raw.c);
		run_for(30 * PLX_NS_PER_MS);
	}
	settle("17 blocked streams", CONN_ERR, QPACK_DECOMPRESSION_FAILED);
}

static void
test_critical_streams(void)
{
	static struct bytes again;

	PLX_COVERS("C6", "H14");
	for (int i = 0; i < 3; i++) {
		int64_t id;

		/* A second stream of a type there is one of. */
		begin();
		again.len = 0;
		put_byte(&again, (unsigned[]){0, 2, 3}[i]);
		send_all(false);
		plx_conn_open_stream(raw.c, false, &id);
		raw_send(id, &again, false);
		settle("second critical stream", CONN_ERR, PLX_H3_STREAM_CREATION_ERROR);
	}
	for (int i = 0; i < 6; i++) {
		int64_t id;

		begin();
		send_all(false);
		run_for(100 * PLX_NS_PER_MS);
		id = (int64_t[]){raw.ctrl, raw.qenc, raw.qdec}[i % 3];
		if (i < 3) {
			plx_conn_reset_stream(raw.c, id, 0x10c);
		} else {
			again.len = 0;
			raw_send(id, &again, true);
		}
		settle(i < 3 ? "critical stream reset" : "critical stream ends", CONN_ERR,
		       PLX_H3_CLOSED_CRITICAL_STREAM);
	}
	/* A push stream, and one of a type nobody knows. */
	begin();
	again.len = 0;
	put_byte(&again, 1);
	put_byte(&again, 0);
	send_all(false);
	{
		int64_t id;

		plx_conn_open_stream(raw.c, false, &id);
		raw_send(id, &again, false);
	}
	settle("push stream of a client", CONN_ERR, PLX_H3_STREAM_CREATION_ERROR);
	begin();
	again.len = 0;
	put_varint(&again, 0x21);
	put(&again, "grease", 6);
	HEADERS(&req, GET);
	send_all(true);
	{
		int64_t id;

		plx_conn_open_stream(raw.c, false, &id);
		raw_send(id, &again, true);
	}
	settle("unknown stream type", OK, 0);
}

static void
test_glitches(void)
{
	/* Reserved frames are fine, thousands of them in one burst are not. */
	PLX_COVERS("C10");
	begin();
	HEADERS(&req, POST);
	for (int i = 0; i < 3000; i++)
		put_frame(&req, 0x21, "", 0);
	send_all(true);
	settle("3000 reserved frames", CONN_ERR, PLX_H3_EXCESSIVE_LOAD);
}

static void
test_priority_update(void)
{
	begin();
	put_frame(&ctrl, 0xf0700, "\x00u=1", 4);
	HEADERS(&req, GET);
	send_all(true);
	settle("PRIORITY_UPDATE", OK, 0);
	begin();
	put_frame(&ctrl, 0xf0700, "\x80\x0f\x42\x40u=1", 7);
	send_all(false);
	settle("PRIORITY_UPDATE of a stream far away", CONN_ERR, PLX_H3_ID_ERROR);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"frames out of place end the connection (H1, H6 to H11, H14)",
	         test_frames},
	        {"QPACK errors end the connection (H12, H13, H15)", test_qpack},
	        {"a QPACK bomb costs no memory", test_qpack_bomb},
	        {"a request that waits for the encoder stream goes on", test_qpack_blocked},
	        {"one more blocked stream than announced", test_qpack_blocked_limit},
	        {"critical streams: one each, for ever", test_critical_streams},
	        {"a flood of reserved frames ends the connection", test_glitches},
	        {"PRIORITY_UPDATE is understood", test_priority_update},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"h3 wire: the connection", site_init, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
