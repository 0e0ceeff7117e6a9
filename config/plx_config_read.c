/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The YAML reader. The libcyaml schema is built from the table of keys; every scalar is taken as
 * text and goes through plx_config_set(), as flags and environment do, so that there is one
 * check with one sentence for each mistake.
 *
 * Memory that libcyaml fills: every mapping is an array of slots, one for each key of the whole
 * table and one for each section, so that a key's slot does not depend on the mapping it is in.
 */
#include "plx_config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cyaml/cyaml.h>

#define KEYS_MAX     96
#define SECTIONS_MAX 24
#define SLOT_CNT     (KEYS_MAX + SECTIONS_MAX)

/* A configuration is a page; what is larger is another file given by mistake. */
#define FILE_MAX ((size_t)1024 * 1024)

struct slot {
	void *p;
	uint32_t cnt;
};

struct mapping {
	struct slot slot[SLOT_CNT];
};

struct schema {
	cyaml_schema_field_t field[KEYS_MAX + 2 * SECTIONS_MAX];
	cyaml_schema_value_t top, item, port;
	/* Set to make libcyaml refuse one value and so tell its line; see line_of(). */
	const struct plx_key *refused;
	cyaml_schema_value_t allowed;
};

/* What libcyaml said about a file. */
struct complaint {
	char text[256];
	unsigned line;
};

struct source {
	const char *name;
	const char *text;
	size_t len;
};

static const cyaml_schema_value_t any_text = {
        CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};

/* Sections in which a section stands: "" for "quic", "ports[]" for "ports[].offloads". */
static bool
section_in(const struct plx_key_section *s, const char *parent)
{
	size_t len = (size_t)(plx_key_leaf(s->path) - s->path);

	if (*s->path == '\0')
		return false;
	if (len == 0)
		return *parent == '\0';
	return strlen(parent) == len - 1 && strncmp(s->path, parent, len - 1) == 0;
}

static cyaml_schema_field_t
key_field(const struct schema *s, const struct plx_key *k, uint32_t slot)
{
	cyaml_schema_field_t f = {
	        .key = plx_key_leaf(k->path),
	        .data_offset = (uint32_t)offsetof(struct mapping, slot[slot].p),
	        .value = any_text,
	};
	bool refused = s->refused == k;

	if (k->type == PLX_KEY_LIST) {
		f.count_offset = (uint32_t)offsetof(struct mapping, slot[slot].cnt);
		f.count_size = sizeof(uint32_t);
		f.value = (cyaml_schema_value_t){
		        CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER, char *,
		                             refused ? &s->allowed : &s->item, 0, 64)};
	} else if (refused) {
		f.value = s->allowed;
	}
	f.value.flags = f.value.flags | CYAML_FLAG_OPTIONAL;
	return f;
}

static cyaml_schema_field_t
section_field(const struct schema *s, const struct plx_key_section *sec, uint32_t slot,
              const cyaml_schema_field_t *fields)
{
	cyaml_schema_field_t f = {
	        .key = plx_key_leaf(sec->path),
	        .data_offset = (uint32_t)offsetof(struct mapping, slot[slot].p),
	};

	if (strcmp(sec->path, "ports[]") == 0) {
		f.key = "ports";
		f.count_offset = (uint32_t)offsetof(struct mapping, slot[slot].cnt);
		f.count_size = sizeof(uint32_t);
		f.value = (cyaml_schema_value_t){CYAML_VALUE_SEQUENCE(
		        CYAML_FLAG_POINTER_NULL | CYAML_FLAG_OPTIONAL, struct mapping,
		        &s->port, 0, PLX_CONFIG_PORTS_MAX)};
	} else {
		f.value = (cyaml_schema_value_t){
		        CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER_NULL | CYAML_FLAG_OPTIONAL,
		                            struct mapping, fields)};
	}
	return f;
}

static void
build_schema(struct schema *s)
{
	uint32_t key_cnt, sec_cnt, n = 0, start[SECTIONS_MAX] = {0};
	const struct plx_key *k = plx_keys(&key_cnt);
	const struct plx_key_section *sec = plx_key_sections(&sec_cnt);

	PLX_STATIC_ASSERT(offsetof(struct slot, p) == 0, "lists and texts share a slot");
	s->item = any_text;
	/* Children stand behind their parents in the table, so their fields are made first. */
	for (uint32_t i = sec_cnt; i-- > 0;) {
		start[i] = n;
		for (uint32_t j = 0; j < key_cnt; j++) {
			if (plx_key_in(&k[j], sec[i].path))
				s->field[n++] = key_field(s, &k[j], j);
		}
		for (uint32_t j = 0; j < sec_cnt; j++) {
			if (section_in(&sec[j], sec[i].path))
				s->field[n++] = section_field(s, &sec[j], KEYS_MAX + j,
				                              &s->field[start[j]]);
		}
		s->field[n++] = (cyaml_schema_field_t)CYAML_FIELD_END;
		if (strcmp(sec[i].path, "ports[]") == 0)
			s->port = (cyaml_schema_value_t){CYAML_VALUE_MAPPING(
			        CYAML_FLAG_DEFAULT, struct mapping, &s->field[start[i]])};
	}
	s->top = (cyaml_schema_value_t){CYAML_VALUE_MAPPING(
	        CYAML_FLAG_POINTER, struct mapping, &s->field[start[0]])};
}

static void
take_complaint(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct complaint *c = ctx;
	char line[512];
	const char *p;

	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	p = strstr(line, "(line: ");
	if (p != NULL && c->line == 0)
		c->line = (unsigned)strtoul(p + 7, NULL, 10);
	if (c->text[0] == '\0')
		snprintf(c->text, sizeof(c->text), "%.255s",
		         strncmp(line, "Load: ", 6) == 0 ? line + 6 : line);
}

static cyaml_err_t
load(const struct schema *s, const struct source *src, struct complaint *said,
     struct mapping **out)
{
	cyaml_config_t cfg = {
	        .log_fn = take_complaint,
	        .log_ctx = said,
	        .log_level = CYAML_LOG_ERROR,
	        .mem_fn = cyaml_mem,
	        .flags = CYAML_CFG_DEFAULT,
	};
	cyaml_data_t *data = NULL;
	cyaml_err_t e = cyaml_load_data((const uint8_t *)src->text, src->len, &cfg, &s->top,
	                                &data, NULL);

	*out = data;
	return e;
}

static void
unload(const struct schema *s, struct mapping *m)
{
	cyaml_config_t cfg = {.mem_fn = cyaml_mem};

	cyaml_free(&cfg, &s->top, m, 0);
}

/* First line at or after `from` on which the key stands; libcyaml tells where it was before. */
static unsigned
line_of_key(const struct source *src, const char *key, unsigned from, unsigned skip)
{
	size_t key_len = strlen(key);
	const char *p = src->text, *end = src->text + src->len;

	for (unsigned line = 1; p < end; line++) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		const char *stop = eol != NULL ? eol : end;

		for (const char *q = p; line >= from && q + key_len < stop && *q != '#';
		     q++) {
			const char *after = q + key_len;

			if (memcmp(q, key, key_len) != 0 ||
			    (q > p && strchr(" \t\"'{,-", q[-1]) == NULL))
				continue;
			after += *after == '"' || *after == '\'';
			while (after < stop && *after == ' ')
				after++;
			if (after < stop && *after == ':' && skip-- == 0)
				return line;
		}
		p = stop + 1;
	}
	return from;
}

/*
 * The line of one value: libcyaml forgets lines once a value is accepted, so the text is read
 * again under a schema in which only the values of this key before it are allowed.
 */
static unsigned
line_of_value(const struct source *src, const struct plx_key *k,
              const struct plx_strv *before)
{
	struct schema *s = calloc(1, sizeof(*s));
	cyaml_strval_t *words = calloc(before->cnt + 1, sizeof(*words));
	struct complaint said = {0};
	struct mapping *m = NULL;

	if (s != NULL && words != NULL) {
		for (uint32_t i = 0; i < before->cnt; i++)
			words[i].str = before->v[i];
		s->refused = k;
		s->allowed = (cyaml_schema_value_t){CYAML_VALUE_ENUM(
		        CYAML_FLAG_POINTER | CYAML_FLAG_STRICT, int, words, before->cnt)};
		build_schema(s);
		if (load(s, src, &said, &m) == CYAML_OK)
			unload(s, m);
	}
	free(words);
	free(s);
	return said.line;
}

static bool
is_known_leaf(const char *word, const char **meant)
{
	uint32_t key_cnt, sec_cnt;
	const struct plx_key *k = plx_keys(&key_cnt);
	const struct plx_key_section *sec = plx_key_sections(&sec_cnt);
	struct plx_guess g = {0};

	for (uint32_t i = 0; i < key_cnt; i++)
		plx_guess_offer(&g, word, plx_key_leaf(k[i].path));
	for (uint32_t i = 1; i < sec_cnt; i++)
		plx_guess_offer(&g, word,
		                strcmp(sec[i].path, "ports[]") == 0
		                        ? "ports"
		                        : plx_key_leaf(sec[i].path));
	*meant = g.best;
	return g.best != NULL && g.dist == 0;
}

/* A key that is right in another section: say which. */
static const char *
section_of_leaf(const char *word)
{
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);

	for (uint32_t i = 0; i < cnt; i++) {
		if (strcmp(plx_key_leaf(k[i].path), word) == 0)
			return k[i].path;
	}
	return NULL;
}

static void
explain_unknown(const struct source *src, const char *key, unsigned from,
                struct plx_errtext *err)
{
	unsigned line = line_of_key(src, key, from, 0);
	const char *meant, *path;

	if (is_known_leaf(key, &meant) && (path = section_of_leaf(key)) != NULL)
		plx_errtext_set(err,
		                "%s:%u: key '%s' does not belong here; its place is %s",
		                src->name, line, key, path);
	else if (meant != NULL)
		plx_errtext_set(err, "%s:%u: unknown key '%s'; did you mean '%s'?",
		                src->name, line, key, meant);
	else
		plx_errtext_set(err,
		                "%s:%u: unknown key '%s'; pollux.yaml(5) lists the keys",
		                src->name, line, key);
}

static int
explain(const struct source *src, cyaml_err_t e, const struct complaint *said,
        struct plx_errtext *err)
{
	static const char unexpected[] = "Unexpected key: ",
	                  seen[] = "Mapping field already seen: ";
	static const char yaml[] = "libyaml: ";
	unsigned line = said->line > 0 ? said->line : 1;
	const char *text = said->text;

	if (strncmp(text, unexpected, sizeof(unexpected) - 1) == 0)
		explain_unknown(src, text + sizeof(unexpected) - 1, line, err);
	else if (strncmp(text, seen, sizeof(seen) - 1) == 0)
		plx_errtext_set(err, "%s:%u: key '%s' is given twice", src->name,
		                line_of_key(src, text + sizeof(seen) - 1, line, 1),
		                text + sizeof(seen) - 1);
	else if (strstr(text, "Expecting MAPPING, got event: ") != NULL)
		plx_errtext_set(err, "%s:%u: 'key: value' lines are expected here",
		                src->name, line);
	else if (strstr(text, "Expecting SEQUENCE, got event: ") != NULL)
		plx_errtext_set(err, "%s:%u: a list is expected here; write [\"…\"]",
		                src->name, line);
	else if (strstr(text, "Expecting STRING, got event: ") != NULL)
		plx_errtext_set(
		        err, "%s:%u: one value is expected here, not a list or a section",
		        src->name, line);
	else if (strncmp(text, yaml, sizeof(yaml) - 1) == 0)
		plx_errtext_set(err, "%s:%u: this is not YAML: %s", src->name, line,
		                text + sizeof(yaml) - 1);
	else if (e == CYAML_ERR_OOM)
		plx_errtext_set(err, "%s: out of memory", src->name);
	else
		plx_errtext_set(err, "%s:%u: %s", src->name, line,
		                text[0] != '\0' ? text : cyaml_strerror(e));
	return e == CYAML_ERR_OOM ? PLX_E_NOMEM : PLX_E_CONFIG;
}

/* The mapping in which a key of a section stands, or NULL when the text has none. */
static const struct mapping *
mapping_of(const struct mapping *top, const struct plx_key *k, uint32_t port)
{
	uint32_t cnt;
	const struct plx_key_section *sec = plx_key_sections(&cnt);
	const struct mapping *m = top;

	for (uint32_t i = 1; i < cnt && m != NULL; i++) {
		size_t len = strlen(sec[i].path);

		if (strncmp(k->path, sec[i].path, len) != 0 || k->path[len] != '.')
			continue;
		m = m->slot[KEYS_MAX + i].p;
		if (strcmp(sec[i].path, "ports[]") == 0 && m != NULL)
			m += port;
	}
	return m;
}

static uint32_t
port_cnt_of(const struct mapping *top)
{
	uint32_t cnt;
	const struct plx_key_section *sec = plx_key_sections(&cnt);

	for (uint32_t i = 1; i < cnt; i++) {
		if (strcmp(sec[i].path, "ports[]") == 0)
			return top->slot[KEYS_MAX + i].cnt;
	}
	return 0;
}

static int
apply_text(struct plx_config *c, const struct source *src, const struct plx_key *k,
           uint32_t port, const char *text, bool append, struct plx_strv *before,
           struct plx_errtext *err)
{
	struct plx_errtext why;
	int rc = plx_config_set(c, k, port, text, append, k->path, &why);

	if (rc == PLX_E_CONFIG)
		plx_errtext_set(err, "%s:%u: %s", src->name, line_of_value(src, k, before),
		                why.s);
	else if (rc != 0)
		*err = why;
	else
		rc = plx_strv_add(before, text);
	return rc;
}

static int
apply_key(struct plx_config *c, const struct source *src, const struct mapping *top,
          const struct plx_key *k, uint32_t slot, struct plx_errtext *err)
{
	bool of_port = strncmp(k->path, "ports[].", 8) == 0;
	uint32_t copies = of_port ? port_cnt_of(top) : 1;
	struct plx_strv before = {0};
	int rc = 0;

	for (uint32_t p = 0; p < copies && rc == 0; p++) {
		const struct mapping *m = mapping_of(top, k, p);

		if (m == NULL || m->slot[slot].p == NULL)
			continue;
		if (k->type != PLX_KEY_LIST) {
			rc = apply_text(c, src, k, p, m->slot[slot].p, false, &before, err);
			continue;
		}
		/* "" empties a list; what the text has replaces what was there. */
		rc = plx_config_set(c, k, p, "", false, k->path, err);
		for (uint32_t i = 0; i < m->slot[slot].cnt && rc == 0; i++)
			rc = apply_text(c, src, k, p, ((char **)m->slot[slot].p)[i], true,
			                &before, err);
	}
	plx_strv_clear(&before);
	return rc;
}

/* Ports of the text replace those there are, and exist even when all their keys are defaults. */
static int
make_ports(struct plx_config *c, uint32_t cnt, struct plx_errtext *err)
{
	uint32_t key_cnt, i = 0;
	const struct plx_key *k = plx_keys(&key_cnt);
	int rc = 0;

	while (i < key_cnt && strcmp(k[i].path, "ports[].match") != 0)
		i++;
	for (uint32_t p = 0; p < cnt && rc == 0; p++)
		rc = plx_config_set(c, &k[i], p, "", false, k[i].path, err);
	return rc;
}

static int
apply(struct plx_config *c, const struct source *src, const struct mapping *top,
      struct plx_errtext *err)
{
	uint32_t cnt;
	const struct plx_key *k = plx_keys(&cnt);
	int rc = make_ports(c, port_cnt_of(top), err);

	for (uint32_t i = 0; i < cnt && rc == 0; i++)
		rc = apply_key(c, src, top, &k[i], i, err);
	return rc;
}

int
plx_config_load_text(struct plx_config *c, const char *name, const char *text, size_t len,
                     struct plx_errtext *err)
{
	const struct source src = {.name = name, .text = text, .len = len};
	struct schema *s = calloc(1, sizeof(*s));
	struct complaint said = {0};
	struct mapping *m = NULL;
	cyaml_err_t e;
	int rc = 0;

	if (s == NULL) {
		plx_errtext_set(err, "%s: out of memory", name);
		return PLX_E_NOMEM;
	}
	build_schema(s);
	e = load(s, &src, &said, &m);
	if (e != CYAML_OK)
		rc = explain(&src, e, &said, err);
	else if (m != NULL)
		rc = apply(c, &src, m, err);
	if (e == CYAML_OK)
		unload(s, m);
	free(s);
	return rc;
}

/* Reads a whole file; *len bytes, free with free(). */
static char *
slurp(const char *path, size_t *len, struct plx_errtext *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *buf = NULL;
	ssize_t n = -1;

	if (fd < 0 || fstat(fd, &st) != 0) {
		plx_errtext_set(err, "cannot read %s: %s", path, strerror(errno));
	} else if (S_ISDIR(st.st_mode)) {
		plx_errtext_set(
		        err, "cannot read %s: it is a directory, a YAML file is expected",
		        path);
	} else if ((buf = malloc(FILE_MAX + 1)) == NULL) {
		plx_errtext_set(err, "%s: out of memory", path);
	} else {
		*len = 0;
		while ((n = read(fd, buf + *len, FILE_MAX + 1 - *len)) > 0)
			*len += (size_t)n;
		if (n < 0)
			plx_errtext_set(err, "cannot read %s: %s", path, strerror(errno));
		if (*len > FILE_MAX) {
			plx_errtext_set(err,
			                "%s is larger than %zu KiB, no configuration is",
			                path, FILE_MAX / 1024);
			n = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		free(buf);
		return NULL;
	}
	return buf;
}

int
plx_config_load(struct plx_config *c, const char *path, struct plx_errtext *err)
{
	size_t len;
	char *text = slurp(path, &len, err);
	int rc;

	if (text == NULL)
		return PLX_E_CONFIG;
	rc = plx_config_load_text(c, path, text, len, err);
	free(text);
	return rc;
}
