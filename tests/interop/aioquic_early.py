# SPDX-License-Identifier: BSD-3-Clause
"""HTTP/3 client on aioquic that comes back with session tickets: one line for each visit, which
says whether the session was resumed, whether early data was taken, and the status."""

import argparse
import asyncio
import os
import ssl
import sys
from urllib.parse import urlparse

from aioquic.asyncio.client import connect
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration

from aioquic_get import Client


async def visit(args, ticket):
    """@return resumed, early data taken, status, the ticket that this visit brought"""
    u = urlparse(args.url)
    tickets = []
    conf = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, session_ticket=ticket)
    conf.load_verify_locations(args.ca)
    conf.verify_mode = ssl.CERT_REQUIRED
    async with connect(u.hostname, u.port or 443, configuration=conf, create_protocol=Client,
                       session_ticket_handler=tickets.append,
                       wait_connected=ticket is None) as client:
        status = await asyncio.wait_for(
            client.get(args.url, os.path.join(args.output, os.path.basename(u.path))), 30)
        await asyncio.sleep(0.2)  # the ticket of this visit
        tls = client._quic.tls
        early = bool(ticket) and tls.early_data_accepted
        return tls.session_resumed, early, status.decode(), tickets[-1] if tickets else None


async def main(args):
    resumed, early, status, ticket = await visit(args, None)
    print("full", resumed, early, status)
    last = ticket
    for _ in range(args.visits):
        used = last
        resumed, early, status, last = await visit(args, used)
        print("back", resumed, early, status)
    resumed, early, status, _ = await visit(args, used)
    print("again", resumed, early, status)
    return 0


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--ca", required=True)
    p.add_argument("--output", required=True)
    p.add_argument("--visits", type=int, default=10)
    p.add_argument("url")
    sys.exit(asyncio.run(main(p.parse_args())))
