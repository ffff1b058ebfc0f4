//! Facts that only sockets know, as comments in a recording: which packets belong to one session, the
//! kernel's counters, the relay's own deadlines, what was counted and not kept. Analysis reads these and
//! ignores every other comment, so that a recording can never argue for its own verdict.

use std::net::SocketAddr;
use std::time::Duration;

use rdpwhy_analyzer::facts::Facts;
use rdpwhy_analyzer::input::{
    Close, ConnectFailure, ConnectFailureKind, Input, Leg, Origin, RelayNote, Segment,
    SegmentCounts, TcpSample, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::packets::LOST;

/// What such a comment starts with; JSON follows.
pub const MARK: &str = "rdpwhy-facts/1 ";

/// One comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum Comment {
    /// On the first packet of a leg.
    Begin(Begin),
    /// On the packet that stands for a socket error which was neither FIN nor RST.
    Error {
        /// The error's name.
        name: String,
    },
    /// On the last packet of a session, one for each segment that was kept of it. The packets of a recording are
    /// made up and show nothing of what the real ones were like.
    Segment(Box<KeptSegment>),
    /// There, too: one for each leg whose packets were captured.
    Counts(KeptCounts),
    /// There, behind them.
    End(Box<End>),
}

/// A segment of one of the legs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSegment {
    /// Number of the session in the recording.
    pub session: u64,
    /// When it passed.
    pub time: u64,
    /// Its number in the relay's own capture; `null` for what a socket has kept.
    pub number: Option<u64>,
    /// What it was like.
    pub segment: Segment,
}

/// The counts of one of the legs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCounts {
    /// Number of the session in the recording.
    pub session: u64,
    /// When they were told.
    pub time: u64,
    /// Which leg.
    pub leg: Leg,
    /// Sender to server, sender to client.
    pub counts: [SegmentCounts; 2],
}

/// A socket error by its name, as far as names are known.
pub fn close_named(name: &str) -> Close {
    Close::Error(crate::os::known_name(name).unwrap_or("EUNKNOWN"))
}

/// Which session a leg belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// Number of the session in the recording.
    pub session: u64,
    /// The name the relay dials.
    pub name: Option<String>,
}

/// What is known at a session's end and has no form on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Number of the session in the recording.
    pub session: u64,
    /// Latest state of the sockets: client leg, server leg, each with its time.
    pub sockets: [Option<(u64, TcpSample)>; 2],
    /// The relay's own doing: time, kind, words.
    pub relay: Vec<(u64, String, String)>,
    /// Attempts to reach the server that left no packet: time, kind, words, duration in ns.
    pub failures: Vec<(u64, String, String, u64)>,
    /// To which address each of them was.
    #[serde(default)]
    pub failed_to: Vec<Option<SocketAddr>>,
    /// Records and bytes in them that were counted and not kept, to the server and to the client.
    pub passed: [[u64; 2]; 2],
    /// Bytes that the recorder dropped.
    pub lost: u64,
    /// Where bytes were dropped: all records and the bytes in them that the relay counted, either way.
    #[serde(default)]
    pub counted: Option<[[u64; 2]; 2]>,
    /// Bounds of the engine that were reached.
    pub limits: Vec<String>,
    /// When the relay let go of the session.
    pub finished: u64,
}

impl Comment {
    /// The comment's text.
    pub fn to_text(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{MARK}{json}")
    }

    /// Reads a comment's text; `None` for any other comment.
    pub fn from_text(text: &str) -> Option<Comment> {
        serde_json::from_str(text.strip_prefix(MARK)?).ok()
    }
}

/// What was kept of the packets of a session, each in a comment of its own: readers cut long ones.
pub fn packets(session: u64, facts: &Facts) -> Vec<Comment> {
    let mut comments = Vec::new();
    for (leg, known) in facts.tcp.legs() {
        comments.extend(known.segments.iter().map(|kept| {
            let number = match kept.at.origin() {
                Origin::Live(number) => Some(number),
                _ => None,
            };
            let (time, segment) = (kept.at.time.0, kept.value.clone());
            Comment::Segment(Box::new(KeptSegment { session, time, number, segment }))
        }));
        let counts =
            known.counts().map(|counts| KeptCounts { session, time: facts.now.0, leg, counts });
        comments.extend(counts.map(Comment::Counts));
    }
    comments
}

impl KeptSegment {
    /// The input that it was.
    pub fn input(&self) -> (Timestamp, Origin, Input<'static>) {
        let origin = self.number.map_or(Origin::Socket, Origin::Live);
        (Timestamp(self.time), origin, Input::Segment(self.segment.clone()))
    }
}

impl KeptCounts {
    /// The input that they were.
    pub fn input(&self) -> (Timestamp, Origin, Input<'static>) {
        let KeptCounts { leg, counts, .. } = *self;
        (Timestamp(self.time), Origin::Socket, Input::Counts { leg, counts })
    }
}

impl End {
    /// Of a session that is over.
    pub fn of(session: u64, facts: &Facts, passed: [[u64; 2]; 2], lost: u64) -> End {
        let socket =
            |leg| facts.tcp.leg(leg).socket.as_ref().map(|seen| (seen.at.time.0, seen.value));
        let attempts = facts.tcp.leg(Leg::Server).attempts.iter();
        let (failures, failed_to) = attempts
            .filter_map(|attempt| {
                let fact = failure_fact(attempt.at.time, &attempt.failure)?;
                Some((fact, attempt.failure.to))
            })
            .unzip();
        End {
            session,
            sockets: [socket(Leg::Client), socket(Leg::Server)],
            relay: facts
                .relay
                .iter()
                .filter_map(|note| relay_fact(note.at.time, &note.value))
                .collect(),
            failures,
            failed_to,
            passed,
            lost,
            counted: (lost > 0)
                .then(|| facts.tls.records.each_ref().map(|sum| [sum.count, sum.bytes])),
            limits: facts.limits.iter().map(|limit| (*limit).to_owned()).collect(),
            finished: facts.now.0,
        }
    }

    /// The relay's own capture lost packets of the session.
    pub fn lost_packets(&self) -> bool {
        self.limits.iter().any(|limit| limit == LOST)
    }

    /// The relay's own doing, as it was.
    pub fn relay_notes(&self) -> impl Iterator<Item = (Timestamp, RelayNote)> {
        let kept = self.relay.iter().filter_map(|(time, kind, words)| {
            let note = match kind.as_str() {
                "deadline" => RelayNote::Deadline(words.clone().into()),
                "unannounced" => RelayNote::Unannounced,
                "shutdown" => RelayNote::Shutdown,
                "error" => RelayNote::Error(words.clone()),
                "rst_immune" => RelayNote::RstImmune,
                "header_sent" => RelayNote::HeaderSent,
                "client_via" => RelayNote::ClientVia(words.parse().ok()?),
                _ => return None,
            };
            Some((Timestamp(*time), note))
        });
        let lost = (self.lost > 0).then_some((Timestamp(0), RelayNote::RecorderLost(self.lost)));
        kept.chain(lost)
    }

    /// Attempts that left no packet, as they were.
    pub fn connect_failures(&self) -> impl Iterator<Item = (Timestamp, ConnectFailure)> {
        let told = self.failed_to.iter().copied().chain(std::iter::repeat(None));
        self.failures.iter().zip(told).filter_map(|((time, kind, words, after), to)| {
            let kind = match kind.as_str() {
                "no_answer" => ConnectFailureKind::NoAnswer,
                "reset_after_syn_ack" => ConnectFailureKind::ResetAfterSynAck,
                "name_not_found" => ConnectFailureKind::NameNotFound(words.clone()),
                "name_unanswered" => ConnectFailureKind::NameUnanswered,
                "other" => ConnectFailureKind::Other(words.clone()),
                _ => return None,
            };
            let after = Duration::from_nanos(*after);
            Some((Timestamp(*time), ConnectFailure { to, kind, after, syns: None }))
        })
    }
}

fn relay_fact(time: Timestamp, note: &RelayNote) -> Option<(u64, String, String)> {
    let (kind, words) = match note {
        RelayNote::Deadline(name) => ("deadline", name.to_string()),
        RelayNote::Unannounced => ("unannounced", String::new()),
        RelayNote::Shutdown => ("shutdown", String::new()),
        RelayNote::Error(error) => ("error", error.clone()),
        RelayNote::RstImmune => ("rst_immune", String::new()),
        RelayNote::HeaderSent => ("header_sent", String::new()),
        RelayNote::ClientVia(proxy) => ("client_via", proxy.to_string()),
        RelayNote::Dialing | RelayNote::RecorderLost(_) => return None,
    };
    Some((time.0, kind.to_owned(), words))
}

/// What a SYN, a RST or an ICMP packet can show is written as such.
fn failure_fact(time: Timestamp, failure: &ConnectFailure) -> Option<(u64, String, String, u64)> {
    let (kind, words) = match &failure.kind {
        ConnectFailureKind::Refused | ConnectFailureKind::Icmp { .. } => return None,
        ConnectFailureKind::NoAnswer => ("no_answer", String::new()),
        ConnectFailureKind::ResetAfterSynAck => ("reset_after_syn_ack", String::new()),
        ConnectFailureKind::NameNotFound(error) => ("name_not_found", error.clone()),
        ConnectFailureKind::NameUnanswered => ("name_unanswered", String::new()),
        ConnectFailureKind::Other(name) => ("other", name.clone()),
    };
    Some((time.0, kind.to_owned(), words, failure.after.as_nanos() as u64))
}

#[cfg(test)]
mod tests {
    use rdpwhy_analyzer::input::{Baseline, Direction, SegmentKind};

    use super::*;

    fn segment() -> Segment {
        Segment {
            leg: Leg::Server,
            dir: Direction::ToClient,
            kind: SegmentKind::Rst,
            ttl: Some(55),
            ip_id: None,
            seq: 1,
            ack: 2,
            flags: 4,
            window: 0,
            len: 0,
            options: vec![255; 40],
            baseline: Baseline { ttl: Some((64, 9)), ..Default::default() },
        }
    }

    #[test]
    fn segments_and_counts_come_back_as_they_were_told() {
        let counts = [SegmentCounts { bytes: u64::MAX, ..Default::default() }; 2];
        let kept = |number| KeptSegment { session: 7, time: 5, number, segment: segment() };
        let counted = KeptCounts { session: 7, time: 9, leg: Leg::Server, counts };
        for comment in [
            Comment::Segment(Box::new(kept(None))),
            Comment::Segment(Box::new(kept(Some(u64::MAX)))),
            Comment::Counts(counted.clone()),
        ] {
            let text = comment.to_text();
            // captures::file keeps no more of a comment.
            assert!(text.len() < 4096, "{} bytes", text.len());
            assert_eq!(Comment::from_text(&text), Some(comment));
        }
        for (number, told) in [(None, Origin::Socket), (Some(4), Origin::Live(4))] {
            let (time, origin, input) = kept(number).input();
            assert_eq!((time, origin), (Timestamp(5), told));
            assert!(matches!(input, Input::Segment(told) if told == segment()));
        }
        let Input::Counts { leg: Leg::Server, counts: told } = counted.input().2 else { panic!() };
        assert_eq!(told, counts);
    }

    #[test]
    fn what_the_relay_did_survives_a_recording() {
        let notes = [
            RelayNote::Deadline("--rst-immune".into()),
            RelayNote::Unannounced,
            RelayNote::Shutdown,
            RelayNote::Error("no memory".into()),
            RelayNote::RstImmune,
            RelayNote::HeaderSent,
            RelayNote::ClientVia("[2001:db8::7]:443".parse().unwrap()),
        ];
        let relay = notes.iter().filter_map(|note| relay_fact(Timestamp(9), note)).collect();
        let end = End { relay, ..Default::default() };
        let read: Vec<RelayNote> = end.relay_notes().map(|(_, note)| note).collect();
        assert_eq!(read, notes);
    }

    #[test]
    fn comments_survive_their_text_and_others_are_ignored() {
        let end = Comment::End(Box::new(End {
            session: 7,
            sockets: [None, Some((5, TcpSample { unacked: Some(0), ..Default::default() }))],
            relay: vec![(1, "deadline".into(), "--connect-timeout".into())],
            failures: vec![(1, "other".into(), "EHOSTUNREACH".into(), 3)],
            passed: [[1, 2], [3, 4]],
            ..Default::default()
        }));
        assert_eq!(Comment::from_text(&end.to_text()), Some(end));
        assert_eq!(Comment::from_text("E1: the server closed"), None);
        assert_eq!(Comment::from_text("rdpwhy-facts/1 {\"at\":\"verdict\"}"), None);
    }
}
