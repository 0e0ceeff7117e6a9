/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * What programs above the engine need of its lower folders: the log, the latency histogram, and
 * what is wrong with a kernel device before a port uses it.
 *
 * Threads: see the headers.
 */
#ifndef PLX_CTL_HOST_H
#define PLX_CTL_HOST_H

#include "plx_ethdev.h"
#include "plx_hist.h"
#include "plx_log.h"

#endif
