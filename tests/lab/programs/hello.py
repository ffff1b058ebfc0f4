#!/usr/bin/env python3
"""A client that is X.224 in front of a real TLS client, for hellos that no RDP client can be told to send.
TLS is that of `openssl s_client` or `gnutls-cli`, piped behind the X.224 exchange.

    hello.py HOST:PORT [options]

--stack         `openssl`, `gnutls`
--offer LIST    newest versions to offer, one connection each until one succeeds: `1.3,1.2,1.1`
--scsv          from the second attempt on with TLS_FALLBACK_SCSV, as RFC 7507 wants it
--pause MS      between the attempts
--grease        adds an RFC 8701 extension (OpenSSL only)
--long N        makes the hello longer by about N bytes (ALPN names that nobody selects; OpenSSL only)
--fragment N    no TLS record longer than N bytes, 512 and up (OpenSSL only)
--verify        refuses a certificate that no known authority has signed
--protocols N   requestedProtocols of the request (default 3), --cookie TEXT its mstshash
--correlation   with an rdpCorrelationInfo, as Windows sends it
--patience S    leaves when the handshake is not done by then
--stay MS       how long it stays after the handshake; it then leaves without sending anything

Prints `ready`, then per attempt {"acted": "hello", "offer": V, "scsv": ..., "confirm": HEX,
"local": ..., "succeeded": ...}. Exits with 0 when an attempt succeeded, else with 1.
"""

import argparse
import socket
import struct
import subprocess
import sys
import threading
import time

from common.relay import address, dial, join, read_tpkt
from common.report import acted, ready
from common.x224 import Confirm, Request

_NEVER = {"1.3": [], "1.2": ["-no_tls1_3"], "1.1": ["-no_tls1_3", "-no_tls1_2"],
          "1.0": ["-no_tls1_3", "-no_tls1_2", "-no_tls1_1"]}
_GNUTLS = {"1.3": "", "1.2": ":-VERS-TLS1.3", "1.1": ":-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0",
           "1.0": ":-VERS-ALL:+VERS-TLS1.0"}


def main():
    options = arguments()
    ready()
    for number, offer in enumerate(options.offer.split(",")):
        if number:
            time.sleep(options.pause / 1000)
        if attempt(options, offer, options.scsv and number > 0):
            sys.exit(0)
    sys.exit(1)


def attempt(options, offer, scsv):
    """One connection; whether its handshake succeeded."""
    server = dial(address(options.target))
    local = "%s:%s" % server.getsockname()[:2]
    request = Request(b"Cookie: mstshash=" + options.cookie.encode(), options.protocols)
    if options.correlation:
        request.flags |= 0x08
        # Type 6, no flags, its length; the identifier begins with neither 0x00 nor 0xf4; 16 zeros.
        identifier = bytes([0x4A]) + bytes(range(0x21, 0x30))
        request.correlation = struct.pack("<BBH", 6, 0, 36) + identifier + bytes(16)
    confirm = succeeded = None
    try:
        server.sendall(request.build())
        answer = read_tpkt(server)
        confirm, agreed = answer.hex(), Confirm.parse(answer)
        if agreed.kind == 2 and agreed.value != 0:
            program = command(options, offer, scsv)
            succeeded = handshake(server, program, options.stay / 1000, options.patience)
    except (OSError, EOFError, ValueError) as error:
        print(error, file=sys.stderr)
    acted("hello", offer=offer, scsv=scsv, confirm=confirm, local=local, succeeded=bool(succeeded))
    server.close()
    return succeeded


def handshake(server, arguments_of, stay, limit):
    """Runs the TLS client through a pipe of our own; whether it said that the handshake is done."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = subprocess.Popen(
            arguments_of(port), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )
        listener.settimeout(10)
        inner, _ = listener.accept()
    relay = threading.Thread(target=join, args=(inner, server), daemon=True)
    relay.start()
    patience = threading.Timer(limit, client.kill)
    patience.start()
    done = False
    for line in client.stdout:
        print(line, end="", file=sys.stderr)
        # Both say these words after the server's Finished only.
        if "CONNECTION ESTABLISHED" in line or "Handshake was completed" in line:
            done = True
            break
    if done:
        time.sleep(stay)
    patience.cancel()
    client.kill()
    client.wait()
    relay.join(5)
    return done


def command(options, offer, scsv):
    """The TLS client's command as a function of the port it dials."""
    if options.stack == "gnutls":
        priority = "NORMAL" + _GNUTLS[offer] + (":%FALLBACK_SCSV" if scsv else "")
        return lambda port: ["gnutls-cli", *([] if options.verify else ["--insecure"]),
                             f"--priority={priority}", "-p", str(port), "127.0.0.1"]
    extra = list(_NEVER[offer]) + (["-fallback_scsv"] if scsv else [])
    if offer in ("1.0", "1.1"):
        extra += ["-cipher", "ALL:@SECLEVEL=0"]
    if options.verify:
        extra += ["-verify_return_error"]
    if options.grease:
        extra += ["-serverinfo", str(0x1A1A)]
    if options.long:
        extra += ["-alpn", ",".join(f"rdp-{i:026}" for i in range(options.long // 31 + 1))]
    if options.fragment:
        extra += ["-max_send_frag", str(options.fragment)]
    return lambda port: ["openssl", "s_client", "-brief", "-connect", f"127.0.0.1:{port}", "-servername",
                         "rdp.rdpwhy.test", *extra]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target")
    parser.add_argument("--stack", choices=("openssl", "gnutls"), default="openssl")
    parser.add_argument("--offer", default="1.3")
    parser.add_argument("--scsv", action="store_true")
    parser.add_argument("--pause", type=float, default=100)
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--grease", action="store_true")
    parser.add_argument("--long", type=int, default=0)
    parser.add_argument("--fragment", type=int, default=0)
    parser.add_argument("--protocols", type=lambda text: int(text, 0), default=3)
    parser.add_argument("--cookie", default="lab")
    parser.add_argument("--patience", type=float, default=15)
    parser.add_argument("--correlation", action="store_true")
    parser.add_argument("--stay", type=float, default=300)
    return parser.parse_args()


if __name__ == "__main__":
    main()
