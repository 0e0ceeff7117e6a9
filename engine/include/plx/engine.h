/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The engine: ports, workers, attachments, and their life.
 *
 * Threads: made, started, stopped and freed by the control thread.
 * Memory:  the engine owns its ports and workers. It never calls rte_eal_init(), exit() or
 *          signal(): the program that hosts it does.
 *
 *   1. plx_engine_new()             after rte_eal_init()
 *   2. plx_engine_attach_port() …   or ports named in the configuration
 *   3. plx_app_attach() …           application cores
 *   4. plx_engine_start()           workers run on their lcores
 *   5. plx_engine_poll()            about every 100 ms from the control thread
 *   6. plx_engine_drain(), plx_engine_stop(), plx_engine_free()
 */
#ifndef PLX_ENGINE_H
#define PLX_ENGINE_H

#include <plx/err.h>
#include <plx/types.h>
#include <plx/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct plx_engine;

/** "0.1.0" of the library that runs; compare with PLX_VERSION of the headers. */
PLX_API const char *plx_version(void) PLX_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
