#![forbid(unsafe_code)]
//! Capture files for rdpwhy. In: any `Read` that holds pcap or pcapng, compressed or not. Out: the
//! engine's inputs, one TCP connection at a time, in order and without overlap; and, the other way,
//! a relay's byte streams written as pcapng.
//!
//! ```text
//! file (pcap | pcapng) -> link -> fragments -> segment -> tcp -> Input
//!                                                      -> dns -> answers to names
//! ```
//! Nothing here opens a file or asks a clock. Input can be damaged in any way: damage is reported
//! and what is left is read on.

pub mod dns;
pub mod file;
pub mod fragments;
pub mod link;
pub mod packet;
pub mod segment;
pub mod synth;
pub mod tcp;
pub mod writer;
