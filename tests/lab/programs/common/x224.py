"""The two X.224 packets of RDP's negotiation (MS-RDPBCGR 2.2.1.1 and 2.2.1.2), taken apart and built."""

import struct
from dataclasses import dataclass

_REQUEST, _RESPONSE, _FAILURE, _CORRELATION = 1, 2, 3, 6


@dataclass
class Request:
    """A Connection Request. `cookie` is the line without its CRLF, `protocols` is `None` when the
    client sent no RDP_NEG_REQ, `correlation` are the 36 bytes of rdpCorrelationInfo."""

    cookie: bytes | None = b"Cookie: mstshash=lab"
    protocols: int | None = 0x0B
    flags: int = 0
    correlation: bytes = b""

    @classmethod
    def parse(cls, packet):
        """Takes a whole TPKT packet."""
        rest, cookie, protocols, flags = packet[11:], None, None, 0
        if b"\r\n" in rest and rest[0] != _REQUEST:
            cookie, rest = rest.split(b"\r\n", 1)
        if len(rest) >= 8 and rest[0] == _REQUEST:
            flags, protocols = rest[1], struct.unpack_from("<I", rest, 4)[0]
            rest = rest[8:]
        return cls(cookie, protocols, flags, rest)

    def build(self):
        """The TPKT packet."""
        body = b"" if self.cookie is None else self.cookie + b"\r\n"
        if self.protocols is not None:
            body += struct.pack("<BBHI", _REQUEST, self.flags, 8, self.protocols)
        return _tpkt(0xE0, 0, body + self.correlation)


@dataclass
class Confirm:
    """A Connection Confirm. `kind` is 2 for a response, 3 for a failure, `None` for neither."""

    reference: int = 0x1234
    kind: int | None = _RESPONSE
    flags: int = 0
    value: int = 1

    @classmethod
    def parse(cls, packet):
        """Takes a whole TPKT packet."""
        reference = struct.unpack_from("!H", packet, 8)[0]
        if len(packet) < 19:
            return cls(reference, None, 0, 0)
        kind, flags, _, value = struct.unpack_from("<BBHI", packet, 11)
        return cls(reference, kind, flags, value)

    def build(self):
        """The TPKT packet."""
        body = b""
        if self.kind is not None:
            body = struct.pack("<BBHI", self.kind, self.flags, 8, self.value)
        return _tpkt(0xD0, self.reference, body)


def failure(code, reference=0):
    """A Connection Confirm with RDP_NEG_FAILURE."""
    return Confirm(reference, _FAILURE, 0, code)


def _tpkt(code, reference, body):
    x224 = struct.pack("!BBHHB", 6 + len(body), code, 0, reference, 0) + body
    return struct.pack("!BBH", 3, 0, 4 + len(x224)) + x224
