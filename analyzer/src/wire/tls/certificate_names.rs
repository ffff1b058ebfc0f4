//! Names for the identifiers found in certificates, and text out of their string types.

use x509_parser::asn1_rs::{Oid, Tag};
use x509_parser::prelude::{AttributeTypeAndValue, ExtendedKeyUsage, X509Name};

/// A distinguished name in the order of the certificate, with the short names of RFC 4514.
pub(super) fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    for rdn in name.iter_rdn() {
        for (index, attribute) in rdn.iter().enumerate() {
            let separator = match (text.is_empty(), index) {
                (true, _) => "",
                (false, 0) => ", ",
                (false, _) => " + ",
            };
            let typ = attribute_type(attribute.attr_type());
            text.push_str(&format!("{separator}{typ}={}", string_value(attribute)));
        }
    }
    text
}

/// The text of an attribute (RFC 5280 section 4.1.2.4). What is no text prints as `#` and hex.
pub(super) fn string_value(attribute: &AttributeTypeAndValue<'_>) -> String {
    let bytes = attribute.as_slice();
    match attribute.attr_value().tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        Tag::T61String => bytes.iter().copied().map(char::from).collect(),
        Tag::BmpString => {
            let units = bytes
                .chunks_exact(2)
                .map(|pair| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte)));
            char::decode_utf16(units)
                .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        _ => bytes.iter().fold("#".to_owned(), |text, byte| text + &format!("{byte:02x}")),
    }
}

/// Short names, or dotted identifiers, of the extended key usages (RFC 5280 section 4.2.1.12).
pub(super) fn usages(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let known = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let known = known.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| (*name).to_owned());
    known.chain(usage.other.iter().map(other_usage)).collect()
}

fn other_usage(oid: &Oid<'_>) -> String {
    name_or_dotted(oid, |dotted| {
        Some(match dotted {
            "1.3.6.1.4.1.311.54.1.2" => "Remote Desktop Authentication",
            "1.3.6.1.4.1.311.20.2.2" => "Smart Card Logon",
            "1.3.6.1.5.2.3.5" => "KDC Authentication",
            _ => return None,
        })
    })
}

/// Name of a public key algorithm (RFC 3279, RFC 5480, RFC 8410).
pub(super) fn key_algorithm(oid: &Oid<'_>) -> String {
    name_or_dotted(oid, |dotted| {
        Some(match dotted {
            "1.2.840.113549.1.1.1" => "RSA",
            "1.2.840.113549.1.1.10" => "RSA-PSS",
            "1.2.840.10045.2.1" => "EC",
            "1.2.840.10040.4.1" => "DSA",
            "1.3.101.112" => "Ed25519",
            "1.3.101.113" => "Ed448",
            _ => return None,
        })
    })
}

/// Name of a signature algorithm (RFC 3279, RFC 4055, RFC 5758, RFC 8410).
pub(super) fn signature_algorithm(oid: &Oid<'_>) -> String {
    name_or_dotted(oid, |dotted| {
        Some(match dotted {
            "1.2.840.113549.1.1.2" => "md2WithRSAEncryption",
            "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
            "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
            "1.3.14.3.2.29" => "sha1WithRSA",
            "1.2.840.113549.1.1.10" => "rsassaPss",
            "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
            "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
            "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
            "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
            "1.2.840.10040.4.3" => "dsa-with-SHA1",
            "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
            "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
            "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
            "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
            "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
            "1.3.101.112" => "Ed25519",
            "1.3.101.113" => "Ed448",
            _ => return None,
        })
    })
}

/// Name and size of an elliptic curve (RFC 5480 section 2.1.1.1, RFC 5639).
pub(super) fn curve(oid: &Oid<'_>) -> (String, Option<u32>) {
    let dotted = oid.to_id_string();
    let (name, bits) = match dotted.as_str() {
        "1.2.840.10045.3.1.1" => ("P-192", 192),
        "1.3.132.0.33" => ("P-224", 224),
        "1.2.840.10045.3.1.7" => ("P-256", 256),
        "1.3.132.0.34" => ("P-384", 384),
        "1.3.132.0.35" => ("P-521", 521),
        "1.3.132.0.10" => ("secp256k1", 256),
        "1.3.36.3.3.2.8.1.1.7" => ("brainpoolP256r1", 256),
        "1.3.36.3.3.2.8.1.1.11" => ("brainpoolP384r1", 384),
        "1.3.36.3.3.2.8.1.1.13" => ("brainpoolP512r1", 512),
        _ => return (dotted, None),
    };
    (name.to_owned(), Some(bits))
}

fn attribute_type(oid: &Oid<'_>) -> String {
    name_or_dotted(oid, |dotted| {
        Some(match dotted {
            "2.5.4.3" => "CN",
            "2.5.4.5" => "serialNumber",
            "2.5.4.6" => "C",
            "2.5.4.7" => "L",
            "2.5.4.8" => "ST",
            "2.5.4.9" => "STREET",
            "2.5.4.10" => "O",
            "2.5.4.11" => "OU",
            "0.9.2342.19200300.100.1.1" => "UID",
            "0.9.2342.19200300.100.1.25" => "DC",
            "1.2.840.113549.1.9.1" => "emailAddress",
            _ => return None,
        })
    })
}

fn name_or_dotted(oid: &Oid<'_>, name: impl Fn(&str) -> Option<&'static str>) -> String {
    let dotted = oid.to_id_string();
    name(&dotted).map_or(dotted, str::to_owned)
}
