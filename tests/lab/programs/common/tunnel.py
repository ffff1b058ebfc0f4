"""A packet box inside the path of a router: all TCP packets of one port go through this program.

The router's kernel hands them over by a TUN device and policy routing, and forwards what the
program writes back. The program sees each packet as it came; the hop count grows by one only, as
with the router alone.
"""

import fcntl
import os
import struct
import subprocess
from dataclasses import replace

from .packets import build, parse

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_TABLE = "77"


class Tunnel:
    """Opens the device and turns the traffic of the given interfaces into it."""

    def __init__(self, interfaces, port, mtu=1500):
        self._file = os.open("/dev/net/tun", os.O_RDWR)
        request = struct.pack("16sH", b"box%d", _IFF_TUN | _IFF_NO_PI)
        device = fcntl.ioctl(self._file, _TUNSETIFF, request)[:16].rstrip(b"\0").decode()
        _ip("link", "set", device, "up", "mtu", str(mtu))
        for name in ("all", "default", device):
            _write(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0")
        for family in ("-4", "-6"):
            if _ip(family, "route", "add", "default", "dev", device, "table", _TABLE) != 0:
                continue
            for interface in interfaces:
                for end in ("dport", "sport"):
                    _ip(family, "rule", "add", "iif", interface, "ipproto", "tcp", end, str(port),
                        "lookup", _TABLE)

    def __iter__(self):
        """The segments that pass, in order."""
        while True:
            packet = os.read(self._file, 65536)
            segment = parse(packet)
            if segment is None:
                os.write(self._file, packet)
            else:
                yield segment

    def forward(self, segment):
        """Lets a segment go on, whatever was changed in it."""
        # The kernel counts a hop on the way in and another on the way out.
        self.send(replace(segment, ttl=segment.ttl + 1))

    def send(self, segment):
        """Sends a segment of the box's own; the router's forwarding takes one hop of its TTL."""
        os.write(self._file, build(segment))


def _ip(*arguments):
    return subprocess.run(["ip", *arguments], stderr=subprocess.DEVNULL, check=False).returncode


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
