//! `tls13-sentinel`: the server's random says that it could have done a newer TLS. RFC 8446 4.1.3.
//! To a client that offered no newer one this is correct behaviour and says nothing.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::case::Case;
use crate::facts::{Facts, Vantage};
use crate::wire::tls::{DowngradeSentinel, ProtocolVersion};

pub(super) const DETECTOR: Detector = Detector {
    id: "tls13-sentinel",
    kind: Kind::Cause,
    class: Class::Downgrade,
    explains: &["tls-alert-47", "tls-alert-51", "clean-close-no-reason", "rst-genuine-client"],
    remedy: "Find the device that edits TLS hellos on the way to the server, and exempt Remote Desktop from it.",
    next: &[],
    detect,
};

/// The hello that reached the server was another one: the version that it did not offer there.
pub(super) fn betrays(facts: &Facts) -> Option<ProtocolVersion> {
    let tls = &facts.tls;
    let (client, server) = (tls.client_hello.value()?, tls.server_hello.value()?);
    let could = match server.downgrade_sentinel()? {
        DowngradeSentinel::ToTls12 => ProtocolVersion::TLS1_3,
        DowngradeSentinel::ToTls11OrBelow => ProtocolVersion::TLS1_2,
    };
    (client.max_version() >= could && server.version() < could).then_some(could)
}

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let could = betrays(case.this)?;
    let tls = &case.this.tls;
    let (client, server) = (tls.client_hello.seen()?, tls.server_hello.seen()?);
    let party = match case.this.subject.vantage {
        Vantage::Relay => Party::ServerNetwork,
        Vantage::Capture => Party::Network,
    };
    Some(
        Opinion::new(
            Band::High,
            format!("The hello that reached the server did not offer TLS {could}, although the one seen here does: it was changed on the way."),
        )
        .party(party, Band::Probable)
        .supports(Evidence::of(client, format!("the ClientHello offers TLS {}", client.value.max_version())))
        .supports(Evidence::of(server, format!("the server chose {} and its random ends with the downgrade sentinel", server.value.version())))
        .unknown("whether the server sets the sentinel correctly: no control connection was made"),
    )
}
