#!/usr/bin/env python3
"""A box in the path that ends TLS and starts it anew, as inspecting firewalls and attackers do: X.224
goes through, then the client speaks TLS with the box and the box speaks TLS with the server.

    terminate.py LISTEN [--upstream HOST:PORT] [options]

Connections are redirected to port LISTEN (see common/relay.py for the rule).
--certificate   `foreign` (own name and key), `clone` (names, serial, dates and extensions of the
                server's certificate, own key), or `FILE,KEYFILE`
--highest       the newest TLS version on both sides: `1.3`, `1.2`, `1.1`, `1.0`
--ciphers       an OpenSSL cipher list for both sides, e.g. `AES128-SHA`
--legs          which sides --highest and --ciphers hold for: `both`, `client`, `server`

Prints `ready`, then per connection {"acted": "terminate", "certificate": ..., "client": ...,
"client_tls": [version, cipher], "server_tls": [version, cipher], "sha256": [ours, the server's]}, or
{"acted": "terminate", "failed": TEXT, "side": "client"|"server"} when a handshake does not succeed.
"""

import argparse
import hashlib
import ssl
import tempfile
from pathlib import Path

from common import certificates, tls
from common.relay import abort, dial, join, read_tpkt, serve, target_of
from common.report import acted


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="terminate-") as folder:
        box = Box(options, Path(folder))
        serve(options.listen, box.relay)


class Box:
    """The box with its certificate."""

    def __init__(self, options, folder):
        self._options = options
        self._folder = folder
        self._files = None
        if options.certificate == "foreign":
            self._files = certificates.foreign(folder)
        elif options.certificate != "clone":
            self._files = options.certificate.split(",")

    def relay(self, client):
        """Carries one connection."""
        server = dial(target_of(client, self._options.upstream))
        server.sendall(read_tpkt(client))
        confirm = read_tpkt(server)
        client.sendall(confirm)
        if len(confirm) < 19 or confirm[11] != 2 or confirm[15] == 0:
            join(client, server)
            return
        try:
            inner = self._context(False).wrap_socket(server)
        except OSError as error:
            self._failed("server", error, client, server)
            return
        original = inner.getpeercert(True)
        context = self._context(True)
        context.load_cert_chain(*(self._files or certificates.clone(self._folder, original)))
        try:
            outer = context.wrap_socket(client, server_side=True)
        except OSError as error:
            self._failed("client", error, client, inner)
            return
        self._report(outer, inner, original)
        join(outer, inner)

    def _context(self, server):
        side = "client" if server else "server"
        if self._options.legs in ("both", side):
            return tls.context(server, "1.0", self._options.highest, self._options.ciphers)
        return tls.context(server)

    def _failed(self, side, error, *sockets):
        acted("terminate", failed=str(error), side=side)
        abort(*sockets)

    def _report(self, outer, inner, original):
        files = self._files or (self._folder / "clone.crt", None)
        own = ssl.PEM_cert_to_DER_cert(Path(files[0]).read_text(encoding="ascii"))
        acted(
            "terminate", certificate=self._options.certificate,
            client="%s:%s" % outer.getpeername()[:2],
            client_tls=[outer.version(), outer.cipher()[0]],
            server_tls=[inner.version(), inner.cipher()[0]],
            sha256=[hashlib.sha256(each).hexdigest() for each in (own, original)],
        )


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("listen", type=int)
    parser.add_argument("--upstream")
    parser.add_argument("--certificate", default="foreign")
    parser.add_argument("--highest", choices=("1.0", "1.1", "1.2", "1.3"), default="1.3")
    parser.add_argument("--ciphers", default="")
    parser.add_argument("--legs", choices=("both", "client", "server"), default="both")
    return parser.parse_args()


if __name__ == "__main__":
    main()
