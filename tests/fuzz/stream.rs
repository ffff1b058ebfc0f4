//! Inputs of one session, in any order, to its verdict.

use std::net::SocketAddr;
use std::time::Duration;

use rdpwhy_analyzer::case::{Case, Summary};
use rdpwhy_analyzer::facts::{InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{
    Baseline, Close, ConnectFailure, ConnectFailureKind, Direction, Input, Leg, Origin, RelayNote,
    Segment, SegmentCounts, SegmentKind, TcpSample, Timestamp,
};
use rdpwhy_analyzer::session::Session;

use super::cursor::Cursor;
use super::pieces::piece;
use super::report;

/// Inputs taken from one input of the fuzzer at most.
const MOST: usize = 256;

/// Feeds a session and judges it, alone and beside a sibling. Out: the reports as JSON.
pub fn stream(data: &[u8]) -> Vec<String> {
    let mut cursor = Cursor::new(data);
    let mut play = Play::new(&mut cursor);
    for _ in 0..MOST {
        if cursor.is_empty() {
            break;
        }
        play.step(&mut cursor);
    }
    let end = if play.number.is_multiple_of(2) { InputEnd::Capture } else { InputEnd::Open };
    let facts_before = play.session.clone();
    play.session.finish(play.time, end);
    play.check();
    let summary = Summary::of(play.session.facts());
    // The relay reports while a session is open, too.
    let open = report::check(&Case::new(facts_before.facts(), &[]));
    let alone = report::check(&Case::new(play.session.facts(), &[]));
    let siblings = [earlier(&summary), summary];
    let beside = report::check(&Case::new(play.session.facts(), &siblings.each_ref()));
    vec![open, alone, beside]
}

/// The same user's attempt just before.
fn earlier(summary: &Summary) -> Summary {
    let started = Timestamp(summary.started.0.saturating_sub(5_000_000_000));
    let ended = Timestamp(summary.started.0.saturating_sub(1_000_000_000));
    Summary { started, ended, ..summary.clone() }
}

struct Play {
    session: Session,
    vantage: Vantage,
    time: Timestamp,
    number: u64,
    /// What every direction's stream has to count.
    bytes: [u64; 2],
}

impl Play {
    fn new(cursor: &mut Cursor<'_>) -> Play {
        let how = cursor.u8();
        let vantage = if how & 1 == 0 { Vantage::Capture } else { Vantage::Relay };
        let time = Timestamp(match how >> 5 {
            0..=5 => 1_700_000_000_000_000_000,
            6 => 0,
            _ => u64::MAX - 1_000_000_000,
        });
        let relay = vantage == Vantage::Relay;
        let subject = Subject {
            client: SocketAddr::from(([192, 0, 2, 1], 50_000)),
            server: (how & 2 == 0).then_some(SERVER),
            server_name: (relay && how & 4 != 0).then(|| "rdp.example.com".to_owned()),
            relay: if relay { [Some(SERVER), None] } else { [None, None] },
            vantage,
            starts_in_the_middle: how & 0x18 == 0x18,
            started: time,
        };
        Play { session: Session::new(subject), vantage, time, number: 0, bytes: [0, 0] }
    }

    fn leg(&self, bit: u8) -> Leg {
        match (self.vantage, bit & 1) {
            (Vantage::Capture, _) => Leg::Single,
            (Vantage::Relay, 0) => Leg::Client,
            (Vantage::Relay, _) => Leg::Server,
        }
    }

    /// Most of what comes is bytes, the rest is everything else a source can tell.
    fn step(&mut self, cursor: &mut Cursor<'_>) {
        let op = cursor.u8();
        let dir = Direction::BOTH[usize::from(op >> 7)];
        self.pass(op >> 5 & 3, cursor);
        match op & 0x1F {
            0..=7 => self.data(dir, piece(cursor.u8())),
            8..=13 => self.data(dir, cursor.run()),
            14 => {
                let whole = piece(cursor.u8());
                let from = usize::from(cursor.u8()).min(whole.len());
                let to = from + usize::from(cursor.u8()).min(whole.len() - from);
                self.data(dir, &whole[from..to]);
            }
            15 => {
                // A piece with one byte changed, all of it in small chunks.
                let mut changed = piece(cursor.u8()).to_vec();
                let at = usize::from(cursor.u16()) % changed.len();
                changed[at] = cursor.u8();
                let size = usize::from(cursor.u8()) + 1;
                changed.chunks(size).for_each(|chunk| self.data(dir, chunk));
            }
            16 => {
                let bytes = cursor.number();
                self.count(dir, bytes);
                self.feed(Input::Skipped { dir, bytes });
            }
            17 => {
                let bytes = (cursor.u8() & 1 == 0).then(|| cursor.number());
                self.count(dir, bytes.unwrap_or(0));
                self.feed(Input::Gap { dir, bytes });
            }
            18 => {
                let (records, bytes) = (cursor.number(), cursor.number());
                self.feed(Input::Passed { dir, records, bytes });
            }
            19..=21 => self.close(dir, cursor),
            22 => self.open(cursor),
            23 => self.fail(cursor),
            24 | 25 => self.segment(dir, cursor),
            26 => self.sample(cursor),
            27 => self.counts(cursor),
            28 => self.note(cursor),
            29 => self.session.set_server(SERVER, None),
            30 => self.session.limit("a bound of the source"),
            _ => {
                let chunk = cursor.take(4);
                (0..cursor.u8()).for_each(|_| self.data(dir, chunk));
            }
        }
    }

    fn pass(&mut self, how: u8, cursor: &mut Cursor<'_>) {
        let nanos = match how {
            0 => 1_000,
            1 => 20_000_000,
            2 => 3_000_000_000,
            _ => cursor.number(),
        };
        // The clock of a capture can run backwards.
        self.time = Timestamp(match (how, nanos & 1) {
            (3, 1) => self.time.0.saturating_sub(nanos),
            _ => self.time.0.saturating_add(nanos),
        });
    }

    fn feed(&mut self, input: Input<'_>) {
        self.number += 1;
        let origin = match self.vantage {
            Vantage::Capture => Origin::Packet(self.number),
            Vantage::Relay => Origin::Read(self.number),
        };
        self.session.feed(self.time, origin, input);
    }

    fn count(&mut self, dir: Direction, bytes: u64) {
        let count = &mut self.bytes[dir.index()];
        *count = count.saturating_add(bytes);
    }

    fn data(&mut self, dir: Direction, bytes: &[u8]) {
        self.count(dir, bytes.len() as u64);
        self.feed(Input::Data { dir, bytes });
    }

    fn close(&mut self, dir: Direction, cursor: &mut Cursor<'_>) {
        let bits = cursor.u8();
        let how = match bits >> 1 & 3 {
            0 | 1 => Close::Fin,
            2 => Close::Rst,
            _ => Close::Error("ETIMEDOUT"),
        };
        let leg = self.leg(bits);
        self.feed(Input::Closed { leg, dir, how });
    }

    fn open(&mut self, cursor: &mut Cursor<'_>) {
        let bits = cursor.u8();
        let took = (bits & 2 != 0).then(|| Duration::from_nanos(cursor.number()));
        let leg = self.leg(bits);
        self.feed(Input::Opened { leg, took });
    }

    fn fail(&mut self, cursor: &mut Cursor<'_>) {
        let bits = cursor.u8();
        let word = |cursor: &mut Cursor<'_>| String::from_utf8_lossy(cursor.run()).into_owned();
        let kind = match bits >> 1 & 7 {
            0 | 1 => ConnectFailureKind::Refused,
            2 | 3 => ConnectFailureKind::NoAnswer,
            4 => {
                let offender = (bits & 0x80 != 0).then(|| SERVER.ip());
                ConnectFailureKind::Icmp { kind: cursor.u8(), code: cursor.u8(), offender }
            }
            5 => ConnectFailureKind::ResetAfterSynAck,
            6 => ConnectFailureKind::NameNotFound(word(cursor)),
            _ => ConnectFailureKind::Other(word(cursor)),
        };
        let after = Duration::from_nanos(cursor.number());
        let syns = (bits & 0x40 != 0).then(|| cursor.u32());
        let to = (bits & 0x20 == 0).then_some(SERVER);
        let leg = self.leg(bits);
        self.feed(Input::ConnectFailed { leg, failure: ConnectFailure { to, kind, after, syns } });
    }

    fn segment(&mut self, dir: Direction, cursor: &mut Cursor<'_>) {
        use SegmentKind::*;
        let kinds = [Syn, SynAck, Fin, Rst, ZeroWindow, WindowOpen, DifferingOverlap, AfterRst];
        let bits = cursor.u8();
        let mut segment = Segment {
            leg: self.leg(bits >> 7),
            dir,
            kind: kinds[usize::from(bits & 7)],
            ttl: (bits & 8 != 0).then(|| cursor.u8()),
            ip_id: (bits & 16 != 0).then(|| cursor.u16()),
            seq: cursor.u32(),
            ack: cursor.u32(),
            flags: cursor.u8(),
            window: cursor.u16(),
            len: cursor.u32(),
            options: cursor.take(usize::from(bits >> 5 & 3) * 12).to_vec(),
            baseline: Baseline {
                ttl: (bits & 32 != 0).then(|| (cursor.u8(), cursor.u32())),
                next_seq: (bits & 64 != 0).then(|| cursor.u32()),
                ..Baseline::default()
            },
        };
        // Three bits name eight kinds; a flag that nobody reads (CWR) stands for the ninth.
        if segment.flags & 0x80 != 0 {
            segment.kind = DataAfterFin;
        }
        self.feed(Input::Segment(segment));
    }

    fn sample(&mut self, cursor: &mut Cursor<'_>) {
        let leg = self.leg(cursor.u8());
        let small = |cursor: &mut Cursor<'_>| (cursor.u8() != 0).then(|| cursor.u32());
        let sample = TcpSample {
            rtt_us: small(cursor),
            retransmits: small(cursor),
            total_retrans: small(cursor),
            unacked: small(cursor),
            lost: small(cursor),
            bytes_sent: Some(cursor.number()),
            bytes_retrans: Some(cursor.number()),
            data_segs_in: small(cursor),
            rcv_ooopack: small(cursor),
            rwnd_limited_us: Some(cursor.number()),
            last_data_recv_ms: small(cursor),
            ..TcpSample::default()
        };
        self.feed(Input::Socket { leg, sample });
    }

    fn counts(&mut self, cursor: &mut Cursor<'_>) {
        let leg = self.leg(cursor.u8());
        let mut of_sender = || SegmentCounts {
            segments: cursor.number(),
            data_segments: cursor.number(),
            retransmitted: cursor.number(),
            out_of_order: cursor.number(),
            bytes: cursor.number(),
            acknowledged: (cursor.u8() & 1 != 0).then(|| cursor.number()),
            mirrored: cursor.number(),
            largest: cursor.u32(),
            behind_hole: cursor.number(),
            repeated: cursor.u32(),
            ..SegmentCounts::default()
        };
        let counts = [of_sender(), of_sender()];
        self.feed(Input::Counts { leg, counts });
    }

    fn note(&mut self, cursor: &mut Cursor<'_>) {
        let note = match cursor.u8() % 7 {
            0 => RelayNote::Dialing,
            1 => RelayNote::Deadline("no bytes for an hour".into()),
            2 => RelayNote::Unannounced,
            3 => RelayNote::Shutdown,
            4 => RelayNote::Error(String::from_utf8_lossy(cursor.run()).into_owned()),
            5 => RelayNote::RecorderLost(cursor.number()),
            _ => RelayNote::RstImmune,
        };
        self.feed(Input::Relay(note));
    }

    /// Every byte is counted once, and what is kept does not grow with the input.
    fn check(&self) {
        let facts = self.session.facts();
        for dir in Direction::BOTH {
            assert_eq!(facts.stream(dir).bytes, self.bytes[dir.index()], "{dir:?}");
            if let Some((declared, seen)) = facts.stream(dir).open_frame {
                assert!(declared == 0 || seen < declared, "a frame is open that is complete");
            }
        }
        assert!(facts.now >= facts.subject.started);
        assert!(facts.damage.len() <= 8 && facts.relay.len() <= 16 && facts.limits.len() <= 16);
        for (_, leg) in facts.tcp.legs() {
            assert!(leg.attempts.len() <= 32 && leg.segments.len() <= 32 && leg.closes.len() <= 16);
        }
    }
}

const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 3389);
