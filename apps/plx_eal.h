/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * EAL of this process: arguments from configuration and machine, start, the ports, end.
 *
 * Threads: the control thread, which becomes EAL's main lcore.
 * Memory:  one struct on the heap while EAL is up.
 *
 * What a run gets:
 *
 *   hugepages are free      --in-memory                        no files, no secondaries
 *   … and in_memory: false  (neither)                          secondaries can attach
 *   none are free           --no-huge --no-shconf -m <needed>
 *   always                  --iova-mode=va, --file-prefix of its own, --no-telemetry unless
 *                           asked for, --no-pci unless a PCI device is named
 *
 * --no-huge and --in-memory never meet: EAL refuses the pair. Arguments typed first
 * (pollux -l 0-3 -- serve) are used untouched, nothing is added. A port of the configuration that
 * names no device is then the port of the same number that EAL made.
 *
 * What DPDK logs is kept back and quoted when it fails, so that a failure is one sentence; with
 * log.level debug, or arguments of the second style, it goes to stderr as it comes.
 */
#ifndef PLX_EAL_H
#define PLX_EAL_H

#include "plx_apps.h"

/** What the subcommand is going to use. */
struct plx_eal_want {
	uint32_t lcore_cnt; /**< with the main lcore, 1..PLX_WORKERS_MAX + 1 */
	uint32_t memory_mb; /**< packet pools and rings, MiB */
};

/** What plx_eal_args() looks at; plx_eal_host() finds it out. */
struct plx_eal_host {
	char cpus[512];        /**< processors this process may use, "0-3,8" */
	uint32_t cpu_cnt;      /**< how many */
	uint64_t huge_free_mb; /**< free hugepages of all sizes, MiB */
	uint64_t mem_free_mb;  /**< ordinary memory that can be had, MiB; 0 = unknown */
	long pid;
};

void plx_eal_host(struct plx_eal_host *h) PLX_ON_MAIN;

/** plx_eal_has_cap() says whether this process has a capability (CAP_NET_RAW …). Thread: main. */
bool plx_eal_has_cap(unsigned cap) PLX_ON_MAIN;

/**
 * plx_eal_args() makes the argument vector, name of the program included; pure.
 *
 * @param out  all zero; cleared by the caller
 * @return 0; PLX_E_CONFIG contradiction, PLX_E_NOMEM memory_mb below what is needed (or of the
 *         heap): both with a sentence
 * Thread: any. Owns: out is the caller's. Errors: as returned.
 */
int plx_eal_args(const struct plx_config *c, const struct plx_strv *extra,
                 const struct plx_eal_want *want, const struct plx_eal_host *host,
                 struct plx_strv *out, struct plx_errtext *err) PLX_ANY_THREAD;

/**
 * plx_eal_start() brings EAL up; plx_eal_stop() closes it and removes the runtime directory. Stop
 * is due on every path after a start that returned PLX_EXIT_OK; main calls it too, twice is fine.
 *
 * @return PLX_EXIT_OK, PLX_EXIT_USAGE, PLX_EXIT_DEVICE; the sentence has been printed
 * Thread: main. Owns: ctx->eal. Errors: as returned; nothing is left behind then.
 */
int plx_eal_start(struct plx_app_ctx *ctx, const struct plx_eal_want *want) PLX_ON_MAIN;
void plx_eal_stop(struct plx_app_ctx *ctx) PLX_ON_MAIN;

#endif
