"""Drives the units of the service from within a container that systemd has booted, and tells what it saw as JSON.

units.py RESULT: writes the object to this file. /etc/rdpwhy/rdpwhy.toml leads to 127.0.0.1:3389 to begin with.
"""

import json
import socket
import subprocess
import sys
import threading
import time

REQUEST = bytes([3, 0, 0, 19, 14, 0xE0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0])
LONG = 30


def serve(port, code):
    """A server that refuses everybody with this failure code (MS-RDPBCGR 2.2.1.2.2)."""
    failure = bytes([3, 0, 0, 19, 14, 0xD0, 0, 0, 0x12, 0x34, 0, 3, 0, 8, 0, code, 0, 0, 0])
    listener = socket.create_server(("127.0.0.1", port))

    def work():
        while True:
            client, _ = listener.accept()
            client.recv(64)
            client.sendall(failure)
            client.close()

    threading.Thread(target=work, daemon=True).start()


def ask():
    """The code that a client of the service is refused with."""
    with socket.create_connection(("127.0.0.1", 13389), timeout=LONG) as client:
        client.sendall(REQUEST)
        answer = b""
        while len(answer) < 19:
            part = client.recv(64)
            if not part:
                return None
            answer += part
        return answer[15]


def systemctl(*arguments):
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, timeout=2 * LONG)
    return done.stdout.strip() or done.stderr.strip()


def shown(name):
    return systemctl("show", "--value", "-p", name, "rdpwhy.service")


def until(condition):
    end = time.monotonic() + LONG
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def lead_to(port):
    with open("/etc/rdpwhy/rdpwhy.toml", "w") as file:
        file.write(f'upstream = "127.0.0.1:{port}"\nwrite = "case.pcapng"\n')


def restarted():
    """Answers to clients that come one behind the other while the service is restarted."""
    work = threading.Thread(target=systemctl, args=("restart", "rdpwhy.service"))
    work.start()
    codes = [ask()]
    while work.is_alive():
        codes.append(ask())
    work.join()
    return codes + [ask()]


def main():
    seen = {}
    serve(3389, 3)
    serve(3390, 5)
    lead_to(3389)
    seen["before anybody came"] = shown("ActiveState")
    seen["first answer"] = ask()
    seen["after somebody came"] = shown("ActiveState")
    with open(f"/proc/{shown('MainPID')}/status") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    seen["rights"] = {name: fields[name] for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp", "Uid")}
    lead_to(3390)
    systemctl("reload", "rdpwhy.service")
    seen["reloaded"] = until(lambda: ask() == 5)
    first = shown("MainPID")
    seen["answers during a restart"] = restarted()
    seen["restarted"] = shown("MainPID") != first
    seen["stopped"] = systemctl("stop", "rdpwhy.socket", "rdpwhy.service")
    seen["exit status"] = int(shown("ExecMainStatus"))
    seen["result"] = shown("Result")
    journal = ["journalctl", "-u", "rdpwhy.service", "-o", "cat", "--no-pager"]
    seen["journal"] = subprocess.run(journal, capture_output=True, text=True).stdout
    kept = ["find", "/var/lib/private/rdpwhy", "-type", "f", "-printf", "%m %P\n"]
    seen["kept"] = subprocess.run(kept, capture_output=True, text=True).stdout.split("\n")
    return seen


if __name__ == "__main__":
    try:
        result = main()
    except Exception as error:
        result = {"error": repr(error), "status": systemctl("status", "rdpwhy.service", "rdpwhy.socket")}
    with open(sys.argv[1], "w") as file:
        json.dump(result, file)
