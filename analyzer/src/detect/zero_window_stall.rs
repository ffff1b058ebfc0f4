//! `zero-window-stall`: a receiver announces no room for seconds. RFC 9293 3.8.6.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion};
use super::who;
use crate::case::Case;
use crate::event::At;
use crate::facts::Facts;
use crate::input::{Direction, Leg};

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
        let (at, stalled) = in_packets(case.this, dir).or_else(|| in_socket(case.this, dir))?;
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

/// The sender of direction `dir` announced the window.
fn in_packets(facts: &Facts, dir: Direction) -> Option<(At, u64)> {
    // On the other leg the relay announces its own.
    let zero = facts.tcp.leg(facts.source_leg(dir)).zero_window(dir);
    let open = zero.since.map(|since| (since, facts.now.since(since.time).as_nanos() as u64));
    zero.longest.max_by_length(open).filter(|(_, stretch)| *stretch >= STALL_NS)
}

/// The kernel counts for how long the peer's window held our sending back, in the whole connection: it says something
/// about the end where the window is still at zero and nothing has been passed on since.
fn in_socket(facts: &Facts, dir: Direction) -> Option<(At, u64)> {
    let leg = match dir {
        Direction::ToServer => Leg::Client,
        Direction::ToClient => Leg::Server,
    };
    let socket = facts.tcp.leg(leg).socket.as_ref()?;
    let last = facts.stream(dir.reverse()).last.filter(|_| socket.value.snd_wnd == Some(0))?;
    let silent = socket.at.time.since(last.time).as_nanos() as u64;
    let limited = socket.value.rwnd_limited_us?.saturating_mul(1000).min(silent);
    (limited >= STALL_NS).then_some((socket.at, limited))
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
