//! Rules about what two captures of one session hold otherwise: segments, bytes, options.

use super::packet::{self, ACK, FIN, Packet, RST, SYN};
use super::scene::{Scene, joined};
use super::transport::{count, ends, overwrites, syn_acks};
use super::{By, Rule};

pub const RULES: &[Rule] = &[
    Rule { words: "that is not in the capture at", by: By::Named, shows: lone },
    Rule { words: "was not sent by the other end", by: By::Either, shows: closed_between },
    Rule { words: "which had sent", by: By::Named, shows: never_sent },
    Rule { words: "the same place came twice", by: By::Either, shows: twice },
    Rule { words: "differs between the two", by: By::Either, shows: differs },
    Rule { words: "the streams differ behind byte", by: By::Either, shows: differs },
    Rule { words: "and are not in the other capture", by: By::Named, shows: lost },
    Rule { words: "the refusal left the server's side", by: By::Server, shows: refused },
    Rule { words: "the refusal did not come from there", by: By::Client, shows: unrefused },
    Rule { words: "the same segment left", by: By::Named, shows: in_both },
    Rule { words: "the same segment arrived", by: By::Client, shows: in_both },
    Rule { words: "the server answered the SYN", by: By::Server, shows: answers },
    Rule { words: "SYNs, no answer", by: By::Client, shows: unanswered },
    Rule { words: "the answer arrived and the client", by: By::Server, shows: went_on },
    Rule { words: "a SYN-ACK arrived in", by: By::Server, shows: is_answer },
    Rule { words: "the server got a SYN and refused", by: By::Client, shows: refused_later },
    Rule { words: "the server got a SYN and sent no", by: By::Client, shows: not_accepted },
    Rule { words: "the server sent another SYN-ACK", by: By::Server, shows: another },
    Rule { words: "the SYN that arrived is another", by: By::Client, shows: another },
    Rule { words: "'s handshake ", by: By::Named, shows: changed },
    Rule { words: "the only connection of that time", by: By::Client, shows: not_accepted },
];

/// Its like in the other capture: of the same sender, with the same number and one of these flags.
fn copy<'s>(scene: &Scene<'s>, flags: u16) -> Option<&'s Packet> {
    let this = scene.packet;
    let is_like = |p: &&Packet| p.by_server == this.by_server && p.seq == this.seq && p.has(flags);
    scene.partner().into_iter().find(is_like)
}

/// An end with this TTL, which the capture at its sender's side should hold and does not.
fn lone(scene: &Scene) -> bool {
    let flag = if scene.fact.starts_with("a FIN") { FIN } else { RST };
    let ttl = scene.number("with TTL ");
    scene.packet.has(flag)
        && (ttl.is_nan() || f64::from(scene.packet.ttl) == ttl)
        && !scene.views.there.is_empty()
        && copy(scene, flag).is_none()
}

fn in_both(scene: &Scene) -> bool {
    ends(scene) && copy(scene, FIN | RST).is_some()
}

/// It ends its connection as the first, arrives at the end that is named, and the other end had not closed but for
/// an answer to another's close.
fn closed_between(scene: &Scene) -> bool {
    let before = |p: &&Packet| p.time < scene.packet.time && p.ends();
    ends(scene)
        && scene.named() == Some(!scene.packet.by_server)
        && !scene.earlier().any(Packet::ends)
        && !scene.views.there.is_empty()
        && scene
            .partner()
            .into_iter()
            .find(before)
            .is_none_or(|first| first.by_server != scene.packet.by_server)
}

/// More bytes of a side than the capture at that side holds.
fn never_sent(scene: &Scene) -> bool {
    let server = scene.packet.by_server;
    let (arrived, sent) = (scene.number(""), scene.number("had sent "));
    arrived > sent
        && count(scene.connection(), server).contains(&arrived)
        && count(scene.partner().into_iter(), server).contains(&sent)
}

/// The streams are equal up to this byte, and what is shown of them stands there.
fn differs(scene: &Scene) -> bool {
    let [sent, arrived] = scene.sent_and_arrived();
    let known = scene.number("differ behind byte ");
    if !known.is_nan() {
        let known = known as usize;
        return sent != arrived && sent.get(..known) == arrived.get(..known);
    }
    let at = scene.number("(byte ") as usize;
    let (said_sent, rest) =
        scene.behind("of the stream): ").split_once(" was sent, ").unwrap_or_default();
    let said_arrived = rest.split_once(" arrived").unwrap_or_default().0;
    let stands = |stream: &[u8], shown: &str| {
        stream.get(at..).is_some_and(|stream| stream.starts_with(&packet::bytes(shown)))
    };
    let parts = sent.get(at).zip(arrived.get(at)).is_some_and(|(sent, arrived)| sent != arrived);
    parts
        && sent[..at] == arrived[..at]
        && stands(&sent, said_sent)
        && stands(&arrived, said_arrived)
}

fn twice(scene: &Scene) -> bool {
    differs(scene) && overwrites(scene)
}

/// So many bytes are missing at the other end, and the last segment of them was sent so often.
fn lost(scene: &Scene) -> bool {
    let server = scene.packet.by_server;
    let top = *count(scene.connection(), server).end();
    let arrived = joined(scene.partner().into_iter(), server).len() as f64;
    let own = scene.connection().filter(|p| p.by_server == server && !p.payload.is_empty());
    let copies = |one: &Packet| own.clone().filter(|p| p.seq == one.seq).count() as f64;
    let said = scene.number("side ");
    !scene.packet.payload.is_empty()
        && top - arrived == scene.number("")
        && own.clone().any(|one| copies(one) == said)
}

/// A RST of the server's that answers a SYN, or an ICMP message.
fn refused(scene: &Scene) -> bool {
    let opened = scene.own_earlier().any(|packet| packet.has(SYN));
    scene.packet.icmp.is_some() || scene.packet.has(RST) && !opened
}

/// A SYN that nobody refuses in this capture.
fn unrefused(scene: &Scene) -> bool {
    let told =
        scene.views.here.iter().any(|p| p.icmp.is_some_and(|(kind, _)| matches!(kind, 1 | 3)));
    is_syn(scene.packet) && !told && !scene.connection().any(|p| p.by_server && p.has(RST))
}

fn is_syn(packet: &Packet) -> bool {
    packet.flags & (SYN | ACK) == SYN
}

fn is_syn_ack(packet: &Packet) -> bool {
    packet.flags & (SYN | ACK) == SYN | ACK
}

fn is_answer(scene: &Scene) -> bool {
    is_syn_ack(scene.packet)
}

fn answers(scene: &Scene) -> bool {
    is_answer(scene) && syn_acks(scene.connection()).contains(&(scene.number("the SYN ") as usize))
}

fn unanswered(scene: &Scene) -> bool {
    let all = scene.connection().filter(|p| is_syn(p)).count();
    is_syn(scene.packet)
        && all as f64 == scene.number("")
        && !scene.connection().any(|p| p.by_server)
}

fn went_on(scene: &Scene) -> bool {
    is_answer(scene) && scene.later().any(|p| !p.by_server && !p.has(SYN | RST))
}

fn refused_later(scene: &Scene) -> bool {
    is_syn(scene.packet) && not_accepted(scene) && scene.later().any(|p| p.by_server && p.has(RST))
}

/// A SYN of a connection that the server does not accept.
fn not_accepted(scene: &Scene) -> bool {
    is_syn(scene.packet) && !scene.connection().any(is_syn_ack)
}

/// The like of it in the other capture has another number, and differs in what is said.
fn another(scene: &Scene) -> bool {
    let like = |p: &&Packet| p.by_server == scene.packet.by_server && p.has(SYN);
    let there = scene.partner();
    let mut others = there.iter().copied().filter(like).peekable();
    others.peek().is_some()
        && others.all(|other| other.seq != scene.packet.seq)
        && there.iter().copied().filter(like).any(|other| {
            let changes = scene.behind("another sequence number; ");
            let clock = |packet| option(packet, TIMESTAMPS).map(|value| value[..4].to_vec());
            let other_clock = clock(other) != clock(scene.packet);
            (other_clock || !scene.fact.contains("another timestamp"))
                && all_changed(changes, other, scene.packet)
        })
}

/// The same number, and other options.
fn changed(scene: &Scene) -> bool {
    let changes = scene.behind("'s handshake ");
    let other = copy(scene, SYN);
    scene.packet.has(SYN)
        && !changes.is_empty()
        && other.is_some_and(|other| all_changed(changes, other, scene.packet))
}

/// Every change that is said makes one SYN of the other. RFC 9293 3.1 and 3.2, RFC 7323.
fn all_changed(said: &str, sent: &Packet, arrived: &Packet) -> bool {
    let one = |change: &str| {
        if let Some((what, now)) = change.split_once(" became ") {
            let (name, was) = what.rsplit_once(' ').unwrap_or_default();
            let value = |packet: &Packet| match name {
                "window" => packet.window.to_string(),
                _ => option(packet, MSS).map_or(String::new(), |value| {
                    u16::from_be_bytes([value[0], value[1]]).to_string()
                }),
            };
            return (value(sent).as_str(), value(arrived).as_str()) == (was, now);
        }
        let (name, how) = change.rsplit_once(" was ").unwrap_or_default();
        let [sent, arrived] = [sent, arrived].map(|packet| option(packet, kind(name)));
        match how {
            "removed" => sent.is_some() && arrived.is_none(),
            "added" => sent.is_none() && arrived.is_some(),
            "changed" => sent.is_some() && arrived.is_some() && sent != arrived,
            _ => false,
        }
    };
    said.is_empty() || said.split(", ").all(one)
}

const MSS: u8 = 2;
const TIMESTAMPS: u8 = 8;

fn kind(name: &str) -> u8 {
    match name {
        "MSS" => MSS,
        "window scale" => 3,
        "SACK permitted" => 4,
        "timestamps" => TIMESTAMPS,
        "Fast Open" => 34,
        other => other.trim_start_matches("option ").parse().unwrap_or_default(),
    }
}

/// The value of an option. RFC 9293 3.2.
fn option(packet: &Packet, wanted: u8) -> Option<&[u8]> {
    let mut rest = packet.options.as_slice();
    loop {
        match rest {
            [1, behind @ ..] => rest = behind,
            [kind, length, ..] if *kind > 1 => {
                let option = rest.get(..usize::from(*length).max(2))?;
                if *kind == wanted {
                    return Some(&option[2..]);
                }
                rest = &rest[option.len()..];
            }
            _ => return None,
        }
    }
}
