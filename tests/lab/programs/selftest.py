#!/usr/bin/env python3
"""Tests of the fault programs against real stacks, in network namespaces of their own (as root):
client 10.9.1.2 - router - server 10.9.2.2, the programs on the router.

    python3 -B -m unittest selftest [-k NAME]      in this folder
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVER = "10.9.2.2:3389"
NAMES = {end: f"lab{os.getpid()}{end}" for end in "cms"}


def run(*command):
    """Runs a command of the set-up."""
    subprocess.run(command, check=True, capture_output=True)


def inside(end, *command):
    """A command inside of a namespace."""
    return ["ip", "netns", "exec", NAMES[end], *map(str, command)]


def python(end, program, *arguments):
    """A fault program inside of a namespace, as a command."""
    return inside(end, sys.executable, "-B", HERE / program, *arguments)


class Started:
    """A fault program that is ready; `acts()` are the JSON lines it has printed."""

    def __init__(self, test, end, program, *arguments):
        self._file = tempfile.NamedTemporaryFile("r", encoding="utf-8")
        with open(self._file.name, "w", encoding="utf-8") as output:
            self._process = subprocess.Popen(python(end, program, *arguments), stdout=output)
        test.addCleanup(self.stop)
        for _ in range(200):
            if "ready" in self._file.read():
                return
            self._file.seek(0)
            time.sleep(0.05)
        raise AssertionError(f"{program} was not ready")

    def acts(self):
        time.sleep(0.2)
        self._file.seek(0)
        lines = self._file.read().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def stop(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            self._file.close()


class Programs(unittest.TestCase):
    """One topology per test; the server is `rdp_shim.py` with OpenSSL unless a test says otherwise."""

    def setUp(self):
        for end in NAMES.values():
            run("ip", "netns", "add", end)
            self.addCleanup(run, "ip", "netns", "del", end)
            run("ip", "-n", end, "link", "set", "lo", "up")
        for end, net in (("c", "10.9.1"), ("s", "10.9.2")):
            run("ip", "link", "add", "up0", "netns", NAMES[end], "type", "veth", "peer", "name",
                f"to{end}", "netns", NAMES["m"])
            for where, device, host in ((end, "up0", 2), ("m", f"to{end}", 1)):
                run("ip", "-n", NAMES[where], "addr", "add", f"{net}.{host}/24", "dev", device)
                run("ip", "-n", NAMES[where], "link", "set", device, "up")
            run("ip", "-n", NAMES[end], "route", "add", "default", "via", f"{net}.1")
        run(*inside("m", "sysctl", "-qw", "net.ipv4.ip_forward=1"))

    def redirect(self, port):
        run(*inside("m", "nft", "add", "table", "ip", "t"))
        run(*inside("m", "nft", "add chain ip t pre { type nat hook prerouting priority -100 ; }"))
        run(*inside("m", "nft", f"add rule ip t pre iif toc tcp dport 3389 redirect to :{port}"))

    def server(self, *arguments):
        return Started(self, "s", "rdp_shim.py", 3389, *arguments)

    def hello(self, *arguments):
        """Runs the client: (its last act, what its TLS library said)."""
        done = subprocess.run(python("c", "hello.py", SERVER, *arguments), capture_output=True,
                              text=True, timeout=20, check=False)
        acts = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return acts[-1], done.stderr

    def test_client_and_server_meet(self):
        server = self.server()
        for stack in ("openssl", "gnutls"):
            act, said = self.hello("--stack", stack, "--long", "3000", "--grease")
            self.assertTrue(act["succeeded"], said)
        self.assertEqual(server.acts()[-1]["version"], "TLSv1.3")

    def test_fallback(self):
        self.server("--highest", "1.2")
        act, said = self.hello("--offer", "1.2")
        self.assertTrue(act["succeeded"], said)

    def test_scsv_is_refused_by_a_capable_server(self):
        Started(self, "m", "picky.py", 3389, "toc", "tos", "--dislikes", "tls13")
        self.server()
        act, said = self.hello("--offer", "1.3,1.2", "--scsv")
        self.assertFalse(act["succeeded"])
        self.assertIn("inappropriate fallback", said)

    def test_who_has_no_certificate_is_turned_away(self):
        with tempfile.TemporaryDirectory() as folder:
            own, key = Path(folder) / "own.crt", Path(folder) / "own.key"
            run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=own",
                "-keyout", key, "-out", own)
            server = self.server("--certificate", f"{own},{key}", "--client-certificate", own,
                                 "--highest", "1.2")
            act, said = self.hello("--offer", "1.2")
            self.assertFalse(act["succeeded"])
            self.assertIn("alert handshake failure", said)
            self.assertIn("did not return a certificate", server.acts()[-1]["failed"])

    def test_injected_reset(self):
        self.server("--think", "100")
        for ttl in ("55", "copy"):
            with self.subTest(ttl):
                forger = Started(self, "m", "inject.py", "toc", 3389, "--trigger", "client-hello",
                                 "--ttl", ttl)
                act, said = self.hello()
                self.assertFalse(act["succeeded"])
                self.assertIn("104", said)
                self.assertEqual(forger.acts()[0]["segments"][0]["ttl"], 55 if ttl == "55" else 63)
                forger.stop()

    def test_injected_alert(self):
        self.server("--think", "100")
        Started(self, "m", "inject.py", "toc", 3389, "--send", "data", "--data", "alert:40")
        act, said = self.hello()
        self.assertFalse(act["succeeded"])
        self.assertIn("alert handshake failure", said)

    def test_injected_fin_and_reset_to_server(self):
        self.server()
        for arguments in (("--send", "fin"), ("--to", "server"), ("--send", "rst-triple"),
                          ("--send", "rst-acks"), ("--send", "rst-thrice"),
                          ("--trigger", "cc"), ("--trigger", "application:1")):
            with self.subTest(arguments):
                forger = Started(self, "m", "inject.py", "toc", 3389, *arguments)
                self.hello()
                self.assertEqual(len(forger.acts()), 1)
                forger.stop()

    def test_x224_edits(self):
        self.redirect(9999)
        server = self.server()
        box = Started(self, "m", "x224.py", 9999, "clear=0x0a", "cookie=other", "flags=0")
        act, said = self.hello()
        self.assertTrue(act["succeeded"], said)
        self.assertEqual(act["confirm"], "030000130ed000001234000200080001000000")
        self.assertEqual(server.acts()[0]["requested"], 1)
        self.assertIn("6f74686572", box.acts()[0]["request"][1])
        box.stop()
        Started(self, "m", "x224.py", 9999, "no-negreq", "failure=2")
        self.assertEqual(self.hello()[0]["confirm"], "030000130ed000001234000300080002000000")
        confirms = [act for act in server.acts() if act["step"] == "confirm"]
        self.assertIsNone(confirms[-1]["requested"])

    def test_terminate(self):
        self.redirect(9999)
        server = self.server()
        box = Started(self, "m", "terminate.py", 9999, "--certificate", "clone", "--highest", "1.2")
        act, said = self.hello()
        self.assertTrue(act["succeeded"], said)
        self.assertIn("CN = shim.rdpwhy.test", said)
        self.assertEqual(server.acts()[-1]["version"], "TLSv1.2")
        seen = box.acts()[0]
        self.assertNotEqual(*seen["sha256"])
        self.assertEqual(seen["client_tls"][0], "TLSv1.2")

    def test_picky(self):
        self.server()
        cases = [("tls13", "rst", ["--offer", "1.3"], ["--offer", "1.2"]),
                 ("grease", "drop", ["--grease"], []), ("grease", "fin", ["--grease"], []),
                 ("segments", "alert", ["--long", "3000"], []),
                 ("records", "rst-client", ["--long", "1500", "--fragment", "512"], ["--long", "700"])]
        for dislikes, reacts, bad, good in cases:
            with self.subTest(dislikes=dislikes, reacts=reacts):
                box = Started(self, "m", "picky.py", 3389, "toc", "tos", "--dislikes", dislikes,
                              "--reacts", reacts)
                act, said = self.hello(*good)
                self.assertTrue(act["succeeded"], said)
                self.assertEqual(box.acts(), [])
                act, said = self.hello("--patience", "2", *bad)
                acts = box.acts()
                box.stop()
                self.assertFalse(act["succeeded"], said)
                self.assertEqual(len(acts), 1)

    def test_tamper(self):
        self.server()
        for arguments, says in (
            (["--record", "application:1"], "bad record mac"),
            (["--from", "client", "--hello", "no-tls13"], "inappropriate fallback"),
        ):
            with self.subTest(arguments):
                box = Started(self, "m", "tamper.py", 3389, "toc", "tos", *arguments)
                act, said = self.hello()
                self.assertFalse(act["succeeded"])
                self.assertEqual(len(box.acts()), 1)
                self.assertIn(says, said)
                box.stop()

    def test_watch(self):
        self.server()
        watch = Started(self, "m", "watch.py", "toc", 3389, "server-hello")
        self.hello()
        self.assertEqual(watch.acts()[0]["step"], "server-hello")


if __name__ == "__main__":
    unittest.main()
