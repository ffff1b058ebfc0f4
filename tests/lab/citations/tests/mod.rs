//! Every rule, with a packet that shows its fact, facts that the packet does not show, and a packet that
//! does not show the fact. Stories are connections made by hand.

mod handshake;
mod negotiation;
mod pair;
mod transport;

use super::packet::{ACK, Answer, FIN, Packet, RST, SYN, tell_sides};
use super::{Views, rules, shows};

/// Each table's cases; one that is not as it should be panics.
pub const CHECKS: [(&str, fn()); 6] = [
    ("cited packets: whose they are", whose_packets_are),
    ("cited packets: pair", || pair::cases().iter().for_each(Case::check)),
    ("cited packets: transport", || transport::cases().iter().for_each(Case::check)),
    ("cited packets: negotiation", || negotiation::cases().iter().for_each(Case::check)),
    ("cited packets: handshake", || handshake::cases().iter().for_each(Case::check)),
    ("cited packets: every rule has a case", every_rule_has_a_case),
];

/// The SYN tells, also where both ends have a server's port; without one the port has to.
fn whose_packets_are() {
    let both_by_port = |packet: &mut Packet| (packet.source, packet.by_server) = (33_890, true);
    let whose = |mut packets: Vec<Packet>| {
        tell_sides(&mut packets);
        packets.iter().map(|packet| packet.by_server).collect::<Vec<_>>()
    };
    let told = Story::negotiated();
    let by_port = told.clone().but_all(both_by_port).packets;
    assert_eq!(whose(by_port.clone()), [false, true, false, false, true]);
    assert_eq!(whose(by_port[1..].to_vec()), [true; 4]);
    assert_eq!(whose(told.packets[1..].to_vec()), [true, false, false, true]);
}

fn every_rule_has_a_case() {
    let cases =
        [pair::cases(), transport::cases(), negotiation::cases(), handshake::cases()].concat();
    let used = |fact: &str| rules().position(|rule| fact.contains(rule.words));
    for (at, rule) in rules().enumerate() {
        assert!(cases.iter().any(|case| used(case.fact) == Some(at)), "no case: {}", rule.words);
    }
    let story = Story::opened();
    let views = Views { here: &story.packets, there: &[], at_server: false };
    assert_eq!(shows("it is Tuesday", 1, views), None);
}

/// A packet that shows a fact, and facts that it does not show.
#[derive(Clone)]
struct Case {
    story: Story,
    /// The other capture, and whether that is the client's side's.
    there: Option<(Story, bool)>,
    number: u64,
    fact: &'static str,
    wrong: &'static [&'static str],
}

impl Case {
    fn new(story: Story, number: u64, fact: &'static str, wrong: &'static [&'static str]) -> Self {
        Self { story, there: None, number, fact, wrong }
    }

    /// This is the client's side, and that the server's.
    fn at_client(self, server: Story) -> Self {
        Self { there: Some((server, false)), ..self }
    }

    /// This is the server's side, and that the client's.
    fn at_server(self, client: Story) -> Self {
        Self { there: Some((client, true)), ..self }
    }

    #[track_caller]
    fn check(&self) {
        let Self { number, fact, story, .. } = self;
        let other = self.there.as_ref().map(|(story, at_server)| (&story.packets[..], *at_server));
        let (there, at_server) = other.unwrap_or_default();
        let views = Views { here: &story.packets, there, at_server };
        let told = |fact: &str, number| shows(fact, number, views);
        assert_eq!(told(fact, *number), Some(true), "{fact} ({number} of {:#?})", story.packets);
        for wrong in self.wrong {
            assert_eq!(told(wrong, *number), Some(false), "{wrong}");
        }
        // A packet of the other side, and one that is not there.
        let other = if story.packets[*number as usize - 1].by_server { 1 } else { 2 };
        assert_eq!(told(fact, other), Some(false), "{fact} (packet {other})");
        assert_eq!(told(fact, 99), Some(false), "{fact} (no packet)");
    }
}

/// A connection between a client with TTL 128 and a server with TTL 64, a packet every 10 ms from the first
/// second of 2025 on.
#[derive(Clone)]
struct Story {
    packets: Vec<Packet>,
    now: f64,
}

impl Story {
    fn new() -> Self {
        Self { packets: Vec::new(), now: 1_735_689_600.0 }
    }

    /// SYN, SYN-ACK, ACK: packets 1 to 3.
    fn opened() -> Self {
        Self::new().sends(false, SYN, &[]).sends(true, SYN | ACK, &[]).sends(false, ACK, &[])
    }

    fn sends(mut self, by_server: bool, flags: u16, payload: &[u8]) -> Self {
        let next = |server| {
            let mut before = self.packets.iter().rev();
            before.find(|p| p.by_server == server && !p.has(RST)).map(Packet::end)
        };
        let start = if by_server { 5000 } else { 1000 };
        let number = self.packets.len() as u64 + 1;
        self.packets.push(Packet {
            number,
            time: self.now,
            stream: Some(0),
            by_server,
            from: if by_server { "10.0.0.2" } else { "10.0.0.1" }.to_owned(),
            ttl: if by_server { 64 } else { 128 },
            ip_id: number as u16 + 100,
            flags,
            seq: next(by_server).unwrap_or(start),
            ack: next(!by_server).unwrap_or_default(),
            window: 500,
            payload: payload.to_vec(),
            ..Packet::default()
        });
        self.now += 0.01;
        self
    }

    fn client(self, payload: &[u8]) -> Self {
        self.sends(false, ACK, payload)
    }

    fn server(self, payload: &[u8]) -> Self {
        self.sends(true, ACK, payload)
    }

    fn fin(self, by_server: bool) -> Self {
        self.sends(by_server, ACK | FIN, &[])
    }

    fn rst(self, by_server: bool) -> Self {
        self.sends(by_server, ACK | RST, &[])
    }

    /// The next packet comes so many seconds later.
    fn pause(mut self, seconds: f64) -> Self {
        self.now += seconds;
        self
    }

    /// Changes the last packet.
    fn but(mut self, change: impl FnOnce(&mut Packet)) -> Self {
        change(self.packets.last_mut().unwrap());
        self
    }

    /// Changes every packet.
    fn but_all(mut self, change: impl FnMut(&mut Packet)) -> Self {
        self.packets.iter_mut().for_each(change);
        self
    }

    /// A request for SSL and HYBRID and a confirm that selects HYBRID: packets 4 and 5.
    fn negotiated() -> Self {
        Self::opened().client(&x224(0xE0, &[1, 0, 8, 0, 3, 0, 0, 0])).server(&confirm())
    }
}

fn confirm() -> Vec<u8> {
    x224(0xD0, &[2, 1, 8, 0, 2, 0, 0, 0])
}

/// A TPKT with an X.224 message.
fn x224(code: u8, part: &[u8]) -> Vec<u8> {
    tpkt(&[&[part.len() as u8 + 6, code, 0, 0, 0, 0, 0], part].concat())
}

fn tpkt(body: &[u8]) -> Vec<u8> {
    [&[3, 0, 0, body.len() as u8 + 4], body].concat()
}

/// A TLS record.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3, (body.len() >> 8) as u8, body.len() as u8], body].concat()
}

/// A handshake message in a record.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = [0, (body.len() >> 8) as u8, body.len() as u8];
    record(22, &[&[kind], &length[..], body].concat())
}
