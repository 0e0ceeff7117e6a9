/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_serve_io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 64

struct plx_io_pool {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct plx_io_job *head, *tail; /* waiting, under lock */
	bool stop;
	bool left;            /* under lock: nobody waits any more, clients may be gone */
	unsigned running;     /* under lock: threads that have not ended */
	pthread_cond_t ended; /* running became 0 */
	int root_fd;          /* -1: serves no files */
	unsigned thread_cnt;
	pthread_t thread[THREADS_MAX];
};

/*
 * The kernel itself keeps the path below root: no "..", symbolic link or mount of /proc leads
 * out, whatever the peer asked for.
 */
static int
open_beneath(int root_fd, const char *path)
{
	struct open_how how = {
	        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, root_fd, path[0] == '\0' ? "." : path, &how,
	                    sizeof(how));
}

static void
do_open(struct plx_io_pool *p, struct plx_io_job *j)
{
	struct stat st;

	j->fd = p->root_fd < 0 ? -1 : open_beneath(p->root_fd, j->path);
	if (j->fd < 0) {
		j->err = p->root_fd < 0 ? ENOENT : errno;
		return;
	}
	if (fstat(j->fd, &st) != 0)
		j->err = errno;
	else if (!S_ISREG(st.st_mode))
		j->err = S_ISDIR(st.st_mode) ? EISDIR : EACCES;
	if (j->err != 0) {
		close(j->fd);
		j->fd = -1;
		return;
	}
	j->size = (uint64_t)st.st_size;
}

static void
do_read(struct plx_io_job *j)
{
	j->done = 0;
	while (j->done < j->len) {
		ssize_t n = pread(j->fd, j->buf + j->done, j->len - j->done,
		                  (off_t)(j->off + j->done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			j->err = errno;
			return;
		}
		if (n == 0)
			return; /* the file became shorter: the caller sees done < len */
		j->done += (size_t)n;
	}
}

static void
finish(struct plx_io_pool *p, struct plx_io_job *j)
{
	struct plx_io_client *c = j->client;

	pthread_mutex_lock(&p->lock);
	if (p->left) {
		pthread_mutex_unlock(&p->lock);
		return;
	}
	pthread_mutex_lock(&c->lock);
	j->next = NULL;
	if (c->tail != NULL)
		c->tail->next = j;
	else
		c->head = j;
	c->tail = j;
	pthread_mutex_unlock(&c->lock);
	plx_events_wake(c->wake);
	pthread_mutex_unlock(&p->lock);
}

static void
discard(struct plx_io_pool *p)
{
	if (p->root_fd >= 0)
		close(p->root_fd);
	pthread_cond_destroy(&p->ended);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* The last thread of a pool that was left to itself takes it along. */
static void
end_thread(struct plx_io_pool *p)
{
	bool last;

	pthread_mutex_lock(&p->lock);
	p->running--;
	last = p->left && p->running == 0;
	pthread_cond_signal(&p->ended);
	pthread_mutex_unlock(&p->lock);
	if (last)
		discard(p);
}

static void *
run(void *arg)
{
	struct plx_io_pool *p = arg;

	for (;;) {
		struct plx_io_job *j;

		pthread_mutex_lock(&p->lock);
		while (p->head == NULL && !p->stop)
			pthread_cond_wait(&p->more, &p->lock);
		j = p->left ? NULL : p->head;
		if (j != NULL) {
			p->head = j->next;
			if (p->head == NULL)
				p->tail = NULL;
		}
		pthread_mutex_unlock(&p->lock);
		if (j == NULL)
			break;
		j->err = 0;
		switch ((enum plx_io_op)j->op) {
		case PLX_IO_OPEN:
			do_open(p, j);
			break;
		case PLX_IO_READ:
			do_read(j);
			break;
		case PLX_IO_CLOSE:
			close(j->fd);
			free(j);
			continue;
		}
		finish(p, j);
	}
	end_thread(p);
	return NULL;
}

int
plx_io_pool_new(struct plx_io_pool **out, const char *root, unsigned threads)
{
	struct plx_io_pool *p;
	struct stat st;

	*out = NULL;
	if (threads == 0 || threads > THREADS_MAX)
		return PLX_E_INVAL;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return PLX_E_NOMEM;
	p->root_fd = -1;
	if (root != NULL) {
		p->root_fd = open(root, O_PATH | O_CLOEXEC);
		if (p->root_fd < 0 || fstat(p->root_fd, &st) != 0 || !S_ISDIR(st.st_mode)) {
			int rc = p->root_fd < 0 ? PLX_E_IO : PLX_E_INVAL;

			if (p->root_fd >= 0)
				close(p->root_fd);
			free(p);
			return rc;
		}
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	pthread_cond_init(&p->ended, NULL);
	while (p->thread_cnt < threads) {
		p->running++;
		if (pthread_create(&p->thread[p->thread_cnt], NULL, run, p) != 0) {
			p->running--;
			(void)plx_io_pool_free(p, 1000);
			return PLX_E_NOMEM;
		}
		p->thread_cnt++;
	}
	*out = p;
	return 0;
}

int
plx_io_pool_free(struct plx_io_pool *p, uint32_t wait_ms)
{
	struct timespec end;
	int rc = 0;

	if (p == NULL)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += wait_ms / 1000;
	end.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->more);
	while (p->running > 0 && rc == 0)
		rc = pthread_cond_clockwait(&p->ended, &p->lock, CLOCK_MONOTONIC, &end);
	p->left = p->running > 0;
	for (unsigned i = 0; p->left && i < p->thread_cnt; i++)
		pthread_detach(p->thread[i]);
	rc = p->left ? PLX_E_TIMEOUT : 0;
	pthread_mutex_unlock(&p->lock);
	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < p->thread_cnt; i++)
		pthread_join(p->thread[i], NULL);
	discard(p);
	return 0;
}

void
plx_io_client_init(struct plx_io_client *c, struct plx_attach *wake)
{
	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	c->wake = wake;
}

void
plx_io_client_fini(struct plx_io_client *c)
{
	pthread_mutex_destroy(&c->lock);
}

void
plx_io_put(struct plx_io_pool *p, struct plx_io_job *j)
{
	j->next = NULL;
	pthread_mutex_lock(&p->lock);
	if (p->tail != NULL)
		p->tail->next = j;
	else
		p->head = j;
	p->tail = j;
	pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
}

struct plx_io_job *
plx_io_take(struct plx_io_client *c)
{
	struct plx_io_job *j;

	pthread_mutex_lock(&c->lock);
	j = c->head;
	c->head = c->tail = NULL;
	pthread_mutex_unlock(&c->lock);
	return j;
}
