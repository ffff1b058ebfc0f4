//! Recording a relay's sessions as pcapng (`-w`).
//!
//! Each session has a [`Tape`]. It holds the handshake in memory until there is a verdict or too much
//! of it, then writes through a bounded queue to the recorder's own thread. What can not be written is
//! counted and said; the session goes on.

pub mod facts;
mod file;
mod legs;
mod queue;
mod tape;
mod writer;

pub use file::Ring;
pub use tape::{Entry, Payload, Policy, Tape, What};
pub use writer::{Recorder, stopped};

#[cfg(test)]
mod tests;
