/* SPDX-License-Identifier: BSD-3-Clause */
#include <plx/err.h>

struct err_entry {
	const char *name;
	const char *text;
};

/* Indexed by the value without its sign; the list leaves no hole. */
static const struct err_entry err_table[] = {[0] = {"PLX_OK", "success"},
#define ERR_ENTRY(name, val, text) [val] = {"PLX_E_" #name, text},
                                             PLX_ERR_LIST(ERR_ENTRY)
#undef ERR_ENTRY
};

static const struct err_entry *
find(int err)
{
	static const struct err_entry unknown = {"PLX_E_?", "unknown error"};
	const int cnt = sizeof(err_table) / sizeof(err_table[0]);

	/* Compared before the sign is changed: -INT_MIN is not a number. */
	if (err > 0 || err <= -cnt || err_table[-err].name == NULL)
		return &unknown;
	return &err_table[-err];
}

const char *
plx_strerror(int err)
{
	return find(err)->text;
}

const char *
plx_errname(int err)
{
	return find(err)->name;
}
