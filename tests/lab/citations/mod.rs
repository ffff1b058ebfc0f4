//! Does a cited packet show what it is cited for? Read again with tshark, which shares no code with
//! the program.
//!
//! Every kind of fact that cites a packet of a capture has a rule, in one of four tables: `pair`, `transport`,
//! `negotiation`, `handshake`. The numbers of a fact are compared with those of the packet; of an absence the
//! packet has to be the last word behind which something should have come, and the rest of the capture has to
//! show that it did not come. What is said to differ between two captures has to differ there. The segments of a
//! relay that captures its legs are looked for in captures made beside it. Facts of the relay's own (sockets,
//! connects, its flags) cite no packet and have no rule.
//!
//! Not checked at all: what a server or a client thought. That a user "may be asked something", that a record
//! holds the AUTHENTICATE message or a proof of the key, is encrypted or happens outside of the wire; there
//! only the end of the connection, its side and the lengths of the records are checked.

mod certificate;
mod handshake;
mod negotiation;
mod packet;
mod pair;
mod scene;
pub mod tests;
mod tls;
mod transport;

use crate::support::json::text;
use crate::support::text_of;
use packet::Packet;
use scene::{Scene, Views};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
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

/// A capture as tshark reads it.
pub struct Capture {
    file: String,
    packets: Vec<Packet>,
}

impl Capture {
    /// Reads a capture; `None` without tshark. `port` is the server's.
    pub fn read(file: &Path, port: u16) -> Option<Self> {
        Some(Self { file: text_of(file), packets: packet::read(file, port)? })
    }
}

/// Checks every packet that these objects cite of their captures: one, or that of the client's side and that of the
/// server's.
pub fn check(objects: &[Value], captures: &[&Capture]) -> Checked {
    let mut checked = Checked::default();
    let evidence = objects.iter().filter_map(|object| object.pointer("/evidence")?.as_array());
    for evidence in evidence.flatten() {
        let Some(number) = evidence.pointer("/origin/n").and_then(Value::as_u64) else { continue };
        let fact = text(evidence, "/fact");
        let file = text(evidence, "/origin/file");
        let Some(at) = captures.iter().position(|capture| capture.file == file) else {
            checked.contradicted.push(format!("{fact} (no such file: {file})"));
            continue;
        };
        let there = captures.iter().enumerate().find(|(other, _)| *other != at);
        let there = there.map_or(&[][..], |(_, capture)| &capture.packets);
        let views = Views { here: &captures[at].packets, there, at_server: at > 0 };
        match shows(&fact, number, views) {
            None => *checked.unknown.entry(shape(&fact)).or_default() += 1,
            Some(true) => checked.shown += 1,
            Some(false) => {
                let cited = views.here.iter().find(|packet| packet.number == number);
                checked.contradicted.push(format!("{fact} (packet {cited:?} of {file})"));
            }
        }
    }
    checked
}

/// Checks the segments that a relay cites of its legs, which it captured by itself: a packet that was captured
/// beside it at that moment shows what is said. The captures are of its client leg and of its server leg.
pub fn check_live(objects: &[Value], legs: [&Capture; 2]) -> Checked {
    /// Times of reports are in milliseconds.
    const NEAR: f64 = 0.002;
    let mut checked = Checked::default();
    for object in objects {
        let started = seconds(&text(object, "/started")).unwrap_or(f64::NAN);
        let evidence = object.pointer("/evidence").and_then(Value::as_array);
        for evidence in evidence.into_iter().flatten() {
            if text(evidence, "/origin/kind") != "segment" {
                continue;
            }
            let fact = text(evidence, "/fact");
            let after = evidence.pointer("/at_ms").and_then(Value::as_f64).unwrap_or(f64::NAN);
            let time = started + after / 1000.0;
            let leg = legs[usize::from(text(evidence, "/origin/leg") == "server")];
            let views = Views { here: &leg.packets, there: &[], at_server: false };
            let near = leg.packets.iter().filter(|packet| (packet.time - time).abs() < NEAR);
            let said: Vec<_> = near.map(|packet| shows(&fact, packet.number, views)).collect();
            if said.contains(&Some(true)) {
                checked.shown += 1;
            } else if said.contains(&None) {
                *checked.unknown.entry(shape(&fact)).or_default() += 1;
            } else {
                checked.contradicted.push(format!("{fact} (at {time:.3} of {})", leg.file));
            }
        }
    }
    checked
}

/// Seconds since 1970 of a time like `2026-11-22T14:03:07.123Z`. RFC 3339.
fn seconds(time: &str) -> Option<f64> {
    let number = |range: Range<usize>| time.get(range)?.parse::<f64>().ok();
    let whole = |range: Range<usize>| time.get(range)?.parse::<i64>().ok();
    let days = certificate::days_since_1970(whole(0..4)?, whole(5..7)?, whole(8..10)?);
    let seconds = number(11..13)? * 3600.0 + number(14..16)? * 60.0 + number(17..23)?;
    Some(days as f64 * 86_400.0 + seconds)
}

/// Whether a packet shows a fact; `None` where there is no rule.
fn shows(fact: &str, number: u64, views: Views) -> Option<bool> {
    let rule = rules().find(|rule| fact.contains(rule.words))?;
    let Some(packet) = views.here.iter().find(|packet| packet.number == number) else {
        return Some(false);
    };
    let scene = Scene { fact, packet, views };
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
    [pair::RULES, transport::RULES, handshake::RULES, negotiation::RULES].into_iter().flatten()
}

/// A fact without its numbers.
fn shape(fact: &str) -> String {
    let words = fact.split(' ').map(|word| {
        if word.starts_with(|first: char| first.is_ascii_digit()) { "N" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}
