"""The plumbing of a TCP relay inside the path: accepts, finds the upstream, hands bytes on and passes
a FIN on as FIN, a RST as RST.

Connections come in by a rule of the router the program runs in:
    nft add rule ip t prerouting iif IN tcp dport 3389 redirect to :PORT      (chain: type nat)
The upstream is then what the client dialled (SO_ORIGINAL_DST), unless one is given.
"""

import select
import socket
import ssl
import struct
import threading

from .report import ready, trouble

_SO_ORIGINAL_DST = 80


def serve(port, handle):
    """Listens on all addresses, IPv4 and IPv6, and runs `handle(client)` in a thread per connection.
    Does not return."""
    # SO_ORIGINAL_DST wants a socket of the connection's own family.
    listeners = [
        socket.create_server((host, port), family=family, backlog=64)
        for host, family in (("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6))
    ]
    threading.Thread(target=_accept, args=(listeners[1], handle), daemon=True).start()
    ready()
    _accept(listeners[0], handle)


def _accept(listener, handle):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_one, args=(client, handle), daemon=True).start()


def _one(client, handle):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        handle(client)
    except (OSError, EOFError, ValueError) as error:
        trouble(f"{type(error).__name__}: {error}")
        abort(client)


def address(text):
    """`HOST:PORT` as what connect() takes."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def target_of(client, upstream):
    """Where a connection shall go on to: the upstream given as `HOST:PORT`, or else where it was
    going before it was redirected."""
    if upstream:
        return address(upstream)
    if client.family == socket.AF_INET:
        raw = client.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16)
        return socket.inet_ntoa(raw[4:8]), struct.unpack_from("!H", raw, 2)[0]
    raw = client.getsockopt(socket.IPPROTO_IPV6, _SO_ORIGINAL_DST, 28)
    return socket.inet_ntop(socket.AF_INET6, raw[8:24]), struct.unpack_from("!H", raw, 2)[0]


def dial(target):
    """Connects to the upstream."""
    server = socket.create_connection(target, timeout=20)
    server.settimeout(None)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server


def abort(*sockets):
    """Ends connections with a RST."""
    for each in sockets:
        try:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.close()
        except OSError:
            pass


def join(left, right):
    """Hands everything on between two connections, plain or TLS, until both directions have ended. One
    thread serves both: a socket that another thread still reads cannot be ended with a RST."""
    other = {left: right, right: left}
    while other:
        ready = [each for each in other if _pending(each)] or select.select(list(other), [], [])[0]
        for source in ready:
            sink = right if source is left else left
            try:
                data = _read(source)
                if data:
                    sink.sendall(data)
                elif data is not None:
                    del other[source]
                    _end(sink)
            except OSError:
                abort(left, right)
                return
    left.close()
    right.close()


def _read(source):
    """What there is to read, empty at the end; `None` when TLS had only words of its own."""
    source.setblocking(False)
    try:
        return source.recv(16384)
    except (ssl.SSLWantReadError, BlockingIOError):
        return None
    finally:
        source.setblocking(True)


def _end(sink):
    """Ends the sending direction, with close_notify where there is TLS."""
    if isinstance(sink, ssl.SSLSocket):
        sink.setblocking(False)
        try:
            sink.unwrap()
        except OSError:
            pass  # it would wait for the other's close_notify
        socket.socket.shutdown(sink, socket.SHUT_WR)
        sink.setblocking(True)
    else:
        sink.shutdown(socket.SHUT_WR)


def _pending(source):
    return hasattr(source, "pending") and source.pending() > 0


def read_tpkt(source):
    """Reads one TPKT packet, whole."""
    head = read_exactly(source, 4)
    size = struct.unpack_from("!H", head, 2)[0]
    if head[0] != 3 or size < 7:
        raise ValueError(f"no TPKT packet: {head.hex()}")
    return head + read_exactly(source, size - 4)


def read_exactly(source, size):
    """Reads so many bytes."""
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise EOFError(f"ended after {len(data)} of {size} bytes")
        data += part
    return data
