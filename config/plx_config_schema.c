/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one table of keys. A key is added here and as a member of struct plx_config, nowhere else;
 * the reader, flags, environment, help, dump and pollux.yaml(5) follow.
 */
#include "plx_config.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static const char *const tri_names[] = {"auto", "true", "false", NULL};
static const char *const want_names[] = {"off", "prefer", "require", NULL};
static const char *const idle_names[] = {"poll", "pause", "adaptive", NULL};
static const char *const cc_names[] = {"cubic", "reno", "bbr", NULL};
static const char *const retry_names[] = {"off", "on", "auto", NULL};
static const char *const steer_names[] = {"masked", "clear", NULL};
static const char *const progress_names[] = {"auto", "line", "none", NULL};
static const char *const level_names[] = {"error", "warn", "info", "debug", NULL};

#define AT(member)      offsetof(struct plx_config, member)
#define AT_PORT(member) offsetof(struct plx_config_port, member)

static const struct plx_key_section sections[] = {
        {"", "the format itself"},
        {"eal", "what DPDK's environment layer is given"},
        {"ports[]", "network ports, a list"},
        {"ports[].offloads", "what the port should do instead of the processor"},
        {"workers", "polling threads"},
        {"quic", "the transport"},
        {"quic.cid", "connection IDs that this server issues"},
        {"tls", "certificates and trust"},
        {"serve", "pollux serve"},
        {"get", "pollux get"},
        {"demo", "pollux demo"},
        {"telemetry", "what can be seen from outside"},
        {"log", "messages on stderr"},
};

/* clang-format off */
static const struct plx_key keys[] = {
	{ .path = "version", .type = PLX_KEY_U32, .off = AT(version), .min = 1, .max = 1,
	  .def = "1", .help = "version of this format" },

	{ .path = "eal.lcores", .type = PLX_KEY_STR, .off = AT(eal.lcores),
	  .help = "lcore map for --lcores, e.g. \"0@2,(1-4)@(4-7)\"",
	  .more = "Empty: as many lcores as are needed, spread over the processors this process "
		  "may use; several lcores then share one where there are fewer." },
	{ .path = "eal.in_memory", .type = PLX_KEY_ENUM, .off = AT(eal.in_memory),
	  .names = tri_names, .def = "auto",
	  .help = "hugepages without files (--in-memory)",
	  .more = "auto: true where hugepages are used. false leaves files that let secondary "
		  "processes such as dpdk-dumpcap attach." },
	{ .path = "eal.no_huge", .type = PLX_KEY_ENUM, .off = AT(eal.no_huge),
	  .names = tri_names, .def = "auto",
	  .help = "ordinary memory instead of hugepages (--no-huge)",
	  .more = "auto: true where no free hugepages or no rights to them are found. It costs "
		  "TLB misses, and drivers of real NICs refuse it; everything else works." },
	{ .path = "eal.file_prefix", .type = PLX_KEY_STR, .form = PLX_FORM_NAME,
	  .off = AT(eal.file_prefix),
	  .help = "name of this process among DPDK processes (--file-prefix)",
	  .more = "Empty: pollux-<process id>, so that any number of them run side by side." },
	{ .path = "eal.memory_mb", .type = PLX_KEY_U32, .off = AT(eal.memory_mb), .word0 = "auto",
	  .unit = "MiB", .min = 8, .max = 1048576, .def = "auto",
	  .help = "memory for packet pools and rings (-m)",
	  .more = "auto: computed from ports, queues and workers. Less than is needed is refused "
		  "at start with the number that is needed." },
	{ .path = "eal.huge_dir", .type = PLX_KEY_STR, .form = PLX_FORM_DIR,
	  .off = AT(eal.huge_dir), .help = "hugetlbfs mount to use (--huge-dir)" },
	{ .path = "eal.allow", .type = PLX_KEY_LIST, .off = AT(eal.allow),
	  .help = "PCI addresses that may be probed (--allow)",
	  .more = "Devices named by ports[].match are added. With neither, PCI is not probed." },
	{ .path = "eal.vdev", .type = PLX_KEY_LIST, .form = PLX_FORM_VDEV, .off = AT(eal.vdev),
	  .help = "virtual devices that are no ports (--vdev)" },
	{ .path = "eal.extra", .type = PLX_KEY_LIST, .off = AT(eal.extra),
	  .help = "further EAL arguments, one word each",
	  .more = "They come last and win over what the program computed." },

	{ .path = "ports[].match", .type = PLX_KEY_STR, .off = AT_PORT(match),
	  .help = "PCI address or device name of a port that DPDK finds itself",
	  .more = "Either match or vdev. With neither, port N of the list is the Nth port that the "
		  "EAL arguments brought." },
	{ .path = "ports[].vdev", .alias = "vdev", .type = PLX_KEY_LIST, .form = PLX_FORM_VDEV,
	  .off = AT_PORT(vdev),
	  .help = "virtual device to make, e.g. \"net_memif0,role=client\"",
	  .more = "A list: net_af_xdp on DPDK 24.11 needs one device per queue of one port." },
	{ .path = "ports[].name", .type = PLX_KEY_STR, .form = PLX_FORM_NAME,
	  .off = AT_PORT(name), .help = "what messages and reports call the port",
	  .more = "Empty: the name DPDK gives." },
	{ .path = "ports[].queues", .type = PLX_KEY_U32, .off = AT_PORT(queues), .word0 = "auto",
	  .unit = "queues", .min = 1, .max = PLX_WORKERS_MAX, .def = "auto",
	  .help = "receive and transmit queues",
	  .more = "auto: one per worker, or as many as the port has. With fewer, the other "
		  "workers are reached by hand-over." },
	{ .path = "ports[].addresses", .alias = "address", .type = PLX_KEY_LIST,
	  .form = PLX_FORM_PREFIX, .off = AT_PORT(addresses),
	  .help = "addresses with prefix, e.g. \"192.0.2.10/24\"",
	  .more = "The engine answers ARP, neighbour discovery and echo for them; the kernel "
		  "must not hold the same address." },
	{ .path = "ports[].gateway", .alias = "gateway", .type = PLX_KEY_STR, .form = PLX_FORM_IP,
	  .off = AT_PORT(gateway), .help = "router for everything outside the port's networks" },
	{ .path = "ports[].gateway_mac", .type = PLX_KEY_STR, .form = PLX_FORM_MAC,
	  .off = AT_PORT(gateway_mac), .help = "its MAC address; empty: resolved by ARP or ND" },
	{ .path = "ports[].mtu", .type = PLX_KEY_U32, .off = AT_PORT(mtu), .word0 = "auto",
	  .unit = "bytes", .min = 1280, .max = 9600, .def = "auto",
	  .help = "largest IP packet",
	  .more = "auto: what the port has. Larger than the link carries loses packets." },
	{ .path = "ports[].vlan", .type = PLX_KEY_U32, .off = AT_PORT(vlan), .word0 = "none",
	  .min = 1, .max = 4094, .def = "none", .help = "VLAN tag of what is sent and taken" },
	{ .path = "ports[].promiscuous", .type = PLX_KEY_BOOL, .off = AT_PORT(promiscuous),
	  .def = "false", .help = "take frames for other MAC addresses too" },
	{ .path = "ports[].offloads.checksum", .type = PLX_KEY_ENUM,
	  .off = AT_PORT(offloads.checksum), .names = want_names, .def = "prefer",
	  .help = "IPv4 and UDP checksums by the port",
	  .more = "prefer: in software where it cannot. require: the start fails then." },
	{ .path = "ports[].offloads.rss", .type = PLX_KEY_ENUM, .off = AT_PORT(offloads.rss),
	  .names = want_names, .def = "prefer",
	  .help = "spreading of flows over queues by the port",
	  .more = "prefer: by hand-over between workers where it cannot." },

	{ .path = "workers.count", .alias = "workers", .type = PLX_KEY_U32,
	  .off = AT(workers.count), .unit = "workers", .min = 1, .max = PLX_WORKERS_MAX,
	  .def = "1", .help = "workers, each one lcore with one queue of each port",
	  .more = "More workers than processors share them and are slower in poll mode." },
	{ .path = "workers.idle", .type = PLX_KEY_ENUM, .off = AT(workers.idle),
	  .names = idle_names, .def = "adaptive", .help = "what a worker does without work",
	  .more = "poll: ask again at once, lowest latency. pause: ask again after a pause "
		  "instruction. adaptive: after empty_polls empty turns sleep for at most 50 us." },
	{ .path = "workers.empty_polls", .type = PLX_KEY_U32, .off = AT(workers.empty_polls),
	  .unit = "turns", .min = 1, .max = 1000000, .def = "512",
	  .help = "empty turns before an adaptive worker sleeps",
	  .more = "Larger: lower latency after a gap, more processor time." },

	{ .path = "quic.cc", .type = PLX_KEY_ENUM, .off = AT(quic.cc), .names = cc_names,
	  .def = "cubic", .help = "congestion control" },
	{ .path = "quic.max_conns", .type = PLX_KEY_U32, .off = AT(quic.max_conns),
	  .unit = "connections", .min = 1, .max = 16777214, .def = "4096",
	  .help = "connections per worker",
	  .more = "Memory is set aside for all of them at start; more are refused." },
	{ .path = "quic.max_handshakes", .type = PLX_KEY_U32, .off = AT(quic.max_handshakes),
	  .unit = "handshakes", .min = 1, .max = 1048576, .def = "1024",
	  .help = "handshakes open at a time per worker",
	  .more = "Bounds what an attacker can make us do before an address is proved." },
	{ .path = "quic.handshake_timeout_ms", .type = PLX_KEY_U32,
	  .off = AT(quic.handshake_timeout_ms), .unit = "ms", .min = 100, .max = 600000,
	  .def = "10000", .help = "a handshake must be done within this time" },
	{ .path = "quic.idle_timeout_ms", .type = PLX_KEY_U32, .off = AT(quic.idle_timeout_ms),
	  .unit = "ms", .min = 100, .max = 86400000, .def = "30000",
	  .help = "a connection ends after this much silence",
	  .more = "The smaller of both sides' values counts. RFC 9000 section 10.1." },
	{ .path = "quic.keep_alive_ms", .type = PLX_KEY_U32, .off = AT(quic.keep_alive_ms),
	  .word0 = "off", .unit = "ms", .min = 100, .max = 86400000, .def = "off",
	  .help = "send a PING after this much silence" },
	{ .path = "quic.max_data", .type = PLX_KEY_U64, .off = AT(quic.max_data), .unit = "bytes",
	  .min = 65536, .max = UINT64_C(1) << 36, .def = "16777216",
	  .help = "receive window of a connection",
	  .more = "Bandwidth times round-trip time is what one connection needs at full speed. "
		  "It begins at 64 KiB and grows only while the worker's buffers cover it." },
	{ .path = "quic.max_stream_data", .type = PLX_KEY_U64, .off = AT(quic.max_stream_data),
	  .unit = "bytes", .min = 16384, .max = UINT64_C(1) << 36, .def = "4194304",
	  .help = "receive window of a stream; at most max_data" },
	{ .path = "quic.max_streams", .type = PLX_KEY_U32, .off = AT(quic.max_streams),
	  .unit = "streams", .min = 1, .max = 65536, .def = "256",
	  .help = "requests that a peer may have open on a connection" },
	{ .path = "quic.mtu", .type = PLX_KEY_U32, .off = AT(quic.mtu), .unit = "bytes",
	  .min = 1200, .max = 9000, .def = "1452",
	  .help = "UDP payload of a full packet",
	  .more = "1452 fits IPv6 over 1500-byte Ethernet. Larger than the path carries stalls "
		  "connections unless pmtud finds out." },
	{ .path = "quic.pmtud", .type = PLX_KEY_BOOL, .off = AT(quic.pmtud), .def = "false",
	  .help = "probe for what the path carries, up to mtu" },
	{ .path = "quic.migration", .type = PLX_KEY_BOOL, .off = AT(quic.migration),
	  .def = "true", .help = "clients may change their address" },
	{ .path = "quic.retry", .type = PLX_KEY_ENUM, .off = AT(quic.retry),
	  .names = retry_names, .def = "auto", .help = "ask clients to prove their address first",
	  .more = "auto: while more than retry_half_open handshakes are open. on costs every "
		  "client a round trip." },
	{ .path = "quic.retry_half_open", .type = PLX_KEY_U32, .off = AT(quic.retry_half_open),
	  .unit = "handshakes", .min = 1, .max = 1048576, .def = "100",
	  .help = "open handshakes per worker above which retry: auto asks" },
	{ .path = "quic.initial_rtt_ms", .type = PLX_KEY_U32, .off = AT(quic.initial_rtt_ms),
	  .unit = "ms", .min = 1, .max = 10000, .def = "333",
	  .help = "round-trip time assumed before the first measurement",
	  .more = "RFC 9002 says 333. Smaller repairs losses in a handshake sooner, and repeats "
		  "packets needlessly on slow paths." },
	{ .path = "quic.tickets", .type = PLX_KEY_U32, .off = AT(quic.tickets),
	  .word0 = "none", .unit = "tickets", .min = 1, .max = 8, .def = "1",
	  .help = "session tickets that a server sends to each client",
	  .more = "With one a client comes back without certificates, to any worker and any server "
		  "with the same quic.cid.key_file." },
	{ .path = "quic.early_data", .type = PLX_KEY_BOOL, .off = AT(quic.early_data),
	  .def = "false", .help = "a server takes 0-RTT data, each ticket once",
	  .more = "Requests in it come a round trip sooner. Only the server that sent a ticket "
		  "takes it, until it is started again." },
	{ .path = "quic.resume", .type = PLX_KEY_BOOL, .off = AT(quic.resume), .def = "false",
	  .help = "a client comes back with tickets of its earlier connections",
	  .more = "They live in memory, 64 a worker, and are used once each." },
	{ .path = "quic.pacing", .type = PLX_KEY_BOOL, .off = AT(quic.pacing), .def = "true",
	  .help = "spread packets over the round-trip time" },
	{ .path = "quic.groups", .type = PLX_KEY_STR, .off = AT(quic.groups),
	  .help = "key exchange groups, in order, separated by ':'",
	  .more = "Empty: X25519MLKEM768:X25519:P-256 for a server, X25519 first for a client." },
	{ .path = "quic.cid.config_id", .type = PLX_KEY_U32, .off = AT(quic.cid.config_id),
	  .min = 0, .max = 6, .def = "0", .help = "QUIC-LB configuration rotation" },
	{ .path = "quic.cid.server_id", .type = PLX_KEY_STR, .form = PLX_FORM_SERVER_ID,
	  .off = AT(quic.cid.server_id), .def = "0000",
	  .help = "this server among those behind a balancer; hex, 1 to 4 bytes",
	  .more = "Quote it: YAML tools read 0010 as a number." },
	{ .path = "quic.cid.key_file", .type = PLX_KEY_STR, .form = PLX_FORM_FILE,
	  .off = AT(quic.cid.key_file), .help = "file with the key of IDs and reset tokens",
	  .more = "Servers behind one balancer share it. Empty: a random key; after a restart "
		  "clients then wait for their idle timeout." },
	{ .path = "quic.cid.steer", .type = PLX_KEY_ENUM, .off = AT(quic.cid.steer),
	  .names = steer_names, .def = "masked", .help = "the byte that hardware steers by",
	  .more = "clear shows observers which connections share a worker; needed only where a "
		  "rule in the NIC reads it." },

	{ .path = "tls.cert", .alias = "cert", .type = PLX_KEY_STR, .form = PLX_FORM_FILE,
	  .off = AT(tls.cert), .help = "certificate chain, PEM" },
	{ .path = "tls.key", .alias = "key", .type = PLX_KEY_STR, .form = PLX_FORM_FILE,
	  .off = AT(tls.key), .help = "its private key, PEM" },
	{ .path = "tls.ca", .alias = "ca", .type = PLX_KEY_STR, .form = PLX_FORM_FILE,
	  .off = AT(tls.ca), .help = "certificates a client trusts, PEM",
	  .more = "Empty: those of the system." },
	{ .path = "tls.verify", .alias = "verify", .type = PLX_KEY_BOOL, .off = AT(tls.verify),
	  .def = "true", .help = "a client checks the server's certificate",
	  .more = "--no-verify accepts any certificate: for tests only." },
	{ .path = "tls.keylog", .alias = "keylog", .type = PLX_KEY_STR, .form = PLX_FORM_FILE,
	  .off = AT(tls.keylog), .help = "write secrets here for Wireshark (NSS key log format)",
	  .more = "Whoever has this file reads the traffic." },

	{ .path = "serve.root", .alias = "root", .type = PLX_KEY_STR, .form = PLX_FORM_DIR,
	  .off = AT(serve.root), .def = ".", .help = "directory to serve" },
	{ .path = "serve.listen", .alias = "listen", .type = PLX_KEY_STR,
	  .form = PLX_FORM_ENDPOINT, .off = AT(serve.listen), .def = ":443",
	  .help = "UDP port, and address where not all of the ports'" },
	{ .path = "serve.index", .type = PLX_KEY_STR, .off = AT(serve.index),
	  .def = "index.html", .help = "file served for a directory" },
	{ .path = "serve.io_threads", .type = PLX_KEY_U32, .off = AT(serve.io_threads),
	  .unit = "threads", .min = 1, .max = 64, .def = "2",
	  .help = "threads that read files, so that no worker waits for a disk" },

	{ .path = "get.output", .alias = "output", .type = PLX_KEY_STR, .form = PLX_FORM_DIR,
	  .off = AT(get.output), .def = ".", .help = "directory the files go to" },
	{ .path = "get.connections", .alias = "connections", .type = PLX_KEY_U32,
	  .off = AT(get.connections), .unit = "connections", .min = 1, .max = 65536, .def = "1",
	  .help = "connections per server" },
	{ .path = "get.parallel", .alias = "parallel", .type = PLX_KEY_U32,
	  .off = AT(get.parallel), .unit = "requests", .min = 1, .max = 65536, .def = "16",
	  .help = "requests open at a time on a connection" },
	{ .path = "get.timeout_ms", .alias = "timeout-ms", .type = PLX_KEY_U32,
	  .off = AT(get.timeout_ms), .word0 = "none", .unit = "ms", .min = 1, .max = 86400000,
	  .def = "none", .help = "give up after this time" },

	{ .path = "demo.duration_s", .alias = "duration-s", .type = PLX_KEY_U32,
	  .off = AT(demo.duration_s), .unit = "s", .min = 1, .max = 3600, .def = "18",
	  .help = "time the demo measures, all parts together" },
	{ .path = "demo.connections", .type = PLX_KEY_U32, .off = AT(demo.connections),
	  .unit = "connections", .min = 1, .max = 4096, .def = "16",
	  .help = "connections at a time" },
	{ .path = "demo.rounds", .type = PLX_KEY_U32, .off = AT(demo.rounds),
	  .unit = "rounds", .min = 1, .max = 1000000, .def = "1",
	  .help = "times that all parts run, in one process; the table is of the last" },
	{ .path = "demo.seed", .alias = "seed", .type = PLX_KEY_U64, .off = AT(demo.seed),
	  .min = 0, .max = UINT64_MAX, .def = "1", .help = "seed of losses and payload" },

	{ .path = "telemetry.dpdk", .type = PLX_KEY_BOOL, .off = AT(telemetry.dpdk),
	  .def = "false", .help = "answer dpdk-telemetry.py",
	  .more = "Needs a writable runtime directory." },
	{ .path = "telemetry.progress", .alias = "progress", .type = PLX_KEY_ENUM,
	  .off = AT(telemetry.progress), .names = progress_names, .def = "auto",
	  .help = "one line a second; auto redraws it on a terminal" },
	{ .path = "telemetry.result", .alias = "result", .type = PLX_KEY_STR,
	  .form = PLX_FORM_FILE, .off = AT(telemetry.result),
	  .help = "write the numbers of the run here, JSON" },

	{ .path = "log.level", .alias = "log-level", .type = PLX_KEY_ENUM, .off = AT(log.level),
	  .names = level_names, .def = "info", .help = "least serious message that is shown",
	  .more = "debug shows what DPDK says too." },
};
/* clang-format on */

const struct plx_key *
plx_keys(uint32_t *cnt)
{
	*cnt = sizeof(keys) / sizeof(keys[0]);
	return keys;
}

const struct plx_key_section *
plx_key_sections(uint32_t *cnt)
{
	*cnt = sizeof(sections) / sizeof(sections[0]);
	return sections;
}

const char *
plx_key_leaf(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot != NULL ? dot + 1 : path;
}

bool
plx_key_in(const struct plx_key *k, const char *section)
{
	size_t len = (size_t)(plx_key_leaf(k->path) - k->path);

	if (len == 0)
		return *section == '\0';
	return strlen(section) == len - 1 && strncmp(k->path, section, len - 1) == 0;
}

/* "ports[].offloads.rss" of port 1 to "port1-offloads-rss". */
const char *
plx_key_flag(const struct plx_key *k, uint32_t port, char buf[PLX_KEY_NAME_MAX])
{
	const char *p = k->path;
	size_t n = 0;

	if (strncmp(p, "ports[].", 8) == 0) {
		p += 8;
		if (port == 0)
			n = (size_t)snprintf(buf, PLX_KEY_NAME_MAX, "port-");
		else
			n = (size_t)snprintf(buf, PLX_KEY_NAME_MAX, "port%" PRIu32 "-",
			                     port);
	}
	for (; *p != '\0' && n < PLX_KEY_NAME_MAX - 1; p++)
		buf[n++] = *p == '.' || *p == '_' ? '-' : *p;
	buf[n] = '\0';
	return buf;
}

const char *
plx_key_env(const struct plx_key *k, uint32_t port, char buf[PLX_KEY_NAME_MAX])
{
	char flag[PLX_KEY_NAME_MAX];

	snprintf(buf, PLX_KEY_NAME_MAX, "POLLUX_%.50s", plx_key_flag(k, port, flag));
	for (char *p = buf; *p != '\0'; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return buf;
}

static const char *
form_text(uint8_t form)
{
	static const char *const text[] = {
	        [PLX_FORM_ANY] = "text",
	        [PLX_FORM_FILE] = "file",
	        [PLX_FORM_DIR] = "directory",
	        [PLX_FORM_IP] = "address",
	        [PLX_FORM_PREFIX] = "address/prefix",
	        [PLX_FORM_ENDPOINT] = "[address]:port",
	        [PLX_FORM_MAC] = "MAC address",
	        [PLX_FORM_SERVER_ID] = "hex",
	        [PLX_FORM_VDEV] = "device",
	        [PLX_FORM_NAME] = "name",
	};

	return text[form];
}

void
plx_key_format(const struct plx_key *k, char *buf, size_t sz)
{
	size_t n = 0;

	switch (k->type) {
	case PLX_KEY_BOOL:
		snprintf(buf, sz, "true|false");
		break;
	case PLX_KEY_ENUM:
		buf[0] = '\0';
		for (uint32_t i = 0; k->names[i] != NULL && n < sz; i++)
			n += (size_t)snprintf(buf + n, sz - n, "%s%s", i > 0 ? "|" : "",
			                      k->names[i]);
		break;
	case PLX_KEY_U32:
	case PLX_KEY_U64:
		if (k->max == UINT64_MAX)
			n = (size_t)snprintf(buf, sz, "number");
		else
			n = (size_t)snprintf(buf, sz, "%" PRIu64 "..%" PRIu64, k->min,
			                     k->max);
		if (k->unit != NULL && n < sz)
			n += (size_t)snprintf(buf + n, sz - n, " %s", k->unit);
		if (k->word0 != NULL && n < sz)
			snprintf(buf + n, sz - n, " or %s", k->word0);
		break;
	case PLX_KEY_LIST:
		snprintf(buf, sz, "list of %s", form_text(k->form));
		break;
	default:
		snprintf(buf, sz, "%s", form_text(k->form));
		break;
	}
}
