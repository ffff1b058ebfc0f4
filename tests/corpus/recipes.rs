//! How the samples are made: which peers meet, how they are set up, and the proof that they met as
//! intended. A sample's label follows from its row here.

use super::making::{Peer, Recipe, Via, Visit};
use crate::support::certs::Kind;
use crate::support::clients::Client::{Rdesktop, Xfreerdp, Xfreerdp3};
use crate::support::shadow::Release;
use crate::support::xrdp::{Key, Options, SOUND};

/// xrdp's login screen is a whole session; the client is ended after a few seconds.
const SESSION: u64 = 5;
/// Long enough for a client that gives up by itself.
const FAILURE: u64 = 25;

/// What OpenSSH does with a client that is none.
const SSH_BANNER: &str = "printf 'SSH-2.0-OpenSSH_9.2p1\\r\\n'; head -c 19 >/dev/null; \
                          printf 'Invalid SSH identification string.\\r\\n'";
const ONLY_12: Options = Options { ssl_protocols: "TLSv1.2", ..SOUND };

/// A recipe that most others differ from in a few points only.
const PLAIN: Recipe = Recipe {
    file: "",
    peer: Peer::Xrdp(SOUND),
    via: Via::Wire,
    visits: &[Visit::Client(Xfreerdp, LAB, FAILURE)],
    codes: &[143],
    proof: "",
    outcomes: &["failed"],
    causes: &[],
};

const LAB: &[&str] = &["/u:lab", "/client-hostname:lab", "/cert:ignore"];
const STRICT: &[&str] = &["/u:lab", "/client-hostname:lab"];
const NLA: &[&str] = &["/u:labuser", "/p:Right-Pass-1", "/client-hostname:lab", "/cert:ignore"];
const NO_PASSWORD: &[&str] = &["/u:labuser", "/client-hostname:lab", "/cert:ignore"];
const AUTH_ONLY: &[&str] =
    &["/u:labuser", "/p:Right-Pass-1", "/client-hostname:lab", "/cert:ignore", "+auth-only"];
const WRONG: &[&str] = &["/u:labuser", "/p:wrong", "/client-hostname:lab", "/cert:ignore"];
const UP_TO_12: &[&str] = &["/u:lab", "/client-hostname:lab", "/cert:ignore", "+enforce-tlsv1_2"];
const DENY: &[&str] = &["/u:lab", "/client-hostname:lab", "/cert:deny"];
const ONE_CIPHER: &[&str] =
    &["/u:lab", "/client-hostname:lab", "/cert:ignore", "/tls-ciphers:ECDHE-RSA-AES128-GCM-SHA256"];
const SEC_TLS: &[&str] = &["/u:lab", "/client-hostname:lab", "/cert:ignore", "/sec:tls"];
const SEC_NLA: &[&str] = &["/u:lab", "/p:x", "/client-hostname:lab", "/cert:ignore", "/sec:nla"];
const SEC_RDP: &[&str] = &["/u:lab", "/client-hostname:lab", "/cert:ignore", "/sec:rdp"];

/// All recipes.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        file: "session-tls13.pcap",
        outcomes: &["established"],
        visits: &[Visit::Client(Xfreerdp, LAB, SESSION)],
        codes: &[],
        proof: "TLSv1.3",
        ..PLAIN
    },
    Recipe {
        file: "session-tls12.pcap",
        outcomes: &["established"],
        peer: Peer::Xrdp(ONLY_12),
        visits: &[Visit::Client(Xfreerdp, LAB, SESSION)],
        codes: &[],
        proof: "TLSv1.2",
        ..PLAIN
    },
    Recipe {
        // The clean twin of the refused expired certificates.
        file: "session-expired-accepted.pcap",
        outcomes: &["established"],
        peer: Peer::Xrdp(Options { certificate: Kind::Expired, ..ONLY_12 }),
        visits: &[Visit::Client(Xfreerdp, LAB, SESSION)],
        codes: &[],
        proof: "TLSv1.2",
        ..PLAIN
    },
    Recipe {
        file: "session-rdp-security.pcap",
        outcomes: &["established"],
        peer: Peer::Xrdp(Options { security_layer: "rdp", ..SOUND }),
        visits: &[Visit::Client(Rdesktop, &["-u", "lab", "-n", "lab"], SESSION)],
        codes: &[],
        proof: "Connection established using plain RDP",
        ..PLAIN
    },
    Recipe {
        file: "session-nla.pcap",
        outcomes: &["established"],
        peer: Peer::Shadow(Release::Two),
        visits: &[Visit::Client(Xfreerdp, NLA, SESSION)],
        codes: &[],
        ..PLAIN
    },
    Recipe {
        file: "session-nla-freerdp3.pcap",
        outcomes: &["established"],
        peer: Peer::Shadow(Release::Three),
        visits: &[Visit::Client(Xfreerdp3, NLA, SESSION)],
        codes: &[],
        ..PLAIN
    },
    Recipe {
        // FreeRDP 2 takes this for the whole way: two sessions.
        file: "auth-only-then-session.pcap",
        outcomes: &["established"],
        peer: Peer::Shadow(Release::Two),
        visits: &[
            Visit::Client(Xfreerdp, AUTH_ONLY, FAILURE),
            Visit::Client(Xfreerdp, NLA, SESSION),
        ],
        codes: &[],
        ..PLAIN
    },
    Recipe {
        // Nobody is there to accept the certificate; then the same user accepts it.
        file: "certificate-prompt-then-session.pcap",
        outcomes: &["rehearsal", "established"],
        visits: &[Visit::Client(Xfreerdp, STRICT, FAILURE), Visit::Client(Xfreerdp, LAB, SESSION)],
        codes: &[],
        proof: "TLSv1.3",
        ..PLAIN
    },
    Recipe {
        // The decoy twin: an empty password is refused before the right one is accepted.
        file: "refused-then-session.pcap",
        outcomes: &["failed", "failed", "established"],
        causes: &["nla-bad-credentials"],
        peer: Peer::Shadow(Release::Two),
        visits: &[
            Visit::Client(Xfreerdp, NO_PASSWORD, FAILURE),
            Visit::Client(Xfreerdp, NLA, SESSION),
        ],
        codes: &[],
        ..PLAIN
    },
    Recipe {
        file: "empty-password.pcap",
        causes: &["nla-bad-credentials"],
        peer: Peer::Shadow(Release::Two),
        visits: &[Visit::Client(Xfreerdp, NO_PASSWORD, FAILURE)],
        codes: &[147],
        ..PLAIN
    },
    Recipe {
        file: "wrong-password.pcap",
        causes: &["nla-bad-credentials"],
        peer: Peer::Shadow(Release::Two),
        visits: &[Visit::Client(Xfreerdp, WRONG, FAILURE)],
        codes: &[147],
        proof: "ERRCONNECT_CONNECT_TRANSPORT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "wrong-password-freerdp3.pcap",
        causes: &["nla-bad-credentials"],
        peer: Peer::Shadow(Release::Three),
        visits: &[Visit::Client(Xfreerdp3, WRONG, FAILURE)],
        codes: &[132],
        proof: "ERRCONNECT_AUTHENTICATION_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "nla-required.pcap",
        causes: &["nla-required"],
        peer: Peer::Shadow(Release::Two),
        visits: &[Visit::Client(Xfreerdp, SEC_TLS, FAILURE)],
        codes: &[133],
        proof: "HYBRID_REQUIRED_BY_SERVER",
        ..PLAIN
    },
    Recipe {
        file: "nla-not-offered.pcap",
        causes: &["nla-not-offered"],
        peer: Peer::Xrdp(Options { security_layer: "tls", ..SOUND }),
        visits: &[Visit::Client(Xfreerdp, SEC_NLA, FAILURE)],
        codes: &[133],
        proof: "ERRCONNECT_SECURITY_NEGO_CONNECT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "rdp-security-only.pcap",
        causes: &["neg-rsp-unrequested"],
        peer: Peer::Xrdp(Options { security_layer: "rdp", ..SOUND }),
        visits: &[Visit::Client(Xfreerdp, SEC_TLS, FAILURE)],
        codes: &[133],
        proof: "ERRCONNECT_SECURITY_NEGO_CONNECT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "tls-only.pcap",
        causes: &["ssl-required"],
        peer: Peer::Xrdp(Options { security_layer: "tls", ..SOUND }),
        visits: &[Visit::Client(Xfreerdp, SEC_RDP, FAILURE)],
        codes: &[147],
        proof: "ERRCONNECT_CONNECT_TRANSPORT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "key-missing.pcap",
        causes: &["ssl-cert-not-on-server"],
        peer: Peer::Xrdp(Options { security_layer: "tls", key: Key::Missing, ..SOUND }),
        codes: &[133],
        proof: "SSL_CERT_NOT_ON_SERVER",
        ..PLAIN
    },
    Recipe {
        file: "key-mismatch.pcap",
        causes: &["tls-plaintext-after-hello"],
        peer: Peer::Xrdp(Options { key: Key::Foreign, ..SOUND }),
        proof: "do not match",
        ..PLAIN
    },
    Recipe {
        // The decoy twin of the one above: the same bytes, another reason.
        file: "key-too-small.pcap",
        causes: &["tls-plaintext-after-hello"],
        peer: Peer::Xrdp(Options { certificate: Kind::Weak, ..SOUND }),
        proof: "key too small",
        ..PLAIN
    },
    Recipe {
        file: "tls13-only.pcap",
        causes: &["no-common-version"],
        peer: Peer::Xrdp(Options { ssl_protocols: "TLSv1.3", ..SOUND }),
        visits: &[Visit::Client(Xfreerdp, UP_TO_12, FAILURE)],
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "no-common-cipher.pcap",
        causes: &["no-common-cipher"],
        peer: Peer::Xrdp(Options { tls_ciphers: "AES256-SHA256", ..ONLY_12 }),
        visits: &[Visit::Client(Xfreerdp, ONE_CIPHER, FAILURE)],
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "tls10-forbidden.pcap",
        peer: Peer::Xrdp(Options { ssl_protocols: "TLSv1", ..SOUND }),
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "tls10-refused-by-client.pcap",
        causes: &["no-common-version"],
        peer: Peer::Xrdp(Options { ssl_protocols: "TLSv1", legacy_openssl: true, ..SOUND }),
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "expired-refused-tls12.pcap",
        causes: &["client-rejects-cert"],
        peer: Peer::Xrdp(Options { certificate: Kind::Expired, ..ONLY_12 }),
        visits: &[Visit::Client(Xfreerdp, STRICT, FAILURE)],
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "expired-refused-tls13.pcap",
        causes: &["client-rejects-cert"],
        peer: Peer::Xrdp(Options { certificate: Kind::Expired, ..SOUND }),
        visits: &[Visit::Client(Xfreerdp, STRICT, FAILURE)],
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        ..PLAIN
    },
    Recipe {
        // The decoy twin of the refused expired certificates.
        file: "good-refused-tls12.pcap",
        causes: &["client-rejects-cert"],
        peer: Peer::Xrdp(ONLY_12),
        visits: &[Visit::Client(Xfreerdp, DENY, FAILURE)],
        proof: "ERRCONNECT_TLS_CONNECT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "refused.pcap",
        causes: &["tcp-refused-rst"],
        peer: Peer::Nobody,
        codes: &[147],
        proof: "ERRCONNECT_CONNECT_TRANSPORT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "icmp-rejected.pcap",
        causes: &["icmp-reject"],
        peer: Peer::Nobody,
        via: Via::Firewall("tcp dport PORT reject with icmp type admin-prohibited"),
        codes: &[147],
        proof: "ERRCONNECT_CONNECT_TRANSPORT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "syn-dropped.pcap",
        causes: &["tcp-syn-drop"],
        peer: Peer::Nobody,
        via: Via::Firewall("tcp dport PORT drop"),
        codes: &[141],
        proof: "ERRCONNECT_CONNECT_FAILED",
        ..PLAIN
    },
    Recipe {
        // When its TLS handshake is nearly through, the client's data begins to be lost on its way.
        file: "data-dropped.pcap",
        causes: &["packet-loss"],
        peer: Peer::Xrdp(SOUND),
        via: Via::Firewall("tcp dport PORT ct original bytes > 700 drop"),
        visits: &[Visit::Client(Xfreerdp, LAB, FAILURE)],
        codes: &[131],
        proof: "Timeout waiting for activation",
        ..PLAIN
    },
    Recipe {
        file: "http.pcap",
        causes: &["http-answer"],
        peer: Peer::Http,
        codes: &[133],
        ..PLAIN
    },
    Recipe {
        file: "ssh.pcap",
        causes: &["non-rdp-endpoint"],
        peer: Peer::Script(SSH_BANNER),
        codes: &[147],
        ..PLAIN
    },
    Recipe {
        file: "tls-first-alert.pcap",
        causes: &["tls-first-endpoint"],
        peer: Peer::Rustls,
        codes: &[133],
        ..PLAIN
    },
    Recipe {
        file: "tls-first-openssl.pcap",
        causes: &["tls-first-endpoint"],
        peer: Peer::Openssl,
        codes: &[147],
        ..PLAIN
    },
    Recipe {
        file: "silent-close.pcap",
        peer: Peer::Script("head -c 19 >/dev/null"),
        codes: &[147],
        ..PLAIN
    },
    Recipe {
        // What Schannel does when it can not use its key.
        file: "reset-at-hello.pcap",
        peer: Peer::ResetsAtHello,
        ..PLAIN
    },
    Recipe {
        file: "no-answer.pcap",
        causes: &["service-down-after-accept"],
        peer: Peer::Script("head -c 19 >/dev/null; sleep 30"),
        visits: &[Visit::Client(Xfreerdp, LAB, 14)],
        codes: &[],
        ..PLAIN
    },
    Recipe {
        file: "touched.pcap",
        outcomes: &["not_rdp"],
        peer: Peer::Idle,
        visits: &[Visit::Touch],
        codes: &[],
        ..PLAIN
    },
    Recipe {
        file: "relay-session.pcapng",
        outcomes: &["established"],
        via: Via::Relay(&[]),
        visits: &[Visit::Client(Xfreerdp, LAB, SESSION)],
        codes: &[],
        proof: "TLSv1.3",
        ..PLAIN
    },
    Recipe {
        file: "relay-wrong-password.pcapng",
        causes: &["nla-bad-credentials"],
        peer: Peer::Shadow(Release::Two),
        via: Via::Relay(&[]),
        visits: &[Visit::Client(Xfreerdp, WRONG, FAILURE)],
        codes: &[147],
        proof: "ERRCONNECT_CONNECT_TRANSPORT_FAILED",
        ..PLAIN
    },
    Recipe {
        file: "relay-deadline.pcapng",
        causes: &["relay-induced"],
        peer: Peer::Script("head -c 19 >/dev/null; sleep 30"),
        via: Via::Relay(&["--handshake-timeout", "2s"]),
        codes: &[147],
        ..PLAIN
    },
    Recipe {
        file: "relay-refused.pcapng",
        causes: &["tcp-refused-rst"],
        peer: Peer::Nobody,
        via: Via::Relay(&[]),
        codes: &[141, 147],
        ..PLAIN
    },
    Recipe {
        file: "relay-demo.pcapng",
        outcomes: &[],
        peer: Peer::Nobody,
        via: Via::Demo,
        codes: &[],
        ..PLAIN
    },
];
