//! `half-open-asymmetric`, `syn-proxy-fake-open`, `transparent-tcp-proxy`, `tcp-option-rewrite`: the handshake
//! was not the same at both ends. RFC 9293 3.5.

use super::{BETWEEN, ENDS, at_client, at_server, proved};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Evidence, Kind, Next, Opinion};
use crate::detect::who::sender;
use crate::diff::{Key, Opening, Side};
use crate::facts::LegFacts;
use crate::input::{ConnectFailureKind, Direction, Leg, SegmentKind};

pub const HALF_OPEN: Detector = Detector {
    id: "half-open-asymmetric",
    kind: Kind::Definition,
    class: Class::Reachability,
    explains: &["tcp-syn-drop", ENDS[0], ENDS[1]],
    remedy: "Repair the way back: routes that differ by direction past a stateful firewall, a missing return route, a rule on one interface only.",
    next: &[Next {
        what: "the route from the server back to the client (on the server, read-only)",
        command: Some("tracert CLIENT (Windows) or traceroute CLIENT"),
    }],
    detect: half_open,
};

pub const FAKE_OPEN: Detector = Detector {
    id: "syn-proxy-fake-open",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: &[
        "tcp-refused-rst",
        "tcp-syn-drop",
        "rst-injected-",
        ENDS[0],
        ENDS[1],
        ENDS[3],
        ENDS[5],
        ENDS[6],
        ENDS[7],
    ],
    remedy: "That the port is open says nothing here: a device between answers for the server. Look at the server behind it: is the service running, does its firewall let the device in?",
    next: BETWEEN,
    detect: fake_open,
};

pub const TRANSPARENT_PROXY: Detector = Detector {
    id: "transparent-tcp-proxy",
    kind: Kind::Note,
    class: Class::Interference,
    explains: &[],
    remedy: "Identify the WAN optimiser or proxy; it can carry TLS inspection.",
    next: BETWEEN,
    detect: transparent_proxy,
};

pub const OPTION_REWRITE: Detector = Detector {
    id: "tcp-option-rewrite",
    kind: Kind::Note,
    class: Class::Interference,
    explains: &[],
    remedy: "Nothing, unless large packets are lost: clamping the MSS is good practice on tunnels.",
    next: &[],
    detect: option_rewrite,
};

fn half_open(case: &Case<'_>) -> Option<Opinion> {
    let (there, diff) = case.at_server()?;
    let (ours, theirs) = (case.this.tcp.leg(Leg::Single), there.tcp.leg(Leg::Single));
    let answers: Vec<_> = theirs.kept(SegmentKind::SynAck).collect();
    let first = *answers.first()?;
    let syn = ours.kept(SegmentKind::Syn).next()?;
    // Who asks again has heard nothing, whatever its capture would show.
    let [client, server] = diff.complete;
    let watched = server && (client || (case.this.was_only_dialled() && !rejects(ours)));
    // Clocks that little compares need an answer well within the client's capture: any of them will do.
    if !watched || !answers.iter().any(|answer| diff.ran(Side::Client, answer.at.time)) {
        return None;
    }
    let arrived = ours.kept(SegmentKind::SynAck).next();
    let sent = at_server(first, format!("the server answered the SYN {} times", answers.len()));
    match arrived {
        None if ours.syns >= 2 => {
            let says = "The server answers, and its answers do not reach the client: the way back is broken.";
            Some(
                proved(diff, Band::Certain, says)
                    .supports(sent)
                    .supports(at_client(syn, format!("{} SYNs, no answer", ours.syns))),
            )
        }
        Some(answer) if answers.len() >= 3 && !theirs.opened.is_seen() && ours.opened.is_seen() => {
            let says = "The client takes the connection for open, and nothing it sends afterwards reaches the server: the way there is broken.";
            Some(
                proved(diff, Band::Certain, says)
                    .supports(sent)
                    .supports(at_client(answer, "the answer arrived and the client went on")),
            )
        }
        _ => None,
    }
}

/// Its own RST answers something that arrived.
fn rejects(client: &LegFacts) -> bool {
    client.kept(SegmentKind::Rst).any(|rst| rst.value.dir == Direction::ToServer)
}

fn fake_open(case: &Case<'_>) -> Option<Opinion> {
    // Who answers in the server's name passes the client's SYN on, its number with it.
    let (server, diff) = case.at_server().filter(|(_, diff)| diff.key != Key::Time)?;
    let answer = case.this.tcp.leg(Leg::Single).kept(SegmentKind::SynAck).next()?;
    let theirs = server.tcp.leg(Leg::Single);
    let arrived = at_client(answer, "a SYN-ACK arrived in the server's name");
    let Some(own) = theirs.kept(SegmentKind::SynAck).next() else {
        let syn = theirs.kept(SegmentKind::Syn).next()?;
        let watched = diff.complete[Side::Server.index()] && diff.ran(Side::Server, answer.at.time);
        // Who refused accepted nothing, whenever the capture ends.
        let refused = theirs
            .attempts
            .iter()
            .any(|attempt| matches!(attempt.failure.kind, ConnectFailureKind::Refused));
        let fact = match refused {
            true => "the server got a SYN and refused it",
            false => "the server got a SYN and sent no SYN-ACK",
        };
        let says = "A device between client and server answers in the server's name; the server itself accepted no connection.";
        return (watched || refused).then(|| {
            proved(diff, Band::Certain, says).supports(arrived).supports(at_server(syn, fact))
        });
    };
    let opening = diff.syn_ack.as_ref()?;
    let client_kept = diff.syn.as_ref().is_some_and(|syn| syn.same_isn);
    let other = client_kept && !opening.same_isn && opening.is_another_stack();
    // An answer that was there before the question had arrived is nobody's but the device's.
    let asked = theirs.kept(SegmentKind::Syn).next();
    let early =
        asked.zip(diff.clock).and_then(|(syn, clock)| clock.is_before(answer.at.time, syn.at.time));
    let boxed = !diff.is_split() && (other || early == Some(true));
    let says = "A device between client and server completes the TCP handshakes itself and hands the connection on.";
    boxed.then(|| {
        proved(diff, Band::High, says)
            .supports(arrived)
            .supports(at_server(own, "the server sent another SYN-ACK"))
            .only_a_fact()
    })
}

fn transparent_proxy(case: &Case<'_>) -> Option<Opinion> {
    let (server, diff) = case.at_server()?;
    let says = "TCP does not reach from end to end: something between ends the client's connection and opens one of its own.";
    if diff.is_split() {
        let syn = diff.syn.as_ref()?;
        let fact =
            format!("the SYN that arrived is another than the one that was sent: {}", changed(syn));
        return Some(proved(diff, Band::High, says).supports(at_server(&syn.seen[1], fact)));
    }
    let (dir, acknowledged, arrived) = Direction::BOTH.into_iter().find_map(|dir| {
        let stream = diff.stream(dir);
        let [_, arrived] = stream.sent_and_arrived(dir);
        let acknowledged = stream.acknowledged[Side::of_sender(dir).index()]?;
        let sender = if dir == Direction::ToServer { case.this } else { server };
        let last = sender.stream(dir).last?;
        let whole = diff.complete.iter().all(|complete| *complete)
            && diff.ran(Side::of_sender(dir).other(), last.time);
        (whole && stream.missing(dir) > 0 && acknowledged > arrived + 1).then_some((
            dir,
            acknowledged,
            arrived,
        ))
    })?;
    let fact = format!(
        "{acknowledged} bytes were acknowledged to the {}, and {arrived} arrived at the other end",
        sender(dir)
    );
    Some(proved(diff, Band::High, says).supports(Evidence::absent(fact)))
}

fn changed(opening: &Opening) -> String {
    match opening.changes.is_empty() {
        true => "another sequence number and another timestamp".to_owned(),
        false => format!("another sequence number; {}", opening.changes.join(", ")),
    }
}

fn option_rewrite(case: &Case<'_>) -> Option<Opinion> {
    let (_, diff) = case.at_server()?;
    let rewritten: Vec<(&Opening, Direction)> =
        [(diff.syn.as_ref(), Direction::ToServer), (diff.syn_ack.as_ref(), Direction::ToClient)]
            .into_iter()
            .filter_map(|(opening, dir)| Some((opening?, dir)))
            // Another stack's handshake is no rewritten one.
            .filter(|(opening, _)| opening.same_isn && !opening.changes.is_empty())
            .collect();
    let mut opinion = proved(
        diff,
        Band::Certain,
        "A device between rewrites TCP options; by itself that is harmless.",
    );
    for (opening, dir) in &rewritten {
        let receiver = Side::of_sender(*dir).other();
        let fact = format!("in the {}'s handshake {}", sender(*dir), opening.changes.join(", "));
        opinion =
            opinion.supports(Evidence::of(&opening.seen[receiver.index()], fact).side(receiver));
    }
    (!rewritten.is_empty()).then_some(opinion)
}
