/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * pollux doctor: each check looks at one thing of this machine and says OK, WARN or FAIL with
 * the command that fixes it. It changes nothing and starts nothing.
 *
 *   FAIL  pollux cannot run as configured
 *   WARN  it runs, slower or with less
 *
 * Threads: the control thread.
 * Memory:  findings are printed as they come, or gathered as JSON.
 */
#ifndef PLX_DOCTOR_H
#define PLX_DOCTOR_H

#include <jansson.h>

#include "plx_apps.h"
#include "plx_files.h"

struct plx_doctor {
	struct plx_app_ctx *ctx;
	json_t *list; /**< NULL: print */
	unsigned cnt[3];
};

/**
 * plx_doctor_say() reports a finding; fix is "" for OK.
 * Thread: main. Owns: nothing. Errors: none.
 */
void plx_doctor_say(struct plx_doctor *d, enum plx_verdict v, const char *topic,
                    const char *fix, const char *fmt, ...) PLX_PRINTF(5, 6) PLX_ON_MAIN;

/** plx_doctor_read() reads the first line of a small file, "" when it cannot. */
const char *plx_doctor_read(const char *path, char *buf, size_t sz) PLX_ON_MAIN;

/** The checks, in the order of the report. */
void plx_doctor_versions(struct plx_doctor *d) PLX_ON_MAIN;
void plx_doctor_cpu(struct plx_doctor *d) PLX_ON_MAIN;
void plx_doctor_clock(struct plx_doctor *d) PLX_ON_MAIN;
void plx_doctor_cores(struct plx_doctor *d) PLX_ON_MAIN;
void plx_doctor_numa(struct plx_doctor *d) PLX_ON_MAIN;
void plx_doctor_memory(struct plx_doctor *d) PLX_ON_MAIN;
void plx_doctor_rights(struct plx_doctor *d) PLX_ON_MAIN;
void plx_doctor_runtime_dir(struct plx_doctor *d) PLX_ON_MAIN;
void plx_doctor_iommu(struct plx_doctor *d) PLX_ON_MAIN;
void plx_doctor_drivers(struct plx_doctor *d) PLX_ON_MAIN;
void plx_doctor_ports(struct plx_doctor *d) PLX_ON_MAIN;

#endif
