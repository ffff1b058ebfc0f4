//! What is recorded of a session: what was read and when, how much of it is kept.

use std::net::SocketAddr;
use std::time::Duration;

use rdpwhy_analyzer::input::{Close, ConnectFailure, Direction, Leg, Timestamp};

/// How much of the bytes is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Payload {
    /// Lengths only.
    None,
    /// Everything through TLS Finished (standard RDP security: up to Client Info), then the headers of
    /// the first 64 records per direction, then counters.
    Handshake,
    /// Everything, once: the client leg has all bytes of both directions, the server leg the headers of its
    /// packets, and bytes only where the client was gone when they came.
    Full,
}

/// What happens when the recorder can not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// What it can not take is dropped and counted; the relay is never held up.
    Drop,
    /// The thread that relays waits for the recorder, and with it every session that it serves.
    Wait,
}

/// One thing to be written.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it happened.
    pub time: Timestamp,
    /// The number of the read it came from; evidence refers to it.
    pub read: u64,
    /// What happened.
    pub what: What,
}

impl Entry {
    /// Its size in memory.
    pub fn bytes(&self) -> usize {
        let kept = if let What::Data { kept, .. } = &self.what { kept.capacity() } else { 0 };
        kept + size_of::<Entry>()
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// A leg opened; its SYN is dated back by the time it took.
    Opened {
        /// Which leg.
        leg: Leg,
        /// Duration of the handshake.
        took: Duration,
        /// The relay's end and the peer's, on the server leg.
        ends: Option<(SocketAddr, SocketAddr)>,
    },
    /// The relay began to dial the server.
    Dialing,
    /// An attempt to open the server leg failed.
    Failed(ConnectFailure),
    /// Bytes passed; `kept` are the first of `len`.
    Data {
        /// Which way.
        dir: Direction,
        /// What is kept of them.
        kept: Vec<u8>,
        /// How many they were.
        len: u64,
    },
    /// Bytes passed that are only counted.
    Skipped {
        /// Which way.
        dir: Direction,
        /// How many.
        len: u64,
    },
    /// A side closed.
    Closed {
        /// Which leg.
        leg: Leg,
        /// Its direction.
        dir: Direction,
        /// How.
        how: Close,
    },
}
