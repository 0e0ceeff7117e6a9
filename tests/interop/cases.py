# SPDX-License-Identifier: BSD-3-Clause
"""The cases: what is fetched by whom from whom, over which driver. Each line of the table in
CASES is one test; docs/interop.md is written from their results."""

import dataclasses
import os
import re
import selectors
import socket
import struct
import threading
import time
from typing import Callable

from rig import ENGINE4, ENGINE6, PEER4, PEER6, POLLUX, Process, sha256, sh, udp_socket_in, wait_for

CURLS = {
    "curl-ngtcp2": "/opt/curl-ngtcp2/bin/curl",
    "curl-openssl": "/usr/bin/curl",
}
HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20


class Skip(Exception):
    pass


@dataclasses.dataclass
class Case:
    name: str
    fn: Callable
    args: dict
    needs: tuple = ()
    smoke: bool = False


CASES = []


def case(name, needs=(), smoke=False, **args):
    def add(fn):
        CASES.append(Case(name, fn, args, tuple(needs), smoke))
        return fn
    return add


def select(kind):
    return [c for c in CASES if kind == "full" or c.smoke]


def url(ip, path, port=443):
    host = f"[{ip}]" if ":" in ip else ip
    return f"https://{host}{'' if port == 443 else f':{port}'}/{path}"


def curl(rig, which, ip, names, extra=(), timeout=60, keylog=None):
    """Fetches files one after another or in parallel and compares SHA-256."""
    out = rig.dir / "out"
    out.mkdir(exist_ok=True)
    args = [CURLS[which], "--http3-only", "--cacert", rig.dir / "ca.pem", "-sS", "--max-time",
            str(timeout), *extra]
    for name in names:
        args += ["-o", out / name, url(ip, name)]
    env = {"SSLKEYLOGFILE": str(keylog)} if keylog else None
    rig.run(args, timeout=timeout + 10, env=env)
    for name in names:
        assert sha256(out / name) == sha256(rig.files / name), f"{name}: bytes differ"
        (out / name).unlink()


# --- the engine serves -------------------------------------------------------------------------

SIZES = {"empty": 0, "one": 1, "mib": MIB, "large": 100 * MIB}


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


# curl's default ClientHello carries X25519MLKEM768 and spreads over two Initials.
@case("two-initials/two-queues", needs=[CURLS["curl-ngtcp2"]])
def two_initials(rig):
    rig.file("small", 1000)
    rig.serve("af_packet", queues=2)
    for _ in range(200):
        curl(rig, "curl-ngtcp2", ENGINE4, ["small"])


class Relay:
    """A UDP relay in the peer's namespace: clients talk to it, it talks to the engine.

    rebind_every  so many packets of a client, and it talks from another port, as a NAT does that
                  lost its mapping
    swap          the first two Initials of each client change places
    split         the second Initial of each client comes from a port of its own
    """

    def __init__(self, rig, rebind_every=0, swap=False, split=False):
        self.ns, self.rebind_every, self.swap, self.split = rig.peer_ns, rebind_every, swap, split
        self.rebinds = 0
        self.listen = udp_socket_in(self.ns)
        self.listen.bind(("127.0.0.1", 4433))
        self.listen.setblocking(False)
        self.sel = selectors.DefaultSelector()
        self.sel.register(self.listen, selectors.EVENT_READ)
        self.client, self.ups, self.held, self.initials, self.count = None, [], None, 0, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(5)
        self.forget()
        self.listen.close()

    def new_up(self):
        up = udp_socket_in(self.ns)
        up.bind((PEER4, 0))
        up.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        up.connect((ENGINE4, 443))
        up.setblocking(False)
        self.sel.register(up, selectors.EVENT_READ)
        self.ups.append(up)
        return up

    def forget(self):
        for up in self.ups:
            self.sel.unregister(up)
            up.close()
        self.ups = []

    def from_client(self, data, client):
        if client != self.client:
            self.forget()
            self.client, self.held, self.initials, self.count = client, None, 0, 0
            self.new_up()
        if data and data[0] & 0xb0 == 0x80 and self.initials < 2:
            self.initials += 1
            if self.initials == 2 and self.split:
                other = self.new_up()
            else:
                other = self.ups[0]
            if self.initials == 1 and self.swap:
                self.held = data
                return
            other.send(data)
            if self.held is not None:
                self.ups[0].send(self.held)
                self.held = None
            return
        self.ups[0].send(data)
        self.count += 1
        if self.rebind_every and self.count % self.rebind_every == 0:
            self.forget()
            self.new_up()
            self.rebinds += 1

    def run(self):
        while not self.stop.is_set():
            for key, _ in self.sel.select(0.1):
                while key.fileobj is self.listen or key.fileobj in self.ups:
                    try:
                        if key.fileobj is self.listen:
                            self.from_client(*self.listen.recvfrom(65536))
                        else:
                            self.listen.sendto(key.fileobj.recv(65536), self.client)
                    except (BlockingIOError, ConnectionRefusedError):
                        break


def fetch_through_relay(rig, name, timeout=90):
    out = rig.dir / "relayed"
    rig.run([CURLS["curl-ngtcp2"], "--http3-only", "--cacert", rig.dir / "ca.pem", "-sS",
             "--max-time", str(timeout), "--resolve", "pollux.test:4433:127.0.0.1", "-o", out,
             f"https://pollux.test:4433/{name}"], timeout=timeout + 10)
    assert sha256(out) == sha256(rig.files / name)


def counted(p, name):
    m = re.search(rf"\b{name}\s+(\d+)", p.text())
    return int(m.group(1)) if m else 0


# Where both orders and different queues meet: the second Initial overtakes the first one and comes
# from another port, which the kernel hashes to either queue.
@case("two-initials/swapped", needs=[CURLS["curl-ngtcp2"]])
def swapped_initials(rig):
    rig.file("small", 1000)
    p = rig.serve("af_packet", queues=2)
    for split in (False, True):
        with Relay(rig, swap=True, split=split):
            for _ in range(100):
                fetch_through_relay(rig, "small", 20)
    p.stop()
    assert counted(p, "handover_in") > 0, "no Initial came on the other worker's queue"


# PLX_COVERS("IC-rebind-port")
@case("rebind/two-workers", needs=[CURLS["curl-ngtcp2"]])
def rebind(rig):
    rig.file("mid", 20 * MIB)
    p = rig.serve("af_packet", queues=2)
    with Relay(rig, rebind_every=150) as relay:
        fetch_through_relay(rig, "mid")
        assert relay.rebinds >= 2, f"the relay rebound {relay.rebinds} times: nothing was tested"
    p.stop()
    assert counted(p, "path_changes") > 0, "the engine saw no path change"
    assert counted(p, "handover_in") > 0, "no packet was handed over"


@case("spread/two-workers", needs=[CURLS["curl-ngtcp2"]])
def spread(rig):
    rig.file("small", 1000)
    p = rig.serve("af_packet", queues=2)
    for _ in range(40):
        curl(rig, "curl-ngtcp2", ENGINE4, ["small"])
    p.stop()
    per = [int(n) for n in re.findall(r"worker \d+: .*?conns_accepted (\d+)", p.text())]
    assert len(per) == 2 and min(per) >= 5, f"connections per worker: {per}"


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


@case("get/several-connections", needs=["/usr/sbin/nginx"])
def several_connections(rig):
    names = [f"p{i}" for i in range(40)]
    for name in names:
        rig.file(name, 100000)
    start_nginx(rig)
    _, out = rig.get([url(PEER4, n) for n in names], queues=2,
                     extra=["--get-connections", "4", "--get-parallel", "5"])
    for n in names:
        assert sha256(out / n) == sha256(rig.files / n), f"{n}: bytes differ"


# --- the engine fetches ------------------------------------------------------------------------

NGINX = """
daemon off; pid {d}/nginx.pid; error_log stderr notice; worker_processes 1;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f;
  uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
  server {{
    listen {v4}:443 quic reuseport; listen [{v6}]:443 quic reuseport; http3 on;
    ssl_certificate {d}/cert.pem; ssl_certificate_key {d}/key.pem; ssl_protocols TLSv1.3;
    root {d}/www;
  }}
}}
"""

CADDY = """
{{
  admin off
  auto_https off
  servers {{
    protocols h3
  }}
}}
https://{v4}, https://[{v6}] {{
  tls {d}/cert.pem {d}/key.pem
  root * {d}/www
  file_server
}}
"""


def start_nginx(rig):
    conf = rig.dir / "nginx.conf"
    conf.write_text("user root;\n" + NGINX.format(d=rig.dir, v4=PEER4, v6=PEER6))
    p = rig.peer("nginx", "nginx", "-c", conf, "-e", "stderr")
    p.wait_text("start worker process")


def start_caddy(rig):
    conf = rig.dir / "Caddyfile"
    conf.write_text(CADDY.format(d=rig.dir, v4=PEER4, v6=PEER6))
    p = rig.peer("caddy", "caddy", "run", "--config", conf, "--adapter", "caddyfile",
                 env={"HOME": str(rig.dir)})
    p.wait_text("serving initial configuration")


def get_from(rig, server, driver, ip):
    names = []
    for s in SIZES:
        rig.file(s, SIZES[s])
        names.append(s)
    many = [f"p{i}" for i in range(100)]
    for name in many:
        rig.file(name, 20000)
    {"nginx": start_nginx, "caddy": start_caddy}[server](rig)
    _, out = rig.get([url(ip, n) for n in names + many], driver, extra=["--get-parallel", "100"])
    for n in names + many:
        assert sha256(out / n) == sha256(rig.files / n), f"{n}: bytes differ"


for server, path in (("nginx", "/usr/sbin/nginx"), ("caddy", "/usr/bin/caddy")):
    for driver in ("af_packet", "af_xdp"):
        for ip, fam in ((PEER4, "ipv4"), (PEER6, "ipv6")):
            CASES.append(Case(f"get/{driver}/{fam}/{server}", get_from,
                              dict(server=server, driver=driver, ip=ip), (path,)))


@case("smoke/get-nginx", needs=["/usr/sbin/nginx"], smoke=True)
def get_smoke(rig):
    rig.file("mib", MIB)
    start_nginx(rig)
    _, out = rig.get([url(PEER4, "mib")])
    assert sha256(out / "mib") == sha256(rig.files / "mib")


@case("bad/untrusted", needs=["/usr/sbin/nginx"])
def untrusted(rig):
    rig.file("one", 1)
    start_nginx(rig)
    p = Process(rig, "get", [POLLUX, "get",
                             *rig.engine_args("af_packet", 1), "--get-output", rig.dir,
                             url(PEER4, "one")], netns=rig.engine_ns)
    wait_for("get ends", lambda: not p.running(), 30)
    assert p.p.returncode == 1, f"exit {p.p.returncode}"
    assert "certificate" in p.text(), p.text()


@case("bad/no-answer")
def no_answer(rig):
    p = Process(rig, "get", [POLLUX, "get",
                             *rig.engine_args("af_packet", 1), "--quic-handshake-timeout-ms",
                             "2000", "--get-output", rig.dir, url(PEER4, "one", 4444)],
                netns=rig.engine_ns)
    start = time.monotonic()
    wait_for("get ends", lambda: not p.running(), 30)
    assert p.p.returncode == 1, f"exit {p.p.returncode}"
    assert time.monotonic() - start < 20
    assert "answer" in p.text() or "timed out" in p.text(), p.text()


@case("link/down-and-up", needs=[CURLS["curl-ngtcp2"]])
def link_flap(rig):
    # PLX_COVERS("F1")
    rig.file("large", 100 * MIB)
    # Behind 20 s of silence the next probe may be as far away again.
    rig.serve(extra=["--quic-idle-timeout-ms", "90000"])
    out = rig.dir / "out-flap"
    client = rig.peer("curl", CURLS["curl-ngtcp2"], "--http3-only", "--cacert",
                      rig.dir / "ca.pem", "-sS", "--limit-rate", "20M", "--max-time", "150", "-o",
                      out, url(ENGINE4, "large"))
    time.sleep(1.5)
    for seconds in (0.1, 2, 20):
        # Our end: the peer keeps its addresses and routes and only loses the carrier.
        sh("ip", "-n", rig.engine_ns, "link", "set", rig.engine_if, "down")
        time.sleep(seconds)
        sh("ip", "-n", rig.engine_ns, "link", "set", rig.engine_if, "up")
        time.sleep(1)
    wait_for("the fetch ends", lambda: not client.running(), 150)
    assert client.p.returncode == 0, client.text()
    assert sha256(out) == sha256(rig.files / "large")


def raw_frames(rig, frames):
    """Sends frames from the peer's end of the veth, as no kernel would."""
    code = ("import socket,sys\n"
            f"s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW)\ns.bind(({rig.peer_if!r},0))\n"
            "for line in sys.stdin:\n    s.send(bytes.fromhex(line))\n")
    import subprocess
    subprocess.run(["ip", "netns", "exec", rig.peer_ns, "python3", "-c", code], check=True,
                   input="\n".join(f.hex() for f in frames), text=True, timeout=60)


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
