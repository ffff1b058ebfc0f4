//! The server's certificate: the message that carries it and a readable summary of the leaf.

use super::certificate_match::CertificateDefect;
use super::certificate_names::{
    curve, distinguished_name, key_algorithm, signature_algorithm, string_value, usages,
};
use crate::wire::{Parsed, Reader, complete, hex};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use x509_parser::error::X509Error;
use x509_parser::nom;
use x509_parser::prelude::{
    FromDer, GeneralName, ParsedExtension, SubjectPublicKeyInfo, X509Certificate, X509Name,
};
use x509_parser::public_key::PublicKey;

/// A Certificate message of TLS 1.2 and below (RFC 5246 section 7.4.2); TLS 1.3 encrypts its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateMessage {
    /// The certificates as DER, the sender's own first. Empty when a client has none to show.
    pub chain: Vec<Vec<u8>>,
}

impl CertificateMessage {
    /// The message in `body`, which starts after the handshake header and must end with it.
    pub fn parse(body: &[u8]) -> Parsed<CertificateMessage> {
        let mut reader = Reader::new(body);
        let length = reader.u24_be("certificate list length")?;
        let mut list = reader.sub(length as usize, "certificate list")?;
        if !reader.is_empty() {
            return Err(reader.malformed("bytes after the certificate list"));
        }
        let mut chain = Vec::new();
        while !list.is_empty() {
            let length = complete(list.u24_be("certificate length"))?;
            chain.push(complete(list.take(length as usize, "certificate"))?.to_vec());
        }
        Ok(CertificateMessage { chain })
    }
}

/// What matters of a certificate (RFC 5280). Text is as the issuer wrote it: whoever prints it has
/// to expect control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSummary {
    /// Subject in the order of the certificate: `O=Example, CN=rdp.example.com`.
    pub subject: String,
    /// Issuer in the same form.
    pub issuer: String,
    /// Serial number as hex, without leading zeros.
    pub serial: String,
    /// First second of validity, Unix time.
    pub not_before: i64,
    /// Last second of validity, Unix time.
    pub not_after: i64,
    /// Issuer and subject are the same name; the signature was not checked.
    pub self_issued: bool,
    /// DNS names and addresses of the subject alternative name.
    pub names: Vec<SubjectName>,
    /// Last common name of the subject.
    pub common_name: Option<String>,
    /// The key in short: `RSA 2048`, `EC P-256`, `Ed25519`.
    pub key: String,
    /// Strength of the key as its algorithm counts it.
    pub key_bits: Option<u32>,
    /// `RSA`, `EC`, `Ed25519`; the dotted identifier where there is no name.
    pub key_algorithm: String,
    /// `sha256WithRSAEncryption` and the like; the dotted identifier where there is no name.
    pub signature_algorithm: String,
    /// Extended key usages by short name or dotted identifier; empty without the extension.
    pub extended_key_usage: Vec<String>,
    /// Key usage, if the extension is there.
    pub key_usage: Option<KeyUsage>,
    /// Whether basic constraints say it is a certificate authority.
    pub is_ca: bool,
    /// Dotted identifiers of extensions that could not be read.
    pub unreadable_extensions: Vec<String>,
    /// SHA-256 over the DER as hex: what other tools call the fingerprint.
    pub sha256: String,
    /// How many certificates the message held, 1 where only this one is known.
    pub chain_length: usize,
}

/// A name of the subject alternative name extension (RFC 5280 section 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectName {
    /// A host name, maybe with a wildcard.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

impl std::fmt::Display for SubjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SubjectName::Dns(name) => f.write_str(name),
            SubjectName::Ip(ip) => ip.fmt(f),
        }
    }
}

/// The bits of key usage that decide over TLS (RFC 5280 section 4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage {
    /// Needed for (EC)DHE suites and TLS 1.3.
    pub digital_signature: bool,
    /// Needed for suites with RSA key exchange.
    pub key_encipherment: bool,
    /// Set by Windows on its own certificates; TLS has no use for it.
    pub data_encipherment: bool,
    /// Needed for static (EC)DH suites.
    pub key_agreement: bool,
    /// May sign certificates.
    pub key_cert_sign: bool,
}

impl CertificateSummary {
    /// Summary of one DER certificate. Fails only where nothing can be said; an extension that is
    /// damaged goes into `unreadable_extensions`.
    pub fn from_der(der: &[u8]) -> Result<CertificateSummary, CertificateDefect> {
        let (rest, certificate) = X509Certificate::from_der(der)
            .map_err(|error| CertificateDefect::Malformed { what: error_text(error) })?;
        if !rest.is_empty() {
            return Err(CertificateDefect::TrailingBytes { count: rest.len() });
        }
        let (key_algorithm, key_bits, key) = describe_key(certificate.public_key());
        let mut summary = CertificateSummary {
            subject: distinguished_name(certificate.subject()),
            issuer: distinguished_name(certificate.issuer()),
            serial: serial(certificate.raw_serial()),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            self_issued: certificate.issuer().as_raw() == certificate.subject().as_raw(),
            names: Vec::new(),
            common_name: common_name(certificate.subject()),
            key,
            key_bits,
            key_algorithm,
            signature_algorithm: signature_algorithm(&certificate.signature_algorithm.algorithm),
            extended_key_usage: Vec::new(),
            key_usage: None,
            is_ca: false,
            unreadable_extensions: Vec::new(),
            sha256: hex(&Sha256::digest(der)),
            chain_length: 1,
        };
        for extension in certificate.extensions() {
            summary.read_extension(&extension.oid.to_id_string(), extension.parsed_extension());
        }
        Ok(summary)
    }

    fn read_extension(&mut self, oid: &str, extension: &ParsedExtension<'_>) {
        match extension {
            ParsedExtension::SubjectAlternativeName(san) => {
                self.names.extend(san.general_names.iter().filter_map(subject_name));
            }
            ParsedExtension::ExtendedKeyUsage(usage) => self.extended_key_usage = usages(usage),
            ParsedExtension::KeyUsage(usage) => {
                self.key_usage = Some(KeyUsage {
                    digital_signature: usage.digital_signature(),
                    key_encipherment: usage.key_encipherment(),
                    data_encipherment: usage.data_encipherment(),
                    key_agreement: usage.key_agreement(),
                    key_cert_sign: usage.key_cert_sign(),
                });
            }
            ParsedExtension::BasicConstraints(constraints) => self.is_ca = constraints.ca,
            ParsedExtension::ParseError { .. } => self.unreadable_extensions.push(oid.to_owned()),
            _ => {}
        }
    }
}

/// What the X.509 reader said, without its wrapping.
fn error_text(error: nom::Err<X509Error>) -> String {
    match error {
        nom::Err::Incomplete(_) => "it is cut short".to_owned(),
        nom::Err::Error(error) | nom::Err::Failure(error) => error.to_string(),
    }
}

/// Algorithm, bits and the short form of a key (RFC 3279 section 2.3, RFC 5480).
fn describe_key(info: &SubjectPublicKeyInfo<'_>) -> (String, Option<u32>, String) {
    let algorithm = key_algorithm(&info.algorithm.algorithm);
    match info.parsed() {
        Ok(PublicKey::RSA(key)) => {
            let bits = bit_length(key.modulus);
            let short = format!("{algorithm} {bits}");
            (algorithm, Some(bits), short)
        }
        Ok(PublicKey::EC(_)) => {
            let parameters = info.algorithm.parameters.as_ref();
            let oid = parameters.and_then(|parameters| parameters.clone().oid().ok());
            let (name, bits) = match oid {
                Some(oid) => curve(&oid),
                None => ("with explicit parameters".to_owned(), None),
            };
            let short = format!("{algorithm} {name}");
            (algorithm, bits, short)
        }
        _ => (algorithm.clone(), None, algorithm),
    }
}

/// Bits of a big-endian number without its leading zeros.
fn bit_length(number: &[u8]) -> u32 {
    let significant = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let Some([first, rest @ ..]) = number.get(significant..) else { return 0 };
    let low_bits = u32::try_from(rest.len()).unwrap_or(u32::MAX).saturating_mul(8);
    low_bits.saturating_add(u8::BITS - first.leading_zeros())
}

fn common_name(subject: &X509Name<'_>) -> Option<String> {
    subject.iter_common_name().last().map(string_value)
}

fn subject_name(name: &GeneralName<'_>) -> Option<SubjectName> {
    match name {
        GeneralName::DNSName(host) => Some(SubjectName::Dns((*host).to_owned())),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(SubjectName::Ip)
        }
        _ => None,
    }
}

fn serial(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    match bytes.get(zeros..) {
        Some([]) | None => "0".to_owned(),
        Some(significant) => hex(significant),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::super::{HandshakeBuffer, HandshakeType, RecordHeader, chain};
    use super::*;
    use proptest::prelude::*;

    fn summary(hex: &str) -> CertificateSummary {
        CertificateSummary::from_der(&samples::bytes(hex)).unwrap()
    }

    #[test]
    fn the_certificate_of_a_server_flight() {
        let flight = samples::bytes(samples::FLIGHT_12);
        let (mut buffer, mut rest) = (HandshakeBuffer::new(), &flight[..]);
        while let Ok(header) = RecordHeader::parse(rest) {
            let (record, next) = rest.split_at(RecordHeader::SIZE + usize::from(header.length));
            buffer.push(&record[RecordHeader::SIZE..]).unwrap();
            rest = next;
        }
        let messages: Vec<_> = buffer.by_ref().collect();
        let types: Vec<u8> = messages.iter().map(|(typ, _)| typ.0).collect();
        assert_eq!(types, [2, 11, 12, 13, 14]);
        assert!(rest.is_empty() && buffer.is_empty());
        let body = &messages[1].1;
        assert_eq!(messages[1].0, HandshakeType::CERTIFICATE);
        let message = CertificateMessage::parse(body).unwrap();
        assert_eq!(message.chain, [samples::bytes(samples::EC_CERTIFICATE)]);
        for end in 0..body.len() {
            assert!(CertificateMessage::parse(&body[..end]).unwrap_err().is_incomplete());
        }
    }

    #[test]
    fn a_certificate_with_names_and_usages() {
        let leaf = summary(samples::EC_CERTIFICATE);
        assert_eq!(leaf.subject, "O=Example, CN=rdp.example.com");
        assert_eq!(leaf.issuer, leaf.subject);
        assert!(leaf.self_issued && leaf.is_ca);
        assert_eq!(leaf.serial, "1a2b3c");
        assert_eq!((leaf.not_before, leaf.not_after), (NOT_BEFORE, NOT_BEFORE + 365 * 86400));
        assert_eq!(leaf.common_name.as_deref(), Some("rdp.example.com"));
        let dns = |name: &str| SubjectName::Dns(name.to_owned());
        let ip = |address: &str| SubjectName::Ip(address.parse().unwrap());
        let names = [dns("rdp.example.com"), dns("*.farm.example.com")];
        assert_eq!(leaf.names[..2], names);
        assert_eq!(leaf.names[2..], [ip("192.0.2.10"), ip("2001:db8::10")]);
        assert_eq!((leaf.key.as_str(), leaf.key_bits), ("EC P-256", Some(256)));
        assert_eq!(leaf.signature_algorithm, "ecdsa-with-SHA256");
        assert_eq!(leaf.extended_key_usage, ["serverAuth", "clientAuth"]);
        let usage = leaf.key_usage.unwrap();
        assert!(usage.digital_signature && !usage.key_encipherment);
        assert_eq!(leaf.sha256, SHA256);
        assert_eq!(leaf.chain_length, 1);
    }

    #[test]
    fn the_certificate_windows_makes() {
        let leaf = summary(samples::WINDOWS_LIKE_CERTIFICATE);
        assert_eq!((leaf.key.as_str(), leaf.key_bits), ("RSA 2048", Some(2048)));
        assert_eq!(leaf.signature_algorithm, "sha256WithRSAEncryption");
        assert!(leaf.names.is_empty());
        let usage = leaf.key_usage.unwrap();
        assert!(usage.key_encipherment && usage.data_encipherment && !usage.digital_signature);
        assert_eq!(summary(samples::TINY_CERTIFICATE).key, "RSA 512");
        let usage = summary(samples::RDP_USAGE_CERTIFICATE).extended_key_usage;
        assert_eq!(usage, ["Remote Desktop Authentication"]);
    }

    #[test]
    fn damage_is_told_apart() {
        let mut der = samples::bytes(samples::EC_CERTIFICATE);
        der.push(0);
        let trailing = Err(CertificateDefect::TrailingBytes { count: 1 });
        assert_eq!(CertificateSummary::from_der(&der), trailing);
        let cut = CertificateSummary::from_der(&der[..100]).unwrap_err();
        assert!(matches!(cut, CertificateDefect::Malformed { .. }), "{cut}");
        assert!(CertificateMessage::parse(&[0, 0, 1, 0]).is_err_and(|e| !e.is_incomplete()));
        assert!(CertificateMessage::parse(&[0, 0, 0, 0]).is_err_and(|e| !e.is_incomplete()));
    }

    #[test]
    fn an_unreadable_extension_costs_only_itself() {
        let mut der = samples::bytes(samples::EC_CERTIFICATE);
        // The tag of the SEQUENCE inside extended key usage (2.5.29.37, 55 1d 25).
        let oid = der.windows(3).position(|bytes| bytes == [0x55, 0x1d, 0x25]).unwrap();
        assert_eq!(der[oid + 5], 0x30);
        der[oid + 5] = 0x31;
        let leaf = CertificateSummary::from_der(&der).unwrap();
        assert_eq!(leaf.unreadable_extensions, ["2.5.29.37"]);
        assert_eq!(leaf.names.len(), 4);
        assert_eq!(leaf.defects().len(), 1);
    }

    #[test]
    fn bits_of_a_number() {
        assert_eq!(bit_length(&[]), 0);
        assert_eq!(bit_length(&[0, 0]), 0);
        assert_eq!(bit_length(&[0, 1, 0]), 9);
        assert_eq!(serial(&[0, 0x0a]), "0a");
        assert_eq!(serial(&[0]), "0");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body: Vec<u8>) {
            let _ = CertificateSummary::from_der(&body);
            let _ = chain(&body);
        }

        #[test]
        fn damaged_certificates_never_panic(at in 0usize..534, value: u8, end in 0usize..=534) {
            let mut der = samples::bytes(samples::EC_CERTIFICATE);
            der[at] = value;
            let _ = CertificateSummary::from_der(&der[..end]);
            if let Ok(leaf) = CertificateSummary::from_der(&der) {
                let _ = (leaf.defects(), leaf.matches_name("rdp.example.com"));
            }
        }
    }

    const NOT_BEFORE: i64 = 1_795_574_850;
    const SHA256: &str = "afc97a632138b975ed3fc1b119cb80edb8feb4f5c9d13ac07d427d6b6240a1ca";
}
