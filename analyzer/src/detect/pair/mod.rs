//! Opinions on a session that was captured at both ends. What left one end and did not arrive, arrived
//! and was never sent, or arrived otherwise, is the path's doing: these accusations carry their control.

mod certificate;
mod data;
mod fin;
mod hello;
mod located;
mod lost;
mod negotiation;
mod no_backend;
mod opening;
mod partner;
mod reset;
mod stack;
mod wrong_address;
mod x224;

pub(crate) use located::located;

use std::borrow::Cow;

use super::opinion::{Band, Control, Detector, Evidence, Next, Opinion, Party};
use crate::diff::{Diff, Key, Side};
use crate::facts::{Facts, Reached, Seen};

/// Every detector of two captures, in the order of their precedence.
pub const ALL: &[Detector] = &[
    x224::PROTOCOLS_CLEARED,
    x224::REQUEST_REMOVED,
    negotiation::RESPONSE_REWRITTEN,
    negotiation::FAILURE_FORGED,
    certificate::CLONED,
    certificate::SUBSTITUTED,
    hello::VERSION_DOWNGRADE,
    hello::REWRITTEN,
    // What came twice was not altered.
    data::INJECTED,
    data::TAMPERED,
    reset::INPATH_REJECT,
    reset::IDLE_RST,
    reset::LB_RESET,
    reset::TO_CLIENT,
    reset::TO_SERVER,
    fin::FIN_INJECTED,
    // Where not even the handshake came through, no message was picked out.
    opening::HALF_OPEN,
    lost::IDLE_SILENT,
    lost::TRIGGER_DROP,
    lost::BLACKHOLE_C2S,
    lost::BLACKHOLE_S2C,
    opening::FAKE_OPEN,
    no_backend::NO_BACKEND,
    // Seen, and open why.
    reset::UNCLEAR,
    lost::STALLED,
    // Where nothing compares but the way there.
    wrong_address::WRONG_ADDRESS,
    // True, and no explanation.
    x224::COOKIE_ALTERED,
    x224::CORRELATION_STRIPPED,
    negotiation::FLAGS_SHAPE,
    stack::STACK_MISMATCH,
    opening::TRANSPARENT_PROXY,
    opening::OPTION_REWRITE,
    partner::WITHOUT_PARTNER,
];

/// How a session ends that something else had spoiled before.
const ENDS: &[&str] = &[
    "clean-close-no-reason",
    "rst-genuine-",
    "truncated-tls",
    "service-down-after-accept",
    "server-stall",
    "packet-loss",
    "lb-no-backend",
    "rst-of-unclear-origin",
];

/// Where to look for what stands between the two captures.
const BETWEEN: &[Next] = &[Next {
    what: "which device between the two captures does it: capture behind each of them in turn and compare again",
    command: Some(
        "rdpwhy analyze --vantage client=A.pcapng --vantage middle=M.pcapng --vantage server=B.pcapng",
    ),
}];

/// An opinion that the comparison proves, no surer than that both captures hold one session.
fn proved(diff: &Diff, band: Band, says: impl Into<Cow<'static, str>>) -> Opinion {
    let band = capped(diff, band);
    let opinion = Opinion::new(band, says).party(Party::Network, band);
    match diff.key {
        // Perhaps another session: no control.
        Key::Time => opinion.unknown("whether the session at the server's side is this one"),
        _ => opinion.control(Some(Control::Pair)),
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
fn at_client<T>(seen: &Seen<T>, fact: impl Into<Cow<'static, str>>) -> Evidence {
    Evidence::of(seen, fact).side(Side::Client)
}

/// Something seen at the server's side.
fn at_server<T>(seen: &Seen<T>, fact: impl Into<Cow<'static, str>>) -> Evidence {
    Evidence::of(seen, fact).side(Side::Server)
}

/// A change of the negotiation that the session outlived explains no later end.
fn unless_outlived(opinion: Opinion, facts: &Facts) -> Opinion {
    if went_on(facts) { opinion.only_a_fact() } else { opinion }
}

/// The session came through its negotiation.
fn went_on(facts: &Facts) -> bool {
    let licensed = facts.reached().is_some_and(|(reached, _)| reached >= Reached::Licensing);
    licensed || facts.tls.is_established()
}
