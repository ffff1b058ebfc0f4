//! The failure codes of RDP_NEG_FAILURE, the server's refusal inside the X.224 Connection Confirm.
//! MS-RDPBCGR 2.2.1.2.2.

use super::{Code, Standing, find};

/// The row of a negotiation failure code.
pub fn lookup(value: u32) -> Option<&'static Code> {
    find(TABLE, value)
}

/// The name of a negotiation failure code.
pub fn name(value: u32) -> Option<&'static str> {
    lookup(value)?.name
}

const SPEC: &str = "MS-RDPBCGR 2.2.1.2.2";

const fn row(value: u32, name: &'static str, meaning: &'static str) -> Code {
    Code::specified(value, name, meaning, SPEC)
}

/// Every known failure code, sorted by value.
#[rustfmt::skip] // one row a line
pub static TABLE: &[Code] = &[
    row(1, "SSL_REQUIRED_BY_SERVER", "The server insists on TLS and the client did not offer it."),
    row(2, "SSL_NOT_ALLOWED_BY_SERVER", "The server is set to the standard RDP security layer only and the client offered something else."),
    row(3, "SSL_CERT_NOT_ON_SERVER", "The server has no usable authentication certificate for TLS."),
    row(4, "INCONSISTENT_FLAGS", "The requested protocols do not fit the security that is already in force."),
    row(5, "HYBRID_REQUIRED_BY_SERVER", "The server demands Network Level Authentication (CredSSP) and the client did not offer it."),
    row(6, "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER", "The server demands TLS with authentication of the client by certificate."),
    Code {
        value: 7,
        name: Some("ENTRA_AUTH_REQUIRED_BY_SERVER"),
        meaning: "The server demands Microsoft Entra ID authentication.",
        source: "IronRDP source, nego.rs; not in the other implementations that were read",
        standing: Standing::Reported,
    },
];

#[cfg(test)]
mod tests {
    use super::super::checks;
    use super::*;

    #[test]
    fn every_row_is_there() {
        checks::covers(TABLE, std::slice::from_ref(&(1..=7)));
        checks::is_written_out(TABLE);
        assert_eq!(name(5), Some("HYBRID_REQUIRED_BY_SERVER"));
        assert_eq!((name(0), name(8)), (None, None));
    }
}
