//! `tls-record-tampered`, `data-injected`: bytes arrived that were not sent so, or not sent at all.

use super::{BETWEEN, ENDS, proved};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Opinion};
use crate::detect::who::sender;
use crate::diff::{Diff, Pdu, Side};
use crate::facts::Facts;
use crate::input::{Direction, Leg, SegmentKind};

pub const TAMPERED: Detector = Detector {
    id: "tls-record-tampered",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: &["tls-alert-", ENDS[0], ENDS[1], ENDS[2], "tls-plaintext-after-hello"],
    remedy: "Remove the device that alters the stream; if none is found, switch off TCP offloading on both ends' adapters and suspect memory.",
    next: BETWEEN,
    detect: tampered,
};

pub const INJECTED: Detector = Detector {
    id: "data-injected",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: &[
        "http-answer",
        "non-rdp-endpoint",
        "tls-first-endpoint",
        "tls-record-tampered",
        "tls-plaintext-after-hello",
        "cert-key-inaccessible",
        "tls-alert-",
        ENDS[0],
        ENDS[1],
        ENDS[2],
    ],
    remedy: "Find the device that writes into the connection and exempt the port from it.",
    next: BETWEEN,
    detect: injected,
};

/// Nothing shows that another ends the client's TLS: where the server got a hello, it is the client's. A server that got
/// none had at least agreed to TLS; one behind a box that takes TLS off has not.
fn is_one_tls(client: &Facts, server: &Facts) -> bool {
    let random = |facts: &Facts| facts.tls.client_hello.value().map(|hello| hello.random);
    match (random(client), random(server)) {
        (Some(sent), Some(arrived)) => sent == arrived,
        (Some(_), None) => client.x224.selected() == server.x224.selected(),
        (None, _) => true,
    }
}

fn tampered(case: &Case<'_>) -> Option<Opinion> {
    let (server, diff) = case.at_server()?;
    if !is_one_tls(case.this, server) {
        return None;
    }
    let (dir, differs) = Direction::BOTH.into_iter().find_map(|dir| {
        let differs = diff.stream(dir).differs.as_ref()?;
        let (pdu, _) = differs.pdu?;
        // The greeting and the certificate have rows of their own.
        let record = matches!(pdu, Pdu::Record(_) | Pdu::Handshake(_));
        (record && !matches!(pdu, Pdu::Handshake(1 | 11))).then_some((dir, differs))
    })?;
    let says = format!(
        "A TLS message of the {} was altered on its way: its receiver has to end the connection then.",
        sender(dir)
    );
    Some(
        proved(diff, Band::Certain, says)
            .supports(Evidence::absent(differs.fact(dir)))
            .unknown("whether the TCP checksums were right at both ends: a wrong one speaks for damage, not for a device"),
    )
}

fn injected(case: &Case<'_>) -> Option<Opinion> {
    let (server, diff) = case.at_server()?;
    if !is_one_tls(case.this, server) {
        return None;
    }
    Direction::BOTH.into_iter().find_map(|dir| {
        let arrival = if dir == Direction::ToClient { case.this } else { server };
        let evidence = never_sent(diff, dir, arrival)
            .or_else(|| written_over(diff, dir, arrival))
            .or_else(|| instead_of_the_hello(diff, dir, arrival))?;
        let says = format!(
            "Bytes that the {} never sent arrived in its name: somebody between writes into the connection.",
            sender(dir)
        );
        Some(proved(diff, Band::Certain, says).supports(evidence))
    })
}

/// More arrived than was sent, while the capture at the sender's side ran and lacks nothing.
fn never_sent(diff: &Diff, dir: Direction, arrival: &Facts) -> Option<Evidence> {
    let (stream, side) = (diff.stream(dir), Side::of_sender(dir));
    let last = arrival.stream(dir).last?;
    let watched = diff.complete[side.index()] && diff.ran(side, last.time);
    let [sent, arrived] = stream.sent_and_arrived(dir);
    let fact = format!("{arrived} bytes arrived from the {}, which had sent {sent}", sender(dir));
    (watched && stream.added(dir) > 0).then(|| Evidence::at(last, fact).side(side.other()))
}

/// Something else arrived at the place of the client's hello, and no hello. A server may end the connection over it
/// before the client's own bytes come.
fn instead_of_the_hello(diff: &Diff, dir: Direction, arrival: &Facts) -> Option<Evidence> {
    let differs = diff.stream(dir).differs.as_ref()?;
    let of_hello = matches!(differs.pdu, Some((Pdu::Handshake(1), _)));
    let fact = format!("{}; no hello arrived", differs.fact(dir));
    (of_hello && dir == Direction::ToServer && !arrival.tls.client_hello.is_seen())
        .then(|| Evidence::absent(fact))
}

/// What arrived differs from what was sent, and the receiver got two versions of it.
fn written_over(diff: &Diff, dir: Direction, arrival: &Facts) -> Option<Evidence> {
    let differs = diff.stream(dir).differs.as_ref()?;
    let mut kept = arrival.tcp.leg(Leg::Single).kept(SegmentKind::DifferingOverlap);
    let overlap = kept.find(|seen| seen.value.dir == dir)?;
    let fact = format!("{}; the same place came twice with different bytes", differs.fact(dir));
    Some(Evidence::of(overlap, fact).side(Side::of_sender(dir).other()))
}
