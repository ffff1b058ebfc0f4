//! `rst-genuine-server`, `rst-genuine-client`: a RST ended the session, and nothing measured says that
//! another than its apparent sender made it. RFC 9293 3.5.3. Capped by vantage.

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

/// A connection that was answered and reset before it carried a byte is no closed port.
fn behind_the_syn_ack(facts: &Facts) -> Option<Opinion> {
    let leg = facts.tcp.leg(Leg::Server);
    let last = leg.attempts.last().filter(|_| !leg.opened.is_seen())?;
    if last.failure.kind != ConnectFailureKind::ResetAfterSynAck {
        return None;
    }
    let says = "The server side answered the TCP handshake and reset the connection before any byte was sent.";
    Some(Opinion::new(Band::High, says).party(Party::Server, Band::Possible).supports(
        Evidence::at(last.at, "the handshake was answered and reset before any byte was sent"),
    ))
}

fn reset(case: &Case<'_>, dir: Direction) -> Option<Opinion> {
    let facts = case.this;
    if dir == Direction::ToClient
        && let Some(opinion) = behind_the_syn_ack(facts)
    {
        return Some(opinion);
    }
    let ending = facts.ending().filter(|ending| ending.dir == dir && ending.how == Close::Rst)?;
    let (party, band) = who::closer(facts, ending);
    let side = who::sender(dir);
    let foreign = who::foreign_ttl(facts, dir);
    let what = if foreign.is_some() { Band::Possible } else { Band::High };
    let mut opinion = Opinion::new(
        what,
        format!(
            "The {side} side ended the connection abruptly{} with a TCP reset {}.",
            who::step(facts),
            who::reason(facts, dir)
        ),
    )
    .party(party, band)
    .supports(who::ended(ending));
    opinion.supports.extend(who::ultimatum(facts, dir));
    if let Some(foreign) = foreign {
        opinion = opinion.contradicts(foreign);
    }
    if facts.subject.vantage == Vantage::Relay {
        opinion = opinion
            .unknown("whether the host or a device on the way sent the RST: a relay sees no TTL");
    }
    Some(opinion)
}
