/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Threads that open and read files, so that a slow disk stalls neither a worker nor an
 * application core.
 *
 * Threads: jobs are put by one application core and come back to it; workers of the pool run
 *          them in between.
 * Memory:  a job is embedded in the caller's object and belongs to the pool from put until it
 *          comes back, or for ever if plx_io_pool_free() says so.
 */
#ifndef PLX_SERVE_IO_H
#define PLX_SERVE_IO_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include <plx/attach.h>

enum plx_io_op {
	PLX_IO_OPEN = 0, /**< path below root -> fd, size */
	PLX_IO_READ,     /**< fd, off, buf, len -> done */
	PLX_IO_CLOSE,    /**< fd; the job is freed with free(), it does not come back */
};

struct plx_io_job {
	struct plx_io_job *next;
	struct plx_io_client *client;
	uint8_t op;    /**< enum plx_io_op */
	int err;       /**< [out] 0 or errno */
	int fd;        /**< OPEN: [out] */
	uint64_t off;  /**< READ: bytes from the start */
	uint64_t size; /**< OPEN: [out] bytes of the file */
	uint8_t *buf;  /**< READ */
	size_t len;    /**< READ: bytes wanted */
	size_t done;   /**< READ: [out] bytes read; below len only at the end of the file */
	char path[1024]; /**< OPEN: relative to root, terminated */
};

struct plx_io_pool;

/** Where finished jobs go: one per application core. */
struct plx_io_client {
	pthread_mutex_t lock;
	struct plx_io_job *head, *tail; /**< finished, under lock */
	struct plx_attach *wake;        /**< is woken when a job finishes */
};

/**
 * plx_io_pool_new() starts threads that serve files below root (NULL: no files, only a pool).
 *
 * @param threads  1..64
 * @return 0; PLX_E_INVAL root is no directory; PLX_E_IO root cannot be opened (errno);
 *         PLX_E_NOMEM
 * Thread: main. Owns: caller frees. Errors: as returned.
 */
int plx_io_pool_new(struct plx_io_pool **out, const char *root, unsigned threads)
        PLX_ON_MAIN;

/**
 * plx_io_pool_free() ends the threads; jobs in hand get wait_ms together to finish.
 *
 * @param p  NULL is allowed
 * @return 0; PLX_E_TIMEOUT a disk does not answer. What hangs is left to itself then: its jobs
 *         do not come back, nobody is woken any more, and objects that jobs lie in or read into
 *         must stay until the process ends. The pool frees itself if the disk answers after all.
 * Thread: main, when no client puts jobs any more. Owns: nothing. Errors: as returned.
 */
int plx_io_pool_free(struct plx_io_pool *p, uint32_t wait_ms) PLX_ON_MAIN;

void plx_io_client_init(struct plx_io_client *c, struct plx_attach *wake) PLX_ON_APP;
void plx_io_client_fini(struct plx_io_client *c) PLX_ON_APP;

/** plx_io_put() gives a job to the pool; never blocks on the disk. Thread: the client's. */
void plx_io_put(struct plx_io_pool *p, struct plx_io_job *j) PLX_ON_APP;

/** plx_io_take() takes all finished jobs, linked by next. Thread: the client's. */
struct plx_io_job *plx_io_take(struct plx_io_client *c) PLX_ON_APP;

#endif
