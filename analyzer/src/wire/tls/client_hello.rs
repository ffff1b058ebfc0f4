//! The client's offer.

use super::extensions::{extensions, numbers};
use super::ja4::ja4;
use super::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme, is_grease};
use crate::wire::{Parsed, Reader, complete};

/// A ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2). Lists keep the order of the
/// wire and the client's GREASE values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// Highest version of a client that knows no TLS 1.3; 1.2 in every other.
    pub legacy_version: ProtocolVersion,
    /// The client's random.
    pub random: [u8; 32],
    /// Length of the session id; non-zero in a resumption, and in most TLS 1.3 clients.
    pub session_id_len: u8,
    /// Offered suites, signalling values included.
    pub cipher_suites: Vec<CipherSuite>,
    /// Offered compression methods; 0 is "none".
    pub compression: Vec<u8>,
    /// Types of all extensions.
    pub extensions: Vec<ExtensionType>,
    /// Host name of server_name (RFC 6066 section 3).
    pub server_name: Option<String>,
    /// Content of supported_versions; empty without the extension.
    pub supported_versions: Vec<ProtocolVersion>,
    /// Content of supported_groups.
    pub groups: Vec<NamedGroup>,
    /// Content of signature_algorithms.
    pub signature_schemes: Vec<SignatureScheme>,
    /// Groups for which key_share holds a key.
    pub key_share_groups: Vec<NamedGroup>,
    /// Application protocols of ALPN.
    pub alpn: Vec<Vec<u8>>,
    /// Length of the message without its header.
    pub size: usize,
}

impl ClientHello {
    /// The message in `body`, which starts after the handshake header and must end with it. A body
    /// that was cut short is `Incomplete`, but for one cut exactly before the extensions: that is
    /// a whole hello of the time before TLS had any.
    pub fn parse(body: &[u8]) -> Parsed<ClientHello> {
        let mut reader = Reader::new(body);
        let legacy_version = ProtocolVersion(reader.u16_be("client version")?);
        let random = reader.array("client random")?;
        let session_id_len = reader.u8("session id length")?;
        if session_id_len > 32 {
            return Err(reader.malformed("session id length"));
        }
        reader.take(session_id_len.into(), "session id")?;
        let length = reader.u16_be("cipher suites length")?;
        let suites = numbers(&mut reader.sub(length.into(), "cipher suites")?, "cipher suite")?;
        let length = reader.u8("compression methods length")?;
        let compression = reader.take(length.into(), "compression methods")?.to_vec();
        let mut hello = ClientHello {
            legacy_version,
            random,
            session_id_len,
            cipher_suites: suites.into_iter().map(CipherSuite).collect(),
            compression,
            extensions: Vec::new(),
            server_name: None,
            supported_versions: Vec::new(),
            groups: Vec::new(),
            signature_schemes: Vec::new(),
            key_share_groups: Vec::new(),
            alpn: Vec::new(),
            size: body.len(),
        };
        for (typ, data) in extensions(&mut reader)? {
            hello.extensions.push(typ);
            complete(hello.read_extension(typ, data))?;
        }
        hello.extensions.shrink_to_fit();
        Ok(hello)
    }

    /// The versions the client is known to accept, highest first, without GREASE. A client without
    /// supported_versions names only its maximum, so that is all there is then; whether it also
    /// accepts lower ones can not be seen.
    pub fn offered_versions(&self) -> Vec<ProtocolVersion> {
        let mut versions: Vec<_> = self
            .supported_versions
            .iter()
            .copied()
            .filter(|version| !is_grease(version.0))
            .collect();
        if versions.is_empty() {
            return vec![self.legacy_version];
        }
        versions.sort_unstable_by(|a, b| b.cmp(a));
        versions.dedup();
        versions
    }

    /// The highest version the client accepts.
    pub fn max_version(&self) -> ProtocolVersion {
        self.offered_versions().first().copied().unwrap_or(self.legacy_version)
    }

    /// True when the client says that it tried a higher version before (RFC 7507).
    pub fn has_fallback_scsv(&self) -> bool {
        self.cipher_suites.contains(&CipherSuite::FALLBACK_SCSV)
    }

    /// The JA4 fingerprint of this hello over TCP. It names a TLS library and its use, no program.
    pub fn ja4(&self) -> String {
        ja4(self)
    }

    fn read_extension(&mut self, typ: ExtensionType, mut data: Reader<'_>) -> Parsed<()> {
        match typ {
            ExtensionType::SERVER_NAME => self.server_name = server_name(&mut data)?,
            ExtensionType::SUPPORTED_GROUPS => {
                self.groups = list16(&mut data, "group")?.into_iter().map(NamedGroup).collect();
            }
            ExtensionType::SIGNATURE_ALGORITHMS => {
                let schemes = list16(&mut data, "signature scheme")?;
                self.signature_schemes = schemes.into_iter().map(SignatureScheme).collect();
            }
            ExtensionType::ALPN => self.alpn = alpn(&mut data)?,
            ExtensionType::SUPPORTED_VERSIONS => {
                let length = data.u8("supported versions length")?;
                let mut list = data.sub(length.into(), "supported versions")?;
                let versions = numbers(&mut list, "supported version")?;
                self.supported_versions = versions.into_iter().map(ProtocolVersion).collect();
            }
            ExtensionType::KEY_SHARE => self.key_share_groups = key_shares(&mut data)?,
            _ => return Ok(()),
        }
        match data.is_empty() {
            true => Ok(()),
            false => Err(data.malformed("bytes after the list of an extension")),
        }
    }
}

/// A list of 16-bit numbers behind its length in bytes.
fn list16(data: &mut Reader<'_>, what: &'static str) -> Parsed<Vec<u16>> {
    let length = data.u16_be(what)?;
    numbers(&mut data.sub(length.into(), what)?, what)
}

/// The first name of type host_name (RFC 6066 section 3). Bytes that are not UTF-8 are replaced.
fn server_name(data: &mut Reader<'_>) -> Parsed<Option<String>> {
    const HOST_NAME: u8 = 0;
    if data.is_empty() {
        return Ok(None); // Illegal from a client, but it harms nobody.
    }
    let length = data.u16_be("server name list length")?;
    let mut list = data.sub(length.into(), "server name list")?;
    let mut host = None;
    while !list.is_empty() {
        let typ = list.u8("server name type")?;
        let length = list.u16_be("server name length")?;
        let name = list.take(length.into(), "server name")?;
        if typ == HOST_NAME && host.is_none() {
            host = Some(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(host)
}

/// Protocol names (RFC 7301 section 3.1).
fn alpn(data: &mut Reader<'_>) -> Parsed<Vec<Vec<u8>>> {
    let length = data.u16_be("protocol list length")?;
    let mut list = data.sub(length.into(), "protocol list")?;
    let mut names = Vec::new();
    while !list.is_empty() {
        let length = list.u8("protocol name length")?;
        names.push(list.take(length.into(), "protocol name")?.to_vec());
    }
    Ok(names)
}

/// Groups of the KeyShareEntry list (RFC 8446 section 4.2.8).
fn key_shares(data: &mut Reader<'_>) -> Parsed<Vec<NamedGroup>> {
    let length = data.u16_be("key share list length")?;
    let mut list = data.sub(length.into(), "key share list")?;
    let mut groups = Vec::new();
    while !list.is_empty() {
        groups.push(NamedGroup(list.u16_be("key share group")?));
        let length = list.u16_be("key share length")?;
        list.take(length.into(), "key share")?;
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use proptest::prelude::*;
    use tls_parser::{
        TlsExtension, TlsExtensionType, TlsMessage, TlsMessageHandshake, parse_tls_extensions,
        parse_tls_plaintext,
    };

    const HELLOS: [&str; 3] =
        [samples::OPENSSL_HELLO, samples::OPENSSL_TLS12_HELLO, samples::XFREERDP_HELLO];

    fn hello(hex: &str) -> ClientHello {
        ClientHello::parse(&samples::first_message(hex)).unwrap()
    }

    #[test]
    fn the_hello_of_openssl() {
        let hello = hello(samples::OPENSSL_HELLO);
        assert_eq!(hello.server_name.as_deref(), Some("rdp.example.com"));
        assert_eq!(hello.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        assert_eq!(hello.key_share_groups, [NamedGroup(0x001d)]);
        assert_eq!(hello.groups.len(), 10);
        assert_eq!(hello.signature_schemes.len(), 20);
        assert_eq!(hello.compression, [0]);
        assert_eq!(hello.max_version(), ProtocolVersion::TLS1_3);
        let offered: Vec<_> = hello.offered_versions().iter().map(|v| v.to_string()).collect();
        assert_eq!(offered, ["1.3", "1.2", "1.1", "1.0"]);
        assert!(!hello.has_fallback_scsv());
        assert_eq!(hello.size, 0x14a);
    }

    #[test]
    fn the_hello_of_xfreerdp() {
        let hello = hello(samples::XFREERDP_HELLO);
        assert_eq!(hello.server_name.as_deref(), Some("localhost"));
        assert!(hello.alpn.is_empty());
    }

    #[test]
    fn without_supported_versions_only_the_maximum_is_known() {
        let hello = hello(samples::OPENSSL_TLS12_HELLO);
        assert_eq!(hello.offered_versions(), [ProtocolVersion::TLS1_2]);
        assert_eq!(hello.session_id_len, 0);
        assert_eq!(hello.server_name, None);
    }

    #[test]
    fn grease_is_no_version_and_the_order_is_ours() {
        let mut hello = hello(samples::OPENSSL_HELLO);
        hello.supported_versions = [0x0302, 0xdada, 0x0304, 0x0304].map(ProtocolVersion).to_vec();
        assert_eq!(hello.offered_versions(), [ProtocolVersion::TLS1_3, ProtocolVersion::TLS1_1]);
        hello.cipher_suites.push(CipherSuite(0x5600));
        assert!(hello.has_fallback_scsv());
    }

    #[test]
    fn every_prefix_is_incomplete() {
        for hex in HELLOS {
            let body = samples::first_message(hex);
            let extensions_at = body.len() - 2 - extensions_length(&body);
            for end in (0..body.len()).filter(|end| *end != extensions_at) {
                let error = ClientHello::parse(&body[..end]).unwrap_err();
                assert!(error.is_incomplete(), "{end}: {error}");
            }
            let old = ClientHello::parse(&body[..extensions_at]).unwrap();
            assert_eq!(old.extensions, []);
        }
    }

    fn extensions_length(body: &[u8]) -> usize {
        let suites = 2 + 32 + 1 + usize::from(body[34]);
        let at = suites + 2 + (usize::from(body[suites]) << 8 | usize::from(body[suites + 1])) + 2;
        usize::from(body[at]) << 8 | usize::from(body[at + 1])
    }

    #[test]
    fn lengths_that_disagree_are_damage() {
        let body = samples::first_message(samples::OPENSSL_HELLO);
        let longer = [&body[..], &[0]].concat();
        assert!(!ClientHello::parse(&longer).unwrap_err().is_incomplete());
        let mut list_too_long = body.clone();
        let name_at = body.windows(3).position(|bytes| bytes == b"rdp").unwrap();
        list_too_long[name_at - 1] += 1;
        assert!(!ClientHello::parse(&list_too_long).unwrap_err().is_incomplete());
        let mut odd_suites = body;
        odd_suites[68] -= 1;
        assert!(!ClientHello::parse(&odd_suites).unwrap_err().is_incomplete());
    }

    #[test]
    fn tls_parser_agrees() {
        for hex in HELLOS {
            let record = samples::bytes(hex);
            let (_, plaintext) = parse_tls_plaintext(&record).unwrap();
            let TlsMessage::Handshake(TlsMessageHandshake::ClientHello(theirs)) = &plaintext.msg[0]
            else {
                panic!("{:?}", plaintext.msg)
            };
            let ours = hello(hex);
            assert_eq!(ours.legacy_version.0, theirs.version.0);
            assert_eq!(ours.random, theirs.random);
            let length = theirs.session_id.map_or(0, <[u8]>::len);
            assert_eq!(usize::from(ours.session_id_len), length);
            let suites: Vec<u16> = theirs.ciphers.iter().map(|suite| suite.0).collect();
            assert_eq!(ours.cipher_suites, suites.into_iter().map(CipherSuite).collect::<Vec<_>>());
            let (_, extensions) = parse_tls_extensions(theirs.ext.unwrap()).unwrap();
            let types: Vec<_> = extensions
                .iter()
                .map(|extension| ExtensionType(TlsExtensionType::from(extension).0))
                .collect();
            assert_eq!(ours.extensions, types);
            for extension in &extensions {
                agrees_on(&ours, extension);
            }
        }
    }

    fn agrees_on(ours: &ClientHello, extension: &TlsExtension<'_>) {
        match extension {
            TlsExtension::SNI(names) => {
                assert_eq!(ours.server_name.as_deref().unwrap().as_bytes(), names[0].1);
            }
            TlsExtension::SupportedVersions(versions) => {
                let versions: Vec<_> = versions.iter().map(|v| ProtocolVersion(v.0)).collect();
                assert_eq!(ours.supported_versions, versions);
            }
            TlsExtension::EllipticCurves(groups) => {
                let groups: Vec<_> = groups.iter().map(|group| NamedGroup(group.0)).collect();
                assert_eq!(ours.groups, groups);
            }
            TlsExtension::SignatureAlgorithms(schemes) => {
                let schemes: Vec<_> = schemes.iter().copied().map(SignatureScheme).collect();
                assert_eq!(ours.signature_schemes, schemes);
            }
            TlsExtension::ALPN(names) => assert_eq!(ours.alpn, *names),
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body: Vec<u8>) {
            if let Ok(hello) = ClientHello::parse(&body) {
                let _ = (hello.ja4(), hello.max_version());
            }
        }

        #[test]
        fn damaged_hellos_never_panic(at in 0usize..0x14a, value: u8, end in 0usize..=0x14a) {
            let mut body = samples::first_message(samples::OPENSSL_HELLO);
            body[at] = value;
            let _ = ClientHello::parse(&body[..end]);
            if let Ok(hello) = ClientHello::parse(&body) {
                prop_assert_eq!(hello.ja4().len(), 36);
            }
        }
    }
}
