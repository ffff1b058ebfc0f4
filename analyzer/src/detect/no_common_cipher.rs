//! `no-common-cipher`: client and server share no cipher suite, group or signature algorithm. The
//! alert's number alone does not decide it, so this is a candidate, not a verdict.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::input::Direction;

pub(super) const DETECTOR: Detector = Detector {
    id: "no-common-cipher",
    kind: Kind::Cause,
    class: Class::ServerConfig,
    explains: &["tls-alert-40", "tls-alert-71"],
    remedy: "Enable suites that both sides have (TLS 1.2 with ECDHE and AES-GCM at least); check that the certificate's key type fits the client's suites.",
    next: &[Next {
        what: "whether Schannel found no common suite (on the server, read-only)",
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='System';Id=36874,36888} -MaxEvents 5; Get-TlsCipherSuite | Select Name",
        ),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let tls = &case.this.tls;
    let (seen, alert) = tls.fatal_alert(Some(Direction::ToClient))?;
    let hello = tls.client_hello.seen()?;
    if !matches!(alert.description.0, 40 | 71) || tls.server_hello.is_seen() {
        return None;
    }
    let suites = hello.value.cipher_suites.len();
    Some(
        Opinion::new(
            Band::Weak,
            "Client and server may share no cipher suite, group, signature algorithm or key type.",
        )
        .party(Party::Server, Band::Possible)
        .supports(Evidence::of(hello, format!("the client offered {suites} cipher suites")))
        .supports(Evidence::of(
            seen,
            format!("the server answered with alert {}", alert.description.0),
        ))
        .unknown("which suites the server would accept"),
    )
}
