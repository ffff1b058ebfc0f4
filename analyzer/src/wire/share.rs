//! Share headers, as far as the one PDU goes that tells why a session ends. MS-RDPBCGR 2.2.8.1.1.1, 2.2.5.1.1.

use super::{ParseError, Parsed, Reader};

/// Set Error Info PDU: the server's reason, `ERRINFO_…`, before it ends a session. MS-RDPBCGR 2.2.5.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetErrorInfo(pub u32);

impl SetErrorInfo {
    /// Bytes of the PDU: Share Control and Share Data header and `errorInfo`.
    pub const SIZE: usize = 22;

    /// Reads user data of the I/O channel that no security header precedes, to its end.
    ///
    /// Every field that has one value is compared: ciphertext must not be taken for a reason.
    pub fn parse(reader: &mut Reader<'_>) -> Parsed<SetErrorInfo> {
        /// PDUTYPE_DATAPDU with the version bits of TS_PROTOCOL_VERSION.
        const DATA: u16 = 0x17;
        const SET_ERROR_INFO: u8 = 0x2F;
        let offset = reader.offset();
        let length = reader.u16_le("share totalLength")?;
        let pdu_type = reader.u16_le("share pduType")?;
        reader.u16_le("share pduSource")?;
        if usize::from(length) != Self::SIZE || pdu_type != DATA {
            return Err(ParseError::Malformed { what: "Set Error Info", offset });
        }
        reader.u32_le("share shareId")?;
        reader.take(2, "share padding and streamId")?;
        reader.u16_le("share uncompressedLength")?;
        let pdu_type2 = reader.u8("share pduType2")?;
        let compressed = reader.u8("share compressedType")?;
        let compressed_length = reader.u16_le("share compressedLength")?;
        if (pdu_type2, compressed, compressed_length) != (SET_ERROR_INFO, 0, 0) {
            return Err(ParseError::Malformed { what: "Set Error Info", offset });
        }
        let reason = SetErrorInfo(reader.u32_le("errorInfo")?);
        if !reader.is_empty() {
            return Err(reader.malformed("Set Error Info"));
        }
        Ok(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test vector, from the share header on: the server denied the connection.
    const DENIED: [u8; 22] =
        [0x16, 0, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 0, 0x2F, 0, 0, 0, 7, 0, 0, 0];

    fn parse(bytes: &[u8]) -> Parsed<SetErrorInfo> {
        SetErrorInfo::parse(&mut Reader::new(bytes))
    }

    #[test]
    fn the_servers_reason_is_read() {
        assert_eq!(parse(&DENIED), Ok(SetErrorInfo(7)));
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        for (at, byte) in [(0, 8), (2, 0x27), (14, 0x26), (15, 0x21), (16, 4)] {
            let mut other = DENIED;
            other[at] = byte;
            assert!(!parse(&other).unwrap_err().is_incomplete(), "{at}");
        }
        assert!(!parse(&[&DENIED[..], &[0]].concat()).unwrap_err().is_incomplete());
        assert!(parse(&DENIED[..21]).unwrap_err().is_incomplete());
    }
}
