//! The server's wish for a client certificate, rare in RDP: a gateway or a smart-card set-up.

use crate::wire::{Parsed, Reader};

/// A CertificateRequest of TLS 1.2 and below (RFC 5246 section 7.4.4). Only its first list has the
/// same shape in every version; the rest is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    /// Wanted kinds of certificate: 1 RSA, 64 ECDSA and so on.
    pub certificate_types: Vec<u8>,
    /// Length of the message without its header.
    pub size: usize,
}

impl CertificateRequest {
    /// The message in `body`, which starts after the handshake header.
    pub fn parse(body: &[u8]) -> Parsed<CertificateRequest> {
        let mut reader = Reader::new(body);
        let length = reader.u8("certificate types length")?;
        let certificate_types = reader.take(length.into(), "certificate types")?.to_vec();
        Ok(CertificateRequest { certificate_types, size: body.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_list_is_read_and_the_rest_kept_out() {
        let request = CertificateRequest::parse(&[3, 1, 2, 64, 0, 0, 0, 0]).unwrap();
        assert_eq!(request, CertificateRequest { certificate_types: vec![1, 2, 64], size: 8 });
        assert!(CertificateRequest::parse(&[3, 1]).unwrap_err().is_incomplete());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            if let Ok(request) = CertificateRequest::parse(&bytes) {
                prop_assert!(request.certificate_types.len() < bytes.len());
            }
        }
    }
}
