//! `proxy-connect-needed`: a forward web proxy answered in place of the server, so the way out leads through it.
//! RFC 9110 7.7, 9.3.6, 15.5.8.

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use crate::case::Case;
use crate::input::Direction;
use crate::wire::first_bytes::{FirstBytes, WebAnswer};

pub(super) const DETECTOR: Detector = Detector {
    id: "proxy-connect-needed",
    kind: Kind::Cause,
    class: Class::Reachability,
    explains: &["http-answer"],
    remedy: "Let Remote Desktop pass the web proxy: an exception for this destination, or an RD Gateway on port 443 that the proxy allows (CONNECT).",
    next: &[Next {
        what: "whether the proxy lets a tunnel to the server through",
        command: Some("curl -v -p -x http://PROXY:3128 telnet://SERVER:3389"),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let first = case.this.x224.first_bytes[Direction::ToClient.index()].seen()?;
    let FirstBytes::HttpResponse(WebAnswer::ForwardProxy { demands_login }) = first.value else {
        return None;
    };
    if !case.this.x224.request.is_seen() {
        return None;
    }
    let (band, fact) = if demands_login {
        (Band::Probable, "a proxy demands a login in its answer (407 or Proxy-Authenticate)")
    } else {
        (Band::Possible, "the answer is one of a forward proxy (Proxy-Agent or X-Squid-Error)")
    };
    Some(
        Opinion::new(
            band,
            "A web proxy stands on the way out and answered instead of the server: Remote Desktop has to be asked through it (CONNECT) or exempted from it.",
        )
        .party(Party::Unknown, Band::Weak)
        .supports(Evidence::of(first, fact))
        .unknown("whether the proxy would let a tunnel to this server through"),
    )
}
