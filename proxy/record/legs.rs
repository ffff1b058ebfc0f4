//! One session's two legs as packets: each entry of its tape becomes what would have been on the wire.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rdpwhy_analyzer::facts::Subject;
use rdpwhy_analyzer::input::{
    Close, ConnectFailure, ConnectFailureKind, Direction, Leg, Timestamp,
};
use rdpwhy_captures::synth::{Packet, Sender, SyntheticLeg};

use super::tape::{Entry, What};
use super::writer::Pending;
use crate::clock::Clock;

/// What is remembered of a session between its entries.
pub(super) struct Written {
    client: SyntheticLeg,
    server: Option<SyntheticLeg>,
    /// A first packet of each leg was written.
    pub begun: [bool; 2],
    /// The dial that has no answer yet.
    pub dialing: Option<Timestamp>,
    reached: bool,
    /// The name the relay dials.
    pub name: Option<String>,
    /// Its number.
    pub session: u64,
    /// What the client said before the server was reached: it goes to the server leg when that opens.
    early: Vec<(Vec<u8>, u64)>,
    /// The latest packet waits for a comment of the verdict.
    pub waiting: Option<Pending>,
}

impl Written {
    /// A session of which nothing is written yet.
    pub fn new(session: u64, subject: &Subject) -> Written {
        let local = same_family(subject.relay[0].unwrap_or(unknown(0)), subject.client);
        Written {
            client: SyntheticLeg::new(subject.client, local, session as u32),
            server: None,
            begun: [false; 2],
            dialing: None,
            reached: false,
            name: subject.server_name.clone(),
            session,
            early: Vec::new(),
            waiting: None,
        }
    }

    /// The server leg's addresses, once they are known.
    pub fn learn(&mut self, subject: &Subject) {
        if self.server.is_none()
            && let (Some(from), Some(to)) = (subject.relay[1], subject.server)
        {
            self.server = Some(SyntheticLeg::new(from, to, !(self.session as u32)));
        }
    }

    /// One entry as packets.
    pub fn packets(&mut self, entry: &Entry) -> Vec<(Leg, Timestamp, Packet)> {
        let time = entry.time;
        match &entry.what {
            What::Opened { leg, took, ends } => self.opened(*leg, time, *took, *ends),
            What::Dialing => {
                self.dialing = Some(time);
                Vec::new()
            }
            What::Failed(failure) => self.failed(time, failure),
            What::Data { dir, kept, len } => self.data(time, *dir, kept, *len),
            What::Skipped { dir, len } => {
                // The acknowledgement tells a reader that the bytes passed: it need not wait for them.
                let passed = self.both(*dir).into_iter().map(|(name, leg, sender)| {
                    leg.skip(sender, *len);
                    (name, time, leg.ack(sender.peer()))
                });
                passed.collect()
            }
            What::Closed { leg, dir, how } => self.closed(time, *leg, *dir, *how),
        }
    }

    fn opened(
        &mut self,
        leg: Leg,
        time: Timestamp,
        took: Duration,
        ends: Option<(SocketAddr, SocketAddr)>,
    ) -> Vec<(Leg, Timestamp, Packet)> {
        if let (Leg::Server, Some((from, to))) = (leg, ends) {
            self.server = Some(SyntheticLeg::new(from, to, !(self.session as u32)));
            self.reached = true;
        }
        let syn_time = Clock::before(time, took);
        let early = if leg == Leg::Server { std::mem::take(&mut self.early) } else { Vec::new() };
        let Some(synthetic) = self.leg(leg) else { return Vec::new() };
        let mut packets = vec![
            (leg, syn_time, synthetic.syn()),
            (leg, time, synthetic.syn_ack()),
            (leg, time, synthetic.ack(Sender::Opener)),
        ];
        for (kept, len) in early {
            let made = carry(synthetic, Sender::Opener, &kept, len);
            packets.extend(made.into_iter().map(|packet| (leg, time, packet)));
        }
        packets
    }

    fn failed(
        &mut self,
        time: Timestamp,
        failure: &ConnectFailure,
    ) -> Vec<(Leg, Timestamp, Packet)> {
        let Some(to) = failure.to else { return Vec::new() };
        let began = Clock::before(time, failure.after);
        // Each attempt is a connection of its own.
        let from = unknown(49152 + (self.session % 16384) as u16);
        let mut leg =
            SyntheticLeg::new(same_family(from, to), to, (self.session as u32).wrapping_mul(31));
        let mut packets = vec![(Leg::Server, began, leg.syn())];
        match failure.kind {
            ConnectFailureKind::Refused => packets.push((Leg::Server, time, leg.refused())),
            ConnectFailureKind::Icmp { kind, code, offender } => {
                packets.push((Leg::Server, time, leg.icmp_error(kind, code, offender)));
            }
            ConnectFailureKind::NoAnswer => {
                packets.extend(retries(began, time).map(|at| (Leg::Server, at, leg.syn_retry())));
            }
            _ => packets.clear(),
        }
        self.dialing = None;
        packets
    }

    /// The SYNs of a dial that was still waiting when the session ended.
    pub fn unanswered(&mut self, end: Timestamp) -> Vec<(Timestamp, Packet)> {
        let Some(began) = self.dialing.filter(|_| !self.reached) else { return Vec::new() };
        let to = unknown(3389);
        let from = unknown(49152 + (self.session % 16384) as u16);
        let mut leg = SyntheticLeg::new(from, to, self.session as u32);
        let mut packets = vec![(began, leg.syn())];
        packets.extend(retries(began, end).map(|at| (at, leg.syn_retry())));
        packets
    }

    fn data(
        &mut self,
        time: Timestamp,
        dir: Direction,
        kept: &[u8],
        len: u64,
    ) -> Vec<(Leg, Timestamp, Packet)> {
        if dir == Direction::ToServer && !self.reached {
            self.early.push((kept.to_vec(), len));
        }
        let mut packets = Vec::new();
        for (name, leg, sender) in self.both(dir) {
            let made = carry(leg, sender, kept, len);
            packets.extend(made.into_iter().map(|packet| (name, time, packet)));
        }
        packets
    }

    fn closed(
        &mut self,
        time: Timestamp,
        leg: Leg,
        dir: Direction,
        how: Close,
    ) -> Vec<(Leg, Timestamp, Packet)> {
        let sender = sender(dir);
        let Some(synthetic) = self.leg(leg) else { return Vec::new() };
        let packet = match how {
            Close::Fin => synthetic.fin(sender),
            Close::Rst | Close::Error(_) => synthetic.rst(sender),
        };
        vec![(leg, time, packet)]
    }

    fn leg(&mut self, leg: Leg) -> Option<&mut SyntheticLeg> {
        match leg {
            Leg::Server => self.server.as_mut(),
            _ => Some(&mut self.client),
        }
    }

    /// Both legs in the order that bytes of a direction pass them.
    fn both(&mut self, dir: Direction) -> Vec<(Leg, &mut SyntheticLeg, Sender)> {
        let mut legs = vec![(Leg::Client, &mut self.client, sender(dir))];
        if let Some(server) = self.server.as_mut().filter(|_| self.reached) {
            legs.push((Leg::Server, server, sender(dir)));
        }
        if dir == Direction::ToClient {
            legs.reverse();
        }
        legs
    }
}

/// Bytes of which all or only the first are kept.
fn carry(leg: &mut SyntheticLeg, sender: Sender, kept: &[u8], len: u64) -> Vec<Packet> {
    match u32::try_from(len) {
        _ if kept.len() as u64 == len => leg.data(sender, kept),
        Ok(len) => leg.data_cut(sender, kept, len),
        Err(_) => {
            leg.skip(sender, len);
            Vec::new()
        }
    }
}

/// Who sends in a direction: on both legs the side nearer to the client opened the connection.
fn sender(dir: Direction) -> Sender {
    match dir {
        Direction::ToServer => Sender::Opener,
        Direction::ToClient => Sender::Acceptor,
    }
}

/// The times of SYN retransmissions: 1, 3, 7, … seconds after the first. RFC 6298 5.5.
fn retries(began: Timestamp, end: Timestamp) -> impl Iterator<Item = Timestamp> {
    const MOST: u32 = 7;
    (1..=MOST)
        .map(move |n| Timestamp(began.0 + ((1u64 << n) - 1) * 1_000_000_000))
        .take_while(move |at| *at < end)
}

fn unknown(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))
}

fn same_family(from: SocketAddr, to: SocketAddr) -> SocketAddr {
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V6(_)) => {
            SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, from.port()))
        }
        (SocketAddr::V6(from), SocketAddr::V4(_)) => unknown(from.port()),
        _ => from,
    }
}
