//! Alerts: how a peer says why it gives up, as long as they travel in the clear.

use super::values::name_or_hex8;
use crate::wire::{Parsed, Reader};
use std::fmt;

/// An alert that was not encrypted (RFC 8446 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Warning or fatal; means nothing in TLS 1.3.
    pub level: AlertLevel,
    /// What happened.
    pub description: AlertDescription,
}

impl Alert {
    /// The payload of an alert record: exactly two bytes, and a level that exists. An encrypted
    /// alert is longer and so `Malformed`.
    pub fn parse(payload: &[u8]) -> Parsed<Alert> {
        let mut reader = Reader::new(payload);
        let start = reader.clone();
        let level = AlertLevel(reader.u8("alert level")?);
        if level != AlertLevel::WARNING && level != AlertLevel::FATAL {
            return Err(start.malformed("alert level"));
        }
        let description = AlertDescription(reader.u8("alert description")?);
        match reader.is_empty() {
            true => Ok(Alert { level, description }),
            false => Err(reader.malformed("alert length")),
        }
    }

    /// True when the connection ends because of it. RFC 8446 6: the level decides up to TLS 1.2, and
    /// in TLS 1.3 every alert but close_notify and user_canceled ends it; both say the same here.
    pub fn is_fatal(&self) -> bool {
        self.level == AlertLevel::FATAL && !matches!(self.description.0, 0 | 90)
    }

    /// True when its sender is about to end the connection, for whatever reason: it is fatal, close_notify or
    /// user_canceled. RFC 8446 6.1 and 6.2.
    pub fn ends_connection(&self) -> bool {
        self.is_fatal() || matches!(self.description.0, 0 | 90)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.level, self.description)
    }
}

/// Level of an alert (RFC 5246 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertLevel(pub u8);

impl AlertLevel {
    /// The connection may go on.
    pub const WARNING: Self = Self(1);
    /// The connection ends here.
    pub const FATAL: Self = Self(2);

    /// `warning` or `fatal`.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::WARNING => Some("warning"),
            Self::FATAL => Some("fatal"),
            _ => None,
        }
    }
}

impl fmt::Display for AlertLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name_or_hex8(f, self.name(), self.0)
    }
}

/// What an alert says (RFC 8446 section 6, RFC 5246 section 7.2, RFC 6066 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertDescription(pub u8);

impl AlertDescription {
    /// An orderly end.
    pub const CLOSE_NOTIFY: Self = Self(0);
    /// No common suite or parameter.
    pub const HANDSHAKE_FAILURE: Self = Self(40);
    /// No common version.
    pub const PROTOCOL_VERSION: Self = Self(70);
    /// The peer failed for reasons of its own.
    pub const INTERNAL_ERROR: Self = Self(80);

    /// Name in the specifications.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "close_notify",
            10 => "unexpected_message",
            20 => "bad_record_mac",
            21 => "decryption_failed",
            22 => "record_overflow",
            30 => "decompression_failure",
            40 => "handshake_failure",
            41 => "no_certificate",
            42 => "bad_certificate",
            43 => "unsupported_certificate",
            44 => "certificate_revoked",
            45 => "certificate_expired",
            46 => "certificate_unknown",
            47 => "illegal_parameter",
            48 => "unknown_ca",
            49 => "access_denied",
            50 => "decode_error",
            51 => "decrypt_error",
            60 => "export_restriction",
            70 => "protocol_version",
            71 => "insufficient_security",
            80 => "internal_error",
            86 => "inappropriate_fallback",
            90 => "user_canceled",
            100 => "no_renegotiation",
            109 => "missing_extension",
            110 => "unsupported_extension",
            111 => "certificate_unobtainable",
            112 => "unrecognized_name",
            113 => "bad_certificate_status_response",
            114 => "bad_certificate_hash_value",
            115 => "unknown_psk_identity",
            116 => "certificate_required",
            120 => "no_application_protocol",
            121 => "ech_required",
            _ => return None,
        })
    }
}

impl fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name_or_hex8(f, self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fatal_handshake_failure() {
        let alert = Alert::parse(&[2, 40]).unwrap();
        assert_eq!(alert.level, AlertLevel::FATAL);
        assert_eq!(alert.description, AlertDescription::HANDSHAKE_FAILURE);
        assert_eq!(alert.to_string(), "fatal handshake_failure");
        assert_eq!(Alert::parse(&[1, 200]).unwrap().to_string(), "warning 0xc8");
    }

    #[test]
    fn only_two_bytes_are_an_alert() {
        assert!(Alert::parse(&[]).unwrap_err().is_incomplete());
        assert!(Alert::parse(&[2]).unwrap_err().is_incomplete());
        assert!(!Alert::parse(&[2, 40, 0]).unwrap_err().is_incomplete());
        assert!(!Alert::parse(&[0, 40]).unwrap_err().is_incomplete());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            prop_assert!(Alert::parse(&bytes).is_err() || bytes.len() == 2);
        }
    }
}
