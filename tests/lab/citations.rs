//! Does a cited packet show what it is cited for? Read again with tshark, which shares no code with
//! the program.

use crate::recipe::RELAY_PORT;
use crate::support::json::text;
use crate::support::{need, text_of};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

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
    let mut checked = Checked::default();
    let Some(packets) = read(capture) else { return checked };
    for evidence in objects.iter().filter_map(|o| o.pointer("/evidence")?.as_array()).flatten() {
        let Some(number) = evidence.pointer("/origin/n").and_then(Value::as_u64) else { continue };
        let fact = text(evidence, "/fact");
        let Some(rule) = RULES.iter().find(|rule| fact.contains(rule.words)) else {
            *checked.unknown.entry(shape(&fact)).or_default() += 1;
            continue;
        };
        let shown = packets.get(&number).is_some_and(|packet| {
            let from_server = [port, RELAY_PORT].contains(&packet.source);
            // Of an absence the packet is cited behind which something should have come.
            let of = |side: &str| fact.contains(side) && !fact.starts_with("no byte");
            let right_way = match (of("from the server"), of("from the client")) {
                (true, false) => from_server,
                (false, true) => !from_server,
                _ => true,
            };
            right_way && (rule.shows)(packet)
        });
        if shown {
            checked.shown += 1;
        } else {
            checked
                .contradicted
                .push(format!("{fact} (packet {number}: {:?})", packets.get(&number)));
        }
    }
    checked
}

/// One packet as tshark reads it.
#[derive(Clone, Debug, Default)]
struct Packet {
    source: u16,
    flags: u16,
    icmp: bool,
    payload: Vec<u8>,
}

/// Words of a fact, and what its packet has to be like.
struct Rule {
    words: &'static str,
    shows: fn(&Packet) -> bool,
}

const FIN: u16 = 1;
const SYN: u16 = 2;
const RST: u16 = 4;
const ACK: u16 = 16;

/// The first rule whose words are in a fact counts.
const RULES: &[Rule] = &[
    Rule { words: "a RST from", shows: |packet| packet.flags & RST != 0 },
    Rule { words: "a FIN from", shows: |packet| packet.flags & FIN != 0 },
    Rule { words: "no SYN-ACK, RST or ICMP", shows: |packet| packet.flags & (SYN | ACK) == SYN },
    Rule { words: "RST in answer to the SYN", shows: |packet| packet.flags & RST != 0 },
    Rule { words: "ICMP", shows: |packet| packet.icmp },
    Rule { words: "the TCP handshake", shows: |packet| packet.flags & ACK != 0 },
    Rule { words: "Connection Confirm", shows: |packet| is_confirm(&packet.payload) },
    Rule { words: "the server selected", shows: |packet| is_confirm(&packet.payload) },
    Rule {
        words: "an HTTP response",
        shows: |packet| packet.payload.starts_with(b"HTTP/1.") || packet.payload.starts_with(b"<"),
    },
    Rule { words: "a clear TPKT packet", shows: |packet| packet.payload.starts_with(&[3, 0]) },
    Rule {
        words: "Disconnect Provider Ultimatum",
        shows: |packet| has(&packet.payload, &[2, 0xF0, 0x80, 0x21]),
    },
    Rule { words: "are TLS", shows: |packet| matches!(packet.payload.first(), Some(0x14..=0x17)) },
    Rule {
        words: "the first bytes from the server",
        shows: |packet| !packet.payload.is_empty() && !packet.payload.starts_with(&[3, 0]),
    },
    Rule { words: "the ClientHello got", shows: |packet| has(&packet.payload, &[0x16, 3]) },
    Rule { words: "the stream ends", shows: ends },
    Rule { words: "without a single byte", shows: |packet| packet.flags & ACK != 0 },
    Rule { words: "it redirects", shows: |packet| packet.payload.starts_with(b"HTTP/1.") },
    Rule {
        words: "after the X.224 Connection Request",
        shows: |packet| is_request(&packet.payload),
    },
    Rule {
        words: "is a TLS record",
        shows: |packet| matches!(packet.payload.first(), Some(0x14..=0x17)),
    },
    Rule { words: "RDP_NEG_FAILURE", shows: |packet| is_confirm(&packet.payload) },
    Rule { words: "selectedProtocol is", shows: |packet| is_confirm(&packet.payload) },
    Rule {
        words: "this request carries no security negotiation",
        shows: |packet| is_request(&packet.payload) && !has(&packet.payload, &[1, 0, 8, 0]),
    },
    Rule { words: "alert", shows: |packet| has(&packet.payload, &[0x15, 3]) },
    Rule { words: "the client offered", shows: |packet| has(&packet.payload, &[0x16, 3]) },
    Rule { words: "hello offers TLS", shows: |packet| has(&packet.payload, &[0x16, 3]) },
    Rule { words: "the RST has TTL", shows: |packet| packet.flags & RST != 0 },
    Rule { words: "the RST came", shows: |packet| packet.flags & RST != 0 },
    Rule { words: "the FIN has TTL", shows: |packet| packet.flags & FIN != 0 },
    Rule { words: "issuer and subject", shows: |packet| has(&packet.payload, &[0x30, 0x82]) },
    Rule { words: "the certificate names", shows: |packet| has(&packet.payload, &[0x30, 0x82]) },
    Rule { words: "the client asked for", shows: |packet| is_request(&packet.payload) },
    Rule { words: "the connection ended", shows: ends },
    Rule { words: "the server side closed", shows: ends },
    Rule { words: "the client closed", shows: ends },
];

fn ends(packet: &Packet) -> bool {
    packet.flags & (FIN | RST) != 0
}

/// A TPKT with an X.224 connection request.
fn is_request(payload: &[u8]) -> bool {
    payload.starts_with(&[3, 0]) && payload.get(5) == Some(&0xE0)
}

/// A TPKT with an X.224 connection confirm.
fn is_confirm(payload: &[u8]) -> bool {
    payload.starts_with(&[3, 0]) && payload.get(5) == Some(&0xD0)
}

fn has(payload: &[u8], part: &[u8]) -> bool {
    payload.windows(part.len()).any(|window| window == part)
}

/// A fact without its numbers.
fn shape(fact: &str) -> String {
    let words = fact.split(' ').map(|word| {
        if word.starts_with(|first: char| first.is_ascii_digit()) { "N" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Every packet of a capture by its number.
fn read(capture: &Path) -> Option<BTreeMap<u64, Packet>> {
    let mut command = Command::new(need("tshark")?);
    command.env("LC_ALL", "C").args(["-n", "-r", &text_of(capture), "-T", "fields"]);
    command.args(["-E", "occurrence=f", "-o", "tcp.desegment_tcp_streams:FALSE"]);
    for field in
        ["frame.number", "tcp.srcport", "tcp.flags", "icmp.type", "icmpv6.type", "tcp.payload"]
    {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().filter_map(packet).collect())
}

fn packet(line: &str) -> Option<(u64, Packet)> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [number, source, flags, icmp, icmp6, payload] = fields[..] else { return None };
    let digits = payload.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let packet = Packet {
        source: source.parse().unwrap_or_default(),
        flags: u16::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or_default(),
        icmp: !icmp.is_empty() || !icmp6.is_empty(),
        payload: digits.filter_map(byte).collect(),
    };
    Some((number.parse().ok()?, packet))
}
