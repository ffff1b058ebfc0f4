//! TLS alert descriptions. RFC 8446 6, and older or newer documents where a row says so.

use super::{Code, find};

/// The row of an alert description.
pub fn lookup(value: u32) -> Option<&'static Code> {
    find(TABLE, value)
}

/// The name of an alert description, as the RFCs spell it.
pub fn name(value: u8) -> Option<&'static str> {
    lookup(u32::from(value))?.name
}

const TLS13: &str = "RFC 8446 6";
const TLS12: &str = "RFC 5246 7.2";
const EXTENSIONS: &str = "RFC 6066 9";

const fn row(value: u32, name: &'static str, meaning: &'static str) -> Code {
    Code::specified(value, name, meaning, TLS13)
}

/// Every known alert description, sorted by value.
#[rustfmt::skip] // one row a line
pub static TABLE: &[Code] = &[
    row(0, "close_notify", "The sender will send no more; an orderly end, not an error."),
    row(10, "unexpected_message", "A message came that does not belong at this point of the handshake."),
    row(20, "bad_record_mac", "A record could not be decrypted or authenticated: keys or bytes differ between the two ends."),
    Code::specified(21, "decryption_failed", "A record could not be decrypted; old, must not be sent any more.", TLS12),
    row(22, "record_overflow", "A record was longer than TLS allows."),
    Code::specified(30, "decompression_failure", "A record could not be decompressed; old, TLS 1.2 and before.", TLS12),
    row(40, "handshake_failure", "The sender found no set of security parameters that both sides accept: cipher suite, group or signature."),
    Code::specified(41, "no_certificate", "SSL 3.0: the client has no certificate to answer a request with.", "RFC 6101 5.4.2"),
    row(42, "bad_certificate", "A certificate is corrupt or its signature does not verify."),
    row(43, "unsupported_certificate", "A certificate is of a kind the sender does not support."),
    row(44, "certificate_revoked", "A certificate was revoked by its signer."),
    row(45, "certificate_expired", "A certificate has expired or is not valid at this time."),
    row(46, "certificate_unknown", "A certificate was not acceptable for some other reason."),
    row(47, "illegal_parameter", "A field of the handshake is wrong or does not fit the others."),
    row(48, "unknown_ca", "The certificate chain does not end at an authority the sender trusts."),
    row(49, "access_denied", "The certificate is valid, but the sender's access control refused to go on."),
    row(50, "decode_error", "A message could not be parsed."),
    row(51, "decrypt_error", "A signature or a Finished message of the handshake does not verify."),
    Code::specified(60, "export_restriction", "TLS 1.0: export rules were not kept; must not be sent any more.", "RFC 2246 7.2; reserved since RFC 4346"),
    row(70, "protocol_version", "The sender recognises the TLS version that the peer offered and does not support it."),
    row(71, "insufficient_security", "The server wants parameters more secure than the client supports."),
    row(80, "internal_error", "The sender had an error of its own that has nothing to do with the peer or the protocol."),
    row(86, "inappropriate_fallback", "The client retried with a lower version than the server supports (TLS_FALLBACK_SCSV, RFC 7507)."),
    row(90, "user_canceled", "The user cancelled the handshake; not a protocol failure."),
    Code::specified(100, "no_renegotiation", "The sender does not want to renegotiate; TLS 1.2 and before.", TLS12),
    row(109, "missing_extension", "A mandatory extension is missing from the handshake."),
    row(110, "unsupported_extension", "A message carried an extension that is not allowed there or was not asked for."),
    Code::specified(111, "certificate_unobtainable", "A certificate could not be fetched from the URL given.", EXTENSIONS),
    row(112, "unrecognized_name", "The server does not serve the name that the client asked for (SNI)."),
    row(113, "bad_certificate_status_response", "The stapled OCSP response is not valid."),
    Code::specified(114, "bad_certificate_hash_value", "The hash of a certificate does not match its URL's content.", EXTENSIONS),
    row(115, "unknown_psk_identity", "The pre-shared key that the client named is not known."),
    row(116, "certificate_required", "The server wanted a client certificate and got none."),
    row(120, "no_application_protocol", "None of the application protocols the client offered (ALPN) is supported."),
    Code::specified(121, "ech_required", "The peer did not use Encrypted ClientHello as required.", "IANA registry of TLS alerts (Encrypted ClientHello)"),
];

#[cfg(test)]
mod tests {
    use super::super::checks;
    use super::*;

    #[test]
    fn every_row_is_there() {
        checks::covers(
            TABLE,
            &[
                0..=0,
                10..=10,
                20..=22,
                30..=30,
                40..=51,
                60..=60,
                70..=71,
                80..=80,
                86..=86,
                90..=90,
                100..=100,
                109..=116,
                120..=121,
            ],
        );
        checks::is_written_out(TABLE);
        assert_eq!(name(80), Some("internal_error"));
        assert_eq!(name(255), None);
    }
}
