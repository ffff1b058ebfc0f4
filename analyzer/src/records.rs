//! The one scanner of frames: it walks a direction's byte stream from header to header (TPKT,
//! fast-path or TLS record) without buffering bodies. The relay and the session both use it.

use crate::wire::ParseError;
use crate::wire::tls::RecordHeader;
use crate::wire::tpkt::TpktHeader;

/// What kind of frame starts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// TPKT packet. RFC 1006 6.
    Tpkt,
    /// Fast-path PDU; only where standard RDP security is known to run. MS-RDPBCGR 2.2.9.1.2.
    FastPath,
    /// TLS record. RFC 8446 5.1.
    Tls(RecordHeader),
}

/// The start of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameStart {
    /// What it is.
    pub kind: FrameKind,
    /// Bytes of the header.
    pub header: u8,
    /// Bytes of the body, the header not counted.
    pub body: u32,
    /// Offset of the header's first byte in the stream.
    pub offset: u64,
}

/// One piece of a scanned stream, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A header was completed.
    Start(FrameStart),
    /// The next bytes of the current frame's body.
    Body(&'a [u8]),
    /// The current frame is complete.
    End,
    /// Bytes where no header could be read. Reported once; the rest of the stream is only counted.
    Opaque(ParseError),
}

/// Walks one direction of a session.
#[derive(Clone, Debug, Default)]
pub struct RecordScanner {
    state: State,
    header: [u8; 5],
    have: u8,
    offset: u64,
    allow_fast_path: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Header,
    Body {
        left: u32,
        total: u32,
    },
    /// No header where one should be: count only.
    Opaque,
    /// Bytes were lost at an unknown place in a frame: try the next chunk's start.
    Lost,
}

impl RecordScanner {
    /// From now on a first byte with clear low bits is a fast-path PDU and 0x14..0x18 is no TLS record.
    pub fn allow_fast_path(&mut self) {
        self.allow_fast_path = true;
    }

    /// Bytes of the stream so far, skipped and lost ones of known number included.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The frame that has begun and not ended: (bytes declared, bytes seen), headers not counted.
    /// A header that is itself incomplete counts as a frame of unknown size: `(0, header bytes)`.
    pub fn open_frame(&self) -> Option<(u32, u32)> {
        match self.state {
            State::Body { left, total } => Some((total, total - left)),
            State::Header if self.have > 0 => Some((0, u32::from(self.have))),
            _ => None,
        }
    }

    /// True while headers are found where they should be.
    pub fn in_step(&self) -> bool {
        matches!(self.state, State::Header | State::Body { .. })
    }

    /// Walks the next bytes of the stream.
    pub fn scan<'a>(&mut self, mut bytes: &'a [u8], sink: &mut impl FnMut(Piece<'a>)) {
        while !bytes.is_empty() {
            bytes = self.scan_frame(bytes, sink);
        }
    }

    /// Walks to the end of the current frame, or of the bytes; what lies behind it comes back. Whoever
    /// learns from a frame how to read the next one walks so.
    pub fn scan_frame<'a>(
        &mut self,
        mut bytes: &'a [u8],
        sink: &mut impl FnMut(Piece<'a>),
    ) -> &'a [u8] {
        if self.state == State::Lost {
            self.resume(bytes);
        }
        while !bytes.is_empty() {
            match self.state {
                State::Header => match self.read_header(&mut bytes) {
                    Ok(Some(start)) => {
                        sink(Piece::Start(start));
                        self.enter(start.body, sink);
                        if start.body == 0 {
                            return bytes;
                        }
                    }
                    Ok(None) => return &[],
                    Err(error) => {
                        self.state = State::Opaque;
                        sink(Piece::Opaque(error));
                    }
                },
                State::Body { left, total } => {
                    let taken = bytes.len().min(left as usize);
                    sink(Piece::Body(&bytes[..taken]));
                    bytes = &bytes[taken..];
                    self.advance(taken as u32, left, total, sink);
                    if self.state == State::Header {
                        return bytes;
                    }
                }
                State::Opaque | State::Lost => {
                    self.offset = self.offset.saturating_add(bytes.len() as u64);
                    return &[];
                }
            }
        }
        bytes
    }

    /// Passes bytes that lie within the body of the current frame and do not end it. `false` where they do not:
    /// then nothing has happened, and they are to be walked.
    pub fn pass(&mut self, bytes: usize) -> bool {
        match &mut self.state {
            State::Body { left, .. } if bytes < *left as usize => {
                *left -= bytes as u32;
                self.offset = self.offset.saturating_add(bytes as u64);
                true
            }
            _ => false,
        }
    }

    /// Bytes that passed unseen. Within a body they are stepped over; a header among them loses the step.
    pub fn skip<'a>(&mut self, mut bytes: u64, sink: &mut impl FnMut(Piece<'a>)) {
        while let State::Body { left, total } = self.state {
            if bytes == 0 {
                return;
            }
            let taken = bytes.min(u64::from(left)) as u32;
            bytes -= u64::from(taken);
            self.advance(taken, left, total, sink);
        }
        self.offset = self.offset.saturating_add(bytes);
        if bytes > 0 && self.state != State::Opaque {
            self.state = State::Lost;
            self.have = 0;
        }
    }

    /// It knows where the next frame begins.
    pub fn is_in_step(&self) -> bool {
        matches!(self.state, State::Header | State::Body { .. })
    }

    /// An unknown number of bytes is missing.
    pub fn lose(&mut self) {
        if self.state != State::Opaque {
            self.state = State::Lost;
            self.have = 0;
        }
    }

    fn enter<'a>(&mut self, body: u32, sink: &mut impl FnMut(Piece<'a>)) {
        if body == 0 {
            sink(Piece::End);
        } else {
            self.state = State::Body { left: body, total: body };
        }
    }

    fn advance<'a>(&mut self, taken: u32, left: u32, total: u32, sink: &mut impl FnMut(Piece<'a>)) {
        self.offset = self.offset.saturating_add(u64::from(taken));
        let left = left - taken;
        self.state = if left == 0 { State::Header } else { State::Body { left, total } };
        if left == 0 {
            sink(Piece::End);
        }
    }

    /// After a loss, a chunk that begins with a plausible header is taken as a frame's start: senders
    /// write records at the start of segments.
    fn resume(&mut self, bytes: &[u8]) {
        let tls = RecordHeader::parse(bytes)
            .is_ok_and(|header| (0x0301..=0x0303).contains(&header.version.0));
        if tls || is_whole_tpkt(bytes) {
            self.state = State::Header;
        }
    }

    /// Collects a header; `None` when the bytes end within it.
    fn read_header(&mut self, bytes: &mut &[u8]) -> Result<Option<FrameStart>, ParseError> {
        // Most headers are those of TLS records, and there in one piece.
        if let Some((header @ [0x14..=0x18, ..], rest)) = bytes.split_first_chunk::<5>()
            && self.have == 0
            && !self.allow_fast_path
        {
            let record = RecordHeader::parse(header)?;
            let offset = self.offset;
            self.offset = offset.saturating_add(header.len() as u64);
            *bytes = rest;
            let (kind, body) = (FrameKind::Tls(record), u32::from(record.length));
            return Ok(Some(FrameStart { kind, header: header.len() as u8, body, offset }));
        }
        while let Some((&next, rest)) = bytes.split_first() {
            self.header[usize::from(self.have)] = next;
            self.have += 1;
            self.offset = self.offset.saturating_add(1);
            *bytes = rest;
            if let Some((kind, body)) = self.complete_header()? {
                let header = std::mem::take(&mut self.have);
                let offset = self.offset - u64::from(header);
                return Ok(Some(FrameStart { kind, header, body, offset }));
            }
        }
        Ok(None)
    }

    fn complete_header(&self) -> Result<Option<(FrameKind, u32)>, ParseError> {
        let header = &self.header[..usize::from(self.have)];
        match *header {
            [TpktHeader::VERSION] => Ok(None),
            [TpktHeader::VERSION, b, c, d] => {
                let tpkt = TpktHeader::parse(&[TpktHeader::VERSION, b, c, d])?;
                let body = u32::from(tpkt.length) - TpktHeader::SIZE as u32;
                Ok(Some((FrameKind::Tpkt, body)))
            }
            [TpktHeader::VERSION, ..] => Ok(None),
            [first, ..] if self.allow_fast_path && first & 3 == 0 => fast_path(header),
            [a, b, c, d, e] => {
                let record = RecordHeader::parse(&[a, b, c, d, e])?;
                Ok(Some((FrameKind::Tls(record), u32::from(record.length))))
            }
            [0x14..=0x18, ..] => Ok(None),
            _ => Err(ParseError::Malformed { what: "frame header", offset: 0 }),
        }
    }
}

/// A chunk that is one X.224 packet: header, length indicator and TPDU code fit together.
fn is_whole_tpkt(bytes: &[u8]) -> bool {
    let [a, b, c, d, indicator, code, ..] = *bytes else { return false };
    let Ok(header) = TpktHeader::parse(&[a, b, c, d]) else { return false };
    let setup = matches!(code, 0xE0 | 0xD0) && usize::from(indicator) + 5 == bytes.len();
    let data = (indicator, code) == (2, 0xF0);
    usize::from(header.length) == bytes.len() && (setup || data)
}

/// MS-RDPBCGR 2.2.9.1.2: the length counts from the first byte, in one byte or in 15 bits of two.
fn fast_path(header: &[u8]) -> Result<Option<(FrameKind, u32)>, ParseError> {
    let (length, size) = match *header {
        [_, short] if short & 0x80 == 0 => (u32::from(short), 2),
        [_, high, low] => (u32::from(u16::from_be_bytes([high & 0x7F, low])), 3),
        _ => return Ok(None),
    };
    match length.checked_sub(size) {
        Some(body) => Ok(Some((FrameKind::FastPath, body))),
        None => Err(ParseError::Malformed { what: "fast-path length", offset: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(chunks: &[&[u8]]) -> Vec<String> {
        let mut scanner = RecordScanner::default();
        let mut seen = Vec::new();
        for chunk in chunks {
            scanner.scan(chunk, &mut |piece| match piece {
                Piece::Start(start) => seen.push(format!("{}+{}", start.offset, start.body)),
                Piece::End => seen.push("end".into()),
                Piece::Opaque(_) => seen.push("opaque".into()),
                Piece::Body(_) => {}
            });
        }
        seen
    }

    const STREAM: &[u8] =
        &[3, 0, 0, 8, 2, 0xF0, 0x80, 1, 0x16, 3, 1, 0, 2, 9, 9, 0x17, 3, 3, 0, 1, 7];

    #[test]
    fn any_chunking_finds_the_same_frames() {
        let whole = frames(&[STREAM]);
        assert_eq!(whole, ["0+4", "end", "8+2", "end", "15+1", "end"]);
        for cut in 0..STREAM.len() {
            assert_eq!(frames(&[&STREAM[..cut], &STREAM[cut..]]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(frames(&bytes), whole);
    }

    #[test]
    fn what_is_no_frame_is_reported_once() {
        assert_eq!(frames(&[b"HTTP/1.1 400", b" Bad Request"]), ["opaque"]);
    }

    #[test]
    fn skipping_within_a_body_keeps_the_step_and_across_a_header_loses_it() {
        let mut scanner = RecordScanner::default();
        let mut ends = 0;
        scanner.scan(&[0x17, 3, 3, 1, 0], &mut |_| {});
        assert_eq!(scanner.open_frame(), Some((256, 0)));
        scanner.skip(256, &mut |piece| ends += i32::from(piece == Piece::End));
        assert_eq!((ends, scanner.in_step(), scanner.offset()), (1, true, 261));
        scanner.skip(1, &mut |_| {});
        assert!(!scanner.in_step());
        scanner.scan(&[0x17, 3, 3, 0, 1, 0], &mut |piece| ends += i32::from(piece == Piece::End));
        assert_eq!((ends, scanner.in_step()), (2, true));
    }

    #[test]
    fn only_what_stays_within_a_body_is_passed() {
        let (mut passed, mut walked) = (RecordScanner::default(), RecordScanner::default());
        assert!(!passed.pass(1), "no frame has begun");
        for scanner in [&mut passed, &mut walked] {
            scanner.scan(&[0x17, 3, 3, 0, 9, 1], &mut |_| {});
        }
        assert!(passed.pass(7));
        walked.scan(&[1; 7], &mut |_| {});
        assert_eq!(passed.open_frame(), walked.open_frame());
        assert_eq!(passed.offset(), walked.offset());
        // The last byte ends the frame, which somebody has to be told.
        assert!(!passed.pass(1));
        assert_eq!((passed.open_frame(), passed.offset()), (Some((9, 8)), 13));
    }

    #[test]
    fn fast_path_lengths_have_two_sizes() {
        let mut scanner = RecordScanner::default();
        scanner.allow_fast_path();
        let mut bodies = Vec::new();
        scanner.scan(
            &[0x44, 4, 1, 1, 0x00, 0x80, 5, 1, 1, 3, 0, 0, 7, 2, 0xF0, 0x80],
            &mut |piece| {
                if let Piece::Start(start) = piece {
                    bodies.push((start.kind, start.body));
                }
            },
        );
        assert_eq!(
            bodies,
            [(FrameKind::FastPath, 2), (FrameKind::FastPath, 2), (FrameKind::Tpkt, 3)]
        );
    }
}
