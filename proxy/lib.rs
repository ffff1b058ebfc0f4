//! The program.

pub mod os;
