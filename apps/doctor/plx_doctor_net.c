/* SPDX-License-Identifier: BSD-3-Clause */
/* Drivers, IOMMU, and what the configured ports sit on. */
#include "plx_doctor.h"

#include <dirent.h>
#include <dlfcn.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_config.h>

#include "plx_ctl_host.h"

static bool
has_driver(const char *name)
{
	char path[512], symbol[64];

	snprintf(path, sizeof(path), "%s/librte_net_%s.so", RTE_EAL_PMD_PATH, name);
	if (access(path, R_OK) == 0)
		return true;
	/* Linked into the program instead of loaded by EAL. */
	snprintf(symbol, sizeof(symbol), "this_pmd_name_net_%s", name);
	return dlsym(RTLD_DEFAULT, symbol) != NULL;
}

void
plx_doctor_drivers(struct plx_doctor *d)
{
	static const char *const wanted[] = {"ring", "memif", "af_packet", "af_xdp", "tap"};
	char have[128] = "", lack[128] = "", fix[256] = "apt-get install";
	size_t n = 0, m = 0;

	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		char package[48];

		if (has_driver(wanted[i])) {
			n += (size_t)snprintf(have + n, sizeof(have) - n, "%snet_%s",
			                      n > 0 ? ", " : "", wanted[i]);
			continue;
		}
		m += (size_t)snprintf(lack + m, sizeof(lack) - m, "%snet_%s",
		                      m > 0 ? ", " : "", wanted[i]);
		snprintf(package, sizeof(package), " librte-net-%s25", wanted[i]);
		for (char *p = package; *p != '\0'; p++)
			*p = *p == '_' ? '-' : *p;
		strncat(fix, package, sizeof(fix) - strlen(fix) - 1);
	}
	if (n > 0)
		plx_doctor_say(d, PLX_VERDICT_OK, "drivers", "", "%s", have);
	if (m > 0)
		plx_doctor_say(d, n == 0 ? PLX_VERDICT_FAIL : PLX_VERDICT_WARN, "drivers",
		               fix, "not installed: %s (looked in %s)", lack,
		               RTE_EAL_PMD_PATH);
}

static bool
wants_pci(const struct plx_config *c)
{
	bool pci = c->eal.allow.cnt > 0;

	for (uint32_t i = 0; i < c->port_cnt; i++)
		pci |= *c->ports[i].match != '\0';
	return pci;
}

void
plx_doctor_iommu(struct plx_doctor *d)
{
	DIR *groups = opendir("/sys/kernel/iommu_groups");
	const struct dirent *e;
	unsigned cnt = 0;
	bool vfio = access("/dev/vfio/vfio", R_OK | W_OK) == 0;
	/* A run over virtual devices needs neither. */
	enum plx_verdict bad = wants_pci(&d->ctx->cfg) ? PLX_VERDICT_WARN : PLX_VERDICT_OK;

	while (groups != NULL && (e = readdir(groups)) != NULL)
		cnt += e->d_name[0] != '.';
	if (groups != NULL)
		closedir(groups);
	if (vfio && cnt > 0)
		plx_doctor_say(d, PLX_VERDICT_OK, "vfio", "", "ready, %u IOMMU groups",
		               cnt);
	else if (!vfio)
		plx_doctor_say(d, bad, "vfio",
		               bad == PLX_VERDICT_OK
		                       ? ""
		                       : "modprobe vfio-pci; then dpdk-devbind.py "
		                         "-b vfio-pci <address>",
		               "not available; only NICs need it");
	else
		plx_doctor_say(
		        d, bad, "vfio",
		        bad == PLX_VERDICT_OK
		                ? ""
		                : "intel_iommu=on iommu=pt on the kernel command line, or "
		                  "echo 1 > /sys/module/vfio/parameters/"
		                  "enable_unsafe_noiommu_mode",
		        "no IOMMU; only NICs need it");
}

/* One finding per hint; each line holds what is wrong, then the command after "; ". */
static void
check_iface(struct plx_doctor *d, const char *iface)
{
	char text[2048], topic[48], *save = NULL;
	uint32_t hints = plx_ethdev_hints(iface, text, sizeof(text));

	snprintf(topic, sizeof(topic), "device %.32s", iface);
	if (hints == 0) {
		plx_doctor_say(d, PLX_VERDICT_OK, topic, "", "nothing in the way");
		return;
	}
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		char *fix = strstr(line, ": run ");

		if (fix == NULL)
			fix = strstr(line, "; ");
		if (fix != NULL)
			*fix = '\0';
		plx_doctor_say(d,
		               (hints & PLX_HINT_NO_IFACE) != 0 ? PLX_VERDICT_FAIL
		                                                : PLX_VERDICT_WARN,
		               topic, fix != NULL ? fix + 2 : "see ip link, ethtool -k",
		               "%s", line);
	}
}

void
plx_doctor_ports(struct plx_doctor *d)
{
	const struct plx_config *c = &d->ctx->cfg;
	const char *iface = plx_flags_opt(&d->ctx->flags, "iface");
	char name[IF_NAMESIZE];

	if (iface != NULL)
		check_iface(d, iface);
	for (uint32_t i = 0; i < c->port_cnt; i++) {
		for (uint32_t j = 0; j < c->ports[i].vdev.cnt; j++) {
			/* net_tap makes its device; there is nothing to look at before. */
			if (strncmp(c->ports[i].vdev.v[j], "net_tap", 7) == 0 ||
			    !plx_ethdev_iface_of(c->ports[i].vdev.v[j], name,
			                         sizeof(name)) ||
			    (iface != NULL && strcmp(name, iface) == 0))
				continue;
			check_iface(d, name);
		}
	}
}
