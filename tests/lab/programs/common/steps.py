"""Follows one RDP connection from its packets: which protocol step each direction has completed.

The frames are TPKT packets, then TLS records. A step is named when its last byte was seen:
`cr`, `cc`, `client-hello`, `server-hello`, `handshake:N`, `application:N`, `alert:N` (N counts from 1
per direction). Bytes that are neither end the naming, never the following.
"""

import struct

from .packets import SYN, after

_CONTENT = {20: "change-cipher", 21: "alert", 22: "handshake", 23: "application"}


class Side:
    """One direction of a connection: its bytes in order, its frames and its last segment."""

    def __init__(self):
        self.last = None
        self.highest = None
        self.received = 0
        self._expected = None
        self._early = {}
        self._buffer = bytearray()
        self._counts = {}
        self._opaque = False

    @property
    def base(self):
        """The sequence number of the stream's first byte; `None` before anything was seen."""
        return None if self._expected is None else (self._expected - self.received) & 0xFFFFFFFF

    def take(self, segment):
        """Takes a segment of this direction; gives the frames it completes, in order, each as
        (step, its offset in the stream, its bytes)."""
        self.last = segment
        if self.highest is None or after(segment.end, self.highest):
            self.highest = segment.end
        if segment.flags & SYN:
            self._expected = segment.end
            return []
        if self._expected is None:
            self._expected = segment.sequence
        if segment.payload:
            self._early[segment.sequence] = segment.payload
        frames = []
        while (fresh := self._next()) is not None:
            self.received += len(fresh)
            self._expected = (self._expected + len(fresh)) & 0xFFFFFFFF
            if not self._opaque:
                self._buffer += fresh
                frames += self._frames()
        return frames

    def _next(self):
        for sequence, payload in list(self._early.items()):
            skip = (self._expected - sequence) & 0xFFFFFFFF
            if skip < 0x80000000:
                del self._early[sequence]
                if skip < len(payload):
                    return payload[skip:]
        return None

    def _frames(self):
        frames = []
        while len(self._buffer) >= 5:
            size = frame_size(self._buffer)
            if size is None:
                self._opaque = True
                self._buffer.clear()
            elif len(self._buffer) < size:
                break
            else:
                frame, offset = bytes(self._buffer[:size]), self.received - len(self._buffer)
                del self._buffer[:size]
                frames += [(step, offset, frame) for step in self._steps(frame)]
        return frames

    def _steps(self, frame):
        if frame[0] == 3:
            return [{0xE0: "cr", 0xD0: "cc"}.get(frame[5], "tpkt")]
        kind = _CONTENT[frame[0]]
        self._counts[kind] = self._counts.get(kind, 0) + 1
        steps = [f"{kind}:{self._counts[kind]}"]
        if kind == "handshake" and self._counts[kind] == 1:
            steps += [{1: "client-hello", 2: "server-hello"}.get(frame[5], "unknown-hello")]
        return steps


def frame_size(data):
    """The whole size of the TPKT packet or TLS record that begins here (five bytes are enough);
    `None` when neither begins here."""
    if data[0] == 3 and data[1] == 0:
        return max(struct.unpack_from("!H", data, 2)[0], 7)
    if data[0] in _CONTENT and data[1] == 3:
        return 5 + struct.unpack_from("!H", data, 3)[0]
    return None


class Connections:
    """All connections to one port, each with a `client` and a `server` side."""

    def __init__(self, port):
        self._port = port
        self._known = {}

    def take(self, segment):
        """Takes any segment; gives (connection, "client" or "server", completed frames), or `None`
        when it belongs to no connection to the port."""
        if segment.target_port == self._port:
            who = "client"
            key = (segment.source, segment.source_port, segment.target)
        elif segment.source_port == self._port:
            who = "server"
            key = (segment.target, segment.target_port, segment.source)
        else:
            return None
        fresh = segment.flags & SYN and who == "client"
        known = self._known.get(key)
        if known is None or (fresh and known.client.base not in (None, segment.end)):
            known = self._known[key] = Connection(len(self._known) + 1)
        return known, who, getattr(known, who).take(segment)


class Connection:
    """One connection. `state` is its user's own, `None` at first."""

    def __init__(self, number):
        self.number = number
        self.client = Side()
        self.server = Side()
        self.state = None
