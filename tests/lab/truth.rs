//! What the wire says of a run, whatever the program says: the copies of a packet that reach a router and leave
//! it. A router that has no part in the fault passes everything on as it came; one that makes it does not.
//! So a label that names a network, or a peer, is true of the packets before anybody is asked.

use crate::topology::{Ip, Node, Port};
use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How a router is to have treated what passed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It has no part in the run: all packets leave it as they came.
    None,
    /// It may hold packets up, or hold a program that does nothing to this run.
    Perhaps,
    /// It makes the fault: packets are missing behind it, or others than came leave it.
    Fault,
}

/// Compares what reached each router with what left it, until all captures were told to end.
///
/// # Panics
///
/// Where that is not what its part is: the run's label would be wrong.
pub fn check(captures: &BTreeMap<Port, PathBuf>, until: SystemTime, parts: [(Node, Part); 2]) {
    let end = until.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    for (router, part) in parts {
        // A fault may well be the last thing that happened.
        let until = if part == Part::Fault { end } else { end - MARGIN };
        let [one, other] = ports(router).map(|port| seen(&captures[&port], router));
        let changed = [more_often(&one, &other, until), more_often(&other, &one, until)].concat();
        let right = match part {
            Part::None => changed.is_empty(),
            Part::Perhaps => true,
            Part::Fault => !changed.is_empty(),
        };
        assert!(right, "{router:?} has the part {part:?} and changed {changed:?}");
    }
}

/// What a router had to forward: what stays of each packet on its way, with the times at which it passed.
type Packets = HashMap<Vec<u8>, Vec<Duration>>;

/// What was on its way then, or from the kernel to dumpcap, need not be in the file.
const MARGIN: Duration = Duration::from_millis(1200);

/// What passed one interface of a router.
fn seen(file: &Path, router: Node) -> Packets {
    let mut packets = Packets::new();
    let mut reader = PcapNgReader::new(File::open(file).unwrap()).unwrap();
    while let Some(block) = reader.next_block() {
        match block.unwrap().0 {
            Block::EnhancedPacket(packet) => {
                if let Some(bytes) = forwarded(&packet.data, router) {
                    packets.entry(bytes).or_default().push(packet.timestamp);
                }
            }
            Block::InterfaceStatistics(statistics) => {
                let lost = statistics.options.iter().find_map(|option| match option {
                    InterfaceStatisticsOption::IsbIfDrop(lost) if *lost > 0 => Some(lost),
                    _ => None,
                });
                assert_eq!(lost, None, "{} lost packets", file.display());
            }
            _ => {}
        }
    }
    packets
}

/// Packets that one interface saw more often than the other, in words.
fn more_often(one: &Packets, other: &Packets, until: Duration) -> Vec<String> {
    let mut changed = Vec::new();
    for (bytes, times) in one {
        let there = other.get(bytes).map_or(0, Vec::len);
        let here = times.iter().filter(|time| **time <= until).count();
        if here > there {
            let head: String = bytes.iter().take(60).map(|byte| format!("{byte:02x}")).collect();
            changed.push(format!("{here} against {there}: {head}"));
        }
    }
    changed
}

/// Both interfaces of a router.
fn ports(router: Node) -> [Port; 2] {
    if router == Node::M1 { [Port::M1c, Port::M1p] } else { [Port::M2p, Port::M2s] }
}

/// An IP packet without what a router changes in passing, the hop limit and IPv4's checksum; `None` for what
/// is not from one host of the laboratory to another.
fn forwarded(frame: &[u8], router: Node) -> Option<Vec<u8>> {
    const ETHERNET: usize = 14;
    let mut packet = frame.get(ETHERNET..)?.to_vec();
    let address = |range: std::ops::Range<usize>| -> Option<IpAddr> {
        let bytes = frame.get(ETHERNET + range.start..ETHERNET + range.end)?;
        match bytes.len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
            _ => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        }
    };
    let ends = match packet.first()? >> 4 {
        4 => [address(12..16)?, address(16..20)?],
        6 => [address(8..24)?, address(24..40)?],
        _ => return None,
    };
    let own = ports(router).map(|port| [Ip::V4, Ip::V6].map(|ip| port.address(ip))).concat();
    let passes = ends.iter().all(|end| is_of_the_laboratory(*end) && !own.contains(end));
    let changing: &[usize] = if ends[0].is_ipv4() { &[8, 10, 11] } else { &[7] };
    for at in changing {
        *packet.get_mut(*at)? = 0;
    }
    passes.then_some(packet)
}

/// Whether the address is one of those that `topology.rs` gives.
fn is_of_the_laboratory(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets().starts_with(&[10, 77]),
        IpAddr::V6(address) => address.segments()[0] == 0xFD77,
    }
}
