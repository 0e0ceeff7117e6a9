/* SPDX-License-Identifier: BSD-3-Clause */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plx_bug.h"
#include "plx_log.h"
#include "plx_test.h"

struct seen {
	unsigned cnt;
	enum plx_log_level level;
	char line[2048];
};

static void
keep(void *arg, enum plx_log_level level, const char *line)
{
	struct seen *s = arg;

	s->cnt++;
	s->level = level;
	snprintf(s->line, sizeof(s->line), "%s", line);
}

static void
test_a_line_reaches_the_sink_when_its_level_is_on(void)
{
	struct seen s = {0};

	plx_log_set(keep, &s, PLX_LOG_WARN);
	plx_log(PLX_LOG_INFO, "not wanted");
	CU_ASSERT_EQUAL(s.cnt, 0);
	plx_log(PLX_LOG_WARN, "port %d: %s", 3, "down");
	CU_ASSERT_EQUAL(s.cnt, 1);
	CU_ASSERT_EQUAL(s.level, PLX_LOG_WARN);
	CU_ASSERT_STRING_EQUAL(s.line, "port 3: down");
	plx_log_set(NULL, NULL, PLX_LOG_INFO);
}

static void
test_a_long_line_is_cut_and_a_newline_cannot_forge_another(void)
{
	struct seen s = {0};
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	plx_log_set(keep, &s, PLX_LOG_DEBUG);
	plx_log(PLX_LOG_DEBUG, "%s", text);
	CU_ASSERT_EQUAL(strlen(s.line), 1023);
	plx_log(PLX_LOG_ERROR, "file %s", "a\npollux: error: forged\x1b[2J");
	CU_ASSERT_STRING_EQUAL(s.line, "file a pollux: error: forged [2J");
	plx_log_set(NULL, NULL, PLX_LOG_INFO);
}

/* Runs fn with its stderr in a pipe; gives the wait status. */
static int
run_child(void (*fn)(void), char *err, size_t cap)
{
	int fd[2], status = 0;
	size_t have = 0;
	ssize_t n;
	pid_t pid;

	fflush(NULL);
	if (pipe(fd) != 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		fn();
		fflush(stderr);
		_exit(0);
	}
	close(fd[1]);
	while ((n = read(fd[0], err + have, cap - 1 - have)) > 0)
		have += (size_t)n;
	err[have] = '\0';
	close(fd[0]);
	waitpid(pid, &status, 0);
	return status;
}

static void
say_hello(void)
{
	plx_log_set(NULL, NULL, PLX_LOG_INFO);
	plx_log(PLX_LOG_INFO, "hello");
}

static void
break_a_promise(void)
{
	int one = 1;

	PLX_BUG_ON(one + 1 == 2);
}

static void
test_the_default_sink_is_stderr(void)
{
	char err[256];

	CU_ASSERT_EQUAL(run_child(say_hello, err, sizeof(err)), 0);
	CU_ASSERT_STRING_EQUAL(err, "pollux: info: hello\n");
}

static void
test_a_bug_ends_the_process_and_names_its_place(void)
{
	char err[512];
	int status = run_child(break_a_promise, err, sizeof(err));

	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "test_log.c:"));
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "one + 1 == 2"));
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"a line reaches the sink when its level is on",
	         test_a_line_reaches_the_sink_when_its_level_is_on},
	        {"a long line is cut and a newline cannot forge another",
	         test_a_long_line_is_cut_and_a_newline_cannot_forge_another},
	        {"the default sink is stderr", test_the_default_sink_is_stderr},
	        {"a bug ends the process and names its place",
	         test_a_bug_ends_the_process_and_names_its_place},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {"log", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
