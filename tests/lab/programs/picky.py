#!/usr/bin/env python3
"""A box in the path that does not like some ClientHellos, packet by packet; TCP stays end to end.

    picky.py PORT IFACE [IFACE...] --dislikes WHAT --reacts HOW

WHAT    `tls13` (supported_versions names 0x0304), `grease` (an RFC 8701 number among suites,
        extensions or versions), `segments` (the hello comes in more than one TCP segment), `records`
        (in more than one TLS record), `longer:N` (its first segment carries more than N bytes)
HOW     `rst`       RST to both ends; the segment that gave the reason does not go on
        `rst-client` the same, to the client only; the server hears nothing any more
        `drop`      nothing of this connection passes from then on
        `fin`       FIN to the client and RST to the server; the client's answers are acknowledged
        `alert`     a fatal protocol_version alert in clear to the client, then as `fin`
--ttl   of the box's own packets as they leave the router (default 64)

Prints `ready`, then per act {"acted": "picky", "dislikes": ..., "reacts": ..., "connection": N,
"client": ...}. See common/tunnel.py for how packets come here.
"""

import argparse
from dataclasses import replace

from common.hello import TLS13, ciphers, extensions, is_grease, versions
from common.packets import ACK, FIN, PSH, RST, answer, name
from common.report import acted, ready
from common.steps import Connections
from common.tunnel import Tunnel

_PROTOCOL_VERSION = bytes([21, 3, 3, 0, 2, 2, 70])
_HANDSHAKE = 22


def main():
    options = arguments()
    box = Box(options, Tunnel(options.interfaces, options.port))
    ready()
    box.run()


class Box:
    """The box with its connections; a connection's state is None (watched), "good" or "dead"."""

    def __init__(self, options, tunnel):
        self._options = options
        self._tunnel = tunnel
        self._connections = Connections(options.port)

    def run(self):
        """Handles packets for ever."""
        for segment in self._tunnel:
            taken = self._connections.take(segment)
            if taken is None:
                self._tunnel.forward(segment)
                continue
            connection, who, frames = taken
            if connection.state is None and who == "client" and segment.payload:
                connection.state = self._judge(segment, frames)
                if connection.state == "dead":
                    self._react(connection, segment)
                    continue
            if connection.state != "dead":
                self._tunnel.forward(segment)
            elif who == "client" and self._options.reacts in ("fin", "alert"):
                self._acknowledge(segment)

    def _judge(self, segment, frames):
        hello = next((frame for step, _, frame in frames if step == "client-hello"), None)
        begins = segment.payload[0] == _HANDSHAKE
        what, _, value = self._options.dislikes.partition(":")
        if hello is None and not begins:
            return None
        if what == "segments":
            bad = hello is None
        elif what == "records":
            bad = hello is not None and 9 + int.from_bytes(hello[6:9], "big") > len(hello)
        elif what == "longer":
            bad = len(segment.payload) > int(value)
        elif hello is None:
            return None
        elif what == "tls13":
            bad = TLS13 in versions(hello)
        else:
            numbers = ciphers(hello)[1] + list(extensions(hello)) + versions(hello)
            bad = any(map(is_grease, numbers))
        return "dead" if bad else "good"

    def _react(self, connection, segment):
        acted("picky", dislikes=self._options.dislikes, reacts=self._options.reacts,
              connection=connection.number, client=name(segment.source, segment.source_port))
        how = self._options.reacts
        if how in ("rst", "rst-client"):
            self._send(answer(segment, RST | ACK, window=0))
        if how in ("fin", "alert"):
            alert = _PROTOCOL_VERSION if how == "alert" else b""
            flags = FIN | ACK | (PSH if alert else 0)
            self._send(answer(segment, flags, payload=alert, window=512))
        if how in ("rst", "fin", "alert"):
            # The server waits for the segment that it did not get.
            self._send(replace(segment, flags=RST | ACK, window=0, options=b"", payload=b""))

    def _acknowledge(self, segment):
        if segment.payload or segment.flags & FIN:
            self._send(answer(segment, ACK, window=512))

    def _send(self, segment):
        # The router takes one hop when it forwards.
        self._tunnel.send(replace(segment, ttl=self._options.ttl + 1, ip_id=0))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("interfaces", nargs="+")
    parser.add_argument("--dislikes", default="tls13")
    parser.add_argument("--reacts", choices=("rst", "rst-client", "drop", "fin", "alert"),
                        default="rst")
    parser.add_argument("--ttl", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    main()
