//! Where a peer runs.

use super::process::command_in;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

/// An address a server listens on, and the network namespace that has it.
#[derive(Clone, Debug)]
pub struct Place {
    /// A namespace of `ip netns`; `None` is the test's own.
    pub namespace: Option<String>,
    /// Where it listens.
    pub address: SocketAddr,
    /// The name that a client calls it by; `None` for its address.
    pub called: Option<Called>,
}

/// A name, and who tells a client what it means.
#[derive(Clone, Debug)]
pub struct Called {
    /// The name.
    pub name: String,
    /// The address of the resolver.
    pub resolver: IpAddr,
}

impl Called {
    /// A command for this program, which asks this resolver and no other: in a mount namespace of its own, gone
    /// with its last process, a file in `folder` stands in the place of the system's.
    pub fn command(&self, namespace: Option<&str>, program: &Path, folder: &Path) -> Command {
        let file = folder.join("resolv.conf");
        std::fs::write(&file, format!("nameserver {}\n", self.resolver)).unwrap();
        let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
        let mut command = command_in(namespace, Path::new("unshare"));
        command.args(["--mount", "sh", "-c", script]).arg(file).arg(program);
        command
    }
}

impl Place {
    /// A free port of this machine's loopback.
    pub fn loopback() -> Self {
        Self::at_loopback(super::free_port())
    }

    /// This port of this machine's loopback.
    pub fn at_loopback(port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { namespace: None, address, called: None }
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
