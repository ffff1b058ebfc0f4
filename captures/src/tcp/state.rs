//! The long way through a flow: what a segment of any kind does to it, and what is told of it.

use std::time::Duration;

use rdpwhy_analyzer::input::{
    Close, ConnectFailure, ConnectFailureKind, Direction, Input, Leg, Segment, SegmentKind,
};

use super::direction::{Half, PendingFin};
use super::flow::USUAL_OPTIONS;
use super::handshake::Handshake;
use super::{At, Out, Packet, flag};

/// Segments kept per sender because they follow its own RST or FIN.
const MAX_AFTER_END: u32 = 8;

/// A flow without what [`Out`] holds of it.
pub(super) struct State<'f> {
    pub(super) halves: &'f mut [Half; 2],
    pub(super) handshake: &'f mut Handshake,
    pub(super) counts_changed: &'f mut bool,
    pub(super) failed: &'f mut bool,
}

impl State<'_> {
    /// Takes a segment of any kind.
    #[inline(never)]
    pub(super) fn segment(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        if packet.has(flag::RST) {
            return self.reset(dir, packet, out);
        }
        self.begin(dir, packet, out);
        if !packet.has(flag::SYN) && packet.tcp.payload_len == 0 {
            self.halves[dir.index()].stands_at(packet.tcp.seq());
        }
        self.after_reset(dir, packet, out);
        self.acknowledge(dir, packet, out);
        self.window(dir, packet, out);
        self.payload(dir, packet, out);
        self.fin(dir, packet, out);
        let half = &mut self.halves[dir.index()];
        half.ttl.note(packet.ttl);
        // Handshake answers are made by another part of the host, with numbers of their own.
        if !packet.has(flag::SYN) {
            half.ip_ids.note(packet.ip_id);
        }
    }

    /// Where the streams begin, and whether the connection is open by this.
    fn begin(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let tcp = &packet.tcp;
        if packet.has(flag::SYN) {
            return self.syn(dir, packet, out);
        }
        if dir == Direction::ToClient {
            self.handshake.server_spoke();
        }
        let [client, server] = &mut *self.halves;
        // The client's ACK of a SYN-ACK that was not captured says where the server begins.
        let first_ack =
            client.isn.is_some_and(|isn| isn.wrapping_add(1) == tcp.seq()) && packet.has(flag::ACK);
        if dir == Direction::ToServer && first_ack && !server.has_base() {
            server.begin(tcp.ack(), false);
        }
        let half = &mut self.halves[dir.index()];
        if !half.has_base() {
            half.begin(tcp.seq(), tcp.payload_len == 0 && !packet.has(flag::FIN));
        }
        // The server's bare ACK of a SYN is a challenge, not consent. RFC 5961 4.
        let consents = dir == Direction::ToServer
            || tcp.payload_len > 0
            || packet.has(flag::FIN)
            || self.behind_syn(packet).is_some_and(|behind| behind > 0);
        if packet.has(flag::ACK)
            && consents
            && let Some(took) = self.handshake.complete()
        {
            *self.failed = false;
            out.send(packet.at, Input::Opened { leg: Leg::Single, took });
        }
    }

    fn syn(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let tcp = &packet.tcp;
        let is_answer = packet.has(flag::ACK);
        let kind = if is_answer { SegmentKind::SynAck } else { SegmentKind::Syn };
        self.tell_segment(dir, packet, kind, out);
        let [client, server] = &mut *self.halves;
        if is_answer {
            if !client.has_base() {
                client.begin(tcp.ack(), false);
            }
            let fits = client.isn.is_none_or(|isn| isn.wrapping_add(1) == tcp.ack());
            self.handshake.syn_ack(packet.at.time, fits);
        } else {
            self.handshake.syn(packet.at.time);
        }
        *self.failed = false;
        let half = if dir == Direction::ToServer { client } else { server };
        half.begin(tcp.seq().wrapping_add(1), false);
        half.isn = Some(tcp.seq());
        half.syn_data = half.syn_data.max(tcp.payload_len);
    }

    /// How many bytes a segment of the server acknowledges behind the client's SYN; `None` where that was not captured,
    /// or where the number is of another connection.
    fn behind_syn(&self, packet: &Packet<'_>) -> Option<u32> {
        let isn = self.halves[0].isn.filter(|_| packet.has(flag::ACK))?;
        let behind = packet.tcp.ack().wrapping_sub(isn.wrapping_add(1));
        (behind <= u32::from(u16::MAX)).then_some(behind)
    }

    /// A host that reset a connection says nothing more on it.
    fn after_reset(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let half = &mut self.halves[dir.index()];
        if half.was_reset() && half.after_rst < MAX_AFTER_END && !packet.has(flag::SYN) {
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
        self.halves[other.index()].acknowledged(other, packet.tcp.ack(), out);
        if out.info.tag != 0 {
            // The relay's own recording: what it left out has passed, and nothing of it comes later.
            self.halves[other.index()].passed_unseen(other, packet.at, out);
        }
        // The relay's own recording has the ends that the relay saw.
        if out.info.tag == 0 && self.halves[other.index()].outlives_reset() {
            out.send(packet.at, Input::ResetIgnored { leg: Leg::Single, dir: other });
        }
        self.tell_fin(other, out);
    }

    fn window(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let half = &mut self.halves[dir.index()];
        let is_zero = packet.tcp.window() == 0;
        if is_zero == half.window_is_zero || packet.has(flag::SYN) || !packet.has(flag::ACK) {
            return;
        }
        half.window_is_zero = is_zero;
        let kind = if is_zero { SegmentKind::ZeroWindow } else { SegmentKind::WindowOpen };
        self.tell_segment(dir, packet, kind, out);
    }

    fn payload(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        let tcp = &packet.tcp;
        if tcp.payload_len == 0 {
            return;
        }
        let half = &mut self.halves[dir.index()];
        if !packet.has(flag::SYN)
            && !packet.has(flag::FIN)
            && half.is_keep_alive(tcp.seq(), tcp.payload_len)
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
        half.sent_behind_reset(packet.at, first_byte(packet), tcp.payload_len);
        if half.data(dir, packet.at, first_byte(packet), tcp.payload_len, tcp.payload, out) {
            self.tell_segment(dir, packet, SegmentKind::DifferingOverlap, out);
        }
        self.tell_fin(dir, out);
    }

    fn fin(&mut self, dir: Direction, packet: &Packet<'_>, out: &mut Out) {
        if !packet.has(flag::FIN) {
            return;
        }
        let segment = kept(dir, packet, SegmentKind::Fin, self.halves);
        let half = &mut self.halves[dir.index()];
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
        let behind_syn = self.behind_syn(packet).filter(|_| dir == Direction::ToClient);
        // A SYN may carry data, acknowledged or not. RFC 7413.
        let acks_syn =
            behind_syn.is_some_and(|behind| behind == 0 || behind == self.halves[0].syn_data);
        if acks_syn && let Some(after) = self.handshake.refuse(packet.at.time) {
            self.tell_segment(dir, packet, SegmentKind::Rst, out);
            return self.connect_failed(packet.at, ConnectFailureKind::Refused, after, out);
        }
        // Whatever the client makes of it, silence it is not.
        if dir == Direction::ToClient {
            self.handshake.server_spoke();
        }
        self.flush(out);
        let half = &self.halves[dir.index()];
        let is_taken = half.can_reset_at(packet.tcp.seq());
        let is_first = !half.was_reset();
        if packet.has(flag::ACK) && is_taken {
            self.halves[dir.reverse().index()].claimed(packet.tcp.ack());
        }
        let kind = if is_taken { SegmentKind::Rst } else { SegmentKind::IgnoredRst };
        self.tell_segment(dir, packet, kind, out);
        // Before an answer there is nothing that a RST could close.
        if self.handshake.is_trying() || *self.failed || !(is_taken && is_first) {
            return;
        }
        self.halves[dir.index()].end(packet.at, packet.tcp.seq());
        self.tell_closed(packet.at, dir, Close::Rst, out);
        self.release(out);
    }

    /// Tells everything that waits, in the order of its packets.
    pub(super) fn flush(&mut self, out: &mut Out) {
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

    pub(super) fn release(&mut self, out: &mut Out) {
        for half in self.halves.iter_mut() {
            half.history.end(out.memory);
        }
    }

    fn tell_closed(&mut self, at: At, dir: Direction, how: Close, out: &mut Out) {
        self.tell_counts(at, out);
        out.send(at, Input::Closed { leg: Leg::Single, dir, how });
    }

    pub(super) fn tell_counts(&mut self, at: At, out: &mut Out) {
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
        let segment = kept(dir, packet, kind, self.halves);
        out.send(packet.at, Input::Segment(segment));
    }

    pub(super) fn connect_failed(
        &mut self,
        at: At,
        kind: ConnectFailureKind,
        after: Duration,
        out: &mut Out,
    ) {
        *self.failed = true;
        let (to, syns) = (Some(out.info.server), Some(self.handshake.syns));
        let failure = ConnectFailure { to, kind, after, syns };
        out.send(at, Input::ConnectFailed { leg: Leg::Single, failure });
    }
}

/// Sequence number of the first byte of payload: a SYN takes one.
fn first_byte(packet: &Packet<'_>) -> u32 {
    packet.tcp.seq().wrapping_add(u32::from(packet.has(flag::SYN)))
}

fn kept(dir: Direction, packet: &Packet<'_>, kind: SegmentKind, halves: &[Half; 2]) -> Segment {
    let [half, peer] = [dir, dir.reverse()].map(|dir| &halves[dir.index()]);
    Segment {
        leg: Leg::Single,
        dir,
        kind,
        ttl: Some(packet.ttl),
        ip_id: packet.ip_id,
        seq: packet.tcp.seq(),
        ack: packet.tcp.ack(),
        flags: packet.tcp.flags(),
        window: packet.tcp.window(),
        len: packet.tcp.payload_len,
        options: packet.tcp.options.to_vec(),
        baseline: half.baseline(peer),
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
                return (packet.tcp.ack().wrapping_sub(right) as i32) >= 0;
            }
            (_, [len, ..]) if *len >= 2 => rest = rest.get(usize::from(*len)..).unwrap_or(&[]),
            _ => return false,
        }
    }
    false
}
