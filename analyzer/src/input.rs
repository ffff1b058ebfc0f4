//! What the engine eats. The live relay and the capture reader both speak these words, so the engine
//! can not tell them apart except by what they were able to see.

mod segment;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use segment::{Baseline, IpIds, Segment, SegmentCounts, SegmentKind, TcpSample};

/// Nanoseconds since the Unix epoch. The engine never asks a clock; times come in with the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The time that passed since `earlier`; zero when the input's clock ran backwards.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Which way bytes travel. A value, so that no parser exists twice.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Direction {
    /// From the RDP client to the RDP server.
    ToServer,
    /// From the RDP server to the RDP client.
    ToClient,
}

impl Direction {
    /// Both directions, client's first.
    pub const BOTH: [Direction; 2] = [Direction::ToServer, Direction::ToClient];

    /// The other direction.
    pub fn reverse(self) -> Direction {
        match self {
            Direction::ToServer => Direction::ToClient,
            Direction::ToClient => Direction::ToServer,
        }
    }

    /// 0 for [`Direction::ToServer`], 1 for [`Direction::ToClient`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// One of the TCP connections that carry a session.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Leg {
    /// Between the client and the relay.
    Client,
    /// Between the relay and the server.
    Server,
    /// The only one there is: a capture taken where no relay of ours stands.
    Single,
}

/// Where an input was observed, for evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Packet number in its capture file, counted from 1 as Wireshark does.
    Packet(u64),
    /// The n-th read of this session by the relay, counted from 1.
    Read(u64),
    /// A property of a socket, asked by the relay.
    Socket,
    /// Packet number of the relay's own capture, counted from 1; it is in no file.
    Live(u64),
}

/// One thing that was observed, at one time and place.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// The leg's TCP handshake completed. `took` is SYN to SYN-ACK as the observer saw it.
    Opened {
        /// Which leg.
        leg: Leg,
        /// Time of the handshake where both ends of it were seen.
        took: Option<Duration>,
    },
    /// One attempt to open a leg failed. Several may precede an `Opened`.
    ConnectFailed {
        /// Which leg.
        leg: Leg,
        /// How, and to whom.
        failure: ConnectFailure,
    },
    /// The next bytes of the stream, in order, without overlap.
    Data {
        /// Which way they travel.
        dir: Direction,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes that certainly passed and whose content the source did not keep (payload policy, snaplen).
    Skipped {
        /// Which way they travelled.
        dir: Direction,
        /// How many.
        bytes: u64,
    },
    /// Bytes that the source lost: a capture dropped packets, or a buffer overflowed.
    Gap {
        /// Which way they travelled.
        dir: Direction,
        /// How many, where sequence numbers tell.
        bytes: Option<u64>,
    },
    /// Application data records that the source counted and did not keep, headers included in `bytes`
    /// of earlier or later [`Input::Skipped`].
    Passed {
        /// Which way they travelled.
        dir: Direction,
        /// How many records.
        records: u64,
        /// Bytes in their bodies.
        bytes: u64,
    },
    /// A TCP segment worth keeping by itself: SYN, SYN-ACK, FIN, RST, zero window, differing overlap.
    Segment(Segment),
    /// One sender ended its direction of a leg.
    Closed {
        /// Which leg.
        leg: Leg,
        /// The direction the closing segment travelled.
        dir: Direction,
        /// FIN, RST or a local error.
        how: Close,
    },
    /// The RST that was told last to have ended a direction ended nothing: its receiver has acknowledged what its
    /// apparent sender sent behind it.
    ResetIgnored {
        /// Which leg.
        leg: Leg,
        /// The direction the RST travelled.
        dir: Direction,
    },
    /// State of a relay socket.
    Socket {
        /// Which leg.
        leg: Leg,
        /// What the kernel said.
        sample: TcpSample,
    },
    /// Running counts of a captured leg, replacing earlier ones.
    Counts {
        /// Which leg.
        leg: Leg,
        /// Sender to server, sender to client.
        counts: [SegmentCounts; 2],
    },
    /// The relay's own doing, or its own failure.
    Relay(RelayNote),
}

/// How a direction of a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// A FIN in sequence; the relay sees it as end of file.
    Fin,
    /// A RST.
    Rst,
    /// Another socket error, by its name (`ETIMEDOUT`, …).
    Error(&'static str),
}

/// Why a TCP connection could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectFailure {
    /// The address that was tried; `None` when no name could be resolved.
    pub to: Option<SocketAddr>,
    /// What ended the attempt.
    pub kind: ConnectFailureKind,
    /// Time from the first SYN to the end of the attempt.
    pub after: Duration,
    /// How many SYNs were seen or sent, where known.
    pub syns: Option<u32>,
}

impl ConnectFailure {
    /// It failed sooner than a neighbour's silence shows: the system never asked anybody.
    pub fn is_at_once(&self) -> bool {
        self.after < Duration::from_millis(500)
    }
}

/// What ended an attempt to connect. Causes.md 0.2 of the field: errno alone does not tell these apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectFailureKind {
    /// RST in answer to the SYN, no ICMP.
    Refused,
    /// An ICMP error that quotes our SYN (type, code) from `offender`.
    Icmp {
        /// ICMP type (ICMPv6 numbers where `offender` is IPv6).
        kind: u8,
        /// ICMP code.
        code: u8,
        /// Who sent it, where the platform tells.
        offender: Option<IpAddr>,
    },
    /// No answer at all.
    NoAnswer,
    /// SYN-ACK arrived and a RST right behind it, before any byte was sent.
    ResetAfterSynAck,
    /// The name has no address.
    NameNotFound(String),
    /// Whoever asked for the name's address gave up before an answer came.
    NameUnanswered,
    /// Any other error, by the platform's name for it.
    Other(String),
}

impl ConnectFailureKind {
    /// No name server answered, so it is not known whether the name has an address.
    pub fn is_unresolved(&self) -> bool {
        match self {
            ConnectFailureKind::NameUnanswered => true,
            ConnectFailureKind::Other(name) => name == "EAI_AGAIN",
            _ => false,
        }
    }

    /// The address has no neighbour or no route, and no ICMP error told so.
    pub fn is_unreachable(&self) -> bool {
        let names = ["EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN"];
        matches!(self, ConnectFailureKind::Other(name) if names.contains(&name.as_str()))
    }
}

/// What the relay itself did or failed to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayNote {
    /// The other end of the client leg is this proxy; the client's address is the one that the proxy announced.
    ClientVia(SocketAddr),
    /// The relay began to dial the server at this time.
    Dialing,
    /// A deadline of the relay closed the session.
    Deadline(Cow<'static, str>),
    /// A proxy in front was to announce its client and left without a word: nobody was to be served.
    Unannounced,
    /// The relay was told to stop while the session was open.
    Shutdown,
    /// The relay failed for a reason of its own.
    Error(String),
    /// The relay sent the server a PROXY protocol header in front of the client's bytes.
    HeaderSent,
    /// From here on the relay ignores resets from the server's side, as an experiment.
    RstImmune,
    /// The recorder lost this many bytes of the session: the record is incomplete, the session was not touched.
    RecorderLost(u64),
}
