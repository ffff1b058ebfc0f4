#!/usr/bin/env python3
"""A gateway's X.224 in front of OpenSSL, for what no RDP server program can be configured to do: it asks for
a client's certificate. The answer to X.224 is scripted (TLS is always selected), TLS is OpenSSL's.

    rdp_shim.py LISTEN [options]

--certificate FILE,KEYFILE     default: a self-signed certificate of its own
--highest V                    the newest version that it speaks (1.0 to 1.3)
--client-certificate CAFILE    asks for a client certificate and insists on it
--think MS                     waits so long before it answers the request and before it begins TLS

Prints `ready`, then {"acted": "shim", "step": ..., "client": ..., facts} at the confirm and at the end of
the handshake (with version and cipher, or `failed`).
"""

import argparse
import tempfile
import time
from pathlib import Path

from common import certificates, tls
from common.relay import read_tpkt, serve
from common.report import acted
from common.x224 import Confirm, Request

# What the source reference of Windows and of xrdp is, and EXTENDED_CLIENT_DATA_SUPPORTED.
_REFERENCE, _FLAGS, _SSL = 0x1234, 0x01, 1


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="shim-") as folder:
        files = options.certificate.split(",") if options.certificate else None
        options.files = files or certificates.foreign(Path(folder), "/CN=shim.rdpwhy.test")
        serve(options.listen, lambda client: answer(client, options))


def answer(client, options):
    """Serves one connection."""
    request = Request.parse(read_tpkt(client))
    time.sleep(options.think / 1000)
    confirm = Confirm(_REFERENCE, 2, _FLAGS, _SSL).build()
    client.sendall(confirm)
    acted("shim", step="confirm", client="%s:%s" % client.getpeername()[:2],
          requested=request.protocols, confirm=confirm.hex())
    time.sleep(options.think / 1000)
    try:
        secured = context(options).wrap_socket(client, server_side=True)
    except OSError as error:
        acted("shim", step="handshake", failed=str(error))
        return
    acted("shim", step="handshake", version=secured.version(), cipher=secured.cipher()[0])
    with secured:
        while secured.recv(16384):
            pass


def context(options):
    """OpenSSL as the options say."""
    made = tls.context(True, highest=options.highest)
    made.load_cert_chain(*options.files)
    if options.client_certificate:
        made.load_verify_locations(options.client_certificate)
        made.verify_mode = tls.REQUIRED
    return made


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("listen", type=int)
    parser.add_argument("--certificate")
    parser.add_argument("--highest", default="1.3")
    parser.add_argument("--client-certificate")
    parser.add_argument("--think", type=float, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
