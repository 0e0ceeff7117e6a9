/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Malformed HTTP/3: a client on real QUIC that writes the bytes of every stream itself, against
 * the HTTP/3 server. Rows H1 to H15 are the checks of h3spec.
 */
#include "h3_pair.h"
#include "h3_site.h"

/* How a case ends. */
enum outcome {
	OK = 0,     /* the site saw one request, whole */
	STREAM_ERR, /* the request was reset with the code, the connection lives */
	CONN_ERR,   /* the connection was closed with the code */
};

/* RFC 9204 section 8.3 */
#define QPACK_DECOMPRESSION_FAILED 0x200

/* Bytes that are built piece by piece. */
struct bytes {
	uint8_t b[131072];
	size_t len;
};

static void
put(struct bytes *o, const void *p, size_t len)
{
	if (len)
		memcpy(o->b + o->len, p, len);
	o->len += len;
}

static void
put_byte(struct bytes *o, unsigned v)
{
	o->b[o->len++] = (uint8_t)v;
}

/* RFC 9000 section 16 */
static void
put_varint(struct bytes *o, uint64_t v)
{
	unsigned lg = v < 64 ? 0 : v < 16384 ? 1 : v < (1u << 30) ? 2 : 3;
	unsigned n = 1u << lg;

	for (unsigned i = 0; i < n; i++)
		put_byte(o, (unsigned)(v >> 8 * (n - 1 - i)) | (i == 0 ? lg << 6 : 0));
}

/* RFC 9204 section 4.1.1 */
static void
put_int(struct bytes *o, unsigned bits, unsigned first, uint64_t v)
{
	unsigned max = (1u << bits) - 1;

	if (v < max) {
		put_byte(o, first | (unsigned)v);
		return;
	}
	put_byte(o, first | max);
	for (v -= max; v >= 128; v >>= 7)
		put_byte(o, 0x80 | (v & 0x7f));
	put_byte(o, (unsigned)v);
}

/* A literal field with a literal name, RFC 9204 section 4.5.6. */
static void
put_field_len(struct bytes *o, const char *n, size_t n_len, const char *v, size_t v_len)
{
	put_int(o, 3, 0x20, n_len);
	put(o, n, n_len);
	put_int(o, 7, 0, v_len);
	put(o, v, v_len);
}

static void
put_field(struct bytes *o, const char *n, const char *v)
{
	put_field_len(o, n, strlen(n), v, strlen(v));
}

static void
put_frame(struct bytes *o, uint64_t type, const void *p, size_t len)
{
	put_varint(o, type);
	put_varint(o, len);
	put(o, p, len);
}

/* HEADERS of "name: value" lines; without a dynamic table the prefix is two zeros. */
static void
put_headers(struct bytes *o, const char *const *line)
{
	static struct bytes sect;

	sect.len = 0;
	put_byte(&sect, 0);
	put_byte(&sect, 0);
	for (; *line; line++) {
		const char *sep = strstr(*line + 1, ": ");

		put_field_len(&sect, *line, (size_t)(sep - *line), sep + 2,
		              strlen(sep + 2));
	}
	put_frame(o, 1, sect.b, sect.len);
}

#define GET  ":method: GET", ":scheme: https", ":authority: a.test", ":path: /never"
#define POST ":method: POST", ":scheme: https", ":authority: a.test", ":path: /never"

#define HEADERS(o, ...) put_headers(o, (const char *const[]){__VA_ARGS__, NULL})

#define DATA(o, text) put_frame(o, 0, text, strlen(text))

/* The client. */

struct raw {
	struct plx_conn *c;
	int64_t ctrl, qenc, qdec, req;
	struct {
		int64_t id;
		const uint8_t *p;
		size_t len;
		bool fin, done;
	} tx[8];
	unsigned tx_cnt;
	uint64_t reset_code, stop_code;
	uint32_t established, closed, resets, stops;
	struct plx_close_info why;
	uint64_t rx; /* bytes on the request stream */
};

static struct raw raw;
static struct h3_pair w;
static struct site site;
static struct plx_h3_cfg server_cfg;
static struct bytes ctrl, qenc, qdec, req;

static void
raw_send(int64_t id, const struct bytes *o, bool fin)
{
	raw.tx[raw.tx_cnt].id = id;
	raw.tx[raw.tx_cnt].p = o->b;
	raw.tx[raw.tx_cnt].len = o->len;
	raw.tx[raw.tx_cnt].fin = fin;
	raw.tx_cnt++;
	plx_conn_want_write(raw.c);
}

static int
raw_established(void *app, struct plx_conn *c, void **ctx)
{
	(void)app;
	raw.c = c;
	raw.established++;
	*ctx = &raw;
	return 0;
}

static int
raw_data(void *ctx, int64_t id, uint64_t off, const uint8_t *p, size_t len, bool fin)
{
	(void)ctx;
	(void)off;
	(void)p;
	(void)fin;
	if (id == raw.req)
		raw.rx += len;
	plx_conn_consume(raw.c, id, len);
	return 0;
}

static int
raw_reset(void *ctx, int64_t id, uint64_t final_sz, uint64_t code)
{
	(void)ctx;
	(void)final_sz;
	if (id == raw.req) {
		raw.resets++;
		raw.reset_code = code;
	}
	return 0;
}

static int
raw_next(void *ctx, struct plx_tx_next *next)
{
	static struct plx_iov vec;

	(void)ctx;
	for (unsigned i = 0; i < raw.tx_cnt; i++) {
		if (raw.tx[i].done)
			continue;
		vec.base = raw.tx[i].p;
		vec.len = raw.tx[i].len;
		next->stream_id = raw.tx[i].id;
		next->vec = &vec;
		next->cnt = vec.len > 0;
		next->fin = raw.tx[i].fin;
		return 1;
	}
	return 0;
}

static int
raw_tx_done(void *ctx, int64_t id, size_t len, bool fin)
{
	(void)ctx;
	for (unsigned i = 0; i < raw.tx_cnt; i++) {
		if (raw.tx[i].done || raw.tx[i].id != id)
			continue;
		raw.tx[i].p += len;
		raw.tx[i].len -= len;
		raw.tx[i].done = raw.tx[i].len == 0 && (fin || !raw.tx[i].fin);
		break;
	}
	return 0;
}

static int
raw_tx_off(void *ctx, int64_t id)
{
	(void)ctx;
	for (unsigned i = 0; i < raw.tx_cnt; i++)
		raw.tx[i].done |= raw.tx[i].id == id;
	return 0;
}

static void
raw_closed(void *ctx, const struct plx_close_info *why)
{
	(void)ctx;
	raw.closed++;
	raw.c = NULL;
	if (why)
		raw.why = *why;
}

static const struct plx_app raw_app = {
        .name = "raw",
        .on_conn_established = raw_established,
        .on_stream_data = raw_data,
        .on_stream_reset = raw_reset,
        .next_tx = raw_next,
        .tx_done = raw_tx_done,
        .tx_blocked = raw_tx_off,
        .tx_shut = raw_tx_off,
        .on_conn_closed = raw_closed,
};

static bool
up(struct plx_pair *p)
{
	(void)p;
	return raw.established && site.conns;
}

/* Streams with their types and SETTINGS; the test adds what is wrong. */
static void
begin(void)
{
	static struct plx_pair_cfg cfg;
	static const uint8_t settings[] = {0x00, 0x04, 0x00};

	plx_pair_cfg_init(&cfg);
	/* So that virtual time goes on in small steps while nothing happens. */
	cfg.quic[PLX_PAIR_CLIENT].keep_alive_ms = 10;
	memset(&raw, 0, sizeof(raw));
	memset(&site, 0, sizeof(site));
	h3_pair_open(&w, &cfg);
	server_cfg = (struct plx_h3_cfg){
	        .app = &site_app,
	        .arg = &site,
	        .obs = w.p->end[PLX_PAIR_SERVER].obs,
	        .slab = h3_pair_slab(&w, PLX_PAIR_SERVER),
	};
	h3_pair_app(&w, PLX_PAIR_SERVER, &plx_h3_inline, &server_cfg);
	h3_pair_app(&w, PLX_PAIR_CLIENT, &raw_app, NULL);
	h3_pair_dial(&w);
	CU_ASSERT_FATAL(plx_pair_run(w.p, up, PAIR_LIMIT));
	plx_conn_open_stream(raw.c, false, &raw.ctrl);
	plx_conn_open_stream(raw.c, false, &raw.qenc);
	plx_conn_open_stream(raw.c, false, &raw.qdec);
	plx_conn_open_stream(raw.c, true, &raw.req);
	ctrl.len = qenc.len = qdec.len = req.len = 0;
	put(&ctrl, settings, sizeof(settings));
	put_byte(&qenc, 0x02);
	put_byte(&qdec, 0x03);
}

static void
run_for(uint64_t ns)
{
	uint64_t end = w.p->now + ns;

	while (w.p->now < end)
		plx_pair_step(w.p);
}

static void
settle(const char *what, enum outcome want, uint64_t code)
{
	bool ok = false;

	run_for(200 * PLX_NS_PER_MS);
	switch (want) {
	case OK:
		ok = site.heads == 1 && site.s[0].rx_fin && !raw.resets && !raw.closed;
		break;
	case STREAM_ERR:
		ok = raw.resets == 1 && raw.reset_code == code && !raw.closed &&
		     !site.s[0].rx_fin;
		break;
	case CONN_ERR:
		ok = raw.closed == 1 && raw.why.is_app && raw.why.code == code;
		break;
	}
	if (!ok)
		printf("\n    %s: heads %u fin %d resets %u 0x%llx closed %u 0x%llx %.*s\n",
		       what, site.heads, site.s[0].rx_fin, raw.resets,
		       (unsigned long long)raw.reset_code, raw.closed,
		       (unsigned long long)raw.why.code, raw.why.reason_len,
		       raw.why.reason);
	CU_ASSERT(ok);
	if (want == CONN_ERR) {
		CU_ASSERT(plx_obs_get(w.p->end[PLX_PAIR_SERVER].obs, PLX_COUNT_h3_errors) ==
		          1);
	} else if (!raw.closed) {
		/* Others on the connection are not concerned. */
		static struct bytes second;
		uint32_t heads = site.heads;
		int64_t id;

		second.len = 0;
		HEADERS(&second, GET);
		CU_ASSERT_EQUAL(plx_conn_open_stream(raw.c, true, &id), 0);
		raw_send(id, &second, true);
		run_for(100 * PLX_NS_PER_MS);
		CU_ASSERT_EQUAL(site.heads, heads + 1);
		CU_ASSERT_EQUAL(raw.closed, 0);
	}
	h3_pair_end(&w);
	site_fini(&site);
}

static void
send_all(bool fin)
{
	raw_send(raw.ctrl, &ctrl, false);
	raw_send(raw.qenc, &qenc, false);
	raw_send(raw.qdec, &qdec, false);
	if (req.len || fin)
		raw_send(raw.req, &req, fin);
}

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

static int
setup(void)
{
	site_init();
	return 0;
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
	        {"frames out of place end the connection (H1, H6 to H11, H14)",
	         test_frames},
	        {"QPACK errors end the connection (H12, H13, H15)", test_qpack},
	        {"a QPACK bomb costs no memory", test_qpack_bomb},
	        {"a request that waits for the encoder stream goes on", test_qpack_blocked},
	        {"one more blocked stream than announced", test_qpack_blocked_limit},
	        {"critical streams: one each, for ever", test_critical_streams},
	        {"requests that are reset leave nothing behind", test_aborts},
	        {"a flood of reserved frames ends the connection", test_glitches},
	        {"PRIORITY_UPDATE is understood", test_priority_update},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"h3 wire", setup, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
