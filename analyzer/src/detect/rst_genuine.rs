//! `rst-genuine-server`, `rst-genuine-client`: a RST ended the session, and nothing measured says that
//! another than its apparent sender made it; `rst-of-unclear-origin`: something does, and does not
//! decide. RFC 9293 3.5.3. Capped by vantage.

use super::battery;
use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::who;
use crate::case::Case;
use crate::facts::{Facts, Vantage};
use crate::input::{Close, ConnectFailureKind, Direction, Leg};

pub(super) const SERVER: Detector = Detector {
    id: "rst-genuine-server",
    kind: Kind::Phenomenon,
    class: Class::Abort,
    explains: &[],
    remedy: "Look in the server's logs at that second.",
    next: &[Next {
        what: "what the server logged at that second (read-only)",
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='System';Id=36870,36871,36874,36888,1057,1058} -MaxEvents 10",
        ),
    }],
    detect: |case| reset(case, Direction::ToClient),
};

pub(super) const CLIENT: Detector = Detector {
    id: "rst-genuine-client",
    kind: Kind::Phenomenon,
    class: Class::Abort,
    explains: &[],
    remedy: "Look at the client at that second: its own message, its event log, its antivirus.",
    next: &[Next {
        what: "what the client logged (on the client, read-only)",
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='Microsoft-Windows-TerminalServices-RDPClient/Operational';Id=1026} -MaxEvents 3",
        ),
    }],
    detect: |case| reset(case, Direction::ToServer),
};

pub(super) const UNCLEAR: Detector = Detector {
    id: "rst-of-unclear-origin",
    kind: Kind::Phenomenon,
    class: Class::Abort,
    explains: &[],
    remedy: "Find out who made the RST before anything is changed: capture at both ends and compare.",
    next: &[Next {
        what: "whether the RST left its apparent sender: captures from both ends, one verdict",
        command: Some("rdpwhy analyze --client-side A.pcapng --server-side B.pcapng"),
    }],
    detect: unclear,
};

/// A connection that was answered and reset before it carried a byte is no closed port.
fn behind_the_syn_ack(facts: &Facts) -> Option<Opinion> {
    let leg = facts.tcp.leg(Leg::Server);
    let last = leg.telling_attempt().filter(|_| !leg.opened.is_seen())?;
    if last.failure.kind != ConnectFailureKind::ResetAfterSynAck {
        return None;
    }
    let says = "The server side answered the TCP handshake and reset the connection before any byte was sent.";
    Some(Opinion::new(Band::High, says).party(Party::Unknown, Band::Weak).supports(Evidence::at(
        last.at,
        "the handshake was answered and reset before any byte was sent",
    )))
}

fn reset(case: &Case<'_>, dir: Direction) -> Option<Opinion> {
    let facts = case.this;
    let ending = facts.ending().filter(|ending| ending.dir == dir && ending.how == Close::Rst)?;
    let (party, band) = who::closer(facts, ending);
    let side = who::closing_side(facts, ending);
    let closing = who::closing_segment(facts, ending);
    if closing.is_some_and(|rst| !battery::of(facts, rst).is_clean()) {
        return None;
    }
    let mut opinion = Opinion::new(
        Band::High,
        format!(
            "{side} side ended the connection abruptly{} with a TCP reset {}.",
            who::step(facts),
            who::reason(facts, dir)
        ),
    )
    .party(party, band)
    .supports(who::ended(ending));
    opinion.supports.extend(who::goodbye(facts, ending));
    opinion.supports.extend(who::last_words(facts, dir));
    if facts.subject.vantage == Vantage::Relay && closing.is_none() {
        opinion = opinion
            .unknown("whether the host or a device on the way sent the RST: a relay without packets sees no TTL (--packets)");
    }
    Some(opinion)
}

fn unclear(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    if let Some(opinion) = behind_the_syn_ack(facts) {
        return Some(opinion);
    }
    let ending = facts.ending().filter(|ending| ending.how == Close::Rst && !ending.both)?;
    let tests = battery::of(facts, who::closing_segment(facts, ending)?);
    if tests.is_clean() {
        return None;
    }
    let side = who::sender(ending.dir);
    let says = format!(
        "The connection was cut{} by a TCP reset in the {side}'s name that does not look like the {side}'s other packets.",
        who::step(facts)
    );
    let mut opinion = Opinion::new(Band::High, says)
        .party(Party::Unknown, Band::Weak)
        .supports(who::ended(ending));
    opinion.supports.extend(tests.forged.into_iter().map(|test| test.evidence));
    opinion.supports.extend(tests.repeated);
    opinion.contradicts.extend(tests.genuine.into_iter().map(|test| test.evidence));
    Some(opinion.unknown("who made the RST: what differs does not decide"))
}
