//! The program: everything that touches a socket, a clock, a file name or a screen.

pub mod cli;
pub mod clock;
pub mod demo;
pub mod desk;
pub mod dial;
pub mod error;
pub mod identities;
pub mod latency;
pub mod load;
pub mod log;
pub mod measures;
pub mod metrics;
pub mod offline;
pub mod os;
pub mod output;
pub mod packets;
pub mod proxy_protocol;
pub mod record;
pub mod relay;
