/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Programs of the system (ip, ethtool) that a test prepares its network with.
 */
#ifndef PLX_TEST_RUN_H
#define PLX_TEST_RUN_H

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/**
 * plx_test_run() runs a program of the search path without a shell: words are its name and its
 * arguments, with spaces between. What it prints goes nowhere, what it complains of is seen.
 *
 * @return its exit code; -1: it could not be run, or a signal ended it
 */
static inline int
plx_test_run(const char *words)
{
	char text[256], *argv[32], *save = NULL;
	posix_spawn_file_actions_t fa;
	size_t argc = 0;
	int rc, status;
	pid_t pid;

	if ((size_t)snprintf(text, sizeof(text), "%s", words) >= sizeof(text))
		return -1;
	for (char *w = strtok_r(text, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save)) {
		if (argc == sizeof(argv) / sizeof(argv[0]) - 1)
			return -1;
		argv[argc++] = w;
	}
	argv[argc] = NULL;
	if (argc == 0 || posix_spawn_file_actions_init(&fa) != 0)
		return -1;
	rc = posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	if (rc == 0)
		rc = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (rc != 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

#endif
