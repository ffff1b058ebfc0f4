#![forbid(unsafe_code)]
//! Capture files: packets in, ordered streams out.

pub mod file;
pub mod packet;
