//! Whose packet is it? Flows are followed from their first packet on, though a session can name its own only
//! later: the SYN to the server has left before the relay knows its port.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use rdpwhy_analyzer::input::{
    Direction, Input, Leg, Origin, Segment, SegmentCounts, SegmentKind, Timestamp,
};
use rdpwhy_captures::link::{self, Decoded};
use rdpwhy_captures::packet::TcpSegment;
use rdpwhy_captures::segment;
use rdpwhy_captures::tcp::{FlowId, FlowInfo, FlowOptions, FlowTable};

use super::{Ends, Heard, Inbox};

/// LINKTYPE_RAW: packets begin with their IP header.
const RAW: u32 = 101;
/// Flows that nobody claims, kept beside those of the sessions.
const STRANGERS: usize = 4096;
/// How long a flow waits for its session: a kernel sends SYNs for about two minutes, and once there is an
/// answer the relay knows.
const UNANSWERED: Duration = Duration::from_secs(150);
const ANSWERED: Duration = Duration::from_secs(30);
/// Segments kept of a flow that is not claimed yet.
const EARLY: usize = 32;
/// A window that is closed for less is flow control at work.
const PAUSE: Duration = Duration::from_secs(1);
/// FIN, SYN, RST.
const CONTROL: u8 = 0x07;
const RST: u8 = 0x04;

/// All flows of the capture and the sessions that they belong to.
pub struct Flows {
    table: FlowTable,
    slots: HashMap<FlowId, Slot>,
    sessions: HashMap<u64, Session>,
    /// Claimed before a packet was seen.
    awaited: HashMap<[SocketAddr; 2], Owner>,
    most: usize,
    packets: u64,
    /// Packets that the capture lost until now.
    pub lost: u64,
}

/// What is kept of a session.
struct Session {
    inbox: Inbox,
    flows: Vec<(FlowId, [SocketAddr; 2])>,
    awaited: Vec<[SocketAddr; 2]>,
    /// How many packets were lost before it.
    lost_before: u64,
}

/// Which leg of which session a flow is.
#[derive(Clone)]
struct Owner {
    key: u64,
    leg: Leg,
    inbox: Inbox,
    connected: bool,
}

/// What is kept of a flow.
struct Slot {
    client: SocketAddr,
    owner: Option<Owner>,
    early: Vec<Heard>,
    /// A window that closed less than [`PAUSE`] ago.
    closed_window: [Option<Heard>; 2],
    /// The interface that shows the flow, and when it did last.
    interface: [Option<(i32, Timestamp)>; 2],
    counts: Option<Heard>,
    /// The first RST of each direction.
    resets: [Option<u64>; 2],
    /// The peer acknowledged what the capture does not hold.
    incomplete: bool,
    started: Timestamp,
}

impl Flows {
    /// No flow yet; `ports` are those of servers.
    pub fn new(ports: [u16; 2], sessions: usize) -> Flows {
        let most = sessions.saturating_mul(2).saturating_add(STRANGERS);
        let options = FlowOptions { server_ports: ports.to_vec(), max_flows: most };
        Flows {
            table: FlowTable::new(options),
            slots: HashMap::new(),
            sessions: HashMap::new(),
            awaited: HashMap::new(),
            most,
            packets: 0,
            lost: 0,
        }
    }

    /// Takes a packet that begins with its IP header: `len` bytes of which these are the first.
    pub fn packet(&mut self, packet_time: Timestamp, interface: i32, bytes: &[u8], len: u32) {
        self.packets += 1;
        let Ok(Decoded::Ip(ip)) = link::ip_packet(RAW, bytes, len) else { return };
        let Some(tcp) = segment::tcp_segment(&ip) else { return };
        let ends = [
            SocketAddr::new(ip.source, tcp.source_port()),
            SocketAddr::new(ip.destination, tcp.destination_port()),
        ];
        if self.is_seen_elsewhere(packet_time, interface, ends, &tcp) {
            return;
        }
        let Flows { table, slots, sessions, awaited, most, .. } = self;
        let is_reset = tcp.flags() & RST != 0;
        let mut sink = |id: FlowId, info: &FlowInfo, time, origin, input: Input<'_>| {
            if let Some(slot) = slots.get_mut(&id) {
                return slot.take(time, origin, input, is_reset);
            }
            let ends = [info.client, info.server];
            let owner = awaited.remove(&sorted(ends));
            let session = owner.as_ref().and_then(|owner| sessions.get_mut(&owner.key));
            match session {
                Some(session) => session.flows.push((id, ends)),
                // A stranger that was forgotten, or one too many.
                None if packet_time.since(info.started) > ANSWERED || slots.len() >= *most => {
                    return;
                }
                None => {}
            }
            let slot = slots.entry(id).or_insert(Slot::new(info, owner));
            slot.take(time, origin, input, is_reset);
        };
        table.push(packet_time, self.packets, 0, &ip, &tcp, &mut sink);
    }

    /// A session names a connection of its own.
    pub fn claim(&mut self, key: u64, inbox: Inbox, leg: Leg, ends: Ends, connected: bool) {
        let ends = [canonical(ends.client), canonical(ends.server)];
        let lost_before = self.lost;
        let session = self.sessions.entry(key).or_insert_with(|| Session {
            inbox: inbox.clone(),
            flows: Vec::new(),
            awaited: Vec::new(),
            lost_before,
        });
        let owner = Owner { key, leg, inbox, connected };
        let flow = self.table.flow_of(0, ends[0], ends[1]);
        match flow.and_then(|id| Some((id, self.slots.get_mut(&id)?))) {
            Some((id, slot)) if slot.owner.is_none() => {
                session.flows.push((id, ends));
                slot.give_to(owner);
            }
            _ => {
                session.awaited.push(sorted(ends));
                self.awaited.insert(sorted(ends), owner);
            }
        }
    }

    /// A session is over: tells what waits and the counts of its connections. False when packets of it may
    /// have been lost; then there are no counts, for nothing can be said of what was absent.
    pub fn finish(&mut self, key: u64, now: Timestamp) -> bool {
        let Some(session) = self.sessions.remove(&key) else { return true };
        let mut whole = session.lost_before == self.lost;
        for ends in session.awaited {
            if self.awaited.get(&ends).is_some_and(|owner| owner.key == key) {
                self.awaited.remove(&ends);
            }
        }
        let mut counts = Vec::new();
        for (id, ends) in session.flows {
            let Flows { table, slots, .. } = self;
            let mut sink = |id: FlowId, _: &FlowInfo, time, origin, input: Input<'_>| {
                if let Some(slot) = slots.get_mut(&id) {
                    let is = |number: &Option<u64>| number.map(Origin::Packet) == Some(origin);
                    let is_reset = slot.resets.iter().any(is);
                    slot.take(time, origin, input, is_reset);
                }
            };
            let closed = table.close(now, 0, ends[0], ends[1], &mut sink);
            // Another connection between the same ends, or a table that was too small, has ended it before.
            whole &= closed == Some(id);
            if let Some(slot) = slots.remove(&id) {
                whole &= !slot.incomplete;
                counts.extend(slot.end());
            }
        }
        for counts in counts.into_iter().filter(|_| whole) {
            session.inbox.put(counts);
        }
        whole
    }

    /// Tells of windows that stay closed, and forgets flows that nobody claimed.
    pub fn look_over(&mut self, now: Timestamp) {
        self.slots.retain(|_, slot| {
            for dir in Direction::BOTH {
                let waiting = &mut slot.closed_window[dir.index()];
                if let Some(heard) = waiting.take_if(|heard| now.since(heard.time) >= PAUSE) {
                    slot.tell(heard);
                }
            }
            slot.owner.is_some() || now.since(slot.started) < slot.patience()
        });
    }

    /// A bridge, a bond or a VLAN shows a packet on each of its interfaces. What one of them shows of a
    /// direction is enough; only what opens and ends a connection is taken from everywhere.
    fn is_seen_elsewhere(
        &mut self,
        time: Timestamp,
        interface: i32,
        ends: [SocketAddr; 2],
        tcp: &TcpSegment<'_>,
    ) -> bool {
        let flow = self.table.flow_of(0, ends[0], ends[1]);
        let Some(slot) = flow.and_then(|id| self.slots.get_mut(&id)) else { return false };
        if tcp.flags() & CONTROL != 0 {
            return false;
        }
        let from_client = ends[0] == slot.client;
        let usual = &mut slot.interface[usize::from(!from_client)];
        match usual {
            Some((other, last)) if *other != interface && time.since(*last) < PAUSE => true,
            _ => {
                *usual = Some((interface, time));
                false
            }
        }
    }
}

impl Slot {
    fn new(info: &FlowInfo, owner: Option<Owner>) -> Slot {
        Slot {
            client: info.client,
            owner,
            early: Vec::new(),
            closed_window: [None, None],
            interface: [None, None],
            counts: None,
            resets: [None, None],
            incomplete: info.starts_in_the_middle,
            started: info.started,
        }
    }

    /// What the engine wants of a packet: the relay itself tells of bytes and ends.
    fn take(&mut self, time: Timestamp, origin: Origin, input: Input<'_>, is_reset: bool) {
        let Origin::Packet(number) = origin else { return };
        match input {
            Input::Segment(segment) => self.segment(time, number, segment),
            Input::Counts { leg, counts } => {
                self.counts = Some(Heard { time, number, input: Input::Counts { leg, counts } });
            }
            // Where a forged RST claims to stand nothing need be missing.
            Input::Gap { .. } => self.incomplete |= !is_reset,
            _ => {}
        }
    }

    fn segment(&mut self, time: Timestamp, number: u64, segment: Segment) {
        let (kind, dir) = (segment.kind, segment.dir);
        if kind == SegmentKind::Rst {
            self.resets[dir.index()].get_or_insert(number);
        }
        let heard = Heard { time, number, input: Input::Segment(segment) };
        let waiting = &mut self.closed_window[dir.index()];
        match kind {
            SegmentKind::ZeroWindow => *waiting = Some(heard),
            SegmentKind::WindowOpen => match waiting.take() {
                Some(closed) if time.since(closed.time) < PAUSE => {}
                closed => {
                    closed.into_iter().for_each(|closed| self.tell(closed));
                    self.tell(heard);
                }
            },
            _ => self.tell(heard),
        }
    }

    fn tell(&mut self, heard: Heard) {
        match &self.owner {
            Some(owner) => owner.inbox.put(heard.of(owner.leg)),
            None if self.early.len() < EARLY => self.early.push(heard),
            None => {}
        }
    }

    /// How long an unclaimed flow is kept.
    fn patience(&self) -> Duration {
        let is_syn = |heard: &Heard| matches!(&heard.input, Input::Segment(segment) if segment.kind == SegmentKind::Syn);
        let waits = !self.early.is_empty() && self.early.iter().all(is_syn);
        if waits { UNANSWERED } else { ANSWERED }
    }

    fn give_to(&mut self, owner: Owner) {
        self.owner = Some(owner);
        for heard in std::mem::take(&mut self.early) {
            self.tell(heard);
        }
    }

    /// The flow is over: tells a window that stands closed, and gives the counts where they speak for both
    /// sides of a connection.
    fn end(mut self) -> Option<Heard> {
        for dir in Direction::BOTH {
            if let Some(heard) = self.closed_window[dir.index()].take() {
                self.tell(heard);
            }
        }
        let owner = self.owner.filter(|owner| owner.connected)?;
        let heard = self.counts?;
        let seen = |counts: &SegmentCounts| counts.segments > 0;
        let both = matches!(&heard.input, Input::Counts { counts, .. } if counts.iter().all(seen));
        both.then(|| heard.of(owner.leg))
    }
}

impl Heard {
    /// A single flow's, as that of a leg.
    fn of(mut self, leg: Leg) -> Heard {
        match &mut self.input {
            Input::Segment(segment) => segment.leg = leg,
            Input::Counts { leg: single, .. } => *single = leg,
            _ => {}
        }
        self
    }
}

/// As packets have it: without an IPv6 form of IPv4, scope or flow label.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn sorted(mut ends: [SocketAddr; 2]) -> [SocketAddr; 2] {
    ends.sort_unstable();
    ends
}

#[cfg(test)]
mod tests;
