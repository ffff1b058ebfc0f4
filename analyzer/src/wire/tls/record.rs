//! The five bytes in front of every TLS record.

use super::{ContentType, ProtocolVersion};
use crate::wire::{ParseError, Parsed, Reader};

/// Header of a TLS record (RFC 8446 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the record carries.
    pub content_type: ContentType,
    /// Version field of the record layer; a compatibility value, not what was negotiated.
    pub version: ProtocolVersion,
    /// Bytes that follow the header.
    pub length: u16,
}

impl RecordHeader {
    /// Length of the header itself.
    pub const SIZE: usize = 5;
    /// The longest record of any version: 2^14 bytes and what encryption may add
    /// (RFC 5246 section 6.2.3; TLS 1.3 allows less).
    pub const MAX_LENGTH: u16 = (1 << 14) + 2048;

    /// The header at the start of `bytes`. Content type and major version are judged as soon as
    /// they are there, so that the first byte of another protocol is already `Malformed`.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Parsed<RecordHeader> {
        let mut reader = Reader::new(bytes);
        let content_type = reader.u8("TLS content type")?;
        if !(20..=24).contains(&content_type) {
            return Err(ParseError::Malformed { what: "TLS content type", offset: 0 });
        }
        let major = reader.u8("TLS record version")?;
        if major != 3 {
            return Err(ParseError::Malformed { what: "TLS record version", offset: 1 });
        }
        let minor = reader.u8("TLS record version")?;
        let length = reader.u16_be("TLS record length")?;
        if length > Self::MAX_LENGTH {
            return Err(ParseError::Malformed { what: "TLS record length", offset: 3 });
        }
        Ok(RecordHeader {
            content_type: ContentType(content_type),
            version: ProtocolVersion(u16::from_be_bytes([major, minor])),
            length,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_header_of_a_client_hello() {
        let header = RecordHeader::parse(&[22, 3, 1, 1, 0x4e, 1, 0]).unwrap();
        assert_eq!(header.content_type, ContentType::HANDSHAKE);
        assert_eq!(header.version, ProtocolVersion::TLS1_0);
        assert_eq!(header.length, 0x14e);
    }

    #[test]
    fn a_short_header_waits() {
        for end in 0..RecordHeader::SIZE {
            assert!(RecordHeader::parse(&[24, 3, 3, 0, 0][..end]).unwrap_err().is_incomplete());
        }
    }

    #[test]
    fn other_protocols_are_refused_at_the_field_that_shows_it() {
        let refused = |bytes: &[u8], offset| {
            let error = RecordHeader::parse(bytes).unwrap_err();
            assert!(matches!(error, ParseError::Malformed { offset: at, .. } if at == offset));
        };
        refused(&[3], 0); // TPKT
        refused(&[25], 0);
        refused(&[19], 0);
        refused(&[22, 0xfe], 1); // DTLS
        refused(&[22, 3, 3, 0x48, 0x01], 3);
        assert_eq!(RecordHeader::parse(&[23, 3, 3, 0x48, 0]).unwrap().length, 18432);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            if let Ok(header) = RecordHeader::parse(&bytes) {
                prop_assert!(bytes.len() >= RecordHeader::SIZE);
                prop_assert!(header.length <= RecordHeader::MAX_LENGTH);
            }
        }
    }
}
