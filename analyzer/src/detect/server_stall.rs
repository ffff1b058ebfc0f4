//! `unanswered-turn`: the server side lets a machine turn wait. `server-stall`: and it is the server, for the
//! path is fine. A first flight that is too large for the path gets lost as a whole and looks the same, so
//! the server is to blame only where something as large has come from it before.

use std::time::Duration;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::slow_path_timeout;
use super::stalled::stalled;
use super::who;
use crate::case::Case;
use crate::event::At;
use crate::facts::{Facts, TlsFacts};
use crate::input::{Direction, Leg, Timestamp};

pub(super) const UNANSWERED: Detector = Detector {
    id: "unanswered-turn",
    kind: Kind::Phenomenon,
    class: Class::Performance,
    explains: &["clean-close-no-reason", "rst-genuine-", "truncated-tls"],
    remedy: "Find out whether the server did not answer or its answer was lost: look at both ends before anything is changed.",
    next: LOG,
    detect: unanswered_turn,
};

pub(super) const DETECTOR: Detector = Detector {
    id: "server-stall",
    kind: Kind::Cause,
    class: Class::ServerConfig,
    explains: &["unanswered-turn", "clean-close-no-reason", "rst-genuine-"],
    remedy: "Look at what the server waits for: domain controller, certificate revocation, broker, licence server or disk.",
    next: LOG,
    detect,
};

const LOG: &[Next] = &[Next {
    what: "what the server logged at that second (read-only)",
    command: Some(
        "Get-WinEvent -FilterHashtable @{LogName='Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational'} -MaxEvents 20",
    ),
}];

/// No server needs this long for a step in which no user takes part.
const PATIENCE: Duration = Duration::from_secs(5);
/// No path is so narrow that a smaller answer of the server's would need two packets.
const FULL_SIZE: u64 = 1200;

/// A turn of the server's that it let wait.
pub(super) struct Turn {
    asked: At,
    silent: Duration,
    /// The vantage tells that the question was acknowledged, and that nothing came out of order.
    acknowledged: bool,
}

/// The machine turn in which the server side said nothing, although nothing known was lost.
pub(super) fn unanswered(facts: &Facts) -> Option<Turn> {
    facts.tls.client_hello.seen()?;
    // A record that the client has not finished is no question.
    let unfinished = facts.stream(Direction::ToServer).open_frame.is_some();
    if unfinished
        || facts.is_active()
        || is_clients_turn(&facts.tls)
        || !facts.would_show_an_answer()
    {
        return None;
    }
    // The client spoke last: the turn is the server's. Its own turns hold a user who reads and types.
    let (asked, until) = question(facts)?;
    // An answer that came in time counts, whatever else comes behind the end.
    let last = || facts.stream(Direction::ToClient).last.map(|last| last.time);
    let answered = facts.ending().map_or_else(last, |end| end.last[Direction::ToClient.index()]);
    if answered.is_some_and(|answered| answered >= asked.time && answered <= until) {
        return None;
    }
    let silent = until.since(asked.time);
    if silent < PATIENCE || is_on_its_way(facts, silent) {
        return None;
    }
    let known = who::all_acknowledged(facts, Direction::ToServer);
    let in_order = who::nothing_out_of_order(facts);
    let lost = known == Some(false) || in_order == Some(false) || stalled(facts).is_some();
    let acknowledged = known.is_some() && in_order.is_some();
    (!lost).then_some(Turn { asked, silent, acknowledged })
}

/// No answer could have come yet: the path takes as long.
fn is_on_its_way(facts: &Facts, silent: Duration) -> bool {
    slow_path_timeout::round_trip(facts).is_some_and(|(_, _, round)| silent < round.mul_f64(1.5))
}

/// Nothing as large as a full packet has come from the server yet.
pub(super) fn nothing_large_came(facts: &Facts) -> bool {
    let came = facts.stream(Direction::ToClient).bytes;
    largest_packet(facts).unwrap_or(came) < FULL_SIZE
}

/// The payload of the largest packet from the server, in bytes; `None` where the vantage does not tell.
fn largest_packet(facts: &Facts) -> Option<u64> {
    let leg = facts.tcp.leg(Leg::Server);
    let captured = leg.counts().map(|counts| counts[Direction::ToClient.index()].largest);
    let estimated = || leg.socket.as_ref().and_then(|socket| socket.value.rcv_mss);
    let came = facts.stream(Direction::ToClient).bytes;
    captured.or_else(estimated).map(|largest| came.min(largest.into()))
}

fn unanswered_turn(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let turn = unanswered(facts)?;
    let band = if turn.acknowledged { Band::High } else { Band::Possible };
    let taken = if turn.acknowledged { " took what the client said and" } else { "" };
    let seconds = turn.silent.as_secs_f64();
    let says =
        format!("The server side{taken} did not answer for {seconds:.0} s{}.", who::step(facts));
    Some(turn.argue(Opinion::new(band, says).party(Party::Unknown, Band::Weak)))
}

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let turn = unanswered(facts)?;
    let narrow = nothing_large_came(facts);
    // A server that answers after all, when the client has left, was slow and not stuck.
    let slow =
        facts.stream(Direction::ToClient).last.is_some_and(|last| last.time > turn.asked.time);
    let band = match (narrow, turn.acknowledged && !slow) {
        (true, _) => Band::Weak,
        (false, true) => Band::High,
        (false, false) => Band::Possible,
    };
    let seconds = turn.silent.as_secs_f64();
    let says =
        format!("The server let the connection wait for {seconds:.0} s while it was being set up.");
    let opinion = turn.argue(Opinion::new(band, says).party(Party::Server, Band::Possible));
    Some(if narrow {
        opinion.unknown(
            "whether its first large answer was lost on the way as a whole: none had come before",
        )
    } else {
        opinion.supports(Evidence::absent(match largest_packet(facts) {
            Some(largest) => format!(
                "{largest} bytes of the server had come in one packet before: full ones pass"
            ),
            None => format!(
                "{} bytes of the server had come before",
                facts.stream(Direction::ToClient).bytes
            ),
        }))
    })
}

impl Turn {
    fn argue(&self, opinion: Opinion) -> Opinion {
        let seconds = self.silent.as_secs_f64();
        let waited =
            format!("nothing from the server for {seconds:.1} s after the client's last bytes");
        let opinion = opinion.supports(Evidence::at(self.asked, waited));
        if self.acknowledged {
            opinion.supports(Evidence::absent(
                "everything sent to the server was acknowledged and nothing arrived out of order",
            ))
        } else {
            opinion.unknown("whether the server acknowledged the bytes")
        }
    }
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
pub(super) fn is_clients_turn(tls: &TlsFacts) -> bool {
    tls.is_established() && tls.client_data_records() == 0
}
