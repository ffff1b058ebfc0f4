//! The relay: two independent TCP connections per session, and a verdict when one ends.
//!
//! It accepts, dials the upstream, moves bytes exactly, and tells the engine after each write. It
//! imports of the engine only its door (inputs, session) and never waits for it.

mod added;
mod courtesy;
mod death;
mod dialled;
mod lent;
mod linger;
mod listen;
mod moments;
mod observer;
mod origin;
mod pending;
mod pump;
mod reach;
mod routes;
mod seldom;
mod session;
mod upstream;
mod waiting;
mod watched;
mod workers;
mod zero_window;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::desk::Message;
use crate::dial::DialOptions;
use crate::measures::Measures;
use crate::packets::Packets;
use crate::record::Recorder;

pub(crate) use death::close_of;
pub use lent::Lent;
pub use listen::{Guard, Listen, Listening, Terms, listen};
pub use observer::{FAILED, Feed};
pub use origin::ProxyProtocol;
pub use routes::{Bound, Changes, Routes, Unbound, Wanted, bind};
pub use upstream::{Diverted, Transparent, Upstream};
pub use waiting::at;
pub use workers::Workers;

/// What all sessions of a listener share.
pub struct Relay {
    /// What reports call the listener: its address.
    pub source: Arc<str>,
    /// The number of the next session; relays that share a desk or a recording share it.
    pub numbers: Arc<AtomicU64>,
    /// Where clients are taken to.
    pub upstream: Upstream,
    /// How it is dialled.
    pub dial: DialOptions,
    /// Whether clients are announced to it, and whether it announces them.
    pub proxy_protocol: ProxyProtocol,
    /// Deadlines that close; off unless asked for.
    pub deadlines: Deadlines,
    /// An experiment: server legs ignore resets. A server that then leaves its client without an answer for
    /// this long ends the session.
    pub rst_immune: Option<Duration>,
    /// The program ends with a session's verdict: nobody waits long for one.
    pub once: bool,
    /// The only clock.
    pub clock: Clock,
    /// The desk wants to hear of sessions that begin, too.
    pub announces: bool,
    /// Where ended sessions go.
    pub desk: mpsc::Sender<Message>,
    /// Where recordings go.
    pub recorder: Option<Recorder>,
    /// The capture of both legs, where there is one.
    pub packets: Option<Packets>,
    /// The engine's door.
    pub feed: Feed,
    /// Where what it adds to the time under way is measured, if it is.
    pub measures: Option<Measures>,
    /// The threads that serve its clients.
    pub workers: Workers,
}

/// Deadlines of the relay's own. When one fires, the relay is to blame and says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadlines {
    /// For reaching the server.
    pub connect: Option<Duration>,
    /// For the session to be up.
    pub handshake: Option<Duration>,
}

impl Relay {
    /// A message that must not hold a session up; the desk may miss it when it is overloaded.
    fn tell(&self, message: Message) {
        if self.desk.try_send(message).is_err() {
            tracing::debug!("the desk is busy: a provisional message was dropped");
        }
    }
}

#[cfg(test)]
mod tests;
