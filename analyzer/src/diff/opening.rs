//! One handshake segment in two captures. RFC 9293 3.1, RFC 7323.

use super::Side;
use crate::facts::{Facts, Seen};
use crate::input::{Direction, Leg, Segment, SegmentKind};

/// A SYN or SYN-ACK as it left its sender's side and as it arrived.
#[derive(Clone, Debug)]
pub struct Opening {
    /// At the client's side and at the server's side.
    pub seen: [Seen<Segment>; 2],
    /// Both carry the same sequence number.
    pub same_isn: bool,
    /// What of options and window arrived otherwise than it was sent, in words.
    pub changes: Vec<String>,
    /// Both carry a timestamp, and the same one.
    same_timestamp: Option<bool>,
    /// More differs than what firewalls change as they pass it on.
    is_remade: bool,
}

impl Opening {
    pub(super) fn of(facts: [&Facts; 2], dir: Direction) -> Option<Opening> {
        let kind = match dir {
            Direction::ToServer => SegmentKind::Syn,
            Direction::ToClient => SegmentKind::SynAck,
        };
        let [at_client, at_server] = facts.map(|facts| facts.tcp.leg(Leg::Single).kept(kind));
        let servers: Vec<&Seen<Segment>> = at_server.collect();
        let clients: Vec<&Seen<Segment>> = at_client.collect();
        // A retransmission has another timestamp; which copy is which, only equal ones tell.
        let alike = |is_copy: fn(&Segment, &Segment) -> bool| {
            clients.iter().find_map(|a| {
                let copy = servers.iter().find(|b| is_copy(&a.value, &b.value));
                copy.map(|b| (*a, *b))
            })
        };
        let same = alike(|a, b| a.options == b.options)
            .or_else(|| alike(|a, b| stamp(a).is_some() && stamp(a) == stamp(b)));
        let first = clients.first().copied().zip(servers.first().copied());
        let (client, server) = same.or(first)?;
        let [sent, arrived] = match Side::of_sender(dir) {
            Side::Client => [client, server],
            Side::Server => [server, client],
        };
        let both = stamp(&client.value).zip(stamp(&server.value));
        Some(Opening {
            seen: [client.clone(), server.clone()],
            same_isn: client.value.seq == server.value.seq,
            changes: changes(&sent.value, &arrived.value),
            same_timestamp: both.map(|(a, b)| a == b),
            is_remade: is_remade(&sent.value, &arrived.value),
        })
    }

    /// What a translation of addresses and numbers leaves alone differs: another stack made this segment.
    pub fn is_another_stack(&self) -> bool {
        match self.same_timestamp {
            Some(same) => !same,
            None => self.is_remade,
        }
    }
}

/// The value of the timestamp: four bytes, behind which the echo stands.
fn stamp(segment: &Segment) -> Option<&[u8]> {
    segment.option(Segment::TIMESTAMPS)?.get(..4)
}

/// Firewalls that translate numbers, too, lower the MSS and blank options out. Another stack has a window of its own,
/// and options that the first did not ask for.
fn is_remade(sent: &Segment, arrived: &Segment) -> bool {
    let (before, after) = (sent.options(), arrived.options());
    let is_passed_on = |(kind, value): &(u8, &[u8])| {
        let had = before.iter().find(|(other, _)| other == kind).map(|(_, value)| *value);
        had.is_some_and(|had| match *kind {
            Segment::MSS => number(value) <= number(had),
            _ => *value == had,
        })
    };
    sent.window != arrived.window || !after.iter().all(is_passed_on)
}

fn changes(sent: &Segment, arrived: &Segment) -> Vec<String> {
    let mut changes = Vec::new();
    let (before, after) = (sent.options(), arrived.options());
    for (kind, value) in &before {
        let now = after.iter().find(|(other, _)| other == kind).map(|(_, value)| *value);
        match now {
            None => changes.push(format!("{} was removed", name(*kind))),
            Some(now) if *kind == Segment::MSS && now != *value => {
                changes.push(format!("MSS {} became {}", number(value), number(now)));
            }
            Some(now) if *kind != Segment::TIMESTAMPS && now != *value => {
                changes.push(format!("{} was changed", name(*kind)));
            }
            Some(_) => {}
        }
    }
    let new = after.iter().filter(|(kind, _)| !before.iter().any(|(other, _)| other == kind));
    changes.extend(new.map(|(kind, _)| format!("{} was added", name(*kind))));
    if sent.window != arrived.window {
        changes.push(format!("window {} became {}", sent.window, arrived.window));
    }
    changes
}

fn number(value: &[u8]) -> u64 {
    value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn name(kind: u8) -> String {
    match kind {
        2 => "MSS".into(),
        3 => "window scale".into(),
        4 => "SACK permitted".into(),
        8 => "timestamps".into(),
        34 => "Fast Open".into(),
        other => format!("option {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syn(options: &[u8]) -> Segment {
        Segment {
            leg: Leg::Single,
            dir: Direction::ToServer,
            kind: SegmentKind::Syn,
            ttl: None,
            ip_id: None,
            seq: 1,
            ack: 0,
            flags: 2,
            window: 100,
            len: 0,
            options: options.to_vec(),
            baseline: Default::default(),
        }
    }

    #[test]
    fn what_was_changed_is_told_in_words() {
        let sent = syn(&[2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]);
        let clamped = syn(&[2, 4, 4, 176, 1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 0, 1, 3, 3, 7]);
        assert_eq!(
            changes(&sent, &clamped),
            ["MSS 1460 became 1200", "SACK permitted was removed"]
        );
        assert_eq!(changes(&clamped, &sent).len(), 2);
        assert!(changes(&sent, &sent).is_empty());
        assert!(!is_remade(&sent, &sent) && is_remade(&clamped, &sent));
        let windowed = Segment { window: 200, ..sent.clone() };
        assert!(is_remade(&sent, &windowed) && is_remade(&syn(&[2, 4, 5, 180]), &sent));
        // MSS lowered, SACK blanked out.
        let passed_on = syn(&[2, 4, 4, 176, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]);
        assert!(!is_remade(&sent, &passed_on));
        for cut in 0..sent.options.len() {
            changes(&sent, &syn(&sent.options[..cut]));
        }
    }
}
