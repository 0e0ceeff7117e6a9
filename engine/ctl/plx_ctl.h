/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Control: from a configuration to an engine that runs. What the subcommands of `pollux` use.
 *
 * Threads: main.
 * Memory:  a struct plx_ctl owns its engine and ports.
 *
 *   1. plx_ctl_open()           ports come up, the engine is made
 *   2. plx_app_attach(plx_ctl_engine())
 *   3. plx_ctl_start()
 *   4. plx_ctl_poll()           about every 100 ms
 *   5. plx_ctl_close()
 */
#ifndef PLX_CTL_H
#define PLX_CTL_H

#include <stdio.h>

#include <plx/attach.h>
#include <plx/engine.h>

#include "plx_config.h"

struct plx_numa;
struct plx_pio;
struct plx_engine_proto;

/** Beside the configuration: what a subcommand decides. All zero is allowed but for roles. */
struct plx_ctl_opts {
	const char *name;     /**< engine name, unique in the process; NULL = "plx" */
	bool serve;           /**< accept connections (TLS server from config.tls) */
	bool dial;            /**< open connections */
	uint16_t listen_port; /**< host order, with serve */
	const char *cert_pem, *key_pem; /**< instead of config.tls.cert and .key */
	const char *ca_file;            /**< instead of config.tls.ca */
	uint16_t first_lcore;        /**< worker lcores of EAL to skip: a second engine */
	const struct plx_numa *numa; /**< where lcores are; NULL = this machine */
	/** Ports given instead of config.ports (the simulated wire); owned by the engine after. */
	struct plx_pio *pio;
	bool hosted; /**< that port is a plx_hostport; its addresses are those of config.ports[0] */
	const char *address; /**< of that port, "192.0.2.1/24", unless hosted */
	bool wire;           /**< that port has no neighbours to resolve */
	/** Asked while a port waits for its link: true ends that, PLX_E_INTERRUPTED; or NULL. */
	bool (*stop)(void *arg);
	void *stop_arg;
	/** Who speaks what; NULL = HTTP/3 over rings. */
	const struct plx_engine_proto *proto;
	uint16_t proto_cnt;
};

struct plx_ctl;

/**
 * plx_ctl_make_engine() is what plx_ctl_open() and plx_engine_open() have in common: ports and
 * engine from a configuration. Errors as plx_ctl_open(). Thread: main. Owns: caller frees.
 */
int plx_ctl_make_engine(struct plx_engine **out, const struct plx_config *cfg,
                        const struct plx_ctl_opts *o, char *err, size_t err_sz) PLX_ON_MAIN;

/**
 * plx_ctl_mem_mb() gives the EAL memory that plx_ctl_open() will need, MiB: pools of the ports,
 * mailboxes, rings of `attach_cnt` attachments of that depth, and room for drivers.
 * Thread: any, before rte_eal_init(). Owns: nothing. Errors: none.
 */
uint32_t plx_ctl_mem_mb(const struct plx_config *cfg, uint16_t attach_cnt, uint32_t depth)
        PLX_ANY_THREAD;

/**
 * plx_ctl_conns_mb() is what connections and receive buffers of all workers may take at most,
 * plx_ctl_machine_mb() what there is: main memory, or the limit of the control group, MiB.
 * Thread: any. Owns: nothing. Errors: none.
 */
uint64_t plx_ctl_conns_mb(const struct plx_config *cfg) PLX_ANY_THREAD;
uint64_t plx_ctl_machine_mb(void) PLX_ANY_THREAD;

/**
 * plx_ctl_check_mem() compares the two; plx_ctl_open() begins with it.
 *
 * @param packet_mb  taken beside, as plx_ctl_mem_mb()
 * @param err        [out] one sentence with the key, both numbers, and the value that fits
 * @return 0, PLX_E_NOMEM
 * Thread: any. Owns: nothing. Errors: as returned.
 */
int plx_ctl_check_mem(const struct plx_config *cfg, uint32_t packet_mb, char *err,
                      size_t err_sz) PLX_ANY_THREAD;

/**
 * plx_ctl_open() brings up the ports and makes an engine that speaks HTTP/3 over rings.
 *
 * @param err  [out] one sentence with the fix; for a port that lacks something required, the
 *             start-up table behind it
 * @return 0; PLX_E_CONFIG, PLX_E_CERT, PLX_E_TLS (exit code 2), PLX_E_DEVICE, PLX_E_NOENT,
 *         PLX_E_PERM, PLX_E_UNSUPPORTED (3), PLX_E_NOMEM, PLX_E_INTERRUPTED (opts.stop)
 * Thread: main, after rte_eal_init(). Owns: caller closes. Errors: nothing is left behind.
 */
int plx_ctl_open(struct plx_ctl **out, const struct plx_config *cfg,
                 const struct plx_ctl_opts *o, char *err, size_t err_sz) PLX_ON_MAIN;
int plx_ctl_start(struct plx_ctl *c, char *err, size_t err_sz) PLX_ON_MAIN;
/** Keylog and other work of main while the engine runs. */
void plx_ctl_poll(struct plx_ctl *c) PLX_ON_MAIN;
/** Refuses new connections. */
void plx_ctl_drain(struct plx_ctl *c) PLX_ON_MAIN;
/** Closes all connections and stops the workers; application threads may still run. */
void plx_ctl_stop(struct plx_ctl *c) PLX_ON_MAIN;
/** Frees everything; application threads have ended. NULL is allowed. */
void plx_ctl_close(struct plx_ctl *c) PLX_ON_MAIN;

struct plx_engine *plx_ctl_engine(struct plx_ctl *c) PLX_ON_MAIN;
uint16_t plx_ctl_workers(const struct plx_ctl *c) PLX_ANY_THREAD;

/** The start-up table of each port: wanted, got, done in software; and the veth hints. */
void plx_ctl_print_table(struct plx_ctl *c, FILE *f) PLX_ON_MAIN;

/**
 * plx_ctl_count() sums a counter over workers by its name ("handover_in"); plx_ctl_drops() all
 * drop reasons, calling fn for each that is not 0.
 * @return the sum; plx_ctl_count() of an unknown name: 0
 * Thread: any. Owns: nothing. Errors: none.
 */
uint64_t plx_ctl_count(const struct plx_ctl *c, const char *name) PLX_ANY_THREAD;
uint64_t plx_ctl_drops(const struct plx_ctl *c,
                       void (*fn)(void *arg, const char *name, const char *text,
                                  uint64_t n),
                       void *arg) PLX_ANY_THREAD;
/** Counter of one worker. */
uint64_t plx_ctl_worker_count(const struct plx_ctl *c, uint16_t worker, const char *name)
        PLX_ANY_THREAD;
/** CPU time of the worker threads, ns. */
uint64_t plx_ctl_cpu_ns(const struct plx_ctl *c) PLX_ANY_THREAD;

/** plx_ctl_exit_code() maps an error of plx_ctl_open/start to the program's exit code. */
int plx_ctl_exit_code(int err) PLX_ANY_THREAD;

#endif
