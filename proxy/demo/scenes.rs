//! The scenes: one table. What a verdict must be follows from how host and client are made here, not
//! from what the program says.

use rdpwhy_analyzer::report::Outcome;

/// One connection of the demonstration.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Short name.
    pub name: &'static str,
    /// What is the matter, in a sentence.
    pub story: &'static str,
    /// What the host does.
    pub host: Host,
    /// What the client does.
    pub client: Client,
    /// What has to be said about it.
    pub expected: Expected,
}

/// How a host behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Nothing listens there.
    Absent,
    /// A web server: HTTP, whatever it is asked.
    Web,
    /// An SSH server: greets first, then hangs up on what is no SSH.
    Ssh,
    /// Expects a TLS ClientHello as the first bytes.
    TlsFirst,
    /// Reads the request and closes.
    HangsUp,
    /// Refuses the negotiation with this code. MS-RDPBCGR 2.2.1.2.2.
    Refuses(u32),
    /// Answers with standard RDP security to every request.
    NoTls,
    /// Agrees to TLS and resets the connection at the ClientHello.
    ResetsAtHello,
    /// Agrees to TLS and answers the ClientHello with an MCS disconnect in clear.
    TlsFails,
    /// Agrees to TLS and does it.
    Tls(HostTls),
}

/// A host's TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostTls {
    /// TLS 1.2 and 1.3, a good certificate.
    Usual,
    /// TLS 1.3 and nothing older.
    Only13,
    /// A certificate whose time is over.
    Expired,
    /// TLS 1.2 with the single suite ECDHE-ECDSA-AES256-GCM-SHA384.
    OnlyAes,
}

/// How a client behaves. None tries twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Offers TLS and NLA, takes either.
    Usual,
    /// Offers TLS without NLA.
    WithoutNla,
    /// Offers both and goes on with NLA only.
    OnlyNla,
    /// Knows TLS 1.2 and nothing newer.
    UpToTls12,
    /// TLS 1.2 with the single suite ECDHE-ECDSA-CHACHA20-POLY1305.
    OnlyChaCha,
}

/// What has to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What became of the connection.
    pub outcome: Outcome,
    /// What was seen.
    pub what: Option<&'static str>,
    /// The cause to be named; none where the wire does not decide it.
    pub cause: Option<&'static str>,
}

impl Expected {
    /// The peer said why, or what was seen is the reason.
    const fn plain(id: &'static str) -> Expected {
        Expected { outcome: Outcome::Failed, what: Some(id), cause: Some(id) }
    }

    /// Something was seen, and the wire does not tell why.
    const fn undecided(what: &'static str) -> Expected {
        Expected { outcome: Outcome::Failed, what: Some(what), cause: None }
    }

    /// Something was seen, and a fact explains it.
    const fn because(what: &'static str, cause: &'static str) -> Expected {
        Expected { outcome: Outcome::Failed, what: Some(what), cause: Some(cause) }
    }
}

/// All scenes, in the order of a connection's steps; the last one goes well.
pub const SCENES: &[Scene] = &[
    Scene {
        name: "refused",
        story: "Remote Desktop is not running: nothing listens on the port.",
        host: Host::Absent,
        client: Client::Usual,
        expected: Expected::plain("tcp-refused-rst"),
    },
    Scene {
        name: "http",
        story: "The port forwarding leads to a web server.",
        host: Host::Web,
        client: Client::Usual,
        expected: Expected::plain("http-answer"),
    },
    Scene {
        name: "ssh",
        story: "The port number is wrong: an SSH server answers.",
        host: Host::Ssh,
        client: Client::Usual,
        expected: Expected::plain("non-rdp-endpoint"),
    },
    Scene {
        name: "tls-first",
        story: "The address is a gateway: it wants TLS from the first byte.",
        host: Host::TlsFirst,
        client: Client::Usual,
        expected: Expected::plain("tls-first-endpoint"),
    },
    Scene {
        name: "hang-up",
        story: "Something accepts the connection, reads the request and closes without a word.",
        host: Host::HangsUp,
        client: Client::Usual,
        expected: Expected::undecided("clean-close-no-reason"),
    },
    Scene {
        name: "nla-required",
        story: "The server demands Network Level Authentication, which the client has switched off.",
        host: Host::Refuses(5),
        client: Client::WithoutNla,
        expected: Expected::plain("nla-required"),
    },
    Scene {
        name: "no-cert",
        story: "The server lost its certificate, and says so.",
        host: Host::Refuses(3),
        client: Client::Usual,
        expected: Expected::plain("ssl-cert-not-on-server"),
    },
    Scene {
        name: "rdp-only",
        story: "The server falls back to the old RDP security; the client does not take that.",
        host: Host::NoTls,
        client: Client::Usual,
        expected: Expected::plain("neg-rsp-unrequested"),
    },
    Scene {
        name: "nla-missing",
        story: "The client insists on Network Level Authentication (restricted admin), which the server does not have.",
        host: Host::Tls(HostTls::Usual),
        client: Client::OnlyNla,
        expected: Expected::plain("nla-not-offered"),
    },
    Scene {
        name: "reset",
        story: "The server agrees to TLS and resets the connection at the first TLS message.",
        host: Host::ResetsAtHello,
        client: Client::Usual,
        expected: Expected::undecided("rst-genuine-server"),
    },
    Scene {
        name: "tls-broken",
        story: "The server agrees to TLS, can not load its key, and answers in clear.",
        host: Host::TlsFails,
        client: Client::Usual,
        expected: Expected::plain("tls-plaintext-after-hello"),
    },
    Scene {
        name: "tls-version",
        story: "The server does TLS 1.3 only, the client goes up to TLS 1.2.",
        host: Host::Tls(HostTls::Only13),
        client: Client::UpToTls12,
        expected: Expected::because("tls-alert-70", "no-common-version"),
    },
    Scene {
        name: "tls-cipher",
        story: "Server and client have no cipher suite in common; the alert says less than that.",
        host: Host::Tls(HostTls::OnlyAes),
        client: Client::OnlyChaCha,
        expected: Expected::undecided("tls-alert-40"),
    },
    Scene {
        name: "expired",
        story: "The server's certificate has expired, and the client refuses it.",
        host: Host::Tls(HostTls::Expired),
        client: Client::UpToTls12,
        expected: Expected::because("tls-alert-45", "cert-expired"),
    },
    Scene {
        name: "healthy",
        story: "Nothing is the matter: a session over TLS 1.3, ended by its user.",
        host: Host::Tls(HostTls::Usual),
        client: Client::Usual,
        expected: Expected { outcome: Outcome::Established, what: None, cause: None },
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use rdpwhy_analyzer::detect::rows;
    use std::collections::HashSet;

    #[test]
    fn there_are_enough_different_failures_and_one_healthy_connection() {
        let failures: Vec<&Scene> =
            SCENES.iter().filter(|scene| scene.expected.outcome == Outcome::Failed).collect();
        let kinds: HashSet<_> = failures.iter().map(|scene| scene.expected.what).collect();
        assert!(kinds.len() >= 8, "{kinds:?}");
        assert_eq!(kinds.len(), failures.len(), "two scenes show the same");
        assert_eq!(SCENES.len() - failures.len(), 1);
        let names: HashSet<_> = SCENES.iter().map(|scene| scene.name).collect();
        assert_eq!(names.len(), SCENES.len());
    }

    #[test]
    fn scenes_expect_what_the_catalogue_holds() {
        let known = |id: &str| {
            let alert = id.strip_prefix("tls-alert-").is_some_and(|n| n.parse::<u8>().is_ok());
            alert || rows().any(|row| row.id == id)
        };
        for scene in SCENES {
            let ids = [scene.expected.what, scene.expected.cause];
            for id in ids.into_iter().flatten() {
                assert!(known(id), "{}: {id} is in no table", scene.name);
            }
        }
    }
}
