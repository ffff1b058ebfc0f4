//! The program.

pub mod dial;
pub mod os;
