# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces, a veth pair, the engine on one end and peers on the other.

Everything made here lives in two namespaces of its own and in one temporary directory, and is
taken away again by Rig.close(), also after a failure or a signal. Processes are stopped by the
Popen object that started them.
"""

import contextlib
import ctypes
import hashlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

POLLUX = os.environ.get("PLX_BINARY",
                        os.environ.get("POLLUX_BUILD_DIR", "build/default") + "/apps/pollux")
ENGINE4, PEER4 = "10.99.0.1", "10.99.0.2"
ENGINE6, PEER6 = "fd00:99::1", "fd00:99::2"
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """Runs in the child: it ends when the test does, whatever ends the test."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setpgid(0, 0)


def sh(*cmd, check=True, timeout=30):
    return subprocess.run(cmd, check=check, timeout=timeout, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)


def wait_for(what, predicate, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if predicate():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


class Process:
    """A program in a namespace; its output goes to a file that a failure shows."""

    def __init__(self, rig, name, cmd, netns=None, env=None):
        self.name = name
        self.log = rig.dir / f"{name}-{len(rig.processes)}.log"
        full = (["ip", "netns", "exec", netns] if netns else []) + [str(c) for c in cmd]
        with open(self.log, "wb") as out:
            self.p = subprocess.Popen(full, stdout=out, stderr=subprocess.STDOUT,
                                      stdin=subprocess.DEVNULL, preexec_fn=die_with_parent,
                                      env={**os.environ, **(env or {})})
        rig.processes.append(self)

    def text(self):
        return self.log.read_text(errors="replace")

    def running(self):
        return self.p.poll() is None

    def wait_text(self, text, seconds=20):
        wait_for(f"{self.name} says {text!r}",
                 lambda: text in self.text() or not self.running(), seconds)
        assert text in self.text(), f"{self.name} ended early:\n{self.text()[-3000:]}"

    def stop(self, sig=signal.SIGTERM, seconds=10):
        if self.running():
            os.killpg(self.p.pid, sig)
            try:
                self.p.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.p.pid, signal.SIGKILL)
                self.p.wait(5)
        return self.p.returncode


class Rig:
    def __init__(self, seed=1):
        self.tag = f"plx{os.getpid()}"
        self.engine_ns, self.peer_ns = f"{self.tag}e", f"{self.tag}p"
        self.engine_if, self.peer_if = "plxe0", "plxp0"
        self.processes = []
        self.rand = random.Random(seed)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="plx-interop-"))
        self.files = self.dir / "www"
        self.files.mkdir()
        try:
            self.make_net()
            self.make_certs()
        except BaseException:
            self.close()
            raise

    def make_net(self):
        for ns in (self.engine_ns, self.peer_ns):
            sh("ip", "netns", "add", ns)
            sh("ip", "-n", ns, "link", "set", "lo", "up")
        # One queue each way: the sender's hash chooses the queue of a veth, and AF_XDP sees only
        # the queue that it was opened on.
        sh("ip", "-n", self.engine_ns, "link", "add", self.engine_if, "numrxqueues", "1",
           "numtxqueues", "1", "type", "veth", "peer", "name", self.peer_if, "netns", self.peer_ns,
           "numrxqueues", "1", "numtxqueues", "1")
        for ns, dev in ((self.engine_ns, self.engine_if), (self.peer_ns, self.peer_if)):
            # veth hands over datagrams with unfinished checksums and super-frames otherwise.
            sh("ip", "netns", "exec", ns, "ethtool", "-K", dev, "tx", "off", "rx", "off", "gso",
               "off", "gro", "off", "tso", "off", check=False)
            sh("ip", "-n", ns, "link", "set", dev, "up")
        # The engine owns its addresses: the kernel of its namespace has none on that device.
        sh("ip", "netns", "exec", self.engine_ns, "sysctl", "-qw",
           f"net.ipv6.conf.{self.engine_if}.disable_ipv6=1", check=False)
        sh("ip", "-n", self.peer_ns, "addr", "add", f"{PEER4}/24", "dev", self.peer_if)
        sh("ip", "-n", self.peer_ns, "addr", "add", f"{PEER6}/64", "dev", self.peer_if, "nodad")

    def make_certs(self):
        d = self.dir
        sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-nodes", "-days", "2", "-subj", "/CN=test CA", "-keyout", d / "ca.key",
           "-out", d / "ca.pem")
        sh("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-subj", "/CN=pollux.test", "-keyout", d / "key.pem", "-out", d / "req.pem")
        (d / "san").write_text(
            f"subjectAltName=DNS:pollux.test,DNS:peer.test,IP:{ENGINE4},IP:{ENGINE6},"
            f"IP:{PEER4},IP:{PEER6}\n")
        sh("openssl", "x509", "-req", "-in", d / "req.pem", "-CA", d / "ca.pem", "-CAkey",
           d / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", d / "san",
           "-out", d / "cert.pem")
        (d / "key.pem").chmod(0o644)

    def file(self, name, size):
        path = self.files / name
        if not path.exists() or path.stat().st_size != size:
            with open(path, "wb") as f:
                left = size
                while left > 0:
                    n = min(left, 1 << 20)
                    f.write(self.rand.randbytes(n))
                    left -= n
        return path

    def vdevs(self, driver, queues):
        if driver == "af_packet":
            q = f",qpairs={queues}" if queues > 1 else ""
            return [f"net_af_packet0,iface={self.engine_if}{q},qdisc_bypass=1"]
        if driver == "af_xdp":
            return [f"net_af_xdp{q},iface={self.engine_if},start_queue={q},busy_budget=0"
                    for q in range(queues)]
        raise ValueError(driver)

    def engine_args(self, driver, queues):
        args = ["--workers-count", str(queues), "--workers-idle", "adaptive",
                "--port-addresses", f"{ENGINE4}/24", "--port-addresses", f"{ENGINE6}/64"]
        for v in self.vdevs(driver, queues):
            args += ["--port-vdev", v]
        return args

    def serve(self, driver="af_packet", queues=1, extra=()):
        p = Process(self, "serve", [POLLUX, "serve", *self.engine_args(driver, queues),
                                    "--serve-root", self.files, "--tls-cert", self.dir / "cert.pem",
                                    "--tls-key", self.dir / "key.pem", *extra],
                    netns=self.engine_ns)
        p.wait_text("serving", 30)
        return p

    def get(self, urls, driver="af_packet", queues=1, extra=(), timeout=120):
        out = self.dir / "got"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        r = self.run([POLLUX, "get", *self.engine_args(driver, queues), "--tls-ca",
                      self.dir / "ca.pem", "--get-output", out, *extra, *urls],
                     netns=self.engine_ns, timeout=timeout)
        return r, out

    def peer(self, name, *cmd, env=None):
        return Process(self, name, cmd, netns=self.peer_ns, env=env)

    def run(self, cmd, netns=None, timeout=60, env=None, check=True):
        full = ["ip", "netns", "exec", netns or self.peer_ns] + [str(c) for c in cmd]
        r = subprocess.run(full, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, errors="replace", preexec_fn=die_with_parent,
                           env={**os.environ, **(env or {})})
        if check and r.returncode != 0:
            raise AssertionError(f"exit {r.returncode}: {' '.join(full)}\n{r.stdout[-3000:]}")
        return r

    def stop_all(self):
        for p in reversed(self.processes):
            p.stop()
        self.processes.clear()

    def close(self):
        with contextlib.suppress(Exception):
            self.stop_all()
        for ns in (self.engine_ns, self.peer_ns):
            sh("ip", "netns", "del", ns, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def udp_socket_in(netns, family=socket.AF_INET):
    """A socket of another namespace: the relay of a test stands between two of them."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        if libc.setns(there, 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        return socket.socket(family, socket.SOCK_DGRAM)
    finally:
        libc.setns(here, 0x40000000)
        os.close(here)
        os.close(there)
