//! The wire formats: one file per PDU, bytes in, values out. Nothing here keeps state, but
//! [`tls::chain`] remembers what it read and answers the same with or without it; nothing here imports another part
//! of the engine.
//!
//! **To add a PDU**: a file here with a struct, `parse(&mut Reader) -> Parsed<_>`, the section of its
//! specification in the doc comment and a test vector; one arm in `session/`; and, if it matters to
//! anyone, one field in `facts`.

pub mod credssp;
pub mod first_bytes;
mod hex;
pub mod licensing;
pub mod mcs;
mod reader;
pub mod send_data;
pub mod share;
pub mod tls;
pub mod tpkt;
pub mod x224;

pub(crate) use hex::{hex, push_hex};
pub use reader::{ParseError, Parsed, Reader, complete};

#[cfg(test)]
mod ironrdp_tests;
