"""Certificates of the boxes and scripted peers, made by the `openssl` command."""

import ssl
import subprocess


def foreign(folder, subject="/CN=inspection.example", kind="rsa:2048"):
    """A self-signed certificate of the box's own; gives its file and its key's file."""
    certificate, key = folder / "foreign.crt", folder / "foreign.key"
    _openssl("req", "-x509", "-newkey", kind, "-nodes", "-days", "30", "-subj", subject,
             "-keyout", key, "-out", certificate)
    return certificate, key


def clone(folder, original, kind="2048"):
    """A certificate with the names, the serial number, the dates and the extensions of the given one
    (DER), but with a key of its own, which also signs it. Gives its file and its key's file."""
    template, certificate, key = folder / "original.pem", folder / "clone.crt", folder / "clone.key"
    template.write_text(ssl.DER_cert_to_PEM_cert(original), encoding="ascii")
    if not key.exists():
        _openssl("genrsa", "-out", key, kind)
    _openssl("x509", "-in", template, "-signkey", key, "-preserve_dates", "-out", certificate)
    return certificate, key


def _openssl(*arguments):
    command = ["openssl", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"{' '.join(command)}: {done.stderr}")
