/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plx_ctl.h"
#include "plx_engine_int.h"

/*
 * What a configuration may take at most, and what there is. Arenas are mapped on demand: one that
 * is larger than the machine starts well and ends in the middle of the first busy day, so it is
 * refused at once.
 */

/*
 * A connection: its share of the slab (slab_limit of plx_quic.h), its slot, and its places in the
 * heap of deadlines, the table of reset tokens and steering.
 */
#define CONN_SZ (UINT64_C(50) << 10)
/** Receive buffers for application cores, of each worker. */
#define RBUF_SZ (UINT64_C(16) << 20)

uint64_t
plx_ctl_conns_mb(const struct plx_config *cfg)
{
	uint64_t sz = cfg->quic.max_conns * CONN_SZ + RBUF_SZ;

	return (cfg->workers.count * sz + (1 << 20) - 1) >> 20;
}

/* A number of bytes in a file, UINT64_MAX: none ("max"), or no such file. */
static uint64_t
limit_in(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long long v;
	bool ok;

	if (f == NULL)
		return UINT64_MAX;
	ok = fscanf(f, "%llu", &v) == 1;
	fclose(f);
	return ok ? v : UINT64_MAX;
}

/* What the control group of this process may use: version 2, then 1. */
static uint64_t
group_limit(void)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	uint64_t least = limit_in("/sys/fs/cgroup/memory/memory.limit_in_bytes");
	char line[512], path[640];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		uint64_t v;

		if (strncmp(line, "0::", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", line + 3);
		v = limit_in(path);
		least = v < least ? v : least;
	}
	if (f != NULL)
		fclose(f);
	return least;
}

uint64_t
plx_ctl_machine_mb(void)
{
	uint64_t sz = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t limit = group_limit();

	return (limit < sz ? limit : sz) >> 20;
}

int
plx_ctl_check_mem(const struct plx_config *cfg, uint32_t packet_mb, char *err,
                  size_t err_sz)
{
	const uint64_t need = plx_ctl_conns_mb(cfg), have = plx_ctl_machine_mb();
	const uint64_t other = packet_mb + ((cfg->workers.count * RBUF_SZ) >> 20);
	uint64_t fits;

	if (need + packet_mb <= have)
		return 0;
	fits = have > other ? ((have - other) << 20) / CONN_SZ / cfg->workers.count : 0;
	if (fits > 0)
		snprintf(err, err_sz,
		         "quic.max_conns: %" PRIu32 " connections on %" PRIu32
		         " worker%s may take %" PRIu64 " MiB, and this machine has %" PRIu64
		         " MiB; set it to %" PRIu64 " or less",
		         cfg->quic.max_conns, cfg->workers.count,
		         cfg->workers.count == 1 ? "" : "s", need, have, fits);
	else
		snprintf(err, err_sz,
		         "workers.count: buffers for %" PRIu32 " workers take %" PRIu64
		         " MiB, and this machine has %" PRIu64 " MiB; use fewer",
		         cfg->workers.count, other, have);
	return PLX_E_NOMEM;
}
