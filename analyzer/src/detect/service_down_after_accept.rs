//! `service-down-after-accept`: TCP is up, the request arrived, and no X.224 confirm comes.

use std::time::Duration;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::{proxy_header_sent, who};
use crate::case::Case;
use crate::input::Direction;

pub(super) const DETECTOR: Detector = Detector {
    id: "service-down-after-accept",
    kind: Kind::Definition,
    class: Class::ServerConfig,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Look at the Remote Desktop service on the server: it hangs, or too many connections wait for it. Restarting TermService ends the sessions on it.",
    next: &[Next {
        what: "whether the connection reached the service (on the server, read-only)",
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational';Id=131,98,99} -MaxEvents 5",
        ),
    }],
    detect,
};

/// A confirm takes milliseconds; no user is asked anything before it.
const PATIENCE: Duration = Duration::from_secs(10);

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let request = facts.x224.request.seen()?;
    if facts.stream(Direction::ToClient).bytes > 0 || !facts.would_show_an_answer() {
        return None;
    }
    let until = facts.ending().map_or(facts.now, |ending| ending.at.time);
    let silent = until.since(facts.delivered(request.at.time));
    if silent < PATIENCE {
        return None;
    }
    let seconds = silent.as_secs_f64();
    let acknowledged = who::all_acknowledged(facts, Direction::ToServer);
    let says = if acknowledged == Some(true) {
        format!(
            "The Remote Desktop request was taken and the service behind it said nothing for {seconds:.0} s: it hangs or is overloaded."
        )
    } else {
        format!(
            "The connection was accepted and the Remote Desktop request had no answer for {seconds:.0} s: the service behind it hangs or is overloaded, or the request was lost."
        )
    };
    let opinion = |band| {
        Opinion::new(band, says.clone()).supports(Evidence::of(
            request,
            format!(
                "no byte from the server in the {seconds:.1} s after the X.224 Connection Request"
            ),
        ))
    };
    if proxy_header_sent::may_be_refused(facts) {
        let refused = "whether the server expects the PROXY protocol header that the relay sends";
        return Some(opinion(Band::Weak).unknown(refused));
    }
    Some(match acknowledged {
        Some(true) => opinion(Band::Probable)
            .party(Party::Server, Band::Possible)
            .supports(Evidence::absent("the request was acknowledged: nothing sent is outstanding"))
            .unknown("whether the host itself took it, or a forwarder whose host does not answer"),
        Some(false) => opinion(Band::Weak).contradicts(Evidence::absent(
            "the request was not acknowledged: the packet may never have arrived",
        )),
        None => opinion(Band::Possible).unknown("whether the request was acknowledged"),
    })
}
