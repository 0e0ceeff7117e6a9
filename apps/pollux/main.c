/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program: which subcommand, with which configuration. Two styles:
 *
 *   pollux <subcommand> [options] [-- EAL arguments]     EAL arguments are made from the
 *                                                        configuration, those given are added
 *   pollux [EAL arguments] -- <subcommand> [options]     EAL arguments are used untouched
 *
 * The second one is meant when the first word begins with '-' and is not --help or --version.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plx_apps.h"
#include "plx_ctl_host.h"
#include "plx_eal.h"

/* More than the common options and those of any subcommand together. */
#define OPTS_MAX 32

const struct plx_opt plx_common_opts[] = {
        {"config", "FILE", "read this configuration (YAML); also POLLUX_CONFIG"},
        {"dump-config", NULL, "print what is in force, as YAML, and end"},
        {"help", NULL, "this page"},
        {"version", NULL, "versions of the program and its libraries"},
        {0},
};

const struct plx_short plx_common_shorts[] = {
        {'c', "config"},
        {'h', "help"},
        {'V', "version"},
        {0},
};

#ifdef PLX_HAVE_BENCH
static const char *const port_sections[] = {"ports[]",   "workers", "quic",
                                            "telemetry", "log",     NULL};
#endif
#ifdef PLX_HAVE_SERVE
static const char *const serve_sections[] = {"serve", "tls", "ports[]", "workers",
                                             "quic",  "log", NULL};
#endif
#ifdef PLX_HAVE_GET
static const char *const get_sections[] = {"get",  "tls",       "ports[]", "workers",
                                           "quic", "telemetry", "log",     NULL};
static const struct plx_short get_shorts[] = {{'o', "output"}, {0}};
#endif
#ifdef PLX_HAVE_DEMO
static const char *const demo_sections[] = {"demo", "quic", "telemetry", "log", NULL};
#endif
static const char *const check_sections[] = {"eal", "ports[]", "log", NULL};

static const struct plx_opt doctor_opts[] = {
        {"iface", "NAME", "look at a kernel device that the engine is to use"},
        {"json", NULL, "print JSON"},
        {0},
};

static const struct plx_opt check_opts[] = {
        {"probe", NULL, "also start DPDK, bring the ports up, and end"},
        {0},
};

static const struct plx_opt keys_opts[] = {
        {"man", NULL, "as the source of pollux.yaml(5)"},
        {0},
};

static const struct plx_cmd_entry cmds[] = {
#ifdef PLX_HAVE_DEMO
        {.name = "demo",
         .summary = "see the engine at work: no NIC, no root, 20 seconds",
         .run = plx_demo_main,
         .sections = demo_sections},
#endif
#ifdef PLX_HAVE_SERVE
        {.name = "serve",
         .summary = "serve a directory over HTTP/3",
         .run = plx_serve_main,
         .daemon = true,
         .sections = serve_sections},
#endif
#ifdef PLX_HAVE_GET
        {.name = "get",
         .operands = "URL...",
         .summary = "fetch URLs over HTTP/3",
         .run = plx_get_main,
         .sections = get_sections,
         .shorts = get_shorts},
#endif
#ifdef PLX_HAVE_BENCH
        {.name = "bench",
         .summary = "measure the engine, or a server",
         .run = plx_bench_main,
         .sections = bench_sections,
         .opts = plx_bench_opts,
         .shorts = plx_bench_shorts},
#endif
        {.name = "doctor",
         .summary = "what this machine lacks, and the command that fixes it",
         .run = plx_doctor_main,
         .opts = doctor_opts},
        {.name = "check",
         .summary = "look for mistakes in a configuration",
         .run = plx_check_main,
         .sections = check_sections,
         .opts = check_opts},
        {.name = "version",
         .summary = "versions of the program and its libraries",
         .run = plx_version_main,
         .bare = true},
        {.name = "help",
         .operands = "[COMMAND]",
         .summary = "this page, or that of a command",
         .run = plx_help_main,
         .bare = true},
        {.name = "keys", .run = plx_keys_main, .opts = keys_opts, .bare = true},
        {0},
};

const struct plx_cmd_entry *
plx_cmds(void)
{
	return cmds;
}

static const struct plx_cmd_entry *
find_cmd(const char *name)
{
	struct plx_guess g = {0};

	for (const struct plx_cmd_entry *c = cmds; c->name != NULL; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
		if (c->summary != NULL)
			plx_guess_offer(&g, name, c->name);
	}
	if (g.best != NULL)
		plx_fail(PLX_EXIT_USAGE, "unknown command '%s'; did you mean '%s'?", name,
		         g.best);
	else
		plx_fail(PLX_EXIT_USAGE, "unknown command '%s'; 'pollux --help' lists them",
		         name);
	return NULL;
}

/*
 * Splits the command line; *first is the index of the subcommand.
 * Returns PLX_EXIT_OK or PLX_EXIT_USAGE.
 */
static int
find_style(struct plx_app_ctx *ctx, int argc, char **argv, int *first)
{
	int rc = 0;

	*first = 1;
	if (argv[1][0] != '-')
		return PLX_EXIT_OK;
	while (*first < argc && strcmp(argv[*first], "--") != 0)
		(*first)++;
	if (*first >= argc - 1)
		return plx_fail(
		        PLX_EXIT_USAGE,
		        "'%s' before a command is an EAL argument, and those end with "
		        "'-- <command>'; options of a command follow it: pollux serve %s",
		        argv[1], argv[1]);
	for (int i = 0; i < *first; i++)
		rc |= plx_strv_add(&ctx->eal_first, argv[i]);
	(*first)++;
	return rc == 0 ? PLX_EXIT_OK : plx_fail(PLX_EXIT_DEVICE, "out of memory");
}

static void
gather_opts(const struct plx_cmd_entry *cmd, struct plx_opt *opts, struct plx_short *shorts)
{
	unsigned n = 0, m = 0;

	/* A subcommand's own letters come first, so that they win: bench -c is connections. */
	for (const struct plx_opt *o = cmd->opts; o != NULL && o->name != NULL; o++)
		opts[n++] = *o;
	for (const struct plx_opt *o = plx_common_opts; o->name != NULL && n < OPTS_MAX - 1;
	     o++)
		opts[n++] = *o;
	opts[n] = (struct plx_opt){0};
	for (const struct plx_short *s = cmd->shorts; s != NULL && s->letter != '\0'; s++)
		shorts[m++] = *s;
	for (const struct plx_short *s = plx_common_shorts;
	     s->letter != '\0' && m < OPTS_MAX - 1; s++)
		shorts[m++] = *s;
	shorts[m] = (struct plx_short){0};
}

/* Flags first, because they name the file; then each source over the one before. */
static int
configure(struct plx_app_ctx *ctx, int argc, char **argv)
{
	struct plx_opt opts[OPTS_MAX];
	struct plx_short shorts[OPTS_MAX];
	struct plx_flags_spec spec = {ctx->cmd->name, opts, shorts};
	struct plx_errtext err = {""};
	const char *path;
	int rc;

	gather_opts(ctx->cmd, opts, shorts);
	rc = plx_flags_parse(&ctx->flags, &spec, argc, argv, &err);
	path = plx_flags_opt(&ctx->flags, "config");
	if (path == NULL)
		path = getenv("POLLUX_CONFIG");
	ctx->config_path = path != NULL ? path : "";
	if (rc == 0)
		rc = plx_config_init(&ctx->cfg);
	if (plx_flags_opt(&ctx->flags, "help") != NULL ||
	    plx_flags_opt(&ctx->flags, "version") != NULL || ctx->cmd->bare)
		return rc == 0 ? PLX_EXIT_OK : plx_fail(PLX_EXIT_USAGE, "%s", err.s);
	if (rc == 0 && *ctx->config_path != '\0')
		rc = plx_config_load(&ctx->cfg, ctx->config_path, &err);
	if (rc == 0)
		rc = plx_config_env(&ctx->cfg, environ, &err);
	if (rc == 0)
		rc = plx_flags_apply(&ctx->flags, &ctx->cfg, &err);
	if (rc == 0)
		rc = plx_config_check(&ctx->cfg, &err);
	if (rc != 0)
		return plx_fail(PLX_EXIT_USAGE, "%s",
		                err.s[0] != '\0' ? err.s : "out of memory");
	plx_log_set(NULL, NULL, (enum plx_log_level)ctx->cfg.log.level);
	return PLX_EXIT_OK;
}

static int
run(struct plx_app_ctx *ctx)
{
	if (plx_flags_opt(&ctx->flags, "help") != NULL) {
		plx_help_cmd(ctx->cmd, stdout);
		return PLX_EXIT_OK;
	}
	if (plx_flags_opt(&ctx->flags, "version") != NULL)
		return plx_version_main(ctx);
	if (plx_flags_opt(&ctx->flags, "dump-config") != NULL)
		return plx_config_dump(&ctx->cfg, stdout) == 0
		               ? PLX_EXIT_OK
		               : plx_fail(PLX_EXIT_FAILED,
		                          "cannot write to standard output");
	if (ctx->cmd->operands == NULL && ctx->flags.operands.cnt > 0)
		return plx_fail(PLX_EXIT_USAGE,
		                "'%s' is not expected; 'pollux %s --help' says "
		                "what is",
		                ctx->flags.operands.v[0], ctx->cmd->name);
	return ctx->cmd->run(ctx);
}

int
main(int argc, char **argv)
{
	static struct plx_app_ctx ctx;
	int first, rc;

	ctx.argc = argc;
	ctx.argv = argv;
	if (argc < 2) {
		plx_help_all(stderr);
		return PLX_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		plx_help_all(stdout);
		return PLX_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return plx_version_main(&ctx);
	if (plx_signal_init(&ctx.signal) != 0)
		return plx_fail(PLX_EXIT_DEVICE,
		                "cannot watch for signals; is the limit of open "
		                "files or threads reached? ulimit -n -u");
	rc = find_style(&ctx, argc, argv, &first);
	if (rc == PLX_EXIT_OK) {
		ctx.cmd = find_cmd(argv[first]);
		rc = ctx.cmd == NULL ? PLX_EXIT_USAGE
		                     : configure(&ctx, argc - first - 1, argv + first + 1);
	}
	if (rc == PLX_EXIT_OK)
		rc = run(&ctx);
	if (rc == PLX_EXIT_OK && plx_app_stopping(&ctx) && ctx.cmd != NULL &&
	    !ctx.cmd->bare && !ctx.cmd->daemon)
		rc = PLX_EXIT_INTERRUPTED;
	else if (rc == PLX_EXIT_INTERRUPTED && ctx.cmd != NULL && ctx.cmd->daemon)
		rc = PLX_EXIT_OK;
	plx_eal_stop(&ctx);
	plx_signal_fini(&ctx.signal);
	plx_config_fini(&ctx.cfg);
	plx_flags_fini(&ctx.flags);
	plx_strv_clear(&ctx.eal_first);
	return rc;
}
