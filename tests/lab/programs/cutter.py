"""A relay of bytes that ends a connection after so many of them.

    cutter.py LISTEN_PORT HOST PORT end=fin|rst [after_server=N] [after_client=N] [pause=MS]

After N bytes of the server (or of the client) it passes no more, waits for `pause`, and closes
towards the one it listened for: with a FIN, or with a RST. It knows nothing of what the bytes mean.
"""
import select
import socket
import struct
import sys
import threading
import time


def options(words):
    return dict(word.split("=", 1) for word in words)


def cut(client, server, end, pause):
    time.sleep(pause / 1000)
    if end == "rst":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    else:
        # What the client said meanwhile is read, so that the kernel has no reason for a RST.
        client.setblocking(False)
        try:
            while client.recv(65536):
                pass
        except OSError:
            pass
    client.close()
    server.close()


def carry(client, host, port, how):
    server = socket.create_connection((host, port))
    left = {server: int(how.get("after_server", -1)), client: int(how.get("after_client", -1))}
    pause = float(how.get("pause", 0))
    while True:
        readable, _, _ = select.select([client, server], [], [])
        for source in readable:
            data = source.recv(65536)
            other = client if source is server else server
            if not data:
                client.close()
                server.close()
                return
            if left[source] < 0:
                other.sendall(data)
                continue
            other.sendall(data[: left[source]])
            left[source] -= min(left[source], len(data))
            if left[source] == 0:
                cut(client, server, how["end"], pause)
                return


def main():
    port, host, behind = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    how = options(sys.argv[4:])
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    listener = socket.create_server(("", port), family=family, dualstack_ipv6=family == socket.AF_INET6)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=carry, args=(client, host, behind, how), daemon=True).start()


main()
