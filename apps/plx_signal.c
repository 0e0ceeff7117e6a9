/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_signal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <plx/err.h>

static void
watched(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

static void
wake(const struct plx_signal *s)
{
	uint64_t one = 1;
	ssize_t n = write(s->fd, &one, sizeof(one));

	/* A full counter is readable as well. */
	(void)n;
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

void
plx_signal_scrap(const struct plx_signal *s)
{
	for (unsigned i = 0; i < sizeof(s->scrap_dir) / sizeof(s->scrap_dir[0]); i++)
		if (s->scrap_dir[i][0] != '\0')
			rmdir(s->scrap_dir[i]);
}

static void *
wait_for_signals(void *arg)
{
	struct plx_signal *s = arg;
	uint64_t first_ns = 0;
	sigset_t set;
	int sig;

	watched(&set);
	while (sigwait(&set, &sig) == 0) {
		if (sig == SIGHUP) {
			atomic_store_explicit(&s->reload, true, memory_order_relaxed);
		} else if (plx_signal_got(s)) {
			if (now_ns() - first_ns < PLX_SIGNAL_SAME_NS)
				continue;
			plx_signal_scrap(s);
			_exit(130);
		} else {
			first_ns = now_ns();
			atomic_store_explicit(&s->got, sig, memory_order_relaxed);
		}
		wake(s);
	}
	return NULL;
}

int
plx_signal_init(struct plx_signal *s)
{
	sigset_t set;

	memset(s, 0, sizeof(*s));
	signal(SIGPIPE, SIG_IGN);
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->fd < 0)
		return PLX_E_IO;
	watched(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pthread_create(&s->thread, NULL, wait_for_signals, s) != 0) {
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		close(s->fd);
		s->fd = -1;
		return PLX_E_IO;
	}
	s->running = true;
	return 0;
}

void
plx_signal_fini(struct plx_signal *s)
{
	if (!s->running)
		return;
	/* sigwait() is where the thread can be cancelled. */
	pthread_cancel(s->thread);
	pthread_join(s->thread, NULL);
	close(s->fd);
	s->running = false;
}
