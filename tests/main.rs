//! The integration tests: the program between real RDP clients and servers. `tests/run` installs
//! what they need.

mod support;

mod corpus;
mod demo;
mod endpoints;
mod labelled;
mod misconfigured;
mod parity;
mod peers;
mod recordings;
mod relay;
mod sessions;
mod tidy;
