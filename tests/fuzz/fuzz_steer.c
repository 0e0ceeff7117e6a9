/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams into steering. The input is a list:
 *
 *     +--------+--------+--------+------+----------------
 *     | kind   | slot   | gen    | len  | len bytes
 *     +--------+--------+--------+------+----------------
 *
 * kind bits 0..1: hops; 2: an ID of ours is put where the header has its destination ID;
 * 3: of the other worker; 4: it is a Retry's; 5: it is put in the table of first packets before.
 */
#include <stdlib.h>
#include <string.h>

#include "plx_steer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 16, WORKERS = 2, LIVE_GEN = 1 };

static struct plx_steer *st[WORKERS];

static void
make(void)
{
	for (unsigned w = 0; w < WORKERS; w++) {
		struct plx_steer_cfg cfg = {
		        .key = {1, 2, 3},
		        .hash_key = {4, 5, 6},
		        .epoch = 7,
		        .server_id = {0xa, 0xb},
		        .server_id_len = 2,
		        .worker = w,
		        .worker_cnt = WORKERS,
		        .slots = SLOTS,
		};
		void *mem = aligned_alloc(plx_steer_align(), plx_steer_footprint(&cfg));

		st[w] = mem != NULL ? plx_steer_init(mem, &cfg, NULL) : NULL;
		if (st[w] == NULL)
			abort();
		for (uint32_t i = 0; i < SLOTS; i += 2)
			plx_steer_set_gen(st[w], i, LIVE_GEN);
	}
}

/* Where the destination ID of a packet stands, and how much room there is for it. */
static size_t
room_for_id(uint8_t *p, size_t len, uint8_t **at)
{
	const size_t off = len > 0 && (p[0] & 0x80) != 0 ? 6 : 1;

	if (len <= off)
		return 0;
	*at = p + off;
	return len - off;
}

static void
check(const struct plx_dgram *dg, uint8_t hops)
{
	const bool drop = dg->verdict == PLX_VERDICT_DROP;

	if (dg->verdict == PLX_VERDICT_NONE || dg->verdict >= PLX_VERDICT_CNT ||
	    drop != (dg->drop != PLX_DROP_NONE) || dg->drop >= PLX_DROP_CNT)
		abort();
	if (dg->verdict == PLX_VERDICT_CONN && dg->slot >= SLOTS)
		abort();
	if (dg->verdict == PLX_VERDICT_OTHER && (dg->worker != 1 || hops >= 2))
		abort();
}

static void
one(uint8_t kind, uint8_t slot, uint8_t gen, const uint8_t *bytes, size_t len)
{
	uint8_t cid[PLX_CID_LEN], *at = NULL, *exact = malloc(len > 0 ? len : 1);
	struct plx_dgram dg = {.data = exact, .len = (uint16_t)len, .hops = kind & 3};
	struct plx_cid_info info;
	size_t room;

	if (exact == NULL)
		abort();
	memcpy(exact, bytes, len);
	room = room_for_id(exact, len, &at);
	if ((kind & 0x20) != 0 && room > 0) {
		size_t n = room < 20 ? room : 20;

		(void)plx_steer_first_add(st[0], at, n, slot % SLOTS);
		if (plx_steer_first_find(st[0], at, n) < 0)
			abort();
		plx_steer_burst(st[0], &dg, 1);
		plx_steer_first_del(st[0], at, n);
		dg.hops = kind & 3;
	}
	if ((kind & 4) != 0 && room >= PLX_CID_LEN) {
		plx_steer_make_cid(st[kind >> 3 & 1],
		                   kind & 0x10 ? PLX_CID_SLOT_RETRY : slot % SLOTS, gen, 3,
		                   cid);
		memcpy(at, cid, PLX_CID_LEN);
		if (at == exact + 6)
			exact[5] = PLX_CID_LEN;
	}
	plx_steer_burst(st[0], &dg, 1);
	check(&dg, kind & 3);
	(void)plx_steer_decode(st[0], exact, len, &info);
	free(exact);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;

	if (st[0] == NULL)
		make();
	while (end - data >= 4) {
		size_t len = data[3] < end - data - 4 ? data[3] : (size_t)(end - data - 4);

		one(data[0], data[1], data[2], data + 4, len);
		data += 4 + len;
	}
	return 0;
}
