//! Packets from arbitrary bytes: TCP segments that mostly fit their connection, dressed in any of the link
//! layers and tunnels, cut, changed and fragmented; ICMP errors about them; and bytes without any form.

use super::super::cursor::Cursor;
use super::super::pieces::piece;

/// A packet as a capture file would have it.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// LINKTYPE_ number.
    pub link_type: u32,
    /// Captured bytes.
    pub bytes: Vec<u8>,
    /// Length on the wire.
    pub original_len: u32,
}

/// An IP packet before it is dressed.
#[derive(Clone, Default)]
struct Ip {
    six: bool,
    /// Sent by the server.
    back: bool,
    protocol: u8,
    payload: Vec<u8>,
}

/// Remembers where each stream stands.
#[derive(Default)]
pub struct Builder {
    /// Next sequence number by connection and side.
    next: [[u32; 2]; 4],
    last: Ip,
    id: u16,
}

/// Link types for bytes without a form.
const LINKS: [u32; 16] = [1, 0, 9, 12, 14, 50, 51, 101, 104, 108, 113, 228, 229, 276, 147, 1];
/// Usual flags of a segment.
const FLAGS: [u8; 7] = [0x18, 0x10, 0x02, 0x12, 0x11, 0x04, 0x14];

impl Builder {
    /// Nanoseconds until the next packet.
    pub fn pause(&mut self, cursor: &mut Cursor<'_>) -> u64 {
        [1_000, 1_000_000, 200_000_000, 20_000_000_000][usize::from(cursor.u8() & 3)]
    }

    /// Leg of a recording: mostly none.
    pub fn tag(&mut self, cursor: &mut Cursor<'_>) -> u8 {
        match cursor.u8() {
            low @ 0..=2 => low,
            _ => 0,
        }
    }

    /// The next packet, or the fragments of it.
    pub fn frames(&mut self, cursor: &mut Cursor<'_>) -> Vec<Frame> {
        let how = cursor.u8();
        let ip = match how & 7 {
            0 => return vec![raw(cursor)],
            1 => self.icmp(cursor),
            2 => Ip { protocol: cursor.u8(), payload: cursor.run().to_vec(), ..self.last.clone() },
            _ => self.segment(cursor),
        };
        self.last = ip.clone();
        let (wrap, count) = (cursor.u8(), if how & 0x30 == 0x30 { 2 + (how >> 6) } else { 1 });
        let mut frames: Vec<Frame> =
            self.fragments(&ip, usize::from(count)).into_iter().map(|ip| dress(ip, wrap)).collect();
        if how & 8 != 0 {
            frames.reverse();
        }
        damage(&mut frames, cursor);
        frames
    }

    fn segment(&mut self, cursor: &mut Cursor<'_>) -> Ip {
        let how = cursor.u8();
        let (flow, back) = (usize::from(how >> 1 & 3), how & 1 == 1);
        let flags = match cursor.u8() {
            usual @ 0..=127 => FLAGS[usize::from(usual) % FLAGS.len()],
            _ => cursor.u8(),
        };
        let payload = match how >> 4 & 7 {
            0 | 1 => &[][..],
            2..=5 => piece(cursor.u8()),
            _ => cursor.run(),
        };
        let next = self.next[flow];
        let (seq, ack) = (next[usize::from(back)], next[usize::from(!back)]);
        let (seq, ack) = (moved(seq, cursor), moved(ack, cursor));
        let window: u16 = if cursor.u8() == 1 { 0 } else { 0xfff0 };
        let options = cursor.u8();
        let options = if options < 11 { cursor.take(usize::from(options) * 4) } else { &[] };
        let options_len = options.len() / 4 * 4;
        let mut tcp = Vec::new();
        let ports = [50_000 + flow as u16, 3389];
        tcp.extend(ports[usize::from(back)].to_be_bytes());
        tcp.extend(ports[usize::from(!back)].to_be_bytes());
        tcp.extend(seq.to_be_bytes());
        tcp.extend(ack.to_be_bytes());
        tcp.extend([(((20 + options_len) / 4) << 4) as u8, flags]);
        tcp.extend(window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(&options[..options_len]);
        tcp.extend(payload);
        let taken = payload.len() as u32 + u32::from(flags & 1) + u32::from(flags >> 1 & 1);
        self.next[flow][usize::from(back)] = seq.wrapping_add(taken);
        Ip { six: how & 8 != 0, back, protocol: 6, payload: tcp }
    }

    /// An error about the last packet, sent to its sender.
    fn icmp(&mut self, cursor: &mut Cursor<'_>) -> Ip {
        let last = self.last.clone();
        let (kind, code) = (cursor.u8(), cursor.u8());
        let kind = match (kind, last.six) {
            (0..=127, false) => 3,
            (0..=127, true) => 1,
            _ => kind,
        };
        let mut payload = vec![kind, code, 0, 0, 0, 0, 0, 0];
        let six = last.six;
        let back = !last.back;
        payload.extend(self.ip(&last, 0, false, last.payload.len()));
        payload.truncate(usize::from(cursor.u8()).max(16) * 4);
        Ip { six, back, protocol: if six { 58 } else { 1 }, payload }
    }

    /// An IP packet in so many fragments.
    fn fragments(&mut self, ip: &Ip, count: usize) -> Vec<Vec<u8>> {
        self.id = self.id.wrapping_add(1);
        let size = (ip.payload.len() / count.max(1)).div_ceil(8).max(1) * 8;
        if count < 2 || ip.payload.len() <= size {
            return vec![self.ip(ip, 0, false, ip.payload.len())];
        }
        let mut packets = Vec::new();
        for (n, part) in ip.payload.chunks(size).enumerate() {
            let more = (n + 1) * size < ip.payload.len();
            let part = Ip { payload: part.to_vec(), ..ip.clone() };
            packets.push(self.fragment(&part, n * size, more));
        }
        packets
    }

    fn fragment(&self, part: &Ip, offset: usize, more: bool) -> Vec<u8> {
        if !part.six {
            return self.ip(part, (offset / 8) as u16, more, part.payload.len());
        }
        // RFC 8200 4.5: the fragment header stands before the part.
        let mut payload = vec![part.protocol, 0];
        payload.extend((offset as u16 | u16::from(more)).to_be_bytes());
        payload.extend(u32::from(self.id).to_be_bytes());
        payload.extend(&part.payload);
        let len = payload.len();
        self.ip(&Ip { payload, protocol: 44, ..part.clone() }, 0, false, len)
    }

    fn ip(&self, ip: &Ip, offset: u16, more: bool, len: usize) -> Vec<u8> {
        let ends: [u8; 2] = if ip.back { [2, 1] } else { [1, 2] };
        let mut bytes = Vec::new();
        if ip.six {
            bytes.extend([0x60, 0, 0, 0]);
            bytes.extend((len as u16).to_be_bytes());
            bytes.extend([ip.protocol, 64]);
            for end in ends {
                bytes.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end]);
            }
        } else {
            bytes.extend([0x45, 0]);
            bytes.extend((len as u16 + 20).to_be_bytes());
            bytes.extend(self.id.to_be_bytes());
            bytes.extend((offset | u16::from(more) << 13).to_be_bytes());
            bytes.extend([64, ip.protocol, 0, 0]);
            for end in ends {
                bytes.extend([192, 0, 2, end]);
            }
        }
        bytes.extend(&ip.payload);
        bytes
    }
}

/// Mostly where it should be, else a little before or behind, or anywhere.
fn moved(number: u32, cursor: &mut Cursor<'_>) -> u32 {
    match cursor.u8() {
        0..=159 => number,
        160..=199 => number.wrapping_sub(u32::from(cursor.u8())),
        200..=245 => number.wrapping_add(u32::from(cursor.u8())),
        _ => cursor.u32(),
    }
}

fn raw(cursor: &mut Cursor<'_>) -> Frame {
    let link = cursor.u8();
    let link_type = match link {
        255 => cursor.u32(),
        _ => LINKS[usize::from(link) % LINKS.len()],
    };
    let bytes = cursor.run().to_vec();
    let more = cursor.number() as u32;
    let original_len = (bytes.len() as u32).saturating_add(more);
    Frame { link_type, bytes, original_len }
}

/// Puts a link layer, and maybe tags or a tunnel, around an IP packet.
fn dress(ip: Vec<u8>, wrap: u8) -> Frame {
    let six = ip[0] >> 4 == 6;
    let ether: [u8; 2] = if six { [0x86, 0xdd] } else { [0x08, 0x00] };
    let next: u8 = if six { 41 } else { 4 };
    let (link_type, head): (u32, Vec<u8>) = match wrap % 14 {
        1 => (101, vec![]),
        2 => (0, vec![if six { 30 } else { 2 }, 0, 0, 0]),
        3 => (113, [&[0; 14][..], &ether].concat()),
        4 => (276, [&ether[..], &[0; 18]].concat()),
        5 => (1, [&[0; 12][..], &[0x81, 0, 0, 7], &ether].concat()),
        6 => (1, [&[0; 12][..], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8], &ether].concat()),
        7 => (1, [&[0; 12][..], &[0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x21, 64]].concat()),
        8 => {
            let ppp = if six { 0x57 } else { 0x21 };
            let len = (ip.len() as u16 + 2).to_be_bytes();
            (1, [&[0; 12][..], &[0x88, 0x64, 0x11, 0, 0, 1], &len, &[0, ppp]].concat())
        }
        9 => (101, outer(next, &[], ip.len())),
        10 => (101, outer(47, &[&[0, 0][..], &ether].concat(), ip.len())),
        11 => {
            // VXLAN, RFC 7348 5: UDP to 4789, eight bytes, an Ethernet frame.
            let length = (ip.len() as u16 + 30).to_be_bytes();
            let udp = [&[0xc0, 0, 0x12, 0xb5][..], &length, &[0, 0, 8, 0, 0, 0, 0, 0, 1, 0]];
            (101, outer(17, &[&udp.concat()[..], &[0; 12], &ether].concat(), ip.len()))
        }
        12 => (9, [&[0xff, 3, 0][..], &[if six { 0x57 } else { 0x21 }]].concat()),
        _ => (1, [&[0; 12][..], &ether].concat()),
    };
    let bytes = [head, ip].concat();
    Frame { link_type, original_len: bytes.len() as u32, bytes }
}

/// An IPv4 header around `inside` and what follows it.
fn outer(protocol: u8, inside: &[u8], following: usize) -> Vec<u8> {
    let len = ((20 + inside.len() + following) as u16).to_be_bytes();
    let fixed = [0x45, 0, len[0], len[1], 0, 1, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    [&fixed[..], inside].concat()
}

/// Changes bytes and cuts packets as a snapshot length does; mostly neither.
fn damage(frames: &mut [Frame], cursor: &mut Cursor<'_>) {
    let how = cursor.u8();
    let Some(frame) = frames.last_mut() else { return };
    for _ in 0..(how & 3) {
        let at = usize::from(cursor.u16()) % frame.bytes.len().max(1);
        if let Some(byte) = frame.bytes.get_mut(at) {
            *byte ^= cursor.u8();
        }
    }
    if how & 0x1C == 0x1C {
        frame.bytes.truncate(usize::from(cursor.u8()) + 14);
    }
    if how & 0xE0 == 0xE0 {
        frame.original_len = cursor.u32();
    }
}
