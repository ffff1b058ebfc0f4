//! The catalogue: every phenomenon and cause that the product knows of, from where it can be told, and what is
//! proven of it. Rows with a detector are told by this build; the others are planned.

use crate::detect::{Class, rows};
use crate::report::Vantage::{self, V1, V2, V3, V6};
use Class::{
    Abort, Benign, Credentials, Downgrade, Interference, Performance, Reachability, Relay,
    ServerConfig, Session,
};

/// One row of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The product's id.
    pub id: &'static str,
    /// What it belongs to.
    pub class: Class,
    /// Vantages that establish it.
    pub establish: &'static [At],
    /// Vantages that only suggest it.
    pub suggest: &'static [At],
}

/// How much is known of a row's truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Made for real in the laboratory, and told there.
    Proven,
    /// Told by this build from its specification: nobody could make it for real, or the laboratory has not
    /// seen it told yet.
    SpecificationOnly,
    /// Needs facts that nothing in this build gathers.
    Planned,
}

/// What the held-out half of the laboratory measured of a row.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Measured {
    /// Of its verdicts, the right ones; `None` where there was none.
    pub precision: Option<f64>,
    /// Of the sessions that had it, those that were told; `None` where there was none.
    pub recall: Option<f64>,
    /// Sessions that had it, each counted once per vantage.
    pub support: u64,
}

impl Row {
    /// What is proven of it.
    pub fn status(&self) -> Status {
        let told = rows().any(|row| row.id == self.id);
        match (told, measured(self.id)) {
            (false, _) => Status::Planned,
            (true, Some(Measured { recall: Some(recall), .. })) if recall > 0.0 => Status::Proven,
            (true, _) => Status::SpecificationOnly,
        }
    }
}

/// The laboratory's figures of an id.
pub fn measured(id: &str) -> Option<Measured> {
    let mut lines = include_str!("measured.tsv").lines().map(|line| line.split('\t'));
    lines.find_map(|mut fields| {
        let found = fields.next() == Some(id);
        let [precision, recall] =
            [(); 2].map(|()| fields.next().and_then(|cell| cell.parse().ok()));
        let support = fields.next()?.parse().ok()?;
        found.then_some(Measured { precision, recall, support })
    })
}

/// A vantage of the field guide: [`Vantage`] and those that nothing in this build has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// One of this build's.
    Here(Vantage),
    /// V4: decrypted.
    Decrypted,
    /// V5: an active probe.
    Probe,
}

impl At {
    /// `V1` to `V6`.
    pub fn name(self) -> &'static str {
        match self {
            At::Here(V1) => "V1",
            At::Here(V2) => "V2",
            At::Here(V3) => "V3",
            At::Here(V6) => "V6",
            At::Decrypted => "V4",
            At::Probe => "V5",
        }
    }
}

const fn row(
    id: &'static str,
    class: Class,
    establish: &'static [At],
    suggest: &'static [At],
) -> Row {
    Row { id, class, establish, suggest }
}

const P1: At = At::Here(V1);
const P2: At = At::Here(V2);
const P3: At = At::Here(V3);
const P6: At = At::Here(V6);

/// Every row, in the order of a connection's life, those of this product's own last.
pub const ROWS: &[Row] = &[
    row("dns-wrong-address", Reachability, &[At::Probe, P6], &[]),
    row("tcp-syn-drop", Reachability, &[At::Probe, P6], &[P1, P2]),
    row("tcp-refused-rst", Reachability, &[P1, P2], &[]),
    row("icmp-reject", Reachability, &[P1, P2], &[]),
    row("syn-proxy-fake-open", Interference, &[P1, P3, P6], &[P2]),
    row("half-open-asymmetric", Reachability, &[P6], &[P1]),
    row("non-rdp-endpoint", Reachability, &[P1, P2], &[]),
    row("http-answer", Reachability, &[P1, P2], &[]),
    row("tls-first-endpoint", Reachability, &[P1, P2], &[]),
    row("proxy-connect-needed", Reachability, &[At::Probe], &[P1, P2]),
    row("lb-no-backend", Reachability, &[P6], &[P1, P2, At::Probe]),
    row("service-down-after-accept", ServerConfig, &[P2, At::Probe], &[]),
    row("rst-injected-toclient", Interference, &[P1, P3, At::Probe, P6], &[]),
    row("rst-injected-toserver", Interference, &[P6], &[P1, P3]),
    row("rst-inpath-reject", Interference, &[P6], &[P2, P3]),
    row("rst-genuine-server", Abort, &[P6], &[P1]),
    row("rst-genuine-client", Abort, &[P3, P6], &[P1]),
    row("fin-injected", Interference, &[P1, P6], &[]),
    row("data-injected", Interference, &[P1, P6], &[]),
    row("payload-trigger-drop", Interference, &[At::Probe, P6], &[P2]),
    row("idle-timeout-silent", Interference, &[P2, At::Probe], &[P1]),
    row("idle-timeout-rst", Interference, &[P3, P6], &[P1]),
    row("lb-reset", Interference, &[P6], &[P1]),
    row("tcp-option-rewrite", Interference, &[P2, At::Probe, P6], &[]),
    row("transparent-tcp-proxy", Interference, &[P6], &[P1]),
    row("pmtu-blackhole-s2c", Interference, &[P1, P2, At::Probe], &[]),
    row("pmtu-blackhole-c2s", Interference, &[P1, P2, At::Probe], &[]),
    row("packet-loss", Performance, &[P2, P3], &[]),
    row("reordering-duplication", Performance, &[P1, P2], &[]),
    row("slow-path-timeout", Performance, &[P2, P3], &[]),
    row("server-stall", ServerConfig, &[P2], &[]),
    row("zero-window-stall", Performance, &[P1, P2], &[]),
    row("clean-close-no-reason", Abort, &[P1, P2], &[]),
    row("truncated-tls", Abort, &[P1, P2], &[]),
    row("client-rehearsal-close", Benign, &[P1, P2], &[]),
    row("x224-cookie-altered", Interference, &[P6], &[At::Decrypted]),
    row("x224-correlation-stripped", Interference, &[P6], &[P2]),
    row("x224-protocols-cleared", Downgrade, &[At::Decrypted, P6], &[]),
    row("x224-negreq-removed", Downgrade, &[P6], &[P2]),
    row("neg-rsp-rewritten", Downgrade, &[At::Decrypted, P6], &[P1, P2]),
    row("neg-rsp-unrequested", ServerConfig, &[P1, P2], &[]),
    row("neg-flags-shape", Interference, &[At::Probe, P6], &[P1]),
    row("neg-failure-forged", Downgrade, &[P6], &[]),
    row("core-echo-mismatch", Downgrade, &[At::Decrypted], &[]),
    row("ssl-not-allowed", ServerConfig, &[P1, P2, At::Probe], &[]),
    row("ssl-required", ServerConfig, &[P1, P2], &[]),
    row("nla-required", ServerConfig, &[P1, P2], &[]),
    row("nla-not-offered", ServerConfig, &[At::Probe], &[P1, P2]),
    row("ssl-cert-not-on-server", ServerConfig, &[P1, P2], &[]),
    row("neg-inconsistent-flags", ServerConfig, &[P1, P2], &[]),
    row("nego-failure-tail", ServerConfig, &[P1], &[]),
    row("server-redirection", Session, &[At::Decrypted], &[P1]),
    row("tls-cert-substituted", Interference, &[P6], &[P1, At::Probe]),
    row("tls-cert-cloned", Interference, &[P6], &[At::Probe]),
    row("tls-stack-mismatch", Interference, &[P6], &[P1, At::Probe]),
    row("clienthello-rewritten", Interference, &[P6], &[]),
    row("tls13-sentinel", Downgrade, &[P1, P2], &[]),
    row("tls-version-downgrade", Downgrade, &[At::Probe, P6], &[]),
    row("tls-cipher-downgrade", Downgrade, &[P1, At::Probe], &[]),
    row("fallback-retry", Downgrade, &[P1, P2], &[]),
    row("tls-version-intolerance", Interference, &[At::Probe], &[]),
    row("ch-fragmentation-intolerance", Interference, &[At::Probe], &[]),
    row("tls-record-tampered", Interference, &[P6], &[At::Decrypted]),
    row("credssp-pubkey-mismatch", Interference, &[At::Decrypted, P6], &[P2]),
    row("channel-binding-refused", Credentials, &[At::Decrypted], &[]),
    row("tls-alert-N", Abort, &[P1, P2], &[]),
    row("cert-expired", ServerConfig, &[P1, P2, At::Decrypted, At::Probe], &[]),
    row("cert-self-signed", ServerConfig, &[P1, P2, At::Decrypted, At::Probe], &[]),
    row("cert-untrusted-chain", ServerConfig, &[P1, P2, At::Decrypted, At::Probe], &[]),
    row("cert-name-mismatch", ServerConfig, &[P1, P2, At::Decrypted, At::Probe], &[]),
    row("cert-malformed", ServerConfig, &[P1, P2, At::Probe], &[]),
    row("cert-key-inaccessible", ServerConfig, &[], &[P1, P2]),
    row("tls-plaintext-after-hello", ServerConfig, &[P1, P2], &[]),
    row("no-common-version", ServerConfig, &[P1, P2, At::Probe], &[]),
    row("no-common-cipher", ServerConfig, &[P1, P2, At::Probe], &[]),
    row("client-rejects-cert", Abort, &[P1, P2], &[]),
    row("server-rejects-client-cert", Credentials, &[P1], &[]),
    row("nla-bad-credentials", Credentials, &[At::Decrypted], &[P2]),
    row("nla-account-restriction", Credentials, &[At::Decrypted], &[]),
    row("credssp-oracle-remediation", Credentials, &[At::Decrypted], &[P2]),
    row("credssp-no-authority", Credentials, &[At::Decrypted], &[P1]),
    row("early-auth-denied", Credentials, &[At::Decrypted], &[]),
    row("session-replaced", Session, &[At::Decrypted], &[P1]),
    row("session-idle-logon-timeout", Session, &[At::Decrypted], &[P1]),
    row("server-denied", Session, &[At::Decrypted], &[]),
    row("licensing-failure", Session, &[P1, P2, At::Decrypted], &[]),
    row("server-crash-close", Session, &[At::Decrypted], &[P1]),
    row("user-cancel", Session, &[At::Decrypted], &[P1]),
    row("relay-induced", Relay, &[P2], &[]),
    row("name-not-found", Reachability, &[P2], &[]),
    row("connect-error", Reachability, &[P2], &[]),
    row("neg-failure-other", ServerConfig, &[P1, P2], &[]),
    row("neg-rsp-absent", ServerConfig, &[P1, P2], &[]),
    row("server-error-info", Session, &[P1, P2, At::Decrypted], &[]),
    row("rst-of-unclear-origin", Abort, &[P1, P3], &[]),
    row("transmission-stalled", Performance, &[P1, P2], &[]),
    row("unanswered-turn", Performance, &[P1, P2], &[]),
    row("rst-immune", Relay, &[P2], &[]),
    row("proxy-header-sent", Relay, &[P2], &[]),
    row("not-in-other-capture", Reachability, &[P6], &[]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_detector_is_in_the_catalogue_with_its_class() {
        let ids: BTreeSet<&str> = ROWS.iter().map(|row| row.id).collect();
        assert_eq!(ids.len(), ROWS.len(), "an id stands twice");
        for detector in rows() {
            let row = ROWS.iter().find(|row| row.id == detector.id);
            let row = row.unwrap_or_else(|| panic!("{} is in no row", detector.id));
            assert_eq!(row.class, detector.class, "{}", row.id);
        }
    }

    #[test]
    fn a_row_without_a_detector_is_planned() {
        let status = |id| ROWS.iter().find(|row| row.id == id).unwrap().status();
        assert_eq!(status("early-auth-denied"), Status::Planned);
        assert_ne!(status("nla-required"), Status::Planned);
        assert_eq!(measured("no-such-row"), None);
    }
}
