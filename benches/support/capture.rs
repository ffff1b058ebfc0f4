//! A capture file of many RDP connections: Ethernet, IPv4, segments of 1,460 bytes with their
//! acknowledgements, half of the connections TLS 1.2 and half TLS 1.3.

use std::io::{self, Write};
use std::net::SocketAddr;

use rdpwhy_captures::synth::{Packet, Sender, SyntheticLeg};

use crate::rdp::{HEADER, Prologue, Side, record};

/// Payload of a full segment on Ethernet.
const SEGMENT: usize = 1460;
/// Bodies of the records a desktop sends, in turn.
pub const RECORDS: [usize; 8] = [90, 1400, 240, 8000, 60, 3200, 16384, 700];

/// How the connections are.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Connections that are open at the same time.
    pub at_once: usize,
    /// Bytes that a connection carries at least.
    pub each: usize,
}

/// A capture being written.
pub struct Capture<W> {
    /// Where it goes.
    pub sink: W,
    /// Bytes written.
    pub bytes: usize,
    /// Packets written.
    pub packets: u64,
    /// Connections written, each from SYN to FIN.
    pub connections: u64,
    now: u64,
}

impl<W: Write> Capture<W> {
    /// Writes at least `bytes` of whole connections, `shape.at_once` of them in turns.
    pub fn write(sink: W, bytes: usize, shape: Shape) -> io::Result<Capture<W>> {
        let now = 1_700_000_000_000_000;
        let mut capture = Capture { sink, bytes: 0, packets: 0, connections: 0, now };
        capture.put(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        capture.put(&262_144u32.to_le_bytes())?;
        capture.put(&1u32.to_le_bytes())?; // LINKTYPE_ETHERNET
        let prologues = [Prologue::new(), Prologue::with(&rustls::version::TLS13)];
        while capture.bytes < bytes {
            let left = (bytes - capture.bytes).div_ceil(shape.each);
            capture.batch(left.min(shape.at_once), shape.each, &prologues)?;
        }
        capture.sink.flush()?;
        Ok(capture)
    }

    /// Some connections from SYN to FIN, in turns.
    fn batch(
        &mut self,
        connections: usize,
        each: usize,
        prologues: &[Prologue; 2],
    ) -> io::Result<()> {
        let mut legs = Vec::new();
        for _ in 0..connections {
            legs.push(self.open()?);
        }
        for (at, leg) in legs.iter_mut().enumerate() {
            for (side, flight) in &prologues[at % 2].flights {
                let sender = if *side == Side::Client { Sender::Opener } else { Sender::Acceptor };
                self.send(leg, sender, flight)?;
            }
        }
        let records = RECORDS.map(record);
        let cycle: usize = RECORDS.iter().map(|body| HEADER + body).sum();
        let input = record(60);
        for _ in 0..each.div_ceil(cycle) {
            for leg in &mut legs {
                self.send(leg, Sender::Opener, &input)?;
                for record in &records {
                    self.send(leg, Sender::Acceptor, record)?;
                }
            }
        }
        for leg in &mut legs {
            for packet in
                [leg.fin(Sender::Opener), leg.fin(Sender::Acceptor), leg.ack(Sender::Opener)]
            {
                self.packet(&packet)?;
            }
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<SyntheticLeg> {
        self.connections += 1;
        let number = self.connections as u32;
        let [_, high, middle, low] = number.to_be_bytes();
        let client = SocketAddr::from(([10, high, middle, low], 50_000));
        let server = SocketAddr::from(([10, 200, 0, 1], 3389));
        let mut leg = SyntheticLeg::new(client, server, number);
        for packet in [leg.syn(), leg.syn_ack(), leg.ack(Sender::Opener)] {
            self.packet(&packet)?;
        }
        Ok(leg)
    }

    /// Bytes in segments; the receiver acknowledges every second one and the last.
    fn send(&mut self, leg: &mut SyntheticLeg, sender: Sender, bytes: &[u8]) -> io::Result<()> {
        let receiver = if sender == Sender::Opener { Sender::Acceptor } else { Sender::Opener };
        let segments = bytes.len().div_ceil(SEGMENT);
        for (at, piece) in bytes.chunks(SEGMENT).enumerate() {
            for packet in leg.data(sender, piece) {
                self.packet(&packet)?;
            }
            if at % 2 == 1 || at + 1 == segments {
                self.packet(&leg.ack(receiver))?;
            }
        }
        Ok(())
    }

    fn packet(&mut self, packet: &Packet) -> io::Result<()> {
        const ETHERNET: [u8; 14] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
        self.packets += 1;
        self.now += 20;
        let len = (packet.head.len() + packet.payload.len() + ETHERNET.len()) as u32;
        let (seconds, micros) = (self.now / 1_000_000, self.now % 1_000_000);
        for field in [seconds as u32, micros as u32, len, len] {
            self.put(&field.to_le_bytes())?;
        }
        self.put(&ETHERNET)?;
        self.put(&packet.head)?;
        self.put(packet.payload)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len();
        self.sink.write_all(bytes)
    }
}
