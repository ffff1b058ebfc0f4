//! One direction of a flow: its bytes put in order. RFC 9293 3.4 and 3.10.

use rdpwhy_analyzer::input::{Baseline, Direction, Input, Segment, SegmentCounts};

mod losses;
mod reset;

use super::history::History;
use super::stats::{IpIdHabit, Outstanding, RecentHeaders, TtlCounts};
use super::waiting::{Inserted, Piece, Waiting};
use super::{At, Memory, Out};
use crate::packet::TcpSegment;
use reset::Reset;

/// No window reaches farther. RFC 7323 2.3.
const FARTHEST: i32 = 1 << 30;

/// What one sender sent.
#[derive(Debug, Default)]
pub(super) struct Half {
    /// Sequence number of the first byte of the stream.
    base: Option<u32>,
    /// Sequence number of the SYN, where seen.
    pub(super) isn: Option<u32>,
    /// Bytes of data in the SYN. RFC 7413.
    pub(super) syn_data: u32,
    /// `base` was taken from a segment without data and may be one too low: a keep-alive.
    base_is_soft: bool,
    /// Place of the next byte to deliver.
    next: u64,
    /// Place that the peer acknowledged.
    acked: Option<u64>,
    /// Place of the FIN.
    fin: Option<u64>,
    /// The FIN, until everything before it is delivered.
    pending_fin: Option<Box<PendingFin>>,
    waiting: Option<Box<Waiting>>,
    pub(super) history: History,
    /// Counters; `acknowledged` is filled in by [`Half::counts`].
    pub(super) seen: SegmentCounts,
    pub(super) ttl: TtlCounts,
    pub(super) ip_ids: IpIdHabit,
    outstanding: Outstanding,
    pub(super) recent: RecentHeaders,
    pub(super) window_is_zero: bool,
    /// The RST that ended it; in a box, for few have one and most are passed by.
    reset: Option<Box<Reset>>,
    /// A bare segment stood one number behind everything that was sent: a FIN, most likely, came before it.
    has_passed_one: bool,
    /// What RSTs of the peer acknowledge beyond what was captured, and whether they agree: one number may be of what
    /// the capture lost, several are guesses.
    claimed: Option<(u64, bool)>,
    pub(super) after_rst: u32,
    pub(super) after_fin: u32,
}

/// A FIN that waits for the bytes before it.
#[derive(Debug)]
pub(super) struct PendingFin {
    pub(super) at: At,
    pub(super) segment: Segment,
}

impl Half {
    /// Whether any sequence number of this sender is known.
    pub(super) fn has_base(&self) -> bool {
        self.base.is_some()
    }

    /// Whether bytes were delivered or wait.
    pub(super) fn has_data(&self) -> bool {
        self.next > 0 || self.waiting.is_some()
    }

    /// Whether its FIN came and everything before it was delivered.
    pub(super) fn has_finished(&self) -> bool {
        self.fin.is_some() && self.pending_fin.is_none()
    }

    /// Whether a FIN came that waits for earlier bytes.
    pub(super) fn has_pending_fin(&self) -> bool {
        self.pending_fin.is_some()
    }

    /// Sets where the stream begins, if nothing was delivered yet.
    pub(super) fn begin(&mut self, base: u32, is_soft: bool) {
        if !self.has_data() && self.fin.is_none() {
            // What was acknowledged counted from the old one.
            self.acked = self.acked.filter(|_| self.base == Some(base));
            self.base = Some(base);
            self.base_is_soft = is_soft;
        }
    }

    /// Whether a SYN with this sequence number can belong to a stream whose handshake was not seen in time.
    pub(super) fn can_have_begun_at(&self, isn: u32) -> bool {
        match self.base {
            None => true,
            Some(base) => {
                self.isn.is_none() && base.wrapping_sub(isn.wrapping_add(1)) <= u32::from(u16::MAX)
            }
        }
    }

    /// The counters up to now.
    pub(super) fn counts(&self) -> SegmentCounts {
        let acknowledged = self.acked.map(|acked| acked.min(self.fin.unwrap_or(u64::MAX)));
        SegmentCounts { acknowledged, ..self.seen }
    }

    /// What the sender's segments were like up to now.
    pub(super) fn baseline(&self, peer: &Half) -> Baseline {
        let seq = |place: u64| self.base.map(|base| base.wrapping_add(place as u32));
        Baseline {
            ttl: self.ttl.usual(),
            ttl_is_steady: self.ttl.is_steady(),
            ip_id: self.ip_ids.known(),
            next_seq: self.next_seq(),
            acknowledged_seq: self.acked.and_then(seq),
            peer_next_seq: peer.sent_seq(),
        }
    }

    /// The sequence number behind everything that is known to have been sent.
    fn next_seq(&self) -> Option<u32> {
        let known = self.next.max(self.acked.unwrap_or(0));
        self.base.map(|base| base.wrapping_add(known as u32))
    }

    /// The sequence number behind everything that was seen of it, its FIN included; `None` where nothing was seen.
    fn sent_seq(&self) -> Option<u32> {
        let known = self.next.max(self.acked.unwrap_or(0));
        let end = known.max(self.fin.map_or(0, |fin| fin + 1));
        self.base.filter(|_| self.seen.segments > 0).map(|base| base.wrapping_add(end as u32))
    }

    /// Whether a segment at `seq` carries data behind the place of this sender's FIN.
    pub(super) fn is_behind_fin(&self, seq: u32, len: u32) -> bool {
        let end = self.place(seq).and_then(|place| u64::try_from(place).ok());
        end.zip(self.fin).is_some_and(|(start, fin)| start + u64::from(len) > fin)
    }

    /// Takes a segment of the peer that says it got the same bytes twice.
    pub(super) fn duplicate_reported(&mut self) {
        self.seen.duplicates_reported += 1;
    }

    /// Place in the stream of a sequence number; `None` when no window reaches there.
    #[inline]
    fn place(&self, seq: u32) -> Option<i64> {
        let known = self.next.max(self.acked.unwrap_or(0));
        let distance = seq.wrapping_sub(self.base?.wrapping_add(known as u32)) as i32;
        let near = (-FARTHEST..=FARTHEST).contains(&distance);
        near.then(|| known as i64 + i64::from(distance))
    }

    /// Whether a segment only asks whether the peer is there. RFC 9293 3.8.4.
    pub(super) fn is_keep_alive(&self, seq: u32, len: u32) -> bool {
        len <= 1 && self.place(seq).is_some_and(|place| place == self.next as i64 - 1)
    }

    /// Takes the payload of a segment. `true` when it differs from bytes that came earlier.
    pub(super) fn data(
        &mut self,
        dir: Direction,
        at: At,
        seq: u32,
        len: u32,
        bytes: &[u8],
        out: &mut Out,
    ) -> bool {
        self.seen.data_segments += 1;
        if self.base_is_soft && self.next == 0 && self.place(seq) == Some(1) {
            self.base = Some(seq);
            self.acked = self.acked.map(|acked| acked.saturating_sub(1));
        }
        self.base_is_soft = false;
        let Some(place) = self.place(seq) else { return false };
        let bytes = bytes.get(..len as usize).unwrap_or(bytes);
        // What lies before the first known byte was never ours to deliver.
        let before = u32::try_from(-place).unwrap_or(0).min(len);
        let start = u64::try_from(place).unwrap_or(0);
        let bytes = bytes.get(before as usize..).unwrap_or(&[]);
        let piece = Piece { at, start, end: start + u64::from(len - before), bytes };
        self.seen.largest = self.seen.largest.max(len);
        if piece.end <= History::UNTIL && !self.history.has_ended() {
            self.outstanding.sent(piece.end as u32, len);
        }
        if piece.end <= self.next || self.fin.is_some_and(|fin| piece.start >= fin) {
            self.seen.retransmitted += 1;
            let waited_for = self.acked.unwrap_or(0);
            if (piece.start..piece.end).contains(&waited_for) {
                self.seen.repeated = self.seen.repeated.saturating_add(1);
            }
            return self.history.differs(&piece);
        }
        let mut differs = self.history.differs(&piece);
        let ahead = piece.part(piece.start.max(self.next), piece.end);
        match self.waiting.as_deref_mut() {
            // The steady state: nothing waits, and this is next.
            None if ahead.start == self.next => self.deliver(dir, &ahead, false, out),
            waiting => {
                let waiting = match waiting {
                    Some(waiting) => waiting,
                    None => self.waiting.insert(Box::default()),
                };
                let Inserted { new, differs: from_waiting } = waiting.insert(&ahead, out.memory);
                self.seen.retransmitted += u64::from(!new);
                differs |= from_waiting;
                self.settle(dir, out);
            }
        }
        differs
    }

    /// Whether the stream has begun, nothing of it waits and nothing has ended.
    pub(super) fn is_flowing(&self) -> bool {
        self.has_base()
            && self.fin.is_none()
            && self.waiting.is_none()
            && self.reset.is_none()
            && !self.window_is_zero
    }

    /// Takes the payload of a segment of a flowing direction when its bytes are all there and are the next ones.
    /// `false` where they are not: then nothing has happened.
    #[inline(always)]
    pub(super) fn next_data(&mut self, at: At, tcp: &TcpSegment<'_>, memory: &mut Memory) -> bool {
        let len = tcp.payload_len;
        let next = !self.base_is_soft
            && tcp.payload.len() == len as usize
            && self.base == Some(tcp.seq().wrapping_sub(self.next as u32))
            && self.acked.is_none_or(|acked| acked <= self.next);
        if next {
            if !self.history.has_ended() {
                self.head(at, tcp.payload, memory);
            }
            self.next += u64::from(len);
            self.seen.data_segments += 1;
            self.seen.bytes += u64::from(len);
            self.seen.largest = self.seen.largest.max(len);
        }
        next
    }

    /// Remembers the next bytes where copies of them may be compared with them.
    #[inline(never)]
    fn head(&mut self, at: At, bytes: &[u8], memory: &mut Memory) {
        let end = self.next + bytes.len() as u64;
        if end <= History::UNTIL {
            self.outstanding.sent(end as u32, bytes.len() as u32);
        }
        self.history.remember(&Piece { at, start: self.next, end, bytes }, memory);
    }

    /// Takes an acknowledgement that the peer sent.
    pub(super) fn acknowledged(&mut self, dir: Direction, ack: u32, out: &mut Out) {
        let is_known = self.note_acknowledged(ack);
        if is_known && (self.waiting.is_some() || self.pending_fin.is_some()) {
            self.settle(dir, out);
        }
    }

    /// The same where nothing waits that it could let go. `false` when no window reaches there.
    #[inline(always)]
    pub(super) fn note_acknowledged(&mut self, ack: u32) -> bool {
        let (Some(base), Some(acked)) = (self.base, self.acked) else {
            return self.note_newly_acknowledged(ack);
        };
        // Who sends much acknowledges the same again and again.
        ack.wrapping_sub(acked as u32) == base || self.note_newly_acknowledged(ack)
    }

    #[inline]
    fn note_newly_acknowledged(&mut self, ack: u32) -> bool {
        let Some(place) = self.place(ack) else { return false };
        let place = u64::try_from(place).unwrap_or(0);
        if self.acked.is_none_or(|acked| place > acked) {
            self.acked = Some(place);
            self.seen.repeated = 0;
            let largest = self.outstanding.acknowledged(place);
            self.seen.largest_acknowledged = self.seen.largest_acknowledged.max(largest);
        }
        true
    }

    /// Takes a FIN at `seq`, the sequence number after the segment's payload. Gives it back when it is a copy.
    pub(super) fn fin(&mut self, seq: u32, pending: PendingFin) -> Option<PendingFin> {
        let place = self.place(seq).and_then(|place| u64::try_from(place).ok());
        match place {
            Some(place) if self.fin.is_none() && place >= self.next => {
                self.fin = Some(place);
                self.pending_fin = Some(Box::new(pending));
                None
            }
            _ => Some(pending),
        }
    }

    /// The FIN, once everything before it is delivered.
    pub(super) fn ready_fin(&mut self) -> Option<Box<PendingFin>> {
        if self.pending_fin.is_some() && self.fin.is_some_and(|fin| fin <= self.next) {
            return self.pending_fin.take();
        }
        None
    }

    /// Packet number of the first thing that waits.
    pub(super) fn waits_since(&self) -> Option<u64> {
        self.first_waiting().map(|(_, at)| at.number)
    }

    /// Delivers what can be delivered, and declares holes lost that the peer acknowledged or that cost too much.
    pub(super) fn settle(&mut self, dir: Direction, out: &mut Out) {
        self.drain(dir, true, out);
        while let Some((place, _)) = self.first_waiting().filter(|(place, _)| *place > self.next) {
            let passed = self.acked.is_some_and(|acked| acked >= place);
            if !passed && !self.waiting.as_ref().is_some_and(|waiting| waiting.is_over()) {
                return;
            }
            self.skip_hole(dir, out);
        }
    }

    /// Delivers the waiting pieces that are next. `in_time`: no hole before them was given up.
    fn drain(&mut self, dir: Direction, in_time: bool, out: &mut Out) {
        while let Some(waiting) = self.waiting.as_deref_mut() {
            match waiting.first() {
                Some(first) if first.start > self.next => return,
                Some(_) => {}
                None => {
                    self.waiting = None;
                    return;
                }
            }
            if let Some(first) = waiting.pop(out.memory) {
                // A piece that the current packet brought did not wait.
                let waited = in_time && first.leads && first.at.number != out.now;
                self.seen.out_of_order += u64::from(waited);
                let piece =
                    Piece { at: first.at, start: first.start, end: first.end, bytes: &first.bytes };
                self.deliver(dir, &piece, true, out);
            }
        }
    }

    /// Delivers a piece that begins at the next byte.
    fn deliver(&mut self, dir: Direction, piece: &Piece<'_>, late: bool, out: &mut Out) {
        self.history.remember(piece, out.memory);
        self.next = piece.end;
        self.seen.bytes += piece.end - piece.start;
        let cut = (piece.end - piece.start).saturating_sub(piece.bytes.len() as u64);
        let mut send =
            |input| if late { out.send_late(piece.at, input) } else { out.send(piece.at, input) };
        if !piece.bytes.is_empty() {
            send(Input::Data { dir, bytes: piece.bytes });
        }
        if cut > 0 {
            send(Input::Skipped { dir, bytes: cut });
        }
    }

    /// Where and in which packet the first thing stands that waits, data or FIN.
    fn first_waiting(&self) -> Option<(u64, At)> {
        let data = self
            .waiting
            .as_ref()
            .and_then(|waiting| waiting.first())
            .map(|first| (first.start, first.at));
        data.or_else(|| Some((self.fin?, self.pending_fin.as_ref()?.at)))
    }
}
