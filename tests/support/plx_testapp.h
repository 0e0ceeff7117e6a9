/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * An inline application for tests and measurements: each stream of the client begins with how
 * many bytes go up and how many come down, both sides send a pattern and compare what arrives.
 *
 * Threads: one, the endpoint's.
 * Memory:  one block per connection; nothing is allocated while data flows.
 *
 *     client stream:  up (8) | down (8) | up bytes of pattern | FIN
 *     server answer:                      down bytes of pattern | FIN
 */
#ifndef PLX_TESTAPP_H
#define PLX_TESTAPP_H

#include <plx/app.h>

/** What an instance does and what it saw. One per endpoint and role. */
struct plx_testapp {
	/* Set by the test. */
	uint64_t up, down;    /**< client: bytes per stream */
	uint32_t streams;     /**< client: streams per connection */
	bool close_when_done; /**< client: close with close_code after the last stream */
	uint64_t close_code;
	const char *close_reason;
	bool blind;  /**< do not compare what arrives: for measurements */
	bool hold;   /**< do not consume: keep flow-control credit */
	bool refuse; /**< refuse every connection */
	void (*on_up)(struct plx_conn *c); /**< called when a connection is established */
	void (*on_over)(const struct plx_conn *c); /**< called when it ended */
	/* Seen. */
	uint64_t established, closed, failed;
	uint64_t streams_done, rx_bytes, mismatches;
	uint64_t resets, datagrams, stops;
	uint64_t stop_code;        /**< of the last STOP_SENDING */
	struct plx_close_info why; /**< of the last connection that ended */
	struct plx_conn_info info; /**< of the last connection, when it was established */
	struct plx_conn *conn;     /**< last one established, NULL when closed */
};

/** Register with a struct plx_testapp as argument, once for each role. */
extern const struct plx_app plx_testapp_server, plx_testapp_client;

/** plx_testapp_failed() counts; give it as on_failed with the instance as argument. */
void plx_testapp_failed(void *arg, uint64_t user, const struct plx_close_info *why);

#endif
