//! Licensing PDUs, which open with a security header whatever protects the connection. MS-RDPBCGR 2.2.1.12,
//! MS-RDPELE 2.2.2.

use super::{Parsed, Reader};

/// A licensing PDU: its message, and of an error alert what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicensingPdu {
    /// Licensing Error Message. MS-RDPBCGR 2.2.1.12.1.3.
    ErrorAlert {
        /// `dwErrorCode`.
        code: LicensingError,
        /// `dwStateTransition`: 1 total abort, 2 no transition, 3 start again, 4 resend.
        transition: u32,
    },
    /// Another message by its `bMsgType`: 1 licence request, 2 platform challenge, 3 new licence, ...
    Message(u8),
    /// A message that is encrypted.
    Encrypted,
}

/// `dwErrorCode` of a licensing error message. MS-RDPBCGR 2.2.1.12.1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LicensingError(pub u32);

impl LicensingError {
    /// `STATUS_VALID_CLIENT`: no error, the client needs no licence.
    pub const STATUS_VALID_CLIENT: LicensingError = LicensingError(7);

    /// The name the specification gives it; `None` for a value that it does not know.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "ERR_INVALID_SERVER_CERTIFICATE",
            2 => "ERR_NO_LICENSE",
            3 => "ERR_INVALID_MAC",
            4 => "ERR_INVALID_SCOPE",
            6 => "ERR_NO_LICENSE_SERVER",
            7 => "STATUS_VALID_CLIENT",
            8 => "ERR_INVALID_CLIENT",
            0xB => "ERR_INVALID_PRODUCTID",
            0xC => "ERR_INVALID_MESSAGE_LENGTH",
            _ => return None,
        })
    }
}

impl LicensingPdu {
    /// `SEC_ENCRYPT` of the basic security header. MS-RDPBCGR 2.2.8.1.1.2.1.
    const ENCRYPT: u16 = 0x0008;
    /// `SEC_LICENSE_PKT`.
    const LICENSE: u16 = 0x0080;
    /// That, `SEC_ENCRYPT`, and `SEC_LICENSE_ENCRYPT_CS` or `_SC`, which have one value.
    const MAY_STAND_BESIDE: u16 = Self::LICENSE | Self::ENCRYPT | 0x0200;

    /// Reads user data of the I/O channel, from its security header on; `length` is the bytes of all of it,
    /// of which the end may be cut.
    ///
    /// Malformed when it is no licensing PDU. `flagsHi` may be anything, xrdp leaves a length there; the size
    /// and the type are compared, for a share header can begin with the same two bytes.
    pub fn parse(reader: &mut Reader<'_>, length: u16) -> Parsed<LicensingPdu> {
        const HEADER: u16 = 4;
        let malformed = reader.malformed("licensing PDU");
        let flags = reader.u16_le("security header flags")?;
        reader.u16_le("security header flagsHi")?;
        if flags & Self::LICENSE == 0 || flags & !Self::MAY_STAND_BESIDE != 0 {
            return Err(malformed);
        }
        if flags & Self::ENCRYPT != 0 {
            return Ok(LicensingPdu::Encrypted);
        }
        let message = reader.u8("licensing bMsgType")?;
        reader.u8("licensing preamble flags")?;
        let size = reader.u16_le("licensing wMsgSize")?;
        if size.checked_add(HEADER) != Some(length) {
            return Err(malformed);
        }
        match message {
            0xFF => {
                let code = LicensingError(reader.u32_le("licensing dwErrorCode")?);
                let transition = reader.u32_le("licensing dwStateTransition")?;
                Ok(LicensingPdu::ErrorAlert { code, transition })
            }
            1..=4 | 0x12 | 0x13 | 0x15 => Ok(LicensingPdu::Message(message)),
            _ => Err(malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8], length: u16) -> Parsed<LicensingPdu> {
        LicensingPdu::parse(&mut Reader::new(bytes), length)
    }

    /// Test vector: the answer of a server that asks for no licence.
    const VALID_CLIENT: [u8; 20] =
        [0x80, 0, 0, 0, 0xFF, 3, 0x10, 0, 7, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0];

    #[test]
    fn a_valid_client_is_no_error() {
        let code = LicensingError::STATUS_VALID_CLIENT;
        let valid = LicensingPdu::ErrorAlert { code, transition: 2 };
        assert_eq!(parse(&VALID_CLIENT, 20), Ok(valid));
        assert_eq!(code.name(), Some("STATUS_VALID_CLIENT"));
        assert_eq!(LicensingError(5).name(), None);
        // As xrdp 0.9.21.1 writes it.
        let xrdp = [0x80, 0, 0x10, 0, 0xFF, 2, 0x10, 0, 7, 0, 0, 0, 2, 0, 0, 0, 0x28, 0x14, 0, 0];
        assert_eq!(parse(&xrdp, 20), Ok(valid));
    }

    #[test]
    fn other_messages_are_told_by_their_type() {
        // xrdp 0.9.21.1's licence request, of which 8 bytes were kept.
        assert_eq!(parse(&[0x80, 0, 0x3E, 1, 1, 2, 0x3E, 1], 0x142), Ok(LicensingPdu::Message(1)));
        assert_eq!(parse(&[0x88, 0, 0, 0, 0x77, 0x31], 6), Ok(LicensingPdu::Encrypted));
    }

    #[test]
    fn a_share_pdu_and_a_cut_one_are_refused() {
        // Share headers of 22 and of 128 bytes.
        assert!(!parse(&[0x16, 0, 0x17, 0, 0, 0], 22).unwrap_err().is_incomplete());
        let share = [0x80, 0, 0x17, 0, 1, 3, 0, 0];
        assert!(!parse(&share, 128).unwrap_err().is_incomplete());
        assert!(parse(&VALID_CLIENT[..14], 20).unwrap_err().is_incomplete());
    }
}
