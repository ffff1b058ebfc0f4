//! The relay's own capture (`--packets`): what only packets tell of its two legs, for the session they belong to.
//!
//! ```text
//! os::packets (ring) -> capture (one thread) -> flows (whose packet?) -> Watch (one per session) -> engine
//! ```
//! Of a packet its headers are read, never its payload: the bytes of a session come from the relay's own
//! reads. A capture that fails or falls behind costs evidence, never a byte.

#[cfg(not(target_os = "linux"))]
#[path = "none.rs"]
mod capture;
#[cfg(target_os = "linux")]
mod capture;
#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // nobody asks it there
mod flows;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdpwhy_analyzer::input::{Input, Leg, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::clock::Clock;

/// The bound that a report names when packets of a session were lost by the capture.
pub const LOST: &str = "the packet capture lost packets of this connection";

/// Why there is no capture.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// Not on this operating system.
    #[error("not available on this platform")]
    Platform,
    /// No CAP_NET_RAW.
    #[error("this program lacks the right to (CAP_NET_RAW)")]
    Right,
    /// The system refused for another reason.
    #[error("{0}")]
    System(io::Error),
}

/// A running capture; ends when the last handle and the last [`Watch`] are gone.
#[derive(Clone, Debug)]
pub struct Packets {
    commands: mpsc::UnboundedSender<Command>,
    next: Arc<AtomicU64>,
}

/// One thing that packets told of a session.
#[derive(Debug)]
pub struct Heard {
    /// When the packet passed.
    pub time: Timestamp,
    /// Its number in the capture, from 1.
    pub number: u64,
    /// A segment or the counts of a leg.
    pub input: Input<'static>,
}

/// The two ends of one leg.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Who connected.
    pub client: SocketAddr,
    /// Who listened.
    pub server: SocketAddr,
}

/// The packets of one session.
#[derive(Debug)]
pub struct Watch {
    key: u64,
    inbox: Inbox,
    commands: mpsc::UnboundedSender<Command>,
}

impl Packets {
    /// Starts to capture TCP with one of two ports: the relay's own and its upstream's. `sessions` may be open
    /// at once.
    pub fn start(ports: [u16; 2], sessions: usize, clock: Clock) -> Result<Packets, Missing> {
        let (commands, received) = mpsc::unbounded_channel();
        capture::start(ports, sessions, clock, received)?;
        Ok(Packets { commands, next: Arc::default() })
    }

    /// For a new session.
    pub fn watch(&self) -> Watch {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        Watch { key, inbox: Inbox::default(), commands: self.commands.clone() }
    }
}

impl Watch {
    /// A TCP connection of the session, once its ends are known. Of one that did not connect the segments are
    /// told and no counts.
    pub fn claim(&self, leg: Leg, ends: Ends, connected: bool) {
        let (key, inbox) = (self.key, self.inbox.clone());
        let _ = self.commands.send(Command::Claim { key, inbox, leg, ends, connected });
    }

    /// What was heard since this was asked last.
    pub fn heard(&self) -> Vec<Heard> {
        self.inbox.take()
    }

    /// The session is over: its counts, and all that passed until now, can be heard when this returns. False
    /// when the capture lost packets of it, which then has no counts.
    pub async fn finish(&self) -> bool {
        /// What passed waits in memory; only a machine out of breath takes this long to look at it.
        const PATIENCE: Duration = Duration::from_millis(100);
        let (told, done) = oneshot::channel();
        let _ = self.commands.send(Command::Finish { key: self.key, told });
        timeout(PATIENCE, done).await.is_ok_and(|whole| whole.unwrap_or(false))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Forget { key: self.key });
    }
}

/// What sessions ask of the capture.
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))] // nobody listens there
enum Command {
    Claim { key: u64, inbox: Inbox, leg: Leg, ends: Ends, connected: bool },
    Finish { key: u64, told: oneshot::Sender<bool> },
    Forget { key: u64 },
}

/// What waits for a session, bounded.
#[derive(Clone, Debug, Default)]
struct Inbox(Arc<Mutex<Vec<Heard>>>);

impl Inbox {
    /// More than the facts of two legs keep.
    const MOST: usize = 96;

    /// Adds what was heard; what comes when it is full says nothing new. Counts always find room: there is
    /// one of a leg.
    fn put(&self, heard: Heard) {
        let mut waiting = self.lock();
        if waiting.len() < Inbox::MOST || matches!(heard.input, Input::Counts { .. }) {
            waiting.push(heard);
        }
    }

    fn take(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
