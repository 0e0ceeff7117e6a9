/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_LEN 1024

static const char *const level_names[] = {
        [PLX_LOG_ERROR] = "error",
        [PLX_LOG_WARN] = "warning",
        [PLX_LOG_INFO] = "info",
        [PLX_LOG_DEBUG] = "debug",
};

static void
write_stderr(void *arg, enum plx_log_level level, const char *line)
{
	(void)arg;
	fprintf(stderr, "pollux: %s: %s\n", level_names[level], line);
}

/*
 * The one sink of the process: a log line has no object to hang a sink on, since the errors
 * that matter most come before there is an engine. Written before threads start, read-only
 * afterwards.
 */
static struct {
	plx_log_fn fn;
	void *arg;
	enum plx_log_level level;
} sink = {write_stderr, NULL, PLX_LOG_INFO};

void
plx_log_set(plx_log_fn fn, void *arg, enum plx_log_level level)
{
	sink.fn = fn != NULL ? fn : write_stderr;
	sink.arg = arg;
	sink.level = level;
}

void
plx_log(enum plx_log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_LEN];
	va_list ap;
	int n;

	if (level > sink.level)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	/* One call is one line: a path or a name with a newline cannot forge a second one. */
	for (char *p = line; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	}
	sink.fn(sink.arg, level, line);
}
