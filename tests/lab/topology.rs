//! Five machines in a row, made of network namespaces: `C - M1 - P - M2 - S`.
//!
//! C has the client, P the relay, S the server; M1 and M2 are routers, where faults of the network
//! happen. P forwards nothing: what passes it passes the relay. Every name carries the number of
//! this process, so that runs side by side never meet and a run that was killed can be swept away.

use crate::support::process::command_in;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// One of the five machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// The client.
    C,
    /// The router between client and relay.
    M1,
    /// The relay.
    P,
    /// The router between relay and server.
    M2,
    /// The server.
    S,
}

/// All of them, in their order on the path.
const NODES: [Node; 5] = [Node::C, Node::M1, Node::P, Node::M2, Node::S];

/// One end of a link. Where captures are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Port {
    /// The client's.
    C,
    /// M1's towards the client.
    M1c,
    /// M1's towards the relay.
    M1p,
    /// The relay's towards the client.
    Pc,
    /// The relay's towards the server.
    Ps,
    /// M2's towards the relay.
    M2p,
    /// M2's towards the server.
    M2s,
    /// The server's.
    S,
}

/// All of them, in their order on the path; two neighbours of an even and an odd place are a link.
pub const PORTS: [Port; 8] =
    [Port::C, Port::M1c, Port::M1p, Port::Pc, Port::Ps, Port::M2p, Port::M2s, Port::S];

/// Which version of the Internet Protocol a run uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ip {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Port {
    /// The name of the interface, and of the capture made there.
    pub fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::M1c => "m1c",
            Self::M1p => "m1p",
            Self::Pc => "pc",
            Self::Ps => "ps",
            Self::M2p => "m2p",
            Self::M2s => "m2s",
            Self::S => "s",
        }
    }

    /// The machine that has it.
    pub fn node(self) -> Node {
        match self {
            Self::C => Node::C,
            Self::M1c | Self::M1p => Node::M1,
            Self::Pc | Self::Ps => Node::P,
            Self::M2p | Self::M2s => Node::M2,
            Self::S => Node::S,
        }
    }

    /// Its address. Routers end in 1, hosts in 2.
    pub fn address(self, ip: Ip) -> IpAddr {
        let place = PORTS.iter().position(|port| *port == self).unwrap_or_default();
        let host = if matches!(self.node(), Node::M1 | Node::M2) { 1 } else { 2 };
        let link = place / 2 + 1;
        let text = match ip {
            Ip::V4 => format!("10.77.{link}.{host}"),
            Ip::V6 => format!("fd77:{link}::{host}"),
        };
        text.parse().unwrap()
    }
}

/// The five namespaces; removed with all that is in them on drop.
pub struct Topology {
    prefix: String,
}

impl Topology {
    /// Makes one.
    pub fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let made = Self { prefix: format!("{}{number}", prefix(std::process::id())) };
        let done = shell(&made.script());
        assert!(done.is_ok(), "the network could not be made: {}", done.unwrap_err());
        made
    }

    /// The name of a machine's namespace.
    pub fn namespace(&self, node: Node) -> String {
        format!("{}-{node:?}", self.prefix).to_lowercase()
    }

    /// A command on one of the machines.
    pub fn command(&self, node: Node, program: &Path) -> Command {
        command_in(Some(&self.namespace(node)), program)
    }

    /// Runs a shell line on one of the machines, which has to succeed.
    pub fn sh(&self, node: Node, line: &str) {
        let mut command = self.command(node, Path::new("/bin/sh"));
        let output = command.args(["-ec", line]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{node:?}: {line}: {errors}");
    }

    /// Everything it takes, as one shell script: a process per command would take longer.
    fn script(&self) -> String {
        let mut lines = vec!["set -e".to_owned()];
        for node in NODES {
            let name = self.namespace(node);
            lines.push(format!("ip netns add {name}; ip -n {name} link set lo up"));
        }
        for ends in PORTS.chunks(2) {
            let [(left, at), (right, there)] =
                [ends[0], ends[1]].map(|port| (port.name(), self.namespace(port.node())));
            lines.push(format!(
                "ip link add {left} netns {at} type veth peer name {right} netns {there}"
            ));
        }
        for port in PORTS {
            let (name, at) = (port.name(), self.namespace(port.node()));
            let [v4, v6] = [Ip::V4, Ip::V6].map(|ip| port.address(ip));
            // Captures are to show what is on the wire: no segment larger than that.
            lines.push(format!(
                "nsenter --net=/run/netns/{at} ethtool -K {name} tso off gso off gro off tx off \
                 rx off >/dev/null\n\
                 ip -n {at} link set {name} gso_max_segs 1 up\n\
                 ip -n {at} addr add {v4}/24 dev {name}\n\
                 ip -n {at} addr add {v6}/64 dev {name} nodad"
            ));
        }
        for (node, to, via) in ROUTES {
            let at = self.namespace(node);
            for (ip, all) in [(Ip::V4, "10.77.0.0/16"), (Ip::V6, "fd77::/16")] {
                let gateway = via.address(ip);
                let net = match (to, ip) {
                    (Some(link), Ip::V4) => format!("10.77.{link}.0/24"),
                    (Some(link), Ip::V6) => format!("fd77:{link}::/64"),
                    (None, _) => all.to_owned(),
                };
                lines.push(format!("ip -n {at} route add {net} via {gateway}"));
            }
        }
        for router in [Node::M1, Node::M2] {
            let at = self.namespace(router);
            lines.push(format!(
                "nsenter --net=/run/netns/{at} sysctl -qw net.ipv4.ip_forward=1 \
                 net.ipv6.conf.all.forwarding=1"
            ));
        }
        lines.join("\n")
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        let names = NODES.map(|node| self.namespace(node));
        remove(names.iter().map(String::as_str));
    }
}

/// Removes what earlier runs left that were killed.
pub fn sweep() {
    remove(standing().iter().map(String::as_str).filter(|name| {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
    }));
}

/// The names of all namespaces there are, whoever's.
pub fn standing() -> Vec<String> {
    let entries = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// How the names begin of all that a process makes.
pub fn prefix(process: u32) -> String {
    format!("{PREFIX}{process}-")
}

/// Whether namespaces can be made here; why not, otherwise.
pub fn possible() -> Result<(), String> {
    let name = format!("{}probe", prefix(std::process::id()));
    shell(&format!("ip netns add {name} && ip netns delete {name}"))
}

/// The beginning of every namespace's name.
const PREFIX: &str = "rdpwhy-lab-";

/// Who reaches which link (all others where it is none) through whom.
const ROUTES: [(Node, Option<u8>, Port); 6] = [
    (Node::C, None, Port::M1c),
    (Node::S, None, Port::M2s),
    (Node::P, Some(1), Port::M1p),
    (Node::P, Some(4), Port::M2p),
    // What a router has to say to hosts beyond the relay.
    (Node::M1, None, Port::Pc),
    (Node::M2, None, Port::Ps),
];

/// Removes namespaces and what still runs in them: a server's child may have outlived it.
fn remove<'a>(names: impl Iterator<Item = &'a str>) {
    let one = |name: &str| {
        format!(
            "kill -KILL $(ip netns pids {name}) 2>/dev/null; ip netns delete {name} 2>/dev/null"
        )
    };
    let lines: Vec<String> = names.map(one).collect();
    if !lines.is_empty() {
        let _ = shell(&format!("{}; true", lines.join("; ")));
    }
}

fn shell(script: &str) -> Result<(), String> {
    let output = Command::new("sh").args(["-c", script]).output().map_err(|e| e.to_string())?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(errors) }
}
