/* SPDX-License-Identifier: BSD-3-Clause */
#include "plx_cksum.h"
#include "plx_test.h"

/* One word after the other, as RFC 1071 section 4.1 writes it. */
static uint16_t
slow_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void
the_example_of_rfc_1071_gives_its_sum(void)
{
	static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	PLX_COVERS("D4", "S4");
	CU_ASSERT_EQUAL(PLX_BE16(plx_cksum_fold(plx_cksum_add(0, data, 8))), 0xddf2);
}

static void
every_length_and_alignment_equals_the_slow_sum(void)
{
	uint8_t *data = malloc(3000);
	uint32_t x = 1;

	PLX_COVERS("D4");
	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	for (unsigned i = 0; i < 3000; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (uint8_t)(x >> 24);
	}
	for (unsigned off = 0; off < 4; off++) {
		for (size_t len = 0; len < 2900; len++) {
			uint16_t sum = plx_cksum_fold(plx_cksum_add(0, data + off, len));

			if (PLX_BE16(sum) != slow_sum(data + off, len))
				CU_FAIL_FATAL("sums differ");
		}
	}
	free(data);
}

static void
extreme_bytes_do_not_overflow_a_lane(void)
{
	static const uint8_t fill[] = {0x00, 0xff, 0x80, 0x7f};
	uint8_t *data = malloc(65535);

	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	for (unsigned i = 0; i < 4; i++) {
		memset(data, fill[i], 65535);
		CU_ASSERT_EQUAL(PLX_BE16(plx_cksum_fold(plx_cksum_add(0, data, 65535))),
		                slow_sum(data, 65535));
		CU_ASSERT_EQUAL(PLX_BE16(plx_cksum_fold(plx_cksum_add(0, data, 65534))),
		                slow_sum(data, 65534));
	}
	free(data);
}

static void
no_byte_behind_an_odd_length_is_read(void)
{
	PLX_COVERS("D1");
	for (size_t len = 1; len < 300; len++) {
		uint8_t *exact = malloc(len);

		CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
		memset(exact, 0x5a, len);
		CU_ASSERT_EQUAL(PLX_BE16(plx_cksum_fold(plx_cksum_add(0, exact, len))),
		                slow_sum(exact, len));
		free(exact);
	}
}

static void
the_ipv4_header_of_a_known_packet_sums_to_all_ones(void)
{
	static const uint8_t ip[20] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40,
	                               0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8,
	                               0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

	PLX_COVERS("D4");
	CU_ASSERT_EQUAL(plx_cksum_fold(plx_cksum_ip4(ip)), 0xffff);
	CU_ASSERT_EQUAL(plx_cksum_fold(plx_cksum_add(0, ip, 20)), 0xffff);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"the example of RFC 1071 gives its sum",
	         the_example_of_rfc_1071_gives_its_sum},
	        {"every length and alignment equals the slow sum",
	         every_length_and_alignment_equals_the_slow_sum},
	        {"extreme bytes do not overflow a lane",
	         extreme_bytes_do_not_overflow_a_lane},
	        {"no byte behind an odd length is read",
	         no_byte_behind_an_odd_length_is_read},
	        {"the IPv4 header of a known packet sums to all ones",
	         the_ipv4_header_of_a_known_packet_sums_to_all_ones},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {.pName = "checksum", .pTests = tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
