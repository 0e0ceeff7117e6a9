/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Command line of a subcommand: flags from the table of keys, the few options that are no keys,
 * operands, and what follows "--".
 *
 * Threads: the control thread.
 * Memory:  the result owns copies of everything.
 */
#ifndef PLX_CONFIG_FLAGS_H
#define PLX_CONFIG_FLAGS_H

#include "plx_config.h"

/** An option of one subcommand that is no key of the configuration. */
struct plx_opt {
	const char *name; /**< "iface"; without dashes */
	const char *arg;  /**< what its argument is called, NULL: it takes none */
	const char *help;
};

/** A letter for a flag: { 'o', "output" }. The flag may be a key's, an alias or an option. */
struct plx_short {
	char letter;
	const char *flag;
};

/** What a subcommand understands beside the keys. Lists end with an entry of zeros. */
struct plx_flags_spec {
	const char *cmd; /**< "serve", for messages */
	const struct plx_opt *opts;
	const struct plx_short *shorts;
};

/** One flag that names a key; kept until file and environment have been read. */
struct plx_flag_set {
	const struct plx_key *key;
	uint32_t port;
	char *flag; /**< as typed, for messages */
	char *text;
};

struct plx_flags {
	struct plx_flag_set *set;
	uint32_t set_cnt;
	struct plx_strv
	        opt_names; /**< options given, with their arguments at the same place */
	struct plx_strv opt_args;
	struct plx_strv operands;
	struct plx_strv eal; /**< what followed "--" */
};

/**
 * plx_flags_parse() reads the arguments behind the subcommand's name. "--flag value",
 * "--flag=value", "--no-flag" for booleans, single letters, operands anywhere.
 *
 * @param f  all zero; plx_flags_fini() is due whatever is returned
 * @return 0, PLX_E_CONFIG with a sentence, PLX_E_NOMEM
 * Thread: main. Owns: f owns copies. Errors: as returned.
 */
int plx_flags_parse(struct plx_flags *f, const struct plx_flags_spec *spec, int argc,
                    char *const *argv, struct plx_errtext *err) PLX_ON_MAIN;
void plx_flags_fini(struct plx_flags *f) PLX_ON_MAIN;

/** plx_flags_opt() is the last argument of an option, "" without one, NULL: not given. */
const char *plx_flags_opt(const struct plx_flags *f, const char *name) PLX_ON_MAIN;

/**
 * plx_flags_apply() sets the keys the flags name. The first flag of a list replaces the list,
 * further ones add.
 * @return 0, PLX_E_CONFIG with a sentence, PLX_E_NOMEM
 * Thread: main. Owns: nothing. Errors: as returned.
 */
int plx_flags_apply(const struct plx_flags *f, struct plx_config *c,
                    struct plx_errtext *err) PLX_ON_MAIN;

#endif
