/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_progress.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void
plx_progress_init(struct plx_progress *p, enum plx_config_progress mode, FILE *out)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	memset(p, 0, sizeof(*p));
	p->out = out;
	p->off = mode == PLX_CONFIG_PROGRESS_NONE;
	p->redraw = mode == PLX_CONFIG_PROGRESS_AUTO && isatty(fileno(out)) &&
	            term != NULL && strcmp(term, "dumb") != 0;
	p->color = p->redraw && (no_color == NULL || *no_color == '\0');
}

bool
plx_progress_due(struct plx_progress *p, uint64_t now_ns)
{
	if (p->off || now_ns < p->next_ns)
		return false;
	p->next_ns = now_ns + PLX_NS_PER_S;
	return true;
}

static unsigned
columns(FILE *out)
{
	struct winsize w;

	return ioctl(fileno(out), TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

void
plx_progress_line(struct plx_progress *p, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	unsigned len, max;

	if (p->off)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!p->redraw) {
		fprintf(p->out, "%s\n", line);
		fflush(p->out);
		return;
	}
	/* A line that wraps cannot be redrawn. */
	max = columns(p->out) - 1;
	len = (unsigned)strlen(line);
	if (len > max)
		len = max;
	fprintf(p->out, "\r%s%.*s%s%*s\r", p->color ? "\033[1m" : "", (int)len, line,
	        p->color ? "\033[0m" : "", p->shown > len ? (int)(p->shown - len) : 0, "");
	p->shown = len;
	fflush(p->out);
}

void
plx_progress_end(struct plx_progress *p)
{
	if (p->off || !p->redraw || p->shown == 0)
		return;
	fprintf(p->out, "\r%*s\r", (int)p->shown, "");
	fflush(p->out);
	p->shown = 0;
}
