/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_result.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "plx_eal.h"
#include "plx_versions.h"

static double
seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Two runs with one hash had one configuration. */
static void
config_hash(const struct plx_config *c, char hex[65])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	char *text = NULL;
	size_t text_len = 0;
	FILE *f = open_memstream(&text, &text_len);

	hex[0] = '\0';
	if (f == NULL)
		return;
	plx_config_dump(c, f);
	fclose(f);
	if (text != NULL && EVP_Digest(text, text_len, md, &len, EVP_sha256(), NULL) == 1) {
		for (size_t i = 0; i < len && i < 32; i++)
			snprintf(hex + 2 * i, 3, "%02x", md[i]);
	}
	free(text);
}

static void
cpu_model(char *buf, size_t sz)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(buf, sz, "unknown");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || colon == NULL)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(buf, sz, "%s", colon + 1 + (colon[1] == ' '));
		break;
	}
	if (f != NULL)
		fclose(f);
}

static json_t *
make_run(const struct plx_app_ctx *ctx)
{
	json_t *argv = json_array();
	char hash[65], started[32];
	time_t now = time(NULL);
	struct tm tm;

	for (int i = 0; i < ctx->argc; i++)
		json_array_append_new(argv, json_string(ctx->argv[i]));
	config_hash(&ctx->cfg, hash);
	gmtime_r(&now, &tm);
	strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{s:s, s:o, s:s, s:s, s:f}", "command", ctx->cmd->name, "argv",
	                 argv, "config_sha256", hash, "started", started, "duration_s",
	                 seconds_now());
}

static json_t *
make_env(void)
{
	struct plx_version v[PLX_VERSION_CNT];
	struct plx_eal_host host;
	struct utsname un;
	json_t *libs = json_object();
	char cpu[128], kernel[160];

	plx_versions(v);
	for (unsigned i = 0; i < PLX_VERSION_CNT; i++)
		json_object_set_new(libs, v[i].name, json_string(v[i].version));
	cpu_model(cpu, sizeof(cpu));
	uname(&un);
	snprintf(kernel, sizeof(kernel), "%s %s", un.sysname, un.release);
	plx_eal_host(&host);
	return json_pack("{s:s, s:s, s:o, s:s, s:i, s:s, s:I}", "pollux", PLX_VERSION,
	                 "build", plx_build_flags(), "libraries", libs, "cpu", cpu, "cpus",
	                 (int)host.cpu_cnt, "kernel", kernel, "hugepages_free_mb",
	                 (json_int_t)host.huge_free_mb);
}

json_t *
plx_result_new(const struct plx_app_ctx *ctx)
{
	return json_pack("{s:s, s:o, s:o}", "schema", "pollux-result/1", "run",
	                 make_run(ctx), "env", make_env());
}

json_t *
plx_result_hist(const struct plx_hist *h)
{
	return json_pack("{s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I}", "count",
	                 (json_int_t)h->count, "mean_ns", plx_hist_mean(h), "min_ns",
	                 (json_int_t)plx_hist_percentile(h, 0), "max_ns",
	                 (json_int_t)plx_hist_percentile(h, 100), "p50_ns",
	                 (json_int_t)plx_hist_percentile(h, 50), "p90_ns",
	                 (json_int_t)plx_hist_percentile(h, 90), "p99_ns",
	                 (json_int_t)plx_hist_percentile(h, 99), "p999_ns",
	                 (json_int_t)plx_hist_percentile(h, 99.9));
}

/* The name that the file has until it is whole. */
static void
temp_name(const struct plx_app_ctx *ctx, char *buf, size_t sz)
{
	snprintf(buf, sz, "%.1000s.%ld", ctx->cfg.telemetry.result, (long)getpid());
}

int
plx_result_check(const struct plx_app_ctx *ctx)
{
	char tmp[1024];
	struct stat st;
	int fd;

	if (ctx->cfg.telemetry.result[0] == '\0')
		return 0;
	if (stat(ctx->cfg.telemetry.result, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return PLX_E_IO;
	}
	temp_name(ctx, tmp, sizeof(tmp));
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return PLX_E_IO;
	close(fd);
	unlink(tmp);
	return 0;
}

int
plx_result_write(struct plx_app_ctx *ctx, json_t *root, enum plx_exit exit_code)
{
	const char *path = ctx->cfg.telemetry.result;
	json_t *run = json_object_get(root, "run");
	double began = json_real_value(json_object_get(run, "duration_s"));
	char tmp[1024];

	json_object_set_new(run, "duration_s", json_real(seconds_now() - began));
	json_object_set_new(run, "exit_code", json_integer(exit_code));
	json_object_set_new(run, "interrupted", json_boolean(plx_app_stopping(ctx)));
	if (*path == '\0')
		return 0;
	temp_name(ctx, tmp, sizeof(tmp));
	if (json_dump_file(root, tmp, JSON_INDENT(2)) == 0 && rename(tmp, path) == 0)
		return 0;
	plx_fail(PLX_EXIT_FAILED,
	         "cannot write %s: %s; set telemetry.result to another file", path,
	         strerror(errno));
	unlink(tmp);
	return PLX_E_IO;
}
