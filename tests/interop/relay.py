# SPDX-License-Identifier: BSD-3-Clause
"""A UDP relay between a client and the engine, which moves, swaps and parts what passes."""

import selectors
import socket
import threading

from rig import ENGINE4, PEER4, udp_socket_in


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
