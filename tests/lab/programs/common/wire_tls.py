"""A TLS server connection by OpenSSL whose outgoing bytes can be changed or cut before they leave."""

import ssl


class WireTls:
    """Wraps an accepted socket. `flip` is the beginning of a certificate's DER: the last of these
    bytes is inverted where the certificate is sent in clear. After `limit` bytes nothing more is
    sent, and the next attempt raises `EOFError`."""

    def __init__(self, client, context, flip=b"", limit=None):
        self._socket = client
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._flip = flip
        self._limit = limit
        self._sent = 0
        self.limit_reached = False

    def handshake(self):
        """Does the handshake; errors are OpenSSL's, after its alert was sent."""
        try:
            self._do(self._tls.do_handshake)
        finally:
            self._flush()

    def version(self):
        """The version agreed on."""
        return self._tls.version()

    def cipher(self):
        """The cipher suite agreed on."""
        return self._tls.cipher()[0]

    def recv(self, size):
        """Plain bytes, empty at the end."""
        try:
            return self._do(lambda: self._tls.read(size))
        except (EOFError, ssl.SSLZeroReturnError):
            return b""

    def sendall(self, data):
        """Sends plain bytes."""
        self._tls.write(data)
        self._flush()

    def shutdown(self, _how):
        """Says close_notify and closes the sending side."""
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass
        self._flush()
        self._socket.shutdown(1)

    def fileno(self):
        """As of a socket."""
        return self._socket.fileno()

    def setblocking(self, flag):
        """As of a socket; `recv` then raises `BlockingIOError` when there is nothing."""
        self._socket.setblocking(flag)

    def pending(self):
        """How many plain bytes wait in OpenSSL."""
        return self._tls.pending()

    def setsockopt(self, *arguments):
        """As of a socket."""
        self._socket.setsockopt(*arguments)

    def close(self):
        """As of a socket."""
        self._socket.close()

    def _do(self, action):
        while True:
            try:
                result = action()
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                data = self._socket.recv(65536)
                if not data:
                    raise EOFError("the client closed") from None
                self._in.write(data)

    def _flush(self):
        data = self._out.read()
        if self._flip and (at := data.find(self._flip)) >= 0:
            at += len(self._flip) - 1
            data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        if self._limit is not None and self._sent + len(data) > self._limit:
            data = data[: self._limit - self._sent]
            self.limit_reached = True
        self._sent += len(data)
        if data:
            self._socket.sendall(data)
        if self.limit_reached:
            raise EOFError("as many bytes were sent as allowed")
