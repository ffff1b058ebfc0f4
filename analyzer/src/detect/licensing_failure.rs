//! `licensing-failure`: licensing ended with an error that is none of the good ones. MS-RDPBCGR 2.2.1.12.1.3.
//!
//! Licensing PDUs can be read under standard RDP security alone.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::who;
use crate::case::Case;
use crate::input::Direction;
use crate::wire::licensing::{LicensingError, LicensingPdu};

pub(super) const DETECTOR: Detector = Detector {
    id: "licensing-failure",
    kind: Kind::Definition,
    class: Class::Session,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Check that the server finds a licence server with client access licences left, and delete a damaged licence stored by the client.",
    next: &[Next {
        what: "how the server is licensed (on the server, read-only)",
        command: Some(
            "Get-CimInstance -Namespace root/cimv2/TerminalServices Win32_TerminalServiceSetting | Select LicensingType, LicensingName",
        ),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    /// ST_TOTAL_ABORT: the connection can not go on.
    const TOTAL_ABORT: u32 = 1;
    let facts = case.this;
    let (dir, alert) = facts.rdp.licensing_error.as_ref()?;
    let LicensingPdu::ErrorAlert { code, transition } = alert.value else { return None };
    if code == LicensingError::STATUS_VALID_CLIENT || facts.is_active() {
        return None;
    }
    let name = code.name().unwrap_or("a code that the specification does not name");
    let side = who::sender(*dir);
    let (party, band) = match dir {
        Direction::ToServer => (Party::Client, Band::Probable),
        Direction::ToClient => (Party::Server, Band::Probable),
    };
    let opinion = Opinion::new(
        if transition == TOTAL_ABORT { Band::Certain } else { Band::High },
        format!("Licensing failed: the {side} side answered {name} ({:#x}).", code.0),
    );
    Some(opinion.party(party, band).supports(Evidence::of(
        alert,
        format!(
            "licensing error message, dwErrorCode {:#x}, dwStateTransition {transition}",
            code.0
        ),
    )))
}
