/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_keylog.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Single producer (worker), single consumer (main); indexes run freely. */
struct plx_keylog_ring {
	PLX_CACHE_ALIGNED _Atomic uint32_t head; /* written by the worker */
	_Atomic uint64_t dropped;
	PLX_CACHE_ALIGNED _Atomic uint32_t tail; /* written by main */
	char line[PLX_KEYLOG_LINES][PLX_KEYLOG_LINE_SZ];
};

struct plx_keylog {
	int fd;
	uint16_t workers;
	uint64_t write_failed;
	struct plx_keylog_ring ring[];
};

int
plx_keylog_open(struct plx_keylog **out, const char *path, uint16_t workers)
{
	size_t sz = sizeof(struct plx_keylog) + workers * sizeof(struct plx_keylog_ring);
	struct plx_keylog *k;

	*out = NULL;
	sz = (sz + PLX_CACHE_LINE - 1) / PLX_CACHE_LINE * PLX_CACHE_LINE;
	k = aligned_alloc(PLX_CACHE_LINE, sz);
	if (k == NULL)
		return PLX_E_NOMEM;
	memset(k, 0, sz);
	k->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (k->fd < 0) {
		free(k);
		return PLX_E_IO;
	}
	k->workers = workers;
	*out = k;
	return 0;
}

struct plx_keylog_ring *
plx_keylog_ring_of(struct plx_keylog *k, uint16_t worker)
{
	return worker < k->workers ? &k->ring[worker] : NULL;
}

void
plx_keylog_put(void *arg, const char *line)
{
	struct plx_keylog_ring *r = arg;
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	size_t len = strlen(line);

	/* Pairs with the release store of tail in flush: the slot is free to be written. */
	if (head - atomic_load_explicit(&r->tail, memory_order_acquire) ==
	            PLX_KEYLOG_LINES ||
	    len + 2 > PLX_KEYLOG_LINE_SZ) {
		atomic_fetch_add_explicit(&r->dropped, 1, memory_order_relaxed);
		return;
	}
	memcpy(r->line[head % PLX_KEYLOG_LINES], line, len);
	memcpy(r->line[head % PLX_KEYLOG_LINES] + len, "\n", 2);
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
}

uint64_t
plx_keylog_flush(struct plx_keylog *k)
{
	uint64_t dropped = k->write_failed;

	for (uint16_t w = 0; w < k->workers; w++) {
		struct plx_keylog_ring *r = &k->ring[w];
		uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
		/* Pairs with the release store of head in put: the line is complete. */
		uint32_t head = atomic_load_explicit(&r->head, memory_order_acquire);

		for (; tail != head; tail++) {
			char *line = r->line[tail % PLX_KEYLOG_LINES];
			size_t len = strlen(line);

			if (write(k->fd, line, len) != (ssize_t)len)
				k->write_failed++;
			/* Secrets do not stay behind in memory. */
			explicit_bzero(line, len);
		}
		atomic_store_explicit(&r->tail, tail, memory_order_release);
		dropped += atomic_load_explicit(&r->dropped, memory_order_relaxed);
	}
	return dropped;
}

void
plx_keylog_close(struct plx_keylog *k)
{
	if (k == NULL)
		return;
	plx_keylog_flush(k);
	close(k->fd);
	free(k);
}
