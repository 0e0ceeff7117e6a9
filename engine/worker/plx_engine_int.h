/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The engine object: workers on their lcores, the ports they share, attachments, keylog.
 * engine/ctl makes one from the configuration; <plx/engine.h> is what programs see of it.
 *
 * Path:    [nic -> net -> steer -> quic -> stream -> app]
 * Threads: main.
 * Memory:  the engine owns ports (struct plx_pio) given to it from plx_engine_new() on, also
 *          when that fails later.
 */
#ifndef PLX_ENGINE_INT_H
#define PLX_ENGINE_INT_H

#include <plx/attach.h>
#include <plx/engine.h>

#include "plx_worker.h"

#define PLX_PROTOS_MAX    8
/** Packets a mailbox holds: a full burst for each of 32 turns in which its owner is away. */
#define PLX_MAILBOX_DEPTH 1024

/** Who speaks a protocol. */
enum plx_proto_kind {
	PLX_PROTO_INLINE = 0, /**< an inline application on the worker */
	PLX_PROTO_RAW_RING,   /**< raw streams for application cores */
	PLX_PROTO_H3_RING,    /**< HTTP/3 for application cores */
};

struct plx_engine_proto {
	char alpn[16];             /**< terminated */
	uint8_t kind;              /**< enum plx_proto_kind */
	const struct plx_app *app; /**< PLX_PROTO_INLINE */
	void *arg; /**< PLX_PROTO_INLINE: same for all workers, or use arg_of */
	/** PLX_PROTO_INLINE, or NULL: the argument for one worker. */
	void *(*arg_of)(void *arg, uint16_t worker);
};

/** Who looks into engines of this process: told when workers are there, and before they go. */
struct plx_engine_watch {
	void (*started)(struct plx_engine *e);
	void (*ending)(struct plx_engine *e);
};

struct plx_engine_cfg {
	char name[16]; /**< begins the name of every EAL object; unique in the process */
	uint16_t worker_cnt;
	unsigned lcore[PLX_WORKERS_MAX]; /**< EAL lcore of each worker */
	const struct plx_numa *numa;     /**< where lcores are; NULL = this machine */
	struct plx_pio *pio[PLX_PORTS_MAX];
	struct plx_net_cfg net[PLX_PORTS_MAX];
	uint16_t port_cnt;
	bool hosted; /**< the host turns the workers; pio[0] is a plx_hostport */
	struct plx_quic_cfg quic; /**< limits are per worker */
	struct plx_tls_cfg tls_server, tls_client;
	bool serve;      /**< tls_server is used */
	bool dial;       /**< tls_client is used */
	bool early_data; /**< take early data of clients; default off */
	struct plx_engine_proto proto[PLX_PROTOS_MAX];
	uint16_t proto_cnt;
	uint8_t idle;         /**< enum plx_idle */
	uint32_t empty_polls; /**< default 512 */
	uint8_t clock;        /**< enum plx_clock_kind */
	uint8_t crypt;        /**< enum plx_crypt_backend */
	uint8_t server_id[4];
	uint8_t server_id_len; /**< 1..4, default 2 */
	uint8_t config_id;     /**< 0..6 */
	bool steer_clear;      /**< show the bucket; default is masked */
	uint8_t secret
	        [64]; /**< from the key file: IDs, hash, tokens, tickets; all zero = random */
	const char *keylog; /**< file, or NULL */
	size_t rbuf_bytes;  /**< per worker, default 16 MiB */
	uint32_t send_high; /**< bytes queued per stream, default 256 KiB */
	uint32_t field_section_max, requests_max; /**< HTTP/3 */
	const struct plx_engine_watch *watch;     /**< NULL: nobody */
};

/** plx_engine_cfg_init() gives the defaults. Thread: any. Errors: none. */
void plx_engine_cfg_init(struct plx_engine_cfg *cfg) PLX_ANY_THREAD;

/**
 * plx_engine_new() takes over the ports and prepares the engine; workers are made by
 * plx_engine_start(), when the attachments are known.
 *
 * @return 0, PLX_E_CONFIG, PLX_E_NOMEM, PLX_E_IO (keylog)
 * Thread: main. Owns: see the head of this file. Errors: as returned; err has a sentence.
 */
int plx_engine_new(struct plx_engine **out, const struct plx_engine_cfg *cfg, char *err,
                   size_t err_sz) PLX_ON_MAIN;

/** Inspection. Thread: any while the engine lives. */
uint16_t plx_engine_workers(const struct plx_engine *e) PLX_ANY_THREAD;
struct plx_worker *plx_engine_worker(struct plx_engine *e, uint16_t worker) PLX_ANY_THREAD;
const struct plx_pio *plx_engine_pio(const struct plx_engine *e, uint16_t port)
        PLX_ANY_THREAD;
/** The port of a hosted engine, NULL of another. */
struct plx_pio *plx_engine_hostport(struct plx_engine *e) PLX_ANY_THREAD;
/**
 * plx_engine_port() is a port as plx_engine_poll() last saw it.
 * @return 0, PLX_E_NOENT: no such port. Thread: any while the engine lives. Owns: nothing.
 */
int plx_engine_port(const struct plx_engine *e, uint16_t port, struct plx_pio_link *link,
                    struct plx_pio_stats *stats) PLX_ANY_THREAD;
/** The name it was made with; the lcore of a worker, LCORE_ID_ANY where a host turns it. */
const char *plx_engine_name(const struct plx_engine *e) PLX_ANY_THREAD;
unsigned plx_engine_lcore(const struct plx_engine *e, uint16_t worker) PLX_ANY_THREAD;
/** Sum over workers. */
uint64_t plx_engine_count(const struct plx_engine *e, enum plx_count c) PLX_ANY_THREAD;
uint64_t plx_engine_drops(const struct plx_engine *e, enum plx_drop r) PLX_ANY_THREAD;

#endif
