/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server of `pollux serve` on a disk that is slow, broken or dead: whole engines over the
 * in-process wire, one connection and one worker, and a pread() that the test commands.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "plx_client.h"
#include "plx_config.h"
#include "plx_ctl.h"
#include "plx_ctl_local.h"
#include "plx_serve_core_pvt.h"
#include "plx_test.h"
#include "plx_test_eal.h"

#define DEPTH     1024
#define SMALL_SZ  1000
#define LARGE_SZ  (5 * PLX_SERVE_BUF_SZ + 17)
#define OTHERS    40
#define PARALLEL  8
#define LIMIT_NS  (20 * PLX_NS_PER_S)
#define IO_THREAD 2

/* RFC 9114 section 8.1 */
#define H3_INTERNAL_ERROR 0x102

/* The disk. Files are told apart by their names: "held…", "broken…", "cut…", anything else. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t turn;
	bool open;          /* reads of held files go on */
	unsigned held_cnt;  /* reads that wait */
	unsigned reads_cnt; /* reads of held files that went on */
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .turn = PTHREAD_COND_INITIALIZER};

/* The linker's names for what the program calls, and for what libc has. */
ssize_t __real_pread64(int fd, void *buf, size_t len, off_t off);
ssize_t __wrap_pread64(int fd, void *buf, size_t len, off_t off);

ssize_t
__wrap_pread64(int fd, void *buf, size_t len, off_t off)
{
	char link[64], name[256] = "";
	const char *file;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, name, sizeof(name) - 1) < 0)
		return -1;
	file = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
	if (strncmp(file, "broken", 6) == 0 && off >= PLX_SERVE_BUF_SZ) {
		errno = EIO;
		return -1;
	}
	if (strncmp(file, "cut", 3) == 0 && off >= PLX_SERVE_BUF_SZ)
		return 0;
	if (strncmp(file, "held", 4) == 0) {
		pthread_mutex_lock(&disk.lock);
		disk.held_cnt++;
		while (!disk.open)
			pthread_cond_wait(&disk.turn, &disk.lock);
		disk.held_cnt--;
		disk.reads_cnt++;
		pthread_mutex_unlock(&disk.lock);
	}
	return __real_pread64(fd, buf, len, off);
}

static unsigned
held(void)
{
	unsigned n;

	pthread_mutex_lock(&disk.lock);
	n = disk.held_cnt;
	pthread_mutex_unlock(&disk.lock);
	return n;
}

static void
let_go(bool open)
{
	pthread_mutex_lock(&disk.lock);
	disk.open = open;
	pthread_cond_broadcast(&disk.turn);
	pthread_mutex_unlock(&disk.lock);
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * PLX_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static char root[64];

struct rig {
	struct plx_config cfg;
	struct plx_ctl_wire *wire;
	struct plx_ctl_cert cert;
	struct plx_ctl *server, *client_ctl;
	struct plx_attach *attach;
	struct plx_io_pool *io;
	struct plx_serve_core *core;
	struct plx_client *client;
	struct plx_client_conn *conn;
	pthread_t thread;
	bool served, up, down;
};

/* A request, and what came of it. */
struct ask {
	struct plx_client_req req; /* first */
	bool done;
	enum plx_client_end end;
	uint64_t code, bad_bytes;
};

/* Byte i of every file. */
static uint8_t
byte_at(uint64_t i)
{
	return (uint8_t)(i * 131 + (i >> 8));
}

static int
on_data(struct plx_client_req *r, const uint8_t *data, size_t len)
{
	struct ask *a = (struct ask *)(void *)r;

	for (size_t i = 0; i < len; i++)
		a->bad_bytes += data[i] != byte_at(a->req.body_len - len + i);
	return 0;
}

static void
on_done(struct plx_client_req *r, enum plx_client_end end, uint64_t code)
{
	struct ask *a = (struct ask *)(void *)r;

	a->done = true;
	a->end = end;
	a->code = code;
}

static void
ask(struct rig *r, struct ask *a, const char *path)
{
	*a = (struct ask){0};
	snprintf(a->req.method, sizeof(a->req.method), "GET");
	snprintf(a->req.path, sizeof(a->req.path), "%s", path);
	if (strncmp(path, "/stream-bytes", 13) != 0)
		a->req.on_data = on_data;
	a->req.on_done = on_done;
	plx_client_request(r->conn, &a->req);
}

static bool
run_until(struct rig *r, const bool *what)
{
	uint64_t end = now_ns() + LIMIT_NS;

	while (!*what && now_ns() < end)
		if (plx_client_turn(r->client) == 0)
			plx_client_wait(r->client, 1000);
	return *what;
}

static void
run_for(struct rig *r, uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() < end)
		if (plx_client_turn(r->client) == 0)
			plx_client_wait(r->client, 1000);
}

static bool
all_arrived(const struct ask *a, uint64_t len)
{
	return a->done && a->end == PLX_CLIENT_OK && a->req.status == 200 &&
	       a->req.body_len == len && a->bad_bytes == 0;
}

static void
on_state(struct plx_client_conn *c, bool up, const struct plx_event *ev)
{
	struct rig *r = plx_client_conn_user(c);

	(void)ev;
	r->up |= up;
	r->down |= !up;
}

static void
dial(struct rig *r)
{
	struct plx_client_target t = {.host = "disk.pollux",
	                              .sni = "disk.pollux",
	                              .verify = true,
	                              .parallel = PARALLEL};
	const struct plx_client_conn_cb cb = {.on_state = on_state, .user = r};

	t.remote.family = PLX_FAMILY_IPV4;
	t.remote.port_be = htons(443);
	inet_pton(AF_INET, "192.0.2.1", t.remote.ip);
	r->conn = plx_client_open(r->client, &t, &cb);
	CU_ASSERT_TRUE_FATAL(run_until(r, &r->up));
}

static void
make_rig(struct rig *r, unsigned io_threads)
{
	struct plx_ctl_opts server = {.name = "dsrv",
	                              .serve = true,
	                              .listen_port = 443,
	                              .address = "192.0.2.1/24",
	                              .wire = true};
	struct plx_ctl_opts client = {.name = "dcli",
	                              .dial = true,
	                              .first_lcore = 1,
	                              .address = "192.0.2.2/24",
	                              .wire = true};
	struct plx_attach *a;
	char err[512] = "";

	memset(r, 0, sizeof(*r));
	let_go(false);
	CU_ASSERT_EQUAL_FATAL(plx_config_init(&r->cfg), 0);
	r->cfg.quic.max_conns = 16;
	CU_ASSERT_EQUAL_FATAL(plx_ctl_cert_make(&r->cert, "disk.pollux"), 0);
	server.cert_pem = r->cert.cert_pem;
	server.key_pem = r->cert.key_pem;
	client.ca_file = r->cert.ca_file;
	CU_ASSERT_EQUAL_FATAL(plx_ctl_wire_open(&r->wire, 1, 1), 0);
	server.pio = plx_ctl_wire_port(r->wire, 0);
	client.pio = plx_ctl_wire_port(r->wire, 1);
	CU_ASSERT_EQUAL_FATAL(plx_ctl_open(&r->server, &r->cfg, &server, err, sizeof(err)),
	                      0);
	CU_ASSERT_EQUAL_FATAL(
	        plx_ctl_open(&r->client_ctl, &r->cfg, &client, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL_FATAL(plx_app_attach(plx_ctl_engine(r->server), DEPTH, &r->attach),
	                      0);
	CU_ASSERT_EQUAL_FATAL(plx_app_attach(plx_ctl_engine(r->client_ctl), DEPTH, &a), 0);
	CU_ASSERT_EQUAL_FATAL(plx_io_pool_new(&r->io, root, io_threads), 0);
	CU_ASSERT_EQUAL_FATAL(plx_serve_core_new(&r->core, r->attach, r->io, true), 0);
	CU_ASSERT_EQUAL_FATAL(plx_client_new(&r->client, a), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&r->thread, NULL, plx_serve_core_run, r->core),
	                      0);
	CU_ASSERT_EQUAL_FATAL(plx_ctl_start(r->server, err, sizeof(err)), 0);
	CU_ASSERT_EQUAL_FATAL(plx_ctl_start(r->client_ctl, err, sizeof(err)), 0);
	r->served = true;
	dial(r);
}

static void
stop(struct rig *r)
{
	plx_ctl_stop(r->client_ctl);
	plx_ctl_stop(r->server);
	plx_serve_core_stop(r->core);
	pthread_join(r->thread, NULL);
}

static void
free_engines(struct rig *r)
{
	plx_client_free(r->client);
	plx_ctl_close(r->client_ctl);
	plx_ctl_close(r->server);
	plx_ctl_wire_close(r->wire);
	plx_ctl_cert_free(&r->cert);
	plx_config_fini(&r->cfg);
}

static void
free_rig(struct rig *r)
{
	let_go(true);
	stop(r);
	CU_ASSERT_EQUAL(plx_io_pool_free(r->io, 5000), 0);
	plx_serve_core_free(r->core);
	free_engines(r);
}

/* So many requests are in the server's hands, and stay. */
static bool
settles_at(struct rig *r, uint64_t cnt)
{
	for (int i = 0; i < 200 && plx_serve_core_active(r->core) != cnt; i++)
		run_for(r, 10 * PLX_NS_PER_MS);
	run_for(r, 50 * PLX_NS_PER_MS);
	return plx_serve_core_active(r->core) == cnt;
}

/* OTHERS requests, one after another; each must be answered while a read is held. */
static void
others_are_answered(struct rig *r, const char *path, uint64_t len)
{
	for (unsigned i = 0; i < OTHERS; i++) {
		struct ask a;

		ask(r, &a, path);
		CU_ASSERT_TRUE_FATAL(run_until(r, &a.done));
		CU_ASSERT_TRUE(all_arrived(&a, len));
		CU_ASSERT_TRUE(held() > 0);
	}
}

static void
a_slow_read_delays_nobody_else(void)
{
	struct ask slow;
	struct rig r;

	make_rig(&r, IO_THREAD);
	ask(&r, &slow, "/held");
	run_for(&r, 300 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(held(), 1);
	others_are_answered(&r, "/stream-bytes/1000", 1000);
	others_are_answered(&r, "/small", SMALL_SZ);
	others_are_answered(&r, "/large", LARGE_SZ);
	CU_ASSERT_FALSE(slow.done);
	let_go(true);
	CU_ASSERT_TRUE(run_until(&r, &slow.done));
	CU_ASSERT_TRUE(all_arrived(&slow, LARGE_SZ));
	CU_ASSERT_FALSE(r.down);
	free_rig(&r);
}

/* Not one thread is left that reads; what needs no disk goes on. */
static void
with_every_reader_held_up_the_rest_goes_on(void)
{
	struct ask slow[IO_THREAD], late;
	struct rig r;

	make_rig(&r, IO_THREAD);
	for (unsigned i = 0; i < IO_THREAD; i++)
		ask(&r, &slow[i], "/held");
	run_for(&r, 200 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(held(), IO_THREAD);
	ask(&r, &late, "/small");
	others_are_answered(&r, "/stream-bytes/100000", 100000);
	CU_ASSERT_FALSE(late.done);
	let_go(true);
	for (unsigned i = 0; i < IO_THREAD; i++) {
		CU_ASSERT_TRUE(run_until(&r, &slow[i].done));
		CU_ASSERT_TRUE(all_arrived(&slow[i], LARGE_SZ));
	}
	CU_ASSERT_TRUE(run_until(&r, &late.done));
	CU_ASSERT_TRUE(all_arrived(&late, SMALL_SZ));
	free_rig(&r);
}

/* The length is promised by then: only a reset says that the rest does not come. */
static void
ends_in_a_reset(const char *path)
{
	const struct plx_serve_stats *st;
	struct ask bad, good;
	struct rig r;

	make_rig(&r, IO_THREAD);
	st = plx_serve_core_stats(r.core);
	ask(&r, &bad, path);
	ask(&r, &good, "/large");
	CU_ASSERT_TRUE(run_until(&r, &bad.done));
	CU_ASSERT_EQUAL(bad.end, PLX_CLIENT_RESET);
	CU_ASSERT_EQUAL(bad.code, H3_INTERNAL_ERROR);
	CU_ASSERT_TRUE(bad.req.body_len < LARGE_SZ);
	CU_ASSERT_EQUAL(bad.bad_bytes, 0);
	CU_ASSERT_TRUE(run_until(&r, &good.done));
	CU_ASSERT_TRUE(all_arrived(&good, LARGE_SZ));
	ask(&r, &good, "/small");
	CU_ASSERT_TRUE(run_until(&r, &good.done));
	CU_ASSERT_TRUE(all_arrived(&good, SMALL_SZ));
	CU_ASSERT_FALSE(r.down);
	CU_ASSERT_EQUAL(atomic_load(&st->responses_5xx), 1);
	CU_ASSERT_EQUAL(atomic_load(&st->responses_2xx), 2);
	CU_ASSERT_TRUE(settles_at(&r, 0));
	free_rig(&r);
}

static void
an_error_in_mid_file_resets_that_stream_only(void)
{
	ends_in_a_reset("/broken");
}

static void
a_file_that_became_shorter_resets_that_stream_only(void)
{
	ends_in_a_reset("/cut");
}

/* Whoever gives up while the disk reads for him leaves nothing behind when it is done. */
static void
a_request_given_up_during_its_read_is_freed_after_it(void)
{
	struct ask slow, other;
	struct rig r;

	make_rig(&r, IO_THREAD);
	ask(&r, &slow, "/held");
	run_for(&r, 100 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(held(), 1);
	plx_client_cancel(&slow.req);
	CU_ASSERT_TRUE(run_until(&r, &slow.done));
	ask(&r, &other, "/large");
	CU_ASSERT_TRUE(run_until(&r, &other.done));
	CU_ASSERT_TRUE(all_arrived(&other, LARGE_SZ));
	/* The other one ends with its last acknowledgement; the one that is read for stays. */
	CU_ASSERT_TRUE(settles_at(&r, 1));
	let_go(true);
	CU_ASSERT_TRUE(settles_at(&r, 0));
	free_rig(&r);
}

/* A disk that stays dead would hang this program where it shows a fault. */
static void *
mercy(void *arg)
{
	struct timespec end;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 5;
	pthread_mutex_lock(&disk.lock);
	while (!disk.open)
		disk.open = pthread_cond_clockwait(&disk.turn, &disk.lock, CLOCK_MONOTONIC,
		                                   &end) != 0;
	pthread_cond_broadcast(&disk.turn);
	pthread_mutex_unlock(&disk.lock);
	return NULL;
}

/* As in serve the core stays until the process ends: the disk may still write to its buffers. */
static struct plx_serve_core *left_behind;

static void
a_dead_disk_does_not_keep_the_server_from_ending(void)
{
	uint64_t start, spent;
	struct ask slow[3];
	unsigned before;
	pthread_t late;
	struct rig r;

	make_rig(&r, IO_THREAD);
	for (unsigned i = 0; i < 3; i++)
		ask(&r, &slow[i], "/held");
	run_for(&r, 200 * PLX_NS_PER_MS);
	CU_ASSERT_EQUAL(held(), IO_THREAD);
	before = disk.reads_cnt;
	CU_ASSERT_EQUAL_FATAL(pthread_create(&late, NULL, mercy, NULL), 0);
	start = now_ns();
	stop(&r);
	CU_ASSERT_EQUAL(plx_io_pool_free(r.io, 300), PLX_E_TIMEOUT);
	spent = now_ns() - start;
	CU_ASSERT_TRUE(spent >= 300 * PLX_NS_PER_MS && spent < 3 * PLX_NS_PER_S);
	free_engines(&r);
	/* The attachment that would be woken is gone by now. */
	let_go(true);
	pthread_join(late, NULL);
	for (int i = 0; i < 500 && held() > 0; i++)
		usleep(10000);
	usleep(100000);
	CU_ASSERT_EQUAL(disk.reads_cnt, before + IO_THREAD);
	/* What came so late reached nobody. */
	CU_ASSERT_PTR_NULL(plx_io_take(&r.core->client));
	left_behind = r.core;
}

static void
make_file(const char *name, size_t len)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "we");
	for (size_t i = 0; f != NULL && i < len; i++)
		putc(byte_at(i), f);
	if (f == NULL || fclose(f) != 0)
		abort();
}

static const char *const names[] = {"small", "large", "held", "broken", "cut"};

static int
init(void)
{
	snprintf(root, sizeof(root), "/tmp/plx-serve-XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		make_file(names[i], i == 0 ? SMALL_SZ : LARGE_SZ);
	return 0;
}

static int
fini(void)
{
	char path[128];

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", root, names[i]);
		remove(path);
	}
	return rmdir(root);
}

static CU_TestInfo tests[] = {
        {"a slow read delays nobody else", a_slow_read_delays_nobody_else},
        {"with every reader held up the rest goes on",
         with_every_reader_held_up_the_rest_goes_on},
        {"an error in mid-file resets that stream only",
         an_error_in_mid_file_resets_that_stream_only},
        {"a file that became shorter resets that stream only",
         a_file_that_became_shorter_resets_that_stream_only},
        {"a request given up during its read is freed after it",
         a_request_given_up_during_its_read_is_freed_after_it},
        {"a dead disk does not keep the server from ending",
         a_dead_disk_does_not_keep_the_server_from_ending},
        CU_TEST_INFO_NULL,
};

static CU_SuiteInfo suites[] = {
        {"serve: the disk", init, fini, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
};

int
main(void)
{
	int rc;

	if (plx_test_eal_lcores("serve", 256, 3) != 0)
		return EXIT_FAILURE;
	rc = plx_test_main(suites);
	rte_eal_cleanup();
	return rc;
}
