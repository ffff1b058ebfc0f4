//! `tls-alert-N`: one side gave up with an alert in clear. RFC 8446 6. The number says what that side
//! chose to send, not why: stacks differ.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::{tls_cipher_downgrade, tls13_sentinel, who};
use crate::case::Case;
use crate::facts::{AlertSeen, Facts, Seen};
use crate::input::{Direction, Segment};

pub(super) const DETECTOR: Detector = Detector {
    id: "tls-alert-N",
    kind: Kind::Phenomenon,
    class: Class::Abort,
    explains: &["clean-close-no-reason", "rst-genuine-", "truncated-tls"],
    remedy: "See the causes below; the log of the side that sent the alert names its reason.",
    next: &[
        Next {
            what: "what the number means and what it does not tell",
            command: Some("rdpwhy explain alert:N"),
        },
        Next {
            what: "what Schannel logged (on the Windows side, read-only)",
            command: Some(
                "Get-WinEvent -FilterHashtable @{LogName='System';ProviderName='Schannel'} -MaxEvents 5",
            ),
        },
    ],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let (seen, alert) = facts.tls.fatal_alert(None)?;
    // Who answers an end with an alert did not bring it about.
    if facts.ending().is_some_and(|end| end.dir != seen.value.dir && end.at.is_before(seen.at)) {
        return None;
    }
    let side = who::sender(seen.value.dir);
    let none_seen =
        facts.tls.client_hello.seen().is_none() && facts.tls.server_hello.seen().is_none();
    let gave_up = match facts.lacks_words() && none_seen {
        true => format!("The {side} ended the connection with TLS alert"),
        false => format!(
            "The {side} gave up the TLS handshake{} with alert",
            step(facts, seen.value.dir)
        ),
    };
    let number = alert.description.0;
    // Who notices that the way changed its hello does not bring it about.
    let illegal = tls13_sentinel::betrays(facts).is_some()
        || tls_cipher_downgrade::not_offered(facts).is_some();
    let changed = seen.value.dir == Direction::ToServer && illegal;
    let party = match changed {
        true => (Party::Unknown, Band::Weak),
        false => whose(facts, seen),
    };
    Some(
        Opinion::new(Band::Certain, format!("{gave_up} {number} ({}).", alert.description))
            .id(format!("tls-alert-{number}"))
            .party(party.0, party.1)
            .supports(Evidence::of(
                seen,
                format!("fatal TLS alert {number} {} from the {side}", alert.description),
            )),
    )
}

/// Whose an alert in clear is.
pub(super) fn whose(facts: &Facts, alert: &Seen<AlertSeen>) -> (Party, Band) {
    // Who was sent what the other did not write answers that.
    let answers = who::came_in_two_versions(facts, alert.value.dir.reverse());
    let closed = facts.lacks_fin(alert.value.dir.reverse());
    if answers || closed || two_writers(facts, alert.value.dir) {
        return (Party::Unknown, Band::Weak);
    }
    // A relay without packets can not tell whose alert it is within a leg.
    let band = if facts.has_packets(alert.at.leg()) { Band::High } else { Band::Possible };
    (who::endpoint(alert.value.dir), band)
}

/// Between which messages it was, as a clause with a leading space; nothing where messages may not be in the input.
fn step(facts: &Facts, dir: Direction) -> &'static str {
    let answered = facts.tls.server_hello.is_seen() || facts.tls.hello_retry.is_seen();
    match (answered, facts.tls.client_hello.is_seen(), dir) {
        (true, ..) => " after the server's hello",
        _ if !facts.is_complete() => "",
        (false, true, Direction::ToClient) => " in answer to the client's hello",
        (false, true, Direction::ToServer) => " after its own hello",
        (false, false, _) => " before any hello",
    }
}

/// Where the stream came in two versions, or in packets that came different ways, an alert in clear may be
/// anybody's.
fn two_writers(facts: &Facts, dir: Direction) -> bool {
    let leg = facts.tcp.leg(facts.source_leg(dir));
    let several = |seen: &Seen<Segment>| {
        let baseline = seen.value.baseline;
        baseline.ttl.is_some_and(|(_, of)| of >= 3) && !baseline.ttl_is_steady
    };
    who::came_in_two_versions(facts, dir)
        || leg.segments.iter().any(|seen| seen.value.dir == dir && several(seen))
}
