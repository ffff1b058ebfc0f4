#![forbid(unsafe_code)]
//! Capture files: packets in, ordered streams out.

pub mod fragments;
pub mod link;
pub mod packet;
pub mod segment;
