//! How a session ended, in the words of the contract.

use super::legs;
use super::words::round;
use crate::facts::{Ending, Facts, InputEnd};
use crate::input::{Close, ConnectFailureKind, Direction, Leg, RelayNote, Timestamp};
use crate::report::{AfterBytes, Ended};

/// How a session ended, in the contract's words.
pub(super) fn ended(facts: &Facts) -> Ended {
    let nothing = Ended {
        leg: None,
        from: None,
        how: String::new(),
        errno: None,
        after_bytes: None,
        at_ms: None,
    };
    if let Some(fault) = facts.relay_fault() {
        let how =
            if matches!(fault.value, RelayNote::Error(_)) { "error" } else { "relay_deadline" };
        return Ended {
            from: Some("relay".into()),
            how: how.into(),
            at_ms: Some(round(facts.ms(fault.at.time))),
            after_bytes: Some(after(facts.streams.each_ref().map(|stream| stream.bytes))),
            ..nothing
        };
    }
    let leg = facts.tcp.leg(Leg::Server);
    if let Some(last) = leg.telling_attempt().filter(|_| !leg.opened.is_seen()) {
        return never_opened(facts, &last.failure.kind, last.at.time, nothing);
    }
    match facts.ending() {
        Some(ending) => closed(facts, ending),
        None => {
            let how =
                if facts.input_ended == Some(InputEnd::Capture) { "capture_end" } else { "open" };
            Ended { how: how.into(), ..nothing }
        }
    }
}

fn never_opened(facts: &Facts, kind: &ConnectFailureKind, at: Timestamp, nothing: Ended) -> Ended {
    let leg = legs::word(facts.source_leg(Direction::ToClient));
    let (how, from, errno) = match kind {
        ConnectFailureKind::Refused => ("rst", Some("server"), Some("ECONNREFUSED")),
        ConnectFailureKind::ResetAfterSynAck => ("rst", Some("server"), Some("ECONNRESET")),
        ConnectFailureKind::Icmp { .. } => ("icmp", None, None),
        ConnectFailureKind::NoAnswer => ("timeout", None, None),
        ConnectFailureKind::NameNotFound(_) | ConnectFailureKind::NameUnanswered => {
            ("never_opened", None, None)
        }
        ConnectFailureKind::Other(name) => ("error", None, Some(name.as_str())),
    };
    Ended {
        leg: Some(leg.into()),
        from: from.map(str::to_owned),
        how: how.into(),
        errno: errno.map(str::to_owned),
        at_ms: Some(round(facts.ms(at))),
        ..nothing
    }
}

fn closed(facts: &Facts, ending: &Ending) -> Ended {
    let from = facts.closer(ending).map(|dir| match dir {
        Direction::ToServer => "client",
        Direction::ToClient => "server",
    });
    let (how, errno) = match ending.how {
        Close::Fin => ("fin", None),
        Close::Rst => ("rst", Some("ECONNRESET")),
        Close::Error(name) => ("error", Some(name)),
    };
    let leg = if ending.both { "both" } else { legs::word(ending.at.leg()) };
    Ended {
        leg: Some(leg.into()),
        from: from.map(str::to_owned),
        how: how.into(),
        errno: errno.map(str::to_owned),
        after_bytes: Some(after(ending.after_bytes)),
        at_ms: Some(round(facts.ms(ending.at.time))),
    }
}

fn after([to_server, to_client]: [u64; 2]) -> AfterBytes {
    AfterBytes { to_server, to_client }
}
