//! `no-common-version`: client and server share no TLS version. RFC 8446 4.2.1, alert 70.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::{Case, Summary};
use crate::facts::Reached;
use crate::input::Direction;

pub(super) const DETECTOR: Detector = Detector {
    id: "no-common-version",
    kind: Kind::Cause,
    class: Class::ServerConfig,
    explains: &["tls-alert-70"],
    remedy: "Enable a TLS version that both sides have, TLS 1.2 at least: on Windows under SCHANNEL\\Protocols (note the present values to undo), on old clients by update.",
    next: &[Next {
        what: "which versions the server has switched off (on the server, read-only)",
        command: Some(
            "Get-ChildItem -Recurse 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols'",
        ),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    const PROTOCOL_VERSION: u8 = 70;
    let tls = &case.this.tls;
    let (seen, alert) = tls.fatal_alert(None)?;
    let hello = tls.client_hello.seen()?;
    if alert.description.0 != PROTOCOL_VERSION {
        return None;
    }
    // The same server took one of these versions from the same user: they have one in common.
    let shared = |sibling: &Summary| {
        let offers = |version| hello.value.offered_versions().contains(&version);
        sibling.reached > Some(Reached::TlsClientHello) && sibling.max_version.is_some_and(offers)
    };
    if seen.value.dir == Direction::ToClient && case.siblings.iter().copied().any(shared) {
        return None;
    }
    let offered: Vec<String> =
        hello.value.offered_versions().iter().map(ToString::to_string).collect();
    let offered = offered.join(", ");
    let offer = Evidence::of(hello, format!("the client offered TLS {offered}"));
    let opinion = match (seen.value.dir, tls.server_hello.seen()) {
        (Direction::ToServer, Some(server)) => Opinion::new(
            Band::Probable,
            format!("The server chose TLS {} and the client does not accept it.", server.value.version()),
        )
        .party(Party::Client, Band::Possible)
        .supports(Evidence::of(server, format!("the server chose {}", server.value.version()))),
        (Direction::ToClient, None) => Opinion::new(
            Band::Possible,
            format!("Client and server share no TLS version: the server refused an offer of TLS {offered}."),
        )
        .party(Party::Server, Band::Possible)
        .unknown("which versions the server would accept"),
        _ => return None,
    };
    let said = format!("alert 70 protocol_version from the {}", super::who::sender(seen.value.dir));
    Some(opinion.supports(offer).supports(Evidence::of(seen, said)))
}
