/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Header lists for commands, made in one heap block (see struct plx_h3_msg).
 *
 * Threads: any. Memory: the block belongs to the caller until plx_cmd_put() took it.
 */
#ifndef PLX_H3MSG_H
#define PLX_H3MSG_H

#include <plx/event.h>

/** A field as two terminated strings. */
struct plx_h3_pair {
	const char *name; /**< lower case */
	const char *value;
};

/** plx_h3_msg_make() copies cnt fields. @return block for free(), NULL without memory */
struct plx_h3_msg *plx_h3_msg_make(const struct plx_h3_pair *f, uint16_t cnt)
        PLX_ANY_THREAD;

/** plx_h3_find() finds a field by its name. @return NULL when the list has none */
const struct plx_h3_field *plx_h3_find(const struct plx_h3_head *h, const char *name)
        PLX_ANY_THREAD;

/** plx_h3_is() compares the value of a field (may be NULL) with a string. */
bool plx_h3_is(const struct plx_h3_field *f, const char *value) PLX_ANY_THREAD;

#endif
