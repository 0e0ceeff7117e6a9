# SPDX-License-Identifier: BSD-3-Clause
"""What a case is, the list of them, and what most of them do: fetch and compare."""

import dataclasses
from typing import Callable

from rig import sha256

CURLS = {
    "curl-ngtcp2": "/opt/curl-ngtcp2/bin/curl",
    "curl-openssl": "/usr/bin/curl",
}
MIB = 1 << 20
SIZES = {"empty": 0, "one": 1, "mib": MIB, "large": 100 * MIB}


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
