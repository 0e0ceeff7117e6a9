/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Result files, schema "pollux-result/1": what ran, where, and with which numbers.
 *
 *   {
 *     "schema": "pollux-result/1",
 *     "run":    { command, argv[], config_sha256, started (UTC), duration_s, exit_code,
 *                 interrupted },
 *     "env":    { pollux, build, libraries{}, cpu, cpus, kernel, hugepages_free_mb },
 *     …         what the subcommand adds: "totals", "latency", "loss", "validity"
 *   }
 *
 * Threads: the control thread.
 * Memory:  jansson's, by reference counts.
 */
#ifndef PLX_RESULT_H
#define PLX_RESULT_H

#include <jansson.h>

#include "plx_apps.h"
#include "plx_ctl_host.h"

/**
 * plx_result_new() makes the object with run and env; call it when the run begins.
 * @return the object, NULL without memory
 * Thread: main. Owns: the caller, json_decref().
 */
json_t *plx_result_new(const struct plx_app_ctx *ctx) PLX_ON_MAIN;

/**
 * plx_result_hist() gives { count, mean_ns, min_ns, max_ns, p50_ns, p90_ns, p99_ns, p999_ns }.
 * @return a new reference, NULL without memory
 * Thread: main. Owns: the caller, or the object it is put into with json_object_set_new().
 */
json_t *plx_result_hist(const struct plx_hist *h) PLX_ON_MAIN;

/**
 * plx_result_check() says before a run whether its result file can be written, so that nobody
 * waits for numbers that are lost then.
 *
 * @return 0 (also when telemetry.result is empty); PLX_E_IO, errno says why
 * Thread: main. Owns: nothing; no file is left. Errors: as returned, without a sentence.
 */
int plx_result_check(const struct plx_app_ctx *ctx) PLX_ON_MAIN;

/**
 * plx_result_write() completes run and writes the file of telemetry.result, or nothing when the
 * key is empty. The file appears whole or not at all.
 *
 * @param exit_code  of the run
 * @return 0; PLX_E_IO after a sentence on stderr
 * Thread: main. Owns: root stays the caller's. Errors: as returned.
 */
int plx_result_write(struct plx_app_ctx *ctx, json_t *root, enum plx_exit exit_code)
        PLX_ON_MAIN;

#endif
