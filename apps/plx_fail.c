/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdio.h>

#include "plx_apps.h"

bool
plx_app_stop(void *arg)
{
	return plx_app_stopping(arg);
}

int
plx_fail(enum plx_exit code, const char *fmt, ...)
{
	va_list ap;

	fputs("pollux: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return (int)code;
}
