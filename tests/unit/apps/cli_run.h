/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the program as a user does: exit code, what it says, what it leaves. Each test program has
 * one directory, which is the program's current and runtime directory as well.
 */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <plx_test.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "apps/plx_test_paths.h"

/* Much more than any answer needs. */
#define OUTPUT_MAX (256 * 1024)

/* A run that takes longer hangs. */
#define TIMEOUT_MS 60000

struct run {
	int code; /* exit code; 256 + signal; -1 after a timeout */
	char *out;
	char *err;
	int64_t end_ms; /* from the signal to the end of the program */
};

/* How the next runs are started. */
struct how {
	bool unprivileged; /* as user 65534 with no groups and no capabilities; needs root */
	int sig;           /* sent to the program … */
	int sig_ms;        /* … after this time; 0 = none */
	bool in_dir;       /* the current directory is `dir`, otherwise the caller's */
};

static char dir[64];
static struct run last;
static struct how how;

static void
drain(struct pollfd *pfd, char **buf, size_t *len)
{
	ssize_t n = 0;

	if (pfd->revents != 0)
		n = read(pfd->fd, *buf + *len, OUTPUT_MAX - 1 - *len);
	if (pfd->revents != 0 && n <= 0) {
		close(pfd->fd);
		pfd->fd = -1;
	}
	*len += n > 0 ? (size_t)n : 0;
	(*buf)[*len] = '\0';
}

static int64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Reads until both ends are closed; the signal goes out on the way. */
static void
talk(pid_t pid, struct pollfd pfd[2])
{
	size_t out_len = 0, err_len = 0;
	int left_ms = how.sig_ms;

	while (pfd[0].fd >= 0 || pfd[1].fd >= 0) {
		int step = left_ms > 0 ? 1 : TIMEOUT_MS, rc = poll(pfd, 2, step);

		if (left_ms > 0 && rc == 0 && --left_ms == 0) {
			last.end_ms = -clock_ms();
			kill(pid, how.sig);
		} else if (left_ms == 0 && rc <= 0) {
			kill(pid, SIGKILL);
			return;
		}
		drain(&pfd[0], &last.out, &out_len);
		drain(&pfd[1], &last.err, &err_len);
	}
}

/* Runs pollux with words (spaces between; '+' in a word stands for a space). */
static const struct run *
pollux(const char *words)
{
	static char program[] = PLX_TEST_POLLUX;
	static char setpriv[] = "/usr/bin/setpriv", uid[] = "--reuid=65534",
	            gid[] = "--regid=65534", groups[] = "--clear-groups";
	char text[1024], *argv[48], *save = NULL;
	char xdg[96], *envp[] = {xdg, NULL};
	int argc = 0, out[2], err[2], status = 0;
	posix_spawn_file_actions_t fa;
	struct pollfd pfd[2];
	pid_t pid;

	snprintf(text, sizeof(text), "%s", words);
	if (how.unprivileged) {
		argv[argc++] = setpriv;
		argv[argc++] = uid;
		argv[argc++] = gid;
		argv[argc++] = groups;
	}
	argv[argc++] = program;
	for (char *w = strtok_r(text, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save)) {
		for (char *p = w; *p != '\0'; p++)
			*p = *p == '+' ? ' ' : *p;
		argv[argc++] = w;
	}
	argv[argc] = NULL;
	snprintf(xdg, sizeof(xdg), "RUNTIME_DIRECTORY=%s", dir);
	CU_ASSERT_FATAL(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out[1], 1);
	posix_spawn_file_actions_adddup2(&fa, err[1], 2);
	if (how.in_dir)
		posix_spawn_file_actions_addchdir_np(&fa, dir);
	CU_ASSERT_EQUAL_FATAL(posix_spawn(&pid, argv[0], &fa, NULL, argv, envp), 0);
	posix_spawn_file_actions_destroy(&fa);
	close(out[1]);
	close(err[1]);
	pfd[0] = (struct pollfd){.fd = out[0], .events = POLLIN};
	pfd[1] = (struct pollfd){.fd = err[0], .events = POLLIN};
	talk(pid, pfd);
	waitpid(pid, &status, 0);
	last.end_ms += clock_ms();
	last.code = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
	return &last;
}

/* A run that must fail with code and one sentence containing all of words (';' between). */
static void
refused(int code, const char *words, const char *args)
{
	const struct run *r = pollux(args);
	char list[256], *save = NULL;

	if (r->code != code)
		printf("\n    pollux %s: %d, %s", args, r->code, r->err);
	CU_ASSERT_EQUAL(r->code, code);
	CU_ASSERT_EQUAL(strncmp(r->err, "pollux: ", 8), 0);
	snprintf(list, sizeof(list), "%s", words);
	for (char *w = strtok_r(list, ";", &save); w != NULL;
	     w = strtok_r(NULL, ";", &save)) {
		if (strstr(r->err, w) == NULL)
			printf("\n    no '%s' in: %s", w, r->err);
		CU_ASSERT_PTR_NOT_NULL(strstr(r->err, w));
	}
	/* One line, ended. */
	CU_ASSERT_PTR_EQUAL(strchr(r->err, '\n'), r->err + strlen(r->err) - 1);
	CU_ASSERT_STRING_EQUAL(r->out, "");
}

static const char *
in_dir(const char *name)
{
	static char path[4][160];
	static unsigned next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", dir, name);
	return path[next];
}

static void
write_file(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "we");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

static void
make_pair(const char *cert, const char *key, long valid_s)
{
	EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *x = X509_new();
	FILE *f;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), valid_s < 0 ? 2 * valid_s : -60);
	X509_gmtime_adj(X509_getm_notAfter(x), valid_s);
	X509_set_pubkey(x, k);
	CU_ASSERT_FATAL(X509_sign(x, k, NULL) > 0);
	f = fopen(in_dir(cert), "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(PEM_write_X509(f, x), 1);
	fclose(f);
	f = fopen(in_dir(key), "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	chmod(in_dir(key), 0600);
	X509_free(x);
	EVP_PKEY_free(k);
}

static int
make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/plx-cli-XXXXXX");
	last.out = malloc(OUTPUT_MAX);
	last.err = malloc(OUTPUT_MAX);
	return mkdtemp(dir) == NULL || last.out == NULL || last.err == NULL;
}

#endif
