//! `tls13-sentinel`: the server's random says that it could have done a newer TLS. RFC 8446 4.1.3.
//! To a client that offered no newer one this is correct behaviour and says nothing.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Opinion, Party};
use crate::case::Case;
use crate::facts::Vantage;
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

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let tls = &case.this.tls;
    let (client, server) = (tls.client_hello.seen()?, tls.server_hello.seen()?);
    let sentinel = server.value.downgrade_sentinel()?;
    let could = match sentinel {
        DowngradeSentinel::ToTls12 => ProtocolVersion::TLS1_3,
        DowngradeSentinel::ToTls11OrBelow => ProtocolVersion::TLS1_2,
    };
    if client.value.max_version() < could || server.value.version() >= could {
        return None;
    }
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
