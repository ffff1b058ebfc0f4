//! The integration tests: the program between real RDP clients and servers. `tests/run` installs
//! what they need.

mod support;

mod activation;
mod cli;
mod command;
mod config;
mod corpus;
mod demo;
mod endpoints;
mod files;
mod full;
mod fuzz_regression;
mod labelled;
mod latency;
mod load;
mod metrics;
mod misconfigured;
mod names;
mod packets;
mod pair;
mod parity;
mod peers;
mod printed;
mod proxy_protocol;
mod recordings;
mod relay;
mod robust;
mod routes;
mod sessions;
mod signals;
mod standstill;
mod steady;
mod tidy;
mod transparent;
mod units;
