/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Reading what people type: numbers, addresses, MACs, hex, and what they probably meant.
 * Every refusal is one sentence that names the text and what would have been right.
 *
 * Threads: any; pure functions.
 * Memory:  none is owned; results and sentences go into structs of the caller.
 */
#ifndef PLX_TEXT_H
#define PLX_TEXT_H

#include <plx/err.h>
#include <plx/types.h>

/** A sentence for the operator, without newline; cut when longer. */
struct plx_errtext {
	char s[640];
};

/** plx_errtext_set() writes the sentence. Thread: any. Owns: nothing. Errors: none. */
void plx_errtext_set(struct plx_errtext *e, const char *fmt, ...) PLX_PRINTF(2, 3)
        PLX_ANY_THREAD;

/** A list of strings; the list owns them. All zero is the empty list. */
struct plx_strv {
	char **v; /**< cnt strings and a NULL, so that it serves as an argv; NULL when empty */
	uint32_t cnt;
};

/**
 * plx_strv_add() appends a copy, plx_strv_addf() a formatted text, plx_strv_clear() frees all.
 *
 * @return 0 or PLX_E_NOMEM (the list is unchanged)
 * Thread: the owner of the list. Owns: the list owns the copies. Errors: as returned.
 */
int plx_strv_add(struct plx_strv *l, const char *s) PLX_ANY_THREAD;
int plx_strv_addf(struct plx_strv *l, const char *fmt, ...) PLX_PRINTF(2, 3) PLX_ANY_THREAD;
void plx_strv_clear(struct plx_strv *l) PLX_ANY_THREAD;

/**
 * plx_near() gives how far two words are from each other: inserted, removed, changed and swapped
 * letters; '-' and '_' are the same letter.
 *
 * @return 0 for equal words, at most the longer length; UINT_MAX when one exceeds 63 bytes
 * Thread: any. Owns: nothing. Errors: none.
 */
unsigned plx_near(const char *a, const char *b) PLX_ANY_THREAD;

/**
 * The best word so far while looking for what was meant: start with all zero, offer every word,
 * then ask. Words further than a third of their length are no suggestion.
 */
struct plx_guess {
	const char *best;
	unsigned dist;
};

void plx_guess_offer(struct plx_guess *g, const char *typed, const char *word)
        PLX_ANY_THREAD;

/**
 * plx_u64_parse() reads a decimal number, nothing before or after it.
 * @return 0 or PLX_E_INVAL
 * Thread: any. Owns: nothing. Errors: as returned.
 */
int plx_u64_parse(const char *s, uint64_t *out) PLX_ANY_THREAD;

/**
 * plx_hex_parse() reads pairs of hex digits.
 *
 * @param out  room for max bytes
 * @param len  [out] bytes, 0..max
 * @return 0; PLX_E_INVAL odd length, other letters, or more than max bytes
 * Thread: any. Owns: nothing. Errors: as returned.
 */
int plx_hex_parse(const char *s, uint8_t *out, size_t max, size_t *len) PLX_ANY_THREAD;

/** plx_mac_parse() reads "02:00:5e:00:53:01". @return 0 or PLX_E_INVAL. Thread: any. */
int plx_mac_parse(const char *s, uint8_t mac[6]) PLX_ANY_THREAD;

/** An address with the length of its network's prefix. */
struct plx_prefix {
	struct plx_addr addr; /**< port 0 */
	uint8_t len;          /**< bits, 0..32 or 0..128 */
};

/**
 * plx_ip_parse() reads an address without port, "192.0.2.1" or "2001:db8::1" (also in brackets).
 * plx_prefix_parse() reads "192.0.2.1/24"; without "/" the prefix is the address alone.
 * plx_endpoint_parse() reads "192.0.2.1:443", "[2001:db8::1]:443", ":443" and "443" (any address:
 * family PLX_FAMILY_NONE), and an address alone, which takes default_port.
 *
 * @param default_port  host order; 0 = the text must have a port
 * @param err           [out] sentence; may be NULL
 * @return 0 or PLX_E_INVAL
 * Thread: any. Owns: nothing. Errors: as returned.
 */
int plx_ip_parse(const char *s, struct plx_addr *out, struct plx_errtext *err)
        PLX_ANY_THREAD;
int plx_prefix_parse(const char *s, struct plx_prefix *out, struct plx_errtext *err)
        PLX_ANY_THREAD;
int plx_endpoint_parse(const char *s, uint16_t default_port, struct plx_addr *out,
                       struct plx_errtext *err) PLX_ANY_THREAD;

/** Room for every text that plx_addr_format() writes, bytes with the final 0. */
#define PLX_ADDR_TEXT_MAX 56

/**
 * plx_addr_format() writes "192.0.2.1:443" or "[2001:db8::1]:443"; without port when it is 0,
 * "-" for PLX_FAMILY_NONE.
 * @return buf
 * Thread: any. Owns: nothing. Errors: none.
 */
const char *plx_addr_format(const struct plx_addr *a, char buf[PLX_ADDR_TEXT_MAX])
        PLX_ANY_THREAD;

#endif
