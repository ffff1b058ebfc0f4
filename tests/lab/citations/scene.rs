//! A cited packet among the others of its capture, and the fact it is cited for.

use super::packet::{Packet, SYN};
use super::tls::{self, Frame};

/// What a rule looks at.
pub struct Scene<'s> {
    /// What was said of the packet.
    pub fact: &'s str,
    /// The packet.
    pub packet: &'s Packet,
    /// The captures.
    pub views: Views<'s>,
}

/// The capture that holds the packet and, of two, the one at the other end.
#[derive(Clone, Copy)]
pub struct Views<'s> {
    /// All packets of the packet's capture, in order.
    pub here: &'s [Packet],
    /// All packets of the other capture; none where there is a single one.
    pub there: &'s [Packet],
    /// Of two captures the packet's is the server's side's.
    pub at_server: bool,
}

impl<'s> Scene<'s> {
    /// The side that the fact names first: true for the server; `None` where it names none.
    pub fn named(&self) -> Option<bool> {
        let (server, client) = (self.fact.find("server"), self.fact.find("client"));
        match (server, client) {
            (None, None) => None,
            (Some(server), Some(client)) => Some(server < client),
            (server, _) => Some(server.is_some()),
        }
    }

    /// What stands behind these words of the fact; empty where they are not in it.
    pub fn behind(&self, words: &str) -> &'s str {
        self.fact.split_once(words).map_or("", |(_, rest)| rest)
    }

    /// The number behind these words; with no words the first of the fact. NaN, which equals nothing,
    /// where there is none.
    pub fn number(&self, words: &str) -> f64 {
        let rest = self.behind(words);
        let rest = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        rest[..end].trim_end_matches('.').parse().unwrap_or(f64::NAN)
    }

    /// The packets of its connection.
    pub fn connection(&self) -> impl Iterator<Item = &'s Packet> + Clone + use<'s> {
        let stream = self.packet.stream;
        self.views.here.iter().filter(move |packet| stream.is_some() && packet.stream == stream)
    }

    /// The packets of the same connection in the other capture, by what its ends made unique: the client's first
    /// sequence number, the random value of its hello, its first words. Failing those, the one that begins
    /// nearest: both captures have one clock.
    pub fn partner(&self) -> Vec<&'s Packet> {
        let of = |stream: u32| self.views.there.iter().filter(move |p| p.stream == Some(stream));
        let mut streams: Vec<u32> = self.views.there.iter().filter_map(|p| p.stream).collect();
        streams.sort_unstable();
        streams.dedup();
        let began = |packets: &mut dyn Iterator<Item = &'s Packet>| packets.next().map(|p| p.time);
        let own = began(&mut self.connection()).unwrap_or_default();
        let far = |stream: &u32| (began(&mut of(*stream)).unwrap_or_default() - own).abs();
        streams.sort_by(|a, b| far(a).total_cmp(&far(b)));
        let keys = [first_number, random, first_words];
        let mut found = keys.into_iter().filter_map(|key| {
            let wanted = key(&self.connection().collect::<Vec<_>>())?;
            let has =
                |stream: &&u32| key(&of(**stream).collect::<Vec<_>>()).as_ref() == Some(&wanted);
            streams.iter().find(has)
        });
        found.next().or(streams.first()).map(|s| of(*s).collect()).unwrap_or_default()
    }

    /// The bytes of the packet's direction as they left their sender's side and as they arrived.
    pub fn sent_and_arrived(&self) -> [Vec<u8>; 2] {
        let server = self.packet.by_server;
        let (here, there) = (self.all_said(server), joined(self.partner().into_iter(), server));
        if server == self.views.at_server { [here, there] } else { [there, here] }
    }

    /// Those before it.
    pub fn earlier(&self) -> impl Iterator<Item = &'s Packet> + Clone + use<'s> {
        let number = self.packet.number;
        self.connection().take_while(move |packet| packet.number < number)
    }

    /// Those behind it.
    pub fn later(&self) -> impl Iterator<Item = &'s Packet> + Clone + use<'s> {
        let number = self.packet.number;
        self.connection().skip_while(move |packet| packet.number <= number)
    }

    /// Those before it that its side sent.
    pub fn own_earlier(&self) -> impl Iterator<Item = &'s Packet> + Clone + use<'s> {
        let by_server = self.packet.by_server;
        self.earlier().filter(move |packet| packet.by_server == by_server)
    }

    /// No new byte came from this side within so many seconds behind it.
    pub fn silent(&self, server: bool, seconds: f64) -> bool {
        let until = self.packet.time + seconds - ROUNDED;
        let known = self.earlier().filter(|packet| packet.by_server == server).map(Packet::end);
        let known = known.reduce(later_of);
        let is_news = |packet: &Packet| {
            let beyond = known.is_none_or(|known| behind(packet.end(), known) > 0);
            packet.by_server == server && !packet.payload.is_empty() && beyond
        };
        seconds > 0.0 && !self.later().any(|packet| packet.time < until && is_news(packet))
    }

    /// The bytes of a side's stream that arrived in order up to this packet.
    pub fn said(&self, server: bool) -> Vec<u8> {
        joined(self.connection().take_while(|p| p.number <= self.packet.number), server)
    }

    /// The bytes of a side's stream over the whole capture, as far as they hang together.
    pub fn all_said(&self, server: bool) -> Vec<u8> {
        joined(self.connection(), server)
    }

    /// The messages of its sender, TPKT or TLS records, that this packet completes.
    pub fn new_frames(&self) -> Vec<Frame> {
        let before = tls::frames(&joined(self.earlier(), self.packet.by_server)).0.len();
        tls::frames(&self.said(self.packet.by_server)).0.split_off(before)
    }

    /// The TLS handshake message of this type that this packet completes.
    pub fn message(&self, kind: u8) -> Option<Vec<u8>> {
        let of = |said: Vec<u8>| tls::message(&said, kind);
        match of(joined(self.earlier(), self.packet.by_server)) {
            Some(_) => None,
            None => of(self.said(self.packet.by_server)),
        }
    }

    /// The first TLS handshake message of this type that a side sent anywhere in the capture.
    pub fn message_of(&self, server: bool, kind: u8) -> Option<Vec<u8>> {
        tls::message(&self.all_said(server), kind)
    }
}

/// The sequence number of the client's SYN.
fn first_number(packets: &[&Packet]) -> Option<Vec<u8>> {
    let syn = packets.iter().find(|p| p.has(SYN) && !p.by_server)?;
    Some(syn.seq.to_be_bytes().to_vec())
}

/// The random value of the client's hello. RFC 8446 4.1.2.
fn random(packets: &[&Packet]) -> Option<Vec<u8>> {
    let hello = tls::message(&joined(packets.iter().copied(), false), tls::CLIENT_HELLO)?;
    hello.get(2..34).map(<[u8]>::to_vec)
}

fn first_words(packets: &[&Packet]) -> Option<Vec<u8>> {
    packets.iter().find(|p| !p.by_server && !p.payload.is_empty()).map(|p| p.payload.clone())
}

/// Half of the last digit of a time in a fact, in seconds, and a little.
pub const ROUNDED: f64 = 0.06;

/// Two milliseconds of a fact and a measured time in seconds agree.
pub fn same_ms(said: f64, seconds: f64) -> bool {
    (said - seconds * 1000.0).abs() < 0.6 + said.abs() * 1e-6
}

/// Two times in seconds agree to a tenth.
pub fn same_s(said: f64, seconds: f64) -> bool {
    (said - seconds).abs() < ROUNDED
}

/// How far one sequence number is behind another; negative where it is before it.
pub fn behind(seq: u32, base: u32) -> i64 {
    i64::from(seq.wrapping_sub(base) as i32)
}

/// The one of two sequence numbers that is behind the other.
pub fn later_of(one: u32, other: u32) -> u32 {
    if behind(other, one) > 0 { other } else { one }
}

/// Whether these bytes are in those.
pub fn has(bytes: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && bytes.windows(part.len()).any(|window| window == part)
}

/// A side's bytes in the order of their sequence numbers, up to the first hole. Of two copies the first
/// counts.
pub fn joined<'p>(packets: impl Iterator<Item = &'p Packet>, server: bool) -> Vec<u8> {
    let own: Vec<&Packet> = packets.filter(|packet| packet.by_server == server).collect();
    let begins = |packet: &&&Packet| packet.has(SYN);
    let start = match own.iter().find(begins) {
        Some(syn) => syn.seq.wrapping_add(1),
        None => own.iter().find(|p| !p.payload.is_empty()).map_or(0, |p| p.seq),
    };
    let place = |packet: &Packet| behind(packet.seq, start);
    let mut pieces: Vec<_> =
        own.iter().filter(|p| !p.has(SYN)).map(|p| (place(p), &p.payload)).collect();
    pieces.sort_by_key(|(place, _)| *place);
    let mut said: Vec<u8> = Vec::new();
    for (place, bytes) in pieces {
        let known = said.len() as i64 - place;
        if known < 0 {
            break;
        }
        said.extend(bytes.get(known as usize..).unwrap_or_default());
    }
    said
}
