//! Opinions on a session that was captured at both ends. What left one end and did not arrive, arrived
//! and was never sent, or arrived otherwise, is the path's doing: these accusations carry their control.

mod certificate;
mod data;
mod fin;
mod hello;
mod located;
mod lost;
mod negotiation;
mod opening;
mod partner;
mod reset;
mod x224;

pub(super) use certificate::{CLONED, SUBSTITUTED};
pub(super) use data::{INJECTED, TAMPERED};
pub(super) use fin::FIN_INJECTED;
pub(super) use hello::{REWRITTEN, VERSION_DOWNGRADE};
pub(crate) use located::located;
pub(super) use lost::{BLACKHOLE_C2S, BLACKHOLE_S2C, IDLE_SILENT, TRIGGER_DROP};
pub(super) use negotiation::{FAILURE_FORGED, FLAGS_SHAPE, RESPONSE_REWRITTEN};
pub(super) use opening::{FAKE_OPEN, HALF_OPEN, OPTION_REWRITE, TRANSPARENT_PROXY};
pub(super) use partner::WITHOUT_PARTNER;
pub(super) use reset::{IDLE_RST, INPATH_REJECT, LB_RESET, TO_CLIENT, TO_SERVER};
pub(super) use x224::{COOKIE_ALTERED, CORRELATION_STRIPPED, PROTOCOLS_CLEARED, REQUEST_REMOVED};

use super::opinion::{Band, Control, Evidence, Next, Opinion, Party};
use crate::diff::{Diff, Key, Side};
use crate::facts::{Facts, Reached, Seen};

/// How a session ends that something else had spoiled before.
const ENDS: &[&str] = &[
    "clean-close-no-reason",
    "rst-genuine-",
    "truncated-tls",
    "service-down-after-accept",
    "server-stall",
    "packet-loss",
    "lb-no-backend",
];

/// Where to look for what stands between the two captures.
const BETWEEN: &[Next] = &[Next {
    what: "which device between the two captures does it: capture behind each of them in turn and compare again",
    command: Some(
        "rdpwhy analyze --vantage client=A.pcapng --vantage middle=M.pcapng --vantage server=B.pcapng",
    ),
}];

/// An opinion that the comparison proves, no surer than that both captures hold one session.
fn proved(diff: &Diff, band: Band, says: impl Into<String>) -> Opinion {
    let band = capped(diff, band);
    let opinion = Opinion::new(band, says).party(Party::Network, band);
    match diff.key {
        // Perhaps another session: no control.
        Key::Time => opinion.unknown("whether the session at the server's side is this one"),
        _ => opinion.control(Control::Pair),
    }
}

/// No surer than that both captures hold one session.
fn capped(diff: &Diff, band: Band) -> Band {
    match diff.key {
        Key::Random => band,
        Key::Request => band.min(Band::High),
        Key::Time => Band::Weak,
    }
}

/// Something seen at the client's side.
fn at_client<T>(seen: &Seen<T>, fact: impl Into<String>) -> Evidence {
    Evidence::of(seen, fact).side(Side::Client)
}

/// Something seen at the server's side.
fn at_server<T>(seen: &Seen<T>, fact: impl Into<String>) -> Evidence {
    Evidence::of(seen, fact).side(Side::Server)
}

/// A change of the negotiation that the session outlived explains no later end.
fn unless_outlived(opinion: Opinion, facts: &Facts) -> Opinion {
    let went_on = facts.reached().is_some_and(|(reached, _)| reached >= Reached::Licensing);
    let outlived = went_on || facts.tls.is_established();
    if outlived { opinion.only_a_fact() } else { opinion }
}
