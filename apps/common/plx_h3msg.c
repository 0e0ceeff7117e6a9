/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_h3msg.h"

#include <stdlib.h>
#include <string.h>

struct plx_h3_msg *
plx_h3_msg_make(const struct plx_h3_pair *f, uint16_t cnt)
{
	size_t sz = sizeof(struct plx_h3_msg) + cnt * sizeof(struct plx_h3_field);
	struct plx_h3_msg *m;
	char *s;

	for (uint16_t i = 0; i < cnt; i++)
		sz += strlen(f[i].name) + strlen(f[i].value);
	m = calloc(1, sz);
	if (m == NULL)
		return NULL;
	m->cnt = cnt;
	s = (char *)&m->field[cnt];
	for (uint16_t i = 0; i < cnt; i++) {
		struct plx_h3_field *d = &m->field[i];

		d->name_len = (uint32_t)strlen(f[i].name);
		d->value_len = (uint32_t)strlen(f[i].value);
		d->name = memcpy(s, f[i].name, d->name_len);
		s += d->name_len;
		d->value = memcpy(s, f[i].value, d->value_len);
		s += d->value_len;
	}
	return m;
}

const struct plx_h3_field *
plx_h3_find(const struct plx_h3_head *h, const char *name)
{
	size_t len = strlen(name);

	for (uint16_t i = 0; i < h->cnt; i++)
		if (h->field[i].name_len == len && memcmp(h->field[i].name, name, len) == 0)
			return &h->field[i];
	return NULL;
}

bool
plx_h3_is(const struct plx_h3_field *f, const char *value)
{
	size_t len = strlen(value);

	return f != NULL && f->value_len == len && memcmp(f->value, value, len) == 0;
}
