//! Judging a certificate without a trust store or a clock: does it name the host, is it fit for RDP.

use super::certificate::{CertificateSummary, SubjectName};
use std::net::IpAddr;

/// What is wrong with a certificate itself, whoever looks at it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateDefect {
    /// An extension can not be read.
    #[error("the extension {oid} is malformed")]
    ExtensionMalformed {
        /// Dotted identifier of the extension.
        oid: String,
    },
    /// The bytes are no X.509 certificate.
    #[error("the certificate is malformed: {what}")]
    Malformed {
        /// What the reader stumbled over.
        what: String,
    },
    /// Extended key usage allows neither TLS servers nor Remote Desktop.
    #[error("the extended key usage ({usages}) does not allow a server")]
    NoServerUsage {
        /// What it allows instead.
        usages: String,
    },
    /// An RSA key below 2048 bits.
    #[error("the RSA key has only {bits} bits")]
    ShortRsaKey {
        /// Its length.
        bits: u32,
    },
    /// Bytes follow the certificate.
    #[error("{count} bytes follow the certificate")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// Signed with MD2, MD5 or SHA-1. Nobody needs the signature of a certificate trusted by itself.
    #[error("the signature algorithm {algorithm} is weak")]
    WeakSignature {
        /// Its name.
        algorithm: String,
    },
}

impl CertificateDefect {
    /// True where clients that verify refuse the certificate for this alone, self-signed or not:
    /// unreadable, not for servers, an RSA key below 1024 bits, MD2 or MD5. False for a note only.
    pub fn is_hard(&self) -> bool {
        match self {
            CertificateDefect::Malformed { .. }
            | CertificateDefect::NoServerUsage { .. }
            | CertificateDefect::TrailingBytes { .. } => true,
            CertificateDefect::ShortRsaKey { bits } => *bits < 1024,
            CertificateDefect::WeakSignature { algorithm } => algorithm.starts_with("md"),
            CertificateDefect::ExtensionMalformed { .. } => false,
        }
    }
}

impl CertificateSummary {
    /// Everything wrong with this certificate that needs neither clock nor trust store.
    pub fn defects(&self) -> Vec<CertificateDefect> {
        let mut defects: Vec<_> = self
            .unreadable_extensions
            .iter()
            .map(|oid| CertificateDefect::ExtensionMalformed { oid: oid.clone() })
            .collect();
        let is_rsa = self.key_algorithm.starts_with("RSA");
        if let Some(bits) = self.key_bits.filter(|bits| is_rsa && *bits < 2048) {
            defects.push(CertificateDefect::ShortRsaKey { bits });
        }
        if is_weak(&self.signature_algorithm) {
            let algorithm = self.signature_algorithm.clone();
            defects.push(CertificateDefect::WeakSignature { algorithm });
        }
        let serves = |usage: &String| SERVER_USAGES.contains(&usage.as_str());
        if !self.extended_key_usage.is_empty() && !self.extended_key_usage.iter().any(serves) {
            let usages = self.extended_key_usage.join(", ");
            defects.push(CertificateDefect::NoServerUsage { usages });
        }
        defects
    }

    /// True when the certificate is for `host`, a name or an address as the user typed it (RFC 6125
    /// section 6.4, RFC 9525). The common name counts only where the subject alternative name holds
    /// neither names nor addresses, which is what Windows makes for itself.
    pub fn matches_name(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        if self.names.is_empty() {
            let Some(name) = &self.common_name else { return false };
            return match address {
                Some(address) => name.parse() == Ok(address),
                None => dns_matches(name, host),
            };
        }
        self.names.iter().any(|name| match (name, address) {
            (SubjectName::Ip(ip), Some(address)) => *ip == address,
            (SubjectName::Dns(pattern), None) => dns_matches(pattern, host),
            _ => false,
        })
    }
}

const SERVER_USAGES: [&str; 3] =
    ["anyExtendedKeyUsage", "serverAuth", "Remote Desktop Authentication"];

fn is_weak(signature_algorithm: &str) -> bool {
    let lower = signature_algorithm.to_ascii_lowercase();
    lower.starts_with("md") || lower.starts_with("sha1") || lower.ends_with("sha1")
}

/// A wildcard stands for exactly one label, and only as the whole leftmost one.
fn dns_matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern);
    if host.is_empty() {
        return false;
    }
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(host),
        Some(domain) => host.split_once('.').is_some_and(|(label, rest)| {
            !label.is_empty() && !rest.is_empty() && domain.eq_ignore_ascii_case(rest)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn summary(hex: &str) -> CertificateSummary {
        CertificateSummary::from_der(&samples::bytes(hex)).unwrap()
    }

    #[test]
    fn names_match_by_the_alternative_names() {
        let leaf = summary(samples::EC_CERTIFICATE);
        let matching = [
            "rdp.example.com",
            "RDP.Example.COM",
            "rdp.example.com.",
            "h1.farm.example.com",
            "192.0.2.10",
            "2001:db8::10",
            "[2001:db8:0::10]",
        ];
        for host in matching {
            assert!(leaf.matches_name(host), "{host}");
        }
        let other = [
            "",
            ".",
            "rdp",
            "example.com",
            "farm.example.com",
            ".farm.example.com",
            "a.b.farm.example.com",
            "*.example.com",
            "192.0.2.11",
            "2001:db8::11",
        ];
        for host in other {
            assert!(!leaf.matches_name(host), "{host}");
        }
    }

    #[test]
    fn the_common_name_counts_only_without_alternative_names() {
        let mut leaf = summary(samples::WINDOWS_LIKE_CERTIFICATE);
        assert!(leaf.matches_name("win-7q2.corp.example"));
        assert!(!leaf.matches_name("win-7q2"));
        leaf.names.push(SubjectName::Dns("other.example".into()));
        assert!(!leaf.matches_name("win-7q2.corp.example"));
        leaf.names.clear();
        leaf.common_name = Some("192.0.2.1".into());
        assert!(leaf.matches_name("192.0.2.1"));
        leaf.common_name = None;
        assert!(!leaf.matches_name("192.0.2.1"));
    }

    #[test]
    fn a_wildcard_does_not_match_an_address() {
        let mut leaf = summary(samples::WINDOWS_LIKE_CERTIFICATE);
        leaf.common_name = Some("*.0.2.1".into());
        assert!(!leaf.matches_name("192.0.2.1"));
        leaf.names.push(SubjectName::Dns("192.0.2.1".into()));
        assert!(!leaf.matches_name("192.0.2.1"));
    }

    #[test]
    fn sound_certificates_have_no_defect() {
        for hex in [
            samples::EC_CERTIFICATE,
            samples::WINDOWS_LIKE_CERTIFICATE,
            samples::RDP_USAGE_CERTIFICATE,
        ] {
            assert_eq!(summary(hex).defects(), []);
        }
    }

    #[test]
    fn weak_certificates_say_why() {
        let defects = summary(samples::WEAK_CERTIFICATE).defects();
        let expected = [
            CertificateDefect::ShortRsaKey { bits: 1024 },
            CertificateDefect::WeakSignature { algorithm: "sha1WithRSAEncryption".into() },
            CertificateDefect::NoServerUsage { usages: "clientAuth".into() },
        ];
        assert_eq!(defects, expected);
        let hard: Vec<bool> = defects.iter().map(CertificateDefect::is_hard).collect();
        assert_eq!(hard, [false, false, true]);

        let defects = summary(samples::TINY_CERTIFICATE).defects();
        let expected = [
            CertificateDefect::ShortRsaKey { bits: 512 },
            CertificateDefect::WeakSignature { algorithm: "md5WithRSAEncryption".into() },
        ];
        assert_eq!(defects, expected);
        assert!(defects.iter().all(CertificateDefect::is_hard));
    }
}
