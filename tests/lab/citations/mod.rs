//! Does a cited packet show what it is cited for? Read again with tshark, which shares no code with
//! the program.
//!
//! Every kind of fact that cites a packet of a capture has a rule, in one of three tables: `transport`,
//! `negotiation`, `handshake`. The numbers of a fact are compared with those of the packet; of an absence the
//! packet has to be the last word behind which something should have come, and the rest of the capture has to
//! show that it did not come. Facts of the relay's own (sockets, connects, its flags) cite no packet and have
//! no rule. Single captures are read again; of pairs of them the DNS answers alone, which nothing else cites.
//!
//! Not checked at all: what a server or a client thought. That a user "may be asked something", that a record
//! holds the AUTHENTICATE message or a proof of the key, is encrypted or happens outside of the wire; there
//! only the end of the connection, its side and the lengths of the records are checked.

mod certificate;
mod handshake;
mod negotiation;
mod packet;
mod scene;
pub mod tests;
mod tls;
mod transport;

use crate::support::json::text;
use crate::support::text_of;
use packet::Packet;
use scene::Scene;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// What all citations came to.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Packets that show what was said.
    pub shown: usize,
    /// Facts whose packet does not show them, with the packet.
    pub contradicted: Vec<String>,
    /// Facts that nobody has said how to check, with how often they were cited.
    pub unknown: BTreeMap<String, usize>,
}

impl Checked {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.shown += other.shown;
        self.contradicted.extend(other.contradicted);
        for (fact, times) in other.unknown {
            *self.unknown.entry(fact).or_default() += times;
        }
    }

    /// As the report prints it.
    pub fn markdown(&self) -> String {
        let times: usize = self.unknown.values().sum();
        let mut text = format!(
            "{} cited packets were read again with tshark and show what they are cited for, {} do not; {times} citations \
             are of kinds that are not checked.\n",
            self.shown,
            self.contradicted.len()
        );
        for line in &self.contradicted {
            writeln!(text, "- does not: {line}").unwrap();
        }
        for (fact, times) in &self.unknown {
            writeln!(text, "- not checked, {times} times: {fact}").unwrap();
        }
        text
    }
}

/// Checks every packet that these objects cite of one capture. `port` is the server's.
pub fn check(objects: &[Value], capture: &Path, port: u16) -> Checked {
    read_again(evidence(objects), capture, port)
}

/// Checks the DNS answers that these objects cite of one of two captures.
pub fn check_answers(objects: &[Value], capture: &Path, port: u16) -> Checked {
    let file = text_of(capture);
    let of_file = evidence(objects).filter(|evidence| {
        text(evidence, "/origin/file") == file && text(evidence, "/fact").contains(ANSWER)
    });
    read_again(of_file, capture, port)
}

/// How a fact begins that cites a DNS answer.
const ANSWER: &str = "the DNS answer of";

fn evidence(objects: &[Value]) -> impl Iterator<Item = &Value> {
    objects.iter().filter_map(|object| object.pointer("/evidence")?.as_array()).flatten()
}

fn read_again<'e>(cited: impl Iterator<Item = &'e Value>, capture: &Path, port: u16) -> Checked {
    let mut checked = Checked::default();
    let Some(packets) = packet::read(capture, port) else { return checked };
    for evidence in cited {
        let Some(number) = evidence.pointer("/origin/n").and_then(Value::as_u64) else { continue };
        let fact = text(evidence, "/fact");
        match shows(&fact, number, &packets) {
            None => *checked.unknown.entry(shape(&fact)).or_default() += 1,
            Some(true) => checked.shown += 1,
            Some(false) => {
                let cited = packets.iter().find(|packet| packet.number == number);
                checked.contradicted.push(format!("{fact} (packet {cited:?})"));
            }
        }
    }
    checked
}

/// Whether a packet shows a fact; `None` where there is no rule.
fn shows(fact: &str, number: u64, packets: &[Packet]) -> Option<bool> {
    let rule = rules().find(|rule| fact.contains(rule.words))?;
    let Some(packet) = packets.iter().find(|packet| packet.number == number) else {
        return Some(false);
    };
    let scene = Scene { fact, packet, all: packets };
    let by_right_side = match rule.by {
        By::Client => !packet.by_server,
        By::Server => packet.by_server,
        By::Named => scene.named() == Some(packet.by_server),
        By::Either => true,
    };
    Some(by_right_side && (rule.shows)(&scene))
}

/// Words of a fact, who has to have sent its packet, and what the packet has to be like.
struct Rule {
    words: &'static str,
    by: By,
    shows: fn(&Scene) -> bool,
}

/// Who sent a packet.
enum By {
    Client,
    Server,
    /// The side that the fact names first.
    Named,
    Either,
}

/// Every rule; the first whose words are in a fact counts.
fn rules() -> impl Iterator<Item = &'static Rule> {
    [transport::RULES, handshake::RULES, negotiation::RULES].into_iter().flatten()
}

/// A fact without its numbers.
fn shape(fact: &str) -> String {
    let words = fact.split(' ').map(|word| {
        if word.starts_with(|first: char| first.is_ascii_digit()) { "N" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}
