/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_versions.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>
#include <gnu/libc-version.h>
#include <intel-ipsec-mb.h>
#include <jansson.h>
#include <nghttp3/nghttp3.h>
#include <ngtcp2/ngtcp2.h>
#include <numa.h>
#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <rte_version.h>

/* libnuma does not tell its version; the name of its file does. */
static void
numa_version(char *buf, size_t sz)
{
	Dl_info info;
	char path[PATH_MAX];
	void *sym = dlsym(RTLD_DEFAULT, "numa_available");
	const char *so;

	snprintf(buf, sz, "API %d", LIBNUMA_API_VERSION);
	if (sym == NULL || dladdr(sym, &info) == 0 ||
	    realpath(info.dli_fname, path) == NULL)
		return;
	so = strstr(path, ".so.");
	if (so != NULL)
		snprintf(buf, sz, "%.32s", so + 4);
}

void
plx_versions(struct plx_version v[PLX_VERSION_CNT])
{
	static const struct plx_version fixed[PLX_VERSION_CNT] = {
	        {.name = "DPDK", .minimum = "24.11", .built = ""},
	        {.name = "ngtcp2", .minimum = "1.22.1", .built = NGTCP2_VERSION},
	        {.name = "nghttp3", .minimum = "1.15.0", .built = NGHTTP3_VERSION},
	        {.name = "OpenSSL", .minimum = "3.5.5", .built = OPENSSL_VERSION_STR},
	        {.name = "intel-ipsec-mb", .minimum = "2.0.0", .built = IMB_VERSION_STR},
	        {.name = "libnuma", .minimum = "", .built = ""},
	        {.name = "jansson", .minimum = "2.14", .built = JANSSON_VERSION},
	        {.name = "libcyaml", .minimum = "1.4", .built = ""},
	        {.name = "glibc", .minimum = "", .built = ""},
	};
	const char *dpdk = rte_version();

	memcpy(v, fixed, sizeof(fixed));
	snprintf(v[0].version, sizeof(v[0].version), "%s",
	         strncmp(dpdk, "DPDK ", 5) == 0 ? dpdk + 5 : dpdk);
	snprintf(v[1].version, sizeof(v[1].version), "%s", ngtcp2_version(0)->version_str);
	snprintf(v[2].version, sizeof(v[2].version), "%s", nghttp3_version(0)->version_str);
	snprintf(v[3].version, sizeof(v[3].version), "%s",
	         OpenSSL_version(OPENSSL_VERSION_STRING));
	snprintf(v[4].version, sizeof(v[4].version), "%s", imb_get_version_str());
	numa_version(v[5].version, sizeof(v[5].version));
	snprintf(v[6].version, sizeof(v[6].version), "%s", jansson_version_str());
	snprintf(v[7].version, sizeof(v[7].version), "%s", cyaml_version_str);
	snprintf(v[8].version, sizeof(v[8].version), "%s", gnu_get_libc_version());
}

int
plx_version_cmp(const char *a, const char *b)
{
	for (;;) {
		char *a_end, *b_end;
		unsigned long x = strtoul(a, &a_end, 10), y = strtoul(b, &b_end, 10);

		if (x != y)
			return x < y ? -1 : 1;
		if (*a_end != '.' && *b_end != '.')
			return 0;
		a = *a_end == '.' ? a_end + 1 : "0";
		b = *b_end == '.' ? b_end + 1 : "0";
	}
}

#ifdef PLX_SANITIZE
# define SANITIZE ", sanitizers"
#else
# define SANITIZE ""
#endif
#ifdef PLX_DEBUG
# define CHECKS ", debug checks"
#else
# define CHECKS ""
#endif
#ifdef __OPTIMIZE__
# define OPTIMIZE "optimised"
#else
# define OPTIMIZE "not optimised"
#endif
#ifdef __clang__
# define COMPILER __VERSION__
#else
# define COMPILER "gcc " __VERSION__
#endif

const char *
plx_build_flags(void)
{
	return COMPILER ", " OPTIMIZE SANITIZE CHECKS;
}
