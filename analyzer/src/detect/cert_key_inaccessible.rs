//! `cert-key-inaccessible`: the server agreed to TLS and hung up at the first TLS message (Schannel), or before it
//! came (FreeRDP 2's server). Shapes with several causes: a candidate that the event log must decide.

use std::time::Duration;

use super::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion, Party};
use super::who;
use crate::case::Case;
use crate::input::{Close, Direction, SegmentKind};
use crate::wire::x224::Protocols;

pub(super) const DETECTOR: Detector = Detector {
    id: "cert-key-inaccessible",
    kind: Kind::Cause,
    class: Class::ServerConfig,
    explains: &["rst-genuine-server", "clean-close-no-reason"],
    remedy: "If the events below are there: give NETWORK SERVICE read access to the key file under MachineKeys (note the old rights to undo), or let Windows make a new certificate by restarting TermService. Do not rename the whole MachineKeys folder: other keys live in it.",
    next: &[Next {
        what: "whether the server can not use its key (on the server, read-only)",
        command: Some(
            "Get-WinEvent -FilterHashtable @{LogName='System';Id=1057,1058,36870,36871} -MaxEvents 5",
        ),
    }],
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let ending = facts.ending().filter(|ending| {
        let closed = ending.dir == Direction::ToClient && !matches!(ending.how, Close::Error(_));
        closed && !ending.both
    })?;
    let confirm = facts.x224.confirm.seen().filter(|confirm| !ending.at.is_before(confirm.at))?;
    // What nobody asked for is nothing that was agreed.
    let requested = facts.x224.requested().unwrap_or_default();
    let agreed = facts
        .x224
        .selected()
        .is_some_and(|selected| selected != Protocols::RDP && requested.contains(selected));
    let silent = !facts.tls.server_hello.is_seen()
        && facts.tls.alerts.is_empty()
        && !facts.rdp.plaintext_after_hello.is_seen();
    // What the client sent behind the end may be in the input, too.
    let hello = facts.tls.client_hello.seen().filter(|hello| !ending.at.is_before(hello.at));
    let asked = hello.map_or(confirm.at, |hello| hello.at);
    let answered =
        facts.stream(Direction::ToClient).last.is_some_and(|last| last.time > asked.time);
    // It did go on behind a FIN in its name: that was not its end.
    let leg = facts.tcp.leg(facts.source_leg(Direction::ToClient));
    let goes_on = leg
        .kept(SegmentKind::DataAfterFin)
        .any(|seen| seen.value.dir == Direction::ToClient && seen.value.len > 0);
    let waited = ending.at.time.since(asked.time);
    // A server that is kept waiting for the hello gives up later. What the client said instead, or what was not
    // captured of it, is another story.
    let said = ending.last[Direction::ToServer.index()].is_some_and(|last| last > confirm.at.time);
    let unknown = said || facts.stream(Direction::ToServer).gap;
    let unasked = hello.is_none() && (waited >= AT_ONCE || unknown);
    if !agreed || !silent || answered || goes_on || unasked {
        return None;
    }
    let ms = waited.as_secs_f64() * 1000.0;
    let opinion = Opinion::new(
        Band::Weak,
        "The server may be unable to use its TLS certificate or key (renewal failed, or no right to read it).",
    )
    .party(Party::Server, Band::Possible)
    .unknown("the server's event log (1057, 1058, 36870, 36871)");
    let Some(hello) = hello else {
        let fact = format!(
            "the server agreed to TLS and closed {ms:.1} ms later, before a ClientHello came"
        );
        return Some(opinion.supports(Evidence::of(confirm, fact)));
    };
    let opinion = opinion
        .supports(Evidence::of(
            hello,
            format!(
                "the ClientHello got no ServerHello and no alert; the end came {ms:.1} ms later"
            ),
        ))
        .unknown("whether another ClientHello (without TLS 1.3, with other suites) is answered");
    Some(match who::all_acknowledged(facts, Direction::ToServer) {
        Some(true) => opinion.supports(Evidence::absent("the ClientHello was acknowledged")),
        Some(false) => {
            opinion.contradicts(Evidence::absent("the ClientHello was not acknowledged"))
        }
        None => opinion,
    })
}

/// A server that can not use its key knows it before the hello comes.
const AT_ONCE: Duration = Duration::from_secs(1);
