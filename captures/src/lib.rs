#![forbid(unsafe_code)]
//! Capture files.

pub mod synth;
pub mod writer;
