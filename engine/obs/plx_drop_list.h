/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Every reason for which a packet is dropped: one list gives the enum, the counter's name, the
 * sentence, and a row of docs/drops.md. Each drop has exactly one reason; a test reaches each.
 *
 * Threads: macros only.
 */
#ifndef PLX_DROP_LIST_H
#define PLX_DROP_LIST_H

/* clang-format off */
#define PLX_DROP_LIST(X)                                                                       \
	X(NET_SHORT,          "frame shorter than the headers it announces")                   \
	X(NET_NOT_IP,         "neither IP nor a protocol the port answers")                    \
	X(NET_VLAN_DEPTH,     "more than two VLAN tags")                                       \
	X(NET_IP4_VERSION,    "IPv4 header with another version or a bad header length")       \
	X(NET_IP4_LEN,        "IPv4 total length shorter than its header or past the frame")   \
	X(NET_IP4_OPTIONS,    "IPv4 options (refused by configuration)")                       \
	X(NET_IP4_CKSUM,      "IPv4 header checksum wrong")                                    \
	X(NET_IP6_VERSION,    "IPv6 header with another version")                              \
	X(NET_IP6_LEN,        "IPv6 payload length past the frame")                            \
	X(NET_IP6_EXT,        "IPv6 extension headers too many, too long or unknown")          \
	X(NET_FRAGMENT,       "IP fragment")                                                   \
	X(NET_TTL,            "time to live or hop limit 0")                                   \
	X(NET_SRC,            "source address is ours, multicast, broadcast, loopback or unspecified") \
	X(NET_NOT_OURS,       "destination address is not ours")                               \
	X(NET_PROTO,          "IP protocol the port does not serve")                           \
	X(NET_UDP_LEN,        "UDP length below 8 or past the IP payload")                     \
	X(NET_UDP_CKSUM,      "UDP checksum wrong, or zero over IPv6")                         \
	X(NET_UDP_PORT,       "no listener on the UDP port, or source port 0")                 \
	X(NET_EMPTY,          "UDP datagram without payload")                                  \
	X(NET_TOO_LARGE,      "frame larger than a datagram buffer (segmentation offload on the peer?)") \
	X(NET_SEGMENTS,       "segment list of the buffer is broken")                          \
	X(NET_ARP,            "ARP malformed, not for us, or over its rate")                   \
	X(NET_ICMP,           "ICMP malformed, not answered, or over its rate")                \
	X(NET_ND,             "neighbour discovery malformed, not for us, or over its rate")   \
	X(NET_NO_NEIGH,       "next hop is not resolved")                                      \
	X(NET_NO_ROUTE,       "no address of ours reaches the destination")                    \
	X(NET_NO_MBUF,        "no buffer")                                                     \
	X(NET_TX_FULL,        "the port refused the packet twice")                             \
	X(STEER_SHORT,        "too short for a QUIC header")                                   \
	X(STEER_FIXED_BIT,    "fixed bit is 0")                                                \
	X(STEER_CID_LEN,      "connection ID longer than version 1 allows")                    \
	X(STEER_HOPS,         "packet went through too many mailboxes")                        \
	X(STEER_MAILBOX,      "mailbox of the owning worker is full")                          \
	X(QUIC_INITIAL_SHORT, "Initial in a datagram below 1200 bytes")                        \
	X(QUIC_DCID_SHORT,    "first Initial with a connection ID below 8 bytes")              \
	X(QUIC_NOT_INITIAL,   "long header of an unknown connection that is not an Initial")   \
	X(QUIC_VERSION,       "unknown version, not answered")                                 \
	X(QUIC_UNKNOWN_CID,   "short header with an unknown connection ID")                    \
	X(QUIC_NO_SERVER,     "first packet, but the endpoint accepts no connections")         \
	X(QUIC_CONN_LIMIT,    "limit of connections reached")                                  \
	X(QUIC_HS_LIMIT,      "limit of handshakes reached")                                   \
	X(QUIC_MEMORY,        "buffer reserve too low to take stream data")                    \
	X(QUIC_DECRYPT,       "packet could not be opened or was discarded by the connection") \
	X(QUIC_CLOSED,        "packet for a connection that is closing")                       \
	X(QUIC_MIGRATION,     "packet from a new address while migration is off")              \
	X(QUIC_RESPONSE,      "stateless response queue full or over its rate")                \
	X(STREAM_BUFFER,      "no receive buffer")                                             \
	X(DGRAM_RX_FULL,      "DATAGRAM frame, receive queue full")                            \
	X(DGRAM_TX_FULL,      "DATAGRAM frame, send queue full")                               \
	X(SIM_LOSS,           "simulated loss")                                                \
	X(SIM_QUEUE,          "queue of the simulated wire full")                              \
	X(SIM_LIST,           "in the list of frames that the simulated wire loses")           \
	X(SIM_MTU,            "larger than the simulated wire lets through")                   \
	X(SIM_HOLE,           "the simulated wire was dead")                                   \
	X(SIM_NO_PORT,        "no port of the simulated wire has the destination")
/* clang-format on */

#endif
