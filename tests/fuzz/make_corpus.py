#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""Writes the seeds of the fuzz targets that are not written by hand (corpus/h3 is).

Usage: make_corpus.py   (writes below tests/fuzz/corpus; the same bytes each time)
"""

import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
MAC = bytes.fromhex("020000000001020000000002")
SOURCE4, OURS4 = bytes([10, 0, 0, 2]), bytes([10, 0, 0, 1])
SOURCE6, OURS6 = b"\xfd" + bytes(14) + b"\x02", b"\xfd" + bytes(14) + b"\x01"


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp(pseudo, payload):
    header = struct.pack(">HHHH", 40000, 443, 8 + len(payload), 0)
    total = checksum(pseudo + header + payload) or 0xffff
    return header[:6] + struct.pack(">H", total) + payload


def ipv4(proto, body, options=b"", flags=0x4000):
    header = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, 2, 20 + len(options) + len(body),
                         0, flags, 64, proto, 0) + SOURCE4 + OURS4 + options
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + body


def ipv6(proto, body):
    return struct.pack(">IHBB", 6 << 28, len(body), proto, 64) + SOURCE6 + OURS6 + body


def frame(kind, body, tags=0):
    tag = b"".join(struct.pack(">HH", 0x8100, 100 + i) for i in range(tags))
    return b"\x00" + MAC + tag + struct.pack(">H", kind) + body


def net():
    hello = b"hello, datagram"
    in4 = udp(SOURCE4 + OURS4 + struct.pack(">HH", 17, 8 + len(hello)), hello)
    in6 = udp(SOURCE6 + OURS6 + struct.pack(">II", 8 + len(hello), 17), hello)
    echo = struct.pack(">BBHHH", 8, 0, checksum(b"\x08\x00\x00\x00\x00\x01\x00\x01"), 1, 1)
    yield "udp4", frame(0x0800, ipv4(17, in4))
    yield "udp4_padded", frame(0x0800, ipv4(17, in4) + bytes(16))
    yield "udp4_options", b"\x80" + frame(0x0800, ipv4(17, in4, b"\x01" * 8))[1:]
    yield "udp4_fragment", frame(0x0800, ipv4(17, in4, flags=0x2000))
    yield "udp4_vlan", frame(0x0800, ipv4(17, in4), tags=2)
    yield "udp6", frame(0x86dd, ipv6(17, in6))
    yield "udp6_hop_by_hop", frame(0x86dd, ipv6(0, b"\x11\x00" + bytes(6) + in6))
    yield "udp6_routing", frame(0x86dd, ipv6(0, b"\x2b\x00" + bytes(6) + b"\x11\x00\x00\x00" +
                                             bytes(4) + in6))
    yield "icmp4", frame(0x0800, ipv4(1, echo))
    yield "arp", frame(0x0806, bytes.fromhex("0001080006040001") + MAC[6:] + SOURCE4 + bytes(6) +
                       OURS4)


def steer():
    def op(kind, slot, gen, packet):
        return bytes([kind, slot, gen, len(packet)]) + packet

    long = b"\xc3\x00\x00\x00\x01\x08" + b"\x11" * 8 + b"\x04" + b"\x22" * 4 + bytes(20)
    mine = b"\xe3\x00\x00\x00\x01\x13" + bytes(19) + b"\x00" + bytes(20)
    short = b"\x43" + bytes(40)
    yield "long_new", op(0, 0, 0, long)
    yield "long_first", op(0x20, 2, 0, long)
    yield "long_ours", op(4, 2, 1, mine)
    yield "long_retry", op(0x14, 0, 1, mine)
    yield "short_live", op(4, 2, 1, short)
    yield "short_old", op(4, 2, 9, short)
    yield "short_other", op(0xc, 2, 1, short)
    yield "short_hops", op(0xe, 2, 1, short)
    yield "short_stranger", op(0, 0, 0, short)
    yield "negotiation", op(0, 0, 0, b"\xff" + bytes(4) + long[5:])
    yield "cut", op(0, 0, 0, long[:9]) + op(4, 2, 1, short[:12])


def config():
    folder = os.path.join(HERE, "..", "..", "config", "samples")
    for name in ("serve", "get", "af_packet"):
        with open(os.path.join(folder, name + ".yaml"), "rb") as file:
            lines = [line for line in file if not line.strip().startswith(b"#")]
        yield name, b"".join(lines)
    yield "minimal", b"version: 1\n"
    yield "unknown", b"version: 1\nquik: {}\n"
    yield "types", b"quic:\n  cc: bbr\n  max_conns: many\nports: 3\n"
    yield "twice", b"quic: {cc: bbr, cc: reno}\n"
    yield "anchors", b"a: &a [x]\nb: *a\n"
    yield "list", b"ports:\n  - vdev: net_null0\n    addresses: [192.0.2.1/24, '2001:db8::1/64']\n"
    yield "json", b'{"log": {"level": "debug"}, "workers": {"count": 2, "idle": "adaptive"}}'


def url():
    for name, text in {
            "host": "\0https://example.org/a/b.txt?x=1#f", "port": "\0https://h.example:8443",
            "v6": "\0https://[2001:db8::1]:4433/", "scheme": "\0http://example.org/",
            "user": "\0https://me@example.org/", "dots": "\0https://h/a/../../b//",
            "endpoint4": "\x01192.0.2.1:443", "endpoint6": "\x01[2001:db8::1]:443",
            "endpoint_any": "\x81:443", "endpoint_bare": "\x81192.0.2.1",
            "ip6": "\x02::ffff:192.0.2.1", "prefix4": "\x02192.0.2.0/24",
            "prefix6": "\x022001:db8::/32", "number": "\x0318446744073709551615",
            "hex": "\x030a0B0c", "mac": "\x0302:00:5e:00:53:01",
            "flags": "\x04--quic-cc\nbbr\n--no-tls-verify\n-o\nout\nhttps://h/\n--\n-l\n0",
            "flags_port": "\x04--port-mtu=1500\n--port1-vdev=net_null0\n--iface\neth0\n--probe",
    }.items():
        yield name, text.encode("latin-1")


def quic():
    change, cut, inject, lose, twice = 0x80, 0xa0, 0xb0, 0xe0, 0xf0
    for setup, name in ((0, "plain"), (1, "retry"), (2, "ipv6"), (4, "server"), (21, "all")):
        yield name, bytes([setup])
        yield name + "_version", bytes([setup, change, 0, 4, 0x41, 0])
        yield name + "_token", bytes([setup, 0, change, 0, 40, 1, 0])
        yield name + "_cut", bytes([setup, 1, cut, 0, 30, 0, 2, cut, 4, 0, 0])
        yield name + "_lost", bytes([setup, lose, 0, lose, lose, 1, lose])
        yield name + "_twice", bytes([setup, twice, 0, twice, twice, 3, twice, 7])
        yield name + "_short", bytes([setup, 4, inject, 24]) + b"\x43" + bytes(23)
        yield name + "_initial", bytes([setup, inject, 60]) + b"\xc3\0\0\0\x01\x08" + bytes(54)


# Frames of RFC 9000 section 19 and RFC 9221, as the payload of a packet.
FRAMES = {
    "padding": "00000000", "ping": "01", "ack": "0200000000", "ack_far": "0240ff004040",
    "ack_ranges": "024010000200000101", "ack_ecn": "030000000001010101",
    "reset_stream": "040041000400", "reset_big": "0400ff010000000000000001ff",
    "stop_sending": "050010", "stop_unopened": "05604000", "crypto": "060004deadbeef",
    "crypto_far": "06bfffffff04deadbeef", "new_token": "0704aabbccdd", "new_token_empty": "0700",
    "stream": "0a0004abcdef01", "stream_fin": "0b0400", "stream_off": "0e00400004abcdef01",
    "stream_end": "0f00ffffffffffffffff01aa", "stream_ours": "0a0104abcdef01",
    "max_data": "108fffffff", "max_stream_data": "110047ff", "max_streams": "124010",
    "max_streams_big": "12f000000000000001", "data_blocked": "144000",
    "stream_data_blocked": "15004000", "streams_blocked": "164010",
    "new_id": "18020008" + "11" * 8 + "22" * 16, "new_id_retire": "18100f08" + "33" * 8 + "44" * 16,
    "new_id_zero": "18030000" + "22" * 16, "retire_id": "1900", "retire_unknown": "194040",
    "path_challenge": "1a0102030405060708", "path_response": "1b0102030405060708",
    "close": "1c0a0600", "close_app": "1d4100026279", "done": "1e", "datagram": "30aabbcc",
    "datagram_len": "3103aabbcc", "unknown": "4042", "empty": "",
}


def frames():
    replace = 0xc0
    for name, text in FRAMES.items():
        payload = bytes.fromhex(text)
        packet = bytes([replace, len(payload)]) + payload + b"\x00"
        # After the handshake, in either direction; and as the first packet.
        yield name, b"\x20\x05" + packet
        yield name + "_server", b"\x2c\x05" + packet
        yield name + "_initial", b"\x00" + packet


def main():
    for target in (net, steer, config, url, quic, frames):
        folder = os.path.join(HERE, "corpus", target.__name__)
        os.makedirs(folder, exist_ok=True)
        for name, data in target():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
