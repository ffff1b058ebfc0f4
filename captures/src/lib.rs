#![forbid(unsafe_code)]
//! Capture files: packets in, ordered streams out.

pub mod packet;
pub mod tcp;
