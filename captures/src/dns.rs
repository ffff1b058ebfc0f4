//! DNS answers: which addresses a resolver gave for which name. RFC 1035 4.
//!
//! Of answers in one UDP datagram; what is asked over TCP, TLS or HTTPS is not seen.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rdpwhy_analyzer::event::At;
use rdpwhy_analyzer::facts::Resolved;
use rdpwhy_analyzer::input::{Leg, Origin, Timestamp};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, RCODE, ResourceRecord};

use crate::packet::IpPacket;
use crate::segment;

/// The port of resolvers.
pub const PORT: u16 = 53;

/// Records of an answer that is read; no host has as many.
const MAX_RECORDS: usize = 32;
/// Answers with different addresses for a name that may be one service's.
const MAX_MEANINGS: usize = 16;
/// Answers kept of a capture.
const MAX_KEPT: usize = 4096;

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name that was asked for, in lower case and without the dot at its end.
    pub name: String,
    /// Its addresses, at least one; those that aliases lead to are among them.
    pub addresses: Vec<IpAddr>,
}

/// Reads a DNS message. `None` for all but a whole answer to one question that gives addresses: errors as
/// NXDOMAIN (RFC 1035 4.1.1), truncated answers, names that no host can have, and damage.
pub fn answer(message: &[u8]) -> Option<Answer> {
    let packet = Packet::parse(message).ok()?;
    let [question] = packet.questions.as_slice() else { return None };
    let is_whole =
        packet.has_flags(PacketFlag::RESPONSE) && !packet.has_flags(PacketFlag::TRUNCATION);
    let is_answer = packet.opcode() == OPCODE::StandardQuery && packet.rcode() == RCODE::NoError;
    if !is_whole || !is_answer || packet.answers.len() > MAX_RECORDS {
        return None;
    }
    let name = host_name(&question.qname)?;
    let addresses = addresses(&question.qname, &packet.answers);
    (!addresses.is_empty()).then_some(Answer { name, addresses })
}

/// The latest answers of a capture, the oldest forgotten first.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    kept: VecDeque<Resolved>,
    /// Answers that were forgotten.
    forgotten: usize,
    /// By who asked and what he was given, the number of the latest answer.
    latest: HashMap<(IpAddr, IpAddr), usize>,
}

impl Answers {
    /// Takes a packet from a resolver's port: packet `number` of the capture, captured at `time`.
    pub fn push(&mut self, time: Timestamp, number: u64, ip: &IpPacket<'_>) {
        let Some(Answer { name, addresses }) = segment::udp_payload(ip).and_then(answer) else {
            return;
        };
        if self.kept.len() == MAX_KEPT {
            self.forget_oldest();
        }
        let (resolver, asker) = (ip.source, ip.destination);
        let place = self.forgotten + self.kept.len();
        for address in &addresses {
            self.latest.insert((this_host(asker), *address), place);
        }
        let at = At::new(time, Origin::Packet(number), Leg::Single);
        self.kept.push_back(Resolved { name, addresses, resolver, asker, at });
    }

    /// The latest answer that led this client to an address: one that it was sent itself, or that a resolver
    /// on the capturing machine gave over its loopback.
    pub fn latest(&self, client: IpAddr, address: IpAddr) -> Option<&Resolved> {
        let of = |asker| self.latest.get(&(asker, address)).copied();
        let place = of(this_host(client)).max(of(LOOPBACK))?;
        self.kept.get(place.checked_sub(self.forgotten)?)
    }

    /// The answers by name, each name's in their order; of several with the same addresses the latest. A name
    /// that means something else all the time is left out.
    pub fn into_names(self) -> HashMap<String, Vec<Resolved>> {
        let mut names: HashMap<String, Vec<Resolved>> = HashMap::new();
        for answer in self.kept {
            let known = names.entry(answer.name.clone()).or_default();
            known.retain(|other| !is_same(&other.addresses, &answer.addresses));
            if known.len() <= MAX_MEANINGS {
                known.push(answer);
            }
        }
        names.retain(|_, answers| answers.len() <= MAX_MEANINGS);
        names
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.kept.pop_front() else { return };
        let place = self.forgotten;
        self.forgotten += 1;
        for address in oldest.addresses {
            let key = (this_host(oldest.asker), address);
            if self.latest.get(&key) == Some(&place) {
                self.latest.remove(&key);
            }
        }
    }
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Resolvers give the addresses of a name in turning order.
fn is_same(one: &[IpAddr], other: &[IpAddr]) -> bool {
    let has_all = |one: &[IpAddr], other: &[IpAddr]| other.iter().all(|all| one.contains(all));
    has_all(one, other) && has_all(other, one)
}

/// A machine has many loopback addresses and is one asker.
fn this_host(asker: IpAddr) -> IpAddr {
    if asker.is_loopback() { LOOPBACK } else { asker }
}

/// A name as hosts have one: printable, and no dot within a label.
fn host_name(name: &Name<'_>) -> Option<String> {
    let labels: Vec<String> = name
        .as_bytes()
        .map(|label| {
            let printable = label.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.');
            let text = std::str::from_utf8(label).ok().filter(|_| printable)?;
            Some(text.to_ascii_lowercase())
        })
        .collect::<Option<_>>()?;
    (!labels.is_empty()).then(|| labels.join("."))
}

/// The addresses of a name and of its aliases' targets.
fn addresses(asked: &Name<'_>, records: &[ResourceRecord<'_>]) -> Vec<IpAddr> {
    let mut names = vec![asked];
    // The records of a chain stand in any order.
    while let Some(target) = records.iter().find_map(|record| match &record.rdata {
        RData::CNAME(target) if names.contains(&&record.name) && !names.contains(&&target.0) => {
            Some(&target.0)
        }
        _ => None,
    }) {
        names.push(target);
    }
    let own = records.iter().filter(|r| r.class == CLASS::IN && names.contains(&&r.name));
    own.filter_map(|record| match &record.rdata {
        RData::A(host) => Some(IpAddr::V4(Ipv4Addr::from(host.address))),
        RData::AAAA(host) => Some(IpAddr::V6(Ipv6Addr::from(host.address))),
        _ => None,
    })
    .collect()
}

#[cfg(test)]
mod tests;
