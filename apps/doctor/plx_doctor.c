/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plx_versions.h"

static const char *const word[] = {"OK", "WARN", "FAIL"};

static void
print_finding(enum plx_verdict v, const char *topic, const char *text, const char *fix)
{
	static const char *const color[] = {"\033[32m", "\033[33m", "\033[31m"};
	const char *no_color = getenv("NO_COLOR");
	bool plain = !isatty(STDOUT_FILENO) || (no_color != NULL && *no_color != '\0');

	printf("%s%-4s%s  %-18s %s\n", plain ? "" : color[v], word[v],
	       plain ? "" : "\033[0m", topic, text);
	if (*fix != '\0')
		printf("      %-18s fix: %s\n", "", fix);
}

void
plx_doctor_say(struct plx_doctor *d, enum plx_verdict v, const char *topic, const char *fix,
               const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->cnt[v]++;
	if (d->list == NULL)
		print_finding(v, topic, text, fix);
	else
		json_array_append_new(d->list, json_pack("{s:s, s:s, s:s, s:s}", "check",
		                                         topic, "verdict", word[v], "text",
		                                         text, "fix", fix));
}

const char *
plx_doctor_read(const char *path, char *buf, size_t sz)
{
	FILE *f = fopen(path, "re");

	buf[0] = '\0';
	if (f == NULL)
		return buf;
	if (fgets(buf, (int)sz, f) == NULL)
		buf[0] = '\0';
	fclose(f);
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

void
plx_doctor_versions(struct plx_doctor *d)
{
	struct plx_version v[PLX_VERSION_CNT];

	plx_versions(v);
	for (unsigned i = 0; i < PLX_VERSION_CNT; i++) {
		if (*v[i].minimum != '\0' &&
		    plx_version_cmp(v[i].version, v[i].minimum) < 0)
			plx_doctor_say(
			        d, PLX_VERDICT_FAIL, v[i].name,
			        "install it from Debian 13 with security and backports, or "
			        "use ./dev",
			        "version %s is older than %s", v[i].version, v[i].minimum);
		else if (strcmp(v[i].name, "intel-ipsec-mb") == 0 &&
		         strcmp(v[i].version, v[i].built) != 0)
			plx_doctor_say(
			        d, PLX_VERDICT_WARN, v[i].name,
			        "build pollux against the library that is installed",
			        "library %s and headers %s differ; packets are protected by "
			        "OpenSSL instead, slower",
			        v[i].version, v[i].built);
		else
			plx_doctor_say(d, PLX_VERDICT_OK, v[i].name, "", "%s",
			               v[i].version);
	}
}

static void
take_file(void *arg, enum plx_verdict v, const char *topic, const char *text,
          const char *fix)
{
	plx_doctor_say(arg, v, topic, fix, "%s", text);
}

static int
finish(struct plx_doctor *d)
{
	if (d->list != NULL) {
		json_t *root = json_pack("{s:s, s:s, s:o, s:i, s:i, s:i}", "schema",
		                         "pollux-doctor/1", "pollux", PLX_VERSION, "checks",
		                         d->list, "ok", (int)d->cnt[0], "warn",
		                         (int)d->cnt[1], "fail", (int)d->cnt[2]);

		if (root == NULL || json_dumpf(root, stdout, JSON_INDENT(2)) != 0)
			return plx_fail(PLX_EXIT_FAILED, "cannot write to standard output");
		putchar('\n');
		json_decref(root);
	} else {
		printf("\n%u OK, %u WARN, %u FAIL\n", d->cnt[0], d->cnt[1], d->cnt[2]);
	}
	return d->cnt[PLX_VERDICT_FAIL] == 0 ? PLX_EXIT_OK : PLX_EXIT_FAILED;
}

int
plx_doctor_main(struct plx_app_ctx *ctx)
{
	struct plx_doctor d = {.ctx = ctx};

	if (plx_flags_opt(&ctx->flags, "json") != NULL) {
		d.list = json_array();
		if (d.list == NULL)
			return plx_fail(PLX_EXIT_FAILED, "out of memory");
	}
	plx_doctor_versions(&d);
	plx_doctor_cpu(&d);
	plx_doctor_clock(&d);
	plx_doctor_cores(&d);
	plx_doctor_numa(&d);
	plx_doctor_memory(&d);
	plx_doctor_rights(&d);
	plx_doctor_runtime_dir(&d);
	plx_doctor_iommu(&d);
	plx_doctor_drivers(&d);
	plx_doctor_ports(&d);
	plx_files_check(&ctx->cfg, take_file, &d);
	return finish(&d);
}
