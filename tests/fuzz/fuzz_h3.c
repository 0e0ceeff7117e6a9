/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes as data of several streams into an HTTP/3 server. The input is a list of operations:
 *
 *     +--------+--------+----------------
 *     | op     | len    | len bytes          op bits 0..2: stream, 3..4: what, 5: write turn
 *     +--------+--------+----------------
 *
 * After each input all memory must be back, and no credit returned that was never given.
 */
#define SITE_MAX 16
#include "h3_site.h"
#include "plx_conn_mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct plx_slab *slab;
static struct site site;
static struct plx_conn conn;

static int64_t
stream_of(unsigned op)
{
	/* Three unidirectional ones that begin with their type, a fourth, four requests. */
	static const int64_t id[8] = {2, 6, 10, 14, 0, 4, 8, 12};

	return id[op & 7];
}

static const uint8_t *
run_op(const uint8_t *p, const uint8_t *end)
{
	unsigned op = p[0];
	size_t len = p[1];
	int64_t id = stream_of(op);
	struct mem_stream *s = mem_find(&conn, id);

	p += 2;
	if (len > (size_t)(end - p))
		len = (size_t)(end - p);
	if (!s || !s->rx_done) {
		switch (op >> 3 & 3) {
		case 0:
		case 1:
			mem_deliver(&conn, id, p, len, op >> 3 & 1);
			break;
		case 2:
			mem_reset(&conn, id, 0x10c);
			break;
		default:
			mem_stop(&conn, id, 0x10c);
			break;
		}
	}
	if (op & 0x20)
		mem_turn(&conn);
	return p + len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct plx_h3_cfg cfg;
	struct plx_slab_cfg sc = {.limit = 64 << 20, .node = -1};
	struct plx_slab_stats before, after;
	const uint8_t *end = data + size;
	uint64_t seen = 0;

	if (!slab) {
		site_init();
		if (plx_slab_new(&slab, &sc))
			abort();
	}
	cfg = (struct plx_h3_cfg){.app = &site_app, .arg = &site, .slab = slab};
	plx_slab_get_stats(slab, &before);
	mem_init(&conn, true, &plx_h3_inline, &cfg);
	while (end - data >= 2 && !conn.closing) {
		/* A stream id is used once: what is closed stays closed. */
		struct mem_stream *s = mem_find(&conn, stream_of(data[0]));

		if (!s && seen >> (data[0] & 7) & 1) {
			data += 2;
			continue;
		}
		seen |= 1u << (data[0] & 7);
		data = run_op(data, end);
	}
	mem_turn(&conn);
	mem_fini(&conn);
	site_fini(&site);
	plx_slab_get_stats(slab, &after);
	if (after.used != before.used || conn.over)
		abort();
	return 0;
}
