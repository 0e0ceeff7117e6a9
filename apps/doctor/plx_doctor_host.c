/* SPDX-License-Identifier: BSD-3-Clause */
/* Processor, clock, cores, memory, rights. */
#include "plx_doctor.h"

#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numa.h>

#include "plx_eal.h"

/* With less the demo's pools and rings do not fit, MiB. */
#define MEMORY_MIN_MB 256

/* The UMEM of one net_af_xdp queue is about this, MiB. */
#define MEMLOCK_MIN_MB 64

void
plx_doctor_cpu(struct plx_doctor *d)
{
#if defined(__x86_64__)
	bool aes = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
	bool vaes = __builtin_cpu_supports("vaes") && __builtin_cpu_supports("vpclmulqdq");
	bool avx512 =
	        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");

	if (!__builtin_cpu_supports("sse4.2"))
		plx_doctor_say(
		        d, PLX_VERDICT_FAIL, "processor",
		        "use a processor made after 2010, or pass its features to the guest "
		        "(qemu -cpu host)",
		        "SSE4.2 is missing; DPDK does not run");
	else if (!aes)
		plx_doctor_say(
		        d, PLX_VERDICT_WARN, "processor",
		        "pass the host's features to the guest (qemu -cpu host)",
		        "no AES instructions: packet protection is many times slower");
	else
		plx_doctor_say(d, PLX_VERDICT_OK, "processor", "", "AES%s%s",
		               vaes ? ", VAES" : "", avx512 ? ", AVX-512" : "");
#else
	plx_doctor_say(d, PLX_VERDICT_WARN, "processor", "use x86-64 for speed",
	               "not x86-64: packet protection by OpenSSL only");
#endif
}

/* Is a word among the flags of the first processor? */
static bool
cpu_flag(const char *flag)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char *line = NULL;
	size_t sz = 0, len = strlen(flag);
	bool found = false;

	while (f != NULL && !found && getline(&line, &sz, f) > 0) {
		if (strncmp(line, "flags", 5) != 0)
			continue;
		for (const char *p = line; !found && (p = strstr(p, flag)) != NULL;
		     p += len)
			found = p > line && p[-1] == ' ' && strchr(" \n", p[len]) != NULL;
		break;
	}
	free(line);
	if (f != NULL)
		fclose(f);
	return found;
}

void
plx_doctor_clock(struct plx_doctor *d)
{
	char source[64];

	plx_doctor_read("/sys/devices/system/clocksource/clocksource0/current_clocksource",
	                source, sizeof(source));
	if (cpu_flag("constant_tsc") && cpu_flag("nonstop_tsc"))
		plx_doctor_say(d, PLX_VERDICT_OK, "clock", "",
		               "invariant TSC; kernel uses %s",
		               *source != '\0' ? source : "an unknown source");
	else
		plx_doctor_say(
		        d, PLX_VERDICT_WARN, "clock",
		        "in a guest: qemu -cpu host,+invtsc; else measure nothing here",
		        "the TSC is not known to be invariant (kernel uses %s); rates and "
		        "latencies may be wrong",
		        *source != '\0' ? source : "an unknown source");
}

static void
check_isolation(struct plx_doctor *d)
{
	char isolated[256], smt[8];

	plx_doctor_read("/sys/devices/system/cpu/isolated", isolated, sizeof(isolated));
	plx_doctor_read("/sys/devices/system/cpu/smt/active", smt, sizeof(smt));
	if (isolated[0] != '\0')
		plx_doctor_say(d, PLX_VERDICT_OK, "isolation", "",
		               "isolated processors: %s", isolated);
	else
		plx_doctor_say(
		        d, PLX_VERDICT_WARN, "isolation",
		        "kernel command line isolcpus=… nohz_full=… rcu_nocbs=… for the "
		        "workers' processors",
		        "no processor is isolated; latencies will have outliers");
	if (strcmp(smt, "1") == 0)
		plx_doctor_say(d, PLX_VERDICT_WARN, "SMT",
		               "one worker per core (lscpu -e), or echo off > "
		               "/sys/devices/system/cpu/smt/control",
		               "two threads share a core; polling one slows the other");
}

static void
check_governor(struct plx_doctor *d)
{
	char governor[64];

	plx_doctor_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor,
	                sizeof(governor));
	if (governor[0] == '\0')
		plx_doctor_say(d, PLX_VERDICT_OK, "governor", "",
		               "the frequency is not the kernel's to choose");
	else if (strcmp(governor, "performance") == 0)
		plx_doctor_say(d, PLX_VERDICT_OK, "governor", "", "performance");
	else
		plx_doctor_say(d, PLX_VERDICT_WARN, "governor",
		               "cpupower frequency-set -g performance",
		               "%s: the frequency changes while measuring", governor);
}

void
plx_doctor_cores(struct plx_doctor *d)
{
	struct plx_eal_host host;
	uint32_t want = d->ctx->cfg.workers.count + 1;

	plx_eal_host(&host);
	if (host.cpu_cnt < want)
		plx_doctor_say(d, PLX_VERDICT_WARN, "cores",
		               "fewer workers (--workers), or more "
		               "processors",
		               "%" PRIu32 " workers and the control thread share %" PRIu32
		               " processors (%s); fine for trying, slow for measuring",
		               want - 1, host.cpu_cnt, host.cpus);
	else
		plx_doctor_say(d, PLX_VERDICT_OK, "cores", "", "%" PRIu32 " (%s)",
		               host.cpu_cnt, host.cpus);
	check_isolation(d);
	check_governor(d);
}

void
plx_doctor_numa(struct plx_doctor *d)
{
	if (numa_available() < 0)
		plx_doctor_say(d, PLX_VERDICT_OK, "NUMA", "", "the kernel knows one node");
	else
		plx_doctor_say(d, PLX_VERDICT_OK, "NUMA", "", "%d node%s",
		               numa_num_configured_nodes(),
		               numa_num_configured_nodes() == 1 ? ""
		                                                : "s; keep workers on the "
		                                                  "port's (lstopo)");
}

static uint64_t
mem_available_mb(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t kb = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "MemAvailable: %" SCNu64, &kb) == 1)
			break;
	}
	if (f != NULL)
		fclose(f);
	return kb / 1024;
}

static void
check_memlock(struct plx_doctor *d)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_MEMLOCK, &rl) != 0 || rl.rlim_cur == RLIM_INFINITY ||
	    rl.rlim_cur >= (rlim_t)MEMLOCK_MIN_MB << 20 || plx_eal_has_cap(CAP_IPC_LOCK))
		plx_doctor_say(d, PLX_VERDICT_OK, "memlock", "", "enough");
	else
		plx_doctor_say(
		        d, PLX_VERDICT_WARN, "memlock",
		        "ulimit -l unlimited; LimitMEMLOCK=infinity in a unit; or CAP_IPC_LOCK",
		        "only %llu KiB may be locked; vfio and net_af_xdp need more",
		        (unsigned long long)rl.rlim_cur >> 10);
}

void
plx_doctor_memory(struct plx_doctor *d)
{
	struct plx_eal_host host;
	uint64_t free_mb = mem_available_mb();

	plx_eal_host(&host);
	if (host.huge_free_mb > 0)
		plx_doctor_say(d, PLX_VERDICT_OK, "hugepages", "", "%" PRIu64 " MiB free",
		               host.huge_free_mb);
	else
		plx_doctor_say(
		        d, PLX_VERDICT_WARN, "hugepages",
		        "dpdk-hugepages.py --setup 1G (as root)",
		        "none are free; ordinary memory is used, which is slower and which "
		        "NIC drivers refuse");
	if (free_mb + host.huge_free_mb < MEMORY_MIN_MB)
		plx_doctor_say(d, PLX_VERDICT_FAIL, "memory",
		               "free some, or use a larger machine",
		               "%" PRIu64 " MiB are available, %d are the least", free_mb,
		               MEMORY_MIN_MB);
	else
		plx_doctor_say(d, PLX_VERDICT_OK, "memory", "", "%" PRIu64 " MiB available",
		               free_mb);
	check_memlock(d);
}

void
plx_doctor_rights(struct plx_doctor *d)
{
	static const struct {
		unsigned cap;
		const char *name;
		const char *use;
	} caps[] = {
	        {CAP_NET_RAW, "CAP_NET_RAW", "net_af_packet, net_af_xdp"},
	        {CAP_NET_ADMIN, "CAP_NET_ADMIN", "net_tap, loading XDP programs"},
	        {CAP_IPC_LOCK, "CAP_IPC_LOCK", "net_af_xdp, vfio"},
	        {CAP_BPF, "CAP_BPF", "net_af_xdp"},
	};
	char missing[256] = "", fix[640];
	size_t n = 0;
	char self[256];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[len > 0 ? len : 0] = '\0';
	for (unsigned i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		if (!plx_eal_has_cap(caps[i].cap) && n < sizeof(missing))
			n += (size_t)snprintf(missing + n, sizeof(missing) - n, "%s%s (%s)",
			                      n > 0 ? ", " : "", caps[i].name, caps[i].use);
	}
	if (n == 0) {
		plx_doctor_say(d, PLX_VERDICT_OK, "rights", "",
		               "uid %u, all that drivers ask for", (unsigned)geteuid());
		return;
	}
	snprintf(
	        fix, sizeof(fix),
	        "setcap cap_net_raw,cap_net_admin,cap_ipc_lock,cap_bpf+ep %s, or run as root",
	        self);
	plx_doctor_say(d, PLX_VERDICT_WARN, "rights", fix,
	               "uid %u lacks %s; demo, net_ring and net_memif need none of them",
	               (unsigned)geteuid(), missing);
}

void
plx_doctor_runtime_dir(struct plx_doctor *d)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR"), *unit = getenv("RUNTIME_DIRECTORY");
	const char *dir = unit != NULL ? unit : getuid() == 0 ? "/var/run" : xdg;

	if (dir != NULL && access(dir, W_OK | X_OK) == 0)
		plx_doctor_say(d, PLX_VERDICT_OK, "runtime directory", "", "%s", dir);
	else if (access("/tmp", W_OK | X_OK) == 0)
		plx_doctor_say(
		        d, PLX_VERDICT_WARN, "runtime directory",
		        "export XDG_RUNTIME_DIR=/run/user/$(id -u); RuntimeDirectory=pollux "
		        "in a unit",
		        "%s cannot be written; each run makes one in /tmp",
		        dir != NULL ? dir
		                    : "none is set, "
		                      "and it");
	else
		plx_doctor_say(d, PLX_VERDICT_FAIL, "runtime directory",
		               "export XDG_RUNTIME_DIR to a directory of yours",
		               "neither %s nor /tmp can be written; DPDK does not start",
		               dir != NULL ? dir : "XDG_RUNTIME_DIR");
}
