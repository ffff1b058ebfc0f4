//! `server-rejects-client-cert`: the server demands a client certificate and gets none it takes.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion};
use super::tls_alert;
use crate::case::Case;
use crate::input::Direction;

pub(super) const DETECTOR: Detector = Detector {
    id: "server-rejects-client-cert",
    kind: Kind::Cause,
    class: Class::Credentials,
    explains: &["tls-alert-", "clean-close-no-reason", "rst-genuine-server"],
    remedy: "A Remote Desktop host never asks for a client certificate in TLS: this is a gateway or load balancer with mutual TLS. Reach the host itself, or give the client a certificate that the gateway takes.",
    next: &[],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    const ABOUT_CERTIFICATES: std::ops::RangeInclusive<u8> = 40..=49;
    let tls = &case.this.tls;
    let request = tls.certificate_request.seen()?;
    let (seen, alert) = tls.fatal_alert(Some(Direction::ToClient))?;
    let number = alert.description.0;
    if number != 116 && !ABOUT_CERTIFICATES.contains(&number) {
        return None;
    }
    let (party, sure) = tls_alert::whose(case.this, seen);
    let sent = tls.client_certificates.value().copied();
    let band = if number == 116 || sent == Some(0) { Band::High } else { Band::Possible };
    Some(
        Opinion::new(
            band,
            "The server demands a TLS client certificate and did not accept what the client sent.",
        )
        .party(party, sure.min(Band::Probable))
        .supports(Evidence::of(request, "the server sent a CertificateRequest"))
        .supports(Evidence::of(seen, format!("then alert {number} {}", alert.description))),
    )
}
