# SPDX-License-Identifier: BSD-3-Clause
"""HTTP/3 client on aioquic: fetches all URLs over one connection, at once, into files."""

import argparse
import asyncio
import os
import ssl
import sys
from urllib.parse import urlparse

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.waiting = {}

    async def get(self, url, path):
        u = urlparse(url)
        stream = self._quic.get_next_available_stream_id()
        done = asyncio.get_running_loop().create_future()
        self.waiting[stream] = [open(path, "wb"), done, None]
        self.http.send_headers(stream, [(b":method", b"GET"), (b":scheme", b"https"),
                                        (b":authority", u.netloc.encode()),
                                        (b":path", u.path.encode())], end_stream=True)
        self.transmit()
        return await done

    def quic_event_received(self, event):
        for e in self.http.handle_event(event):
            entry = self.waiting.get(getattr(e, "stream_id", None))
            if entry is None:
                continue
            if isinstance(e, HeadersReceived):
                entry[2] = dict(e.headers).get(b":status")
            elif isinstance(e, DataReceived):
                entry[0].write(e.data)
            if isinstance(e, (HeadersReceived, DataReceived)) and e.stream_ended:
                entry[0].close()
                entry[1].set_result(entry[2])


async def main(args):
    u = urlparse(args.url[0])
    conf = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, max_data=16 << 20,
                             max_stream_data=4 << 20)
    conf.load_verify_locations(args.ca)
    conf.verify_mode = ssl.CERT_REQUIRED
    async with connect(u.hostname, u.port or 443, configuration=conf,
                       create_protocol=Client) as client:
        got = await asyncio.wait_for(asyncio.gather(*[
            client.get(url, os.path.join(args.output, os.path.basename(url)))
            for url in args.url]), 180)
    bad = [s for s in got if s != b"200"]
    if bad:
        print("status", bad)
        return 1
    return 0


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--ca", required=True)
    p.add_argument("--output", required=True)
    p.add_argument("url", nargs="+")
    sys.exit(asyncio.run(main(p.parse_args())))
