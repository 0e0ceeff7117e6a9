/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Raw streams for application cores: an inline application that publishes PLX_EV_STREAM_* and
 * carries out PLX_CMD_STREAM_*.
 *
 * Path:    nic -> net -> steer -> quic -> [stream] -> app
 * Threads: the worker.
 * Memory:  stream objects from the worker's slab; data in plx_rbufpool buffers. When no buffer
 *          is free, bytes that ngtcp2 already handed over go to slab memory bounded by the
 *          credit given out; credit is not returned until buffers are.
 * Spec:    rows S1-25 .. S1-37, S1-52 .. S1-56
 */
#ifndef PLX_RAWAPP_H
#define PLX_RAWAPP_H

#include "plx_ringapp.h"

/** Register as struct plx_proto.app with a struct plx_ringapp_cfg as arg. */
extern const struct plx_app plx_raw_ring;

#endif
