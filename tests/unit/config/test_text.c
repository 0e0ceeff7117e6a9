/* SPDX-License-Identifier: BSD-3-Clause */
#include <plx_test.h>

#include <arpa/inet.h>
#include <limits.h>

#include "plx_text.h"

static void
test_endpoints(void)
{
	static const struct {
		const char *text;
		uint16_t dflt;
		int rc;
		uint8_t family;
		uint16_t port;
	} t[] = {
	        {"192.0.2.1:443", 0, 0, PLX_FAMILY_IPV4, 443},
	        {"[2001:db8::1]:4433", 0, 0, PLX_FAMILY_IPV6, 4433},
	        {"2001:db8::1", 443, 0, PLX_FAMILY_IPV6, 443},
	        {"[::]", 443, 0, PLX_FAMILY_IPV6, 443},
	        {"192.0.2.1", 443, 0, PLX_FAMILY_IPV4, 443},
	        {":8443", 443, 0, PLX_FAMILY_NONE, 8443},
	        {"8443", 443, 0, PLX_FAMILY_NONE, 8443},
	        {"192.0.2.1", 0, PLX_E_INVAL, 0, 0},
	        {"192.0.2.1:0", 0, PLX_E_INVAL, 0, 0},
	        {"192.0.2.1:65536", 0, PLX_E_INVAL, 0, 0},
	        {"192.0.2.1:", 443, PLX_E_INVAL, 0, 0},
	        {"192.0.2.256:1", 0, PLX_E_INVAL, 0, 0},
	        {"[2001:db8::1:443", 443, PLX_E_INVAL, 0, 0},
	        {"", 443, PLX_E_INVAL, 0, 0},
	        {"[]:443", 443, PLX_E_INVAL, 0, 0},
	        {"host:443", 443, PLX_E_INVAL, 0, 0},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct plx_addr a;
		struct plx_errtext err = {""};
		int rc = plx_endpoint_parse(t[i].text, t[i].dflt, &a, &err);

		if (rc != t[i].rc)
			printf("\n    '%s': %d %s", t[i].text, rc, err.s);
		CU_ASSERT_EQUAL(rc, t[i].rc);
		CU_ASSERT_EQUAL(rc == 0, err.s[0] == '\0');
		if (rc == 0) {
			CU_ASSERT_EQUAL(a.family, t[i].family);
			CU_ASSERT_EQUAL(ntohs(a.port_be), t[i].port);
		}
	}
}

static void
test_prefixes(void)
{
	struct plx_prefix p;
	char buf[PLX_ADDR_TEXT_MAX];

	CU_ASSERT_EQUAL(plx_prefix_parse("192.0.2.1/24", &p, NULL), 0);
	CU_ASSERT_EQUAL(p.len, 24);
	CU_ASSERT_STRING_EQUAL(plx_addr_format(&p.addr, buf), "192.0.2.1");
	CU_ASSERT_EQUAL(plx_prefix_parse("2001:db8::1", &p, NULL), 0);
	CU_ASSERT_EQUAL(p.len, 128);
	CU_ASSERT_EQUAL(plx_prefix_parse("192.0.2.1/33", &p, NULL), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_prefix_parse("192.0.2.1/", &p, NULL), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_prefix_parse("2001:db8::1/129", &p, NULL), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_prefix_parse("x/24", &p, NULL), PLX_E_INVAL);
}

static void
test_addresses_format(void)
{
	struct plx_addr a;
	char buf[PLX_ADDR_TEXT_MAX];

	CU_ASSERT_EQUAL(plx_endpoint_parse("[2001:db8::1]:443", 0, &a, NULL), 0);
	CU_ASSERT_STRING_EQUAL(plx_addr_format(&a, buf), "[2001:db8::1]:443");
	CU_ASSERT_EQUAL(plx_endpoint_parse("192.0.2.1:443", 0, &a, NULL), 0);
	CU_ASSERT_STRING_EQUAL(plx_addr_format(&a, buf), "192.0.2.1:443");
	CU_ASSERT_EQUAL(plx_endpoint_parse(":443", 0, &a, NULL), 0);
	CU_ASSERT_STRING_EQUAL(plx_addr_format(&a, buf), "-");
}

static void
test_numbers_and_hex(void)
{
	uint64_t v = 7;
	uint8_t b[4], mac[6];
	size_t len;

	CU_ASSERT_EQUAL(plx_u64_parse("18446744073709551615", &v), 0);
	CU_ASSERT_EQUAL(v, UINT64_MAX);
	CU_ASSERT_EQUAL(plx_u64_parse("18446744073709551616", &v), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_u64_parse("", &v), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_u64_parse(" 1", &v), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_u64_parse("+1", &v), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_u64_parse("1k", &v), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_hex_parse("0aFf", b, 4, &len), 0);
	CU_ASSERT_EQUAL(len, 2);
	CU_ASSERT_EQUAL(b[1], 0xff);
	CU_ASSERT_EQUAL(plx_hex_parse("0a0", b, 4, &len), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_hex_parse("0a0b0c0d0e", b, 4, &len), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_hex_parse("0x", b, 4, &len), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_mac_parse("02:00:5e:00:53:01", mac), 0);
	CU_ASSERT_EQUAL(mac[5], 1);
	CU_ASSERT_EQUAL(plx_mac_parse("02:00:5e:00:53", mac), PLX_E_INVAL);
	CU_ASSERT_EQUAL(plx_mac_parse("02:00:5e:00:53:01:02", mac), PLX_E_INVAL);
}

static void
test_suggestions(void)
{
	struct plx_guess g = {0};

	CU_ASSERT_EQUAL(plx_near("quic", "quic"), 0);
	CU_ASSERT_EQUAL(plx_near("qiuc", "quic"), 1);
	CU_ASSERT_EQUAL(plx_near("a_b", "a-b"), 0);
	CU_ASSERT_EQUAL(
	        plx_near("0123456789012345678901234567890123456789012345678901234567890123",
	                 "x"),
	        UINT_MAX);
	plx_guess_offer(&g, "mtuu", "mtu");
	plx_guess_offer(&g, "mtuu", "max_data");
	CU_ASSERT_STRING_EQUAL(g.best, "mtu");
	g = (struct plx_guess){0};
	plx_guess_offer(&g, "florbl", "idle");
	CU_ASSERT_PTR_NULL(g.best);
}

static void
test_lists(void)
{
	struct plx_strv l = {0};

	CU_ASSERT_EQUAL(plx_strv_add(&l, "a"), 0);
	CU_ASSERT_EQUAL(plx_strv_addf(&l, "-m%u", 64u), 0);
	CU_ASSERT_EQUAL(l.cnt, 2);
	CU_ASSERT_STRING_EQUAL(l.v[1], "-m64");
	CU_ASSERT_PTR_NULL(l.v[2]);
	plx_strv_clear(&l);
	CU_ASSERT_PTR_NULL(l.v);
}

static CU_TestInfo tests[] = {
        {"addresses with port read as written, and nothing else", test_endpoints},
        {"prefixes are bounded by their family", test_prefixes},
        {"addresses are written as they are read", test_addresses_format},
        {"numbers, hex and MAC addresses take no sloppy text", test_numbers_and_hex},
        {"a word close by is suggested, one far away is not", test_suggestions},
        {"lists end with NULL", test_lists},
        CU_TEST_INFO_NULL,
};

static CU_SuiteInfo suites[] = {
        {"text", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
};

int
main(void)
{
	return plx_test_main(suites);
}
