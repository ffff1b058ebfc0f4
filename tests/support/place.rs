//! Where a peer runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// An address a server listens on, and the network namespace that has it.
#[derive(Clone, Debug)]
pub struct Place {
    /// A namespace of `ip netns`; `None` is the test's own.
    pub namespace: Option<String>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Place {
    /// A free port of this machine's loopback.
    pub fn loopback() -> Self {
        Self::at_loopback(super::free_port())
    }

    /// This port of this machine's loopback.
    pub fn at_loopback(port: u16) -> Self {
        Self { namespace: None, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The IP address alone.
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}
