/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Generated frames against the parser and the receive burst: every value of every length field,
 * every truncation, VLAN tags, IPv4 options, extension headers and segment cuts. Each frame, or
 * each of its segments, lies in a heap block of exactly its size, so that AddressSanitizer sees
 * one byte read too many. Every frame must be accepted or counted under exactly one reason.
 *
 * PLX_NET_FRAMES sets the number of frames (default: ten million in the AddressSanitizer build,
 * two million elsewhere), PLX_NET_SEED the seed of what is random.
 */
#include <errno.h>
#include <inttypes.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net_rig.h"
#include "plx_rand.h"
#include "plx_test.h"
#include "plx_test_eal.h"

#if defined(__SANITIZE_ADDRESS__)
# define HAVE_ASAN 1
#elif defined(__has_feature)
# if __has_feature(address_sanitizer)
#  define HAVE_ASAN 1
# endif
#endif
#ifndef HAVE_ASAN
# define HAVE_ASAN 0
#endif

#define FRAMES_DEFAULT (HAVE_ASAN ? 10400000u : 2000000u)
#define BLOCKS         RIG_FRAME_MAX
#define NET_SHARE      10 /* one frame in so many goes through plx_net_rx_burst() */

static uint64_t frames_wanted, frames_done, seed;
static struct plx_net_rule rule, rule_options;
static uint8_t *block[BLOCKS]; /* block[n]: n bytes from the heap */
static uint64_t tally[PLX_DROP_CNT], accepted;
static struct plx_rand rnd;
static struct rte_mempool *pool;

static uint64_t
env_u64(const char *name, uint64_t dflt)
{
	const char *v = getenv(name);

	return v != NULL && *v != '\0' ? strtoull(v, NULL, 0) : dflt;
}

static int
init(void)
{
	struct plx_net_cfg cfg = rig_cfg(1);

	for (unsigned i = 0; i < BLOCKS; i++) {
		block[i] = malloc(i != 0 ? i : 1);
		if (block[i] == NULL)
			return -1;
	}
	cfg.ip4_options = true;
	if (plx_net_rule_init(&rule_options, &cfg, 1500) != 0)
		return -1;
	cfg.ip4_options = false;
	plx_rand_seed(&rnd, seed);
	printf("seed %" PRIu64 ", %" PRIu64 " frames; repeat with PLX_NET_SEED and "
	       "PLX_NET_FRAMES\n",
	       seed, frames_wanted);
	return plx_net_rule_init(&rule, &cfg, 1500);
}

static int
fini(void)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		free(block[i]);
	return 0;
}

/* What holds for every verdict: one of the two, and everything named lies inside the frame. */
static bool
verdict_ok(const struct plx_net_pkt *k, size_t len)
{
	const size_t end = (size_t)k->l2_len + k->l3_len + k->l4_len;

	switch (k->kind) {
	case PLX_NET_KIND_DROP:
		return k->drop > PLX_DROP_NONE && k->drop <= PLX_DROP_NET_TOO_LARGE;
	case PLX_NET_KIND_ARP:
		return k->drop == PLX_DROP_NONE && k->l2_len + 28u <= len;
	case PLX_NET_KIND_DGRAM:
		return k->drop == PLX_DROP_NONE && end <= len && k->l4_len > 8 &&
		       k->l2_len <= 22 && k->l3_len <= 296;
	case PLX_NET_KIND_ICMP4:
	case PLX_NET_KIND_ICMP6:
		return k->drop == PLX_DROP_NONE && end <= len;
	default:
		return false;
	}
}

/* Parses len bytes of b from a block of exactly that size. */
static struct plx_net_pkt
parse(const struct plx_net_rule *r, const uint8_t *b, size_t len, unsigned trust)
{
	struct plx_net_pkt k;

	memcpy(block[len], b, len);
	plx_net_parse(r, block[len], len, trust, &k);
	frames_done++;
	if (k.kind == PLX_NET_KIND_DROP)
		tally[k.drop]++;
	else
		accepted++;
	if (!verdict_ok(&k, len)) {
		printf("frame of %zu bytes:", len);
		for (size_t i = 0; i < len; i++)
			printf(" %02x", b[i]);
		printf("\nkind %u drop %u l2 %u l3 %u l4 %u\n", k.kind, k.drop, k.l2_len,
		       k.l3_len, k.l4_len);
		CU_FAIL_FATAL("verdict out of the frame");
	}
	return k;
}

/* Steps through 65536 values so that all tests together take the number of frames wanted. */
static unsigned
stride(void)
{
	/* 5.2 million frames are enumerated at stride 1; 1 and odd numbers reach all residues */
	unsigned n = (unsigned)(UINT64_C(5200000) / (frames_wanted / 2 + 1));

	return n < 1 ? 1 : n | 1;
}

/* An independent statement of what IPv4 length and header length allow. */
static enum plx_drop
expect_ip4(unsigned ihl, unsigned total, size_t left, bool options)
{
	if (ihl < 5)
		return PLX_DROP_NET_IP4_VERSION;
	if (total < ihl * 4 || total > left)
		return PLX_DROP_NET_IP4_LEN;
	if (ihl > 5 && !options)
		return PLX_DROP_NET_IP4_OPTIONS;
	return PLX_DROP_NONE;
}

static void
every_ipv4_length_with_every_header_length(void)
{
	struct rig_spec s = {.payload_len = 70, .opt_words = 10};
	unsigned wrong = 0, step = stride();
	struct rig_frame f;

	PLX_COVERS("D1");
	for (s.tags = 0; s.tags <= 2; s.tags++) {
		rig_build(&f, &s);
		for (unsigned ihl = 0; ihl < 16; ihl++) {
			f.b[f.l3] = (uint8_t)(0x40 | ihl);
			for (unsigned total = ihl % step; total < 65536; total += step) {
				const bool options = (total + ihl) & 1;
				enum plx_drop want;
				struct plx_net_pkt k;

				plx_st16_be(f.b + f.l3 + 2, (uint16_t)total);
				want = expect_ip4(ihl, total, f.len - f.l3, options);
				k = parse(options ? &rule_options : &rule, f.b, f.len,
				          PLX_NET_TRUST_IP);
				if (want != PLX_DROP_NONE)
					wrong += k.drop != want;
				else
					wrong += k.drop >= PLX_DROP_NET_IP4_VERSION &&
					         k.drop <= PLX_DROP_NET_IP4_OPTIONS;
			}
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void
every_udp_length(void)
{
	static const uint16_t payload[] = {1, 30, 60};
	unsigned wrong = 0, step = stride();
	struct rig_frame f;

	PLX_COVERS("D1");
	for (unsigned i = 0; i < 18; i++) {
		struct rig_spec s = {.v6 = i & 1,
		                     .tags = (uint8_t)(i / 2 % 3),
		                     .payload_len = payload[i / 6],
		                     .pad = 20};
		const unsigned real = s.payload_len + 8u;

		rig_build(&f, &s);
		for (unsigned len = i % step; len < 65536; len += step) {
			struct plx_net_pkt k;

			plx_st16_be(f.b + f.l4 + 4, (uint16_t)len);
			k = parse(&rule, f.b, f.len, PLX_NET_TRUST_WIRE);
			if (len < 8 || len > real)
				wrong += k.drop != PLX_DROP_NET_UDP_LEN;
			else if (len == 8)
				wrong += k.drop != PLX_DROP_NET_EMPTY;
			else
				wrong += k.kind != PLX_NET_KIND_DGRAM || k.l4_len != len;
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void
every_ipv6_payload_length_behind_extension_headers(void)
{
	unsigned wrong = 0, step = stride();
	struct rig_frame f;

	PLX_COVERS("D1", "D5");
	for (unsigned i = 0; i < 12; i++) {
		struct rig_spec s = {.v6 = true,
		                     .tags = (uint8_t)(i % 3),
		                     .payload_len = 40,
		                     .pad = 11,
		                     .ext_cnt = (uint8_t)(i / 3),
		                     .ext = {{0, 1}, {60, 2}, {43, 1}}};

		rig_build(&f, &s);
		for (unsigned len = i % step; len < 65536; len += step) {
			struct plx_net_pkt k;

			plx_st16_be(f.b + f.l3 + 4, (uint16_t)len);
			k = parse(&rule, f.b, f.len, PLX_NET_TRUST_WIRE);
			if (len > f.len - f.l3 - 40)
				wrong += k.drop != PLX_DROP_NET_IP6_LEN;
			else if (len < f.l4 - f.l3 - 40)
				wrong += k.drop != PLX_DROP_NET_IP6_EXT;
			else if (len < f.l4 - f.l3 - 40 + 48)
				wrong += k.drop != PLX_DROP_NET_UDP_LEN;
			else
				wrong += k.kind != PLX_NET_KIND_DGRAM || k.l4_len != 48;
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void
every_ethertype_and_every_extension_length_and_type(void)
{
	struct rig_spec s = {.payload_len = 60};
	unsigned wrong = 0, step = stride();
	struct rig_frame f;

	PLX_COVERS("D5");
	for (s.tags = 0; s.tags <= 2; s.tags++) {
		rig_build(&f, &s);
		for (unsigned t = 0; t < 65536; t += step) {
			struct plx_net_pkt k;

			plx_st16_be(f.b + f.l3 - 2, (uint16_t)t);
			k = parse(&rule, f.b, f.len, 0);
			if (t == 0x0800)
				wrong += k.kind != PLX_NET_KIND_DGRAM;
			else if (t == 0x0806)
				wrong += k.kind != PLX_NET_KIND_ARP;
			else
				wrong += k.kind != PLX_NET_KIND_DROP;
		}
	}
	s = (struct rig_spec){
	        .v6 = true, .payload_len = 300, .ext_cnt = 2, .ext = {{60, 1}, {60, 1}}};
	rig_build(&f, &s);
	for (unsigned v = 0; v < 65536; v += step) {
		f.b[f.l3 + 40] = (uint8_t)(v >> 8); /* next header */
		f.b[f.l3 + 41] = (uint8_t)v;        /* length */
		parse(&rule, f.b, f.len, PLX_NET_TRUST_WIRE);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* A shape at random; the last ones are ARP, ICMP and neighbour discovery. */
static void
random_shape(struct rig_frame *f)
{
	static const uint8_t types[] = {0, 43, 44, 60, 60, 60, 51, 17};
	struct rig_spec s = {
	        .v6 = plx_rand_below(&rnd, 2) != 0,
	        .ecn = (uint8_t)plx_rand_below(&rnd, 4),
	        .payload_len = (uint16_t)plx_rand_below(&rnd, 90),
	        .pad = (uint16_t)(plx_rand_below(&rnd, 2) * plx_rand_below(&rnd, 40))};
	const uint64_t r = plx_rand_u64(&rnd);
	uint8_t *p;

	s.tags = (uint8_t)((r & 7) < 4 ? 0 : (r & 3));
	s.opt_words = (uint8_t)(r >> 3 & 1 ? (r >> 4) % 11 : 0);
	if (r >> 8 & 1) {
		s.ext_cnt = (uint8_t)((r >> 9) % 10);
		for (unsigned i = 0; i < s.ext_cnt; i++) {
			s.ext[i].type = types[plx_rand_below(&rnd, i == 0 ? 8 : 7)];
			s.ext[i].units = (uint8_t)(1 + plx_rand_below(&rnd, 3));
		}
	}
	if ((r >> 16 & 7) == 0) {
		s.proto = s.v6 ? PLX_PROTO_ICMP6 : PLX_PROTO_ICMP4;
		s.payload_len = (uint16_t)(s.payload_len + 32);
		s.ttl = 255;
	}
	if ((r >> 20 & 15) == 0) /* as large as a frame may be, and larger */
		s.payload_len = (uint16_t)(1380 + plx_rand_below(&rnd, 150));
	rig_build(f, &s);
	p = f->b + f->l4;
	if (s.proto != 0) {
		static const uint8_t type6[] = {128, 135, 136, 2, 134, 129};

		p[0] = s.v6 ? type6[(r >> 32) % 6] : (uint8_t)((r >> 32 & 1) ? 8 : 3);
		p[1] = !s.v6 && p[0] == 3 ? 4 : 0;
		if (s.v6 && (p[0] == 135 || p[0] == 136)) {
			memcpy(p + 8, r >> 40 & 1 ? rig_ip6_a : rig_ip6_b, 16);
			p[24] = p[0] == 135 ? 1 : 2;
			p[25] = (uint8_t)(r >> 41 & 3);
		}
		rig_fix(f, s.v6, s.proto);
	}
	if ((r >> 24 & 31) == 0) {
		static const uint8_t fixed[6] = {0, 1, 8, 0, 6, 4};

		plx_st16_be(f->b + f->l3 - 2, 0x0806);
		memcpy(f->b + f->l3, fixed, 6);
		plx_st16_be(f->b + f->l3 + 6, (uint16_t)(1 + (r >> 29 & 1)));
		memcpy(f->b + f->l3 + 8, rig_mac_b, 6);
		memcpy(f->b + f->l3 + 14, rig_ip4_b, 4);
		memcpy(f->b + f->l3 + 24, rig_ip4_a, 4);
	}
}

/* Changes a few bytes of the headers, and sometimes the length. */
static void
mutate(struct rig_frame *f)
{
	const uint64_t r = plx_rand_u64(&rnd);
	const size_t span = f->len < 100 ? f->len : 100;

	for (unsigned i = 0; i < (r & 3); i++)
		f->b[plx_rand_below(&rnd, span)] = (uint8_t)plx_rand_u64(&rnd);
	if ((r >> 8 & 3) == 0)
		f->len = plx_rand_below(&rnd, f->len + 1);
}

static void
every_truncation_of_many_shapes(void)
{
	const uint64_t end = frames_done + frames_wanted / 10;
	struct rig_frame f;

	PLX_COVERS("D1", "D5");
	while (frames_done < end) {
		random_shape(&f);
		for (size_t len = 0; len <= f.len && len < BLOCKS; len++)
			parse(len & 1 ? &rule_options : &rule, f.b, len,
			      len & 2 ? PLX_NET_TRUST_WIRE : 0);
	}
}

static void
mutated_frames_until_the_number_is_reached(void)
{
	const uint64_t end = frames_wanted - frames_wanted / NET_SHARE;
	struct rig_frame f;
	uint64_t sum;

	PLX_COVERS("D1", "D3", "D4", "D5", "D6");
	while (frames_done < end) {
		const unsigned trust = (unsigned)plx_rand_below(&rnd, 8);

		random_shape(&f);
		for (unsigned i = 0; i < 8; i++) {
			struct rig_frame g;

			g.len = f.len;
			memcpy(g.b, f.b, f.len);
			mutate(&g);
			parse(i & 1 ? &rule_options : &rule, g.b, g.len, trust);
		}
	}
	sum = accepted;
	for (unsigned i = 1; i < PLX_DROP_CNT; i++)
		sum += tally[i];
	CU_ASSERT_EQUAL(sum, frames_done);
	/* A generator that reaches only one corner proves nothing. */
	CU_ASSERT(accepted > frames_done / 50);
	for (unsigned i = 1; i <= PLX_DROP_NET_TOO_LARGE; i++)
		CU_ASSERT(tally[i] > 0);
	printf("%" PRIu64 " frames parsed, %" PRIu64 " accepted\n", frames_done, accepted);
}

/* --- through plx_net_rx_burst() --- */

static void
free_block(void *addr, void *opaque)
{
	(void)addr;
	free(opaque);
}

struct shared {
	struct rte_mbuf_ext_shared_info info;
	uint8_t *data;
};

static void
free_shared(void *addr, void *opaque)
{
	struct shared *sh = opaque;

	free_block(addr, sh->data);
	free(sh);
}

/* A buffer whose data is a heap block of exactly len bytes. */
static struct rte_mbuf *
exact(const uint8_t *p, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct shared *sh = malloc(sizeof(*sh));

	if (m == NULL || sh == NULL || (sh->data = malloc(len != 0 ? len : 1)) == NULL)
		abort();
	memcpy(sh->data, p, len);
	sh->info.free_cb = free_shared;
	sh->info.fcb_opaque = sh;
	rte_mbuf_ext_refcnt_set(&sh->info, 1);
	rte_pktmbuf_attach_extbuf(m, sh->data, 0, (uint16_t)len, &sh->info);
	m->data_off = 0;
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	return m;
}

static struct rte_mbuf *
cut(const struct rig_frame *f, unsigned cnt)
{
	struct rte_mbuf *head = NULL, *last = NULL;
	size_t off = 0;

	for (unsigned i = 0; i < cnt; i++) {
		size_t n = i + 1 == cnt ? f->len - off
		                        : plx_rand_below(&rnd, f->len - off + 1);
		struct rte_mbuf *m = exact(f->b + off, n);

		off += n;
		if (last == NULL) {
			head = m;
		} else {
			last->next = m;
			head->nb_segs++;
			head->pkt_len += (uint32_t)n;
		}
		last = m;
	}
	return head;
}

/* Makes the list lie; every lie is one that freeing can survive. */
static void
lie(struct rte_mbuf *m)
{
	struct rte_mbuf *last = m;

	while (last->next != NULL)
		last = last->next;
	switch (plx_rand_below(&rnd, 5)) {
	case 0:
		m->nb_segs++;
		break;
	case 1:
		m->nb_segs--;
		break;
	case 2:
		m->pkt_len += 1 + (uint32_t)plx_rand_below(&rnd, 2000);
		break;
	case 3:
		last->next = m;
		break;
	default:
		last->next = m->next != NULL ? m->next : m;
		break;
	}
}

struct burst {
	struct rte_mbuf *m[PLX_BURST_MAX];
	unsigned lies;
	unsigned dgrams; /* how many the parser accepts on contiguous bytes */
	uint64_t hash;   /* of their payloads, in order */
};

static uint64_t
hash_bytes(uint64_t h, const uint8_t *p, size_t len)
{
	h = (h ^ len) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void
make_burst(struct burst *b)
{
	struct plx_net_pkt k;
	struct rig_frame f;

	*b = (struct burst){0};
	for (unsigned i = 0; i < PLX_BURST_MAX; i++) {
		const uint64_t r = plx_rand_u64(&rnd);

		random_shape(&f);
		if (r & 1)
			mutate(&f);
		b->m[i] = cut(&f, (r >> 1 & 1) ? 1 : 1 + (unsigned)((r >> 2) % 9));
		if ((r >> 16 & 15) == 0) {
			lie(b->m[i]);
			b->lies++;
			continue;
		}
		plx_net_parse(&rule, f.b, f.len, 0, &k);
		if (k.kind == PLX_NET_KIND_DGRAM) {
			b->dgrams++;
			b->hash = hash_bytes(b->hash, f.b + k.l2_len + k.l3_len + 8,
			                     k.l4_len - 8u);
		}
	}
}

static void
every_received_frame_is_accounted_for_once(void)
{
	struct plx_net_cfg cfg = rig_cfg(1);
	struct plx_dgram dg[PLX_BURST_MAX];
	uint64_t now = PLX_NS_PER_S, frames = 0, lies = 0;
	const unsigned avail = rte_mempool_avail_count(pool);
	struct plx_neigh *neigh;
	struct rig_port port;
	static struct plx_obs obs;
	struct plx_net *n;
	struct burst b;

	PLX_COVERS("D1", "D2");
	cfg.icmp_rate = 60000;
	rig_port_init(&port, 1, pool, 0);
	CU_ASSERT_EQUAL_FATAL(plx_neigh_new(&neigh, 64), 0);
	CU_ASSERT_EQUAL_FATAL(plx_net_new(&n, &cfg, &port.pio, 0, neigh, &obs), 0);
	while (frames < frames_wanted / NET_SHARE) {
		uint64_t hash = 0;
		uint16_t got;

		make_burst(&b);
		now += PLX_NS_PER_MS;
		got = plx_net_rx_burst(n, b.m, PLX_BURST_MAX, dg, now);
		frames += PLX_BURST_MAX;
		lies += b.lies;
		for (unsigned i = 0; i < got; i++) {
			hash = hash_bytes(hash, dg[i].data, dg[i].len);
			rte_pktmbuf_free(dg[i].cookie);
		}
		if (got != b.dgrams || hash != b.hash ||
		    plx_obs_get(&obs, PLX_COUNT_rx_pkts) != frames ||
		    rig_accounted(&obs) != frames) {
			printf("after %" PRIu64 " frames: %u datagrams, expected %u\n",
			       frames, got, b.dgrams);
			CU_FAIL_FATAL("a frame was lost, counted twice, or changed");
		}
		plx_net_tx_flush(n, now);
		rig_port_drop(&port);
	}
	CU_ASSERT_EQUAL(plx_obs_get_drop(&obs, PLX_DROP_NET_SEGMENTS), lies);
	CU_ASSERT(plx_obs_get(&obs, PLX_COUNT_arp_rx) > 0);
	CU_ASSERT(plx_obs_get(&obs, PLX_COUNT_nd_rx) > 0);
	CU_ASSERT(plx_obs_get(&obs, PLX_COUNT_echo_rx) > 0);
	plx_net_free(n);
	plx_neigh_free(neigh);
	CU_ASSERT_EQUAL(rte_mempool_avail_count(pool), avail);
	frames_done += frames;
	printf("%" PRIu64 " frames in all\n", frames_done);
	CU_ASSERT(frames_done >= frames_wanted);
}

/* --- does the harness see what it is there to see? --- */

#if HAVE_ASAN
/* Runs fn in a child and reads what it says to stderr; true when ASan reports an over-read. */
static bool
child_is_caught(void (*fn)(void))
{
	char text[8192];
	size_t len = 0;
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	if (pipe(fd) != 0)
		return false;
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		fn();
		_exit(0);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return false;
	}
	/* The child must not block on a full pipe: read to the end, keep the beginning. */
	for (;;) {
		char more[1024];

		n = read(fd[0], more, sizeof(more));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (len + (size_t)n < sizeof(text)) {
			memcpy(text + len, more, (size_t)n);
			len += (size_t)n;
		}
	}
	close(fd[0]);
	text[len] = '\0';
	if (waitpid(pid, &status, 0) != pid)
		return false;
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
	       strstr(text, "heap-buffer-overflow") != NULL;
}

static void
read_past_block(void)
{
	const volatile uint8_t *p = block[60];

	(void)p[60];
}

static void
read_past_segment(void)
{
	static const uint8_t bytes[60];
	struct rte_mbuf *m = exact(bytes, sizeof(bytes));
	const volatile uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);

	(void)p[m->data_len];
}

static void
sum_past_block(void)
{
	/* through the code under test, which is instrumented too */
	if (plx_cksum_fold(plx_cksum_add(0, block[64], 65)) == 1)
		_exit(0);
}

static void
a_planted_read_past_the_frame_is_reported(void)
{
	PLX_COVERS("D1");
	CU_ASSERT_TRUE(child_is_caught(read_past_block));
	CU_ASSERT_TRUE(child_is_caught(read_past_segment));
	CU_ASSERT_TRUE(child_is_caught(sum_past_block));
}
#endif

int
main(void)
{
	CU_TestInfo tests[] = {
#if HAVE_ASAN
	        {"a planted read past the frame is reported",
	         a_planted_read_past_the_frame_is_reported},
#endif
	        {"every IPv4 length with every header length",
	         every_ipv4_length_with_every_header_length},
	        {"every UDP length", every_udp_length},
	        {"every IPv6 payload length behind extension headers",
	         every_ipv6_payload_length_behind_extension_headers},
	        {"every EtherType, and every extension length and type",
	         every_ethertype_and_every_extension_length_and_type},
	        {"every truncation of many shapes", every_truncation_of_many_shapes},
	        {"mutated frames until the number is reached",
	         mutated_frames_until_the_number_is_reached},
	        {"every received frame is accounted for once",
	         every_received_frame_is_accounted_for_once},
	        CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
	        {.pName = "generated frames",
	         .pInitFunc = init,
	         .pCleanupFunc = fini,
	         .pTests = tests},
	        CU_SUITE_INFO_NULL,
	};
	int rc;

	frames_wanted = env_u64("PLX_NET_FRAMES", FRAMES_DEFAULT);
	seed = env_u64("PLX_NET_SEED", 20261120);
	if (plx_test_eal("plx-test-net-ex", 64) != 0)
		return EXIT_FAILURE;
	pool = rte_pktmbuf_pool_create("net", 2047, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	if (pool == NULL)
		return EXIT_FAILURE;
	rc = plx_test_main(suites);
	rte_mempool_free(pool);
	rte_eal_cleanup();
	return rc;
}
