//! TPKT, the framing of every RDP slow-path PDU. RFC 1006 6, MS-RDPBCGR 2.2.1.1.

use super::{ParseError, Parsed};

/// A TPKT header: version 3, a reserved byte, and the length of the whole packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TpktHeader {
    /// Length in bytes, these four included; 7 at least.
    pub length: u16,
}

impl TpktHeader {
    /// Bytes of the header.
    pub const SIZE: usize = 4;
    /// The version, first byte of every TPKT packet.
    pub const VERSION: u8 = 3;

    /// Reads a header. Malformed when the version is not 3 or the length can hold no TPDU.
    pub fn parse(bytes: &[u8; 4]) -> Parsed<TpktHeader> {
        let [version, reserved, high, low] = *bytes;
        if version != Self::VERSION || reserved != 0 {
            return Err(ParseError::Malformed { what: "TPKT version", offset: 0 });
        }
        let length = u16::from_be_bytes([high, low]);
        if length < 7 {
            return Err(ParseError::Malformed { what: "TPKT length", offset: 2 });
        }
        Ok(TpktHeader { length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_holds_no_tpdu_is_damage() {
        assert_eq!(TpktHeader::parse(&[3, 0, 0, 19]), Ok(TpktHeader { length: 19 }));
        assert!(TpktHeader::parse(&[3, 0, 0, 6]).is_err());
        assert!(TpktHeader::parse(b"HTTP").is_err());
    }
}
