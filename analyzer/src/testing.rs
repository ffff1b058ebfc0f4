//! A small language for the engine's tests: a trace is scripted step by step, as a relay or a capture
//! would see it, and judged. Hellos and certificates are recorded ones.

pub(crate) mod bytes;
pub(crate) mod contract;
pub(crate) mod ends;

use std::time::Duration;

use crate::case::Summary;
use crate::facts::{InputEnd, Subject, Vantage};
use crate::input::{
    Baseline, Close, ConnectFailure, ConnectFailureKind, Direction, Input, IpIds, Leg, Origin,
    RelayNote, Segment, SegmentCounts, SegmentKind, TcpSample, Timestamp,
};
use crate::report::Connection;
use crate::session::Session;
use crate::wire::tls::samples;
use bytes::{negotiation_answer, record, tpdu, tpkt};

pub(crate) use crate::input::Direction::{ToClient, ToServer};

/// 2026-11-25 10:00:00 UTC: the recorded certificates are valid then.
pub(crate) const STARTED: Timestamp = Timestamp(1_795_600_800_000_000_000);

pub(crate) const SSL: u32 = 1;
pub(crate) const HYBRID: u32 = 2;
/// What mstsc asks for.
pub(crate) const MSTSC: u32 = 0x0B;

/// One step of a script. Data is apart, so that it can be cut into chunks.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Data(Direction, Vec<u8>),
    Other(Box<Input<'static>>),
}

/// A scripted session.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub subject: Subject,
    pub steps: Vec<(Timestamp, Step)>,
    now: Timestamp,
    ended: Option<InputEnd>,
}

#[allow(clippy::wrong_self_convention)] // a script reads as it runs: `.to_server(bytes)`
impl Trace {
    /// A session of a relay, nothing observed yet.
    pub fn relay() -> Trace {
        let relay = ["127.0.0.1:13389", "10.0.0.2:40000"].map(|addr| addr.parse().ok());
        Trace::new(Vantage::Relay, relay)
    }

    /// A session in a capture, nothing observed yet.
    pub fn capture() -> Trace {
        Trace::new(Vantage::Capture, [None, None])
    }

    /// A capture that starts within the connection.
    pub fn capture_from_the_middle() -> Trace {
        let mut trace = Trace::capture();
        trace.subject.starts_in_the_middle = true;
        trace
    }

    fn new(vantage: Vantage, relay: [Option<std::net::SocketAddr>; 2]) -> Trace {
        let subject = Subject {
            client: "10.0.0.5:50111".parse().unwrap(),
            server: "10.0.0.9:3389".parse().ok(),
            server_name: Some("srv".into()),
            relay,
            vantage,
            starts_in_the_middle: false,
            started: STARTED,
        };
        Trace { subject, steps: Vec::new(), now: STARTED, ended: None }
    }

    /// The same script, begun later.
    pub fn starting_at(mut self, ms: u64) -> Trace {
        self.subject.started = Timestamp(STARTED.0 + ms * 1_000_000);
        self.now = self.subject.started;
        self
    }

    /// The next steps happen this long after the previous one.
    pub fn after_ms(mut self, ms: u64) -> Trace {
        self.now.0 += ms * 1_000_000;
        self
    }

    /// Adds a step.
    pub fn step(mut self, input: Input<'static>) -> Trace {
        self.steps.push((self.now, Step::Other(Box::new(input))));
        self
    }

    fn data(mut self, dir: Direction, bytes: &[u8]) -> Trace {
        self.steps.push((self.now, Step::Data(dir, bytes.to_vec())));
        self
    }

    pub fn to_server(self, bytes: &[u8]) -> Trace {
        self.data(ToServer, bytes)
    }

    pub fn to_client(self, bytes: &[u8]) -> Trace {
        self.data(ToClient, bytes)
    }

    /// The leg on which a side's bytes and closes are observed.
    fn leg_of(&self, dir: Direction) -> Leg {
        match (self.subject.vantage, dir) {
            (Vantage::Capture, _) => Leg::Single,
            (Vantage::Relay, ToServer) => Leg::Client,
            (Vantage::Relay, ToClient) => Leg::Server,
        }
    }

    /// The TCP handshake of the client's leg alone.
    pub fn open_client(self) -> Trace {
        let leg = self.leg_of(ToServer);
        self.step(Input::Opened { leg, took: None })
    }

    /// Every TCP handshake there is.
    pub fn open(self) -> Trace {
        let (client, server) = (self.leg_of(ToServer), self.leg_of(ToClient));
        let took = Some(Duration::from_millis(3));
        let opened = self.step(Input::Opened { leg: client, took });
        if client == server { opened } else { opened.step(Input::Opened { leg: server, took }) }
    }

    /// Connection Request with alice's cookie.
    pub fn cr(self, protocols: u32) -> Trace {
        let mut variable = b"Cookie: mstshash=alice\r\n\x01\x00\x08\x00".to_vec();
        variable.extend(protocols.to_le_bytes());
        self.data(ToServer, &tpdu(0xE0, &variable))
    }

    /// Connection Confirm with RDP_NEG_RSP.
    pub fn cc(self, selected: u32) -> Trace {
        self.data(ToClient, &negotiation_answer(2, selected))
    }

    /// Connection Confirm with RDP_NEG_FAILURE.
    pub fn cc_failure(self, code: u32) -> Trace {
        self.data(ToClient, &negotiation_answer(3, code))
    }

    /// An X.224 data TPDU with the start of an MCS PDU.
    pub fn mcs(self, dir: Direction, pdu: &[u8]) -> Trace {
        let mut body = vec![2, 0xF0, 0x80];
        body.extend_from_slice(pdu);
        self.data(dir, &tpkt(&body))
    }

    /// TCP up, and a negotiation that ends with `selected`.
    pub fn negotiated(self, requested: u32, selected: u32) -> Trace {
        self.open().after_ms(5).cr(requested).after_ms(5).cc(selected).after_ms(5)
    }

    pub fn client_hello_13(self) -> Trace {
        self.data(ToServer, &samples::bytes(samples::OPENSSL_HELLO))
    }

    pub fn client_hello_12(self) -> Trace {
        self.data(ToServer, &samples::bytes(samples::OPENSSL_TLS12_HELLO))
    }

    pub fn server_hello_13(self) -> Trace {
        self.data(ToClient, &samples::bytes(samples::SERVER_HELLO_13))
    }

    /// A TLS 1.2 ServerHello of a server that knows no TLS 1.3.
    pub fn server_hello_12(self) -> Trace {
        self.server_hello_12_with(b"notadown", 0xC02C)
    }

    /// A TLS 1.2 ServerHello with this end of its random and this suite.
    pub fn server_hello_12_with(self, random_end: &[u8; 8], suite: u16) -> Trace {
        const RANDOM_END: usize = 5 + 4 + 2 + 24;
        const SUITE: usize = 5 + 4 + 2 + 32 + 1;
        let mut hello = samples::bytes(samples::FLIGHT_12);
        hello.truncate(5 + 0x41);
        hello[RANDOM_END..RANDOM_END + 8].copy_from_slice(random_end);
        hello[SUITE..SUITE + 2].copy_from_slice(&suite.to_be_bytes());
        self.data(ToClient, &hello)
    }

    pub fn hello_retry_request(self) -> Trace {
        self.data(ToClient, &samples::bytes(samples::HELLO_RETRY_REQUEST))
    }

    /// A Certificate message with these certificates (hex).
    pub fn certificate(self, dir: Direction, chain: &[&str]) -> Trace {
        let chain: Vec<Vec<u8>> = chain.iter().map(|hex| samples::bytes(hex)).collect();
        let mut list: Vec<u8> = Vec::new();
        for der in &chain {
            list.extend(&(der.len() as u32).to_be_bytes()[1..]);
            list.extend(der);
        }
        let mut body = (list.len() as u32).to_be_bytes()[1..].to_vec();
        body.extend(list);
        self.handshake(dir, 11, &body)
    }

    /// A handshake message in a record of its own.
    pub fn handshake(self, dir: Direction, kind: u8, body: &[u8]) -> Trace {
        let mut message = vec![kind];
        message.extend(&(body.len() as u32).to_be_bytes()[1..]);
        message.extend(body);
        self.data(dir, &record(22, &message))
    }

    pub fn certificate_request(self) -> Trace {
        self.handshake(ToClient, 13, &[1, 1, 0, 2, 4, 1, 0, 0])
    }

    pub fn server_hello_done(self) -> Trace {
        self.handshake(ToClient, 14, &[])
    }

    pub fn ccs(self, dir: Direction) -> Trace {
        self.data(dir, &record(20, &[1]))
    }

    /// ChangeCipherSpec and the encrypted Finished of TLS 1.2.
    pub fn finished(self, dir: Direction) -> Trace {
        self.ccs(dir).data(dir, &record(22, &[0xAA; 40]))
    }

    /// A TLS 1.2 handshake up to and with both Finished, over this certificate (hex).
    pub fn tls12(self, certificate: &str) -> Trace {
        let flight = self.client_hello_12().after_ms(5).server_hello_12();
        let flight = flight.certificate(ToClient, &[certificate]).server_hello_done().after_ms(5);
        flight.finished(ToServer).after_ms(5).finished(ToClient).after_ms(5)
    }

    /// A TLS 1.3 handshake up to and with the client's Finished.
    pub fn tls13(self) -> Trace {
        let flight = self.client_hello_13().after_ms(5).server_hello_13().ccs(ToClient);
        let flight = flight.app(ToClient, 900, 1).after_ms(5).ccs(ToServer);
        flight.app(ToServer, 69, 1).after_ms(5)
    }

    /// Records of application data with bodies of this length.
    pub fn app(mut self, dir: Direction, length: usize, count: usize) -> Trace {
        for _ in 0..count {
            self = self.data(dir, &record(23, &vec![0xAB; length]));
        }
        self
    }

    /// A desktop: the client speaks, the server sends enough for a session.
    pub fn desktop(self) -> Trace {
        self.app(ToServer, 400, 4).after_ms(50).app(ToClient, 600, 14).after_ms(500)
    }

    /// An alert in clear.
    pub fn alert(self, dir: Direction, level: u8, description: u8) -> Trace {
        self.data(dir, &record(21, &[level, description]))
    }

    pub fn close(self, dir: Direction, how: Close) -> Trace {
        let leg = self.leg_of(dir);
        self.step(Input::Closed { leg, dir, how })
    }

    pub fn fin(self, dir: Direction) -> Trace {
        self.close(dir, Close::Fin)
    }

    pub fn rst(self, dir: Direction) -> Trace {
        self.close(dir, Close::Rst)
    }

    pub fn socket(self, leg: Leg, sample: TcpSample) -> Trace {
        self.step(Input::Socket { leg, sample })
    }

    /// The server's TCP took everything and sent nothing out of order.
    pub fn all_acknowledged(self) -> Trace {
        let sample = TcpSample { unacked: Some(0), rcv_ooopack: Some(0), ..Default::default() };
        self.socket(Leg::Server, sample)
    }

    pub fn counts(self, client: SegmentCounts, server: SegmentCounts) -> Trace {
        self.step(Input::Counts { leg: Leg::Single, counts: [client, server] })
    }

    pub fn connect_failed(self, kind: ConnectFailureKind, after_ms: u64) -> Trace {
        let to = self.subject.server;
        self.failed_to(to, kind, after_ms)
    }

    /// An attempt to reach one of several addresses.
    pub fn failed_to(
        self,
        to: Option<std::net::SocketAddr>,
        kind: ConnectFailureKind,
        after_ms: u64,
    ) -> Trace {
        let leg = self.leg_of(ToClient);
        let after = Duration::from_millis(after_ms);
        let failure = ConnectFailure { to, kind, after, syns: None };
        self.step(Input::ConnectFailed { leg, failure })
    }

    pub fn relay_note(self, note: RelayNote) -> Trace {
        self.step(Input::Relay(note))
    }

    pub fn gap(self, dir: Direction, bytes: Option<u64>) -> Trace {
        self.step(Input::Gap { dir, bytes })
    }

    pub fn skipped(self, dir: Direction, bytes: u64) -> Trace {
        self.step(Input::Skipped { dir, bytes })
    }

    /// A segment worth keeping, with its TTL and the usual one of its sender.
    pub fn segment(self, dir: Direction, kind: SegmentKind, ttl: u8, usual: u8) -> Trace {
        let leg = self.leg_of(dir);
        self.step(Input::Segment(Segment {
            leg,
            dir,
            kind,
            ttl: Some(ttl),
            ip_id: None,
            seq: 1,
            ack: 1,
            flags: 0x14,
            window: 0,
            len: 0,
            options: Vec::new(),
            baseline: Baseline { ttl: Some((usual, 5)), ttl_is_steady: true, ..Default::default() },
        }))
    }

    /// A segment of a steady sender (TTL 64, a counter at 100, next byte at 1000), changed by `edit`.
    pub fn captured(
        self,
        dir: Direction,
        kind: SegmentKind,
        edit: impl FnOnce(&mut Segment),
    ) -> Trace {
        let baseline = Baseline {
            ttl: Some((64, 8)),
            ttl_is_steady: true,
            ip_id: IpIds::Counter(100),
            next_seq: Some(1000),
            acknowledged_seq: Some(1000),
            peer_next_seq: Some(1),
        };
        let mut segment = Segment {
            leg: self.leg_of(dir),
            dir,
            kind,
            ttl: Some(64),
            ip_id: Some(101),
            seq: 1000,
            ack: 1,
            flags: 0x14,
            window: 0,
            len: 0,
            options: Vec::new(),
            baseline,
        };
        edit(&mut segment);
        self.step(Input::Segment(segment))
    }

    /// The capture ends, or the report is asked for, while the connection is open.
    pub fn input_ends(mut self, why: InputEnd) -> Trace {
        self.ended = Some(why);
        self
    }

    /// The session after the whole script.
    pub fn session(&self) -> Session {
        self.session_in_chunks(&mut |bytes| vec![bytes])
    }

    /// The same, with what a comparison needs.
    pub fn session_with_transcript(&self) -> Session {
        self.play(Session::with_transcript(self.subject.clone()), &mut |bytes| vec![bytes])
    }

    /// The session after the whole script, each piece of data cut by `cut`.
    pub fn session_in_chunks<'a>(
        &'a self,
        cut: &mut dyn FnMut(&'a [u8]) -> Vec<&'a [u8]>,
    ) -> Session {
        self.play(Session::new(self.subject.clone()), cut)
    }

    fn play<'a>(
        &'a self,
        mut session: Session,
        cut: &mut dyn FnMut(&'a [u8]) -> Vec<&'a [u8]>,
    ) -> Session {
        let mut n = 0;
        for (time, step) in &self.steps {
            n += 1;
            let origin = match self.subject.vantage {
                Vantage::Capture => Origin::Packet(n),
                Vantage::Relay => Origin::Read(n),
            };
            match step {
                Step::Other(input) => session.feed(*time, origin, (**input).clone()),
                Step::Data(dir, bytes) => {
                    for bytes in cut(bytes) {
                        session.feed(*time, origin, Input::Data { dir: *dir, bytes });
                    }
                }
            }
        }
        session.finish(self.now, self.ended.unwrap_or(InputEnd::Open));
        session
    }

    /// What its siblings know of it.
    pub fn summary(&self) -> Summary {
        Summary::of(self.session().facts())
    }

    pub fn report(&self) -> Connection {
        self.report_with(&[])
    }

    /// The report of this session among its siblings. Every report is held against the contract.
    pub fn report_with(&self, siblings: &[Trace]) -> Connection {
        let siblings: Vec<Summary> = siblings.iter().map(Trace::summary).collect();
        let siblings: Vec<&Summary> = siblings.iter().collect();
        contract::report(&self.session(), &siblings)
    }
}
