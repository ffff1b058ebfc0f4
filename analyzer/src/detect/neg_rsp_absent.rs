//! `neg-rsp-absent`: the client asks for TLS, and the server confirms without a word on it. Such a server
//! knows standard RDP security only. MS-RDPBCGR 2.2.1.2, 3.2.5.3.2.

use super::insistence;
use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::wire::x224::Protocols;

pub(super) const DETECTOR: Detector = Detector {
    id: "neg-rsp-absent",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Find out what answers there: a very old Windows, another product, or a device in between that takes the negotiation out. Let the server do TLS; do not let the client fall back to RDP security.",
    next: &[Next {
        what: "which security layers that port offers (it only asks)",
        command: Some("nmap -p 3389 --script rdp-enum-encryption SERVER"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let confirm = facts.x224.confirm.seen()?;
    let requested = facts.x224.requested().filter(|asked| *asked != Protocols::RDP)?;
    if confirm.value.negotiation.is_some() || confirm.value.damage.is_some() {
        return None;
    }
    let ending = insistence::left_behind_confirm(facts)?;
    let rdp_security = |selected: Protocols| selected == Protocols::RDP;
    let asked_for_more = |requested: Protocols| requested != Protocols::RDP;
    let once = Band::Possible;
    let band = insistence::insists(case, confirm.at, ending, rdp_security, asked_for_more, once);
    Some(
        Opinion::new(
            band,
            format!(
                "The server answered as one that knows the old RDP security layer only; the client had asked for {requested} and left."
            ),
        )
        .party(Party::Unknown, Band::Weak)
        .supports(Evidence::of(
            confirm,
            format!("a Connection Confirm without negotiation; the client had asked for {requested}"),
        ))
        .supports(Evidence::at(ending.at, "the client closed without a further message"))
        .unknown("whether the answer was changed on its way: the negotiation is not protected")
        .unknown("whether the user cancelled at that moment, or this was a scanner"),
    )
}
