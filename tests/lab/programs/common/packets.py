"""TCP over IPv4 and IPv6: a packet's bytes to a `Segment` and back, with valid checksums."""

import socket
import struct
from dataclasses import dataclass, replace

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_TCP = 6
_DONT_FRAGMENT = 0x4000


@dataclass(frozen=True)
class Segment:
    """One TCP segment with what matters of its IP header. Addresses are 4 or 16 bytes."""

    source: bytes
    target: bytes
    source_port: int
    target_port: int
    sequence: int
    acknowledgement: int
    flags: int
    window: int = 0
    options: bytes = b""
    payload: bytes = b""
    ttl: int = 64
    ip_id: int = 0

    @property
    def end(self):
        """The sequence number behind it; SYN and FIN take one each."""
        taken = len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)
        return (self.sequence + taken) & 0xFFFFFFFF


def parse(packet):
    """An IP packet as a segment; `None` when it is not TCP, a later fragment, or cut."""
    if len(packet) < 40:
        return None
    if packet[0] >> 4 == 4:
        start, total = (packet[0] & 15) * 4, struct.unpack_from("!H", packet, 2)[0]
        fragment = struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
        if packet[9] != _TCP or fragment:
            return None
        source, target, ttl = packet[12:16], packet[16:20], packet[8]
        ip_id = struct.unpack_from("!H", packet, 4)[0]
    elif packet[0] >> 4 == 6 and packet[6] == _TCP:
        start, total = 40, 40 + struct.unpack_from("!H", packet, 4)[0]
        source, target, ttl, ip_id = packet[8:24], packet[24:40], packet[7], 0
    else:
        return None
    tcp = packet[start : total or len(packet)]
    if len(tcp) < 20:
        return None
    ports = struct.unpack_from("!HHIIBBH", tcp)
    header = (ports[4] >> 4) * 4
    return Segment(
        bytes(source), bytes(target), *ports[:4], ports[5], ports[6],
        bytes(tcp[20:header]), bytes(tcp[header:]), ttl, ip_id,
    )


def build(segment):
    """The IP packet of a segment: no fragmentation, checksums filled in."""
    options = segment.options + b"\0" * (-len(segment.options) % 4)
    tcp = struct.pack(
        "!HHIIBBHHH", segment.source_port, segment.target_port, segment.sequence,
        segment.acknowledgement, (20 + len(options)) // 4 << 4, segment.flags, segment.window, 0, 0,
    ) + options + segment.payload
    pseudo = segment.source + segment.target + struct.pack("!II", len(tcp), _TCP)
    tcp = tcp[:16] + struct.pack("!H", _checksum(pseudo + tcp)) + tcp[18:]
    if len(segment.source) == 16:
        header = struct.pack("!IHBB", 6 << 28, len(tcp), _TCP, segment.ttl)
        return header + segment.source + segment.target + tcp
    header = struct.pack(
        "!BBHHHBBH", 0x45, 0, 20 + len(tcp), segment.ip_id, _DONT_FRAGMENT, segment.ttl, _TCP, 0
    ) + segment.source + segment.target
    return header[:10] + struct.pack("!H", _checksum(header)) + header[12:] + tcp


def answer(segment, flags, **changes):
    """What the receiver of a segment would send back with these flags: addresses swapped,
    everything up to the segment's end acknowledged."""
    return replace(
        segment, source=segment.target, target=segment.source, source_port=segment.target_port,
        target_port=segment.source_port, sequence=segment.acknowledgement,
        acknowledgement=segment.end, flags=flags, **{"options": b"", "payload": b"", **changes},
    )


def timestamps(options):
    """The timestamps option with its padding, as it stands in a segment's options; else empty."""
    at = 0
    while at < len(options):
        kind = options[at]
        if kind == 0:
            break
        size = 1 if kind == 1 else options[at + 1] if at + 1 < len(options) else 0
        if size == 0:
            break
        if kind == 8 and size == 10:
            return b"\1\1" + options[at : at + 10]
        at += size
    return b""


def name(address, port):
    """`10.0.0.1:3389` or `[fd00::1]:3389`."""
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    text = socket.inet_ntop(family, address)
    return f"{text}:{port}" if len(address) == 4 else f"[{text}]:{port}"


def after(left, right):
    """Whether one sequence number lies behind another, modulo 2**32."""
    return 0 < (left - right) & 0xFFFFFFFF < 0x80000000


def _checksum(data):
    data += b"\0" * (len(data) & 1)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
