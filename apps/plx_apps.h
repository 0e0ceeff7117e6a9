/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * What main gives a subcommand, and the subcommands there are.
 *
 * Threads: the control thread.
 * Memory:  the context outlives the subcommand's function.
 *
 * A new subcommand `x` is: a folder apps/x with `int plx_x_main(struct plx_app_ctx *)`, its files
 * in plx_app_sources and -DPLX_HAVE_X in plx_app_args (apps/meson.build), a declaration here and a
 * line in the table of apps/pollux/main.c.
 */
#ifndef PLX_APPS_H
#define PLX_APPS_H

#include "plx_config.h"
#include "plx_config_flags.h"
#include "plx_signal.h"

/** Exit codes of every subcommand; also in --help and pollux(1). */
enum plx_exit {
	PLX_EXIT_OK = 0,
	PLX_EXIT_FAILED = 1,    /**< the run failed */
	PLX_EXIT_USAGE = 2,     /**< command line or configuration */
	PLX_EXIT_DEVICE = 3,    /**< EAL, memory, rights, port */
	PLX_EXIT_THRESHOLD = 4, /**< a threshold was not met */
	PLX_EXIT_INVALID = 5,   /**< the result is not valid: the generator was the limit */
	PLX_EXIT_INTERRUPTED = 130,
};

struct plx_app_ctx;

/** A line of the table of subcommands. */
struct plx_cmd_entry {
	const char *name;
	const char *operands; /**< for the usage line, "URL..."; or NULL */
	const char *summary;  /**< one line, at most 60 columns; NULL: not shown */
	int (*run)(struct plx_app_ctx *ctx); /**< returns enum plx_exit */
	/** Sections whose flags --help of the subcommand shows; NULL-terminated; or NULL. */
	const char *const *sections;
	const struct plx_opt *opts;     /**< that are no keys; or NULL */
	const struct plx_short *shorts; /**< beside -c -h -V; or NULL */
	/** No configuration is read: the subcommand tells of the program, not of a run. */
	bool bare;
	/** It runs until a signal: ending in order on one is PLX_EXIT_OK. */
	bool daemon;
};

/** Everything a subcommand knows about how it was started. */
struct plx_app_ctx {
	const struct plx_cmd_entry *cmd;
	struct plx_config cfg;
	struct plx_flags flags; /**< operands and options; plx_flags_opt() */
	/** EAL arguments typed before the subcommand (first style); used untouched. */
	struct plx_strv eal_first;
	const char *config_path; /**< "" without a file */
	int argc;                /**< of the whole command line */
	char *const *argv;
	struct plx_signal signal;
	struct plx_eal *eal; /**< NULL while EAL is not up; see plx_eal.h */
};

/** plx_app_stopping() says whether to end early (SIGINT, SIGTERM). Thread: any. */
static inline bool
plx_app_stopping(struct plx_app_ctx *ctx)
{
	return plx_signal_got(&ctx->signal);
}

/** The same as a struct plx_ctl_opts.stop; arg is the context. */
bool plx_app_stop(void *arg) PLX_ANY_THREAD;

/**
 * plx_fail() prints "pollux: sentence" on stderr.
 * @return code, so that one can write `return plx_fail(PLX_EXIT_DEVICE, "…")`
 * Thread: main. Owns: nothing. Errors: none.
 */
int plx_fail(enum plx_exit code, const char *fmt, ...) PLX_PRINTF(2, 3) PLX_ON_MAIN;

/** The table, with an entry of zeros at the end. */
const struct plx_cmd_entry *plx_cmds(void) PLX_ANY_THREAD;

/** plx_help_all() prints the page of `pollux --help`, plx_help_cmd() that of a subcommand. */
void plx_help_all(FILE *out) PLX_ON_MAIN;
void plx_help_cmd(const struct plx_cmd_entry *cmd, FILE *out) PLX_ON_MAIN;

/** Options that every subcommand has. */
extern const struct plx_opt plx_common_opts[];
extern const struct plx_short plx_common_shorts[];

int plx_serve_main(struct plx_app_ctx *ctx) PLX_ON_MAIN;
int plx_get_main(struct plx_app_ctx *ctx) PLX_ON_MAIN;
int plx_demo_main(struct plx_app_ctx *ctx) PLX_ON_MAIN;
int plx_bench_main(struct plx_app_ctx *ctx) PLX_ON_MAIN;
int plx_doctor_main(struct plx_app_ctx *ctx) PLX_ON_MAIN;
int plx_check_main(struct plx_app_ctx *ctx) PLX_ON_MAIN;
int plx_version_main(struct plx_app_ctx *ctx) PLX_ON_MAIN;
int plx_help_main(struct plx_app_ctx *ctx) PLX_ON_MAIN;
int plx_keys_main(struct plx_app_ctx *ctx) PLX_ON_MAIN;

/** Options of bench, defined beside it; zeros at the end. */
extern const struct plx_opt plx_bench_opts[];
extern const struct plx_short plx_bench_shorts[];

#endif
