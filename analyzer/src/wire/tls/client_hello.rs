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
        let mut suites = reader.sub(length.into(), "cipher suites")?;
        let length = reader.u8("compression methods length")?;
        let compression = reader.take(length.into(), "compression methods")?.to_vec();
        let mut hello = ClientHello {
            legacy_version,
            random,
            session_id_len,
            cipher_suites: numbers(&mut suites, "cipher suite")?
                .into_iter()
                .map(CipherSuite)
                .collect(),
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
