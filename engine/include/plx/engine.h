/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The engine: ports, workers, attachments, and their life.
 *
 * Path:    [nic -> net -> steer -> quic -> stream -> app]
 * Threads: made, started, stopped and freed by the control thread.
 * Memory:  the engine owns its ports and workers. It never calls rte_eal_init(), exit() or
 *          signal(): the program that hosts it does.
 *
 *   1. plx_conf_new(), plx_conf_set() or plx_conf_load(), plx_conf_ring() or plx_conf_app()
 *   2. rte_eal_init()               -m at least plx_conf_mem_mb() without hugepages
 *   3. plx_engine_open()            ports come up
 *   4. plx_app_attach()             application cores (<plx/attach.h>), for ring applications
 *   5. plx_engine_start()           workers run on their lcores
 *   6. plx_engine_poll()            about every 100 ms
 *   7. plx_engine_drain(), plx_engine_stop(), plx_engine_free()
 */
#ifndef PLX_ENGINE_H
#define PLX_ENGINE_H

#include <plx/app.h>
#include <plx/err.h>
#include <plx/types.h>
#include <plx/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct plx_engine;

/** "0.1.0" of the library that runs; compare with PLX_VERSION of the headers. */
PLX_API const char *plx_version(void) PLX_ANY_THREAD;

/** What an engine is to be: the keys of pollux.yaml(5), and who speaks which protocol. */
struct plx_conf;

/** What application cores exchange with a protocol behind rings. */
enum plx_ring_kind {
	PLX_RING_STREAMS = 0, /**< raw streams: PLX_EV_STREAM_*, PLX_CMD_STREAM_* */
	PLX_RING_H3,          /**< HTTP/3: PLX_EV_H3_*, PLX_CMD_H3_* */
};

/**
 * plx_conf_new() makes a configuration with every default.
 * @return 0, PLX_E_NOMEM
 * Thread: main. Owns: caller frees, not before the engine made from it is freed.
 */
PLX_API int plx_conf_new(struct plx_conf **out) PLX_ON_MAIN;
PLX_API void plx_conf_free(struct plx_conf *c) PLX_ON_MAIN;

/**
 * plx_conf_set() sets one key from text: "quic.cc", "workers.count", "ports[0].vdev". A list
 * key gets one more item with each call. plx_conf_load() reads a YAML file over what is set.
 *
 * @param err  [out] one sentence for the operator; err_sz bytes
 * @return 0, PLX_E_NOENT no such key, PLX_E_CONFIG, PLX_E_NOMEM
 * Thread: main. Owns: text is copied. Errors: as returned.
 */
PLX_API int plx_conf_set(struct plx_conf *c, const char *key, const char *value, char *err,
                         size_t err_sz) PLX_ON_MAIN;
PLX_API int plx_conf_load(struct plx_conf *c, const char *file, char *err, size_t err_sz)
        PLX_ON_MAIN;

/**
 * plx_conf_ring() gives a protocol to application cores, plx_conf_app() to an inline
 * application (<plx/app.h>), whose functions are called on the workers with arg.
 *
 * @param alpn  1..15 bytes
 * @return 0, PLX_E_INVAL, PLX_E_FULL more than eight protocols
 * Thread: main. Owns: app and arg outlive the engine. Errors: as returned.
 */
PLX_API int plx_conf_ring(struct plx_conf *c, const char *alpn, enum plx_ring_kind kind)
        PLX_ON_MAIN;
PLX_API int plx_conf_app(struct plx_conf *c, const char *alpn, const struct plx_app *app,
                         void *arg) PLX_ON_MAIN;

/**
 * plx_conf_listen() accepts connections on a UDP port (host order) with the certificate of
 * tls.cert and tls.key; plx_conf_dial() allows connections to be opened. At least one of both.
 * Thread: main. Owns: nothing. Errors: none.
 */
PLX_API void plx_conf_listen(struct plx_conf *c, uint16_t port) PLX_ON_MAIN;
PLX_API void plx_conf_dial(struct plx_conf *c) PLX_ON_MAIN;

/**
 * plx_conf_mem_mb() is the EAL memory that the engine will need, MiB, with attachments of that
 * number and depth. Thread: main, before rte_eal_init(). Errors: none.
 */
PLX_API uint32_t plx_conf_mem_mb(const struct plx_conf *c, uint16_t attach_cnt,
                                 uint32_t depth) PLX_ON_MAIN;

/**
 * plx_engine_open() brings the ports up and makes the engine; workers start later.
 *
 * @param name  begins the name of every EAL object, unique in the process, at most 11 bytes
 * @return 0; PLX_E_CONFIG, PLX_E_CERT, PLX_E_TLS, PLX_E_DEVICE, PLX_E_NOENT, PLX_E_PERM,
 *         PLX_E_UNSUPPORTED, PLX_E_NOMEM, each with a sentence that names the fix
 * Thread: main, after rte_eal_init(). Owns: caller frees. Errors: nothing is left behind.
 */
PLX_API int plx_engine_open(struct plx_engine **out, const struct plx_conf *c,
                            const char *name, char *err, size_t err_sz) PLX_ON_MAIN;

/**
 * plx_engine_start() makes the workers and starts them on EAL's worker lcores.
 * @return 0; PLX_E_CONFIG, PLX_E_CERT, PLX_E_TLS, PLX_E_NOMEM with a sentence in err
 * Thread: main. Owns: nothing. Errors: as returned; plx_engine_free() is due.
 */
PLX_API int plx_engine_start(struct plx_engine *e, char *err, size_t err_sz) PLX_ON_MAIN;

/**
 * plx_engine_poll() is the work of main while the engine runs, about every 100 ms: keylog, and
 * the links of the ports, without which connections recover late from a link that was down.
 */
PLX_API void plx_engine_poll(struct plx_engine *e) PLX_ON_MAIN;

/** plx_engine_drain() refuses new connections from now on. Thread: main. */
PLX_API void plx_engine_drain(struct plx_engine *e) PLX_ON_MAIN;

/**
 * plx_engine_stop() closes all connections with an application code, stops the workers and
 * waits for them.
 * @param linger_ms  time that CONNECTION_CLOSE frames get to leave, 0..1000
 * Thread: main. Owns: nothing. Errors: none; a second call does nothing.
 */
PLX_API void plx_engine_stop(struct plx_engine *e, uint64_t code, uint32_t linger_ms)
        PLX_ON_MAIN;

/** plx_engine_free() frees workers, attachments and ports; stops first if need be. */
PLX_API void plx_engine_free(struct plx_engine *e) PLX_ON_MAIN;

/**
 * plx_engine_counter() sums a counter over the workers by its name ("handshakes_done"); drop
 * reasons by theirs ("NET_SHORT").
 * @return the sum; 0 for an unknown name
 * Thread: any while the engine lives. Owns: nothing. Errors: none.
 */
PLX_API uint64_t plx_engine_counter(const struct plx_engine *e, const char *name)
        PLX_ANY_THREAD;

#ifdef __cplusplus
}
#endif

#endif
