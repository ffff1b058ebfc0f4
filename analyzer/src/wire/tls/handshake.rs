//! Handshake messages: their header, and joining them where they span records.

use super::HandshakeType;
use crate::wire::{Parsed, Reader};

/// Header of a handshake message (RFC 8446 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeHeader {
    /// Which message.
    pub typ: HandshakeType,
    /// Bytes that follow the header; 24 bits on the wire.
    pub length: u32,
}

impl HandshakeHeader {
    /// Length of the header itself.
    pub const SIZE: usize = 4;

    /// The header at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Parsed<HandshakeHeader> {
        let mut reader = Reader::new(bytes);
        Ok(HandshakeHeader {
            typ: HandshakeType(reader.u8("handshake type")?),
            length: reader.u24_be("handshake length")?,
        })
    }
}

/// A handshake message longer than [`HandshakeBuffer::MAX_MESSAGE`], or more messages than were
/// taken out. Encrypted bytes read as a handshake look like this, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("handshake message {typ} announces {length} bytes, more than are kept")]
pub struct HandshakeTooLong {
    /// The message at the front of the buffer.
    pub typ: HandshakeType,
    /// The length it announced.
    pub length: u32,
}

/// Joins the handshake messages of one direction: payloads of handshake records in, whole messages
/// out (RFC 8446 section 5.1: messages may share a record or span several).
///
/// Feed it only what travels in the clear: up to change_cipher_spec, or up to a TLS 1.3 ServerHello.
/// Take the messages after every push with `for (typ, body) in &mut buffer`. After an error it stays
/// silent for good, because the bounds of later messages are lost.
#[derive(Clone, Debug, Default)]
pub struct HandshakeBuffer {
    bytes: Vec<u8>,
    /// Everything before it in `bytes` was taken; it goes with the next push.
    taken: usize,
    failed: Option<HandshakeTooLong>,
}

impl HandshakeBuffer {
    /// The longest message kept. Certificate chains seen in practice stay below a quarter of it.
    pub const MAX_MESSAGE: usize = 64 * 1024;
    // A message, and a record that was pushed while it was not yet complete.
    const MAX_BUFFERED: usize = 2 * Self::MAX_MESSAGE;

    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of memory that it holds.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives memory back that holds no more than what was taken.
    pub fn release(&mut self) {
        if self.taken == self.bytes.len() {
            (self.bytes, self.taken) = (Vec::new(), 0);
        }
    }

    /// Adds the payload of the next handshake record. The error names the message that is too long,
    /// and is returned again for everything that follows it.
    pub fn push(&mut self, payload: &[u8]) -> Result<(), HandshakeTooLong> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let fits = self.bytes.len() + payload.len() <= Self::MAX_BUFFERED;
        if fits {
            self.bytes.extend_from_slice(payload);
        }
        let front = HandshakeHeader::parse(&self.bytes);
        if let Ok(HandshakeHeader { typ, length }) = front
            && (!fits || length as usize > Self::MAX_MESSAGE)
        {
            return self.fail(HandshakeTooLong { typ, length });
        }
        if !fits {
            // Fewer than four bytes were waiting: the payload alone is beyond any record.
            return self.fail(HandshakeTooLong { typ: HandshakeType(0), length: u32::MAX });
        }
        Ok(())
    }

    /// True when the bytes so far end at the end of a message.
    pub fn is_empty(&self) -> bool {
        self.taken == self.bytes.len()
    }

    fn fail(&mut self, error: HandshakeTooLong) -> Result<(), HandshakeTooLong> {
        self.failed = Some(error);
        self.bytes = Vec::new();
        self.taken = 0;
        Err(error)
    }
}

impl Iterator for HandshakeBuffer {
    type Item = (HandshakeType, Vec<u8>);

    /// The next whole message, type and body without the header. `None` means "not yet": a later
    /// push may bring more.
    fn next(&mut self) -> Option<Self::Item> {
        let waiting = self.bytes.get(self.taken..)?;
        let header = HandshakeHeader::parse(waiting).ok()?;
        let body = waiting.get(HandshakeHeader::SIZE..)?.get(..header.length as usize)?.to_vec();
        self.taken += HandshakeHeader::SIZE + body.len();
        Some((header.typ, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: [u8; 11] = [14, 0, 0, 0, 1, 0, 0, 3, 7, 8, 9];

    #[test]
    fn several_messages_in_one_record() {
        let mut buffer = HandshakeBuffer::new();
        buffer.push(&TWO).unwrap();
        assert!(!buffer.is_empty());
        assert_eq!(buffer.next(), Some((HandshakeType::SERVER_HELLO_DONE, vec![])));
        assert_eq!(buffer.next(), Some((HandshakeType::CLIENT_HELLO, vec![7, 8, 9])));
        assert_eq!(buffer.next(), None);
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_message_too_long_is_named_and_ends_it() {
        let mut buffer = HandshakeBuffer::new();
        buffer.push(&[11, 1]).unwrap();
        let error = HandshakeTooLong { typ: HandshakeType::CERTIFICATE, length: 0x10001 };
        assert_eq!(buffer.push(&[0, 1]), Err(error));
        assert_eq!(buffer.push(&[14, 0, 0, 0]), Err(error));
        assert_eq!(buffer.next(), None);
    }

    #[test]
    fn the_longest_message_passes() {
        let mut buffer = HandshakeBuffer::new();
        buffer.push(&[11, 1, 0, 0]).unwrap();
        for _ in 0..4 {
            assert_eq!(buffer.next(), None);
            buffer.push(&[0; 16 * 1024]).unwrap();
        }
        assert_eq!(buffer.next().unwrap().1.len(), HandshakeBuffer::MAX_MESSAGE);
    }

    #[test]
    fn messages_nobody_takes_do_not_pile_up() {
        let mut buffer = HandshakeBuffer::new();
        let pushed = (0..100).take_while(|_| buffer.push(&[0; 4096]).is_ok()).count();
        assert_eq!(pushed, HandshakeBuffer::MAX_BUFFERED / 4096);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_messages(splits in prop::collection::vec(0usize..4, 0..20)) {
            let (mut buffer, mut rest, mut got) = (HandshakeBuffer::new(), &TWO[..], Vec::new());
            for split in splits {
                let (head, tail) = rest.split_at(split.min(rest.len()));
                buffer.push(head).unwrap();
                got.extend(&mut buffer);
                rest = tail;
            }
            buffer.push(rest).unwrap();
            got.extend(&mut buffer);
            prop_assert_eq!(got.len(), 2);
            prop_assert_eq!(&got[1].1, &[7, 8, 9]);
        }

        #[test]
        fn arbitrary_bytes_never_panic(records: Vec<Vec<u8>>) {
            let mut buffer = HandshakeBuffer::new();
            for record in records {
                let _ = buffer.push(&record);
                let _ = buffer.next();
                prop_assert!(buffer.bytes.len() <= HandshakeBuffer::MAX_BUFFERED);
            }
        }
    }
}
