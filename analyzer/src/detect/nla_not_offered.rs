//! `nla-not-offered`: the client insists on NLA and the server has none to offer.

use super::insistence;
use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::wire::x224::Protocols;

pub(super) const DETECTOR: Detector = Detector {
    id: "nla-not-offered",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Turn NLA on at the server (UserAuthentication=1) rather than off in the client. xrdp has no NLA: there the client must be allowed to use TLS.",
    next: &[Next {
        what: "whether the server has NLA on (on the server, read-only)",
        command: Some(
            "Get-ItemProperty 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations\\RDP-Tcp' | Select UserAuthentication",
        ),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let confirm = facts.x224.confirm.seen()?;
    let (requested, selected) = (facts.x224.requested()?, confirm.value.selected()?);
    let ending = insistence::left_behind_confirm(facts)?;
    if !requested.is_nla() || selected.is_nla() || !requested.contains(selected) {
        return None;
    }
    let without_nla = |selected: Protocols| !selected.is_nla();
    let nla = Protocols::is_nla;
    let band = insistence::insists(case, confirm.at, ending, without_nla, nla, Band::Weak);
    Some(
        Opinion::new(
            band,
            "The client insists on Network Level Authentication and the server offered only TLS without it, so the client left.",
        )
        .party(Party::Client, Band::Possible)
        .supports(Evidence::of(confirm, format!("the server selected {selected}; the client had asked for {requested}")))
        .supports(Evidence::at(ending.at, "the client closed without sending a TLS ClientHello"))
        .unknown("whether the user cancelled at that moment, or this was a scanner"),
    )
}
