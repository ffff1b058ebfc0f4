//! The flow table: from packets to flows.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use rdpwhy_analyzer::input::{Direction, Input, Origin, Timestamp};

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
/// [`Origin::Packet`]. Most packets need no more than [`FlowTable::next_bytes`].
#[derive(Debug)]
pub struct FlowTable {
    options: FlowOptions,
    pub(super) places: HashMap<FlowKey, u32, BuildFlowHasher>,
    /// What was found last: many packets of a flow come in a row, those of one side or of both.
    latest: [Option<Found>; 2],
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

/// Where the segments from one endpoint to another go.
#[derive(Clone, Copy, Debug)]
struct Found {
    ends: FlowKey,
    place: u32,
    dir: Direction,
}

impl FlowTable {
    /// An empty table.
    pub fn new(options: FlowOptions) -> FlowTable {
        FlowTable {
            options,
            places: HashMap::default(),
            latest: [None; 2],
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

    /// Takes a captured packet as most are: an Ethernet frame with TCP over IPv4, in which an open connection goes
    /// on as before. Gives its flow and which way its bytes go, and these: they are next in their direction, and
    /// none are there in a bare acknowledgement. `None` for every other packet: then nothing has happened, and it
    /// is one for [`FlowTable::push`].
    #[inline(always)] // where a capture is read, which does nothing else
    pub fn next_bytes<'p>(
        &mut self,
        packet: RawPacket<'p>,
        tag: u8,
    ) -> Option<(&FlowInfo, Direction, &'p [u8])> {
        let ip = link::usual(packet.link_type, packet.bytes)?;
        let tcp = tcp_segment(&ip)?;
        let at = At { time: packet.time, number: packet.number };
        let (place, dir) = self.find(ends_of(tag, &ip, &tcp))?;
        let flow = self.flows.get_mut(place as usize)?.as_deref_mut()?;
        let segment = Packet { at, ttl: ip.ttl, ip_id: ip.ip_id, tcp: &tcp };
        if !flow.goes_on(dir, &segment, &mut self.memory) {
            return None;
        }
        self.last_packet = at.number;
        Some((&flow.info, dir, tcp.payload))
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
        self.latest = [None; 2];
        self.free.clear();
        self.closed.clear();
        self.hand = 0;
    }

    fn take(
        &mut self,
        at: At,
        tag: u8,
        ip: &IpPacket<'_>,
        tcp: &TcpSegment<'_>,
        sink: &mut Sink<'_>,
    ) -> FlowId {
        self.last_packet = at.number;
        let packet = Packet { at, ttl: ip.ttl, ip_id: ip.ip_id, tcp };
        let mut found = self.find(ends_of(tag, ip, tcp));
        // Only a SYN opens a connection anew.
        if packet.has(flag::SYN)
            && let Some((old, _)) = found.filter(|found| self.is_reused(*found, &packet))
        {
            self.remove(old, at, sink);
            found = None;
        }
        let (place, dir) = match found {
            Some(found) => found,
            None => self.open(tag, ip, &packet, sink),
        };
        let FlowTable { flows, memory, closed, .. } = self;
        let Some(flow) = flows.get_mut(place as usize).and_then(Option::as_deref_mut) else {
            return FlowId(self.next_id); // can not be: every place of the map is taken
        };
        flow.segment(dir, &packet, memory, sink);
        let id = flow.info.id;
        if flow.is_closed() && !flow.queued {
            flow.queued = true;
            closed.push_back((place, id));
            self.tidy_closed();
        }
        id
    }

    /// The place of a segment's flow, and where in it the segment goes.
    #[inline(always)]
    fn find(&mut self, ends: FlowKey) -> Option<(u32, Direction)> {
        match &self.latest {
            [Some(found), _] | [_, Some(found)] if found.ends == ends => {
                Some((found.place, found.dir))
            }
            _ => self.look_up(ends),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, ends: FlowKey) -> Option<(u32, Direction)> {
        let (key, is_first) = ends.sorted();
        let place = *self.places.get(&key)?;
        let dir = self.flows.get(place as usize)?.as_deref()?.direction(is_first);
        let [before, _] = self.latest;
        self.latest = [Some(Found { ends, place, dir }), before];
        Some((place, dir))
    }

    fn is_reused(&self, (place, dir): (u32, Direction), packet: &Packet<'_>) -> bool {
        let flow = self.flows.get(place as usize).and_then(Option::as_deref);
        flow.is_some_and(|flow| flow.is_reused_by(dir, packet))
    }

    fn open(
        &mut self,
        tag: u8,
        ip: &IpPacket<'_>,
        packet: &Packet<'_>,
        sink: &mut Sink<'_>,
    ) -> (u32, Direction) {
        while self.places.len() >= self.options.max_flows.max(1) && self.evict(packet.at, sink) {}
        let (key, is_first) = ends_of(tag, ip, packet.tcp).sorted();
        let source = SocketAddr::new(ip.source, packet.tcp.source_port());
        let destination = SocketAddr::new(ip.destination, packet.tcp.destination_port());
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
        let dir = flow.direction(is_first);
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
        (place, dir)
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
        self.latest = [None; 2];
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

#[inline]
fn ends_of(tag: u8, ip: &IpPacket<'_>, tcp: &TcpSegment<'_>) -> FlowKey {
    let source = (ip.source, tcp.source_port());
    FlowKey::directed(tag, source, (ip.destination, tcp.destination_port()))
}
