//! One direction of a session in two captures: how far both hold the same, and what differs first.

use std::fmt::Write;

use super::{Held, Side};
use crate::input::{Direction, Leg};
use crate::transcript::{KEPT, Pdu, Tape};

/// One direction in both captures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDiff {
    /// Bytes delivered in order, at the client's side and at the server's.
    pub bytes: [u64; 2],
    /// Bytes that the receiver's TCP acknowledged, as each capture holds it.
    pub acknowledged: [Option<u64>; 2],
    /// Both hold the same up to here.
    pub equal: u64,
    /// The first byte that differs.
    pub differs: Option<Difference>,
    /// A capture lacks bytes that their receiver acknowledged, or their content.
    pub is_blind: bool,
    /// An encrypted record arrived: what follows it shows a filter nothing that it had not let pass.
    pub is_opaque: bool,
}

/// Where two streams part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Place of the first byte that differs; where only digests tell, of the last one known to be equal.
    pub offset: u64,
    /// The PDU it lies in, as sent, and where that begins.
    pub pdu: Option<(Pdu, u64)>,
    /// What each side holds from there on, in hex; empty where it is no one's business.
    pub shown: [String; 2],
}

impl StreamDiff {
    pub(super) fn of(held: [Held<'_>; 2], dir: Direction) -> StreamDiff {
        let tapes = held.map(|held| held.transcript.tape(dir));
        let acknowledged = held.map(|held| {
            let counts = held.facts.tcp.leg(Leg::Single).counts()?;
            counts[dir.index()].acknowledged
        });
        let parted = parted(tapes, dir);
        let common = tapes[0].known().min(tapes[1].known());
        let unknown = tapes.iter().any(|tape| tape.known() < tape.len());
        StreamDiff {
            bytes: tapes.map(Tape::len),
            acknowledged,
            equal: parted.as_ref().map_or(common, |parted| parted.offset),
            differs: parted,
            is_blind: unknown || held.iter().any(|held| capture_lost(*held, dir)),
            is_opaque: tapes[Side::of_sender(dir).other().index()].is_opaque(),
        }
    }

    /// Bytes that left their sender and did not arrive in order, where the rest is the same.
    pub fn missing(&self, dir: Direction) -> u64 {
        let [sent, arrived] = self.sent_and_arrived(dir);
        if self.differs.is_some() || self.is_blind { 0 } else { sent.saturating_sub(arrived) }
    }

    /// Bytes that arrived and that their sender had not sent, behind all that is the same.
    pub fn added(&self, dir: Direction) -> u64 {
        let [sent, arrived] = self.sent_and_arrived(dir);
        if self.differs.is_some() || self.is_blind { 0 } else { arrived.saturating_sub(sent) }
    }

    /// Bytes at the sender's side and at the receiver's.
    pub fn sent_and_arrived(&self, dir: Direction) -> [u64; 2] {
        let sender = Side::of_sender(dir);
        [self.bytes[sender.index()], self.bytes[sender.other().index()]]
    }
}

impl Difference {
    /// The difference as it was measured, sent and arrived.
    pub fn fact(&self, dir: Direction) -> String {
        let mut fact = match self.pdu {
            Some((pdu, start)) => format!(
                "byte {} of {pdu} differs between the two captures (byte {} of the stream)",
                self.offset - start,
                self.offset
            ),
            None => format!("the streams differ behind byte {}", self.offset),
        };
        let sender = Side::of_sender(dir);
        let [sent, arrived] = [sender, sender.other()].map(|side| &self.shown[side.index()]);
        if !sent.is_empty() && !arrived.is_empty() {
            // Writing to a string can not fail.
            let _ = write!(fact, ": {sent} was sent, {arrived} arrived");
        }
        fact
    }
}

/// The receiver acknowledged what the capture does not hold; its FIN counts one.
pub(super) fn capture_lost(held: Held<'_>, dir: Direction) -> bool {
    let Some(counts) = held.facts.tcp.leg(Leg::Single).counts() else { return false };
    let len = held.transcript.tape(dir).len();
    counts[dir.index()].acknowledged.is_some_and(|acknowledged| acknowledged > len + 1)
}

fn parted(tapes: [&Tape; 2], dir: Direction) -> Option<Difference> {
    let [a, b] = tapes;
    let from = last_equal_rung(a, b);
    let kept = a.bytes().len().min(b.bytes().len());
    let start = (from as usize).min(kept);
    let at = a.bytes()[start..kept].iter().zip(&b.bytes()[start..kept]).position(|(a, b)| a != b);
    if let Some(at) = at {
        let offset = (start + at) as u64;
        let sender = tapes[Side::of_sender(dir).index()];
        // What stands in front of the first frame, as a PROXY header, may name somebody: it is not shown.
        let pdu = sender.frame_at(offset).map(|(begin, pdu)| (pdu, begin));
        let shown = tapes.map(|tape| {
            pdu.map_or_else(String::new, |(pdu, begin)| shown(tape, offset, begin, pdu))
        });
        return Some(Difference { offset, pdu, shown });
    }
    let behind = rungs_in_common(a, b).any(|(a, b)| a.offset > KEPT as u64 && a.digest != b.digest);
    behind.then(|| Difference { offset: from, pdu: None, shown: Default::default() })
}

/// Place of the last rung up to which both hold the same.
fn last_equal_rung(a: &Tape, b: &Tape) -> u64 {
    let equal = rungs_in_common(a, b).take_while(|(a, b)| a.digest == b.digest);
    equal.last().map_or(0, |(rung, _)| rung.offset)
}

fn rungs_in_common<'t>(
    a: &'t Tape,
    b: &'t Tape,
) -> impl Iterator<Item = (&'t crate::transcript::Rung, &'t crate::transcript::Rung)> {
    let mut others = b.rungs().iter().peekable();
    a.rungs().iter().filter_map(move |rung| {
        while others.next_if(|other| other.offset < rung.offset).is_some() {}
        let other = others.peek()?;
        (other.offset == rung.offset).then_some((rung, *other))
    })
}

/// At most 32 bytes of a negotiation from a place on, in hex; never a cookie or token, which names a user.
fn shown(tape: &Tape, offset: u64, start: u64, pdu: Pdu) -> String {
    const SHOWN: usize = 32;
    if !pdu.is_negotiation() {
        return String::new();
    }
    let bytes = tape.bytes();
    let end = match pdu {
        Pdu::ConnectionRequest => {
            let request = &bytes[(start as usize).min(bytes.len())..];
            let (from, until) = routing(request);
            match (offset - start) as usize {
                before if before < from => start as usize + from,
                within if within < until => return String::new(),
                _ => bytes.len(),
            }
        }
        _ => bytes.len(),
    };
    // A capture of headers alone may hold less than the fixed part.
    let end = end.min(bytes.len());
    let from = (offset as usize).min(end);
    bytes[from..end.min(from + SHOWN)].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where in a Connection Request cookie or token stand. MS-RDPBCGR 2.2.1.1.
fn routing(request: &[u8]) -> (usize, usize) {
    /// TPKT header and the fixed part of the TPDU.
    const FIXED: usize = 11;
    let variable = request.get(FIXED..).unwrap_or(&[]);
    let negotiates = matches!(variable.first(), Some(1 | 6));
    let end = variable.windows(2).position(|pair| pair == b"\r\n").map(|at| at + 2);
    let routing = if negotiates { 0 } else { end.unwrap_or(variable.len()) };
    (FIXED, FIXED + routing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Span;
    use crate::input::Timestamp;
    use crate::testing::bytes::tpdu;
    use crate::testing::{SSL, ToClient, ToServer, Trace};

    fn between(client: &Trace, server: &Trace, dir: Direction) -> StreamDiff {
        let sessions = [client, server].map(Trace::session_with_transcript);
        let span = Span { first: Timestamp(0), last: Timestamp(u64::MAX) };
        let [a, b] = sessions.each_ref().map(|session| Held {
            facts: session.facts(),
            transcript: session.transcript().unwrap(),
            span,
            both_ways: true,
        });
        StreamDiff::of([a, b], dir)
    }

    fn negotiated() -> Trace {
        Trace::capture().open().cr(SSL).cc(SSL)
    }

    #[test]
    fn the_first_byte_that_differs_is_found_and_its_pdu_named() {
        let hello = |byte: u8| {
            let mut hello =
                crate::wire::tls::samples::bytes(crate::wire::tls::samples::OPENSSL_HELLO);
            hello[300] = byte;
            negotiated().to_server(&hello)
        };
        let diff = between(&hello(1), &hello(2), ToServer).differs.unwrap();
        let (pdu, start) = diff.pdu.unwrap();
        assert_eq!((pdu, diff.offset - start), (Pdu::Handshake(1), 300));
        assert!(diff.shown[0].starts_with("01") && diff.shown[1].starts_with("02"), "{diff:?}");
        assert!(diff.shown.iter().all(|hex| hex.len() <= 64));
        assert!(diff.fact(ToServer).contains("byte 300 of the ClientHello"));
        assert_eq!(between(&hello(1), &hello(1), ToServer).differs, None);
    }

    #[test]
    fn behind_what_is_kept_digests_tell_that_something_differs() {
        let long =
            |byte: u8| negotiated().tls13().app(ToClient, 16_000, 5).to_client(&[byte; 70_000]);
        let diff = between(&long(1), &long(2), ToClient);
        let differs = diff.differs.clone().unwrap();
        assert_eq!((differs.pdu, differs.offset > 0), (None, true));
        assert_eq!(diff.missing(ToClient), 0);
        assert_eq!(between(&long(1), &long(1), ToClient).differs, None);
    }

    #[test]
    fn requests_cut_anywhere_are_compared() {
        let whole = tpdu(0xE0, b"Cookie: mstshash=alice\r\n\x01\0\x08\0\x01\0\0\0");
        for [ours, theirs] in (0..whole.len()).flat_map(|cut| [[cut, 11], [11, cut], [cut, cut]]) {
            let cut = |len: usize, last: u8| {
                let mut kept = whole[..len].to_vec();
                kept.last_mut().into_iter().for_each(|byte| *byte ^= last);
                let trace = Trace::capture().open().to_server(&kept);
                trace.skipped(ToServer, (whole.len() - len) as u64)
            };
            let diff = between(&cut(ours, 0), &cut(theirs, 1), ToServer);
            let differs = theirs > 0 && ours >= theirs;
            assert!(!differs || diff.differs.is_some(), "{ours} {theirs}: {diff:?}");
        }
    }

    #[test]
    fn what_differs_in_front_of_the_first_frame_is_not_shown() {
        let via = |from: &str| {
            let header = format!("PROXY TCP4 {from} 10.0.0.9 50000 3389\r\n");
            Trace::capture().open().to_server(header.as_bytes()).cr(SSL).cc(SSL)
        };
        let diff = between(&via("10.0.0.1"), &via("10.0.0.2"), ToServer).differs.unwrap();
        assert_eq!((diff.pdu, diff.offset), (None, 18), "{diff:?}");
        assert!(diff.shown.iter().all(String::is_empty));
        assert!(diff.fact(ToServer).contains("behind byte 18"), "{}", diff.fact(ToServer));
    }

    #[test]
    fn no_byte_of_a_cookie_or_of_what_is_encrypted_is_shown() {
        let asks = |variable: &[u8]| Trace::capture().open().to_server(&tpdu(0xE0, variable));
        let cookie = |id: &str| asks(format!("Cookie: mstshash={id}\r\n").as_bytes());
        let none = asks(b"\x01\0\x08\0\x01\0\0\0");
        let bare = asks(b"secret without an end");
        for (a, b) in [
            (cookie("alice"), cookie("alicf")),
            (cookie("alice"), cookie("bob")),
            (cookie("alice"), none.clone()),
            (bare, none),
        ] {
            for shown in between(&a, &b, ToServer).differs.unwrap().shown {
                // Nothing but the header before it: 11 bytes.
                assert!(shown.len() <= 22, "{shown}");
            }
        }
        let record = |byte: u8| negotiated().tls13().to_server(&[23, 3, 3, 0, 1, byte]);
        let differs = between(&record(1), &record(2), ToServer).differs.unwrap();
        assert_eq!(differs.shown, [const { String::new() }; 2]);
    }

    #[test]
    fn what_is_missing_and_what_was_added_are_told_apart() {
        let [short, long] = [negotiated(), negotiated().to_server(&[22, 3, 1, 0, 2, 1, 1])];
        let diff = between(&long, &short, ToServer);
        assert_eq!((diff.missing(ToServer), diff.added(ToServer)), (7, 0));
        let diff = between(&short, &long, ToServer);
        assert_eq!((diff.missing(ToServer), diff.added(ToServer)), (0, 7));
    }
}
