/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "plx_ethdev_pvt.h"

const char *
plx_ethdev_want_name(uint8_t want)
{
	static const char *const name[PLX_ETHDEV_WANT_CNT] = {"off", "prefer", "require"};

	return want < PLX_ETHDEV_WANT_CNT ? name[want] : "?";
}

void
plx_ethdev_row_add(struct plx_ethdev *e, const char *property, const char *wanted,
                   const char *got, const char *fallback)
{
	struct plx_ethdev_row *r;

	if (e->row_cnt == PLX_ETHDEV_ROWS_MAX)
		return;
	r = &e->row[e->row_cnt++];
	snprintf(r->property, sizeof(r->property), "%s", property);
	snprintf(r->wanted, sizeof(r->wanted), "%s", wanted);
	snprintf(r->got, sizeof(r->got), "%s", got);
	snprintf(r->fallback, sizeof(r->fallback), "%s", fallback);
}

size_t
plx_ethdev_format(const struct plx_ethdev_row *row, uint32_t cnt, char *buf, size_t sz)
{
	static const struct plx_ethdev_row head = {"property", "wanted", "got", "fallback"};
	const struct plx_ethdev_row *r;
	char line[160];
	size_t len = 0;
	int n;

	for (uint32_t i = 0; i <= cnt; i++) {
		r = i == 0 ? &head : &row[i - 1];
		n = snprintf(line, sizeof(line), "  %-17s %-16s %-28s %s", r->property,
		             r->wanted, r->got, r->fallback);
		while (n > 0 && line[n - 1] == ' ')
			line[--n] = '\0';
		n = snprintf(len < sz ? buf + len : NULL, len < sz ? sz - len : 0, "%s\n",
		             line);
		len += n > 0 ? (size_t)n : 0;
	}
	return len;
}

static const char *
level_name(uint8_t level)
{
	static const char *const name[PLX_SPREAD_CNT] = {"one queue", "unknown", "RSS",
	                                                 "connection ID"};

	return level < PLX_SPREAD_CNT ? name[level] : "?";
}

/** Rows of a port that keeps none: another driver's, or one attached. */
static uint32_t
rows_of_pio(const struct plx_pio *p, struct plx_ethdev_row *rows, uint32_t max)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} off[] = {
	        {PLX_OFF_RX_IP_CKSUM, "rx IP checksum"},
	        {PLX_OFF_RX_UDP_CKSUM, "rx UDP checksum"},
	        {PLX_OFF_TX_IP_CKSUM, "tx IP checksum"},
	        {PLX_OFF_TX_UDP_CKSUM, "tx UDP checksum"},
	        {PLX_OFF_NO_CKSUM, "no checksums"},
	};
	struct plx_ethdev e;
	char got[40];

	e.row_cnt = 0;

	plx_ethdev_row_add(&e, "driver", "-", p->ops->name, "");
	snprintf(got, sizeof(got), "%u rx, %u tx", p->rxq_cnt, p->txq_cnt);
	plx_ethdev_row_add(&e, "queues", "-", got, "");
	snprintf(got, sizeof(got), "%u", p->mtu);
	plx_ethdev_row_add(&e, "MTU", "-", got, "");
	for (uint32_t i = 0; i < RTE_DIM(off); i++)
		plx_ethdev_row_add(
		        &e, off[i].name, (p->off_want & off[i].bit) ? "yes" : "off",
		        (p->off_got & off[i].bit) ? "yes" : "no",
		        (p->off_want & ~p->off_got & off[i].bit) ? "software" : "");
	plx_ethdev_row_add(&e, "spread", "-", level_name(p->plan.level), "");
	max = RTE_MIN(max, e.row_cnt);
	memcpy(rows, e.row, max * sizeof(*rows));
	return max;
}

uint32_t
plx_ethdev_rows(const struct plx_pio *p, struct plx_ethdev_row *rows, uint32_t max)
{
	const struct plx_ethdev *e = p->priv;

	if (p->ops != &plx_ethdev_ops || e->row_cnt == 0)
		return rows_of_pio(p, rows, max);
	max = RTE_MIN(max, e->row_cnt);
	memcpy(rows, e->row, max * sizeof(*rows));
	return max;
}

void
plx_ethdev_print_table(const struct plx_pio *p, FILE *f)
{
	struct plx_ethdev_row rows[PLX_ETHDEV_ROWS_MAX];
	char text[PLX_ETHDEV_ERR_SZ];
	uint32_t cnt = plx_ethdev_rows(p, rows, PLX_ETHDEV_ROWS_MAX);

	plx_ethdev_format(rows, cnt, text, sizeof(text));
	fprintf(f, "port %s\n%s", p->name, text);
}
