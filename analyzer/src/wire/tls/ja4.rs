//! JA4, the fingerprint of a ClientHello (FoxIO's JA4 for TLS clients, BSD 3-Clause; the other
//! members of that family carry another licence and are not here).

use super::{ClientHello, ExtensionType, ProtocolVersion, is_grease};
use crate::wire::{hex, push_hex};
use sha2::{Digest, Sha256};

/// The fingerprint of `hello` over TCP: `t13d1516h2_8daaf6152771_e5627efa2ab1`. Part a tells version,
/// whether a name was sent, how many suites and extensions, and the first protocol of ALPN; part b
/// digests the suites, part c the extensions and the signature schemes. GREASE counts nowhere.
pub(super) fn ja4(hello: &ClientHello) -> String {
    let suites = without_grease(hello.cipher_suites.iter().map(|suite| suite.0));
    let extensions = without_grease(hello.extensions.iter().map(|extension| extension.0));
    let schemes = without_grease(hello.signature_schemes.iter().map(|scheme| scheme.0));
    let name = match hello.extensions.contains(&ExtensionType::SERVER_NAME) {
        true => 'd',
        false => 'i',
    };
    format!(
        "t{}{name}{:02}{:02}{}_{}_{}",
        version(hello.max_version()),
        suites.len().min(99),
        extensions.len().min(99),
        protocol(hello.alpn.first()),
        digest(&hex_list(&sorted(suites))),
        digest(&part_c(extensions, &schemes)),
    )
}

fn version(version: ProtocolVersion) -> &'static str {
    match version.0 {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// First and last character of the first protocol; of its hex form when one of them is neither
/// letter nor digit.
fn protocol(first: Option<&Vec<u8>>) -> String {
    let Some((head, last)) = first.and_then(|name| Some((*name.first()?, *name.last()?))) else {
        return "00".into();
    };
    if head.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        format!("{}{}", char::from(head), char::from(last))
    } else {
        format!("{:x}{:x}", head >> 4, last & 0x0f)
    }
}

/// What part c digests. Name and ALPN are left out: they depend on the server, not the client.
fn part_c(extensions: Vec<u16>, schemes: &[u16]) -> String {
    let of_client =
        |value: &u16| *value != ExtensionType::SERVER_NAME.0 && *value != ExtensionType::ALPN.0;
    let extensions: Vec<u16> = extensions.into_iter().filter(of_client).collect();
    let list = hex_list(&sorted(extensions));
    match list.is_empty() || schemes.is_empty() {
        true => list,
        false => format!("{list}_{}", hex_list(schemes)),
    }
}

fn without_grease(values: impl Iterator<Item = u16>) -> Vec<u16> {
    values.filter(|value| !is_grease(*value)).collect()
}

fn sorted(mut values: Vec<u16>) -> Vec<u16> {
    values.sort_unstable();
    values
}

fn hex_list(values: &[u16]) -> String {
    let mut list = String::with_capacity(5 * values.len());
    for value in values {
        if !list.is_empty() {
            list.push(',');
        }
        push_hex(&mut list, &value.to_be_bytes());
    }
    list
}

/// The first twelve hex digits of SHA-256; zeros for an empty list.
fn digest(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(12);
    }
    let mut digits = hex(&Sha256::digest(text));
    digits.truncate(12);
    digits
}

#[cfg(test)]
mod tests {
    use super::super::{CipherSuite, NamedGroup, SignatureScheme, samples};
    use super::*;

    fn parsed(hex: &str) -> ClientHello {
        ClientHello::parse(&samples::first_message(hex)).unwrap()
    }

    /// A hello with these lists and nothing else, as the fingerprint sees no more.
    fn hello(suites: &[u16], extensions: &[u16], schemes: &[u16]) -> ClientHello {
        ClientHello {
            legacy_version: ProtocolVersion::TLS1_2,
            random: [0; 32],
            session_id_len: 0,
            cipher_suites: suites.iter().copied().map(CipherSuite).collect(),
            compression: vec![0],
            extensions: extensions.iter().copied().map(ExtensionType).collect(),
            server_name: None,
            supported_versions: Vec::new(),
            groups: vec![NamedGroup(0x001d)],
            signature_schemes: schemes.iter().copied().map(SignatureScheme).collect(),
            key_share_groups: Vec::new(),
            alpn: Vec::new(),
            size: 0,
        }
    }

    #[test]
    fn the_example_of_the_specification() {
        let suites = [
            0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
            0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let extensions = [
            0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
            0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
        ];
        let schemes = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
        let mut hello = hello(&suites, &extensions, &schemes);
        hello.supported_versions = [0xfafa, 0x0304, 0x0303].map(ProtocolVersion).to_vec();
        hello.alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        assert_eq!(hello.ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        hello.signature_schemes.clear();
        assert_eq!(hello.ja4(), "t13d1516h2_8daaf6152771_6d807ffa2a79");
    }

    #[test]
    fn schannel_without_a_name() {
        let suites = [
            0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a,
            0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x000a,
        ];
        let extensions = [0x000a, 0x000b, 0x000d, 0x0023, 0x0017, 0xff01];
        let schemes = [0x0401, 0x0501, 0x0201, 0x0403, 0x0503, 0x0203, 0x0202, 0x0601, 0x0603];
        let hello = hello(&suites, &extensions, &schemes);
        assert_eq!(hello.ja4(), "t12i210600_76e208dd3e22_f28add8e7af0");
    }

    #[test]
    fn recorded_hellos() {
        let freerdp = parsed(samples::XFREERDP_HELLO);
        assert_eq!(freerdp.ja4(), "t13d311000_e8f1e7e78f70_1f22a2ca17c4");
        // Same library: only the counts and ALPN of part a differ.
        let openssl = parsed(samples::OPENSSL_HELLO);
        assert_eq!(openssl.ja4(), "t13d3111h2_e8f1e7e78f70_1f22a2ca17c4");
        let openssl = parsed(samples::OPENSSL_TLS12_HELLO);
        assert_eq!(openssl.ja4(), "t12i280600_d943125447b4_e7e480e5a997");
    }

    #[test]
    fn an_empty_hello_has_zeros_for_digests() {
        let mut empty = hello(&[], &[], &[]);
        empty.legacy_version = ProtocolVersion(0x0399);
        assert_eq!(empty.ja4(), "t00i000000_000000000000_000000000000");
        let many = hello(&[0x0035; 120], &[0], &[0x0401]);
        assert!(many.ja4().starts_with("t12d990100_"));
        assert!(many.ja4().ends_with("_000000000000"));
    }

    #[test]
    fn protocols_that_are_no_text_print_as_hex() {
        let of = |name: &[u8]| protocol(Some(&name.to_vec()));
        assert_eq!(of(b"h2"), "h2");
        assert_eq!(of(b"http/1.1"), "h1");
        assert_eq!(of(b"x"), "xx");
        assert_eq!(of(b""), "00");
        assert_eq!(of(&[0xab]), "ab");
        assert_eq!(of(&[0xab, 0xcd]), "ad");
        assert_eq!(of(&[0x30, 0xab]), "3b");
        assert_eq!(of(&[0x30, 0x31, 0xab, 0xcd]), "3d");
        assert_eq!(of(&[0x30, 0xab, 0xcd, 0x31]), "01");
        assert_eq!(protocol(None), "00");
    }
}
