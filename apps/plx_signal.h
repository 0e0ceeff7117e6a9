/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Signals: the first SIGINT or SIGTERM asks the program to end, a second one half a second
 * or more later ends it at once with code 130; SIGHUP sets a flag
 * for whoever reloads; SIGPIPE is ignored.
 *
 * Threads: one thread waits for signals, all others have them blocked; so no handler runs.
 * Memory:  inside the caller's struct.
 */
#ifndef PLX_SIGNAL_H
#define PLX_SIGNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <plx/defs.h>

/**
 * A second signal within this time is the first one again, ns: timeout(1) signals the process and
 * then its group, and a terminal's Ctrl-C arrives beside what a wrapper passes on. Longer would
 * make an impatient user press a third time.
 */
#define PLX_SIGNAL_SAME_NS (500 * PLX_NS_PER_MS)

struct plx_signal {
	_Atomic int got;     /**< first SIGINT or SIGTERM; 0 = none */
	_Atomic bool reload; /**< SIGHUP came; whoever reloads clears it */
	int fd; /**< eventfd, readable as soon as one of them came; for epoll */
	pthread_t thread;
	bool running;
	/** Empty directories, removed in this order when the process ends; "" = nothing. */
	char scrap_dir[3][256];
};

/** plx_signal_scrap() removes the directories of scrap_dir. Thread: any. */
void plx_signal_scrap(const struct plx_signal *s) PLX_ANY_THREAD;

/**
 * plx_signal_init() blocks the signals in the calling thread, and so in all that it makes, and
 * starts the thread; plx_signal_fini() ends it. Call init before any thread is made.
 *
 * @return 0 or PLX_E_IO
 * Thread: main. Owns: the caller. Errors: as returned; signals then end the process as usual.
 */
int plx_signal_init(struct plx_signal *s) PLX_ON_MAIN;
void plx_signal_fini(struct plx_signal *s) PLX_ON_MAIN;

/** plx_signal_got() says whether to end. Thread: any. */
static inline bool
plx_signal_got(struct plx_signal *s)
{
	return atomic_load_explicit(&s->got, memory_order_relaxed) != 0;
}

#endif
