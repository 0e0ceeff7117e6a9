/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * What an engine counted, for people: counters that are not 0, per worker where it matters, and
 * every drop with its reason.
 *
 * Threads: main.
 */
#ifndef PLX_SUMMARY_H
#define PLX_SUMMARY_H

#include "plx_ctl.h"

/** plx_summary_print() writes the lines. Errors: those of f. */
void plx_summary_print(const struct plx_ctl *c, const char *title, FILE *f) PLX_ON_MAIN;

#endif
