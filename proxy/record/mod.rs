//! Recording a relay's sessions as pcapng (`-w`).
//!
//! Each session has a [`Tape`]. It holds the handshake in memory until there is a verdict or too much
//! of it, then writes through a bounded queue to the recorder's own thread. What can not be written is
//! counted and said; the session goes on.

mod buffers;
mod entry;
pub mod facts;
mod file;
mod held;
mod legs;
mod queue;
mod recording;
mod tape;
mod writer;

pub use buffers::Chunk;
pub use entry::{Entry, Payload, Policy, What};
pub use file::Ring;
pub use tape::Tape;
pub use writer::{Recorder, stopped};

#[cfg(test)]
mod tests;
