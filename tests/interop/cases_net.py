# SPDX-License-Identifier: BSD-3-Clause
"""What lies below QUIC: ping, a capture, checksums, the link, frames that no kernel sends."""

import hashlib
import json
import re
import socket
import struct
import subprocess
import threading
import time

from case import CASES, CURLS, MIB, Case, case, curl, url
from rig import ENGINE4, ENGINE6, PEER4, die_with_parent, sh, sha256, wait_for


@case("ping/both-families", smoke=True)
def ping(rig):
    # PLX_COVERS("D5")
    rig.serve()
    rig.run(["ping", "-c", "5", "-i", "0.2", "-W", "2", ENGINE4])
    rig.run(["ping", "-6", "-c", "5", "-i", "0.2", "-W", "2", ENGINE6])
    rig.run(["ping", "-c", "2", "-s", "1400", "-W", "2", ENGINE4])


@case("capture/decrypts", needs=[CURLS["curl-ngtcp2"], "/usr/bin/tshark", "/usr/bin/tcpdump"])
def capture(rig):
    rig.file("mib", MIB)
    keylog = rig.dir / "keys.log"
    p = rig.serve(extra=["--tls-keylog", keylog])
    pcap = rig.dir / "fetch.pcap"
    dump = rig.peer("tcpdump", "tcpdump", "-i", rig.peer_if, "-U", "-w", pcap, "-Z", "root", "udp")
    dump.wait_text("listening")
    curl(rig, "curl-ngtcp2", ENGINE4, ["mib"])
    time.sleep(0.5)
    dump.stop()
    p.stop()
    r = sh("tshark", "-r", str(pcap), "-o", f"tls.keylog_file:{keylog}", "-Y", "http3", "-T",
           "fields", "-e", "http3.headers.status", "-e", "http3.headers.path", timeout=60)
    assert "200" in r.stdout and "/mib" in r.stdout, r.stdout[-500:]


@case("trap/unfinished-checksums", needs=[CURLS["curl-ngtcp2"]])
def unfinished_checksums(rig):
    rig.file("small", 1000)
    p = rig.serve()
    sh("ip", "netns", "exec", rig.peer_ns, "ethtool", "-K", rig.peer_if, "tx", "on", "gso", "off",
       "tso", "off", "tx-udp-segmentation", "off", check=False)
    rig.run([CURLS["curl-ngtcp2"], "--http3-only", "--cacert", rig.dir / "ca.pem", "-sS",
             "--max-time", "4", "-o", "/dev/null", url(ENGINE4, "small")], check=False)
    # Explained once, with the command that mends it; then it works.
    p.wait_text("tx off", 5)
    assert p.text().count("unfinished UDP checksums") == 1
    sh("ip", "netns", "exec", rig.peer_ns, "ethtool", "-K", rig.peer_if, "tx", "off")
    curl(rig, "curl-ngtcp2", ENGINE4, ["small"])


def arrived(rig):
    """Bytes that reached the peer's end of the veth."""
    r = sh("ip", "-n", rig.peer_ns, "-s", "-j", "link", "show", "dev", rig.peer_if)
    return json.loads(r.stdout)[0]["stats64"]["rx"]["bytes"]


def rate(rig, seconds):
    had, start = arrived(rig), time.monotonic()
    time.sleep(seconds)
    return (arrived(rig) - had) / (time.monotonic() - start)


def read_evenly(pipe, bytes_per_s, digest):
    """Reads a pipe at a constant rate; curl's own --limit-rate goes by bursts of a second."""
    due = time.monotonic()
    while block := pipe.read(65536):
        digest.update(block)
        due = max(due + len(block) / bytes_per_s, time.monotonic() - 0.1)
        time.sleep(max(0, due - time.monotonic()))


def link_flap(rig, driver):
    # PLX_COVERS("F1")
    rig.file("large", 120 * MIB)
    engine = rig.serve(driver)  # with the default idle timeout of 30 s
    digest = hashlib.sha256()
    client = subprocess.Popen(
        ["ip", "netns", "exec", rig.peer_ns, CURLS["curl-ngtcp2"], "--http3-only", "--cacert",
         rig.dir / "ca.pem", "-sS", "--max-time", "150", url(ENGINE4, "large")],
        stdout=subprocess.PIPE, preexec_fn=die_with_parent)
    reader = threading.Thread(target=read_evenly, args=(client.stdout, 4e6, digest), daemon=True)
    reader.start()
    try:
        time.sleep(4)  # the client's window is full, its reader sets the pace
        before = rate(rig, 3)
        for seconds in (0.1, 2, 20):
            # Our end: the peer keeps its addresses and routes and only loses the carrier.
            sh("ip", "-n", rig.engine_ns, "link", "set", rig.engine_if, "down")
            had = arrived(rig)
            time.sleep(seconds)
            sh("ip", "-n", rig.engine_ns, "link", "set", rig.engine_if, "up")
            up = time.monotonic()
            # Two probe timeouts (2 x 30 ms, with the peer's delay of acknowledgements) and a
            # second. More than a few packets: announcements are no goodput.
            wait_for(f"bytes after {seconds} s", lambda: arrived(rig) > had + 20000, 1.1)
            first = time.monotonic() - up
            time.sleep(max(0, up + 1.1 - time.monotonic()))
            after = rate(rig, 2)
            # What a rate that is back after 1.1 s brings in 3.1 s; windows open in large steps.
            mean = (arrived(rig) - had) / 2
            print(f"    {seconds} s down: data after {first * 1000:.0f} ms, "
                  f"{before / 1e6:.2f} MB/s before, {after / 1e6:.2f} MB/s after, "
                  f"{mean / 1e6:.2f} with what came earlier")
            assert mean >= 0.95 * before and after >= 0.8 * before, "goodput is not back"
        assert engine.text().count("link is down") >= 2, engine.text()
        wait_for("the fetch ends", lambda: not reader.is_alive(), 60)
        assert client.wait(10) == 0
    finally:
        client.kill()
        client.wait()
    assert digest.hexdigest() == sha256(rig.files / "large")


for driver in ("af_packet", "af_xdp"):
    name = "link/down-and-up" if driver == "af_packet" else f"link/down-and-up/{driver}"
    CASES.append(Case(name, link_flap, dict(driver=driver), (CURLS["curl-ngtcp2"],)))


def raw_frames(rig, frames):
    """Sends frames from the peer's end of the veth, as no kernel would."""
    code = ("import socket,sys\n"
            f"s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW)\ns.bind(({rig.peer_if!r},0))\n"
            "for line in sys.stdin:\n    s.send(bytes.fromhex(line))\n")
    subprocess.run(["ip", "netns", "exec", rig.peer_ns, "python3", "-c", code], check=True,
                   input="\n".join(f.hex() for f in frames), text=True, timeout=60)


@case("trap/kernel-holds-address", needs=[CURLS["curl-ngtcp2"]])
def kernel_holds_address(rig):
    rig.file("small", 1000)
    sh("ip", "-n", rig.engine_ns, "addr", "add", f"{ENGINE4}/24", "dev", rig.engine_if)
    p = rig.serve()
    # Our own kernel: named at the start, with the command that mends it; it does.
    flush = re.search(r"`(ip addr flush dev \S+)`", p.text())
    assert flush, p.text()[-2000:]
    sh("ip", "netns", "exec", rig.engine_ns, *flush[1].split())
    curl(rig, "curl-ngtcp2", ENGINE4, ["small"])
    # Another machine: seen when it announces itself, and told once.
    hint = "another machine or the kernel uses an address of this port: take it away there"
    assert hint not in p.text(), p.text()[-2000:]
    sh("ip", "netns", "exec", rig.peer_ns, "sysctl", "-qw",
       f"net.ipv4.conf.{rig.peer_if}.arp_notify=1")
    sh("ip", "-n", rig.peer_ns, "addr", "add", f"{ENGINE4}/24", "dev", rig.peer_if)
    for _ in range(3):
        sh("ip", "-n", rig.peer_ns, "link", "set", rig.peer_if, "down")
        sh("ip", "-n", rig.peer_ns, "link", "set", rig.peer_if, "up")
        time.sleep(0.5)
    p.wait_text(hint, 5)
    assert p.text().count(hint) == 1
    sh("ip", "-n", rig.peer_ns, "addr", "del", f"{ENGINE4}/24", "dev", rig.peer_if)
    curl(rig, "curl-ngtcp2", ENGINE4, ["small"])


@case("raw/malformed-frames", needs=[CURLS["curl-ngtcp2"]])
def malformed(rig):
    # PLX_COVERS("D1", "D3", "D6")
    rig.file("small", 1000)
    p = rig.serve()
    curl(rig, "curl-ngtcp2", ENGINE4, ["small"])
    eth = bytes.fromhex("ffffffffffff" "020000000001" "0800")
    src, dst = socket.inet_aton(PEER4), socket.inet_aton(ENGINE4)
    frames = []
    for total in range(0, 120, 3):
        for udp_len in (0, 7, 8, 30, 60000):
            ip = struct.pack("!BBHHHBBH", 0x45, 0, total, 1, 0, 64, 17, 0) + src + dst
            frames.append(eth + ip + struct.pack("!HHHH", 4444, 443, udp_len, 0) + b"\x40" * 30)
    frames.append(eth + struct.pack("!BBHHHBBH", 0x45, 0, 58, 1, 0x2000, 64, 17, 0) + src + dst +
                  bytes(38))
    frames.append(eth + struct.pack("!BBHHHBBH", 0x45, 0, 58, 1, 0, 64, 17, 0) + dst + dst +
                  bytes(38))
    raw_frames(rig, frames)
    curl(rig, "curl-ngtcp2", ENGINE4, ["small"])
    assert p.running()
    p.stop()
    for reason in ("NET_IP4_LEN", "NET_UDP_LEN", "NET_IP4_CKSUM"):
        if re.search(rf"{reason}\s+\d+", p.text()):
            break
    else:
        raise AssertionError("no malformed frame was counted:\n" + p.text()[-1500:])
