//! Servers and clients that do not fit together: what the program says about each, live and from
//! its own recording. The label of a row is the configuration above it, proved by what client or
//! server said; it never comes from the program.

use crate::support::certs::Kind;
use crate::support::clients::Client;
use crate::support::expected::{ANY, Cause, Expected, WHOEVER};
use crate::support::rows::{Row, Server, check_all, check_all_where_they_fail};
use crate::support::shadow::{Release, USER};
use crate::support::xrdp::{Key, Options, SOUND};

const CERTIFICATES: &[Row] = &[
    Row {
        // Its decoy twin is the weak certificate below: the same bytes on the wire.
        name: "the key belongs to another certificate",
        server: Server::Xrdp(Options { key: Key::Foreign, ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore"],
        code: 143,
        proof: "do not match",
        expected: PLAINTEXT_AFTER_HELLO,
    },
    Row {
        name: "a certificate OpenSSL finds too weak",
        server: Server::Xrdp(Options { certificate: Kind::Weak, ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore"],
        code: 143,
        proof: "key too small",
        expected: PLAINTEXT_AFTER_HELLO,
    },
    Row {
        // The client tries three connections; the same holds for each.
        name: "no key file, TLS demanded",
        server: Server::Xrdp(Options { security_layer: "tls", key: Key::Missing, ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore"],
        code: 133,
        proof: "SSL_CERT_NOT_ON_SERVER",
        expected: Expected {
            reached: &["x224_confirm"],
            ended: WHOEVER,
            what: &["ssl-cert-not-on-server"],
            cause: Cause::NoOtherThan("ssl-cert-not-on-server"),
            class: &["server-config"],
            party: &["server"],
        },
    },
    Row {
        name: "expired, refused by the client over TLS 1.3",
        server: Server::Xrdp(Options { certificate: Kind::Expired, ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x"],
        code: 143,
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        expected: REFUSED_UNSEEN,
    },
    Row {
        name: "not yet valid, refused by the client over TLS 1.3",
        server: Server::Xrdp(Options { certificate: Kind::NotYetValid, ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x"],
        code: 143,
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        expected: REFUSED_UNSEEN,
    },
    Row {
        name: "a good certificate, refused by the client over TLS 1.3",
        server: Server::Xrdp(SOUND),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:deny"],
        code: 143,
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        expected: REFUSED_UNSEEN,
    },
    Row {
        // That the certificate has expired must not be taken for the reason: this client dislikes
        // that nobody it knows has signed it.
        name: "expired, refused by the client over TLS 1.2",
        server: Server::Xrdp(Options {
            certificate: Kind::Expired,
            ssl_protocols: "TLSv1.2",
            ..SOUND
        }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x"],
        code: 143,
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        expected: REFUSED_OVER_TLS_1_2,
    },
    Row {
        name: "a good certificate, refused by the client over TLS 1.2",
        server: Server::Xrdp(Options { ssl_protocols: "TLSv1.2", ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:deny"],
        code: 143,
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        expected: REFUSED_OVER_TLS_1_2,
    },
];

/// xrdp answers a ClientHello in plain text when its TLS cannot start; why is in its log only.
const PLAINTEXT_AFTER_HELLO: Expected = Expected {
    // Its packet can cross the client's hello, and either side can be the first to close.
    reached: &["x224_confirm", "tls_client_hello"],
    ended: WHOEVER,
    what: &["tls-plaintext-after-hello"],
    cause: Cause::NoOtherThan("tls-plaintext-after-hello"),
    class: &["server-config"],
    party: &["server"],
};

/// The client ends a finished handshake with an unreadable alert; the server can have read it and
/// closed before the client does, and where it has sent more by then the client's close is a RST. It is the
/// client's doing all the same.
const REFUSED_UNSEEN: Expected = Expected {
    reached: &["tls_encrypted", "tls_finished"],
    ended: WHOEVER,
    what: &["clean-close-no-reason", "client-rejects-cert", "rst-genuine-client"],
    cause: Cause::Undecided,
    class: &["abort"],
    party: &["client"],
};

/// TLS 1.2 shows the certificate, and that the client's last record is an alert, but not which.
const REFUSED_OVER_TLS_1_2: Expected = Expected {
    reached: &["tls_finished"],
    cause: Cause::NoOtherThan("client-rejects-cert"),
    ..REFUSED_UNSEEN
};

const TLS: &[Row] = &[
    Row {
        // The alert says internal_error although the versions are the trouble: its number is no
        // cause.
        name: "TLS 1.0 only, which the server's own OpenSSL forbids",
        server: Server::Xrdp(Options { ssl_protocols: "TLSv1", ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore"],
        code: 143,
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        expected: Expected { what: &["tls-alert-80"], ..ALERT_FROM_SERVER },
    },
    Row {
        name: "TLS 1.0 only, refused by the client",
        server: Server::Xrdp(Options { ssl_protocols: "TLSv1", legacy_openssl: true, ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore"],
        code: 143,
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        expected: Expected {
            reached: &["tls_server_hello"],
            what: &["tls-alert-80"],
            party: &["client"],
            ..ALERT_FROM_SERVER
        },
    },
    Row {
        name: "TLS 1.3 only, the client goes up to 1.2",
        server: Server::Xrdp(Options { ssl_protocols: "TLSv1.3", ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore", "+enforce-tlsv1_2"],
        code: 143,
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        expected: Expected {
            what: &["tls-alert-70"],
            cause: Cause::NoOtherThan("no-common-version"),
            class: &["abort", "server-config"],
            ..ALERT_FROM_SERVER
        },
    },
    Row {
        // handshake_failure also stands for signature algorithms and curves.
        name: "no cipher in common",
        server: Server::Xrdp(Options {
            ssl_protocols: "TLSv1.2",
            tls_ciphers: "AES256-SHA256",
            ..SOUND
        }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore", "/tls-ciphers:ECDHE-RSA-AES128-GCM-SHA256"],
        code: 143,
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        expected: Expected {
            what: &["tls-alert-40"],
            cause: Cause::NoOtherThan("no-common-cipher"),
            class: &["abort", "server-config"],
            ..ALERT_FROM_SERVER
        },
    },
];

/// The server answers the ClientHello with an alert; mostly the client is the first to close.
const ALERT_FROM_SERVER: Expected = Expected {
    reached: &["tls_client_hello"],
    ended: WHOEVER,
    what: &[],
    cause: Cause::Undecided,
    class: &["abort"],
    party: &["server"],
};

const NEGOTIATION: &[Row] = &[
    Row {
        name: "the server has RDP security only, the client wants TLS",
        server: Server::Xrdp(Options { security_layer: "rdp", ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore", "/sec:tls"],
        code: 133,
        proof: "ERRCONNECT_SECURITY_NEGO_CONNECT_FAILED",
        expected: Expected {
            reached: &["x224_confirm"],
            ended: &["client"],
            what: &["neg-rsp-unrequested"],
            cause: Cause::NoOtherThan("neg-rsp-unrequested"),
            class: &["server-config"],
            party: &["server"],
        },
    },
    Row {
        // The confirm names no protocol and the server answers the first MCS message with a
        // disconnect: it never says that it wanted TLS, which is FAILURE 1 elsewhere.
        name: "the server has TLS only, the client wants RDP security",
        server: Server::Xrdp(Options { security_layer: "tls", ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore", "/sec:rdp"],
        code: 147,
        proof: "ERRCONNECT_CONNECT_TRANSPORT_FAILED",
        expected: Expected {
            reached: &["x224_confirm", "mcs"],
            ended: &["server"],
            what: ANY,
            cause: Cause::NoOtherThan("ssl-required"),
            class: &["abort", "server-config", "session"],
            party: &["server"],
        },
    },
    Row {
        name: "the server has TLS, the client wants NLA",
        server: Server::Xrdp(Options { security_layer: "tls", ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore", "/sec:nla"],
        code: 133,
        proof: "ERRCONNECT_SECURITY_NEGO_CONNECT_FAILED",
        expected: Expected {
            reached: &["x224_confirm"],
            ended: &["client"],
            what: &["nla-not-offered", "clean-close-no-reason"],
            cause: Cause::NoOtherThan("nla-not-offered"),
            class: &["server-config", "abort"],
            party: &["server", "client", "unknown"],
        },
    },
    Row { name: "TLS-only client", ..NLA_REQUIRED },
    Row {
        name: "RDP-only client",
        arguments: &["/u:labuser", "/p:x", "/cert:ignore", "/sec:rdp"],
        ..NLA_REQUIRED
    },
    Row {
        name: "TLS-only client, FreeRDP 3",
        server: Server::Shadow(Release::Three),
        client: Client::Xfreerdp3,
        ..NLA_REQUIRED
    },
];

/// Not every release of xrdp checks it: 0.9.21.1-1+deb12u2 does not.
const CHECKSUM: &[Row] = &[
    Row {
        // Without its key xrdp falls back to RDP security without a word; the two then disagree
        // about a checksum inside the encryption.
        name: "no key file, TLS only preferred",
        server: Server::Xrdp(Options { key: Key::Missing, ..SOUND }),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore"],
        code: 131,
        proof: "MAC checksum error",
        expected: CHECKSUM_INSIDE,
    },
    Row {
        name: "both use RDP security and disagree about a checksum",
        server: Server::Xrdp(SOUND),
        client: Client::Xfreerdp,
        arguments: &["/u:lab", "/p:x", "/cert:ignore", "/sec:rdp"],
        code: 131,
        proof: "MAC checksum error",
        expected: CHECKSUM_INSIDE,
    },
];

/// The server disconnects after the encrypted Client Info; what it disliked is out of sight.
const CHECKSUM_INSIDE: Expected = Expected {
    reached: &["mcs", "licensing"],
    ended: &["server"],
    what: ANY,
    cause: Cause::Undecided,
    class: &["abort", "session"],
    party: &["server"],
};

const NLA_REQUIRED: Row = Row {
    name: "",
    server: Server::Shadow(Release::Two),
    client: Client::Xfreerdp,
    arguments: &["/u:labuser", "/p:x", "/cert:ignore", "/sec:tls"],
    code: 133,
    proof: "HYBRID_REQUIRED_BY_SERVER",
    expected: Expected {
        reached: &["x224_confirm"],
        ended: &["client"],
        what: &["nla-required"],
        cause: Cause::NoOtherThan("nla-required"),
        class: &["server-config"],
        party: &["server"],
    },
};

// An unknown user and a wrong password look alike, and so would a locked account: the encrypted
// shape of the exchange is all there is, so "credentials" is as much as may be said.
const CREDENTIALS: &[Row] = &[
    Row { name: "wrong password, FreeRDP 2", ..WRONG_PASSWORD },
    Row {
        name: "unknown user, FreeRDP 2",
        arguments: &["/u:nobodyhere", "/p:wrong", "/cert:ignore"],
        ..WRONG_PASSWORD
    },
    Row {
        // This server sends a TSRequest with an error code, as long as one with a good answer of
        // another server.
        name: "wrong password, FreeRDP 3",
        server: Server::Shadow(Release::Three),
        client: Client::Xfreerdp3,
        code: 132,
        proof: "ERRCONNECT_AUTHENTICATION_FAILED",
        expected: Expected { ended: WHOEVER, ..WRONG_PASSWORD.expected },
        ..WRONG_PASSWORD
    },
    Row {
        name: "unknown user, FreeRDP 3",
        server: Server::Shadow(Release::Three),
        client: Client::Xfreerdp3,
        arguments: &["/u:nobodyhere", "/p:wrong", "/cert:ignore"],
        code: 132,
        proof: "ERRCONNECT_AUTHENTICATION_FAILED",
        expected: Expected { ended: WHOEVER, ..WRONG_PASSWORD.expected },
    },
];

const WRONG_PASSWORD: Row = Row {
    name: "",
    server: Server::Shadow(Release::Two),
    client: Client::Xfreerdp,
    arguments: &["/u:labuser", "/p:wrong", "/cert:ignore"],
    code: 147,
    proof: "ERRCONNECT_CONNECT_TRANSPORT_FAILED",
    expected: Expected {
        reached: &["tls_encrypted", "tls_finished", "credssp"],
        ended: WHOEVER,
        // A client that leaves before the server's goodbye has come answers that with a RST.
        what: &["clean-close-no-reason", "rst-genuine-client", "nla-bad-credentials"],
        cause: Cause::NoOtherThan("nla-bad-credentials"),
        class: &["abort", "credentials"],
        party: &["server", "client", "unknown"],
    },
};

#[test]
fn certificates_and_keys() {
    check_all(CERTIFICATES);
}

#[test]
fn tls_versions_and_ciphers() {
    check_all(TLS);
}

#[test]
fn security_layers() {
    check_all(NEGOTIATION);
}

#[test]
fn checksums_inside_rdp_security() {
    check_all_where_they_fail(CHECKSUM);
}

#[test]
fn credentials() {
    assert!(CREDENTIALS.iter().all(|row| !row.arguments.contains(&USER)));
    check_all(CREDENTIALS);
}
