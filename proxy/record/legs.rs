//! One session's two legs as packets: each entry of its tape becomes what would have been on the wire.
//!
//! A relay passes bytes on unchanged, so a full recording has them once. The client leg is the one with both
//! directions whole, which readers follow and decrypt; on the server leg their packets are cut to the headers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rdpwhy_analyzer::facts::Subject;
use rdpwhy_analyzer::input::{
    Close, ConnectFailure, ConnectFailureKind, Direction, Leg, Timestamp,
};
use rdpwhy_captures::synth::{Packet, Sender, SyntheticLeg};

use super::entry::What;
use crate::clock::Clock;

/// The two TCP connections of a session.
pub(super) struct Legs {
    client: SyntheticLeg,
    server: Option<SyntheticLeg>,
    /// The dial that has no answer yet.
    pub dialing: Option<Timestamp>,
    reached: bool,
    /// Nothing can be sent to the client any more.
    client_is_gone: bool,
    /// Bytes are kept on one leg alone.
    once: bool,
    session: u64,
    /// What the client said before the server was reached: it goes to the server leg when that opens.
    early: Vec<(Vec<u8>, u64)>,
}

/// A leg that bytes pass.
pub(super) struct Side<'l> {
    pub name: Leg,
    leg: &'l mut SyntheticLeg,
    sender: Sender,
    keeps: bool,
}

impl Side<'_> {
    /// A packet of `len` bytes, of which these are recorded.
    pub fn packet<'a>(&mut self, kept: &'a [u8], len: u16) -> Packet<'a> {
        self.leg.segment(self.sender, if self.keeps { kept } else { &[] }, len)
    }
}

impl Legs {
    /// Of a session that begins; `once` keeps its bytes on one leg alone.
    pub fn new(session: u64, subject: &Subject, once: bool) -> Legs {
        let local = same_family(subject.relay[0].unwrap_or(unknown(0)), subject.client);
        Legs {
            client: SyntheticLeg::new(subject.client, local, session as u32),
            server: None,
            dialing: None,
            reached: false,
            client_is_gone: false,
            once,
            session,
            early: Vec::new(),
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

    /// What is no data, as packets.
    pub fn packets(
        &mut self,
        time: Timestamp,
        what: &What,
    ) -> Vec<(Leg, Timestamp, Packet<'static>)> {
        match what {
            What::Opened { leg, took, ends } => self.opened(*leg, time, *took, *ends),
            What::Dialing => {
                self.dialing = Some(time);
                Vec::new()
            }
            What::Failed(failure) => self.failed(time, failure),
            What::Data { .. } => Vec::new(),
            What::Skipped { dir, len } => {
                // The acknowledgement tells a reader that the bytes passed: it need not wait for them. Beyond this no
                // window reaches, and nothing behind it would be believed.
                const STEP: u64 = 1 << 29;
                let mut packets = Vec::new();
                for side in self.both(*dir).into_iter().flatten() {
                    let mut left = *len;
                    while left > 0 {
                        let step = left.min(STEP);
                        side.leg.skip(side.sender, step);
                        packets.push((side.name, time, side.leg.ack(side.sender.peer())));
                        left -= step;
                    }
                }
                packets
            }
            What::Closed { leg, dir, how } => self.closed(time, *leg, *dir, *how),
        }
    }

    /// The legs that bytes pass now, in their order, and the one of which it is told what they showed.
    pub fn passed_by(
        &mut self,
        dir: Direction,
        kept: &[u8],
        len: u64,
    ) -> ([Option<Side<'_>>; 2], Leg) {
        if dir == Direction::ToServer && !self.reached {
            self.early.push((if self.once { Vec::new() } else { kept.to_vec() }, len));
        }
        let sides = self.both(dir);
        let source =
            sides.iter().flatten().find(|side| side.keeps).map_or(Leg::Client, |side| side.name);
        (sides, source)
    }

    /// What the client said before the server was reached.
    pub fn early(&mut self) -> Vec<(Vec<u8>, u64)> {
        if self.reached { std::mem::take(&mut self.early) } else { Vec::new() }
    }

    /// The server leg as what was early passes it.
    pub fn late(&mut self) -> [Option<Side<'_>>; 2] {
        let [_, server] = self.both(Direction::ToServer);
        [None, server]
    }

    fn opened(
        &mut self,
        leg: Leg,
        time: Timestamp,
        took: Duration,
        ends: Option<(SocketAddr, SocketAddr)>,
    ) -> Vec<(Leg, Timestamp, Packet<'static>)> {
        if let (Leg::Server, Some((from, to))) = (leg, ends) {
            self.server = Some(SyntheticLeg::new(from, to, !(self.session as u32)));
            self.reached = true;
        }
        let syn_time = Clock::before(time, took);
        let Some(synthetic) = self.leg(leg) else { return Vec::new() };
        vec![
            (leg, syn_time, synthetic.syn()),
            (leg, time, synthetic.syn_ack()),
            (leg, time, synthetic.ack(Sender::Opener)),
        ]
    }

    fn failed(
        &mut self,
        time: Timestamp,
        failure: &ConnectFailure,
    ) -> Vec<(Leg, Timestamp, Packet<'static>)> {
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
    pub fn unanswered(&mut self, end: Timestamp) -> Vec<(Leg, Timestamp, Packet<'static>)> {
        let Some(began) = self.dialing.filter(|_| !self.reached) else { return Vec::new() };
        let to = unknown(3389);
        let from = unknown(49152 + (self.session % 16384) as u16);
        let mut leg = SyntheticLeg::new(from, to, self.session as u32);
        let mut packets = vec![(Leg::Server, began, leg.syn())];
        packets.extend(retries(began, end).map(|at| (Leg::Server, at, leg.syn_retry())));
        packets
    }

    fn closed(
        &mut self,
        time: Timestamp,
        leg: Leg,
        dir: Direction,
        how: Close,
    ) -> Vec<(Leg, Timestamp, Packet<'static>)> {
        let sender = sender(dir);
        if leg == Leg::Client && (how != Close::Fin || dir == Direction::ToClient) {
            self.client_is_gone = true;
        }
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
    fn both(&mut self, dir: Direction) -> [Option<Side<'_>>; 2] {
        let sender = sender(dir);
        let server = self.server.as_mut().filter(|_| self.reached);
        let on_server =
            self.once && self.client_is_gone && dir == Direction::ToClient && server.is_some();
        let keeps = [!self.once || !on_server, !self.once || on_server];
        let client = Side { name: Leg::Client, leg: &mut self.client, sender, keeps: keeps[0] };
        let server = server.map(|leg| Side { name: Leg::Server, leg, sender, keeps: keeps[1] });
        match dir {
            Direction::ToServer => [Some(client), server],
            Direction::ToClient => [server, Some(client)],
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
