/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <stdatomic.h>

#include <plx/err.h>

#include "net_rig.h"
#include "plx_neigh.h"
#include "plx_test.h"

#define S PLX_NS_PER_S

static const uint8_t mac1[6] = {2, 1, 1, 1, 1, 1}, mac2[6] = {2, 2, 2, 2, 2, 2};
static const uint8_t everybody[6];
static struct plx_neigh_probe probe[PLX_NEIGH_BURST];

static struct plx_addr
host(unsigned i)
{
	const uint8_t ip[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};

	return rig_addr(ip, PLX_FAMILY_IPV4, 0);
}

static uint16_t
post(struct plx_neigh *t, enum plx_neigh_op op, unsigned i, const uint8_t *mac,
     uint64_t now)
{
	struct plx_addr a = host(i);

	CU_ASSERT_EQUAL(plx_neigh_post(t, op, &a, mac), 0);
	return plx_neigh_take(t, now, probe);
}

static enum plx_neigh_state
find(struct plx_neigh *t, unsigned i, uint8_t mac[6])
{
	struct plx_addr a = host(i);

	return plx_neigh_find(t, &a, mac);
}

static struct plx_neigh *
table(void)
{
	struct plx_neigh *t;

	CU_ASSERT_EQUAL_FATAL(plx_neigh_new(&t, 64), 0);
	return t;
}

static void
a_wanted_address_is_asked_for_and_found(void)
{
	struct plx_neigh *t = table();
	uint32_t epoch = plx_neigh_epoch(t);
	uint8_t mac[6];

	PLX_COVERS("D5");
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_FREE);
	CU_ASSERT_EQUAL(post(t, PLX_NEIGH_WANT, 5, NULL, S), 1);
	CU_ASSERT_EQUAL(memcmp(probe[0].mac, everybody, 6), 0);
	CU_ASSERT_EQUAL(probe[0].ip.ip[3], 5);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_INCOMPLETE);
	CU_ASSERT_EQUAL(post(t, PLX_NEIGH_WANT, 5, NULL, S), 0);
	CU_ASSERT_EQUAL(plx_neigh_epoch(t), epoch);
	post(t, PLX_NEIGH_REPLY, 5, mac1, S);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_REACHABLE);
	CU_ASSERT_EQUAL(memcmp(mac, mac1, 6), 0);
	CU_ASSERT_NOT_EQUAL(plx_neigh_epoch(t), epoch);
	plx_neigh_free(t);
}

static void
three_requests_a_second_apart_then_five_seconds_of_silence(void)
{
	struct plx_neigh *t = table();
	unsigned asked = 1;
	uint64_t now = S;
	uint8_t mac[6];

	CU_ASSERT_EQUAL(post(t, PLX_NEIGH_WANT, 5, NULL, now), 1);
	for (; now < S + 3 * S; now += S / 10) {
		uint16_t n = plx_neigh_age(t, now, probe);

		asked += n;
		CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_INCOMPLETE);
		if (n != 0)
			CU_ASSERT_EQUAL((now - S) % S, 0);
	}
	CU_ASSERT_EQUAL(asked, 3);
	for (; now < S + 8 * S; now += S / 10) {
		CU_ASSERT_EQUAL(plx_neigh_age(t, now, probe), 0);
		CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_FAILED);
		CU_ASSERT_EQUAL(post(t, PLX_NEIGH_WANT, 5, NULL, now), 0);
	}
	plx_neigh_age(t, now, probe);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_FREE);
	CU_ASSERT_EQUAL(post(t, PLX_NEIGH_WANT, 5, NULL, now), 1);
	plx_neigh_free(t);
}

static void
an_entry_in_use_is_asked_again_by_name_after_a_minute(void)
{
	struct plx_neigh *t = table();
	uint64_t now = S;
	uint32_t epoch;
	uint8_t mac[6];

	post(t, PLX_NEIGH_WANT, 5, NULL, now);
	post(t, PLX_NEIGH_REPLY, 5, mac1, now);
	epoch = plx_neigh_epoch(t);
	CU_ASSERT_EQUAL(plx_neigh_age(t, now + 60 * S - 1, probe), 0);
	CU_ASSERT_EQUAL(plx_neigh_epoch(t), epoch);
	now += 60 * S;
	plx_neigh_age(t, now, probe);
	/* Those who use it notice by the epoch, and their look-up starts the question. */
	CU_ASSERT_NOT_EQUAL(plx_neigh_epoch(t), epoch);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_STALE);
	CU_ASSERT_EQUAL(memcmp(mac, mac1, 6), 0);
	epoch = plx_neigh_epoch(t);
	CU_ASSERT_EQUAL(plx_neigh_age(t, now, probe), 1);
	CU_ASSERT_EQUAL(memcmp(probe[0].mac, mac1, 6), 0);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_PROBE);
	post(t, PLX_NEIGH_REPLY, 5, mac1, now);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_REACHABLE);
	/* The same answer changes no template. */
	CU_ASSERT_EQUAL(plx_neigh_epoch(t), epoch);
	plx_neigh_free(t);
}

static void
a_neighbour_that_moved_is_asked_for_by_everybody(void)
{
	struct plx_neigh *t = table();
	unsigned by_name = 0, by_all = 0;
	uint64_t now = S;
	uint8_t mac[6];

	post(t, PLX_NEIGH_WANT, 5, NULL, now);
	post(t, PLX_NEIGH_REPLY, 5, mac1, now);
	now += 60 * S;
	plx_neigh_age(t, now, probe);
	find(t, 5, mac);
	for (unsigned i = 0; i < 60 && by_all == 0; i++, now += S / 10) {
		if (plx_neigh_age(t, now, probe) == 0)
			continue;
		if (memcmp(probe[0].mac, mac1, 6) == 0)
			by_name++;
		else
			by_all++;
	}
	CU_ASSERT_EQUAL(by_name, 3);
	CU_ASSERT_EQUAL(by_all, 1);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_INCOMPLETE);
	post(t, PLX_NEIGH_REPLY, 5, mac2, now);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_REACHABLE);
	CU_ASSERT_EQUAL(memcmp(mac, mac2, 6), 0);
	plx_neigh_free(t);
}

static void
when_the_link_is_back_everything_is_asked_again(void)
{
	struct plx_neigh *t = table();
	uint64_t now = S;
	uint8_t mac[6];
	uint32_t epoch;

	PLX_COVERS("F1");
	post(t, PLX_NEIGH_WANT, 1, NULL, now); /* answers */
	post(t, PLX_NEIGH_REPLY, 1, mac1, now);
	post(t, PLX_NEIGH_WANT, 2, NULL, now); /* never does */
	for (int i = 0; i < 3; i++) {
		now += S;
		plx_neigh_age(t, now, probe);
	}
	post(t, PLX_NEIGH_WANT, 3, NULL, now); /* is being asked */
	CU_ASSERT_EQUAL(find(t, 1, mac), PLX_NEIGH_REACHABLE);
	CU_ASSERT_EQUAL(find(t, 2, mac), PLX_NEIGH_FAILED);
	CU_ASSERT_EQUAL(find(t, 3, mac), PLX_NEIGH_INCOMPLETE);
	epoch = plx_neigh_epoch(t);
	plx_neigh_recheck(t, now);
	CU_ASSERT_NOT_EQUAL(plx_neigh_epoch(t), epoch);
	/* Still good to send to; used, so it is probed. The others are asked without a pause. */
	CU_ASSERT_EQUAL(find(t, 1, mac), PLX_NEIGH_STALE);
	CU_ASSERT_EQUAL(memcmp(mac, mac1, 6), 0);
	CU_ASSERT_EQUAL(find(t, 2, mac), PLX_NEIGH_FREE);
	CU_ASSERT_EQUAL(plx_neigh_age(t, now, probe), 2);
	CU_ASSERT_EQUAL(find(t, 1, mac), PLX_NEIGH_PROBE);
	/* All three requests are still to come for whom nobody heard. */
	for (int i = 0; i < 2; i++) {
		now += S;
		CU_ASSERT_EQUAL(plx_neigh_age(t, now, probe), 2);
		CU_ASSERT_EQUAL(find(t, 3, mac), PLX_NEIGH_INCOMPLETE);
	}
	plx_neigh_free(t);
}

static void
an_unused_entry_is_forgotten(void)
{
	struct plx_neigh *t = table();
	uint8_t mac[6];

	post(t, PLX_NEIGH_WANT, 5, NULL, S);
	post(t, PLX_NEIGH_REPLY, 5, mac1, S);
	plx_neigh_age(t, 61 * S, probe);
	CU_ASSERT_EQUAL(plx_neigh_age(t, 660 * S, probe), 0);
	CU_ASSERT_NOT_EQUAL(plx_neigh_peek(t, &(struct plx_addr){0}), PLX_NEIGH_STALE);
	plx_neigh_age(t, 661 * S, probe);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_FREE);
	plx_neigh_free(t);
}

static void
strangers_who_answer_or_announce_themselves_are_not_entered(void)
{
	struct plx_neigh *t = table();
	uint8_t mac[6];

	PLX_COVERS("D5");
	post(t, PLX_NEIGH_REPLY, 5, mac1, S);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_FREE);
	post(t, PLX_NEIGH_UPDATE, 5, mac1, S);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_FREE);
	post(t, PLX_NEIGH_LEARN, 5, mac1, S);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_STALE);
	plx_neigh_free(t);
}

static void
an_announcement_changes_a_known_entry_and_the_epoch(void)
{
	struct plx_neigh *t = table();
	uint32_t epoch;
	uint8_t mac[6];

	post(t, PLX_NEIGH_WANT, 5, NULL, S);
	post(t, PLX_NEIGH_REPLY, 5, mac1, S);
	epoch = plx_neigh_epoch(t);
	post(t, PLX_NEIGH_UPDATE, 5, mac1, S);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_REACHABLE);
	CU_ASSERT_EQUAL(plx_neigh_epoch(t), epoch);
	post(t, PLX_NEIGH_UPDATE, 5, mac2, S);
	CU_ASSERT_NOT_EQUAL(plx_neigh_epoch(t), epoch);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_STALE);
	CU_ASSERT_EQUAL(memcmp(mac, mac2, 6), 0);
	plx_neigh_free(t);
}

static void
a_flood_of_requests_does_not_push_out_an_entry_in_use(void)
{
	struct plx_neigh *t = table();
	unsigned kept = 0;
	uint8_t mac[6];

	PLX_COVERS("D5");
	post(t, PLX_NEIGH_WANT, 5, NULL, S);
	post(t, PLX_NEIGH_REPLY, 5, mac1, S);
	for (unsigned i = 1000; i < 9000; i++)
		post(t, PLX_NEIGH_LEARN, i, mac2, S + i);
	CU_ASSERT_EQUAL(find(t, 5, mac), PLX_NEIGH_REACHABLE);
	for (unsigned i = 1000; i < 9000; i++) {
		struct plx_addr a = host(i);

		kept += plx_neigh_peek(t, &a) != PLX_NEIGH_FREE;
	}
	CU_ASSERT(kept <= 63);
	/* and what we want ourselves still finds a place */
	CU_ASSERT_EQUAL(post(t, PLX_NEIGH_WANT, 6, NULL, 2 * S), 1);
	CU_ASSERT_EQUAL(find(t, 6, mac), PLX_NEIGH_INCOMPLETE);
	plx_neigh_free(t);
}

static void
a_full_message_queue_says_so_and_loses_nothing(void)
{
	struct plx_neigh *t = table();
	struct plx_addr a = host(1);
	unsigned took = 0, asked = 0;

	while (plx_neigh_post(t, PLX_NEIGH_WANT, &a, NULL) == 0) {
		took++;
		a = host(took + 1);
	}
	CU_ASSERT_EQUAL(took, 256);
	CU_ASSERT_TRUE(plx_neigh_pending(t));
	while (plx_neigh_pending(t))
		asked += plx_neigh_take(t, S, probe);
	CU_ASSERT(asked > 32 && asked <= 64); /* what the table has room for */
	CU_ASSERT_EQUAL(plx_neigh_post(t, PLX_NEIGH_WANT, &a, NULL), 0);
	plx_neigh_free(t);
}

static void
ipv4_and_ipv6_addresses_with_the_same_bytes_are_two_neighbours(void)
{
	struct plx_neigh *t = table();
	struct plx_addr a4 = host(5), a6 = a4;
	uint8_t mac[6];

	a6.family = PLX_FAMILY_IPV6;
	CU_ASSERT_EQUAL(plx_neigh_post(t, PLX_NEIGH_LEARN, &a4, mac1), 0);
	CU_ASSERT_EQUAL(plx_neigh_post(t, PLX_NEIGH_LEARN, &a6, mac2), 0);
	plx_neigh_take(t, S, probe);
	plx_neigh_find(t, &a4, mac);
	CU_ASSERT_EQUAL(memcmp(mac, mac1, 6), 0);
	plx_neigh_find(t, &a6, mac);
	CU_ASSERT_EQUAL(memcmp(mac, mac2, 6), 0);
	plx_neigh_free(t);
}

/* --- several workers --- */

#define READERS 3
#define ROUNDS  20000

struct crew {
	struct plx_neigh *t;
	_Atomic bool stop;
	_Atomic unsigned torn, posted, seen;
};

/* A MAC of host i: all six bytes alike, so that a torn read shows. */
static void
mac_of(unsigned v, uint8_t mac[6])
{
	memset(mac, (int)((v & 0x3f) << 2 | 2), 6);
}

static void *
reader(void *arg)
{
	struct crew *c = arg;
	unsigned n = 0;

	while (!atomic_load_explicit(&c->stop, memory_order_relaxed)) {
		struct plx_addr a = host(n % 40);
		uint8_t mac[6];

		if (plx_neigh_usable(plx_neigh_find(c->t, &a, mac))) {
			atomic_fetch_add_explicit(&c->seen, 1, memory_order_relaxed);
			for (unsigned i = 1; i < 6; i++) {
				if (mac[i] != mac[0])
					atomic_fetch_add(&c->torn, 1);
			}
		}
		mac_of(n, mac);
		if (plx_neigh_post(c->t, n % 3 == 0 ? PLX_NEIGH_LEARN : PLX_NEIGH_UPDATE,
		                   &a, mac) == 0)
			atomic_fetch_add_explicit(&c->posted, 1, memory_order_relaxed);
		n++;
	}
	return NULL;
}

static void
readers_never_see_half_a_change_and_every_message_arrives(void)
{
	struct crew c = {.t = table()};
	pthread_t thread[READERS];
	uint64_t now = S;

	for (unsigned i = 0; i < READERS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread[i], NULL, reader, &c), 0);
	for (unsigned i = 0; i < ROUNDS || atomic_load(&c.seen) < 1000; i++) {
		now += S / 10;
		plx_neigh_take(c.t, now, probe);
		plx_neigh_age(c.t, now, probe);
	}
	atomic_store(&c.stop, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(thread[i], NULL);
	while (plx_neigh_pending(c.t))
		plx_neigh_take(c.t, now, probe);
	CU_ASSERT_EQUAL(atomic_load(&c.torn), 0);
	CU_ASSERT(atomic_load(&c.posted) > 0);
	plx_neigh_free(c.t);
}

int
main(void)
{
	CU_TestInfo tests[] = {
	        {"a wanted address is asked for and found",
	         a_wanted_address_is_asked_for_and_found},
	        {"three requests a second apart, then five seconds of silence",
	         three_requests_a_second_apart_then_five_seconds_of_silence},
	        {"an entry in use is asked again by name after a minute",
	         an_entry_in_use_is_asked_again_by_name_after_a_minute},
	        {"a neighbour that moved is asked for by everybody",
	         a_neighbour_that_moved_is_asked_for_by_everybody},
	        {"an unused entry is forgotten", an_unused_entry_is_forgotten},
	        {"when the link is back everything is asked again",
	         when_the_link_is_back_everything_is_asked_again},
	        {"strangers who answer or announce themselves are not entered",
	         strangers_who_answer_or_announce_themselves_are_not_entered},
	        {"an announcement changes a known entry and the epoch",
	         an_announcement_changes_a_known_entry_and_the_epoch},
	        {"a flood of requests does not push out an entry in use",
	         a_flood_of_requests_does_not_push_out_an_entry_in_use},
	        {"a full message queue says so and loses nothing",
	         a_full_message_queue_says_so_and_loses_nothing},
	        {"IPv4 and IPv6 addresses with the same bytes are two neighbours",
	         ipv4_and_ipv6_addresses_with_the_same_bytes_are_two_neighbours},
	        {"readers never see half a change and every message arrives",
	         readers_never_see_half_a_change_and_every_message_arrives},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {.pName = "neighbours", .pTests = tests},
	        CU_SUITE_INFO_NULL,
	};

	return plx_test_main(suites);
}
