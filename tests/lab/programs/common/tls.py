"""OpenSSL on either side of a socket, told by command-line options what to speak."""

import ssl

REQUIRED = ssl.CERT_REQUIRED
_VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1,
             "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def context(server, lowest="1.0", highest="1.3", ciphers=""):
    """An OpenSSL context that verifies nothing; old versions and weak ciphers are possible."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if not server:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.set_ciphers((ciphers or "DEFAULT") + ":@SECLEVEL=0")
    made.minimum_version, made.maximum_version = _VERSIONS[lowest], _VERSIONS[highest]
    return made
