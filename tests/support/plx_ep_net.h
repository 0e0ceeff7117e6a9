/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Two sans-IO endpoints in one thread and in virtual time, joined by a link with a delay. Packets
 * are ferried, events are written into a log of each side unless a test takes them itself.
 *
 * Threads: one.
 * Memory:  the heap; ep_net_free() gives everything back.
 */
#ifndef PLX_EP_NET_H
#define PLX_EP_NET_H

#include <plx/endpoint.h>

enum { SRV = 0, CLI = 1, SIDES = 2 };

#define EP_LOG_MAX  4096
#define EP_DATA_MAX 64

#define MS  PLX_NS_PER_MS
#define SEC PLX_NS_PER_S

/** An event with a copy of the first bytes of its datagram. */
struct ep_logged {
	struct plx_endpoint_event ev;
	uint8_t data[EP_DATA_MAX];
};

struct ep_log {
	uint32_t cnt;
	struct ep_logged e[EP_LOG_MAX];
};

struct ep_flight;

/** A datagram that one side has sent. */
struct ep_dgram {
	int from;
	uint32_t len;
	uint8_t *data;         /**< room for 1500 bytes */
	struct plx_path *path; /**< as the sender sees it */
	uint8_t ecn;
};

/** Sees a datagram before it is under way and may change it; false: it is lost. */
typedef bool (*ep_tap_fn)(void *arg, struct ep_dgram *d);

struct ep_net {
	struct plx_endpoint_cfg cfg[SIDES]; /**< change before ep_net_start() */
	struct plx_endpoint_server server;
	struct plx_endpoint_client client;
	struct plx_endpoint *ep[SIDES];
	struct plx_addr addr[SIDES];
	struct ep_log log[SIDES];
	bool own_events[SIDES]; /**< the test polls events itself */
	bool hold[SIDES];       /**< packets stay in the send queue */
	bool no_timers[SIDES];  /**< timers are not fired */
	uint64_t now, delay_ns;
	ep_tap_fn tap;
	void *tap_arg;
	struct ep_flight *flight;
	uint32_t flight_cnt, flight_cap;
	uint64_t seq;
	uint64_t sent[SIDES];           /**< datagrams */
	uint64_t sent_pkts[SIDES];      /**< entries of the send queue */
	uint64_t segmented[SIDES];      /**< of these, with a segment size */
	struct plx_conn_id conn[SIDES]; /**< of ep_net_up() */
	char *cert, *key, *ca_file;
};

/** ep_net_init() prepares settings: seeded, no verification. ep_net_start() makes endpoints. */
void ep_net_init(struct ep_net *n, const char *server_name);
void ep_net_start(struct ep_net *n);
void ep_net_free(struct ep_net *n);

/** Makes, starts, connects and waits until both sides are established. */
struct ep_net *ep_net_new(void);  /**< prepared, not started */
void ep_net_up(struct ep_net *n); /**< started (if it was not) and connected */

struct plx_conn_id ep_net_connect(struct ep_net *n, const char *name);

/** Takes packets, delivers what is due, fires timers. @return something happened */
bool ep_net_step(struct ep_net *n);
/** Steps until the condition holds. @return false: limit_ns passed before */
bool ep_net_run(struct ep_net *n, bool (*until)(struct ep_net *n), uint64_t limit_ns);
/** Steps for a time. */
void ep_net_for(struct ep_net *n, uint64_t ns);
/** Puts bytes under way to a side. */
void ep_net_inject(struct ep_net *n, int to, const struct plx_path *path,
                   const uint8_t *data, uint32_t len);

/** Events of a type in a log; the last of them; the index of the first (UINT32_MAX none). */
uint32_t ep_cnt(struct ep_net *n, int side, enum plx_endpoint_ev type);
const struct ep_logged *ep_last(struct ep_net *n, int side, enum plx_endpoint_ev type);
uint32_t ep_first(struct ep_net *n, int side, enum plx_endpoint_ev type);
void ep_forget(struct ep_net *n); /**< empties both logs */

/** Waits for an event of a type that is not in the log yet. */
bool ep_wait(struct ep_net *n, int side, enum plx_endpoint_ev type, uint64_t limit_ns);

/** Reads all that is there; @return bytes, *fin as of the last call, *rc its last result */
size_t ep_read(struct ep_net *n, int side, int64_t stream, uint8_t *buf, size_t cap,
               bool *fin, int64_t *rc);

/** Sends a text, with or without the end; packets go out. */
void ep_say(struct ep_net *n, int side, int64_t stream, const char *text, bool fin);

#endif
