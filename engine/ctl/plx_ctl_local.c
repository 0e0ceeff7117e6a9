/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_ctl_local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plx_sim.h"
#include "plx_tls.h"

struct plx_ctl_wire {
	struct plx_sim *sim;
};

static void
wire_cfg(struct plx_sim_cfg *c, uint16_t queues, uint64_t seed)
{
	*c = (struct plx_sim_cfg){
	        .name = "wire",
	        .ports = 2,
	        .queues = {queues, queues},
	        .seed = seed,
	        .no_cksum = true,
	        .ring_cnt = 2048,
	        .socket_id = -1,
	};
}

uint32_t
plx_ctl_wire_mem_mb(uint16_t queues)
{
	struct plx_sim_cfg c;

	wire_cfg(&c, queues, 1);
	return (uint32_t)(plx_sim_mem_need(&c) >> 20) + 1;
}

int
plx_ctl_wire_open(struct plx_ctl_wire **out, uint16_t queues, uint64_t seed)
{
	struct plx_ctl_wire *w = calloc(1, sizeof(*w));
	struct plx_sim_cfg c;
	int rc;

	*out = NULL;
	if (w == NULL)
		return PLX_E_NOMEM;
	wire_cfg(&c, queues, seed);
	rc = plx_sim_new(&w->sim, &c);
	if (rc != 0) {
		free(w);
		return rc;
	}
	*out = w;
	return 0;
}

struct plx_pio *
plx_ctl_wire_port(struct plx_ctl_wire *w, uint16_t end)
{
	return plx_sim_port(w->sim, end);
}

uint64_t
plx_ctl_wire_drops(const struct plx_ctl_wire *w,
                   void (*fn)(void *arg, const char *name, const char *text, uint64_t n),
                   void *arg)
{
	uint64_t sum = 0;

	for (int r = PLX_DROP_NONE + 1; r < PLX_DROP_CNT; r++) {
		uint64_t n = plx_sim_get_drop(w->sim, 0, (enum plx_drop)r) +
		             plx_sim_get_drop(w->sim, 1, (enum plx_drop)r);

		sum += n;
		if (n > 0 && fn != NULL)
			fn(arg, plx_drop_name((enum plx_drop)r),
			   plx_drop_text((enum plx_drop)r), n);
	}
	return sum;
}

void
plx_ctl_wire_close(struct plx_ctl_wire *w)
{
	if (w == NULL)
		return;
	plx_sim_free(w->sim);
	free(w);
}

int
plx_ctl_cert_make(struct plx_ctl_cert *c, const char *name)
{
	size_t len;
	int rc;

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	rc = plx_tls_self_signed(name, false, NULL, &c->cert_pem, &c->key_pem);
	if (rc != 0)
		return rc;
	/* OpenSSL reads trust stores from files; this one has no name in any directory. */
	c->fd = memfd_create("plx-ca", MFD_CLOEXEC);
	len = strlen(c->cert_pem);
	if (c->fd < 0 || write(c->fd, c->cert_pem, len) != (ssize_t)len) {
		plx_ctl_cert_free(c);
		return PLX_E_IO;
	}
	snprintf(c->ca_file, sizeof(c->ca_file), "/proc/self/fd/%d", c->fd);
	return 0;
}

void
plx_ctl_cert_free(struct plx_ctl_cert *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->cert_pem);
	if (c->key_pem != NULL)
		explicit_bzero(c->key_pem, strlen(c->key_pem));
	free(c->key_pem);
	c->cert_pem = c->key_pem = NULL;
	c->fd = -1;
}
