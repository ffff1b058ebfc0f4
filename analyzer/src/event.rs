//! What happened, once, with its evidence. The session turns PDUs into events; facts are folded from
//! events and from counts of bytes and records, and from nothing else.

use std::fmt;
use std::num::NonZeroU64;

use crate::input::{
    Close, ConnectFailure, Direction, Leg, Origin, RelayNote, Segment, SegmentCounts, TcpSample,
    Timestamp,
};
use crate::wire::ParseError;
use crate::wire::first_bytes::FirstBytes;
use crate::wire::mcs::McsPdu;
use crate::wire::send_data::Statement;
use crate::wire::tls::{Alert, Chain, ClientHello, ServerHello};
use crate::wire::x224::{ConnectionConfirm, ConnectionRequest};

/// When and where something was observed. Sessions are full of these: it is two words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// Time of the observation.
    pub time: Timestamp,
    /// From the lowest bit: kind of origin (2), leg (2, none of them zero), number (60).
    place: NonZeroU64,
}

impl At {
    /// Observed at this time, in this packet, read or socket, on this leg. A number beyond 60 bits counts as the
    /// largest.
    pub fn new(time: Timestamp, origin: Origin, leg: Leg) -> At {
        const MOST: u64 = u64::MAX >> 4;
        let (kind, number) = match origin {
            Origin::Packet(number) => (0, number),
            Origin::Read(number) => (1, number),
            Origin::Live(number) => (2, number),
            Origin::Socket => (3, 0),
        };
        let leg = match leg {
            Leg::Client => 1,
            Leg::Server => 2,
            Leg::Single => 3,
        };
        let place = NonZeroU64::MIN.saturating_add((number.min(MOST) << 4 | leg << 2 | kind) - 1);
        At { time, place }
    }

    /// What orders observations of one input: the time, and of equal ones the number of the packet or read.
    pub fn order(self) -> (Timestamp, u64) {
        (self.time, self.place.get() >> 4)
    }

    /// True when it was observed before the other: earlier, or at the same time in an earlier packet. The clocks of
    /// captures can be coarse.
    pub fn is_before(self, other: At) -> bool {
        let packets = [self, other].map(|at| match at.origin() {
            Origin::Packet(number) | Origin::Live(number) => Some(number),
            Origin::Read(_) | Origin::Socket => None,
        });
        let earlier = matches!(packets, [Some(this), Some(that)] if this < that);
        self.time < other.time || (self.time == other.time && earlier)
    }

    /// Packet, read or socket.
    pub fn origin(self) -> Origin {
        let (kind, number) = (self.place.get() & 3, self.place.get() >> 4);
        match kind {
            0 => Origin::Packet(number),
            1 => Origin::Read(number),
            2 => Origin::Live(number),
            _ => Origin::Socket,
        }
    }

    /// The leg it was observed on.
    pub fn leg(self) -> Leg {
        match self.place.get() >> 2 & 3 {
            1 => Leg::Client,
            2 => Leg::Server,
            _ => Leg::Single,
        }
    }
}

impl fmt::Debug for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} on {:?} at {:?}", self.origin(), self.leg(), self.time)
    }
}

/// The limit of an input that holds headers alone, or none of what a side said first.
pub const UNREAD: &str = "the first bytes of a side are not in the input";
/// A bound that keeps what a side said from being read whole.
pub const CUT: &str = "a TPKT packet was cut in the input";
/// The same of a handshake record.
pub const CUT_HANDSHAKE: &str = "a TLS handshake record was cut in the input";
/// The same of what stands between the frames that can be read.
pub const LEFT_OUT: &str = "a part of what a side said is not in the input";
/// The same of an alert.
pub const CUT_ALERT: &str = "a TLS alert was cut in the input";

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A leg's TCP handshake completed; the time it took where known, in ns.
    Opened(Option<u64>),
    /// An attempt to open a leg failed.
    ConnectFailed(ConnectFailure),
    /// The first bytes of a direction were recognised.
    FirstBytes(Direction, FirstBytes),
    /// X.224 Connection Request.
    ConnectionRequest(ConnectionRequest),
    /// X.224 Connection Confirm.
    ConnectionConfirm(ConnectionConfirm),
    /// X.224 Disconnect Request or Error, with its reason.
    X224Refused(Direction, u8),
    /// A TPKT packet with an MCS PDU in clear.
    Mcs(Direction, McsPdu),
    /// What was said in clear about the fate of the session.
    Statement(Direction, Statement),
    /// A TPKT packet whose content the source did not keep.
    ClearFrame(Direction),
    /// A fast-path PDU in clear framing.
    FastPath(Direction),
    /// ClientHello.
    ClientHello(ClientHello),
    /// ServerHello.
    ServerHello(ServerHello),
    /// HelloRetryRequest. RFC 8446 4.1.4.
    HelloRetryRequest(ServerHello),
    /// Certificate in clear (TLS 1.2 and older), by its sender; the chain can be empty.
    Certificate(Direction, Chain),
    /// A Certificate message that is itself malformed.
    CertificateUnreadable(Direction, ParseError),
    /// CertificateRequest in clear.
    CertificateRequest,
    /// ServerHelloDone.
    ServerHelloDone,
    /// ChangeCipherSpec. Means nothing in TLS 1.3.
    ChangeCipherSpec(Direction),
    /// Alert in clear.
    Alert(Direction, Alert),
    /// An alert whose content is encrypted.
    EncryptedAlert(Direction),
    /// A handshake record behind ChangeCipherSpec: Finished, in TLS 1.2 and older.
    EncryptedHandshake(Direction),
    /// Records and their bytes that the source only counted.
    RecordsPassed(Direction, u64, u64),
    /// The source did not keep what a side said before the session was up, or not all of it; the limit says what.
    Cut(Direction, &'static str),
    /// A handshake message that can not be what it claims.
    DamagedHandshake(Direction, ParseError),
    /// Bytes where a frame should begin and none does.
    Opaque(Direction, ParseError),
    /// The source lost bytes.
    Gap(Direction, Option<u64>),
    /// A direction of a leg ended.
    Closed(Direction, Close),
    /// The RST with which it ended last was ignored.
    ResetIgnored(Direction),
    /// A TCP segment worth keeping.
    Segment(Segment),
    /// State of a relay socket.
    Socket(TcpSample),
    /// Running counts of a captured leg.
    Counts([SegmentCounts; 2]),
    /// The relay's own doing.
    Relay(RelayNote),
    /// A bound of the engine was reached; the verdict is incomplete.
    Limit(&'static str),
}
