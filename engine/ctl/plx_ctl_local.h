/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Two engines in one process: the wire between them and a certificate made on the spot. For
 * `pollux demo`.
 *
 * Threads: main.
 * Memory:  see the functions.
 */
#ifndef PLX_CTL_LOCAL_H
#define PLX_CTL_LOCAL_H

#include <plx/err.h>

struct plx_pio;
struct plx_ctl_wire;

/**
 * plx_ctl_wire_open() makes the in-process wire between two ports, without impairments and
 * without checksums (no byte is ever changed on it).
 * @param queues  per port, 1..16
 * @return 0 or enum plx_err
 * Thread: main, after rte_eal_init(). Owns: caller closes, after both engines. Errors: as returned.
 */
int plx_ctl_wire_open(struct plx_ctl_wire **out, uint16_t queues, uint64_t seed)
        PLX_ON_MAIN;
/** One end, to be taken once: struct plx_ctl_opts.pio. */
struct plx_pio *plx_ctl_wire_port(struct plx_ctl_wire *w, uint16_t end) PLX_ON_MAIN;
void plx_ctl_wire_close(struct plx_ctl_wire *w) PLX_ON_MAIN;
/**
 * plx_ctl_wire_drops() sums what the wire lost, calling fn for each reason that is not 0; as
 * plx_ctl_drops() for an engine. Thread: any. Owns: nothing. Errors: none.
 */
uint64_t plx_ctl_wire_drops(const struct plx_ctl_wire *w,
                            void (*fn)(void *arg, const char *name, const char *text,
                                       uint64_t n),
                            void *arg) PLX_ANY_THREAD;
/** EAL memory of the wire, MiB. Thread: any. */
uint32_t plx_ctl_wire_mem_mb(uint16_t queues) PLX_ANY_THREAD;

/** A certificate for one run; ca_file names a file that vanishes with the process. */
struct plx_ctl_cert {
	char *cert_pem, *key_pem;
	char ca_file[32];
	int fd;
};

int plx_ctl_cert_make(struct plx_ctl_cert *c, const char *name) PLX_ON_MAIN;
void plx_ctl_cert_free(struct plx_ctl_cert *c) PLX_ON_MAIN;

#endif
