//! JA4, the fingerprint of a ClientHello (FoxIO's JA4 for TLS clients, BSD 3-Clause; the other
//! members of that family carry another licence and are not here).

use super::{ClientHello, ExtensionType, ProtocolVersion, is_grease};
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
    values.iter().map(|value| format!("{value:04x}")).collect::<Vec<_>>().join(",")
}

/// The first twelve hex digits of SHA-256; zeros for an empty list.
fn digest(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(12);
    }
    Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
