/* SPDX-License-Identifier: BSD-3-Clause */
/* Flags and environment variables, both derived from the table of keys. */
#include "plx_config_flags.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "port-mtu" and "port3-mtu" name a port; any other flag keeps its name and port 0. */
static uint32_t
port_of_flag(const char *flag, char plain[PLX_KEY_NAME_MAX])
{
	uint32_t port = 0;
	const char *p = flag + 4;

	snprintf(plain, PLX_KEY_NAME_MAX, "%.63s", flag);
	if (strncmp(flag, "port", 4) != 0 || !isdigit((unsigned char)*p))
		return 0;
	for (; isdigit((unsigned char)*p) && port < 1000; p++)
		port = port * 10 + (uint32_t)(*p - '0');
	if (*p == '-')
		snprintf(plain, PLX_KEY_NAME_MAX, "port%.58s", p);
	return port;
}

static bool
is_flag_of(const struct plx_key *k, const char *plain, bool aliases)
{
	char name[PLX_KEY_NAME_MAX];

	return strcmp(plx_key_flag(k, 0, name), plain) == 0 ||
	       (aliases && k->alias != NULL && strcmp(k->alias, plain) == 0);
}

static const struct plx_key *
find_key(const char *flag, bool aliases, uint32_t *port)
{
	char plain[PLX_KEY_NAME_MAX];
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);

	*port = port_of_flag(flag, plain);
	for (uint32_t i = 0; i < cnt; i++) {
		if (is_flag_of(&k[i], plain, aliases))
			return &k[i];
	}
	return NULL;
}

static const struct plx_opt *
find_opt(const struct plx_flags_spec *spec, const char *name)
{
	for (const struct plx_opt *o = spec->opts; o != NULL && o->name != NULL; o++) {
		if (strcmp(o->name, name) == 0)
			return o;
	}
	return NULL;
}

static int
refuse_unknown(const struct plx_flags_spec *spec, const char *typed,
               struct plx_errtext *err)
{
	char name[PLX_KEY_NAME_MAX], best[PLX_KEY_NAME_MAX] = "";
	struct plx_guess g = {0};
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);

	for (const struct plx_opt *o = spec->opts; o != NULL && o->name != NULL; o++)
		plx_guess_offer(&g, typed, o->name);
	for (uint32_t i = 0; i < cnt; i++) {
		if (k[i].alias != NULL)
			plx_guess_offer(&g, typed, k[i].alias);
	}
	if (g.best != NULL)
		snprintf(best, sizeof(best), "%.63s", g.best);
	for (uint32_t i = 0; i < cnt; i++) {
		unsigned dist = g.dist;
		const char *was = g.best;

		plx_guess_offer(&g, typed, plx_key_flag(&k[i], 0, name));
		if (g.best == name && (was == NULL || g.dist < dist))
			snprintf(best, sizeof(best), "%.63s", name);
		/* name is written again in the next round; what counts is kept in best. */
		if (g.best != NULL)
			g.best = best;
	}
	if (best[0] != '\0')
		plx_errtext_set(err, "unknown flag '--%s'; did you mean '--%s'?", typed,
		                best);
	else
		plx_errtext_set(err, "unknown flag '--%s'; 'pollux %s --help' lists them",
		                typed, spec->cmd);
	return PLX_E_CONFIG;
}

static int
add_key(struct plx_flags *f, const struct plx_key *k, uint32_t port, const char *flag,
        const char *text)
{
	struct plx_flag_set *s = realloc(f->set, (f->set_cnt + 1) * sizeof(*s));

	if (s == NULL)
		return PLX_E_NOMEM;
	f->set = s;
	s = &s[f->set_cnt];
	*s = (struct plx_flag_set){.key = k, .port = port};
	if (asprintf(&s->flag, "--%s", flag) < 0) {
		s->flag = NULL;
		return PLX_E_NOMEM;
	}
	s->text = strdup(text);
	f->set_cnt++;
	return s->text != NULL ? 0 : PLX_E_NOMEM;
}

static int
add_opt(struct plx_flags *f, const char *name, const char *arg)
{
	if (plx_strv_add(&f->opt_names, name) != 0 || plx_strv_add(&f->opt_args, arg) != 0)
		return PLX_E_NOMEM;
	return 0;
}

/*
 * One flag. value is what stood behind '=' or NULL; next is the following argument or NULL.
 * *used_next says whether it was taken.
 */
static int
take_flag(struct plx_flags *f, const struct plx_flags_spec *spec, const char *name,
          const char *value, const char *next, bool *used_next, struct plx_errtext *err)
{
	const struct plx_opt *o = find_opt(spec, name);
	const struct plx_key *k = NULL;
	uint32_t port = 0;
	bool takes;

	if (o == NULL) {
		k = find_key(name, true, &port);
		if (k == NULL && strncmp(name, "no-", 3) == 0) {
			k = find_key(name + 3, true, &port);
			if (k != NULL && k->type == PLX_KEY_BOOL && value == NULL)
				return add_key(f, k, port, name, "false");
			k = NULL;
		}
		if (k == NULL)
			return refuse_unknown(spec, name, err);
		if (k->type == PLX_KEY_BOOL && value == NULL)
			return add_key(f, k, port, name, "true");
		takes = true;
	} else {
		takes = o->arg != NULL;
	}
	if (!takes && value != NULL) {
		plx_errtext_set(err, "--%s takes no value", name);
		return PLX_E_CONFIG;
	}
	if (takes && value == NULL) {
		if (next == NULL) {
			plx_errtext_set(err, "--%s needs a value", name);
			return PLX_E_CONFIG;
		}
		value = next;
		*used_next = true;
	}
	if (o != NULL)
		return add_opt(f, name, takes ? value : "");
	return add_key(f, k, port, name, value);
}

static int
take_short(struct plx_flags *f, const struct plx_flags_spec *spec, const char *arg,
           const char *next, bool *used_next, struct plx_errtext *err)
{
	for (const struct plx_short *s = spec->shorts; s != NULL && s->letter != '\0';
	     s++) {
		if (s->letter == arg[1])
			return take_flag(f, spec, s->flag, arg[2] != '\0' ? arg + 2 : NULL,
			                 next, used_next, err);
	}
	plx_errtext_set(err, "unknown flag '%s'; 'pollux %s --help' lists them", arg,
	                spec->cmd);
	return PLX_E_CONFIG;
}

int
plx_flags_parse(struct plx_flags *f, const struct plx_flags_spec *spec, int argc,
                char *const *argv, struct plx_errtext *err)
{
	int rc = 0, i;

	for (i = 0; i < argc && rc == 0; i++) {
		const char *arg = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		const char *eq = strchr(arg, '=');
		bool used_next = false;
		char name[PLX_KEY_NAME_MAX];

		if (strcmp(arg, "--") == 0)
			break;
		if (arg[0] != '-' || arg[1] == '\0') {
			rc = plx_strv_add(&f->operands, arg);
		} else if (arg[1] != '-') {
			rc = take_short(f, spec, arg, next, &used_next, err);
		} else {
			size_t len = eq != NULL ? (size_t)(eq - arg) - 2 : strlen(arg) - 2;

			snprintf(name, sizeof(name), "%.*s", (int)(len < 60 ? len : 60),
			         arg + 2);
			rc = take_flag(f, spec, name, eq != NULL ? eq + 1 : NULL, next,
			               &used_next, err);
		}
		i += used_next;
	}
	for (i++; i < argc && rc == 0; i++)
		rc = plx_strv_add(&f->eal, argv[i]);
	if (rc == PLX_E_NOMEM)
		plx_errtext_set(err, "out of memory");
	return rc;
}

void
plx_flags_fini(struct plx_flags *f)
{
	for (uint32_t i = 0; i < f->set_cnt; i++) {
		free(f->set[i].flag);
		free(f->set[i].text);
	}
	free(f->set);
	plx_strv_clear(&f->opt_names);
	plx_strv_clear(&f->opt_args);
	plx_strv_clear(&f->operands);
	plx_strv_clear(&f->eal);
	memset(f, 0, sizeof(*f));
}

const char *
plx_flags_opt(const struct plx_flags *f, const char *name)
{
	const char *arg = NULL;

	for (uint32_t i = 0; i < f->opt_names.cnt; i++) {
		if (strcmp(f->opt_names.v[i], name) == 0)
			arg = f->opt_args.v[i];
	}
	return arg;
}

int
plx_flags_apply(const struct plx_flags *f, struct plx_config *c, struct plx_errtext *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < f->set_cnt && rc == 0; i++) {
		const struct plx_flag_set *s = &f->set[i];
		bool again = false;

		for (uint32_t j = 0; j < i; j++)
			again |= f->set[j].key == s->key && f->set[j].port == s->port;
		rc = plx_config_set(c, s->key, s->port, s->text, again, s->flag, err);
	}
	return rc;
}

/* "POLLUX_PORT3_MTU=9000" names key ports[].mtu of port 3; *value is then "9000". */
static const struct plx_key *
find_env(const char *var, uint32_t *port, const char **value)
{
	char flag[PLX_KEY_NAME_MAX];
	const char *eq = strchr(var, '=');
	size_t n = 0;

	if (eq == NULL || (size_t)(eq - var) >= sizeof(flag) + 7)
		return NULL;
	for (const char *p = var + 7; p < eq; p++)
		flag[n++] = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
	flag[n] = '\0';
	*value = eq + 1;
	/* Aliases are for typing: POLLUX_ROOT and the like belong to others. */
	return find_key(flag, false, port);
}

/* Does a variable that names no key begin like one? Then it is a mistake, not somebody else's. */
static bool
looks_ours(const char *var)
{
	uint32_t cnt;
	const struct plx_key_section *s = plx_key_sections(&cnt);

	if (strncmp(var, "POLLUX_PORT", 11) == 0)
		return true;
	for (uint32_t i = 1; i < cnt; i++) {
		size_t len = strlen(s[i].path);

		if (strpbrk(s[i].path, ".[") == NULL &&
		    strncasecmp(var + 7, s[i].path, len) == 0 && var[7 + len] == '_')
			return true;
	}
	return false;
}

static int
env_list(struct plx_config *c, const struct plx_key *k, uint32_t port, const char *value,
         const char *where, struct plx_errtext *err)
{
	char *copy = strdup(value), *save = NULL;
	int rc = plx_config_set(c, k, port, "", false, where, err);

	if (copy == NULL)
		return PLX_E_NOMEM;
	for (char *item = strtok_r(copy, ";", &save); item != NULL && rc == 0;
	     item = strtok_r(NULL, ";", &save))
		rc = plx_config_set(c, k, port, item, true, where, err);
	free(copy);
	return rc;
}

int
plx_config_env(struct plx_config *c, char *const *envp, struct plx_errtext *err)
{
	int rc = 0;

	for (; *envp != NULL && rc == 0; envp++) {
		const struct plx_key *k;
		const char *value = "";
		uint32_t port = 0;
		char where[PLX_KEY_NAME_MAX];

		if (strncmp(*envp, "POLLUX_", 7) != 0)
			continue;
		snprintf(where, sizeof(where), "%.*s", (int)strcspn(*envp, "="), *envp);
		k = find_env(*envp, &port, &value);
		if (k == NULL && looks_ours(*envp)) {
			plx_errtext_set(err,
			                "environment variable %s names no key; "
			                "pollux.yaml(5) lists them",
			                where);
			rc = PLX_E_CONFIG;
		} else if (k != NULL && k->type == PLX_KEY_LIST) {
			rc = env_list(c, k, port, value, where, err);
		} else if (k != NULL) {
			rc = plx_config_set(c, k, port, value, false, where, err);
		}
	}
	return rc;
}
