//! Two captures of one session: what they prove together, what a clean path looks like, and what looks
//! alike and is not the path's doing.

mod content;
mod names;
mod nobody;
mod transport;

use super::silent;
use crate::input::SegmentKind;
use crate::report::{Connection, Outcome, Vantage};
use crate::testing::{ToServer, Trace};

pub(super) const FIRED: &[&str] = &[
    "x224-protocols-cleared",
    "x224-negreq-removed",
    "x224-cookie-altered",
    "x224-correlation-stripped",
    "neg-rsp-rewritten",
    "neg-failure-forged",
    "neg-flags-shape",
    "clienthello-rewritten",
    "tls-stack-mismatch",
    "tls-version-downgrade",
    "tls-cert-substituted",
    "tls-cert-cloned",
    "tls-record-tampered",
    "data-injected",
    "rst-inpath-reject",
    "rst-injected-toclient",
    "rst-injected-toserver",
    "idle-timeout-rst",
    "lb-reset",
    "fin-injected",
    "payload-trigger-drop",
    "pmtu-blackhole-c2s",
    "pmtu-blackhole-s2c",
    "idle-timeout-silent",
    "half-open-asymmetric",
    "syn-proxy-fake-open",
    "transparent-tcp-proxy",
    "tcp-option-rewrite",
    "dns-wrong-address",
    "not-in-other-capture",
];

/// TCP up, as every capture of these scripts holds it.
fn start() -> Trace {
    Trace::capture().shaken().after_ms(5)
}

/// The client gives up after an answer that it can not use.
fn gives_up(trace: Trace) -> Trace {
    trace.after_ms(5).ended(ToServer, SegmentKind::Fin, 900)
}

#[track_caller]
fn proves(report: &Connection, id: &str, party: &str) {
    let verdict = &report.verdict;
    assert_eq!(report.outcome, Outcome::Failed, "{report:#?}");
    assert_eq!(verdict.what.as_deref(), Some(id), "{report:#?}");
    assert_eq!(
        (verdict.cause.as_deref(), verdict.party.as_str()),
        (Some(id), party),
        "{report:#?}"
    );
    assert_eq!(report.vantage, Vantage::V6);
}

/// No pair opinion stands anywhere in a report.
#[track_caller]
fn clean(report: &Connection) {
    for id in FIRED {
        silent(report, id);
    }
}
