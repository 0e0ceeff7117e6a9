/* SPDX-License-Identifier: BSD-3-Clause */
/* The argument vector for EAL, from configuration and machine. */
#include "plx_eal.h"

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What EAL itself and DPDK's libraries take from the same memory, MiB (about 6 measured). */
#define EAL_OWN_MB 16

static void
list_cpus(struct plx_eal_host *h)
{
	cpu_set_t set;
	size_t n = 0;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		CPU_SET(0, &set);
	h->cpu_cnt = (uint32_t)CPU_COUNT(&set);
	h->cpus[0] = '\0';
	for (int i = 0; i < CPU_SETSIZE; i++) {
		int first = i;

		if (!CPU_ISSET(i, &set))
			continue;
		while (i + 1 < CPU_SETSIZE && CPU_ISSET(i + 1, &set))
			i++;
		if (n + 16 > sizeof(h->cpus))
			break;
		n += (size_t)snprintf(h->cpus + n, sizeof(h->cpus) - n,
		                      i > first ? "%s%d-%d" : "%s%d", n > 0 ? "," : "",
		                      first, i);
	}
}

static uint64_t
read_number(const char *dir, const char *entry, const char *file)
{
	char path[512];
	unsigned long long v = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%.200s/%s", dir, entry, file);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &v) != 1)
		v = 0;
	fclose(f);
	return v;
}

static uint64_t
free_hugepages_mb(void)
{
	static const char dir[] = "/sys/kernel/mm/hugepages";
	DIR *d = opendir(dir);
	uint64_t mb = 0;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		unsigned long kb;

		if (sscanf(e->d_name, "hugepages-%lukB", &kb) == 1)
			mb += read_number(dir, e->d_name, "free_hugepages") * kb / 1024;
	}
	if (d != NULL)
		closedir(d);
	return mb;
}

static uint64_t
available_mb(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kb = 0;
	char line[128];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "MemAvailable: %llu", &kb) == 1)
			break;
	}
	if (f != NULL)
		fclose(f);
	return kb / 1024;
}

void
plx_eal_host(struct plx_eal_host *h)
{
	memset(h, 0, sizeof(*h));
	list_cpus(h);
	h->huge_free_mb = free_hugepages_mb();
	h->mem_free_mb = available_mb();
	h->pid = (long)getpid();
}

bool
plx_eal_has_cap(unsigned cap)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	unsigned long long caps = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	}
	if (f != NULL)
		fclose(f);
	return (caps >> cap & 1) != 0;
}

/* Is one of the words (';' between them), or word=value, among the arguments? */
static bool
has(const struct plx_strv *l, const char *words)
{
	for (uint32_t i = 0; i < l->cnt; i++) {
		size_t len = strcspn(l->v[i], "=");
		const char *w = words;

		/* -l0-3 and -m64 are spelt in one word too. */
		if (l->v[i][0] == '-' && l->v[i][1] != '-' && len > 2)
			len = 2;
		while (*w != '\0') {
			size_t n = strcspn(w, ";");

			if (n == len && strncmp(w, l->v[i], n) == 0)
				return true;
			w += n + (w[n] == ';');
		}
	}
	return false;
}

static bool
is_pci(const char *s)
{
	unsigned d, b, s_, f;
	char end;

	return sscanf(s, "%x:%x:%x.%u%c", &d, &b, &s_, &f, &end) == 4 ||
	       sscanf(s, "%x:%x.%u%c", &b, &s_, &f, &end) == 3;
}

struct memory {
	bool no_huge;
	bool in_memory;
	uint32_t mb; /* 0: let EAL grow on demand */
};

static int
choose_memory(const struct plx_config *c, const struct plx_strv *extra,
              const struct plx_eal_want *want, const struct plx_eal_host *host,
              struct memory *m, struct plx_errtext *err)
{
	uint32_t need = want->memory_mb + EAL_OWN_MB;

	m->no_huge = c->eal.no_huge == PLX_TRI_TRUE || has(extra, "--no-huge");
	m->in_memory = c->eal.in_memory == PLX_TRI_TRUE || has(extra, "--in-memory");
	if (m->no_huge && m->in_memory) {
		plx_errtext_set(err,
		                "--no-huge and --in-memory exclude each other (EAL refuses "
		                "the pair); give one of them");
		return PLX_E_CONFIG;
	}
	if (c->eal.memory_mb != 0 && c->eal.memory_mb < need) {
		plx_errtext_set(
		        err,
		        "too little memory: this run needs %" PRIu32 " MiB, eal.memory_mb "
		        "is %" PRIu32 "; use --eal-memory-mb %" PRIu32 " or leave it out",
		        need, c->eal.memory_mb, need);
		return PLX_E_NOMEM;
	}
	if (!m->no_huge && c->eal.no_huge == PLX_TRI_AUTO && !m->in_memory)
		m->no_huge = host->huge_free_mb < need;
	if (!m->no_huge && host->huge_free_mb < need) {
		plx_errtext_set(
		        err,
		        "too few hugepages: this run needs %" PRIu32 " MiB, %" PRIu64
		        " MiB are free; reserve them (dpdk-hugepages.py --setup %" PRIu32
		        "M) or use --eal-no-huge true",
		        need, host->huge_free_mb, need);
		return PLX_E_NOMEM;
	}
	if (!m->no_huge && c->eal.in_memory == PLX_TRI_AUTO)
		m->in_memory = true;
	m->mb = c->eal.memory_mb != 0 ? c->eal.memory_mb : m->no_huge ? need : 0;
	/* EAL would try to map it for minutes, and the kernel would end somebody's process. */
	if (m->no_huge && host->mem_free_mb != 0 && m->mb > host->mem_free_mb) {
		plx_errtext_set(err,
		                "too little memory: %" PRIu32 " MiB are asked for, %" PRIu64
		                " MiB are free; use fewer workers or queues, or a smaller "
		                "--eal-memory-mb (%" PRIu32 " is the least)",
		                m->mb, host->mem_free_mb, need);
		return PLX_E_NOMEM;
	}
	if (!m->no_huge && m->mb > host->huge_free_mb) {
		plx_errtext_set(err,
		                "too few hugepages: eal.memory_mb is %" PRIu32 ", %" PRIu64
		                " MiB are free; reserve them (dpdk-hugepages.py --setup "
		                "%" PRIu32 "M) or leave it out",
		                m->mb, host->huge_free_mb, m->mb);
		return PLX_E_NOMEM;
	}
	return 0;
}

static int
add_memory(const struct memory *m, const struct plx_config *c, const struct plx_strv *extra,
           struct plx_strv *out)
{
	int rc = 0;

	if (m->no_huge) {
		rc |= has(extra, "--no-huge") ? 0 : plx_strv_add(out, "--no-huge");
		rc |= has(extra, "--no-shconf") ? 0 : plx_strv_add(out, "--no-shconf");
	} else if (m->in_memory) {
		rc |= has(extra, "--in-memory") ? 0 : plx_strv_add(out, "--in-memory");
	}
	if (m->mb != 0 && !has(extra, "-m;--socket-mem"))
		rc |= plx_strv_add(out, "-m") | plx_strv_addf(out, "%" PRIu32, m->mb);
	if (!m->no_huge && *c->eal.huge_dir != '\0')
		rc |= plx_strv_addf(out, "--huge-dir=%s", c->eal.huge_dir);
	return rc;
}

/* (0-4)@(0,1): every lcore may run on every processor, so there may be more lcores. */
static int
add_lcores(const struct plx_config *c, const struct plx_strv *extra,
           const struct plx_eal_want *want, const struct plx_eal_host *host,
           struct plx_strv *out)
{
	uint32_t last = want->lcore_cnt > 1 ? want->lcore_cnt - 1 : 0;

	if (has(extra, "-l;-c;--lcores;-s;-S"))
		return 0;
	if (*c->eal.lcores != '\0')
		return plx_strv_addf(out, "--lcores=%s", c->eal.lcores);
	if (last == 0)
		return plx_strv_addf(out, "--lcores=0@(%s)", host->cpus);
	return plx_strv_addf(out, "--lcores=(0-%" PRIu32 ")@(%s)", last, host->cpus);
}

static int
add_devices(const struct plx_config *c, const struct plx_strv *extra, struct plx_strv *out)
{
	bool pci = c->eal.allow.cnt > 0 || has(extra, "-a;--allow;-b;--block");
	int rc = 0;

	for (uint32_t i = 0; i < c->eal.allow.cnt; i++)
		rc |= plx_strv_addf(out, "--allow=%s", c->eal.allow.v[i]);
	for (uint32_t i = 0; i < c->port_cnt; i++) {
		if (!is_pci(c->ports[i].match))
			continue;
		pci = true;
		rc |= plx_strv_addf(out, "--allow=%s", c->ports[i].match);
	}
	if (!pci && !has(extra, "--no-pci"))
		rc |= plx_strv_add(out, "--no-pci");
	for (uint32_t i = 0; i < c->eal.vdev.cnt; i++)
		rc |= plx_strv_addf(out, "--vdev=%s", c->eal.vdev.v[i]);
	return rc;
}

int
plx_eal_args(const struct plx_config *c, const struct plx_strv *extra,
             const struct plx_eal_want *want, const struct plx_eal_host *host,
             struct plx_strv *out, struct plx_errtext *err)
{
	/* DPDK speaks up at warnings; its notices and infos are for its own developers. */
	static const char *const level[] = {"error", "warning", "warning", "debug"};
	struct plx_strv all = {0};
	struct memory m = {0};
	int rc = 0;

	for (uint32_t i = 0; i < c->eal.extra.cnt; i++)
		rc |= plx_strv_add(&all, c->eal.extra.v[i]);
	for (uint32_t i = 0; i < extra->cnt; i++)
		rc |= plx_strv_add(&all, extra->v[i]);
	if (rc == 0)
		rc = choose_memory(c, &all, want, host, &m, err);
	else
		plx_errtext_set(err, "out of memory");
	if (rc != 0) {
		plx_strv_clear(&all);
		return rc;
	}

	rc = plx_strv_add(out, "pollux");
	rc |= add_lcores(c, &all, want, host, out);
	rc |= add_memory(&m, c, &all, out);
	rc |= add_devices(c, &all, out);
	if (!has(&all, "--file-prefix") && *c->eal.file_prefix != '\0')
		rc |= plx_strv_addf(out, "--file-prefix=%s", c->eal.file_prefix);
	else if (!has(&all, "--file-prefix"))
		rc |= plx_strv_addf(out, "--file-prefix=pollux-%ld", host->pid);
	if (!has(&all, "--iova-mode"))
		rc |= plx_strv_add(out, "--iova-mode=va");
	if (!c->telemetry.dpdk && !has(&all, "--telemetry;--no-telemetry"))
		rc |= plx_strv_add(out, "--no-telemetry");
	if (!has(&all, "--log-level"))
		rc |= plx_strv_addf(out, "--log-level=*:%s", level[c->log.level]);
	for (uint32_t i = 0; i < all.cnt; i++)
		rc |= plx_strv_add(out, all.v[i]);
	plx_strv_clear(&all);
	if (rc != 0) {
		plx_errtext_set(err, "out of memory");
		return PLX_E_NOMEM;
	}
	return 0;
}
