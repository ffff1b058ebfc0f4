//! The numbers of TLS as types. Any value survives: what has no name here prints as hex.

use std::fmt;

/// True for the values a client sends only to see that servers ignore them
/// (0x0a0a, 0x1a1a, .. 0xfafa; RFC 8701 section 2).
pub fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// A protocol version as on the wire (RFC 8446 section 4.1.2, 4.2.1). Prints as `1.2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// SSL 3.0 (RFC 6101).
    pub const SSL3: Self = Self(0x0300);
    /// TLS 1.0 (RFC 2246).
    pub const TLS1_0: Self = Self(0x0301);
    /// TLS 1.1 (RFC 4346).
    pub const TLS1_1: Self = Self(0x0302);
    /// TLS 1.2 (RFC 5246).
    pub const TLS1_2: Self = Self(0x0303);
    /// TLS 1.3 (RFC 8446).
    pub const TLS1_3: Self = Self(0x0304);

    /// `1.2` and so on; nothing for a value no specification gave a meaning.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::SSL3 => "SSL 3.0",
            Self::TLS1_0 => "1.0",
            Self::TLS1_1 => "1.1",
            Self::TLS1_2 => "1.2",
            Self::TLS1_3 => "1.3",
            _ => return None,
        })
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name_or_hex16(f, self.name(), self.0)
    }
}

/// What a record carries (RFC 8446 section 5.1, RFC 6520).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentType(pub u8);

impl ContentType {
    /// From here on the sender encrypts; in TLS 1.3 it means nothing.
    pub const CHANGE_CIPHER_SPEC: Self = Self(20);
    /// An alert, or in TLS 1.2 an encrypted one.
    pub const ALERT: Self = Self(21);
    /// Handshake messages, encrypted ones too up to TLS 1.2.
    pub const HANDSHAKE: Self = Self(22);
    /// Application data; in TLS 1.3 everything that is encrypted.
    pub const APPLICATION_DATA: Self = Self(23);
    /// The heartbeat extension.
    pub const HEARTBEAT: Self = Self(24);

    /// Name in RFC 8446 section 5.1 and RFC 6520 section 3.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::CHANGE_CIPHER_SPEC => "change_cipher_spec",
            Self::ALERT => "alert",
            Self::HANDSHAKE => "handshake",
            Self::APPLICATION_DATA => "application_data",
            Self::HEARTBEAT => "heartbeat",
            _ => return None,
        })
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name_or_hex8(f, self.name(), self.0)
    }
}

/// Type of a handshake message (RFC 8446 section 4, RFC 5246 section 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandshakeType(pub u8);

impl HandshakeType {
    /// The server asks for a renegotiation (up to TLS 1.2).
    pub const HELLO_REQUEST: Self = Self(0);
    /// The client's offer.
    pub const CLIENT_HELLO: Self = Self(1);
    /// The server's choice.
    pub const SERVER_HELLO: Self = Self(2);
    /// A session ticket.
    pub const NEW_SESSION_TICKET: Self = Self(4);
    /// A certificate chain.
    pub const CERTIFICATE: Self = Self(11);
    /// The server's key exchange values (up to TLS 1.2).
    pub const SERVER_KEY_EXCHANGE: Self = Self(12);
    /// The server wants a certificate from the client.
    pub const CERTIFICATE_REQUEST: Self = Self(13);
    /// End of the server's first flight (up to TLS 1.2).
    pub const SERVER_HELLO_DONE: Self = Self(14);
    /// Proof that the sender holds its certificate's key.
    pub const CERTIFICATE_VERIFY: Self = Self(15);
    /// The client's key exchange values (up to TLS 1.2).
    pub const CLIENT_KEY_EXCHANGE: Self = Self(16);
    /// The digest of the handshake; never seen in the clear.
    pub const FINISHED: Self = Self(20);
    /// A stapled OCSP answer (RFC 6066 section 8).
    pub const CERTIFICATE_STATUS: Self = Self(22);

    /// Name in the IANA registry of handshake types.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::HELLO_REQUEST => "hello_request",
            Self::CLIENT_HELLO => "client_hello",
            Self::SERVER_HELLO => "server_hello",
            Self::NEW_SESSION_TICKET => "new_session_ticket",
            Self::CERTIFICATE => "certificate",
            Self::SERVER_KEY_EXCHANGE => "server_key_exchange",
            Self::CERTIFICATE_REQUEST => "certificate_request",
            Self::SERVER_HELLO_DONE => "server_hello_done",
            Self::CERTIFICATE_VERIFY => "certificate_verify",
            Self::CLIENT_KEY_EXCHANGE => "client_key_exchange",
            Self::FINISHED => "finished",
            Self::CERTIFICATE_STATUS => "certificate_status",
            _ => return None,
        })
    }
}

impl fmt::Display for HandshakeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name_or_hex8(f, self.name(), self.0)
    }
}

/// A cipher suite (RFC 8446 appendix B.4 and the IANA registry). Prints as hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CipherSuite(pub u16);

impl CipherSuite {
    /// Not a suite: the client can do secure renegotiation (RFC 5746 section 3.3).
    pub const EMPTY_RENEGOTIATION_INFO_SCSV: Self = Self(0x00ff);
    /// Not a suite: the client tried a higher version before (RFC 7507).
    pub const FALLBACK_SCSV: Self = Self(0x5600);
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name_or_hex16(f, None, self.0)
    }
}

/// A group for the key exchange (RFC 8446 section 4.2.7, RFC 8422 section 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedGroup(pub u16);

impl NamedGroup {
    /// Name in the IANA registry of supported groups.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x0017 => "secp256r1",
            0x0018 => "secp384r1",
            0x0019 => "secp521r1",
            0x001d => "x25519",
            0x001e => "x448",
            0x0100 => "ffdhe2048",
            0x0101 => "ffdhe3072",
            0x0102 => "ffdhe4096",
            0x0103 => "ffdhe6144",
            0x0104 => "ffdhe8192",
            0x11eb => "SecP256r1MLKEM768",
            0x11ec => "X25519MLKEM768",
            0x11ed => "SecP384r1MLKEM1024",
            _ => return None,
        })
    }
}

impl fmt::Display for NamedGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name_or_hex16(f, self.name(), self.0)
    }
}

/// A signature scheme (RFC 8446 section 4.2.3); in TLS 1.2 a pair of hash and algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignatureScheme(pub u16);

impl SignatureScheme {
    /// Name in RFC 8446 section 4.2.3.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x0201 => "rsa_pkcs1_sha1",
            0x0203 => "ecdsa_sha1",
            0x0401 => "rsa_pkcs1_sha256",
            0x0403 => "ecdsa_secp256r1_sha256",
            0x0501 => "rsa_pkcs1_sha384",
            0x0503 => "ecdsa_secp384r1_sha384",
            0x0601 => "rsa_pkcs1_sha512",
            0x0603 => "ecdsa_secp521r1_sha512",
            0x0804 => "rsa_pss_rsae_sha256",
            0x0805 => "rsa_pss_rsae_sha384",
            0x0806 => "rsa_pss_rsae_sha512",
            0x0807 => "ed25519",
            0x0808 => "ed448",
            0x0809 => "rsa_pss_pss_sha256",
            0x080a => "rsa_pss_pss_sha384",
            0x080b => "rsa_pss_pss_sha512",
            _ => return None,
        })
    }
}

impl fmt::Display for SignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name_or_hex16(f, self.name(), self.0)
    }
}

/// Type of a hello extension (RFC 8446 section 4.2 and the IANA registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtensionType(pub u16);

impl ExtensionType {
    /// The name the client wants to reach (RFC 6066 section 3).
    pub const SERVER_NAME: Self = Self(0);
    /// Groups for the key exchange (RFC 8446 section 4.2.7).
    pub const SUPPORTED_GROUPS: Self = Self(10);
    /// Accepted signatures (RFC 8446 section 4.2.3).
    pub const SIGNATURE_ALGORITHMS: Self = Self(13);
    /// Application protocols (RFC 7301).
    pub const ALPN: Self = Self(16);
    /// Versions, the way TLS 1.3 offers and chooses them (RFC 8446 section 4.2.1).
    pub const SUPPORTED_VERSIONS: Self = Self(43);
    /// Key exchange values (RFC 8446 section 4.2.8).
    pub const KEY_SHARE: Self = Self(51);

    /// Name in the IANA registry of extension types.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "server_name",
            5 => "status_request",
            10 => "supported_groups",
            11 => "ec_point_formats",
            13 => "signature_algorithms",
            16 => "application_layer_protocol_negotiation",
            18 => "signed_certificate_timestamp",
            21 => "padding",
            22 => "encrypt_then_mac",
            23 => "extended_master_secret",
            35 => "session_ticket",
            41 => "pre_shared_key",
            42 => "early_data",
            43 => "supported_versions",
            44 => "cookie",
            45 => "psk_key_exchange_modes",
            49 => "post_handshake_auth",
            50 => "signature_algorithms_cert",
            51 => "key_share",
            0xff01 => "renegotiation_info",
            _ => return None,
        })
    }
}

impl fmt::Display for ExtensionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        name_or_hex16(f, self.name(), self.0)
    }
}

pub(super) fn name_or_hex8(
    f: &mut fmt::Formatter<'_>,
    name: Option<&str>,
    value: u8,
) -> fmt::Result {
    match name {
        Some(name) => f.write_str(name),
        None => write!(f, "0x{value:02x}"),
    }
}

fn name_or_hex16(f: &mut fmt::Formatter<'_>, name: Option<&str>, value: u16) -> fmt::Result {
    match name {
        Some(name) => f.write_str(name),
        None => write!(f, "0x{value:04x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_values_are_grease() {
        let found: Vec<u16> = (0..=u16::MAX).filter(|value| is_grease(*value)).collect();
        assert_eq!(found.len(), 16);
        assert_eq!((found[0], found[15]), (0x0a0a, 0xfafa));
    }

    #[test]
    fn values_print_as_name_or_hex() {
        assert_eq!(ProtocolVersion::TLS1_3.to_string(), "1.3");
        assert_eq!(ProtocolVersion::SSL3.to_string(), "SSL 3.0");
        assert_eq!(ProtocolVersion(0x7f1c).to_string(), "0x7f1c");
        assert_eq!(CipherSuite(0xc030).to_string(), "0xc030");
        assert_eq!(ContentType::ALERT.to_string(), "alert");
        assert_eq!(ContentType(0x80).to_string(), "0x80");
        assert_eq!(HandshakeType::CERTIFICATE.to_string(), "certificate");
        assert_eq!(NamedGroup(0x001d).to_string(), "x25519");
        assert_eq!(SignatureScheme(0x0804).to_string(), "rsa_pss_rsae_sha256");
        assert_eq!(ExtensionType::KEY_SHARE.to_string(), "key_share");
        assert_eq!(ExtensionType(0x4469).to_string(), "0x4469");
    }
}
