#!/usr/bin/env python3
"""Tells when a connection reaches a step, and can then send a signal to a process: a user who cancels.

    watch.py IFACE PORT STEP [--from client|server] [--signal INT --pid N] [--delay-ms MS]

STEP is one of common/steps.py (`cr`, `cc`, `client-hello`, `server-hello`, `application:N`, ...).

Prints `ready`, then once {"acted": "watch", "step": STEP, "signal": ...} and ends. When the process is
gone by then, the signal is null.
"""

import argparse
import os
import signal
import socket
import time

from common.packets import parse
from common.report import acted, ready
from common.steps import Connections

_ETHERNET = 14


def main():
    options = arguments()
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sniffer.bind((options.interface, 0))
    connections = Connections(options.port)
    ready()
    while True:
        segment = parse(sniffer.recv(65600)[_ETHERNET:])
        taken = connections.take(segment) if segment else None
        if taken is None:
            continue
        _, who, frames = taken
        counted = ":" in options.step
        if (not counted or who == options.side) and any(f[0] == options.step for f in frames):
            break
    time.sleep(options.delay_ms / 1000)
    sent = None
    if options.pid:
        try:
            os.kill(options.pid, getattr(signal, f"SIG{options.signal}"))
            sent = options.signal
        except ProcessLookupError:
            pass
    acted("watch", step=options.step, signal=sent)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interface")
    parser.add_argument("port", type=int)
    parser.add_argument("step")
    parser.add_argument("--from", dest="side", choices=("client", "server"), default="server")
    parser.add_argument("--signal", default="INT")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--delay-ms", type=float, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
