/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * URLs and names. Addresses without names are read by plx_text.h.
 *
 * Threads: names are resolved on the control thread, never on a worker.
 * Memory:  results are the caller's.
 */
#ifndef PLX_URL_H
#define PLX_URL_H

#include "plx_text.h"

/** An https URL in parts. */
struct plx_url {
	char host[256]; /**< without brackets; what SNI and certificate are about */
	char authority
	        [272];   /**< as :authority wants it: brackets kept, port when not 443 */
	char path[2048]; /**< begins with '/', with the query, without fragment */
	char file[256];  /**< last part of the path, "index.html" for '/' */
	uint16_t port;   /**< host order */
};

/**
 * plx_url_parse() reads "https://host[:port]/path?query". User names, other schemes, spaces and
 * control characters are refused.
 *
 * @return 0 or PLX_E_INVAL with a sentence that names the URL and what is wrong
 * Thread: any. Owns: nothing. Errors: as returned.
 * Spec:   RFC 3986 section 3, RFC 9114 section 4.3.1
 */
int plx_url_parse(const char *s, struct plx_url *out, struct plx_errtext *err)
        PLX_ANY_THREAD;

/**
 * plx_resolve() gives the addresses of a host, in the order of the resolver.
 *
 * @param family  PLX_FAMILY_NONE for both
 * @param out     room for max addresses, with port
 * @param cnt     [out] 1..max
 * @return 0; PLX_E_NOENT "… does not resolve …" with a sentence
 * Thread: main; may block for as long as the system's resolver does.
 * Owns:   nothing. Errors: as returned.
 */
int plx_resolve(const char *host, uint16_t port, enum plx_family family,
                struct plx_addr *out, uint32_t max, uint32_t *cnt, struct plx_errtext *err)
        PLX_ON_MAIN;

#endif
