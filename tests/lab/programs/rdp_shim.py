#!/usr/bin/env python3
"""A server host's own X.224 in front of a real TLS stack, for servers that no RDP server program can be
configured to be. A *scripted peer* where it answers X.224 itself; TLS is always OpenSSL's, or with
--pipe that of the program behind.

    rdp_shim.py LISTEN [options]

X.224
--selected N    the protocol it selects (default 1, TLS; `none`: a confirm without RDP_NEG_RSP)
--failure N     answers RDP_NEG_FAILURE N instead, and closes
--tail HEX      sends these bytes after the failure (MCS disconnect: 0300000902f0802180)
--stay          does not close after a failure
--flags N       flags in the confirm, --reference N its source reference (0x1234 is Windows' and xrdp's)
TLS (own)
--certificate FILE,KEYFILE     default: a self-signed certificate of its own
--lowest V --highest V --ciphers LIST     what it speaks (1.0 to 1.3)
--client-certificate CAFILE    asks for a client certificate and insists on it
--flip N        flips the bits of byte N of its (first) certificate's DER on its way out, TLS 1.2 and
                older only: what is sent is no longer what was signed, or does not parse
--think MS      waits so long before it answers the request and before it begins TLS
Behind
--behind HOST:PORT  a real RDP server: X.224 is the client's own with it, TLS anew (a reverse proxy)
--pipe HOST:PORT    a real TLS server (gnutls-serv, openssl s_server): everything after X.224 goes there
End
--close-after N     ends after N bytes sent after X.224 (a bound inside a record is a truncation)
--close-at STEP     `request`, `confirm`, `hello`, `finished`: ends when that was received or sent
--how               `fin`, `rst` (zero linger) or `silent` (holds the connection, says nothing)
--alert N           before it ends at `hello`: a fatal alert in clear

Prints `ready`, then {"acted": "shim", "step": ..., "client": ..., facts} at the confirm, at the end of
the handshake (with version and cipher, or `failed`) and at an end of its own.
"""

import argparse
import tempfile
import time
from pathlib import Path

from common import certificates, tls
from common.certificates import der_of
from common.relay import abort, address, dial, join, read_tpkt, serve
from common.report import acted
from common.wire_tls import WireTls
from common.x224 import Confirm, Request, failure


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="shim-") as folder:
        files = options.certificate.split(",") if options.certificate else None
        options.files = files or certificates.foreign(Path(folder), "/CN=shim.rdpwhy.test")
        serve(options.listen, lambda client: answer(client, options))


def answer(client, options):
    """Serves one connection."""
    request = read_tpkt(client)
    if options.close_at == "request":
        end(client, options, "request")
        return
    server = dial(address(options.behind)) if options.behind else None
    time.sleep(options.think / 1000)
    confirm = confirm_of(options)
    if server:
        server.sendall(request)
        confirm = read_tpkt(server)
    client.sendall(confirm)
    acted("shim", step="confirm", client="%s:%s" % client.getpeername()[:2],
          requested=Request.parse(request).protocols, confirm=confirm.hex())
    if options.failure is not None:
        client.sendall(bytes.fromhex(options.tail))
        end(client, options, "failure", "silent" if options.stay else "fin")
    elif options.close_at == "confirm":
        end(client, options, "confirm")
    elif options.pipe:
        join(client, dial(address(options.pipe)))
    else:
        secure(client, server, options)


def confirm_of(options):
    """The Connection Confirm of its own."""
    if options.failure is not None:
        return failure(options.failure, options.reference).build()
    if options.selected == "none":
        return Confirm(options.reference, None).build()
    return Confirm(options.reference, 2, options.flags, int(options.selected, 0)).build()


def secure(client, server, options):
    """TLS with the client, and what comes after it."""
    if options.close_at == "hello":
        client.recv(65536)
        if options.alert is not None:
            client.sendall(bytes([21, 3, 3, 0, 2, 2, options.alert]))
        end(client, options, "hello")
        return
    time.sleep(options.think / 1000)
    context = tls.context(True, options.lowest, options.highest, options.ciphers)
    context.load_cert_chain(*options.files)
    if options.client_certificate:
        context.load_verify_locations(options.client_certificate)
        context.verify_mode = 2
    flipped = der_of(options.files[0])[: options.flip + 1] if options.flip is not None else b""
    outer = WireTls(client, context, flipped, options.close_after)
    try:
        outer.handshake()
    except (OSError, EOFError) as error:
        acted("shim", step="handshake", failed=str(error))
        if outer.limit_reached:
            end(client, options, "bytes")
        else:
            client.close()
        return
    acted("shim", step="handshake", version=outer.version(), cipher=outer.cipher())
    if options.close_at == "finished":
        end(client, options, "finished")
    elif server:
        carry(outer, tls.context(False).wrap_socket(server), client, options)
    else:
        while outer.recv(16384):
            pass
        outer.shutdown(2)


def carry(outer, inner, client, options):
    """The session of the real server behind."""
    try:
        join(outer, inner)
    except EOFError:
        end(client, options, "bytes")


def end(client, options, step, how=None):
    """Ends a connection as the options say."""
    how = how or options.how
    acted("shim", step="end", at_step=step, how=how)
    if how == "silent":
        time.sleep(3600)
    elif how == "rst":
        abort(client)
    else:
        client.close()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    number = {"type": lambda text: int(text, 0)}
    parser.add_argument("listen", type=int)
    parser.add_argument("--selected", default="1")
    parser.add_argument("--failure", **number)
    parser.add_argument("--tail", default="")
    parser.add_argument("--stay", action="store_true")
    parser.add_argument("--flags", default=0x01, **number)
    parser.add_argument("--reference", default=0x1234, **number)
    parser.add_argument("--certificate")
    parser.add_argument("--lowest", default="1.0")
    parser.add_argument("--highest", default="1.3")
    parser.add_argument("--ciphers", default="")
    parser.add_argument("--client-certificate")
    parser.add_argument("--flip", **number)
    parser.add_argument("--think", type=float, default=0)
    parser.add_argument("--behind")
    parser.add_argument("--pipe")
    parser.add_argument("--close-after", **number)
    parser.add_argument("--close-at", choices=("request", "confirm", "hello", "finished"))
    parser.add_argument("--how", choices=("fin", "rst", "silent"), default="fin")
    parser.add_argument("--alert", **number)
    return parser.parse_args()


if __name__ == "__main__":
    main()
