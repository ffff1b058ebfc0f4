//! The server's choice.

use super::extensions::extensions;
use super::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion};
use crate::wire::{Parsed, Reader, complete};

/// A ServerHello or HelloRetryRequest (RFC 8446 section 4.1.3 and 4.1.4, RFC 5246 section 7.4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The negotiated version up to TLS 1.2; 1.2 in TLS 1.3.
    pub legacy_version: ProtocolVersion,
    /// The server's random.
    pub random: [u8; 32],
    /// Length of the session id.
    pub session_id_len: u8,
    /// The chosen suite.
    pub cipher_suite: CipherSuite,
    /// The chosen compression method; 0 is "none".
    pub compression: u8,
    /// Types of all extensions in their order.
    pub extensions: Vec<ExtensionType>,
    /// Content of supported_versions: TLS 1.3 when there.
    pub selected_version: Option<ProtocolVersion>,
    /// Group of key_share: the one used, or the one a HelloRetryRequest asks for.
    pub key_share_group: Option<NamedGroup>,
    /// Length of the message without its header.
    pub size: usize,
}

/// What a server that could do more writes at the end of its random when it negotiates less
/// (RFC 8446 section 4.1.3). Damage only where the client offered more than was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DowngradeSentinel {
    /// The server can do TLS 1.3 and negotiated 1.2.
    ToTls12,
    /// The server can do TLS 1.2 or more and negotiated 1.1 or less.
    ToTls11OrBelow,
}

impl ServerHello {
    /// The message in `body`, which starts after the handshake header and must end with it. A body
    /// that was cut short is `Incomplete`, but for one cut exactly before the extensions.
    pub fn parse(body: &[u8]) -> Parsed<ServerHello> {
        let mut reader = Reader::new(body);
        let legacy_version = ProtocolVersion(reader.u16_be("server version")?);
        let random = reader.array("server random")?;
        let session_id_len = reader.u8("session id length")?;
        if session_id_len > 32 {
            return Err(reader.malformed("session id length"));
        }
        reader.take(session_id_len.into(), "session id")?;
        let mut hello = ServerHello {
            legacy_version,
            random,
            session_id_len,
            cipher_suite: CipherSuite(reader.u16_be("cipher suite")?),
            compression: reader.u8("compression method")?,
            extensions: Vec::new(),
            selected_version: None,
            key_share_group: None,
            size: body.len(),
        };
        for (typ, mut data) in extensions(&mut reader)? {
            hello.extensions.push(typ);
            match typ {
                ExtensionType::SUPPORTED_VERSIONS => {
                    let version = complete(data.u16_be("selected version"))?;
                    hello.selected_version = Some(ProtocolVersion(version));
                }
                ExtensionType::KEY_SHARE => {
                    let group = complete(data.u16_be("key share group"))?;
                    hello.key_share_group = Some(NamedGroup(group));
                }
                _ => {}
            }
        }
        Ok(hello)
    }

    /// The negotiated version.
    pub fn version(&self) -> ProtocolVersion {
        self.selected_version.unwrap_or(self.legacy_version)
    }

    /// True when this asks the client for another ClientHello (RFC 8446 section 4.1.3).
    pub fn is_hello_retry_request(&self) -> bool {
        self.random == HELLO_RETRY_REQUEST
    }

    /// The downgrade mark in the random, if there is one.
    pub fn downgrade_sentinel(&self) -> Option<DowngradeSentinel> {
        match self.random.last_chunk::<8>()? {
            b"DOWNGRD\x01" => Some(DowngradeSentinel::ToTls12),
            b"DOWNGRD\x00" => Some(DowngradeSentinel::ToTls11OrBelow),
            _ => None,
        }
    }
}

/// SHA-256 of "HelloRetryRequest".
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use proptest::prelude::*;
    use tls_parser::{TlsMessage, TlsMessageHandshake, parse_tls_plaintext};

    fn hello(hex: &str) -> ServerHello {
        let mut body = samples::first_message(hex);
        let record = samples::bytes(hex);
        body.truncate(usize::from(record[7]) << 8 | usize::from(record[8]));
        ServerHello::parse(&body).unwrap()
    }

    #[test]
    fn a_tls13_server_hello() {
        let hello = hello(samples::SERVER_HELLO_13);
        assert_eq!(hello.legacy_version, ProtocolVersion::TLS1_2);
        assert_eq!(hello.version(), ProtocolVersion::TLS1_3);
        assert_eq!(hello.cipher_suite, CipherSuite(0x1302));
        assert_eq!(hello.key_share_group, Some(NamedGroup(0x001d)));
        assert_eq!(hello.session_id_len, 32);
        assert_eq!(hello.size, 0x76);
        assert!(!hello.is_hello_retry_request());
        assert_eq!(hello.downgrade_sentinel(), None);
    }

    #[test]
    fn a_hello_retry_request() {
        let hello = hello(samples::HELLO_RETRY_REQUEST);
        assert!(hello.is_hello_retry_request());
        assert_eq!(hello.version(), ProtocolVersion::TLS1_3);
        assert_eq!(hello.key_share_group, Some(NamedGroup(0x0018)));
    }

    #[test]
    fn a_tls12_server_hello_of_a_server_that_can_do_more() {
        let mut hello = hello(samples::FLIGHT_12);
        assert_eq!(hello.version(), ProtocolVersion::TLS1_2);
        assert_eq!(hello.selected_version, None);
        assert_eq!(hello.cipher_suite, CipherSuite(0xc02c));
        assert_eq!(hello.extensions.len(), 4);
        assert_eq!(hello.downgrade_sentinel(), Some(DowngradeSentinel::ToTls12));
        hello.random[31] = 0;
        assert_eq!(hello.downgrade_sentinel(), Some(DowngradeSentinel::ToTls11OrBelow));
    }

    #[test]
    fn a_prefix_is_incomplete_and_a_longer_one_damaged() {
        let body = samples::first_message(samples::SERVER_HELLO_13);
        let before_extensions = 2 + 32 + 1 + 32 + 2 + 1;
        for end in (0..body.len()).filter(|end| *end != before_extensions) {
            assert!(ServerHello::parse(&body[..end]).unwrap_err().is_incomplete(), "{end}");
        }
        assert_eq!(ServerHello::parse(&body[..before_extensions]).unwrap().extensions, []);
        let longer = [&body[..], &[0]].concat();
        assert!(!ServerHello::parse(&longer).unwrap_err().is_incomplete());
    }

    #[test]
    fn tls_parser_agrees() {
        for hex in [samples::SERVER_HELLO_13, samples::HELLO_RETRY_REQUEST, samples::FLIGHT_12] {
            let record = samples::bytes(hex);
            let (_, plaintext) = parse_tls_plaintext(&record).unwrap();
            let ours = hello(hex);
            match &plaintext.msg[0] {
                TlsMessage::Handshake(TlsMessageHandshake::ServerHello(theirs)) => {
                    assert_eq!(ours.legacy_version.0, theirs.version.0);
                    assert_eq!(ours.random, theirs.random);
                    assert_eq!(ours.cipher_suite.0, theirs.cipher.0);
                    assert_eq!(ours.compression, theirs.compression.0);
                    let length = theirs.session_id.map_or(0, <[u8]>::len);
                    assert_eq!(usize::from(ours.session_id_len), length);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body: Vec<u8>) {
            if let Ok(hello) = ServerHello::parse(&body) {
                let _ = (hello.version(), hello.downgrade_sentinel());
            }
        }

        #[test]
        fn damaged_hellos_never_panic(at in 0usize..0x76, value: u8) {
            let mut body = samples::first_message(samples::SERVER_HELLO_13);
            body[at] = value;
            let _ = ServerHello::parse(&body);
        }
    }
}
