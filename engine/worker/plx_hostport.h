/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The port of a host program: frames are given to it and taken from it, per queue.
 *
 * Path:    [nic] -> net -> steer -> quic -> stream -> app
 * Threads: queue q by the thread that turns worker q; plx_hostport_set_link() by any.
 * Memory:  plx_hostport_new() makes everything; frames that nobody took are freed by close.
 */
#ifndef PLX_HOSTPORT_H
#define PLX_HOSTPORT_H

#include <plx/embed.h>

#include "plx_pio.h"

/**
 * plx_hostport_new() makes the port; ops->close frees it.
 * @return 0, PLX_E_INVAL, PLX_E_NOMEM
 * Thread: main. Owns: caller closes. Errors: as returned.
 */
int plx_hostport_new(struct plx_pio **out, const struct plx_embed_port *cfg,
                     uint16_t queues) PLX_ON_MAIN;

/**
 * plx_hostport_give() offers frames to the next rx_burst of the queue, which takes them all.
 * @param m    stays where it is until then
 * @param cnt  0..PLX_BURST_MAX
 */
void plx_hostport_give(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m, uint16_t cnt)
        PLX_ON_WORKER;

/** plx_hostport_take() gives frames that tx_burst took. @return 0..cnt */
uint16_t plx_hostport_take(struct plx_pio *p, uint16_t queue, struct rte_mbuf **m,
                           uint16_t cnt) PLX_ON_WORKER;

void plx_hostport_set_link(struct plx_pio *p, bool up) PLX_ANY_THREAD;

#endif
