#!/usr/bin/env python3
"""A box in the path that edits RDP's X.224 negotiation and hands everything else on unchanged.

    x224.py LISTEN [--upstream HOST:PORT] EDIT...

Connections are redirected to port LISTEN (see common/relay.py for the rule); without --upstream
they go on to where the client dialled. The box ends TCP on both sides. EDIT is one or more of
  request:   clear=BITS        removes bits of requestedProtocols (0x0b leaves none of TLS and NLA)
             no-negreq         removes RDP_NEG_REQ and what follows it
             cookie=TEXT       puts another mstshash in the cookie's place
             no-cookie         removes the cookie or routing token
             no-correlation    removes rdpCorrelationInfo and its flag
             keep-flag         with no-correlation: leaves the flag, as a careless box does
  confirm:   selected=N        another selectedProtocol
             flags=N           other flags
             failure=N         RDP_NEG_FAILURE in the confirm's place; the connections then end

Prints `ready`, then per connection {"acted": "x224", "edits": [...], "client": ...,
"request": [HEX before, HEX after], "confirm": [HEX before, HEX after]}.
"""

import argparse
import sys

from common.relay import dial, join, read_tpkt, serve, target_of
from common.report import acted
from common.x224 import Confirm, Request, failure

_CORRELATION_PRESENT = 0x08


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("listen", type=int)
    parser.add_argument("--upstream")
    parser.add_argument("edits", nargs="+")
    options = parser.parse_args()
    edits = dict(edit.partition("=")[::2] for edit in options.edits)
    known = {"clear", "no-negreq", "cookie", "no-cookie", "no-correlation", "keep-flag", "selected",
             "flags", "failure"}
    if unknown := set(edits) - known:
        sys.exit(f"no such edit: {sorted(unknown)}")
    serve(options.listen, lambda client: relay(client, target_of(client, options.upstream), edits))


def relay(client, target, edits):
    """Carries one connection with its edits."""
    request = read_tpkt(client)
    asked = edit_request(request, edits)
    server = dial(target)
    server.sendall(asked)
    confirm = read_tpkt(server)
    answered = edit_confirm(confirm, edits)
    acted(
        "x224", edits=sorted(edits), client="%s:%s" % client.getpeername()[:2],
        request=[request.hex(), asked.hex()], confirm=[confirm.hex(), answered.hex()],
    )
    client.sendall(answered)
    if "failure" in edits:
        server.close()
        client.close()
    else:
        join(client, server)


def edit_request(packet, edits):
    """The Connection Request as the server shall see it."""
    request = Request.parse(packet)
    if "clear" in edits and request.protocols is not None:
        request.protocols &= ~int(edits["clear"], 0)
    if "no-negreq" in edits:
        request.protocols, request.correlation = None, b""
    if "no-cookie" in edits:
        request.cookie = None
    elif "cookie" in edits:
        request.cookie = b"Cookie: mstshash=" + edits["cookie"].encode()
    if "no-correlation" in edits:
        request.correlation = b""
        if "keep-flag" not in edits:
            request.flags &= ~_CORRELATION_PRESENT
    return request.build()


def edit_confirm(packet, edits):
    """The Connection Confirm as the client shall see it."""
    confirm = Confirm.parse(packet)
    if "failure" in edits:
        return failure(int(edits["failure"], 0), confirm.reference).build()
    if "selected" in edits:
        confirm.value = int(edits["selected"], 0)
    if "flags" in edits:
        confirm.flags = int(edits["flags"], 0)
    return confirm.build()


if __name__ == "__main__":
    main()
