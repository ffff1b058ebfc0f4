//! Systems on which the program can not capture packets.

use tokio::sync::mpsc;

use super::{Command, Missing};
use crate::clock::Clock;

/// Not here.
pub fn start(
    _ports: [u16; 2],
    _sessions: usize,
    _clock: Clock,
    _commands: mpsc::UnboundedReceiver<Command>,
) -> Result<(), Missing> {
    Err(Missing::Platform)
}
