#!/usr/bin/env python3
"""Latency in the path: a router that keeps every packet of one port for a while, in order.

    delay.py PORT IFACE [IFACE...] --ms N

Prints `ready`. See common/tunnel.py for how packets come here.
"""

import argparse
import collections
import threading
import time

from common.report import ready
from common.tunnel import Tunnel


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("interfaces", nargs="+")
    parser.add_argument("--ms", type=float, required=True)
    options = parser.parse_args()
    tunnel = Tunnel(options.interfaces, options.port)
    waiting, arrived = collections.deque(), threading.Semaphore(0)
    threading.Thread(target=release, args=(tunnel, waiting, arrived), daemon=True).start()
    ready()
    for segment in tunnel:
        waiting.append((time.monotonic() + options.ms / 1000, segment))
        arrived.release()


def release(tunnel, waiting, arrived):
    """Lets each packet go on when its time has come."""
    while True:
        arrived.acquire()
        due, segment = waiting.popleft()
        time.sleep(max(0, due - time.monotonic()))
        tunnel.forward(segment)


if __name__ == "__main__":
    main()
