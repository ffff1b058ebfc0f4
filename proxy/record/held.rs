//! Packets on their way to the file: a session's latest are held back, for the verdict stands at the last one.

use std::ops::Range;

use rdpwhy_analyzer::input::{Leg, Timestamp};
use rdpwhy_captures::synth::{Head, Packet};
use rdpwhy_captures::writer::Record;

use super::buffers::Buffers;

/// A packet that is not written yet; its payload stands in a buffer beside it.
pub(super) struct Pending {
    pub leg: Leg,
    pub time: Timestamp,
    pub head: Head,
    /// Where in the buffer.
    pub payload: Range<usize>,
    pub original_len: u32,
    pub comments: Vec<String>,
}

/// The latest packets of a session: of bytes that pass both legs one of each, so that no file of a ring ends
/// between the two.
#[derive(Default)]
pub(super) struct Held {
    pub packets: Vec<Pending>,
    pub buffer: Vec<u8>,
}

impl Pending {
    /// A packet whose payload begins at `place` of its buffer.
    pub fn new(
        leg: Leg,
        time: Timestamp,
        packet: &Packet<'_>,
        place: usize,
        comments: Vec<String>,
    ) -> Pending {
        Pending {
            leg,
            time,
            head: packet.head.clone(),
            payload: place..place + packet.payload.len(),
            original_len: packet.original_len,
            comments,
        }
    }

    /// As it is written.
    pub fn record<'a>(&'a self, buffer: &'a [u8]) -> Record<'a> {
        let payload = buffer.get(self.payload.clone()).unwrap_or_default();
        let Pending { leg, time, original_len, .. } = *self;
        Record { leg, time, bytes: [&self.head, payload], original_len, comments: &self.comments }
    }
}

impl Held {
    /// Keeps the buffer that the packets refer to: itself, or where they need only its end, that.
    pub fn keep(&mut self, buffer: Vec<u8>, buffers: &Buffers) {
        let begin = self.packets.iter().map(|packet| packet.payload.start).min().unwrap_or(0);
        if begin == 0 {
            self.buffer = buffer;
            return;
        }
        self.buffer = buffers.copy(buffer.get(begin..).unwrap_or_default());
        buffers.give(buffer);
        for packet in &mut self.packets {
            packet.payload = packet.payload.start - begin..packet.payload.end - begin;
        }
    }
}
