#!/usr/bin/env python3
"""A box in the path that changes bytes of TLS in passing, packet by packet; TCP stays end to end and
every checksum is right.

    tamper.py PORT IFACE [IFACE...] --from client|server (--record STEP [--offset N] | --hello EDIT)

--record STEP   `handshake:N` or `application:N`: flips bits of one byte of that record of --from
--offset N      which byte, counted from the record's first (default: the middle); --mask which bits
--hello EDIT    edits the ClientHello without changing its length: `no-tls13` (0x0304 in
                supported_versions becomes 0x0303), `no-cipher=0xNNNN` (a suite becomes 0x00ff)
--count N       the first N connections only

Prints `ready`, then per act {"acted": "tamper", "connection": N, "from": ..., "step": ...,
"stream_offset": N, "before": HEX, "after": HEX}. See common/tunnel.py for how packets come here.
A record's byte is changed when the packet that holds it has the record's header too, or came later.
"""

import argparse
import struct
from dataclasses import replace

from common.hello import SUPPORTED_VERSIONS, TLS13, ciphers, extensions
from common.packets import SYN
from common.report import acted, ready
from common.steps import Connections, frame_size
from common.tunnel import Tunnel


def main():
    options = arguments()
    tunnel = Tunnel(options.interfaces, options.port)
    connections = Connections(options.port)
    ready()
    for segment in tunnel:
        taken = connections.take(segment)
        if taken is None:
            tunnel.forward(segment)
            continue
        connection, who, _ = taken
        if connection.state is None:
            connection.state = Records()
        chosen = who == options.side and (not options.count or connection.number <= options.count)
        if chosen and not segment.flags & SYN:
            side = getattr(connection, who)
            segment = change(segment, connection, side.base, options)
        tunnel.forward(segment)


def change(segment, connection, base, options):
    """The segment as it goes on: with every byte changed that the records seen so far ask for."""
    start = (segment.sequence - base) & 0xFFFFFFFF
    if start >= 0x80000000 or not segment.payload:
        return segment
    records = connection.state
    for step, offset, head in records.take(start, segment.payload):
        for at, before, changed in wanted(step, head, options):
            records.patches |= {offset + at + i: byte for i, byte in enumerate(changed)}
            acted("tamper", connection=connection.number, **{"from": options.side}, step=step,
                  stream_offset=offset + at, before=before.hex(), after=changed.hex())
    payload = bytearray(segment.payload)
    for at, byte in records.patches.items():
        if start <= at < start + len(payload):
            payload[at - start] = byte
    return replace(segment, payload=bytes(payload))


class Records:
    """Finds record headers in a direction's bytes as they come, before the records are whole."""

    def __init__(self):
        self.patches = {}
        self._next = 0
        self._counts = {22: 0, 23: 0}

    def take(self, start, payload):
        """The records whose header begins in this payload: (step, stream offset, what is here)."""
        found = []
        while start <= self._next and self._next + 6 <= start + len(payload):
            head = payload[self._next - start :]
            size = frame_size(head)
            if size is None:
                break
            if head[0] in self._counts:
                self._counts[head[0]] += 1
                kind = "handshake" if head[0] == 22 else "application"
                found.append((f"{kind}:{self._counts[head[0]]}", self._next, head[:size]))
            self._next += size
        return found


def wanted(step, head, options):
    """The changes that the options ask for in this record: [(offset, before, after)]."""
    if options.hello:
        return edit_hello(head, options.hello) if step == "handshake:1" else []
    if step != options.record:
        return []
    at = frame_size(head) // 2 if options.offset is None else options.offset
    at = min(at, len(head) - 1)
    return [(at, head[at : at + 1], bytes([head[at] ^ options.mask]))]


def edit_hello(head, edit):
    """The changes in a ClientHello."""
    if edit == "no-tls13":
        at, body = extensions(head).get(SUPPORTED_VERSIONS, (0, b""))
        numbers = range(1, len(body) - 1, 2)
        hits = [at + i for i in numbers if struct.unpack_from("!H", body, i)[0] == TLS13]
        return [(hit, head[hit : hit + 2], b"\x03\x03") for hit in hits]
    number = int(edit.partition("=")[2], 0)
    at, suites = ciphers(head)
    hits = [at + 2 * i for i, suite in enumerate(suites) if suite == number]
    return [(hit, head[hit : hit + 2], b"\x00\xff") for hit in hits]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("interfaces", nargs="+")
    parser.add_argument("--from", dest="side", choices=("client", "server"), default="server")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--record")
    action.add_argument("--hello")
    parser.add_argument("--offset", type=int)
    parser.add_argument("--mask", type=lambda text: int(text, 0), default=0xFF)
    parser.add_argument("--count", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
