# SPDX-License-Identifier: BSD-3-Clause
"""The engine serves files and echoes to the clients of others."""

import ctypes
import os
import signal
import time

from case import CASES, CURLS, MIB, SIZES, Case, Skip, case, curl, url
from rig import ENGINE4, ENGINE6, sha256

HERE = os.path.dirname(os.path.abspath(__file__))


def serve_to_curl(rig, driver, ip, which, sizes, parallel=0):
    names = []
    for s in sizes:
        rig.file(s, SIZES[s])
        names.append(s)
    rig.serve(driver)
    curl(rig, which, ip, names)
    if parallel:
        many = [f"p{i}" for i in range(parallel)]
        for name in many:
            rig.file(name, 20000)
        curl(rig, which, ip, many, extra=["--parallel", "--parallel-max", str(parallel)])


for driver in ("af_packet", "af_xdp"):
    for ip, fam in ((ENGINE4, "ipv4"), (ENGINE6, "ipv6")):
        for which, path in CURLS.items():
            # PLX_COVERS("IC-http3", "IC-handshake")
            CASES.append(Case(f"serve/{driver}/{fam}/{which}", serve_to_curl,
                              dict(driver=driver, ip=ip, which=which, sizes=list(SIZES),
                                   parallel=100), (path,)))
        CASES.append(Case(f"smoke/{driver}/{fam}", serve_to_curl,
                          dict(driver=driver, ip=ip, which="curl-ngtcp2", sizes=["one", "mib"]),
                          (CURLS["curl-ngtcp2"],), smoke=True))


def serve_to_aioquic(rig, driver, ip):
    names = list(SIZES)
    for s in names:
        rig.file(s, SIZES[s])
    many = [f"p{i}" for i in range(100)]
    for name in many:
        rig.file(name, 2000)
    rig.serve(driver)
    out = rig.dir / "out"
    out.mkdir()
    rig.run(["python3", "-B", f"{HERE}/aioquic_get.py", "--ca", rig.dir / "ca.pem", "--output",
             out, *[url(ip, n) for n in names + many]], timeout=200)
    for n in names + many:
        assert sha256(out / n) == sha256(rig.files / n), f"{n}: bytes differ"


for driver in ("af_packet", "af_xdp"):
    for ip, fam in ((ENGINE4, "ipv4"), (ENGINE6, "ipv6")):
        CASES.append(Case(f"serve/{driver}/{fam}/aioquic", serve_to_aioquic,
                          dict(driver=driver, ip=ip)))


@case("upload/curl-ngtcp2", needs=[CURLS["curl-ngtcp2"]])
def upload(rig):
    rig.file("up", 5 * MIB)
    rig.serve()
    r = rig.run([CURLS["curl-ngtcp2"], "--http3-only", "--cacert", rig.dir / "ca.pem", "-sS",
                 "--data-binary", f"@{rig.files / 'up'}", url(ENGINE4, "discard")])
    assert r.stdout.strip() == str(5 * MIB), r.stdout
    out = rig.dir / "echoed"
    rig.run([CURLS["curl-ngtcp2"], "--http3-only", "--cacert", rig.dir / "ca.pem", "-sS", "-o",
             out, "--data-binary", f"@{rig.files / 'up'}", url(ENGINE4, "echo")])
    assert sha256(out) == sha256(rig.files / "up")


@case("stream-bytes/curl-ngtcp2", needs=[CURLS["curl-ngtcp2"]])
def stream_bytes(rig):
    # PLX_COVERS("Q6-5")
    rig.serve()
    r = rig.run([CURLS["curl-ngtcp2"], "--http3-only", "--cacert", rig.dir / "ca.pem", "-sS",
                 url(ENGINE4, "stream-bytes/1000")])
    assert r.stdout == "W" * 1000


@case("not-found/curl-ngtcp2", needs=[CURLS["curl-ngtcp2"]])
def not_found(rig):
    (rig.dir / "secret").write_text("outside")
    os.symlink(rig.dir / "secret", rig.files / "link")
    rig.serve()
    for path in ("nothing", "../secret", "%2e%2e/secret", "link"):
        r = rig.run([CURLS["curl-ngtcp2"], "--http3-only", "--cacert", rig.dir / "ca.pem", "-sS",
                     "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}",
                     url(ENGINE4, path)])
        assert r.stdout.strip() in ("403", "404"), f"{path}: {r.stdout}"


FAN_CLASS_CONTENT, FAN_MARK_ADD, FAN_ACCESS_PERM, AT_FDCWD = 4, 1, 0x20000, -100


def hold_reads_of(path):
    """Every read of this file waits until the descriptor returned is closed, as on a dead disk."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.fanotify_init(FAN_CLASS_CONTENT, os.O_RDONLY | os.O_CLOEXEC)
    if fd < 0:
        raise Skip("no right to hold reads of a file (fanotify)")
    if libc.fanotify_mark(fd, FAN_MARK_ADD, ctypes.c_uint64(FAN_ACCESS_PERM), AT_FDCWD,
                          os.fsencode(path)) != 0:
        os.close(fd)
        raise OSError(ctypes.get_errno(), "fanotify_mark")
    return fd


@case("disk/hangs", needs=[CURLS["curl-ngtcp2"]])
def disk_hangs(rig):
    rig.file("small", 1000)
    held = hold_reads_of(rig.file("held", MIB))
    try:
        p = rig.serve()
        fetch = rig.peer("curl", CURLS["curl-ngtcp2"], "--http3-only", "--cacert",
                         rig.dir / "ca.pem", "-sS", "--max-time", "60", "-o", "/dev/null",
                         url(ENGINE4, "held"))
        time.sleep(1)
        assert fetch.running(), fetch.text()
        for _ in range(3):
            curl(rig, "curl-ngtcp2", ENGINE4, ["small"], timeout=3)
        start = time.monotonic()
        code = p.stop(signal.SIGINT, 15)
        spent = time.monotonic() - start
        # Five seconds for requests in hand, one for the disk.
        assert code == 0 and 5 < spent < 9, f"exit code {code} after {spent:.1f} s"
        assert "has not been read" in p.text(), p.text()[-1000:]
    finally:
        os.close(held)
