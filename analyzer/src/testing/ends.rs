//! Scripts of one session as two captures hold it, and their one report.

use super::{Step, ToClient, ToServer, Trace, contract};
use crate::case::{Case, Names, Pair, There};
use crate::diff::{Diff, Held, Side, Span};
use crate::facts::Resolved;
use crate::input::{
    Baseline, Direction, Input, Leg, Segment, SegmentCounts, SegmentKind, Timestamp,
};
use crate::pairing;
use crate::report::Connection;
use crate::session::Session;

/// First sequence numbers: client, server.
const ISN: [u32; 2] = [1000, 5000];
/// Options of a SYN: MSS 1460, SACK permitted, timestamps, window scale.
pub(crate) const OPTIONS: &[u8] = &[2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];

#[allow(clippy::wrong_self_convention)] // a script reads as it runs
impl Trace {
    /// A segment of a sender, this far behind its first sequence number.
    pub fn kept(self, dir: Direction, kind: SegmentKind, place: u32) -> Trace {
        let isn = ISN[dir.index()];
        self.kept_as(dir, kind, isn.wrapping_add(place), OPTIONS)
    }

    /// A segment with this sequence number and these options.
    pub fn kept_as(self, dir: Direction, kind: SegmentKind, seq: u32, options: &[u8]) -> Trace {
        self.step(Input::Segment(Segment {
            leg: Leg::Single,
            dir,
            kind,
            ttl: Some(60),
            ip_id: None,
            seq,
            ack: 0,
            flags: 0,
            window: 64240,
            len: 0,
            options: options.to_vec(),
            baseline: Baseline::default(),
        }))
    }

    /// The same script without its segments: nothing ties it to a copy of it.
    pub fn without_segments(mut self) -> Trace {
        self.steps.retain(
            |(_, step)| !matches!(step, Step::Other(input) if matches!(**input, Input::Segment(_))),
        );
        self
    }

    /// The TCP handshake with its segments.
    pub fn shaken(self) -> Trace {
        self.kept(ToServer, SegmentKind::Syn, 0)
            .after_ms(2)
            .kept(ToClient, SegmentKind::SynAck, 0)
            .open()
    }

    /// A RST or FIN of a sender, and the end of its direction.
    pub fn ended(self, dir: Direction, kind: SegmentKind, place: u32) -> Trace {
        let kept = self.kept(dir, kind, place);
        if kind == SegmentKind::Fin { kept.fin(dir) } else { kept.rst(dir) }
    }

    /// Running counts in which the sender of a direction repeated what was not acknowledged.
    pub fn repeats(self, dir: Direction, repeated: u32, largest: u32) -> Trace {
        let sent = SegmentCounts { segments: 9, repeated, largest, ..Default::default() };
        let heard = SegmentCounts { segments: 9, ..Default::default() };
        match dir {
            ToServer => self.counts(sent, heard),
            ToClient => self.counts(heard, sent),
        }
    }
}

/// The report of the client's session beside what the server's side holds. Both captures ran for a minute
/// before and after.
pub(crate) fn both(client: &Trace, server: &Trace) -> Connection {
    compared(client, server, true)
}

/// The same where the capture at the server's side holds nothing that the server sent, of this session or another.
pub(crate) fn one_way(client: &Trace, server: &Trace) -> Connection {
    compared(client, server, false)
}

fn compared(client: &Trace, server: &Trace, both_ways: bool) -> Connection {
    let sessions = [client, server].map(Trace::session_with_transcript);
    let [ours, theirs] = sessions.each_ref().map(|session| session.facts());
    let pairing = pairing::pair(&[ours], &[theirs]);
    let matched = pairing.matched.first().expect("the captures hold one session");
    let held = sessions.each_ref().map(|session| Held {
        facts: session.facts(),
        transcript: session.transcript().unwrap(),
        span: around(session.facts().now),
        both_ways,
    });
    let diff = Diff::of(held, matched.key, pairing.clock);
    report(ours, There::Seen(theirs, &diff))
}

/// The report of a client's session that the running capture at the server's side does not hold.
pub(crate) fn absent(client: &Trace, same_host: bool) -> Connection {
    absent_beside(client, same_host, false)
}

/// The same where that capture holds connections of its time, or none, that are nobody's.
pub(crate) fn absent_beside(client: &Trace, same_host: bool, unclaimed: bool) -> Connection {
    let names = Names::default();
    report(client.session().facts(), There::Absent { same_host, unclaimed, names })
}

/// The same of a session that this DNS answer led to its server.
pub(crate) fn named(client: &Trace, given: &Resolved, names: Names<'_>) -> Connection {
    report(led(client, given).facts(), There::Absent { same_host: false, unclaimed: false, names })
}

/// The same where the capture at the server's side was not running.
pub(crate) fn named_beside_nothing(client: &Trace, given: &Resolved) -> Connection {
    report(led(client, given).facts(), There::NotRunning)
}

fn led(client: &Trace, given: &Resolved) -> Session {
    let mut session = client.session();
    session.set_resolved(given.clone());
    session
}

fn report(facts: &crate::facts::Facts, there: There<'_>) -> Connection {
    let pair =
        Pair { here: Side::Client, there, file: "server.pcapng", between: ["client", "server"] };
    let report = contract::of_case(&Case { pair: Some(pair), ..Case::new(facts, &[]) });
    contract::check(&report);
    report
}

fn around(time: Timestamp) -> Span {
    const MINUTE: u64 = 60_000_000_000;
    Span { first: Timestamp(time.0 - MINUTE), last: Timestamp(time.0 + MINUTE) }
}
