# SPDX-License-Identifier: BSD-3-Clause
"""The engine fetches from the servers of others, or says why it cannot."""

import time

from case import CASES, MIB, SIZES, Case, case, url
from rig import PEER4, PEER6, POLLUX, Process, sha256, wait_for

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
