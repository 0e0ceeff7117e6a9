/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_obs.h"

struct obs_entry {
	const char *name;
	const char *text;
};

static const struct obs_entry drop_table[PLX_DROP_CNT] = {
        [PLX_DROP_NONE] = {"NONE", "not dropped"},
#define DROP_ENTRY(name, text) [PLX_DROP_##name] = {#name, text},
        PLX_DROP_LIST(DROP_ENTRY)
#undef DROP_ENTRY
};

static const struct obs_entry count_table[PLX_COUNT_CNT] = {
#define COUNT_ENTRY(name, text) [PLX_COUNT_##name] = {#name, text},
        PLX_COUNT_LIST(COUNT_ENTRY)
#undef COUNT_ENTRY
};

static const struct obs_entry *
entry(const struct obs_entry *table, unsigned cnt, unsigned idx)
{
	static const struct obs_entry unknown = {"?", "?"};

	return idx < cnt ? &table[idx] : &unknown;
}

const char *
plx_drop_name(enum plx_drop r)
{
	return entry(drop_table, PLX_DROP_CNT, r)->name;
}

const char *
plx_drop_text(enum plx_drop r)
{
	return entry(drop_table, PLX_DROP_CNT, r)->text;
}

const char *
plx_count_name(enum plx_count c)
{
	return entry(count_table, PLX_COUNT_CNT, c)->name;
}

const char *
plx_count_text(enum plx_count c)
{
	return entry(count_table, PLX_COUNT_CNT, c)->text;
}
