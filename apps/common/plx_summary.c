/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_summary.h"

#include <inttypes.h>

static const char *const shown[] = {
        "rx_pkts",         "tx_pkts",           "rx_dgrams",    "handover_in",
        "handover_out",    "conns_accepted",    "conns_dialed", "conns_refused",
        "handshakes_done", "handshakes_failed", "conns_closed", "path_changes",
        "retries_sent",    "vn_sent",           "resets_sent",  "stream_rx_bytes",
        "stream_tx_bytes", "h3_requests",       "h3_errors",    "echo_rx",
        "events_deferred",
};

static void
drop(void *arg, const char *name, const char *text, uint64_t n)
{
	fprintf(arg, "  drop %-20s %12" PRIu64 "  %s\n", name, n, text);
}

void
plx_summary_print(const struct plx_ctl *c, const char *title, FILE *f)
{
	fprintf(f, "%s:\n", title);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		uint64_t n = plx_ctl_count(c, shown[i]);

		if (n > 0)
			fprintf(f, "  %-25s %12" PRIu64 "\n", shown[i], n);
	}
	for (uint16_t w = 0; plx_ctl_workers(c) > 1 && w < plx_ctl_workers(c); w++)
		fprintf(f,
		        "  worker %u: rx_pkts %" PRIu64 " tx_pkts %" PRIu64
		        " conns_accepted %" PRIu64 " handover_in %" PRIu64 "\n",
		        w, plx_ctl_worker_count(c, w, "rx_pkts"),
		        plx_ctl_worker_count(c, w, "tx_pkts"),
		        plx_ctl_worker_count(c, w, "conns_accepted"),
		        plx_ctl_worker_count(c, w, "handover_in"));
	if (plx_ctl_drops(c, drop, f) == 0)
		fprintf(f, "  no drops\n");
}
