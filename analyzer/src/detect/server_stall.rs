//! `server-stall`: the server lets a machine turn wait although the path is fine.

use std::time::Duration;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::stalled::stalled;
use super::who;
use crate::case::Case;
use crate::event::At;
use crate::facts::{Facts, TlsFacts};
use crate::input::{Direction, Timestamp};

pub(super) const DETECTOR: Detector = Detector {
    id: "server-stall",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Look at what the server waits for: domain controller, certificate revocation, broker, licence server or disk.",
    next: &[Next {
        what: "what the server logged at that second (read-only)",
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational'} -MaxEvents 20",
        ),
    }],
    detect,
};

/// No server needs this long for a step in which no user takes part.
const PATIENCE: Duration = Duration::from_secs(5);

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let hello = facts.tls.client_hello.seen()?;
    if facts.is_active() || is_clients_turn(&facts.tls) || !facts.would_show_an_answer() {
        return None;
    }
    // The client spoke last: the turn is the server's. Its own turns hold a user who reads and types.
    let (asked, until) = question(facts)?;
    let answered = facts.stream(Direction::ToClient).last;
    if answered.is_some_and(|answered| answered.time >= asked.time && answered.time <= until) {
        return None;
    }
    let silent = until.since(asked.time);
    let lost = who::all_acknowledged(facts, Direction::ToServer) == Some(false)
        || !who::nothing_out_of_order(facts)
        || stalled(facts).is_some();
    if silent < PATIENCE || lost {
        return None;
    }
    let seconds = silent.as_secs_f64();
    let known = who::all_acknowledged(facts, Direction::ToServer).is_some();
    let band = if known { Band::High } else { Band::Possible };
    let delivered = if known { ", although the network had delivered everything" } else { "" };
    let mut opinion = Opinion::new(
        band,
        format!("The server let the connection wait for {seconds:.0} s while it was being set up{delivered}."),
    )
    .party(Party::Server, Band::Possible)
    .supports(Evidence::at(asked, format!("nothing from the server for {seconds:.1} s after the client's last bytes")))
    .supports(Evidence::of(hello, "the TLS handshake had begun"));
    opinion = if known {
        opinion.supports(Evidence::absent(
            "everything sent to the server was acknowledged and nothing arrived out of order",
        ))
    } else {
        opinion.unknown("whether the server acknowledged the bytes")
    };
    Some(opinion)
}

/// The client's last words, and until when it waited for an answer. A goodbye asks nothing.
fn question(facts: &Facts) -> Option<(At, Timestamp)> {
    let said = facts.stream(Direction::ToServer);
    let goodbye = facts.tls.last_alert(Direction::ToServer);
    match goodbye.filter(|goodbye| said.last.is_some_and(|last| last.time == goodbye.time)) {
        Some(goodbye) => Some((said.before_last?, goodbye.time)),
        None => Some((said.last?, facts.ending().map_or(facts.now, |ending| ending.at.time))),
    }
}

/// After the handshake the client speaks first, and its user may be looking at a prompt: a Finished of
/// its own (TLS 1.3, resumption) is no question.
fn is_clients_turn(tls: &TlsFacts) -> bool {
    tls.is_established() && tls.client_data_records() == 0
}
