//! One flow: both directions, the handshake, and the order in which they are told.

use std::net::SocketAddr;

use rdpwhy_analyzer::input::{ConnectFailureKind, Direction, Input, Origin, Timestamp};

use super::direction::Half;
use super::handshake::Handshake;
use super::key::FlowKey;
use super::state::State;
use super::stats::Header;
use super::{At, FlowInfo, IcmpError, Memory, Out, Packet, Sink, flag};

/// Timestamps with their padding: the usual options of every segment.
pub(super) const USUAL_OPTIONS: usize = 12;

/// A flow of the table.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) info: FlowInfo,
    /// The client is the end that stands first in the key.
    client_is_first: bool,
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
    /// It is open, and nothing ails it: only the long way can change that.
    is_steady: bool,
    /// It stands in the table's queue of closed flows.
    pub(super) queued: bool,
}

impl Flow {
    pub(super) fn new(info: FlowInfo) -> Flow {
        let started = info.started;
        let end = |end: SocketAddr| (end.ip(), end.port());
        let key = FlowKey::directed(info.tag, end(info.client), end(info.server));
        let (_, client_is_first) = key.sorted();
        Flow {
            info,
            client_is_first,
            halves: Default::default(),
            handshake: Handshake::default(),
            last_seen: started,
            last_told: started,
            counts_changed: false,
            failed: false,
            is_steady: false,
            queued: false,
        }
    }

    /// Where a segment goes whose sender is, or is not, the end that stands first in the key.
    pub(super) fn direction(&self, is_first: bool) -> Direction {
        if is_first == self.client_is_first { Direction::ToServer } else { Direction::ToClient }
    }

    /// Whether nothing more is expected of it.
    pub(super) fn is_closed(&self) -> bool {
        let is_over = || {
            self.failed
                || self.halves.iter().any(Half::was_reset)
                || self.halves.iter().all(Half::has_finished)
        };
        !self.is_steady && is_over()
    }

    /// Whether a segment with this SYN opens another connection between the same endpoints.
    pub(super) fn is_reused_by(&self, dir: Direction, packet: &Packet<'_>) -> bool {
        if !packet.has(flag::SYN) || packet.has(flag::RST) {
            return false;
        }
        let half = &self.halves[dir.index()];
        let known = half.isn == Some(packet.tcp.seq());
        let is_syn_ack = packet.has(flag::ACK);
        if is_syn_ack && dir == Direction::ToClient {
            let answers =
                self.halves[0].isn.is_some_and(|isn| packet.tcp.ack() == isn.wrapping_add(1));
            return !known && !answers && !half.can_have_begun_at(packet.tcp.seq());
        }
        // A SYN from whom we took for the server, or a SYN-ACK from whom we took for the client: other roles.
        if is_syn_ack || dir == Direction::ToClient {
            return true;
        }
        let fits = half.has_base() && half.can_have_begun_at(packet.tcp.seq());
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
        if self.goes_on(dir, packet, memory) {
            if packet.tcp.payload_len > 0 {
                let At { time, number } = packet.at;
                let input = Input::Data { dir, bytes: packet.tcp.payload };
                sink(self.info.id, &self.info, time, Origin::Packet(number), input);
            }
            return;
        }
        let half = &mut self.halves[dir.index()];
        self.last_seen = packet.at.time;
        self.counts_changed = true;
        let header = Header::of(packet);
        if half.recent.has(&header) {
            half.seen.mirrored += 1;
            return;
        }
        half.recent.remember(header);
        half.seen.segments += 1;
        let (mut teller, mut state) = self.split(packet.at.number, memory, sink);
        state.segment(dir, packet, &mut teller);
        self.is_steady =
            !self.failed && self.handshake.is_open() && self.halves.iter().all(Half::is_flowing);
    }

    /// Takes a segment as nearly all are: of a steady flow, without news but the next bytes or an
    /// acknowledgement. Whoever asks tells these bytes. `false` where it is another: then nothing has happened.
    #[inline(always)] // a frame's fields stay where they were read
    pub(super) fn goes_on(
        &mut self,
        dir: Direction,
        packet: &Packet<'_>,
        memory: &mut Memory,
    ) -> bool {
        let tcp = packet.tcp;
        let is_plain = tcp.flags() & !flag::PSH == flag::ACK
            && tcp.window() != 0
            && tcp.options.len() <= USUAL_OPTIONS;
        if !(is_plain && self.is_steady) {
            return false;
        }
        let [client, server] = &mut self.halves;
        let (sender, receiver) = match dir {
            Direction::ToServer => (client, server),
            Direction::ToClient => (server, client),
        };
        if self.info.tag != 0 && receiver.is_behind(tcp.ack()) {
            return false;
        }
        if tcp.payload_len == 0 {
            if sender.recent.has(&Header::of(packet)) {
                return false;
            }
        } else if sender.next_data(packet.at, tcp, memory) {
            // No copy: what is next was not delivered before.
            self.last_told = packet.at.time;
        } else {
            return false;
        }
        sender.recent.remember(Header::of(packet));
        sender.seen.segments += 1;
        sender.ttl.note(packet.ttl);
        sender.ip_ids.note(packet.ip_id);
        receiver.note_acknowledged(tcp.ack());
        self.last_seen = packet.at.time;
        self.counts_changed = true;
        true
    }

    /// The next segment goes the long way.
    #[cfg(test)]
    pub(super) fn unsettle(&mut self) {
        self.is_steady = false;
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
        self.is_steady = false;
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
        let ended = |half: &Half| half.was_reset() || half.has_finished();
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
