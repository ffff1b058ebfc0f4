//! `tls-version-intolerance`, `ch-fragmentation-intolerance`: a hello fails for what it offers, or for its
//! size, and another hello of the same client passes. RFC 8446 4.1.2, D.

use super::opinion::{Band, Class, Control, Detector, Evidence, Group, Kind, Next, Opinion, Party};
use crate::case::{Case, Summary};
use crate::facts::Reached;
use crate::input::Direction;
use crate::wire::tls::ProtocolVersion;

pub(super) const VERSION: Detector =
    Detector { id: "tls-version-intolerance", detect: version, ..ROW };

pub(super) const FRAGMENTATION: Detector = Detector {
    id: "ch-fragmentation-intolerance",
    remedy: "Update the device on the way that does not put a ClientHello of two segments together.",
    detect: fragmentation,
    ..ROW
};

const ROW: Detector = Detector {
    id: "",
    kind: Kind::Cause,
    class: Class::Interference,
    explains: &[
        "clean-close-no-reason",
        "rst-genuine-server",
        "rst-of-unclear-origin",
        "transmission-stalled",
        "server-stall",
        "tls-alert-",
    ],
    remedy: "Update the server or the device on the way that does not tolerate this TLS version. Do not switch the version off.",
    next: &[Next {
        what: "whether the server itself, from beside it, takes the same hello",
        command: Some("openssl s_client -connect SERVER:3389 -starttls rdp -tls1_3"),
    }],
    detect: |_| None,
};

/// The attempts of this case that got past the hello, and those that did not.
fn passed<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Summary> + use<'a> {
    let this = Summary::of(case.this);
    case.siblings
        .iter()
        .copied()
        .filter(move |sibling| sibling.follows(&this) || this.follows(sibling))
        .filter(|sibling| sibling.reached > Some(Reached::TlsClientHello))
}

/// This hello had no answer, or was refused, before the server said hello.
fn failed_at_hello(case: &Case<'_>) -> bool {
    let facts = case.this;
    let by_client = facts.ending().is_some_and(|ending| ending.dir == Direction::ToServer);
    let stalled = super::stalled::stalled(facts).is_some();
    facts.tls.client_hello.is_seen() && !facts.tls.server_hello.is_seen() && (!by_client || stalled)
}

fn version(case: &Case<'_>) -> Option<Opinion> {
    let hello = case.this.tls.client_hello.seen().filter(|_| failed_at_hello(case))?;
    let offered = hello.value.max_version();
    let as_new = |sibling: &Summary| sibling.max_version.is_some_and(|other| other >= offered);
    if passed(case).any(as_new) {
        return None;
    }
    let older = passed(case).find(|sibling| {
        sibling.max_version.is_some_and(|version| version < offered)
            && offered >= ProtocolVersion::TLS1_3
    })?;
    let with = older.max_version?;
    let says = format!(
        "A hello that offers TLS {offered} fails and one with TLS {with} passes: the server or something before it does not tolerate the newer one."
    );
    Some(
        Opinion::new(Band::Weak, says)
            .party(Party::Unknown, Band::Weak)
            .weigh(Group::Siblings, 1.0)
            .control(Some(Control::Sibling))
            .supports(Evidence::of(
                hello,
                format!("this hello offers TLS {offered} and was not answered by a ServerHello"),
            ))
            .supports(Evidence::absent(format!(
                "another attempt of the same client, with TLS {with} at most, was"
            )))
            .unknown("whether the server itself does not tolerate it, or a device on the way"),
    )
}

fn fragmentation(case: &Case<'_>) -> Option<Opinion> {
    /// A segment holds less than this of a hello.
    const SEGMENT: usize = 1460;
    let hello = case.this.tls.client_hello.seen().filter(|_| failed_at_hello(case))?;
    if hello.value.size <= SEGMENT {
        return None;
    }
    let opinion = Opinion::new(
        Band::Weak,
        "Something on the way may not put together a ClientHello that takes two segments.",
    )
    .party(Party::Unknown, Band::Weak)
    .supports(Evidence::of(
        hello,
        format!("the ClientHello has {} bytes and was not answered", hello.value.size),
    ));
    Some(opinion.unknown("whether a smaller hello passes"))
}
