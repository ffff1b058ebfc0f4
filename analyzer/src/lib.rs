#![forbid(unsafe_code)]
//! The engine of rdpwhy. Bytes and times come in as arguments; facts, opinions and a verdict go out.

pub mod case;
pub mod casebook;
pub mod catalogue;
pub mod codes;
pub mod detect;
pub mod diff;
pub mod event;
pub mod facts;
pub mod input;
pub mod pairing;
pub mod records;
pub mod report;
pub mod session;
#[cfg(test)]
mod testing;
pub mod transcript;
pub mod verdict;
pub mod wire;
