//! `server-error-info`: the server says in a Set Error Info PDU why it ends the session. MS-RDPBCGR 2.2.5.1.1.
//!
//! It stands in clear only under standard RDP security without encryption.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::codes::errinfo;

pub(super) const DETECTOR: Detector = Detector {
    id: "server-error-info",
    kind: Kind::Definition,
    class: Class::Session,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Act on the server's own reason; `rdpwhy explain errinfo:CODE` says what it means and what to look at.",
    next: &[Next {
        what: "what the server logged about the session (on the server, read-only)",
        command: Some(
            "Get-WinEvent -LogName 'Microsoft-Windows-TerminalServices-LocalSessionManager/Operational' -MaxEvents 10",
        ),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    /// No error, to be ignored.
    const NONE: u32 = 0;
    /// ERRINFO_RPC_INITIATED_DISCONNECT_BYUSER and ERRINFO_LOGOFF_BY_USER.
    const BY_USER: [u32; 2] = [0xB, 0xC];
    let said = case.this.rdp.error_info.seen().filter(|said| said.value.0 != NONE)?;
    let code = said.value.0;
    let known = errinfo::lookup(code);
    let (name, meaning) = match known {
        Some(code) => (code.name.unwrap_or("without a name"), code.meaning),
        None => ("unknown to this build", "Nothing more is known of this code."),
    };
    let opinion = Opinion::new(
        Band::Certain,
        format!("The server ended the session and said why, code {code:#x} ({name}): {meaning}"),
    )
    .party(Party::Server, Band::Probable)
    .supports(Evidence::of(said, format!("Set Error Info PDU, errorInfo {code:#010x}")))
    .unknown("whether the PDU was changed on its way: nothing protects it");
    // A user who leaves his session ends it well.
    let left = BY_USER.contains(&code) && case.this.is_active();
    Some(if left { opinion.only_a_fact() } else { opinion })
}
