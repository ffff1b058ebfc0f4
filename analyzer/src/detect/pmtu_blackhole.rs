//! `pmtu-blackhole-s2c`, `pmtu-blackhole-c2s`: packets of full size vanish and smaller ones pass, and nobody
//! tells the sender. RFC 1191, RFC 2923 2.1, RFC 8201.

use super::opinion::{Band, Class, Control, Detector, Evidence, Group, Kind, Next, Opinion};
use super::server_stall;
use super::stalled::{Stalled, stalled};
use super::who;
use crate::case::Case;
use crate::input::Direction;

pub(super) const TO_CLIENT: Detector = Detector {
    id: "pmtu-blackhole-s2c",
    detect: |case| black_hole(case, Direction::ToClient),
    ..ROW
};

pub(super) const TO_SERVER: Detector = Detector {
    id: "pmtu-blackhole-c2s",
    detect: |case| black_hole(case, Direction::ToServer),
    ..ROW
};

const ROW: Detector = Detector {
    id: "",
    kind: Kind::Cause,
    class: Class::Interference,
    explains: &[
        "transmission-stalled",
        "unanswered-turn",
        "clean-close-no-reason",
        "rst-genuine-",
        "truncated-tls",
    ],
    remedy: "Let ICMP \"fragmentation needed\" (type 3 code 4; ICMPv6 type 2) pass, or clamp the TCP MSS on the tunnel or router where the MTU is smaller.",
    next: &[Next {
        what: "the largest packet that passes (from the client, changes nothing)",
        command: Some("ping -f -l 1472 SERVER, then 1400, 1300, ..."),
    }],
    detect: |_| None,
};

fn black_hole(case: &Case<'_>, dir: Direction) -> Option<Opinion> {
    if dir == Direction::ToClient
        && let Some(opinion) = first_flight(case)
    {
        return Some(opinion);
    }
    let found = stalled(case.this).filter(|found| found.dir == dir && found.heard_before)?;
    let way = match dir {
        Direction::ToServer => "to the server",
        Direction::ToClient => "to the client",
    };
    let says = format!(
        "Full-size packets {way} vanish on the way and small ones pass: a path MTU black hole."
    );
    let opinion = Opinion::new(Band::Weak, says)
        .party(found.party(), Band::Probable)
        .supports(found.evidence.clone());
    let opinion = by_size(&found, opinion);
    Some(if found.tail_arrived {
        let fact = "smaller packets sent behind the lost one arrived";
        let both = found.is_about_size() || found.sizes.is_none() && found.sure;
        opinion
            .weigh(Group::Continuation, 2.5)
            .supports(Evidence::absent(fact))
            .control(both.then_some(Control::Baseline))
    } else {
        opinion.unknown("whether a packet of the same size with other content passes")
    })
}

/// The server's first large answer did not come: all of it may have been too large. A candidate beside
/// a server that does not answer.
fn first_flight(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    server_stall::unanswered(facts).filter(|_| server_stall::nothing_large_came(facts))?;
    let asked = facts.tls.client_hello.seen()?;
    let says =
        "The server's first large packets may have vanished on the way: a path MTU black hole.";
    let fact = format!(
        "only {} bytes of the server have ever come, and its next answer is a large one",
        facts.stream(Direction::ToClient).bytes
    );
    Some(
        Opinion::new(Band::Weak, says)
            .party(who::network(facts, Direction::ToClient), Band::Possible)
            .supports(Evidence::of(asked, fact))
            .unknown("whether the server answered at all"),
    )
}

fn by_size(found: &Stalled, opinion: Opinion) -> Opinion {
    match found.sizes {
        Some((passed, sent)) if found.is_about_size() => opinion.weigh(Group::Counters, 1.0).supports(
            Evidence::absent(format!(
                "{passed} bytes in one piece had arrived before, {sent} bytes did not"
            )),
        ),
        Some((passed, sent)) => opinion.weigh(Group::Counters, -2.5).contradicts(Evidence::absent(
            format!("what does not arrive ({sent} bytes) is no larger than what had arrived ({passed} bytes)"),
        )),
        None => opinion,
    }
}
