//! `tcp-refused-rst`: RST in answer to the SYN. RFC 9293 3.10.7.1.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::input::{ConnectFailureKind, Leg};

pub(super) const DETECTOR: Detector = Detector {
    id: "tcp-refused-rst",
    kind: Kind::Definition,
    class: Class::Reachability,
    explains: &["clean-close-no-reason", "rst-genuine-"],
    remedy: "Start Remote Desktop on the server (service TermService) or open its port; check that the port number is right.",
    next: &[
        Next {
            what: "whether the service listens (on the server)",
            command: Some(
                "Get-Service TermService; Get-NetTCPConnection -LocalPort 3389 -State Listen",
            ),
        },
        Next {
            what: "whether a firewall on the way refuses in its place: the same from a machine beside the server",
            command: Some("Test-NetConnection SERVER -Port 3389"),
        },
    ],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let leg = case.this.tcp.leg(Leg::Server);
    let last = leg.telling_attempt().filter(|_| !leg.opened.is_seen())?;
    if last.failure.kind != ConnectFailureKind::Refused {
        return None;
    }
    let to = last.failure.to.map_or("the server".to_owned(), |to| to.to_string());
    let ms = last.failure.after.as_secs_f64() * 1000.0;
    let says = format!(
        "{to} refused the TCP connection: nothing listens there, or a firewall answers in its place."
    );
    Some(
        Opinion::new(Band::High, says)
            .party(Party::Unknown, Band::Weak)
            .supports(Evidence::at(
                last.at,
                format!("RST in answer to the SYN to {to} after {ms:.1} ms, no ICMP"),
            ))
            .unknown("whether the RST came from the host or from a firewall before it"),
    )
}
