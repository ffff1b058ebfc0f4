//! The integration tests: the program between real RDP clients and servers. `tests/run` installs
//! what they need.

mod support;

mod demo;
mod endpoints;
mod fuzz_regression;
mod misconfigured;
mod peers;
mod recordings;
mod relay;
mod sessions;
mod tidy;
