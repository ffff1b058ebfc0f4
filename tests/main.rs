//! The integration tests: the program between real RDP clients and servers. `tests/run` installs
//! what they need.

mod support;

mod cli;
mod command;
mod corpus;
mod demo;
mod endpoints;
mod files;
mod fuzz_regression;
mod labelled;
mod misconfigured;
mod packets;
mod pair;
mod parity;
mod peers;
mod recordings;
mod relay;
mod robust;
mod sessions;
mod tidy;
mod transparent;
