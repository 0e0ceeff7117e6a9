# SPDX-License-Identifier: BSD-3-Clause
"""Clients come back with session tickets, to any worker, and send before the server answers."""

import os

from case import case, url
from rig import ENGINE4, sha256

HERE = os.path.dirname(os.path.abspath(__file__))
VISITS = 10


@case("early/two-workers")
def early(rig):
    # PLX_COVERS("IC-resumption", "IC-zerortt", "C11")
    rig.file("f", 3000)
    rig.serve(queues=2, extra=["--quic-early-data"])
    out = rig.dir / "out"
    out.mkdir()
    r = rig.run(["python3", "-B", f"{HERE}/aioquic_early.py", "--ca", rig.dir / "ca.pem",
                 "--output", out, "--visits", VISITS, url(ENGINE4, "f")])
    lines = r.stdout.split("\n")
    assert lines[0] == "full False False 200", r.stdout
    assert lines[1:VISITS + 1] == ["back True True 200"] * VISITS, r.stdout
    # A ticket that was used: the session is resumed, its early data is not taken again.
    assert lines[VISITS + 1] == "again True False 200", r.stdout
    assert sha256(out / "f") == sha256(rig.files / "f")
