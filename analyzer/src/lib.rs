#![forbid(unsafe_code)]
//! The engine of rdpwhy. Bytes and times come in as arguments; facts, opinions and a verdict go out.

pub mod codes;
pub mod input;
pub mod report;
pub mod wire;
