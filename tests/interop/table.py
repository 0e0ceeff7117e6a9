# SPDX-License-Identifier: BSD-3-Clause
"""docs/interop.md: the results of a full run as tables without times, so that two runs with the
same results write the same page."""

COLUMNS = [(d, f) for d in ("af_packet", "af_xdp") for f in ("ipv4", "ipv6")]
SERVE = {
    "curl-ngtcp2": "curl on ngtcp2",
    "curl-openssl": "curl on OpenSSL's QUIC",
    "aioquic": "aioquic",
}
GET = {"nginx": "nginx", "caddy": "caddy"}

# Case: what it shows, with whom, why not with the others.
OTHERS = {
    "two-initials/two-queues": ("200 fetches of 200 with the default ClientHello, which spreads over "
                                "two Initials; two workers", "curl on ngtcp2",
                                "aioquic's ClientHello fits one Initial; curl on OpenSSL's QUIC is "
                                "in the table above"),
    "two-initials/swapped": ("200 of 200 with the Initials in the other order, 100 of them on ports, "
                             "and so queues, of their own", "curl on ngtcp2", "as above"),
    "rebind/two-workers": ("a client whose port changes in mid-transfer completes; packets were "
                           "handed over", "curl on ngtcp2",
                           "the relay changes the port, whoever the client is"),
    "spread/two-workers": ("connections spread over two workers", "curl on ngtcp2",
                           "the kernel spreads by address and port"),
    "upload/curl-ngtcp2": ("5 MiB to /discard and /echo", "curl on ngtcp2",
                           "the server's side is the same"),
    "stream-bytes/curl-ngtcp2": ("/stream-bytes/N", "curl on ngtcp2", "the server's side is the same"),
    "not-found/curl-ngtcp2": ("nothing outside the directory is served", "curl on ngtcp2",
                              "the server's side is the same"),
    "get/several-connections": ("40 files over 4 connections and 2 workers", "nginx",
                                "the client's side is the same"),
    "early/two-workers": ("ten visits with the ticket of the one before, each resumed with its "
                          "request as early data, by two workers; a ticket that was used before "
                          "is resumed without", "aioquic", "curl keeps no tickets between runs"),
    "ping/both-families": ("ping and ping -6 are answered", "ping", "-"),
    "capture/decrypts": ("a capture of a fetch decrypts with the engine's keylog",
                         "curl on ngtcp2, tcpdump, tshark", "the packets are the engine's"),
    "trap/unfinished-checksums": ("a veth that leaves checksums unfinished is explained once",
                                  "curl on ngtcp2", "a matter of the device"),
    "trap/kernel-holds-address": ("an address of ours that the kernel or another machine has is named "
                                  "with what mends it", "ip, curl on ngtcp2", "a matter of the device"),
    "disk/hangs": ("a read that hangs holds up neither other requests nor Ctrl-C",
                   "curl on ngtcp2", "the server's side is the same"),
    "bad/untrusted": ("an untrusted certificate ends get with 1 and a sentence", "nginx",
                      "the client's side is the same"),
    "bad/no-answer": ("a peer that never answers ends get with 1 and a sentence", "-", "-"),
    "link/down-and-up": ("a fetch survives a link that is down for 0.1, 2 and 20 s: data again "
                         "within 1.1 s, at the rate from before (af_packet)", "curl on ngtcp2",
                         "the engine's side is the same"),
    "link/down-and-up/af_xdp": ("the same over af_xdp", "curl on ngtcp2",
                                "the engine's side is the same"),
    "raw/malformed-frames": ("malformed frames are counted and harm nothing", "raw socket", "-"),
}


def complete(names):
    """What a page needs and these cases lack, or the cases that it does not know."""
    known = {f"serve/{d}/{f}/{c}" for d, f in COLUMNS for c in SERVE}
    known |= {f"get/{d}/{f}/{s}" for d, f in COLUMNS for s in GET}
    known |= set(OTHERS)
    have = {n for n in names if not n.startswith("smoke/")}
    return sorted(known ^ have)


def matrix(out, what, peers, title, results):
    out.append(f"| {title} | " + " | ".join(f"{d} {f}" for d, f in COLUMNS) + " |")
    out.append("|---" * (len(COLUMNS) + 1) + "|")
    for peer, text in peers.items():
        cells = [results[f"{what}/{d}/{f}/{peer}"] for d, f in COLUMNS]
        out.append(f"| {text} | " + " | ".join(cells) + " |")
    out.append("")


def write(path, results):
    """results: verdict by case name."""
    out = ["<!-- Written by tests/interop/run.sh full --table; do not edit. -->",
           "# What was tried with the programs of others", "",
           "`./dev test interop` runs these cases in network namespaces over veth. Each cell of the",
           "first two tables is files of 0 B, 1 B, 1 MiB and 100 MiB and 100 in parallel, compared by",
           "SHA-256.", "", "## The engine serves", ""]
    matrix(out, "serve", SERVE, "client", results)
    out += ["## The engine fetches", ""]
    matrix(out, "get", GET, "server", results)
    out += ["## One story each", "", "| case | shows | with | why not with the others | result |",
            "|---|---|---|---|---|"]
    for name, (what, who, why) in OTHERS.items():
        out.append(f"| `{name}` | {what} | {who} | {why} | {results[name]} |")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")
