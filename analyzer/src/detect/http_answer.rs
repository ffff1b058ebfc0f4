//! `http-answer`: HTTP where RDP was expected.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::input::Direction;
use crate::wire::first_bytes::{FirstBytes, WebAnswer};

pub(super) const DETECTOR: Detector = Detector {
    id: "http-answer",
    kind: Kind::Definition,
    class: Class::Reachability,
    explains: &["clean-close-no-reason", "rst-genuine-", "truncated-tls"],
    remedy: "Check the port number and the port forwarding; where a portal or web proxy answers, log in to it or exempt this destination.",
    next: &[Next {
        what: "what answers there",
        command: Some("curl -v telnet://SERVER:3389 (or open the address in a browser)"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let first = case.this.x224.first_bytes[Direction::ToClient.index()].seen()?;
    // A web client that gets a web answer is no failure of RDP.
    if !case.this.may_ask() {
        return None;
    }
    let FirstBytes::HttpResponse(answer) = first.value else { return None };
    let says = match answer {
        WebAnswer::Site => {
            "A web server answered in place of Remote Desktop: the port leads to the wrong service."
        }
        WebAnswer::Portal => {
            "A web server answered in place of Remote Desktop, and its answer looks like a login portal or a web proxy."
        }
        WebAnswer::ForwardProxy { .. } => "A web proxy answered in place of Remote Desktop.",
    };
    let mut opinion = Opinion::new(Band::Certain, says)
        .party(Party::Unknown, Band::Weak)
        .supports(Evidence::of(first, "the first bytes from the server side are an HTTP response"))
        .unknown("whether the host itself or a device on the way gave this answer");
    if answer == WebAnswer::Portal {
        opinion = opinion.supports(Evidence::of(
            first,
            "it redirects, demands a login or stands before another (30x, 511 or Via)",
        ));
    }
    Some(opinion)
}
