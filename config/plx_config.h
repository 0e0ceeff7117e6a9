/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * The configuration of a pollux process: one table of keys (plx_config_schema.c) gives the YAML
 * format, the flags, the environment variables, --help, --dump-config and the page
 * pollux.yaml(5), so that they cannot disagree.
 *
 * Threads: the control thread, before workers start.
 * Memory:  the struct owns its strings and lists; plx_config_fini() frees them.
 *
 *   1. plx_config_init()        defaults
 *   2. plx_config_load()        the file, if there is one
 *   3. plx_config_env()         POLLUX_QUIC_CC=bbr …
 *   4. plx_config_set() …       flags: --quic-cc bbr
 *   5. plx_config_check()       what no single key can know
 *
 * A later step overrides an earlier one: flag > environment > file > default.
 */
#ifndef PLX_CONFIG_H
#define PLX_CONFIG_H

#include <stdio.h>

#include <plx/err.h>
#include <plx/types.h>

#include "plx_text.h"

/** Ports of one process. */
#define PLX_CONFIG_PORTS_MAX 8

/** Version of the format that this program reads and writes. */
#define PLX_CONFIG_VERSION 1

enum plx_tristate {
	PLX_TRI_AUTO = 0,
	PLX_TRI_TRUE,
	PLX_TRI_FALSE,
};

/** What is asked of an offload. "require" ends the start when the port cannot do it. */
enum plx_want {
	PLX_WANT_OFF = 0,
	PLX_WANT_PREFER,
	PLX_WANT_REQUIRE,
};

enum plx_config_idle {
	PLX_CONFIG_IDLE_POLL = 0,
	PLX_CONFIG_IDLE_PAUSE,
	PLX_CONFIG_IDLE_ADAPTIVE,
};

/** Values are those of enum plx_cc in engine/quic. */
enum plx_config_cc {
	PLX_CONFIG_CC_CUBIC = 0,
	PLX_CONFIG_CC_RENO,
	PLX_CONFIG_CC_BBR,
};

/** Values are those of enum plx_retry in engine/quic. */
enum plx_config_retry {
	PLX_CONFIG_RETRY_OFF = 0,
	PLX_CONFIG_RETRY_ON,
	PLX_CONFIG_RETRY_AUTO,
};

enum plx_config_steer {
	PLX_CONFIG_STEER_MASKED = 0,
	PLX_CONFIG_STEER_CLEAR,
};

enum plx_config_progress {
	PLX_CONFIG_PROGRESS_AUTO = 0,
	PLX_CONFIG_PROGRESS_LINE,
	PLX_CONFIG_PROGRESS_NONE,
};

/** Strings are never NULL; "" means not set. Ranges and defaults: pollux.yaml(5). */
struct plx_config_eal {
	char *lcores;
	uint8_t in_memory; /**< enum plx_tristate */
	uint8_t no_huge;   /**< enum plx_tristate */
	char *file_prefix;
	uint32_t memory_mb; /**< MiB; 0 = computed */
	char *huge_dir;
	struct plx_strv allow;
	struct plx_strv vdev;
	struct plx_strv extra;
};

struct plx_config_port {
	char *match;          /**< PCI address or name of a device that EAL probes itself */
	struct plx_strv vdev; /**< devices to make: one, or one per queue for af_xdp */
	char *name;
	uint32_t queues; /**< 0 = one per worker */
	struct plx_strv addresses;
	char *gateway;
	char *gateway_mac;
	uint32_t mtu;  /**< bytes; 0 = what the port has */
	uint32_t vlan; /**< 0 = untagged */
	struct {
		uint8_t checksum; /**< enum plx_want */
		uint8_t rss;      /**< enum plx_want */
	} offloads;
	bool promiscuous;
};

struct plx_config_workers {
	uint32_t count;
	uint8_t idle; /**< enum plx_config_idle */
	uint32_t empty_polls;
};

struct plx_config_quic {
	uint8_t cc; /**< enum plx_config_cc */
	uint32_t max_conns;
	uint32_t max_handshakes;
	uint32_t handshake_timeout_ms;
	uint32_t idle_timeout_ms;
	uint32_t keep_alive_ms;   /**< 0 = off */
	uint64_t max_data;        /**< bytes */
	uint64_t max_stream_data; /**< bytes */
	uint32_t max_streams;
	uint32_t mtu; /**< UDP payload, bytes */
	bool pmtud;
	bool migration;
	uint8_t retry; /**< enum plx_config_retry */
	uint32_t retry_half_open;
	uint32_t initial_rtt_ms;
	uint32_t tickets; /**< 0 = none */
	bool early_data;
	bool resume;
	bool pacing;
	char *groups;
	struct {
		uint32_t config_id;
		char *server_id; /**< hex; plx_hex_parse() */
		char *key_file;
		uint8_t steer; /**< enum plx_config_steer */
	} cid;
};

struct plx_config_tls {
	char *cert;
	char *key;
	char *ca;
	bool verify;
	char *keylog;
};

struct plx_config_serve {
	char *root;
	char *listen; /**< plx_endpoint_parse() with default port 443 */
	char *index;
	uint32_t io_threads;
};

struct plx_config_get {
	char *output; /**< directory */
	uint32_t connections;
	uint32_t parallel;
	uint32_t timeout_ms; /**< 0 = none beyond QUIC's own */
};

struct plx_config_demo {
	uint32_t duration_s;
	uint32_t connections;
	uint32_t rounds;
	uint64_t seed;
};

struct plx_config_telemetry {
	bool dpdk;
	uint8_t progress; /**< enum plx_config_progress */
	char *result;     /**< file */
};

struct plx_config_log {
	uint8_t level; /**< enum plx_log_level */
};

struct plx_config {
	uint32_t version;
	struct plx_config_eal eal;
	struct plx_config_port ports[PLX_CONFIG_PORTS_MAX];
	uint32_t port_cnt;
	struct plx_config_workers workers;
	struct plx_config_quic quic;
	struct plx_config_tls tls;
	struct plx_config_serve serve;
	struct plx_config_get get;
	struct plx_config_demo demo;
	struct plx_config_telemetry telemetry;
	struct plx_config_log log;
};

enum plx_key_type {
	PLX_KEY_BOOL,
	PLX_KEY_ENUM, /**< uint8_t; names[value] */
	PLX_KEY_U32,
	PLX_KEY_U64,
	PLX_KEY_STR,
	PLX_KEY_LIST, /**< struct plx_strv */
};

/** What a string must look like; checked when it is set, without touching files. */
enum plx_key_form {
	PLX_FORM_ANY = 0,
	PLX_FORM_FILE,
	PLX_FORM_DIR,
	PLX_FORM_IP,
	PLX_FORM_PREFIX,
	PLX_FORM_ENDPOINT,
	PLX_FORM_MAC,
	PLX_FORM_SERVER_ID, /**< hex, 1 to 4 bytes */
	PLX_FORM_VDEV,      /**< a driver's name, then arguments after a comma */
	PLX_FORM_NAME,      /**< letters, digits, '-', '_', '.' */
};

/** One key of the format. */
struct plx_key {
	const char *path;  /**< "quic.cc", "ports[].mtu" */
	const char *alias; /**< short flag name, or NULL: "root" for --serve-root */
	uint8_t type;      /**< enum plx_key_type */
	uint8_t form;      /**< enum plx_key_form */
	uint16_t off; /**< in struct plx_config, for "ports[]." in struct plx_config_port */
	const char *word0; /**< numbers: the word that stands for 0, "auto"; or NULL */
	const char *unit;  /**< numbers: for messages, or NULL */
	uint64_t min, max; /**< numbers; 0 with word0 is always allowed */
	const char *const *names; /**< enums; NULL-terminated */
	const char *def;          /**< default as text; NULL = empty */
	const char *help;         /**< one line */
	const char *more;         /**< limits; what larger and smaller do; or NULL */
};

/** A group of keys: "quic", "quic.cid", "ports[]". The first one, "", is the top level. */
struct plx_key_section {
	const char *path;
	const char *help;
};

/** plx_keys() is the table, in the order of the documentation; never changes. Thread: any. */
const struct plx_key *plx_keys(uint32_t *cnt) PLX_ANY_THREAD;
const struct plx_key_section *plx_key_sections(uint32_t *cnt) PLX_ANY_THREAD;

/** plx_key_leaf() is the last part of a path: "mtu" of "ports[].mtu". Thread: any. */
const char *plx_key_leaf(const char *path) PLX_ANY_THREAD;

/** plx_key_in() says whether the key stands directly in that section. Thread: any. */
bool plx_key_in(const struct plx_key *k, const char *section) PLX_ANY_THREAD;

/** Room for the name of any flag or environment variable, bytes with the final 0. */
#define PLX_KEY_NAME_MAX 64

/**
 * plx_key_flag() writes the flag of a key without dashes, "quic-cc"; keys of ports begin with
 * "port-" for the first port and "portN-" for port N (counted from 0).
 * plx_key_env() writes the environment variable, "POLLUX_QUIC_CC".
 * @return buf
 * Thread: any. Owns: nothing. Errors: none.
 */
const char *plx_key_flag(const struct plx_key *k, uint32_t port, char buf[PLX_KEY_NAME_MAX])
        PLX_ANY_THREAD;
const char *plx_key_env(const struct plx_key *k, uint32_t port, char buf[PLX_KEY_NAME_MAX])
        PLX_ANY_THREAD;

/** plx_key_format() writes what may stand as value: "1..128 or auto", "cubic|reno|bbr". */
void plx_key_format(const struct plx_key *k, char *buf, size_t sz) PLX_ANY_THREAD;

/**
 * plx_config_init() sets every default, plx_config_fini() frees everything.
 * @return 0 or PLX_E_NOMEM (then fini is still due)
 * Thread: main. Owns: caller. Errors: as returned.
 */
int plx_config_init(struct plx_config *c) PLX_ON_MAIN;
void plx_config_fini(struct plx_config *c) PLX_ON_MAIN;

/**
 * plx_config_set() sets one key from text.
 *
 * @param port    for keys of ports: 0..PLX_CONFIG_PORTS_MAX-1, at most one past the last port
 *                there is, which it then makes
 * @param where   begins the sentence of a refusal: "--quic-cc", "pollux.yaml:3: quic.cc"
 * @param append  lists: add to what is there instead of replacing it
 * @return 0, PLX_E_CONFIG with a sentence, PLX_E_NOMEM
 * Thread: main. Owns: text is copied. Errors: as returned; the key keeps its value.
 */
int plx_config_set(struct plx_config *c, const struct plx_key *k, uint32_t port,
                   const char *text, bool append, const char *where,
                   struct plx_errtext *err) PLX_ON_MAIN;

/**
 * plx_config_load() reads a file over what is set; plx_config_load_text() the same from memory,
 * with name for the messages. Unknown keys, keys given twice, wrong types and values out of range
 * are refused with "file:line:" and, where a word is close to a right one, "did you mean".
 *
 * @return 0, PLX_E_CONFIG with a sentence, PLX_E_NOMEM
 * Thread: main. Owns: nothing. Errors: as returned; then part of the file may be set.
 */
int plx_config_load(struct plx_config *c, const char *path, struct plx_errtext *err)
        PLX_ON_MAIN;
int plx_config_load_text(struct plx_config *c, const char *name, const char *text,
                         size_t len, struct plx_errtext *err) PLX_ON_MAIN;

/**
 * plx_config_env() takes the variables that name a key; items of lists are separated by ';'. A
 * variable that begins like a section (POLLUX_QUIC_…) and names no key is refused.
 *
 * @param envp  "NAME=value" strings, NULL at the end
 * @return 0, PLX_E_CONFIG with a sentence, PLX_E_NOMEM
 * Thread: main. Owns: nothing. Errors: as returned.
 */
int plx_config_env(struct plx_config *c, char *const *envp, struct plx_errtext *err)
        PLX_ON_MAIN;

/**
 * plx_config_check() finds what contradicts itself: --no-huge with in-memory, a port that names
 * both match and vdev, a gateway outside every network of its port, windows that do not fit.
 *
 * @return 0, or PLX_E_CONFIG with a sentence
 * Thread: main. Owns: nothing. Errors: as returned.
 */
int plx_config_check(const struct plx_config *c, struct plx_errtext *err) PLX_ON_MAIN;

/**
 * plx_config_dump() writes the effective configuration as YAML that plx_config_load() reads back
 * to the same values.
 * @return 0 or PLX_E_IO
 * Thread: main. Owns: nothing. Errors: as returned.
 */
int plx_config_dump(const struct plx_config *c, FILE *out) PLX_ON_MAIN;

/** plx_config_get() writes the text of one value (a list's item i) as a dump would, unquoted. */
void plx_config_get_text(const struct plx_config *c, const struct plx_key *k, uint32_t port,
                         uint32_t item, char *buf, size_t sz) PLX_ON_MAIN;

#endif
