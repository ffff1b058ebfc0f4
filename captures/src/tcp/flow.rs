//! One flow: both directions, the handshake, and the order in which they are told.

use std::time::Duration;

use rdpwhy_analyzer::input::{
    Close, ConnectFailure, ConnectFailureKind, Direction, Input, Leg, Segment, SegmentKind,
    Timestamp,
};

use super::direction::{Half, PendingFin};
use super::handshake::Handshake;
use super::{At, FlowInfo, IcmpError, Memory, Out, Packet, Sink, flag};

/// Segments kept per sender because they follow its own RST or FIN.
const MAX_AFTER_END: u32 = 8;
/// Timestamps with their padding: the usual options of every segment.
const USUAL_OPTIONS: usize = 12;

/// A flow of the table.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) info: FlowInfo,
    halves: [Half; 2],
    handshake: Handshake,
    /// Time of the newest packet.
    pub(super) last_seen: Timestamp,
    /// Time of the newest input.
    last_told: Timestamp,
    /// The counters changed since they were told.
    counts_changed: bool,
    /// A failed attempt was its latest news.
    failed: bool,
    /// It stands in the table's queue of closed flows.
    pub(super) queued: bool,
}

impl Flow {
    pub(super) fn new(info: FlowInfo) -> Flow {
        let started = info.started;
        Flow {
            info,
            halves: Default::default(),
            handshake: Handshake::default(),
            last_seen: started,
            last_told: started,
            counts_changed: false,
            failed: false,
            queued: false,
        }
    }

    /// Whether nothing more is expected of it.
    pub(super) fn is_closed(&self) -> bool {
        self.failed
            || self.halves.iter().any(|half| half.was_reset)
            || self.halves.iter().all(Half::has_finished)
    }

    /// Whether a segment with this SYN opens another connection between the same endpoints.
    pub(super) fn is_reused_by(&self, dir: Direction, packet: &Packet<'_>) -> bool {
        if !packet.has(flag::SYN) || packet.has(flag::RST) {
            return false;
        }
        let half = &self.halves[dir.index()];
        let known = half.isn == Some(packet.tcp.seq);
        let is_syn_ack = packet.has(flag::ACK);
        if is_syn_ack && dir == Direction::ToClient {
            let answers =
                self.halves[0].isn.is_some_and(|isn| packet.tcp.ack == isn.wrapping_add(1));
            return !known && !answers && !half.can_have_begun_at(packet.tcp.seq);
        }
        // A SYN from whom we took for the server, or a SYN-ACK from whom we took for the client: other roles.
        if is_syn_ack || dir == Direction::ToClient {
            return true;
        }
        let fits = half.has_base() && half.can_have_begun_at(packet.tcp.seq);
        !known && !fits && (half.has_base() || self.halves[1].has_base())
    }

    /// Takes a segment.
    pub(super) fn segment(
        &mut self,
        dir: Direction,
        packet: &Packet<'_>,
        memory: &mut Memory,
        sink: &mut Sink<'_>,
    ) {
        let half = &mut self.halves[dir.index()];
        self.last_seen = packet.at.time;
        self.counts_changed = true;
        if half.recent.is_copy(packet) {
            half.seen.mirrored += 1;
            return;
        }
        half.seen.segments += 1;
        let (mut teller, mut state) = self.split(packet.at.number, memory, sink);
        let out = &mut teller;
        if packet.has(flag::RST) {
            state.reset(dir, packet, out);
        } else if state.flows_on(dir, packet, out) {
            let half = &mut state.halves[dir.index()];
            half.ttl.note(packet.ip.ttl);
            half.ip_ids.note(packet.ip.ip_id);
        } else {
            state.begin(dir, packet, out);
            state.after_reset(dir, packet, out);
            state.acknowledge(dir, packet, out);
            state.window(dir, packet, out);
            state.payload(dir, packet, out);
            state.fin(dir, packet, out);
            let half = &mut state.halves[dir.index()];
            half.ttl.note(packet.ip.ttl);
            // Handshake answers are made by another part of the host, with numbers of their own.
            if !packet.has(flag::SYN) {
                half.ip_ids.note(packet.ip.ip_id);
            }
        }
    }

    /// Takes an ICMP error that quotes a segment of the client.
    pub(super) fn icmp(
        &mut self,
        at: At,
        error: &IcmpError,
        memory: &mut Memory,
        sink: &mut Sink<'_>,
    ) {
        let quotes_syn = error.seq.is_none_or(|seq| self.halves[0].isn == Some(seq));
        if error.source != self.info.client || !quotes_syn {
            return;
        }
        let Some(after) = self.handshake.icmp(at.time, error) else { return };
        let kind = ConnectFailureKind::Icmp {
            kind: error.kind,
            code: error.code,
            offender: Some(error.offender),
        };
        let (mut out, mut state) = self.split(at.number, memory, sink);
        state.connect_failed(at, kind, after, &mut out);
    }

    /// Tells everything that waits, and that nobody answered: the capture is over at `end`.
    pub(super) fn finish(&mut self, end: At, memory: &mut Memory, sink: &mut Sink<'_>) {
        let last_seen = self.last_seen;
        let (mut teller, mut state) = self.split(0, memory, sink);
        let out = &mut teller;
        state.flush(out);
        // A connection that has ended did not last until the end of the capture.
        let ended = |half: &Half| half.was_reset || half.has_finished();
        let over = *state.failed || state.halves.iter().any(ended);
        let end = if over { At { time: *out.last, ..end } } else { end };
        for dir in Direction::BOTH {
            state.halves[dir.index()].lost_at_the_end(dir, end, out);
        }
        if let Some(after) = state.handshake.no_answer(end.time) {
            state.connect_failed(end, ConnectFailureKind::NoAnswer, after, out);
        }
        if *state.counts_changed {
            // Its own latest packet, repeated ones too: what came of other flows since tells nothing of it.
            let latest = if over { *out.last } else { last_seen.max(*out.last) };
            state.tell_counts(At { time: latest, ..end }, out);
        }
        state.release(out);
    }

    fn split<'f, 's>(
        &'f mut self,
        now: u64,
        memory: &'f mut Memory,
        sink: &'f mut Sink<'s>,
    ) -> (Out<'f, 's>, State<'f>) {
        let Flow { info, halves, handshake, last_told, counts_changed, failed, .. } = self;
        (
            Out { info, last: last_told, now, memory, sink },
            State { halves, handshake, counts_changed, failed },
        )
    }
}

/// A flow without what [`Out`] holds of it.
struct State<'f> {
    halves: &'f mut [Half; 2],
    handshake: &'f mut Handshake,
    counts_changed: &'f mut bool,
    failed: &'f mut bool,
}

impl State<'_> {
    /// Takes a segment as nearly all are: of an open connection that nothing ails, without news but the next
    /// bytes or an acknowledgement. `false` where it is another: then nothing has happened.
    fn flows_on(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) -> bool {
        let tcp = packet.tcp;
        let plain = tcp.flags & !flag::PSH == flag::ACK
            && tcp.window != 0
            && tcp.options.len() <= USUAL_OPTIONS
            && self.handshake.is_open()
            && self.halves.iter().all(|half| half.has_base() && half.is_flowing());
        if !plain {
            return false;
        }
        let half = &mut self.halves[dir.index()];
        // Where nothing waits an acknowledgement gives nothing to tell, so that it can come behind the data.
        if tcp.payload_len > 0 && !half.next_data(dir, packet.at, tcp, out) {
            return false;
        }
        let other = dir.reverse();
        self.halves[other.index()].acknowledged(other, tcp.ack, out);
        true
    }

    /// Where the streams begin, and whether the connection is open by this.
    fn begin(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let tcp = packet.tcp;
        if packet.has(flag::SYN) {
            return self.syn(dir, packet, out);
        }
        if dir == Direction::ToClient {
            self.handshake.server_spoke();
        }
        let [client, server] = &mut *self.halves;
        // The client's ACK of a SYN-ACK that was not captured says where the server begins.
        let first_ack =
            client.isn.is_some_and(|isn| isn.wrapping_add(1) == tcp.seq) && packet.has(flag::ACK);
        if dir == Direction::ToServer && first_ack && !server.has_base() {
            server.begin(tcp.ack, false);
        }
        let half = &mut self.halves[dir.index()];
        if !half.has_base() {
            half.begin(tcp.seq, tcp.payload_len == 0 && !packet.has(flag::FIN));
        }
        // The server's bare ACK of a SYN is a challenge, not consent. RFC 5961 4.
        let consents = dir == Direction::ToServer || tcp.payload_len > 0 || packet.has(flag::FIN);
        if packet.has(flag::ACK)
            && consents
            && let Some(took) = self.handshake.complete()
        {
            *self.failed = false;
            out.send(packet.at, Input::Opened { leg: Leg::Single, took });
        }
    }

    fn syn(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let tcp = packet.tcp;
        let is_answer = packet.has(flag::ACK);
        let kind = if is_answer { SegmentKind::SynAck } else { SegmentKind::Syn };
        self.tell_segment(dir, packet, kind, out);
        let [client, server] = &mut *self.halves;
        if is_answer {
            if !client.has_base() {
                client.begin(tcp.ack, false);
            }
            let fits = client.isn.is_none_or(|isn| isn.wrapping_add(1) == tcp.ack);
            self.handshake.syn_ack(packet.at.time, fits);
        } else {
            self.handshake.syn(packet.at.time);
        }
        *self.failed = false;
        let half = if dir == Direction::ToServer { client } else { server };
        half.begin(tcp.seq.wrapping_add(1), false);
        half.isn = Some(tcp.seq);
    }

    /// A host that reset a connection says nothing more on it.
    fn after_reset(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let half = &mut self.halves[dir.index()];
        if half.was_reset && half.after_rst < MAX_AFTER_END && !packet.has(flag::SYN) {
            half.after_rst += 1;
            self.tell_segment(dir, packet, SegmentKind::AfterRst, out);
        }
    }

    fn acknowledge(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        if !packet.has(flag::ACK) {
            return;
        }
        let other = dir.reverse();
        if reports_duplicate(packet) {
            self.halves[other.index()].duplicate_reported();
        }
        self.halves[other.index()].acknowledged(other, packet.tcp.ack, out);
        self.tell_fin(other, out);
    }

    fn window(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let half = &mut self.halves[dir.index()];
        let is_zero = packet.tcp.window == 0;
        if is_zero == half.window_is_zero || packet.has(flag::SYN) || !packet.has(flag::ACK) {
            return;
        }
        half.window_is_zero = is_zero;
        let kind = if is_zero { SegmentKind::ZeroWindow } else { SegmentKind::WindowOpen };
        self.tell_segment(dir, packet, kind, out);
    }

    fn payload(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let tcp = packet.tcp;
        if tcp.payload_len == 0 {
            return;
        }
        let half = &mut self.halves[dir.index()];
        if !packet.has(flag::SYN)
            && !packet.has(flag::FIN)
            && half.is_keep_alive(tcp.seq, tcp.payload_len)
        {
            return;
        }
        if half.has_finished()
            && half.after_fin < MAX_AFTER_END
            && half.is_behind_fin(first_byte(packet), tcp.payload_len)
        {
            half.after_fin += 1;
            self.tell_segment(dir, packet, SegmentKind::DataAfterFin, out);
        }
        let half = &mut self.halves[dir.index()];
        if half.data(dir, packet.at, first_byte(packet), tcp.payload_len, tcp.payload, out) {
            self.tell_segment(dir, packet, SegmentKind::DifferingOverlap, out);
        }
        self.tell_fin(dir, out);
    }

    fn fin(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        if !packet.has(flag::FIN) {
            return;
        }
        let half = &mut self.halves[dir.index()];
        let segment = kept(dir, packet, SegmentKind::Fin, half);
        let end = first_byte(packet).wrapping_add(packet.tcp.payload_len);
        if let Some(copy) = half.fin(end, PendingFin { at: packet.at, segment }) {
            if !half.has_pending_fin() {
                out.send(packet.at, Input::Segment(copy.segment));
            }
            return;
        }
        // The peer may have acknowledged it already.
        half.settle(dir, out);
        self.tell_fin(dir, out);
    }

    fn reset(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let acks_syn = packet.has(flag::ACK)
            && self.halves[0].isn.is_some_and(|isn| {
                // A SYN may carry data, acknowledged or not. RFC 7413.
                packet.tcp.ack.wrapping_sub(isn.wrapping_add(1)) <= u32::from(u16::MAX)
            });
        if dir == Direction::ToClient
            && acks_syn
            && let Some(after) = self.handshake.refuse(packet.at.time)
        {
            self.tell_segment(dir, packet, SegmentKind::Rst, out);
            return self.connect_failed(packet.at, ConnectFailureKind::Refused, after, out);
        }
        self.flush(out);
        // A RST stands at its place in the stream: what is missing before it was not captured.
        if !self.handshake.is_trying() && !self.halves[dir.index()].was_reset {
            self.halves[dir.index()].lost_before(dir, packet.at, packet.tcp.seq, out);
        }
        self.tell_segment(dir, packet, SegmentKind::Rst, out);
        // Before an answer there is nothing that a RST could close.
        if self.handshake.is_trying() || *self.failed || self.halves[dir.index()].was_reset {
            return;
        }
        self.halves[dir.index()].was_reset = true;
        self.tell_closed(packet.at, dir, Close::Rst, out);
        self.release(out);
    }

    /// Tells everything that waits, in the order of its packets.
    fn flush(&mut self, out: &mut Out) {
        loop {
            let waiting = Direction::BOTH
                .into_iter()
                .filter_map(|dir| Some((self.halves[dir.index()].waits_since()?, dir)))
                .min_by_key(|(number, _)| *number);
            let Some((_, dir)) = waiting else { return };
            self.halves[dir.index()].skip_hole(dir, out);
            self.tell_fin(dir, out);
        }
    }

    /// Tells a FIN that waits no more.
    fn tell_fin(&mut self, dir: Direction, out: &mut Out) {
        // This follows a delivery, and the counts may have been told before it.
        *self.counts_changed = true;
        if let Some(fin) = self.halves[dir.index()].ready_fin() {
            let PendingFin { at, segment } = *fin;
            let at = At { time: at.time.max(*out.last), ..at };
            out.send(at, Input::Segment(segment));
            self.tell_closed(at, dir, Close::Fin, out);
            if self.halves.iter().all(Half::has_finished) {
                self.release(out);
            }
        }
    }

    fn release(&mut self, out: &mut Out) {
        for half in self.halves.iter_mut() {
            half.end_history(out);
        }
    }

    fn tell_closed(&mut self, at: At, dir: Direction, how: Close, out: &mut Out) {
        self.tell_counts(at, out);
        out.send(at, Input::Closed { leg: Leg::Single, dir, how });
    }

    fn tell_counts(&mut self, at: At, out: &mut Out) {
        *self.counts_changed = false;
        let counts = [self.halves[0].counts(), self.halves[1].counts()];
        out.send(at, Input::Counts { leg: Leg::Single, counts });
    }

    fn tell_segment(
        &mut self,
        dir: Direction,
        packet: &Packet<'_>,
        kind: SegmentKind,
        out: &mut Out,
    ) {
        let segment = kept(dir, packet, kind, &self.halves[dir.index()]);
        out.send(packet.at, Input::Segment(segment));
    }

    fn connect_failed(&mut self, at: At, kind: ConnectFailureKind, after: Duration, out: &mut Out) {
        *self.failed = true;
        let (to, syns) = (Some(out.info.server), Some(self.handshake.syns));
        let failure = ConnectFailure { to, kind, after, syns };
        out.send(at, Input::ConnectFailed { leg: Leg::Single, failure });
    }
}

/// Sequence number of the first byte of payload: a SYN takes one.
fn first_byte(packet: &Packet<'_>) -> u32 {
    packet.tcp.seq.wrapping_add(u32::from(packet.has(flag::SYN)))
}

fn kept(dir: Direction, packet: &Packet<'_>, kind: SegmentKind, half: &Half) -> Segment {
    Segment {
        leg: Leg::Single,
        dir,
        kind,
        ttl: Some(packet.ip.ttl),
        ip_id: packet.ip.ip_id,
        seq: packet.tcp.seq,
        ack: packet.tcp.ack,
        flags: packet.tcp.flags,
        window: packet.tcp.window,
        len: packet.tcp.payload_len,
        options: packet.tcp.options.to_vec(),
        baseline: half.baseline(),
    }
}

/// Whether the first SACK block lies below what the segment acknowledges. RFC 2883 4.
fn reports_duplicate(packet: &Packet<'_>) -> bool {
    let mut rest = packet.tcp.options;
    if rest.len() <= USUAL_OPTIONS {
        return false;
    }
    while let [kind, after @ ..] = rest {
        match (kind, after) {
            (0, _) => return false,
            (1, _) => rest = after,
            (5, [len, _, _, _, _, r0, r1, r2, r3, ..]) if *len >= 10 => {
                let right = u32::from_be_bytes([*r0, *r1, *r2, *r3]);
                return (packet.tcp.ack.wrapping_sub(right) as i32) >= 0;
            }
            (_, [len, ..]) if *len >= 2 => rest = rest.get(usize::from(*len)..).unwrap_or(&[]),
            _ => return false,
        }
    }
    false
}
