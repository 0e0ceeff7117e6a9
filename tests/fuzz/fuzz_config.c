/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * YAML text into the configuration. What is accepted is written and read again: it must be
 * accepted once more and say the same.
 */
#include <stdlib.h>
#include <string.h>

#include "plx_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
dump(const struct plx_config *c, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (out == NULL || plx_config_dump(c, out) != 0 || fclose(out) != 0)
		abort();
	return text;
}

/* The text of what was read, NULL when it was refused. */
static char *
read_and_dump(const char *text, size_t len, size_t *out_len)
{
	struct plx_config c;
	struct plx_errtext err = {""};
	char *out = NULL;
	int rc;

	if (plx_config_init(&c) != 0)
		abort();
	rc = plx_config_load_text(&c, "fuzz.yaml", text, len, &err);
	if (rc == 0) {
		out = dump(&c, out_len);
		rc = plx_config_check(&c, &err);
	}
	/* A refusal is a sentence. */
	if (rc != 0 && err.s[0] == '\0')
		abort();
	plx_config_fini(&c);
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len, again_len;
	char *text, *again;

	text = read_and_dump((const char *)data, size, &len);
	if (text == NULL)
		return 0;
	again = read_and_dump(text, len, &again_len);
	if (again == NULL || again_len != len || memcmp(again, text, len) != 0)
		abort();
	free(text);
	free(again);
	return 0;
}
