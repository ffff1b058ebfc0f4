"""Does what a service manager does for a socket-activated program (sd_listen_fds(3)).

activate.py NAMES ADDRESSES PROGRAM [ARGUMENT...]: listens on the addresses (comma-separated, port 0 is one the
system chooses), passes the sockets from descriptor 3 on under these names (colon-separated), becomes the program.
"""

import os
import socket
import sys

names, addresses, program = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
listeners = []
for address in addresses:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    host, port = address.rsplit(":", 1)
    listener.bind((host, int(port)))
    listener.listen(16)
    listeners.append(listener)
# Out of the way of the numbers that they are to have.
high = [os.dup2(listener.fileno(), 100 + at) for at, listener in enumerate(listeners)]
for at, descriptor in enumerate(high):
    os.dup2(descriptor, 3 + at)
os.environ["LISTEN_FDS"] = str(len(high))
os.environ["LISTEN_FDNAMES"] = names
os.environ["LISTEN_PID"] = os.environ.get("PASS_TO", str(os.getpid()))
os.execv(program[0], program)
