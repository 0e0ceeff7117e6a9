/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stories made from a seed: two endpoints with settings drawn at random, a link that delays,
 * loses, repeats, reorders and corrupts, and blows of fate in the middle: a blackout, an address
 * that changes, a server that loses its state, an early close, memory that fails. Virtual time,
 * one thread, the same story for the same seed.
 *
 *     sim_random [--seed S] [--count N] [--jobs N] [--verbose]
 *
 * Whatever happens: every connection ends, each dial is answered once, no byte is wrong, and no
 * memory is left. Where fate was kind everything arrives and both sides know who closed; where it
 * was not, the end must have one of the reasons that the blows explain.
 */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plx_pair_test.h"
#include "plx_quic_pvt.h"

#define COUNT_TEST 300
#define PROGRESS   500
#define LIMIT      (900 * SEC)
#define CODE       UINT64_C(4242)

struct story {
	uint64_t seed;
	struct plx_rand rand;
	struct plx_pair_cfg cfg;
	uint32_t conns, streams;
	uint64_t up, down;
	/* Blows; times from the start, 0 = none. */
	uint64_t dark_ns, dark_len_ns;
	uint64_t
	        rebind_ns; /* once everybody is connected: an address in the handshake is final */
	bool rebound;
	uint64_t amnesia_ns;
	uint64_t close_ns;
	enum plx_pair_side close_side;
	uint64_t shortage; /* allocation that fails, 0 = none */
	enum plx_pair_side shortage_side;
	uint64_t start;
	uint16_t port_be; /* of the client before it changed */
};

static uint64_t
pick(struct story *s, uint64_t least, uint64_t most)
{
	return least + plx_rand_below(&s->rand, most - least + 1);
}

static bool
one_in(struct story *s, uint64_t n)
{
	return plx_rand_below(&s->rand, n) == 0;
}

/* Between the two, small ones as likely as large ones. */
static uint64_t
spread(struct story *s, uint64_t least, uint64_t most)
{
	uint64_t v = most;

	while (v > least && one_in(s, 2))
		v /= 4;
	return pick(s, least, v > least ? v : least);
}

static void
draw_link(struct story *s, struct plx_pair_link *l)
{
	l->delay_ns = spread(s, 50000, 150 * MS);
	l->jitter_ns = one_in(s, 2) ? 0 : spread(s, 1, l->delay_ns);
	l->loss_ppm = one_in(s, 2) ? 0 : (uint32_t)spread(s, 1, 50000);
	l->dup_ppm = one_in(s, 2) ? 0 : (uint32_t)spread(s, 1, 30000);
	l->corrupt_ppm = one_in(s, 3) ? (uint32_t)spread(s, 1, 20000) : 0;
	l->per_pkt_ns = one_in(s, 2) ? 0 : spread(s, 1000, MS);
}

static void
draw_quic(struct story *s, struct plx_quic_cfg *q)
{
	q->conns_max = 16;
	q->handshake_timeout_ms = 60000;
	q->idle_timeout_ms = (uint32_t)pick(s, 30000, 60000);
	q->keep_alive_ms = one_in(s, 4) ? (uint32_t)pick(s, 1000, 10000) : 0;
	q->max_data = spread(s, 20000, 16 << 20);
	q->max_stream_data = spread(s, 10000, 4 << 20);
	q->max_streams_bidi = (uint32_t)spread(s, 1, 256);
	q->max_tx_udp_payload = (uint16_t)pick(s, 1200, 1452);
	q->ack_thresh = (uint16_t)pick(s, 1, 32);
	q->pmtud = one_in(s, 4);
	q->migration = true;
	q->no_pacing = one_in(s, 4);
	q->cc = (uint8_t)pick(s, PLX_CC_CUBIC, PLX_CC_BBR);
	q->initial_rtt_ms = (uint32_t)spread(s, 10, 333);
}

static void
draw_blows(struct story *s)
{
	if (one_in(s, 5)) {
		s->dark_ns = pick(s, 1, 3 * SEC);
		s->dark_len_ns = pick(s, 1, 3 * SEC);
	}
	if (one_in(s, 5)) {
		s->rebind_ns = pick(s, 1, 2 * SEC);
		/* A client that only listens is heard from its new address by keep-alive alone. */
		s->cfg.quic[PLX_PAIR_CLIENT].keep_alive_ms = (uint32_t)pick(s, 1000, 10000);
	}
	if (one_in(s, 16))
		s->amnesia_ns = pick(s, 1, 2 * SEC);
	if (one_in(s, 8)) {
		s->close_ns = pick(s, 1, 2 * SEC);
		s->close_side = (enum plx_pair_side)pick(s, 0, 1);
	}
	if (one_in(s, 12)) {
		s->shortage = spread(s, 1, 400);
		s->shortage_side = (enum plx_pair_side)pick(s, 0, 1);
	}
}

static bool
tap(void *arg, struct plx_pair *p, struct plx_pair_pkt *pkt)
{
	struct story *s = arg;
	uint64_t t = p->now - s->start;

	if (s->dark_ns != 0 && t >= s->dark_ns && t < s->dark_ns + s->dark_len_ns)
		return false;
	if (!s->rebound)
		return true;
	/* A translator that forgot: it gives the client another port, and knows the way back. */
	if (pkt->from == PLX_PAIR_CLIENT)
		pkt->path->local.port_be ^= 0x0101;
	else if (pkt->path->remote.port_be == (s->port_be ^ 0x0101))
		pkt->path->remote.port_be = s->port_be;
	else
		return false;
	return true;
}

static void
draw(struct story *s, uint64_t seed)
{
	static const char *const groups[] = {NULL, "X25519", "X25519MLKEM768", "P-256"};
	static const char *const ciphers[] = {NULL, "TLS_AES_128_GCM_SHA256",
	                                      "TLS_AES_256_GCM_SHA384",
	                                      "TLS_CHACHA20_POLY1305_SHA256"};

	memset(s, 0, sizeof(*s));
	s->seed = seed;
	plx_rand_seed(&s->rand, seed);
	plx_pair_cfg_init(&s->cfg);
	s->cfg.seed = seed;
	for (int i = 0; i < PLX_PAIR_SIDES; i++) {
		draw_link(s, &s->cfg.link[i]);
		draw_quic(s, &s->cfg.quic[i]);
	}
	s->cfg.quic[PLX_PAIR_SERVER].retry =
	        (uint8_t)pick(s, PLX_RETRY_OFF, PLX_RETRY_AUTO);
	s->cfg.quic[PLX_PAIR_SERVER].retry_half_open = 0;
	s->cfg.ipv6 = one_in(s, 2);
	s->cfg.chain = (uint8_t)(one_in(s, 4) ? pick(s, 1, 3) : 0);
	s->cfg.backend = one_in(s, 2) ? PLX_CRYPT_AUTO : PLX_CRYPT_EVP;
	s->cfg.groups[PLX_PAIR_CLIENT] = groups[pick(s, 0, 3)];
	s->cfg.ciphers = ciphers[pick(s, 0, 3)];
	s->conns = (uint32_t)pick(s, 1, 3);
	s->streams = (uint32_t)spread(s, 1, 60);
	s->up = one_in(s, 4) ? 0 : spread(s, 1, 200000);
	s->down = one_in(s, 4) ? 0 : spread(s, 1, 200000);
	draw_blows(s);
	s->cfg.tap = tap;
	s->cfg.tap_arg = s;
}

/*
 * An address that changes right around a blackout: what the client repeats then may be nothing but
 * NEW_CONNECTION_ID, which moves no path (RFC 9000 section 9.1), docs/limits.md.
 */
static bool
moved_in_the_dark(const struct story *s)
{
	return s->dark_ns != 0 && s->rebind_ns != 0;
}

static bool
is_kind(const struct story *s)
{
	return s->amnesia_ns == 0 && s->close_ns == 0 && s->shortage == 0 &&
	       !moved_in_the_dark(s);
}

/* The token of a Retry is looked at before the packet's protection is: one bit is enough. */
static bool
token_spoiled(const struct story *s, const struct plx_pair *p)
{
	const struct plx_close_info *why = &p->end[PLX_PAIR_CLIENT].app.why;

	return p->corrupted > 0 && s->cfg.quic[PLX_PAIR_SERVER].retry != PLX_RETRY_OFF &&
	       why->by == PLX_CLOSE_PEER_TRANSPORT && why->code == NGTCP2_INVALID_TOKEN;
}

/* Can fate explain that a connection ended so? */
static bool
explained(const struct story *s, const struct plx_close_info *why)
{
	switch ((enum plx_close_by)why->by) {
	case PLX_CLOSE_LOCAL:
	case PLX_CLOSE_PEER_APPLICATION:
		return why->code == CODE || s->shortage != 0;
	case PLX_CLOSE_IDLE:
	case PLX_CLOSE_HANDSHAKE_TIMEOUT:
		return s->amnesia_ns != 0 || s->shortage != 0 || s->close_ns != 0 ||
		       moved_in_the_dark(s);
	case PLX_CLOSE_STATELESS_RESET:
		/* The server forgot it, or its goodbye was lost and its slot is free again. */
		return s->amnesia_ns != 0 || s->shortage != 0 || s->close_ns != 0;
	case PLX_CLOSE_PEER_TRANSPORT:
	case PLX_CLOSE_TRANSPORT_ERROR:
		/* Closed before it was open, or memory failed over there. */
		return s->shortage != 0 || s->amnesia_ns != 0 ||
		       (s->close_ns != 0 && why->code == NGTCP2_APPLICATION_ERROR);
	case PLX_CLOSE_REFUSED:
		return s->shortage != 0;
	default:
		return false;
	}
}

/* @return NULL, or what is wrong */
static const char *
judge(const struct story *s, struct plx_pair *p)
{
	const struct plx_testapp *c = &p->end[PLX_PAIR_CLIENT].app;
	const struct plx_testapp *v = &p->end[PLX_PAIR_SERVER].app;
	const uint64_t all = (uint64_t)s->conns * s->streams;

	if (!plx_pair_idle(p))
		return "a connection never ended";
	if (c->mismatches + v->mismatches != 0)
		return "wrong bytes";
	if (c->established != c->closed ||
	    (v->established != v->closed && s->amnesia_ns == 0))
		return "an end was not told once";
	if (c->established + c->failed != s->conns)
		return "a dial was not answered once";
	if (plx_pair_slab_used(p, PLX_PAIR_SERVER) +
	            plx_pair_slab_used(p, PLX_PAIR_CLIENT) !=
	    0)
		return "memory is left";
	if (token_spoiled(s, p))
		return NULL;
	if (!is_kind(s))
		return explained(s, &c->why) ? NULL : "an end that nothing explains";
	if (c->streams_done != all || c->rx_bytes != all * s->down)
		return "bytes are missing";
	if (v->rx_bytes != all * (s->up + 16))
		return "bytes are missing at the server";
	if (c->why.by != PLX_CLOSE_LOCAL || c->why.code != CODE)
		return "the client does not know that it closed";
	return NULL;
}

static void
strike(struct story *s, struct plx_pair *p)
{
	uint64_t t = p->now - s->start;

	if (s->rebind_ns != 0 && t >= s->rebind_ns &&
	    p->end[PLX_PAIR_CLIENT].app.established == s->conns &&
	    p->end[PLX_PAIR_SERVER].app.established == s->conns)
		s->rebound = true;
	if (s->amnesia_ns != 0 && t >= s->amnesia_ns &&
	    p->end[PLX_PAIR_SERVER].quic != NULL) {
		if (plx_pair_lose_state(p) != 0)
			abort();
		p->end[PLX_PAIR_SERVER].app.conn = NULL;
		s->amnesia_ns = UINT64_MAX;
	}
	if (s->close_ns != 0 && t >= s->close_ns) {
		struct plx_conn *c = p->end[s->close_side].app.conn;

		s->close_ns = UINT64_MAX;
		if (c != NULL)
			plx_conn_close(c, CODE, "fate");
	}
}

static bool
over(const struct story *s, struct plx_pair *p)
{
	const struct plx_testapp *c = &p->end[PLX_PAIR_CLIENT].app;

	return c->closed + c->failed >= s->conns && plx_pair_idle(p);
}

static void
print(const struct story *s, const struct plx_pair *p, const char *wrong)
{
	const struct plx_testapp *c = &p->end[PLX_PAIR_CLIENT].app;
	const struct plx_testapp *v = &p->end[PLX_PAIR_SERVER].app;

	printf("seed %lu: %s\n"
	       "  %u connections of %u streams, %lu up, %lu down; dark %d rebind %d amnesia %d "
	       "close %d shortage %lu\n"
	       "  client: %lu up, %lu ended, %lu failed, %lu bytes, by %u code %#lx; "
	       "server: %lu up, %lu ended, %lu bytes, by %u code %#lx\n"
	       "  after %.3f s; lost %lu, repeated %lu, corrupted %lu\n"
	       "repeat: sim_random --verbose --seed %lu --count 1\n",
	       (unsigned long)s->seed, wrong, s->conns, s->streams, (unsigned long)s->up,
	       (unsigned long)s->down, s->dark_ns != 0, s->rebind_ns != 0,
	       s->amnesia_ns != 0, s->close_ns != 0, (unsigned long)s->shortage,
	       (unsigned long)c->established, (unsigned long)c->closed,
	       (unsigned long)c->failed, (unsigned long)c->rx_bytes, c->why.by,
	       (unsigned long)c->why.code, (unsigned long)v->established,
	       (unsigned long)v->closed, (unsigned long)v->rx_bytes, v->why.by,
	       (unsigned long)v->why.code, (double)(p->now - s->start) / 1e9,
	       (unsigned long)p->lost, (unsigned long)p->duplicated,
	       (unsigned long)p->corrupted, (unsigned long)s->seed);
}

/* @return whether it ended as it should */
static bool
play(uint64_t seed, bool verbose)
{
	struct plx_testapp *app;
	const char *wrong = NULL;
	struct plx_pair *p;
	struct story s;

	draw(&s, seed);
	if (plx_pair_new(&p, &s.cfg) != 0)
		abort();
	/* As a worker does, so that memory that fails does not spoil OpenSSL for good. */
	if (plx_tls_warm(p->end[0].tls) != 0 || plx_tls_warm(p->end[1].tls) != 0)
		abort();
	app = &p->end[PLX_PAIR_CLIENT].app;
	app->streams = s.streams;
	app->up = s.up;
	app->down = s.down;
	app->close_when_done = true;
	app->close_code = CODE;
	s.start = p->now;
	s.port_be = p->end[PLX_PAIR_CLIENT].addr.port_be;
	for (uint32_t i = 0; i < s.conns; i++)
		if (plx_pair_dial(p, true, NULL) != 0)
			abort();
	if (s.shortage != 0)
		plx_slab_fail_at(plx_quic_slab(p->end[s.shortage_side].quic), s.shortage);
	p->limit = s.start + LIMIT;
	while (!over(&s, p) && p->now < s.start + LIMIT) {
		strike(&s, p);
		plx_pair_step(p);
	}
	wrong = judge(&s, p);
	if (wrong != NULL || verbose)
		print(&s, p, wrong != NULL ? wrong : "well");
	plx_pair_free(p);
	return wrong == NULL;
}

/* What the jobs have done. */
struct tally {
	_Atomic uint64_t done, failed;
};

static void
work(struct tally *t, uint64_t seed, uint64_t count, uint64_t job, uint64_t jobs,
     bool verbose)
{
	for (uint64_t i = job; i < count; i += jobs) {
		if (!play(seed + i, verbose))
			t->failed++;
		if (++t->done % PROGRESS == 0 && t->done < count)
			printf("%lu of %lu stories\n", (unsigned long)t->done,
			       (unsigned long)count);
	}
}

static int
run_jobs(struct tally *t, uint64_t seed, uint64_t count, uint64_t jobs, bool verbose)
{
	int status, rc = 0;

	setlinebuf(stdout);
	for (uint64_t j = 0; j < jobs; j++) {
		pid_t pid = fork();

		if (pid < 0)
			abort();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			work(t, seed, count, j, jobs, verbose);
			exit(EXIT_SUCCESS); /* the leak check runs at the end */
		}
	}
	while (wait(&status) > 0)
		rc |= status != 0;
	printf("%lu stories from seed %lu, %lu failed%s\n", (unsigned long)t->done,
	       (unsigned long)seed, (unsigned long)t->failed,
	       rc != 0 ? ", and a job ended early or found a leak" : "");
	return rc != 0 || t->failed != 0 || t->done != count;
}

static void
random_stories_end_as_they_should(void)
{
	for (uint64_t seed = 1; seed <= COUNT_TEST; seed++)
		CU_ASSERT_TRUE(play(seed, false));
}

static CU_TestInfo tests[] = {
        {"random stories end as they should", random_stories_end_as_they_should},
        CU_TEST_INFO_NULL,
};

static uint64_t
number(const char *text, uint64_t least)
{
	char *end;
	uint64_t v = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v < least) {
		fprintf(stderr, "sim_random: '%s' is no number from %lu on\n", text,
		        (unsigned long)least);
		exit(2);
	}
	return v;
}

int
main(int argc, char **argv)
{
	static const struct option opts[] = {{"seed", required_argument, NULL, 's'},
	                                     {"count", required_argument, NULL, 'c'},
	                                     {"jobs", required_argument, NULL, 'j'},
	                                     {"verbose", no_argument, NULL, 'v'},
	                                     {0}};
	CU_SuiteInfo suites[] = {
	        {"random", NULL, NULL, NULL, NULL, tests},
	        CU_SUITE_INFO_NULL,
	};
	uint64_t seed = 1, count = COUNT_TEST, jobs = 1;
	bool verbose = false;
	struct tally *t;
	int opt;

	if (argc == 1)
		return plx_test_main(suites);
	while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (opt) {
		case 's':
			seed = number(optarg, 0);
			break;
		case 'c':
			count = number(optarg, 1);
			break;
		case 'j':
			jobs = number(optarg, 1);
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return 2;
		}
	}
	t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	         0);
	if (t == MAP_FAILED)
		abort();
	return run_jobs(t, seed, count, jobs, verbose);
}
