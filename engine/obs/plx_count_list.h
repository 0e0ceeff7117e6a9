/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file
 * Every counter of a worker: one list gives the enum, the name and the sentence.
 *
 * Threads: macros only.
 */
#ifndef PLX_COUNT_LIST_H
#define PLX_COUNT_LIST_H

/* clang-format off */
#define PLX_COUNT_LIST(X)                                                                      \
	X(turns,              "turns of the worker loop")                                      \
	X(busy_turns,         "turns that moved something")                                    \
	X(busy_ns,            "time spent in busy turns, ns")                                  \
	X(rx_pkts,            "frames received from the port")                                 \
	X(rx_bytes,           "bytes of those frames")                                         \
	X(rx_dgrams,          "UDP datagrams accepted by the parser")                          \
	X(tx_pkts,            "frames handed to the port")                                     \
	X(tx_bytes,           "bytes of those frames")                                         \
	X(tx_retries,         "frames the port refused once")                                  \
	X(arp_rx,             "ARP frames handled")                                            \
	X(nd_rx,              "neighbour discovery messages handled")                          \
	X(echo_rx,            "ICMP and ICMPv6 echo requests answered")                        \
	X(ptb_rx,             "packet-too-big messages taken")                                 \
	X(handover_out,       "datagrams handed to the worker that owns them")                 \
	X(handover_in,        "datagrams taken from other workers")                            \
	X(first_pkts,         "first packets (IDs we did not issue)")                          \
	X(conns_accepted,     "connections accepted")                                          \
	X(conns_dialed,       "connections dialed")                                            \
	X(conns_refused,      "connections refused")                                           \
	X(handshakes_done,    "handshakes completed")                                          \
	X(handshakes_failed,  "handshakes failed")                                             \
	X(conns_closed,       "connections that ended")                                        \
	X(sessions_resumed,   "handshakes with a session ticket")                              \
	X(early_accepted,     "connections whose early data (0-RTT) was taken")                \
	X(early_rejected,     "connections whose early data was offered and not taken")        \
	X(early_replays,      "of these, with a ticket that was used before or is too old")    \
	X(retries_sent,       "Retry packets sent")                                            \
	X(vn_sent,            "Version Negotiation packets sent")                              \
	X(resets_sent,        "stateless resets sent")                                         \
	X(path_changes,       "peer addresses that changed")                                   \
	X(quic_rx_pkts,       "datagrams given to connections")                                \
	X(quic_tx_pkts,       "datagrams written by connections")                              \
	X(stream_rx_bytes,    "stream bytes received")                                         \
	X(stream_tx_bytes,    "stream bytes sent, retransmissions not counted")                \
	X(streams_opened,     "streams opened by either side")                                 \
	X(events,             "events published to application cores")                         \
	X(events_deferred,    "events that waited because the ring was full")                  \
	X(cmds,               "commands taken from application cores")                         \
	X(timers_fired,       "connection timers fired")                                       \
	X(link_downs,         "times that a port lost its link")                                \
	X(link_ups,           "times that a port had its link again")                           \
	X(tx_stalls,          "times that a port took nothing for 100 ms")                      \
	X(conns_held,         "times that a connection began to wait for its port's link")      \
	X(h3_requests,        "HTTP/3 requests")                                               \
	X(h3_errors,          "HTTP/3 connection or stream errors")
/* clang-format on */

#endif
