/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame into the parser: trust bits in the first byte, the frame behind it. Both libFuzzer and
 * the replaying main give a block of exact size, so a read behind the frame is a report.
 */
#include "net_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct plx_net_pkt *k, const uint8_t *frame, size_t len)
{
	struct plx_path path;

	if (k->kind > PLX_NET_KIND_ICMP6 || k->drop >= PLX_DROP_CNT ||
	    (k->kind == PLX_NET_KIND_DROP) != (k->drop != PLX_DROP_NONE))
		abort();
	if (k->kind == PLX_NET_KIND_DROP)
		return;
	if ((size_t)k->l2_len + k->l3_len + k->l4_len > len)
		abort();
	if (k->kind != PLX_NET_KIND_DGRAM)
		return;
	plx_net_parse_path(frame, k, &path);
	if (k->l4_len <= PLX_UDP_HLEN || path.local.family != path.remote.family)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct plx_net_rule rule[2];
	static bool made;
	struct plx_net_pkt k;

	if (!made) {
		struct plx_net_cfg cfg = rig_cfg(1);

		if (plx_net_rule_init(&rule[0], &cfg, 1500) != 0)
			abort();
		cfg.ip4_options = true;
		if (plx_net_rule_init(&rule[1], &cfg, 1500) != 0)
			abort();
		made = true;
	}
	if (size == 0)
		return 0;
	memset(&k, 0xee, sizeof(k));
	plx_net_parse(&rule[data[0] >> 7], data + 1, size - 1, data[0] & 7, &k);
	check(&k, data + 1, size - 1);
	return 0;
}
