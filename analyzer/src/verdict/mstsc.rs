//! What mstsc would have shown for this end. Inferred, never the cause.

use crate::facts::{Facts, Vantage};
use crate::input::{ConnectFailureKind, Direction, Leg};
use crate::report::{Mstsc, Outcome};
use crate::wire::x224::FailureCode;

/// "Winsock connect failed."
const CONNECT_FAILED: &str = "0x204";
/// "Winsock FD_CLOSE: socket closed."
const SOCKET_CLOSED: &str = "0x904";
/// "DNS lookup failed."
const NAME_NOT_FOUND: &str = "0x104";
/// The server requires NLA and the client has it off.
const NLA_REQUIRED: &str = "0xb09";

pub(super) fn mstsc(facts: &Facts, outcome: Outcome) -> Mstsc {
    let none = Mstsc { code: None, extended: None, basis: None, direct: None };
    if outcome != Outcome::Failed {
        return none;
    }
    let inferred = |code: &str, direct: Option<&str>| Mstsc {
        code: Some(code.to_owned()),
        extended: None,
        basis: Some("inferred".to_owned()),
        direct: direct.map(str::to_owned),
    };
    if let Some(direct) = without_connection(facts) {
        // The relay had accepted the client before it could know: the client saw a close.
        return match facts.subject.vantage {
            Vantage::Relay => inferred(SOCKET_CLOSED, Some(direct)),
            Vantage::Capture => inferred(direct, None),
        };
    }
    let failure = facts.x224.confirm.value().and_then(|confirm| confirm.failure());
    if failure == Some(FailureCode::HYBRID_REQUIRED_BY_SERVER) {
        return inferred(NLA_REQUIRED, None);
    }
    match facts.ending() {
        // A client that leaves by itself shows its own code, if any.
        Some(_) if facts.client_left().is_some() => none,
        // Nor does one that closes at the server's word hear of a close.
        Some(ending) if ending.dir == Direction::ToServer && !ending.both => none,
        Some(_) => inferred(SOCKET_CLOSED, None),
        None => none,
    }
}

/// The code for a server that was never reached.
fn without_connection(facts: &Facts) -> Option<&'static str> {
    let leg = facts.tcp.leg(Leg::Server);
    let last = leg.telling_attempt().filter(|_| !leg.opened.is_seen())?;
    Some(match last.failure.kind {
        ConnectFailureKind::NameNotFound(_) => NAME_NOT_FOUND,
        _ => CONNECT_FAILED,
    })
}
