//! `server-crash-close`: a session that was up was cut off in the middle of a message from the server's side. The
//! server's word on it (MS-RDPBCGR 2.2.5.1.1, codes 0x0F to 0x18) would be encrypted: a candidate.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::who;
use crate::case::Case;

pub(super) const DETECTOR: Detector = Detector {
    id: "server-crash-close",
    kind: Kind::Cause,
    class: Class::Session,
    explains: &["truncated-tls"],
    remedy: "Look at the server's logs of that second: the Remote Desktop service or a display driver that crashed, a session that was killed, a restart.",
    next: &[Next {
        what: "what crashed or restarted at that second (on the server, read-only)",
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='System','Application';Level=1,2} -MaxEvents 20",
        ),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let ending = facts.cut_off_by_server().filter(|_| facts.is_active())?;
    let says = "The server's program may have crashed or been killed: the session ended in the middle of what it was sending.";
    Some(
        Opinion::new(Band::Weak, says)
            .party(Party::Server, Band::Weak)
            .supports(who::ended(ending))
            .supports(Evidence::absent("the server left its last message unfinished"))
            .unknown("whether a load balancer or proxy on the way ended it instead"),
    )
}
