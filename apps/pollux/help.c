/* SPDX-License-Identifier: BSD-3-Clause */
/* --help, version, and the list of keys; all from the tables. */
#include <stdio.h>
#include <string.h>

#include "plx_apps.h"
#include "plx_versions.h"

void
plx_help_all(FILE *out)
{
	fputs("pollux: a QUIC packet engine on DPDK\n\n"
	      "  pollux <command> [options] [-- EAL arguments]\n"
	      "  pollux [EAL arguments] -- <command> [options]\n\n",
	      out);
	for (const struct plx_cmd_entry *c = plx_cmds(); c->name != NULL; c++) {
		if (c->summary != NULL)
			fprintf(out, "  %-9s %s\n", c->name, c->summary);
	}
	fputs("\nEvery command takes --config FILE (or POLLUX_CONFIG), --dump-config and --help.\n"
	      "Every key of the configuration is also a flag (--quic-cc bbr) and a variable\n"
	      "(POLLUX_QUIC_CC=bbr); a flag beats a variable, a variable beats the file.\n\n"
	      "Exit codes: 0 done, 1 the run failed, 2 command line or configuration,\n"
	      "3 DPDK, memory, rights or port, 4 a threshold was not met, 5 the result is not\n"
	      "valid, 130 interrupted.\n\n"
	      "man pollux, man pollux.yaml, man pollux-doctor\n",
	      out);
}

static void
help_opt(const struct plx_opt *o, const struct plx_short *own, FILE *out)
{
	char left[64], letter = '\0';

	for (const struct plx_short *s = plx_common_shorts; s->letter != '\0'; s++)
		letter = strcmp(s->flag, o->name) == 0 ? s->letter : letter;
	for (const struct plx_short *s = own; s != NULL && s->letter != '\0'; s++)
		letter = s->letter == letter ? '\0' : letter;
	snprintf(left, sizeof(left), letter != '\0' ? "--%s%s%s, -%c" : "--%s%s%s", o->name,
	         o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "", letter);
	fprintf(out, "  %-30s %s\n", left, o->help);
}

static void
help_key(const struct plx_key *k, FILE *out)
{
	char flag[PLX_KEY_NAME_MAX], format[96], left[160];

	plx_key_flag(k, 0, flag);
	plx_key_format(k, format, sizeof(format));
	snprintf(left, sizeof(left), "--%s", k->alias != NULL ? k->alias : flag);
	fprintf(out, "  %-30s %s\n", left, k->help);
	fprintf(out, "  %-30s   %s", "", format);
	if (k->def != NULL && *k->def != '\0')
		fprintf(out, "; default %s", k->def);
	fputc('\n', out);
}

static void
help_section(const char *section, FILE *out)
{
	uint32_t key_cnt, sec_cnt;
	const struct plx_key *k = plx_keys(&key_cnt);
	const struct plx_key_section *s = plx_key_sections(&sec_cnt);

	for (uint32_t i = 0; i < sec_cnt; i++) {
		size_t len = strlen(section);

		/* With its sub-sections. */
		if (strncmp(s[i].path, section, len) != 0 ||
		    (s[i].path[len] != '\0' && s[i].path[len] != '.'))
			continue;
		fprintf(out, "\n%s: %s\n", s[i].path, s[i].help);
		for (uint32_t j = 0; j < key_cnt; j++) {
			if (plx_key_in(&k[j], s[i].path))
				help_key(&k[j], out);
		}
	}
}

void
plx_help_cmd(const struct plx_cmd_entry *cmd, FILE *out)
{
	fprintf(out, "pollux %s [options]%s%s [-- EAL arguments]\n", cmd->name,
	        cmd->operands != NULL ? " " : "",
	        cmd->operands != NULL ? cmd->operands : "");
	if (cmd->summary != NULL)
		fprintf(out, "  %s\n", cmd->summary);
	fputs("\noptions\n", out);
	for (const struct plx_opt *o = cmd->opts; o != NULL && o->name != NULL; o++)
		help_opt(o, cmd->shorts, out);
	for (const struct plx_opt *o = plx_common_opts; o->name != NULL; o++)
		help_opt(o, cmd->shorts, out);
	for (const char *const *s = cmd->sections; s != NULL && *s != NULL; s++)
		help_section(*s, out);
	if (!cmd->bare)
		fputs("\nKeys of port N, counted from 0, are --portN-…; pollux.yaml(5) lists all "
		      "keys, and each is a flag here.\n",
		      out);
}

int
plx_help_main(struct plx_app_ctx *ctx)
{
	if (ctx->flags.operands.cnt == 0) {
		plx_help_all(stdout);
		return PLX_EXIT_OK;
	}
	for (const struct plx_cmd_entry *c = plx_cmds(); c->name != NULL; c++) {
		if (strcmp(c->name, ctx->flags.operands.v[0]) == 0) {
			plx_help_cmd(c, stdout);
			return PLX_EXIT_OK;
		}
	}
	return plx_fail(PLX_EXIT_USAGE, "unknown command '%s'; 'pollux --help' lists them",
	                ctx->flags.operands.v[0]);
}

int
plx_version_main(struct plx_app_ctx *ctx)
{
	struct plx_version v[PLX_VERSION_CNT];

	(void)ctx;
	plx_versions(v);
	printf("pollux %s\n", PLX_VERSION);
	for (unsigned i = 0; i < PLX_VERSION_CNT; i++) {
		bool differs = *v[i].built != '\0' && strcmp(v[i].built, v[i].version) != 0;

		printf("  %-15s %s%s%s%s\n", v[i].name, v[i].version,
		       differs ? " (built with " : "", differs ? v[i].built : "",
		       differs ? ")" : "");
	}
	printf("  %-15s %s\n", "build", plx_build_flags());
	return PLX_EXIT_OK;
}

/* scdoc takes these for markup. */
static void
put_escaped(const char *s)
{
	for (; *s != '\0'; s++) {
		if (strchr("_*\\#[<", *s) != NULL)
			putchar('\\');
		putchar(*s);
	}
}

static void
man_key(const struct plx_key *k)
{
	char flag[PLX_KEY_NAME_MAX], env[PLX_KEY_NAME_MAX], format[96];

	plx_key_format(k, format, sizeof(format));
	printf("*");
	put_escaped(k->path);
	printf("* (");
	put_escaped(format);
	if (k->def != NULL && *k->def != '\0') {
		printf("; default ");
		put_escaped(k->def);
	}
	printf(")\n\t");
	put_escaped(k->help);
	printf(".");
	if (k->more != NULL) {
		putchar(' ');
		put_escaped(k->more);
	}
	printf("++\n--");
	put_escaped(plx_key_flag(k, 0, flag));
	if (k->alias != NULL) {
		printf(", --");
		put_escaped(k->alias);
	}
	printf(", ");
	put_escaped(plx_key_env(k, 0, env));
	printf("\n\n");
}

static void
man_page(void)
{
	uint32_t key_cnt, sec_cnt;
	const struct plx_key *k = plx_keys(&key_cnt);
	const struct plx_key_section *s = plx_key_sections(&sec_cnt);

	puts("pollux.yaml(5)\n\n"
	     "; Generated by `pollux keys --man` from the table in config/plx_config_schema.c; "
	     "do not edit.\n\n"
	     "# NAME\n\npollux.yaml - configuration of pollux\n\n"
	     "# DESCRIPTION\n\n"
	     "One YAML file configures every command. All keys are optional. Unknown keys, keys "
	     "given twice and values out of range are refused with the line they stand on; "
	     "*pollux check -c* _file_ looks for them without starting anything, and "
	     "*--dump-config* prints what is in force.\n\n"
	     "Every key is also a flag and an environment variable, as shown with each. A flag "
	     "beats a variable, a variable beats the file, the file beats the default. Keys of "
	     "the second and further ports have a number: --port1-mtu, POLLUX\\_PORT1\\_MTU. A "
	     "flag of a list may be repeated; in a variable ';' separates the items. "
	     "--no-_flag_ sets a boolean to false.\n\n"
	     "Times and sizes are whole numbers with the unit in the key's name (\\_ms, \\_s) or "
	     "in bytes. Quote hex numbers, addresses that begin with a colon, \"on\" and "
	     "\"off\": other YAML tools guess their type. Keys and certificates are named by "
	     "file, never written inline.\n");
	for (uint32_t i = 0; i < sec_cnt; i++) {
		printf("# ");
		if (*s[i].path == '\0')
			printf("TOP LEVEL");
		for (const char *p = s[i].path; *p != '\0'; p++)
			printf(*p == '[' ? "\\%c" : "%c",
			       *p >= 'a' && *p <= 'z' ? *p - 32 : *p);
		printf("\n\n");
		put_escaped(s[i].help);
		printf(".\n\n");
		for (uint32_t j = 0; j < key_cnt; j++) {
			if (plx_key_in(&k[j], s[i].path))
				man_key(&k[j]);
		}
	}
	puts("# SEE ALSO\n\n*pollux*(1), *pollux-doctor*(1)");
}

int
plx_keys_main(struct plx_app_ctx *ctx)
{
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);
	char flag[PLX_KEY_NAME_MAX], env[PLX_KEY_NAME_MAX], format[96];

	if (plx_flags_opt(&ctx->flags, "man") != NULL) {
		man_page();
		return PLX_EXIT_OK;
	}
	for (uint32_t i = 0; i < cnt; i++) {
		plx_key_format(&k[i], format, sizeof(format));
		printf("%s\t--%s\t%s\t%s\t%s\n", k[i].path, plx_key_flag(&k[i], 0, flag),
		       plx_key_env(&k[i], 0, env), format,
		       k[i].def != NULL ? k[i].def : "");
	}
	return PLX_EXIT_OK;
}
