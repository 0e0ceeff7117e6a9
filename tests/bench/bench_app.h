/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The inline application of the bulk measurements, ALPN "perf": the client sends on one stream
 * per connection without end, the server takes what comes and returns the credit at once.
 *
 * Threads: one instance per endpoint, used by the endpoint's thread.
 * Memory:  one block per connection; what is sent is one static buffer that is never copied on
 *          this side, what is received is looked at by nobody. Costs are thus the engine's.
 */
#ifndef BENCH_APP_H
#define BENCH_APP_H

#include <plx/app.h>

#define BENCH_ALPN "perf"

struct bench_sender;

/** An instance and what it saw. One per endpoint; all zero to begin with. */
struct bench_app {
	bool hold; /**< senders wait for bench_app_go() */
	struct bench_sender *all;
	uint64_t tx_bytes, rx_bytes; /**< stream bytes */
	uint32_t established, closed;
};

/** Register with a struct bench_app as argument. */
extern const struct plx_app bench_app_server, bench_app_client;

/** bench_app_go() lets all senders of an instance begin. Thread: the endpoint's. */
void bench_app_go(struct bench_app *a);

#endif
