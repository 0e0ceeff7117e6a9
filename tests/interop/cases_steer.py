# SPDX-License-Identifier: BSD-3-Clause
"""Two workers: first packets, connections and moving clients reach the worker that owns them."""

import re

from case import CURLS, MIB, case, curl
from relay import Relay
from rig import ENGINE4, sha256


# curl's default ClientHello carries X25519MLKEM768 and spreads over two Initials.
@case("two-initials/two-queues", needs=[CURLS["curl-ngtcp2"]])
def two_initials(rig):
    rig.file("small", 1000)
    rig.serve("af_packet", queues=2)
    for _ in range(200):
        curl(rig, "curl-ngtcp2", ENGINE4, ["small"])


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
