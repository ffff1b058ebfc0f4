//! The flow table: from packets to flows.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use rdpwhy_analyzer::input::{Input, Origin, Timestamp};

use super::flow::Flow;
use super::key::{BuildFlowHasher, FlowKey};
use super::{At, FlowId, FlowInfo, FlowOptions, IcmpError, Memory, Packet, Sink, flag};
use crate::link;
use crate::packet::{IpPacket, RawPacket, TcpSegment};
use crate::segment::tcp_segment;

/// Bytes that all flows together may hold back.
const MEMORY_LIMIT: usize = 256 * 1024 * 1024;
/// Flows looked at for the longest idle one when none is closed.
const EVICTION_SAMPLE: usize = 64;

/// All flows of a capture.
///
/// Packets go in by [`FlowTable::push`], in the order of the capture; inputs for the engine come out through
/// the sink, each flow's in causal order, all of [`Leg::Single`](rdpwhy_analyzer::input::Leg) and with
/// [`Origin::Packet`].
#[derive(Debug)]
pub struct FlowTable {
    options: FlowOptions,
    pub(super) places: HashMap<FlowKey, u32, BuildFlowHasher>,
    /// The place found last: many packets of a flow come in a row.
    latest: Option<(FlowKey, u32)>,
    pub(super) flows: Vec<Option<Box<Flow>>>,
    free: Vec<u32>,
    /// Place and number of closed flows, the longest closed first. May hold flows that are gone.
    pub(super) closed: VecDeque<(u32, FlowId)>,
    /// Where the last search for an idle flow ended.
    hand: usize,
    next_id: u32,
    pub(super) memory: Memory,
    last_packet: u64,
}

impl FlowTable {
    /// An empty table.
    pub fn new(options: FlowOptions) -> FlowTable {
        FlowTable {
            options,
            places: HashMap::default(),
            latest: None,
            flows: Vec::new(),
            free: Vec::new(),
            closed: VecDeque::new(),
            hand: 0,
            next_id: 0,
            memory: Memory { used: 0, limit: MEMORY_LIMIT },
            last_packet: 0,
        }
    }

    /// Takes one segment: packet `number` of the file, captured at `time`. `tag` is 0, or 1 and 2 for the
    /// client and server leg of a recording. Returns its flow.
    pub fn push(
        &mut self,
        time: Timestamp,
        number: u64,
        tag: u8,
        ip: &IpPacket<'_>,
        segment: &TcpSegment<'_>,
        sink: &mut impl FnMut(FlowId, &FlowInfo, Timestamp, Origin, Input<'_>),
    ) -> FlowId {
        self.take(At { time, number }, tag, ip, segment, sink)
    }

    /// The same for a captured packet that is an Ethernet frame with TCP over IPv4 and nothing unusual about it, as
    /// most are. `None` for every other: then nothing has happened.
    pub fn push_frame(
        &mut self,
        packet: &RawPacket<'_>,
        tag: u8,
        sink: &mut impl FnMut(FlowId, &FlowInfo, Timestamp, Origin, Input<'_>),
    ) -> Option<FlowId> {
        self.take_frame(packet, tag, sink)
    }

    /// Takes an ICMP error that quotes a segment. Returns the flow of that segment.
    pub fn icmp(
        &mut self,
        time: Timestamp,
        number: u64,
        tag: u8,
        error: &IcmpError,
        sink: &mut impl FnMut(FlowId, &FlowInfo, Timestamp, Origin, Input<'_>),
    ) -> Option<FlowId> {
        let place = *self.places.get(&FlowKey::of(tag, error.source, error.destination))?;
        let flow = self.flows.get_mut(place as usize)?.as_deref_mut()?;
        flow.icmp(At { time, number }, error, &mut self.memory, sink);
        Some(flow.info.id)
    }

    /// The flow between two endpoints that is in the table now.
    pub fn flow_of(&self, tag: u8, one: SocketAddr, other: SocketAddr) -> Option<FlowId> {
        let place = *self.places.get(&FlowKey::of(tag, one, other))?;
        Some(self.flows.get(place as usize)?.as_deref()?.info.id)
    }

    /// Tells all that waits of the flow between two endpoints, and forgets it. Its packets that come later make
    /// a flow that starts in the middle. Returns the flow.
    pub fn close(
        &mut self,
        time: Timestamp,
        tag: u8,
        one: SocketAddr,
        other: SocketAddr,
        sink: &mut impl FnMut(FlowId, &FlowInfo, Timestamp, Origin, Input<'_>),
    ) -> Option<FlowId> {
        let place = *self.places.get(&FlowKey::of(tag, one, other))?;
        let id = self.flows.get(place as usize)?.as_deref()?.info.id;
        self.remove(place, At { time, number: self.last_packet }, sink).then_some(id)
    }

    /// Tells all that waits, flow by flow, and empties the table.
    pub fn finish(
        &mut self,
        end_of_capture: Timestamp,
        sink: &mut impl FnMut(FlowId, &FlowInfo, Timestamp, Origin, Input<'_>),
    ) {
        let end = At { time: end_of_capture, number: self.last_packet };
        let mut flows: Vec<Box<Flow>> = self.flows.drain(..).flatten().collect();
        flows.sort_unstable_by_key(|flow| flow.info.id);
        for mut flow in flows {
            flow.finish(end, &mut self.memory, sink);
        }
        self.places.clear();
        self.latest = None;
        self.free.clear();
        self.closed.clear();
        self.hand = 0;
    }

    fn take_frame(
        &mut self,
        packet: &RawPacket<'_>,
        tag: u8,
        sink: &mut Sink<'_>,
    ) -> Option<FlowId> {
        let ip = link::usual(packet.link_type, packet.bytes)?;
        let segment = tcp_segment(&ip)?;
        let at = At { time: packet.time, number: packet.number };
        Some(self.take(at, tag, &ip, &segment, sink))
    }

    // Twice in the program, so that a frame's fields stay where they were read.
    #[inline(always)]
    fn take(
        &mut self,
        at: At,
        tag: u8,
        ip: &IpPacket<'_>,
        tcp: &TcpSegment<'_>,
        sink: &mut Sink<'_>,
    ) -> FlowId {
        self.last_packet = at.number;
        let source = (ip.source, tcp.source_port);
        let destination = (ip.destination, tcp.destination_port);
        let packet = Packet { at, ttl: ip.ttl, ip_id: ip.ip_id, tcp };
        let (key, is_first) = FlowKey::new(tag, source, destination);
        let mut place = self.place_of(&key);
        // Only a SYN opens a connection anew.
        if packet.has(flag::SYN)
            && let Some(old) = place.filter(|&old| self.is_reused(old, is_first, &packet))
        {
            self.remove(old, at, sink);
            place = None;
        }
        let place = match place {
            Some(place) => place,
            None => self.open(key, tag, source.into(), destination.into(), &packet, sink),
        };
        let FlowTable { flows, memory, closed, .. } = self;
        let Some(flow) = flows.get_mut(place as usize).and_then(Option::as_deref_mut) else {
            return FlowId(self.next_id); // can not be: every place of the map is taken
        };
        flow.segment(flow.direction(is_first), &packet, memory, sink);
        let id = flow.info.id;
        if flow.is_closed() && !flow.queued {
            flow.queued = true;
            closed.push_back((place, id));
            self.tidy_closed();
        }
        id
    }

    #[inline]
    fn place_of(&mut self, key: &FlowKey) -> Option<u32> {
        if let Some((latest, place)) = &self.latest
            && latest == key
        {
            return Some(*place);
        }
        let place = *self.places.get(key)?;
        self.latest = Some((*key, place));
        Some(place)
    }

    fn is_reused(&self, place: u32, is_first: bool, packet: &Packet<'_>) -> bool {
        let flow = self.flows.get(place as usize).and_then(Option::as_deref);
        flow.is_some_and(|flow| flow.is_reused_by(flow.direction(is_first), packet))
    }

    fn open(
        &mut self,
        key: FlowKey,
        tag: u8,
        source: SocketAddr,
        destination: SocketAddr,
        packet: &Packet<'_>,
        sink: &mut Sink<'_>,
    ) -> u32 {
        while self.places.len() >= self.options.max_flows.max(1) && self.evict(packet.at, sink) {}
        let from_client = self.is_from_client(source, destination, packet);
        let (client, server) =
            if from_client { (source, destination) } else { (destination, source) };
        let flow = Box::new(Flow::new(FlowInfo {
            id: FlowId(self.next_id),
            client,
            server,
            tag,
            first_packet: packet.at.number,
            started: packet.at.time,
            starts_in_the_middle: !packet.has(flag::SYN) || packet.has(flag::RST),
        }));
        self.next_id = self.next_id.saturating_add(1);
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(free) = self.flows.get_mut(place as usize) {
                    *free = Some(flow);
                }
                place
            }
            None => {
                self.flows.push(Some(flow));
                (self.flows.len() - 1) as u32
            }
        };
        self.places.insert(key, place);
        place
    }

    /// Whether the sender of a flow's first packet is its client: by the SYN, by the ports, or for want of more.
    fn is_from_client(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        packet: &Packet<'_>,
    ) -> bool {
        if packet.has(flag::SYN) && !packet.has(flag::RST) {
            return !packet.has(flag::ACK);
        }
        let is_server = |end: SocketAddr| self.options.server_ports.contains(&end.port());
        match (is_server(source), is_server(destination)) {
            (true, false) => false,
            (false, true) => true,
            _ => source.port() >= destination.port(),
        }
    }

    /// Drops the longest closed flow, or else one that was idle for long. `false` when there is none.
    fn evict(&mut self, now: At, sink: &mut Sink<'_>) -> bool {
        while let Some((place, id)) = self.closed.pop_front() {
            if self.is_closed(place, id) {
                return self.remove(place, now, sink);
            }
            if let Some(flow) = self.flow_at(place, id) {
                flow.queued = false;
            }
        }
        let len = self.flows.len();
        let sample = (0..len.min(EVICTION_SAMPLE)).map(|step| (self.hand + step) % len);
        let idle = sample
            .filter_map(|place| Some((self.flows.get(place)?.as_deref()?.last_seen, place)))
            .min();
        self.hand = (self.hand + EVICTION_SAMPLE) % len.max(1);
        match idle {
            Some((_, place)) => self.remove(place as u32, now, sink),
            None => !self.flows.iter().all(Option::is_none),
        }
    }

    /// Ends a flow and frees its place.
    fn remove(&mut self, place: u32, now: At, sink: &mut Sink<'_>) -> bool {
        let Some(mut flow) = self.flows.get_mut(place as usize).and_then(Option::take) else {
            return false;
        };
        flow.finish(now, &mut self.memory, sink);
        let info = &flow.info;
        self.places.remove(&FlowKey::of(info.tag, info.client, info.server));
        self.latest = None;
        self.free.push(place);
        true
    }

    fn flow_at(&mut self, place: u32, id: FlowId) -> Option<&mut Flow> {
        let flow = self.flows.get_mut(place as usize)?.as_deref_mut()?;
        (flow.info.id == id).then_some(flow)
    }

    fn is_closed(&mut self, place: u32, id: FlowId) -> bool {
        self.flow_at(place, id).is_some_and(|flow| flow.is_closed())
    }

    /// Keeps the queue of closed flows from growing with flows that are gone.
    fn tidy_closed(&mut self) {
        if self.closed.len() > 64 + 2 * self.flows.len() {
            let flows = &self.flows;
            self.closed.retain(|&(place, id)| {
                flows
                    .get(place as usize)
                    .and_then(Option::as_deref)
                    .is_some_and(|flow| flow.info.id == id)
            });
        }
    }
}
