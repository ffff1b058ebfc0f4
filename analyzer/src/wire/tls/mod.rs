//! TLS as seen from the outside: records, the handshake messages that travel unencrypted, alerts
//! and certificates (RFC 8446, RFC 5246). No keys and no state beyond joining handshake messages.

mod alert;
mod certificate;
mod certificate_match;
mod certificate_names;
mod certificate_request;
mod chain;
mod client_hello;
mod extensions;
mod handshake;
mod ja4;
mod record;
#[cfg(test)]
pub(crate) mod samples;
mod server_hello;
mod values;

pub use alert::{Alert, AlertDescription, AlertLevel};
pub use certificate::{CertificateMessage, CertificateSummary, KeyUsage, SubjectName};
pub use certificate_match::CertificateDefect;
pub use certificate_request::CertificateRequest;
pub use chain::{Chain, chain};
pub use client_hello::ClientHello;
pub use handshake::{HandshakeBuffer, HandshakeHeader, HandshakeTooLong};
pub use record::RecordHeader;
pub use server_hello::{DowngradeSentinel, ServerHello};
pub use values::{
    CipherSuite, ContentType, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion,
    SignatureScheme, is_grease,
};
