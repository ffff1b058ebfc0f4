//! The program: everything that touches a socket, a clock, a file name or a screen.

pub mod clock;
pub mod dial;
pub mod os;
pub mod relay;
