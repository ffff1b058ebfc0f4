//! MCS Send Data Request and Indication: what carries everything behind the channels' joins. T.125 7,
//! MS-RDPBCGR 2.2.8.1.1.1.

use super::licensing::LicensingPdu;
use super::share::SetErrorInfo;
use super::{ParseError, Parsed, Reader};

/// A Send Data PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendData<'a> {
    /// MCS user id of the sender.
    pub initiator: u16,
    /// MCS channel: normally 1003 for the I/O channel.
    pub channel: u16,
    /// How many bytes of user data the PDU has.
    pub length: u16,
    /// The user data; shorter than `length` where the PDU was cut.
    pub data: &'a [u8],
}

/// What user data tells of the session's fate, where nothing encrypts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A licensing PDU: in clear under standard RDP security.
    Licensing(LicensingPdu),
    /// Set Error Info: in clear under standard RDP security without encryption.
    ErrorInfo(SetErrorInfo),
}

impl<'a> SendData<'a> {
    /// Bytes of a PDU that are enough for [`SendData::statement`].
    pub const STATEMENT: usize = 48;

    /// Reads from the first byte of the domain PDU, `64` or `68` in hex, of what may be cut behind its header.
    pub fn parse(reader: &mut Reader<'a>) -> Parsed<SendData<'a>> {
        /// PER leaves the lowest user id out.
        const USER_BASE: u16 = 1001;
        let offset = reader.offset();
        if !matches!(reader.u8("MCS choice")? >> 2, 25 | 26) {
            return Err(ParseError::Malformed { what: "MCS Send Data", offset });
        }
        let offset = reader.offset();
        let initiator = reader.u16_be("MCS initiator")?.checked_add(USER_BASE);
        let initiator = initiator.ok_or(ParseError::Malformed { what: "MCS initiator", offset })?;
        let channel = reader.u16_be("MCS channel")?;
        reader.u8("MCS priority and segmentation")?;
        let length = match reader.u8("MCS data length")? {
            short @ 0..=0x7F => u16::from(short),
            // Two bytes, 14 bits. What is longer comes in fragments, and RDP uses none.
            high @ 0x80..=0xBF => {
                u16::from(high & 0x3F) << 8 | u16::from(reader.u8("MCS data length")?)
            }
            _ => {
                let offset = reader.offset() - 1;
                return Err(ParseError::Malformed { what: "MCS data length", offset });
            }
        };
        let data = reader.take(reader.left().min(usize::from(length)), "MCS data")?;
        Ok(SendData { initiator, channel, length, data })
    }

    /// What the PDU states, if it is one of those that tell why a session ends.
    pub fn statement(&self) -> Option<Statement> {
        let licensing = LicensingPdu::parse(&mut Reader::new(self.data), self.length);
        licensing.map(Statement::Licensing).ok().or_else(|| {
            // That one is short: where its end is not here it is another.
            let whole = self.data.len() == usize::from(self.length);
            let info = whole.then(|| SetErrorInfo::parse(&mut Reader::new(self.data)))?;
            info.map(Statement::ErrorInfo).ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_and_a_long_length_are_read() {
        let short = [0x68, 0, 1, 3, 0xEB, 0x70, 3, 1, 2, 3];
        let read = SendData::parse(&mut Reader::new(&short)).unwrap();
        assert_eq!(read, SendData { initiator: 1002, channel: 1003, length: 3, data: &[1, 2, 3] });
        let cut = [0x64, 0, 6, 3, 0xEB, 0x70, 0x81, 0x2C, 9];
        let read = SendData::parse(&mut Reader::new(&cut)).unwrap();
        assert_eq!(read, SendData { initiator: 1007, channel: 1003, length: 300, data: &[9] });
    }

    #[test]
    fn statements_are_told_from_ciphertext() {
        let statement = |data: &[u8]| {
            let length = u8::try_from(data.len()).unwrap();
            let pdu = [&[0x68, 0, 1, 3, 0xEB, 0x70, length], data].concat();
            SendData::parse(&mut Reader::new(&pdu)).unwrap().statement()
        };
        // Test vector: the server denied the connection.
        let denied = [0x16, 0, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 0, 0x2F, 0, 0, 0, 7, 0, 0, 0];
        assert_eq!(statement(&denied), Some(Statement::ErrorInfo(SetErrorInfo(7))));
        // The first 22 of 112 bytes.
        let cut = [&[0x68, 0, 1, 3, 0xEB, 0x70, 112][..], &denied].concat();
        assert_eq!(SendData::parse(&mut Reader::new(&cut)).unwrap().statement(), None);
        let request = [0x80, 0, 0, 0, 1, 3, 8, 0, 1, 2, 3, 4];
        let licensing = Statement::Licensing(LicensingPdu::Message(1));
        assert_eq!(statement(&request), Some(licensing));
        // SEC_ENCRYPT, a MAC, ciphertext.
        assert_eq!(statement(&[8, 0, 0, 0, 0x57, 0x33, 0xEC, 0xE2, 0xB8, 0x7C, 0x1F, 0xDB]), None);
    }

    #[test]
    fn what_is_none_is_refused() {
        for bytes in [
            &[0x2E, 0, 0, 6][..],
            &[0x68, 0xFF, 0xFF, 3, 0xEB, 0x70, 0],
            &[0x68, 0, 1, 3, 0xEB, 0x70, 0xC1],
        ] {
            let error = SendData::parse(&mut Reader::new(bytes)).unwrap_err();
            assert!(!error.is_incomplete(), "{error}");
        }
        let error = SendData::parse(&mut Reader::new(&[0x68, 0, 1, 3])).unwrap_err();
        assert!(error.is_incomplete(), "{error}");
    }
}
