"""What a fault program wants to know of a TLS ClientHello."""

import struct

SUPPORTED_VERSIONS = 43
TLS13 = 0x0304


def extensions(record):
    """The extensions of the ClientHello in a TLS record as {type: (offset in the record, bytes)};
    what does not parse is left out."""
    found, at = {}, 5 + 4 + 2 + 32
    try:
        at += 1 + record[at]
        at += 2 + struct.unpack_from("!H", record, at)[0]
        at += 1 + record[at]
        end = at + 2 + struct.unpack_from("!H", record, at)[0]
        at += 2
        while at + 4 <= min(end, len(record)):
            kind, size = struct.unpack_from("!HH", record, at)
            found[kind] = (at + 4, bytes(record[at + 4 : at + 4 + size]))
            at += 4 + size
    except (IndexError, struct.error):
        pass
    return found


def ciphers(record):
    """The cipher suites of the ClientHello in a TLS record: (offset in the record, [numbers])."""
    at = 5 + 4 + 2 + 32
    at += 1 + record[at]
    size = struct.unpack_from("!H", record, at)[0]
    return at + 2, list(struct.unpack_from(f"!{size // 2}H", record, at + 2))


def versions(record):
    """The numbers in supported_versions; empty without the extension."""
    body = extensions(record).get(SUPPORTED_VERSIONS, (0, b""))[1]
    return list(struct.unpack(f"!{(len(body) - 1) // 2}H", body[1:])) if len(body) > 2 else []


def is_grease(number):
    """Whether a number is one of RFC 8701: 0x?A?A with equal halves."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF
