//! What one capture holds of a session, kept so that another capture of the same session can be compared
//! with it: the head of each stream, and a ladder of digests over it.
//!
//! Only a session that is made for it keeps one, see [`crate::session::Session::with_transcript`].

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::input::{Direction, Timestamp};
use crate::records::FrameKind;
use crate::wire::tls::ContentType;

/// Bytes kept of each direction.
pub const KEPT: usize = 64 * 1024;
/// Distance of the rungs within what is kept, and behind it.
const STEP: u64 = 256;
const LONG_STEP: u64 = KEPT as u64;
/// Rungs kept of each direction.
const RUNGS: usize = 4096;
/// Nobody calls a shorter silence a pause.
const PAUSE: Duration = Duration::from_secs(2);
/// The latest pauses that are kept.
const PAUSES: usize = 16;

/// Both directions of a session, as one capture delivered them.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    tapes: [Tape; 2],
    latest: Option<Timestamp>,
    pauses: Vec<Pause>,
}

/// A silence of both sides that data ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// How long.
    pub length: Duration,
    /// When data came again.
    pub until: Timestamp,
    /// Which way that data travelled.
    pub dir: Direction,
    /// How many bytes had travelled that way before.
    pub before: u64,
}

/// One direction.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    bytes: Vec<u8>,
    rungs: Vec<Rung>,
    hash: Sha256,
    hashed: u64,
    /// Place where the scanner of frames began: behind a preamble.
    base: u64,
    len: u64,
    known: u64,
    over: bool,
    encrypted: bool,
}

/// One place of the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Place in the stream.
    pub offset: u64,
    /// What ends here; `None` for a rung within a PDU.
    pub pdu: Option<Pdu>,
    /// SHA-256 of all bytes before it.
    pub digest: [u8; 32],
}

/// What a frame holds, by what of it is in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pdu {
    /// X.224 Connection Request.
    ConnectionRequest,
    /// X.224 Connection Confirm.
    ConnectionConfirm,
    /// Another TPKT packet or a fast-path PDU.
    Rdp,
    /// TLS handshake record in clear, by the type of its first message.
    Handshake(u8),
    /// TLS record of another type, or an encrypted handshake record.
    Record(u8),
}

impl Pdu {
    /// Holds nothing but what negotiates: no content of a session.
    pub fn is_negotiation(self) -> bool {
        matches!(self, Pdu::ConnectionRequest | Pdu::ConnectionConfirm | Pdu::Handshake(_))
    }

    /// What a frame's first bytes, header included, say. `encrypted`: its sender changed to ciphers.
    pub fn of(bytes: &[u8], encrypted: bool) -> Pdu {
        /// TPKT header, then the length indicator.
        const TPDU_CODE: usize = 5;
        const RECORD_BODY: usize = 5;
        let code = bytes.get(TPDU_CODE).map(|code| code & 0xF0);
        match (bytes.first().copied().unwrap_or(0), code) {
            (3, Some(0xE0)) => Pdu::ConnectionRequest,
            (3, Some(0xD0)) => Pdu::ConnectionConfirm,
            (22, _) if !encrypted => {
                bytes.get(RECORD_BODY).map_or(Pdu::Record(22), |message| Pdu::Handshake(*message))
            }
            (kind @ 20..=23, _) => Pdu::Record(kind),
            _ => Pdu::Rdp,
        }
    }
}

impl fmt::Display for Pdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pdu::ConnectionRequest => "the X.224 Connection Request",
            Pdu::ConnectionConfirm => "the X.224 Connection Confirm",
            Pdu::Rdp => "an RDP PDU",
            Pdu::Handshake(1) => "the ClientHello",
            Pdu::Handshake(2) => "the ServerHello",
            Pdu::Handshake(11) => "the Certificate message",
            Pdu::Handshake(_) => "a TLS handshake message",
            Pdu::Record(20) => "a ChangeCipherSpec",
            Pdu::Record(21) => "a TLS alert",
            Pdu::Record(_) => "an encrypted TLS record",
        })
    }
}

impl Transcript {
    /// The tape of a direction.
    pub fn tape(&self, dir: Direction) -> &Tape {
        &self.tapes[dir.index()]
    }

    /// The latest silences that data ended, in order.
    pub fn pauses(&self) -> &[Pause] {
        &self.pauses
    }

    /// Takes the next bytes of a stream.
    pub(crate) fn delivered(&mut self, dir: Direction, time: Timestamp, bytes: &[u8]) {
        let length = time.since(self.latest.unwrap_or(time));
        if length >= PAUSE {
            if self.pauses.len() == PAUSES {
                self.pauses.remove(0);
            }
            let before = self.tapes[dir.index()].len;
            self.pauses.push(Pause { length, until: time, dir, before });
        }
        self.latest = Some(time);
        self.tapes[dir.index()].delivered(bytes);
    }

    /// Bytes passed whose content is not there.
    pub(crate) fn skipped(&mut self, dir: Direction, bytes: u64) {
        self.tapes[dir.index()].skipped(bytes);
    }

    /// Bytes are missing: what follows is not in order.
    pub(crate) fn hole(&mut self, dir: Direction) {
        self.tapes[dir.index()].over = true;
    }

    /// Frames begin behind a preamble of this length.
    pub(crate) fn begin(&mut self, dir: Direction, preamble: u64) {
        self.tapes[dir.index()].base = preamble;
    }

    /// A frame ends; `start` and `end` count from where frames began.
    pub(crate) fn frame(&mut self, dir: Direction, kind: FrameKind, start: u64, end: u64) {
        self.tapes[dir.index()].frame(kind, start, end);
    }

    /// Forgets all bytes, and takes no more: both streams count as not known by content.
    pub(crate) fn give_up(&mut self) {
        for tape in &mut self.tapes {
            *tape = Tape { len: tape.len, over: true, ..Tape::default() };
        }
    }

    /// There is no more input.
    pub(crate) fn finish(&mut self) {
        for tape in &mut self.tapes {
            tape.hash_until(tape.known.min(KEPT as u64));
        }
    }
}

impl Tape {
    /// The head of the stream.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The ladder, in order.
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// Bytes that were delivered in order, before the first hole.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Nothing was delivered.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of them are known by content.
    pub fn known(&self) -> u64 {
        self.known
    }

    /// An encrypted TLS record has passed.
    pub fn is_opaque(&self) -> bool {
        let application = Pdu::Record(ContentType::APPLICATION_DATA.0);
        self.rungs.iter().any(|rung| rung.pdu == Some(application))
    }

    /// Where the frame begins that holds a place within the kept bytes, and what it is; `None` in front of the first.
    pub fn frame_at(&self, offset: u64) -> Option<(u64, Pdu)> {
        let ended = |rung: &&Rung| rung.pdu.is_some();
        let before = self.rungs.iter().filter(ended).rfind(|rung| rung.offset <= offset);
        let start = before.map_or(self.base, |rung| rung.offset);
        let end = self.rungs.iter().filter(ended).find(|rung| rung.offset > offset);
        let pdu = end.and_then(|rung| rung.pdu);
        let bytes = self.bytes.get(start as usize..).unwrap_or(&[]);
        let pdu = pdu.unwrap_or_else(|| Pdu::of(bytes, self.encrypted));
        (start <= offset).then_some((start, pdu))
    }

    fn delivered(&mut self, bytes: &[u8]) {
        if self.over {
            return;
        }
        if self.known == self.len {
            let room = KEPT - self.bytes.len();
            self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
            self.known += bytes.len() as u64;
            if bytes.len() > room {
                self.hash_until(KEPT as u64);
                self.hash_behind(&bytes[room..]);
            }
        }
        self.len += bytes.len() as u64;
    }

    fn skipped(&mut self, bytes: u64) {
        if !self.over {
            self.len = self.len.saturating_add(bytes);
        }
    }

    fn frame(&mut self, kind: FrameKind, start: u64, end: u64) {
        let (start, end) = (self.base.saturating_add(start), self.base.saturating_add(end));
        if end > self.bytes.len() as u64 {
            return;
        }
        let pdu = match kind {
            FrameKind::FastPath => Pdu::Rdp,
            _ => Pdu::of(&self.bytes[start as usize..end as usize], self.encrypted),
        };
        self.encrypted |= pdu == Pdu::Record(ContentType::CHANGE_CIPHER_SPEC.0);
        self.hash_until(end);
        match self.rungs.last_mut() {
            // The end of a frame and a step can be one place.
            Some(last) if last.offset == end => last.pdu = Some(pdu),
            _ => self.rung(end, Some(pdu)),
        }
    }

    /// Hashes kept bytes up to a place, with a rung at every step.
    fn hash_until(&mut self, until: u64) {
        while self.hashed < until {
            let step = ((self.hashed / STEP + 1) * STEP).min(until);
            self.hash.update(&self.bytes[self.hashed as usize..step as usize]);
            self.hashed = step;
            if step.is_multiple_of(STEP) {
                self.rung(step, None);
            }
        }
    }

    fn hash_behind(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.rungs.len() < RUNGS {
            let left = (LONG_STEP - self.hashed % LONG_STEP) as usize;
            let (now, rest) = bytes.split_at(left.min(bytes.len()));
            self.hash.update(now);
            self.hashed += now.len() as u64;
            if self.hashed.is_multiple_of(LONG_STEP) {
                self.rung(self.hashed, None);
            }
            bytes = rest;
        }
    }

    fn rung(&mut self, offset: u64, pdu: Option<Pdu>) {
        if self.rungs.len() < RUNGS {
            let digest = self.hash.clone().finalize().into();
            self.rungs.push(Rung { offset, pdu, digest });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MSTSC, SSL, ToClient, ToServer, Trace};

    #[test]
    fn the_ladder_has_a_rung_at_every_pdu_and_every_256_bytes() {
        let trace = Trace::capture().negotiated(MSTSC, SSL).tls13().app(ToClient, 70_000 / 4, 4);
        let session = trace.session_with_transcript();
        let tape = session.transcript().unwrap().tape(ToServer);
        let ends: Vec<(u64, Pdu)> =
            tape.rungs().iter().filter_map(|rung| Some((rung.offset, rung.pdu?))).collect();
        let kinds: Vec<Pdu> = ends.iter().map(|(_, pdu)| *pdu).collect();
        let record = |kind| Pdu::Record(kind);
        assert_eq!(
            kinds,
            [Pdu::ConnectionRequest, Pdu::Handshake(1), record(20), record(23)],
            "{ends:?}"
        );
        assert!(tape.rungs().iter().any(|rung| rung.offset == 256 && rung.pdu.is_none()));
        for rung in tape.rungs() {
            let digest = Sha256::digest(&tape.bytes()[..rung.offset as usize]);
            assert_eq!(rung.digest, <[u8; 32]>::from(digest), "at {}", rung.offset);
        }
        let long = session.transcript().unwrap().tape(ToClient);
        assert_eq!((long.bytes().len(), long.known()), (KEPT, long.len()));
        assert!(long.len() > KEPT as u64 && long.rungs().len() < RUNGS);
    }

    #[test]
    fn behind_a_hole_nothing_is_in_order() {
        let start = || Trace::capture().negotiated(MSTSC, SSL);
        let lost = start().gap(ToServer, Some(10)).client_hello_13().session_with_transcript();
        let whole = start().client_hello_13().session_with_transcript();
        let len =
            |session: &crate::session::Session| session.transcript().unwrap().tape(ToServer).len();
        assert!(len(&lost) < len(&whole));
        assert_eq!(len(&lost), len(&start().session_with_transcript()));
    }

    #[test]
    fn a_frame_that_did_not_end_is_named_by_its_beginning() {
        let trace = Trace::capture().negotiated(MSTSC, SSL).to_server(&[22, 3, 1, 1, 0, 1, 0]);
        let session = trace.session_with_transcript();
        let tape = session.transcript().unwrap().tape(ToServer);
        let (start, pdu) = tape.frame_at(tape.len() - 1).unwrap();
        assert_eq!((pdu, tape.len() - start), (Pdu::Handshake(1), 7));
    }

    #[test]
    fn what_is_no_remote_desktop_is_not_kept() {
        let page = Trace::capture().open().to_server(b"GET / HTTP/1.1\r\n\r\n");
        let session = page.to_client(b"HTTP/1.1 200 OK\r\n\r\n").session_with_transcript();
        let tape = session.transcript().unwrap().tape(ToServer);
        assert_eq!((tape.bytes().len(), tape.known(), tape.len()), (0, 0, 18));
    }

    #[test]
    fn a_session_keeps_none_unless_it_is_made_for_it() {
        assert!(Trace::capture().negotiated(MSTSC, SSL).session().transcript().is_none());
    }
}
