//! `zero-window-stall`: a receiver announces no room for seconds. RFC 9293 3.8.6.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion};
use super::who;
use crate::case::Case;
use crate::event::At;
use crate::facts::Facts;
use crate::input::Direction;

pub(super) const DETECTOR: Detector = Detector {
    id: "zero-window-stall",
    kind: Kind::Phenomenon,
    class: Class::Performance,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Look at the side that does not read: its program hangs or its machine is overloaded.",
    next: &[Next {
        what: "load of the machine that does not read",
        command: Some(
            "Get-Counter '\\Processor(_Total)\\% Processor Time','\\Memory\\Available MBytes'",
        ),
    }],
    detect,
};

/// Shorter pauses are flow control at work.
const STALL_NS: u64 = 5_000_000_000;

fn detect(case: &Case<'_>) -> Option<Opinion> {
    Direction::BOTH.into_iter().find_map(|dir| {
        let (at, stalled) = stalled(case.this, dir)?;
        let side = who::sender(dir);
        let seconds = stalled as f64 / 1e9;
        Some(
            Opinion::new(
                Band::High,
                format!("The {side} stopped reading for {seconds:.0} s: its receive window stood at zero."),
            )
            .party(who::endpoint(dir), Band::Probable)
            .supports(Evidence::at(at, format!("window 0 announced by the {side} for {seconds:.1} s"))),
        )
    })
}

/// The sender of direction `dir` announced the window: in a packet, or to the relay's kernel.
fn stalled(facts: &Facts, dir: Direction) -> Option<(At, u64)> {
    // On the other leg the relay announces its own.
    let zero = facts.tcp.leg(facts.source_leg(dir)).zero_window(dir);
    let open = zero.since.map(|since| (since, facts.now.since(since.time).as_nanos() as u64));
    zero.longest.max_by_length(open).filter(|(_, stretch)| *stretch >= STALL_NS)
}

trait Longest {
    fn max_by_length(self, other: Self) -> Self;
}

impl Longest for Option<(At, u64)> {
    fn max_by_length(self, other: Self) -> Self {
        match (self, other) {
            (Some(a), Some(b)) => Some(if b.1 > a.1 { b } else { a }),
            (a, b) => a.or(b),
        }
    }
}
