/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Malformed HTTP/3 requests end themselves and nothing else. Rows H1 to H15 are the checks of
 * h3spec; those that concern a connection are in test_h3_wire_conn.c.
 */
#include "h3_raw.h"

#define FIELDS_CASE(what, want, code, ...)  \
	do {                                \
		begin();                    \
		HEADERS(&req, __VA_ARGS__); \
		send_all(true);             \
		settle(what, want, code);   \
	} while (0)

#define ME PLX_H3_MESSAGE_ERROR

static void
test_good(void)
{
	FIELDS_CASE("GET", OK, 0, GET);
	FIELDS_CASE("Host alone", OK, 0, ":method: GET", ":scheme: https", ":path: /never",
	            "host: a.test");
	FIELDS_CASE("Host equals :authority", OK, 0, GET, "host: A.test");
	FIELDS_CASE("te: trailers", OK, 0, GET, "te: trailers");
	FIELDS_CASE("bytes above 0x7f, tab", OK, 0, GET, "x: \xc3\xa9\ta");
	FIELDS_CASE("white space around a value", OK, 0, GET, "x:  a ");
	FIELDS_CASE("CONNECT", OK, 0, ":method: CONNECT", ":authority: a.test:443");
	FIELDS_CASE("OPTIONS *", OK, 0, ":method: OPTIONS", ":scheme: https",
	            ":authority: a.test", ":path: *");
	FIELDS_CASE("content-length 0", OK, 0, POST, "content-length: 0");
}

static void
test_messages(void)
{
	PLX_COVERS("H2", "H3", "H4", "H5", "S3-41");
	FIELDS_CASE(":method twice", STREAM_ERR, ME, GET, ":method: GET");
	FIELDS_CASE("no :authority", STREAM_ERR, ME, ":method: GET", ":scheme: https",
	            ":path: /never");
	FIELDS_CASE(":autority", STREAM_ERR, ME, GET, ":autority: a.test");
	FIELDS_CASE(":foo", STREAM_ERR, ME, GET, ":foo: bar");
	FIELDS_CASE("pseudo-header after a field", STREAM_ERR, ME, ":method: GET",
	            ":scheme: https", ":authority: a.test", "x: y", ":path: /never");
	FIELDS_CASE("no :method", STREAM_ERR, ME, ":scheme: https", ":authority: a.test",
	            ":path: /never");
	FIELDS_CASE("no :path", STREAM_ERR, ME, ":method: GET", ":scheme: https",
	            ":authority: a.test");
	FIELDS_CASE("no :scheme", STREAM_ERR, ME, ":method: GET", ":authority: a.test",
	            ":path: /never");
	FIELDS_CASE("empty :path", STREAM_ERR, ME, ":method: GET", ":scheme: https",
	            ":authority: a.test", ":path: ");
	FIELDS_CASE(":path without slash", STREAM_ERR, ME, ":method: GET", ":scheme: https",
	            ":authority: a.test", ":path: never");
	FIELDS_CASE(":status in a request", STREAM_ERR, ME, GET, ":status: 200");
	FIELDS_CASE(":protocol without extended CONNECT", STREAM_ERR, ME,
	            ":method: CONNECT", ":scheme: https", ":authority: a.test",
	            ":path: /never", ":protocol: websocket");
	FIELDS_CASE("CONNECT with :path", STREAM_ERR, ME, ":method: CONNECT",
	            ":authority: a.test", ":path: /never");
	FIELDS_CASE("user information", STREAM_ERR, ME, ":method: GET", ":scheme: https",
	            ":authority: me@a.test", ":path: /never");
	FIELDS_CASE("Host differs", STREAM_ERR, ME, GET, "host: b.test");
	FIELDS_CASE("empty Host", STREAM_ERR, ME, GET, "host: ");
}

static void
test_fields(void)
{
	PLX_COVERS("C8");
	FIELDS_CASE("upper case name", STREAM_ERR, ME, GET, "X-a: b");
	FIELDS_CASE("CR LF in a value", STREAM_ERR, ME, GET, "x: a\r\nb: c");
	FIELDS_CASE("LF in a value", STREAM_ERR, ME, GET, "x: a\nb");
	FIELDS_CASE("CR in a value", STREAM_ERR, ME, GET, "x: a\rb");
	FIELDS_CASE("control character in a value", STREAM_ERR, ME, GET, "x: a\x01");
	FIELDS_CASE("space in a name", STREAM_ERR, ME, GET, "x y: b");
	FIELDS_CASE("colon in a name", STREAM_ERR, ME, GET, "x:y: b");
	FIELDS_CASE("space in :path", STREAM_ERR, ME, ":method: GET", ":scheme: https",
	            ":authority: a.test", ":path: /a b");
	FIELDS_CASE("space in :method", STREAM_ERR, ME, ":method: GET /", ":scheme: https",
	            ":authority: a.test", ":path: /never");
	FIELDS_CASE("connection", STREAM_ERR, ME, GET, "connection: close");
	FIELDS_CASE("keep-alive", STREAM_ERR, ME, GET, "keep-alive: 1");
	FIELDS_CASE("proxy-connection", STREAM_ERR, ME, GET, "proxy-connection: close");
	FIELDS_CASE("upgrade", STREAM_ERR, ME, GET, "upgrade: h2c");
	FIELDS_CASE("transfer-encoding", STREAM_ERR, ME, POST,
	            "transfer-encoding: chunked");
	FIELDS_CASE("te: gzip", STREAM_ERR, ME, GET, "te: gzip");
	FIELDS_CASE("two lengths", STREAM_ERR, ME, POST, "content-length: 0",
	            "content-length: 0");
	FIELDS_CASE("length list", STREAM_ERR, ME, POST, "content-length: 0, 0");
	FIELDS_CASE("negative length", STREAM_ERR, ME, POST, "content-length: -1");
	FIELDS_CASE("length with space", STREAM_ERR, ME, POST, "content-length: 0 ");
	FIELDS_CASE("length of 2^64", STREAM_ERR, ME, POST,
	            "content-length: 18446744073709551616");

	/* What a C string cannot hold. */
	for (int i = 0; i < 2; i++) {
		static struct bytes sect;

		begin();
		sect.len = 0;
		put_byte(&sect, 0);
		put_byte(&sect, 0);
		put_field(&sect, ":method", "GET");
		put_field(&sect, ":scheme", "https");
		put_field(&sect, ":authority", "a.test");
		put_field(&sect, ":path", "/never");
		if (i == 0)
			put_field_len(&sect, "x", 1, "a\0b", 3);
		else
			put_field_len(&sect, "", 0, "a", 1);
		put_frame(&req, 1, sect.b, sect.len);
		send_all(true);
		settle(i == 0 ? "NUL in a value" : "empty name", STREAM_ERR, ME);
	}
}

static void
test_content_length(void)
{
	PLX_COVERS("C8");
	/* Exactly as announced, in two frames and with trailers. */
	begin();
	HEADERS(&req, POST, "content-length: 5");
	put_frame(&req, 0, "\x00\x07", 2);
	put_frame(&req, 0, "\x0e\x15\x1c", 3);
	HEADERS(&req, "x: y");
	send_all(true);
	settle("as announced", OK, 0);

	begin();
	HEADERS(&req, POST, "content-length: 5");
	DATA(&req, "1234");
	send_all(true);
	settle("one byte less", STREAM_ERR, ME);

	begin();
	HEADERS(&req, POST, "content-length: 5");
	DATA(&req, "123456");
	send_all(true);
	settle("one byte more", STREAM_ERR, ME);

	begin();
	HEADERS(&req, POST, "content-length: 5");
	send_all(true);
	settle("no body at all", STREAM_ERR, ME);
	CU_ASSERT_EQUAL(site.heads, 0);

	begin();
	HEADERS(&req, POST, "content-length: 5");
	DATA(&req, "1234");
	HEADERS(&req, "x: y");
	send_all(true);
	settle("one byte less, then trailers", STREAM_ERR, ME);

	/* FIN in a packet of its own, long after the rest: CVE-2026-33555. */
	static struct bytes nothing;

	begin();
	HEADERS(&req, POST, "content-length: 5");
	DATA(&req, "1234");
	send_all(false);
	run_for(100 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(site.heads, 1);
	raw_send(raw.req, &nothing, true);
	settle("bare FIN", STREAM_ERR, ME);
}

static void
test_message_ends(void)
{
	begin();
	send_all(true);
	settle("FIN and nothing else", STREAM_ERR, PLX_H3_REQUEST_INCOMPLETE);

	begin();
	put_frame(&req, 0x21, "grease", 6);
	send_all(true);
	settle("only a reserved frame", STREAM_ERR, PLX_H3_REQUEST_INCOMPLETE);

	begin();
	put_varint(&req, 1);
	put_varint(&req, 0);
	send_all(true);
	settle("empty HEADERS", STREAM_ERR, ME);

	begin();
	put_varint(&req, 1);
	put_varint(&req, 100);
	put(&req, "\0\0", 2);
	send_all(true);
	settle("truncated HEADERS", CONN_ERR, PLX_H3_FRAME_ERROR);

	begin();
	HEADERS(&req, POST);
	put_varint(&req, 0);
	put_varint(&req, 100);
	put(&req, "\0", 1);
	send_all(true);
	settle("truncated DATA", CONN_ERR, PLX_H3_FRAME_ERROR);

	begin();
	HEADERS(&req, POST);
	HEADERS(&req, "x: y");
	DATA(&req, "1");
	send_all(true);
	settle("DATA after trailers", CONN_ERR, PLX_H3_FRAME_UNEXPECTED);

	begin();
	HEADERS(&req, POST);
	HEADERS(&req, ":path: /x");
	send_all(true);
	settle("pseudo-header in trailers", STREAM_ERR, ME);

	begin();
	HEADERS(&req, POST);
	put_frame(&req, 0x21, "grease", 6);
	put_frame(&req, 0, "", 0);
	send_all(true);
	settle("reserved frame and empty DATA", OK, 0);
}

static void
test_aborts(void)
{
	PLX_COVERS("S3-32", "C7");
	/* Reset before a byte, in the middle of the head, and in mid-body. */
	begin();
	plx_conn_reset_stream(raw.c, raw.req, 0x10c);
	run_for(100 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(site.heads, 0);
	CU_ASSERT_EQUAL(raw.resets, 1); /* the server's side ended too */
	settle("reset of nothing", STREAM_ERR, PLX_H3_REQUEST_CANCELLED);

	begin();
	HEADERS(&req, GET);
	req.len -= 5;
	send_all(false);
	run_for(100 * PLX_NS_PER_MS);
	plx_conn_reset_stream(raw.c, raw.req, 0x10c);
	settle("reset in the head", STREAM_ERR, PLX_H3_REQUEST_CANCELLED);

	begin();
	HEADERS(&req, POST);
	DATA(&req, "123");
	send_all(false);
	run_for(100 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(site.heads, 1);
	plx_conn_reset_stream(raw.c, raw.req, 0x10d);
	run_for(100 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(site.s[0].reset_code, 0x10d);
	CU_ASSERT_EQUAL(site.closed, 1);
	settle("reset in the body", STREAM_ERR, PLX_H3_REQUEST_CANCELLED);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"well-formed requests are served", test_good},
	        {"wrong pseudo-header fields end the request (H2 to H5)", test_messages},
	        {"wrong fields end the request", test_fields},
	        {"content-length is checked at every end of a body", test_content_length},
	        {"messages that end too early or go on too long", test_message_ends},
	        {"requests that are reset leave nothing behind", test_aborts},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"h3 wire", site_init, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
