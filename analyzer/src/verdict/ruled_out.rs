//! What the facts exclude. Only rows that a reader would otherwise suspect, each with the fact that
//! excludes it.

use crate::detect::Evidence;
use crate::facts::{Facts, Reached};
use crate::input::{Direction, Leg};

pub(super) fn ruled_out(facts: &Facts) -> Vec<(&'static str, Evidence)> {
    let mut out = Vec::new();
    if let Some(opened) = facts.tcp.leg(Leg::Server).opened.seen() {
        let fact = Evidence::of(opened, "the TCP handshake with the server side completed");
        out.push(("tcp-syn-drop", fact.clone()));
        out.push(("tcp-refused-rst", fact));
    }
    if let Some(confirm) = facts.x224.confirm.seen() {
        let fact = Evidence::of(
            confirm,
            "the server answered the X.224 request with a Connection Confirm",
        );
        out.push(("non-rdp-endpoint", fact.clone()));
        out.push(("service-down-after-accept", fact.clone()));
        out.push(("lb-no-backend", fact));
        if let Some(selected) = confirm.value.selected() {
            let fact = Evidence::of(
                confirm,
                format!("the server selected {selected} and refused nothing"),
            );
            out.push(("nla-required", fact.clone()));
            out.push(("ssl-cert-not-on-server", fact));
        }
    }
    credentials(facts, &mut out);
    black_hole(facts, &mut out);
    out
}

/// Nobody was asked for a password before the handshake was over.
fn credentials(facts: &Facts, out: &mut Vec<(&'static str, Evidence)>) {
    let before = facts.reached().is_some_and(|(reached, _)| reached < Reached::TlsFinished);
    if let Some(ending) = facts.ending().filter(|_| before && facts.x224.confirm.is_seen()) {
        out.push((
            "nla-bad-credentials",
            Evidence::at(ending.at, "the connection ended before any credentials were sent"),
        ));
    }
}

/// A path that loses full-size packets ends by a timeout, not within a second of the last answer.
fn black_hole(facts: &Facts, out: &mut Vec<(&'static str, Evidence)>) {
    const SECOND_NS: u128 = 1_000_000_000;
    let Some(ending) = facts.ending() else { return };
    // What the client says behind the end has waited for nothing.
    let Some(asked) = ending.last[Direction::ToServer.index()] else { return };
    let waited = ending.at.time.since(asked).as_nanos();
    if facts.tls.client_hello.is_seen() && ending.dir == Direction::ToClient && waited < SECOND_NS {
        let fact = format!(
            "the server side closed {:.1} ms after the client's last bytes",
            waited as f64 / 1e6
        );
        out.push(("pmtu-blackhole-s2c", Evidence::at(ending.at, fact)));
    }
}
