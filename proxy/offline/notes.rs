//! What a user should know about a capture itself.

use std::collections::BTreeMap;

use rdpwhy_analyzer::session::Session;

use super::{Tell, Told};

/// What there is besides TCP.
#[derive(Debug, Default)]
pub struct Counts {
    /// All packets.
    pub packets: u64,
    /// Those of RDP over UDP.
    pub rdp_udp: u64,
    /// How often a packet's time was more than a second before an earlier packet's.
    pub set_back: u64,
    /// TCP segments whose data was not captured whole, and the most bytes of one that were.
    pub cut: (u64, usize),
    /// Those that can not be read, by link type.
    pub unreadable: BTreeMap<u32, u64>,
}

impl Counts {
    /// Tells what of a capture was left out.
    pub fn notes(&self, source: &str, tell: &mut Tell<'_>) {
        if self.rdp_udp > 0 {
            tell(Told::Note(format!(
                "{source}: {} packets of RDP over UDP (port 3389) are not analysed; the TCP connection beside them is",
                self.rdp_udp
            )));
        }
        if self.set_back > 0 {
            tell(Told::Note(format!(
                "{source}: the time goes back by more than a second, {} in all: the clock was set or the file put together; durations across that are wrong",
                count(self.set_back)
            )));
        }
        if let (packets @ 1.., most) = self.cut {
            tell(Told::Note(format!(
                "{source}: {packets} packets were cut when they were captured, to {most} bytes or less: what they said is missing; capture whole packets (tcpdump -s 0)"
            )));
        }
        for (link_type, packets) in &self.unreadable {
            tell(Told::Note(format!(
                "{source}: {packets} packets of link type {link_type} can not be read; capture on the network interface itself, or convert to Ethernet"
            )));
        }
    }
}

/// RD Gateway carries RDP inside HTTPS: say so where a user would only read "no RDP".
pub fn gateway_hint(source: &str, other: &[Session], tell: &mut Tell<'_>) {
    let https = other
        .iter()
        .filter(|session| session.facts().subject.server.is_some_and(|s| s.port() == 443))
        .count();
    if https > 0 {
        tell(Told::Note(format!(
            "{source}: no RDP, but {https} connections to port 443: if the client uses an RD Gateway, its RDP is inside them; capture on the gateway or the host instead"
        )));
    }
}

fn count(times: u64) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times") }
}
