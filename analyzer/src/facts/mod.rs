//! What is known of one session: plain fields, folded from events. Detectors read these and nothing
//! else, which is why they can not behave differently live and offline.

mod known;
mod lacking;
mod leave;
mod rdp;
mod reached;
mod resolved;
mod silence;
mod tcp;
mod tls;
mod turns;

use std::net::{IpAddr, SocketAddr};

pub use known::{Known, Seen, Why};
pub use rdp::{RdpFacts, X224Facts};
pub use reached::{Basis, Reached};
pub use resolved::Resolved;
pub use silence::{Silence, Silences};
pub use tcp::{Attempt, Ending, LegFacts, TcpFacts};
pub use tls::{AlertSeen, Records, TlsFacts};
pub use turns::Turns;

use crate::event::{At, Event};
use crate::input::{
    Close, ConnectFailureKind, Direction, Leg, RelayNote, Segment, SegmentCounts, SegmentKind,
    Timestamp,
};
use crate::wire::x224::Protocols;

/// Who talks to whom, and how we come to see it. Known before the first byte.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The client's address, as seen on the client leg or the single leg.
    pub client: SocketAddr,
    /// The server's address; `None` while a relay has reached none.
    pub server: Option<SocketAddr>,
    /// The name the relay dials, where it was given a name.
    pub server_name: Option<String>,
    /// The relay's own address on the client leg and on the server leg, where there is a relay.
    pub relay: [Option<SocketAddr>; 2],
    /// Single capture or relay.
    pub vantage: Vantage,
    /// The capture starts within the connection.
    pub starts_in_the_middle: bool,
    /// First observation.
    pub started: Timestamp,
}

/// From where a session is seen. The numbers are those of the field guide: V1 to V6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vantage {
    /// V1: packets of one leg, captured somewhere on it.
    Capture,
    /// V2: a relay's byte streams and socket facts, without packets.
    Relay,
}

/// Everything known of one session.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Who and how.
    pub subject: Subject,
    /// TCP, per leg.
    pub tcp: TcpFacts,
    /// Bytes, per direction.
    pub streams: [StreamFacts; 2],
    /// Who answered whom, and how fast.
    pub turns: Turns,
    /// X.224 and negotiation.
    pub x224: X224Facts,
    /// TLS.
    pub tls: TlsFacts,
    /// RDP in clear.
    pub rdp: RdpFacts,
    /// What the relay itself did, in order.
    pub relay: Vec<Seen<RelayNote>>,
    /// Damage in the input, in order; bounded.
    pub damage: Vec<Seen<String>>,
    /// Bounds of the engine that were reached.
    pub limits: Vec<&'static str>,
    /// The latest long silences, and who broke them.
    pub silences: Silences,
    /// The DNS answer that led the client to the server's address, where the capture shows one.
    pub resolved: Option<Box<Resolved>>,
    /// The input ended before the connection did.
    pub input_ended: Option<InputEnd>,
    /// Time of the latest input.
    pub now: Timestamp,
}

/// Why there is no more input although the connection was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputEnd {
    /// The capture ends.
    Capture,
    /// Still open when the report was asked for.
    Open,
}

/// Bytes of one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct StreamFacts {
    /// Bytes delivered, each once; lost ones of known number included.
    pub bytes: u64,
    /// First and latest data.
    pub first: Option<At>,
    /// Latest data.
    pub last: Option<At>,
    /// The data before that.
    pub before_last: Option<At>,
    /// Bytes are missing in the source.
    pub gap: bool,
    /// Something of unknown size is: a FIN that its sender counts, if nothing else.
    pub gap_of_unknown_size: bool,
    /// A frame was begun and not completed: bytes declared, bytes seen.
    pub open_frame: Option<(u32, u32)>,
}

impl Facts {
    /// Nothing known yet but who talks to whom.
    pub fn new(subject: Subject) -> Facts {
        let tcp = match subject.vantage {
            Vantage::Capture => TcpFacts::One(Box::default()),
            Vantage::Relay => TcpFacts::Two(Box::default()),
        };
        let now = subject.started;
        Facts {
            subject,
            tcp,
            streams: Default::default(),
            turns: Turns::default(),
            x224: Default::default(),
            tls: Default::default(),
            rdp: Default::default(),
            relay: Vec::new(),
            damage: Vec::new(),
            limits: Vec::new(),
            silences: Silences::default(),
            resolved: None,
            input_ended: None,
            now,
        }
    }

    /// The stream of a direction.
    pub fn stream(&self, dir: Direction) -> &StreamFacts {
        &self.streams[dir.index()]
    }

    /// The leg on which bytes of a direction arrive: from the client on its leg, from the server on its.
    pub fn source_leg(&self, dir: Direction) -> Leg {
        match (self.subject.vantage, dir) {
            (Vantage::Capture, _) => Leg::Single,
            (Vantage::Relay, Direction::ToServer) => Leg::Client,
            (Vantage::Relay, Direction::ToClient) => Leg::Server,
        }
    }

    /// The other end of the client leg: the client itself, or the proxy that announced it.
    pub fn client_peer(&self) -> SocketAddr {
        let proxy = self.relay.iter().find_map(|note| match note.value {
            RelayNote::ClientVia(proxy) => Some(proxy),
            _ => None,
        });
        proxy.unwrap_or(self.subject.client)
    }

    /// How the session ended: the first close by an outside party.
    pub fn ending(&self) -> Option<&Ending> {
        self.tcp.ending()
    }

    /// The pause after which one side spoke and the other said nothing any more.
    pub fn unanswered_after_pause(&self) -> Option<&Silence> {
        let idle = self.silences.idle(self.ending())?;
        let answer = self.stream(idle.by.reverse()).last;
        answer.is_none_or(|answer| answer.time < idle.broken.time).then_some(idle)
    }

    /// A capture shows a SYN that nobody accepted, and nothing else.
    pub fn was_only_dialled(&self) -> bool {
        let leg = self.tcp.leg(Leg::Single);
        let accepted = leg.opened.is_seen() || leg.kept(SegmentKind::SynAck).next().is_some();
        let silent = Direction::BOTH.iter().all(|dir| self.stream(*dir).bytes == 0);
        leg.kept(SegmentKind::Syn).next().is_some() && !accepted && silent
    }

    /// The SYNs were to go no farther than to a router, which says so: somebody looks at the path, as traceroute does.
    pub fn is_traced(&self) -> bool {
        /// Hosts begin at 64, 128 or 255, and no path is half as long.
        const LOW: u8 = 30;
        let leg = self.tcp.leg(Leg::Server);
        let low = |seen: &Seen<Segment>| seen.value.ttl.is_some_and(|ttl| ttl <= LOW);
        let exceeded = |attempt: &Attempt| match attempt.failure.kind {
            ConnectFailureKind::Icmp { kind, offender: Some(IpAddr::V4(_)), .. } => kind == 11,
            ConnectFailureKind::Icmp { kind, offender: Some(IpAddr::V6(_)), .. } => kind == 3,
            _ => false,
        };
        let answered = !leg.attempts.is_empty() && leg.attempts.iter().all(exceeded);
        self.was_only_dialled() && answered && leg.kept(SegmentKind::Syn).all(low)
    }

    /// The end, where the server's side ended the session in the middle of a message of its own, with a FIN: all
    /// that was written came before it. A RST throws away what was not sent yet, at the end of good sessions, too.
    pub fn cut_off_by_server(&self) -> Option<&Ending> {
        let server = Direction::ToClient;
        let stream = self.stream(server);
        let cut = stream.open_frame.is_some() && !stream.gap && self.relay_fault().is_none();
        self.ending().filter(|ending| {
            let own = ending.dir == server && ending.how == Close::Fin && !ending.both;
            cut && own && self.decider(ending) == Some(server)
        })
    }

    /// A deadline or failure of the relay itself that came before any outside party's close.
    /// What the relay could no longer do for a dead session ended nothing.
    pub fn relay_fault(&self) -> Option<&Seen<RelayNote>> {
        let end = self.ending().map(|ending| ending.at.time);
        self.relay.iter().find(|note| {
            matches!(note.value, RelayNote::Deadline(_) | RelayNote::Error(_))
                && end.is_none_or(|end| note.at.time <= end)
        })
    }

    /// When the server can have what the client said at this time: a relay holds it until its own leg is up.
    pub fn delivered(&self, said: Timestamp) -> Timestamp {
        let relayed = self.subject.vantage == Vantage::Relay;
        let opened = self.tcp.leg(Leg::Server).opened.seen().filter(|_| relayed);
        opened.map_or(said, |opened| opened.at.time.max(said))
    }

    /// A leg's packets were captured, as far as they were. Only [`LegFacts::counts`] can speak for what was absent.
    pub fn has_packets(&self, leg: Leg) -> bool {
        self.tcp.leg(leg).has_packets()
    }

    /// Milliseconds from the start of the session.
    pub fn ms(&self, time: Timestamp) -> f64 {
        time.since(self.subject.started).as_secs_f64() * 1000.0
    }

    /// The same of what can be earlier, as the SYN of a client that a relay had not accepted yet: below zero then.
    pub fn signed_ms(&self, time: Timestamp) -> f64 {
        time.0.wrapping_sub(self.subject.started.0) as i64 as f64 / 1e6
    }

    /// A bound was reached: the verdict is incomplete.
    pub fn limit(&mut self, what: &'static str) {
        if !self.limits.contains(&what) {
            self.limits.push(what);
        }
    }

    /// Folds one event in.
    pub fn apply(&mut self, at: At, event: Event) {
        self.now = self.now.max(at.time);
        match event {
            Event::Opened(took) => self.tcp.leg_mut(at.leg()).open(at, took),
            Event::ConnectFailed(failure) => {
                self.tcp.leg_mut(at.leg()).fail(Attempt { at, failure });
            }
            Event::Closed(dir, how) => self.close(at, dir, how),
            Event::ResetIgnored(dir) => self.tcp.leg_mut(at.leg()).ignore_reset(dir),
            Event::Segment(segment) => self.tcp.leg_mut(segment.leg).keep(at, segment),
            Event::Socket(sample) => self.tcp.leg_mut(at.leg()).sample(at, sample),
            Event::Counts(counts) => self.count_segments(at, counts),
            Event::Relay(note) => self.note_relay(at, note),
            Event::Limit(what) => self.limit(what),
            Event::Cut(dir, what) => {
                self.limit(what);
                self.tls.hide(dir, Why::Lost);
            }
            Event::Gap(dir, bytes) => {
                let stream = &mut self.streams[dir.index()];
                stream.gap = true;
                stream.gap_of_unknown_size |= bytes.is_none();
                if dir == Direction::ToClient && !self.tls.is_established() {
                    self.tls.certificate.hide(Why::Lost);
                }
            }
            Event::Opaque(dir, error) => {
                self.rdp.opaque[dir.index()] = true;
                self.note_damage(at, format!("no frame where one should begin: {error}"));
            }
            Event::DamagedHandshake(_, error) => {
                self.note_damage(at, format!("damaged TLS handshake message: {error}"));
            }
            Event::FirstBytes(..)
            | Event::ConnectionRequest(_)
            | Event::ConnectionConfirm(_)
            | Event::X224Refused(..) => self.x224.apply(at, event),
            Event::Mcs(..) | Event::Statement(..) | Event::FastPath(_) | Event::ClearFrame(_) => {
                let instead_of_tls = self.expects_tls();
                self.rdp.apply(at, &event, instead_of_tls);
            }
            _ => self.tls.apply(at, event),
        }
    }

    /// Counts bytes of a direction.
    #[inline]
    pub fn count(&mut self, dir: Direction, at: At, bytes: u64) {
        self.now = self.now.max(at.time);
        self.silences.note(&self.streams, dir, at);
        if !self.turns.goes_on(dir) {
            let mut other = self.streams[dir.reverse().index()].last.map(|at| at.time);
            if dir == Direction::ToClient && self.stream(dir).first.is_none() {
                other = other.map(|asked| self.delivered(asked));
            }
            self.turns.spoke(dir, at.time, other);
        }
        let stream = &mut self.streams[dir.index()];
        // A count that a damaged source made up may be any number.
        stream.bytes = stream.bytes.saturating_add(bytes);
        stream.first.get_or_insert(at);
        stream.before_last = stream.last.replace(at);
    }

    /// Counts a TLS record of application data, whose body has `length` bytes.
    pub fn count_record(&mut self, dir: Direction, at: At, length: u16) {
        self.now = self.now.max(at.time);
        self.tls.count_record(at, dir, length);
    }

    fn close(&mut self, at: At, dir: Direction, how: Close) {
        let after_bytes = [self.streams[0].bytes, self.streams[1].bytes];
        let outside = at.leg() == Leg::Single || at.leg() == self.source_leg(dir);
        let last = [0, 1].map(|dir: usize| self.streams[dir].last.map(|at| at.time));
        self.tcp.close(Ending { at, dir, how, after_bytes, last, both: false }, outside);
    }

    /// TLS was agreed and the server has sent none of it yet, while the client still listened. The
    /// server's clear packet can cross the client's hello.
    fn expects_tls(&self) -> bool {
        let agreed = self.x224.selected().is_some_and(|selected| selected != Protocols::RDP);
        let asked = agreed || self.tls.client_hello.is_seen();
        asked && !self.tls.server_spoke() && self.ending().is_none()
    }

    fn note_relay(&mut self, at: At, note: RelayNote) {
        const KEPT: usize = 16;
        if self.relay.len() < KEPT {
            self.relay.reserve_exact(1);
            self.relay.push(Seen { value: note, at });
        }
    }

    /// A peer that acknowledged more than was captured shows what the capture lacks; its FIN counts one.
    /// A relay has read every byte, whatever a capture beside it holds.
    fn count_segments(&mut self, at: At, counts: [SegmentCounts; 2]) {
        let captured = self.subject.vantage == Vantage::Capture;
        for (stream, counts) in self.streams.iter_mut().zip(counts).filter(|_| captured) {
            stream.gap |= counts
                .acknowledged
                .is_some_and(|acknowledged| acknowledged > counts.bytes.saturating_add(1));
        }
        self.tcp.leg_mut(at.leg()).count(counts);
    }

    fn note_damage(&mut self, at: At, what: String) {
        const KEPT: usize = 8;
        if self.damage.len() < KEPT {
            self.damage.push(Seen { value: what, at });
        }
    }
}
