//! When a case is over with `--once`. The clock is tokio's paused one: it moves only while everybody
//! waits, so minutes pass at once and every moment is exact. TLS is a real handshake of rustls.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rdpwhy_analyzer::facts::{Subject, Vantage};
use rdpwhy_analyzer::input::{Close, Direction, Input, Leg, Origin, Timestamp};
use rdpwhy_analyzer::report::text::Style;
use rustls::{ClientConnection, ServerConnection};
use tokio::time::{advance, sleep};

use super::*;
use crate::clock::Clock;
use crate::demo::scenes::{Client, HostTls};
use crate::demo::tls::{Authority, NAME};
use crate::demo::x224;
use crate::latency::Recording;
use crate::metrics;
use crate::output::{Filter, Format};

/// 2026-11-25 10:00:00 UTC.
const BEGAN: u64 = 1_795_600_800_000_000_000;
const HYBRID_REQUIRED: u32 = 5;

/// What a session came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// The server refused it and closed.
    Refused,
    /// TLS was complete.
    Tls,
    /// A desktop was shown.
    Desktop,
}

/// A desk with `--once` at work, and what it prints.
struct Stage {
    desk: mpsc::Sender<Message>,
    over: watch::Receiver<bool>,
    printed: Shared,
    remarks: Shared,
    began: Instant,
    authority: Authority,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Stage {
    fn new() -> Stage {
        Stage::printing(Printed::All)
    }

    fn printing(outcomes: Printed) -> Stage {
        let (printed, remarks) = (Shared::default(), Shared::default());
        let style = Style { color: false, width: 100 };
        let (sink, aside) = (Box::new(printed.clone()), Box::new(remarks.clone()));
        let filter = Filter { connection: None, printed: outcomes };
        let output = Output::to(Format::Jsonl, filter, style, sink, aside);
        let (once, over) = watch::channel(false);
        let (desk, messages) = mpsc::channel(64);
        let work = Desk::new(Identities::Shown, output, Some(once)).run(messages);
        tokio::spawn(work);
        let authority = Authority::new().unwrap();
        Stage { desk, over, printed, remarks, began: Instant::now(), authority }
    }

    /// A session that is open now and came this far.
    fn session(&self, index: u64, came: Came) -> Box<Session> {
        let port = 50_000 + index as u16;
        let subject = Subject {
            client: SocketAddr::from(([10, 0, 0, 5], port)),
            server: Some(SocketAddr::from(([10, 0, 0, 9], 3389))),
            server_name: None,
            relay: [None, None],
            vantage: Vantage::Relay,
            starts_in_the_middle: false,
            started: self.now(),
        };
        let mut session = Box::new(Session::new(subject));
        for leg in [Leg::Client, Leg::Server] {
            self.feed(&mut session, Input::Opened { leg, took: None });
        }
        self.says(&mut session, Direction::ToServer, &x224::request("alice", 0, x224::SSL));
        if came == Came::Refused {
            self.says(&mut session, Direction::ToClient, &x224::failure(HYBRID_REQUIRED));
            return session;
        }
        self.says(&mut session, Direction::ToClient, &x224::response(x224::SSL));
        let (mut client, mut server) = self.handshake(&mut session);
        if came == Came::Desktop {
            client.writer().write_all(b"input").unwrap();
            self.writes(&mut session, Direction::ToServer, &mut client);
            for _ in 0..12 {
                server.writer().write_all(b"a part of the picture").unwrap();
                self.writes(&mut session, Direction::ToClient, &mut server);
            }
        }
        session
    }

    fn handshake(&self, session: &mut Session) -> (ClientConnection, ServerConnection) {
        let name = NAME.try_into().unwrap();
        let client = self.authority.client(Client::Usual).unwrap();
        let mut client = ClientConnection::new(client, name).unwrap();
        let server = self.authority.host(HostTls::Usual).unwrap();
        let mut server = ServerConnection::new(server).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let flight = self.writes(session, Direction::ToServer, &mut client);
            server.read_tls(&mut &flight[..]).unwrap();
            server.process_new_packets().unwrap();
            let flight = self.writes(session, Direction::ToClient, &mut server);
            client.read_tls(&mut &flight[..]).unwrap();
            client.process_new_packets().unwrap();
        }
        (client, server)
    }

    /// What one end of TLS has to say, said.
    fn writes<Data>(
        &self,
        session: &mut Session,
        dir: Direction,
        tls: &mut rustls::ConnectionCommon<Data>,
    ) -> Vec<u8> {
        let mut flight = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut flight).unwrap();
        }
        self.says(session, dir, &flight);
        flight
    }

    fn says(&self, session: &mut Session, dir: Direction, bytes: &[u8]) {
        self.feed(session, Input::Data { dir, bytes });
    }

    fn feed(&self, session: &mut Session, input: Input<'_>) {
        session.feed(self.now(), Origin::Read(1), input);
    }

    fn now(&self) -> Timestamp {
        Timestamp(BEGAN + self.began.elapsed().as_nanos() as u64)
    }

    async fn begins(&self, index: u64) {
        let client = IpAddr::from([10, 0, 0, 5]);
        self.tell(Message::Began { index, client }).await;
    }

    /// The session ends now, by a FIN of this side.
    async fn ends(&self, index: u64, mut session: Box<Session>, dir: Direction) {
        let leg = if dir == Direction::ToServer { Leg::Client } else { Leg::Server };
        self.feed(&mut session, Input::Closed { leg, dir, how: Close::Fin });
        session.finish(self.now(), InputEnd::Open);
        let session = Lent::new(session);
        self.tell(Message::Ended { index, source: "test".into(), session, tape: None }).await;
    }

    /// A session that begins and ends now.
    async fn fails(&self, index: u64) {
        self.begins(index).await;
        self.ends(index, self.session(index, Came::Refused), Direction::ToClient).await;
    }

    async fn rehearses(&self, index: u64) {
        self.begins(index).await;
        self.ends(index, self.session(index, Came::Tls), Direction::ToServer).await;
    }

    async fn tell(&self, message: Message) {
        assert!(self.desk.send(message).await.is_ok(), "the desk is gone");
        // The desk takes it before the clock moves on.
        tokio::task::yield_now().await;
    }

    /// Seconds from the beginning to the end of the case.
    async fn over_after(&mut self) -> f64 {
        self.over.wait_for(|over| *over).await.unwrap();
        (self.began.elapsed().as_secs_f64() * 100.0).round() / 100.0
    }

    fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Number, finality, what it replaces and the outcome of every verdict until now.
    fn verdicts(&self) -> Vec<(u64, bool, Option<u64>, Outcome)> {
        let printed = self.printed.text();
        let verdicts = printed.lines().map(|line| serde_json::from_str(line).unwrap());
        let facts = |it: Connection| (it.index, it.r#final, it.supersedes, it.outcome);
        verdicts.map(facts).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn an_established_session_that_ends_is_a_case() {
    for closer in Direction::BOTH {
        let mut stage = Stage::new();
        stage.begins(1).await;
        let session = stage.session(1, Came::Desktop);
        stage.tell(Message::Active { index: 1, session: session.clone() }).await;
        sleep(Duration::from_secs(3600)).await;
        assert!(!stage.is_over(), "it still lasts");
        stage.ends(1, session, closer).await;
        assert_eq!(stage.over_after().await, 3600.0);
        assert_eq!(stage.verdicts(), [(1, true, None, Outcome::Established)]);
        assert_eq!(stage.remarks.text(), "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_a_case_when_no_sibling_comes_for_5_seconds() {
    let mut stage = Stage::new();
    stage.fails(1).await;
    assert_eq!(stage.verdicts(), [(1, true, None, Outcome::Failed)], "not held back");
    assert_eq!(stage.over_after().await, 5.0);
    assert_eq!(stage.remarks.text(), "");
}

#[tokio::test(start_paused = true)]
async fn each_further_attempt_has_its_own_5_seconds() {
    let mut stage = Stage::new();
    stage.fails(1).await;
    advance(Duration::from_secs(4)).await;
    stage.fails(2).await;
    assert_eq!(stage.over_after().await, 9.0);
    let failed = |index| (index, true, None, Outcome::Failed);
    assert_eq!(stage.verdicts(), [failed(1), failed(2)]);
}

#[tokio::test(start_paused = true)]
async fn a_case_is_not_over_while_a_further_attempt_lasts() {
    let mut stage = Stage::new();
    stage.fails(1).await;
    advance(Duration::from_secs(4)).await;
    stage.begins(2).await;
    let session = stage.session(2, Came::Desktop);
    stage.tell(Message::Active { index: 2, session: session.clone() }).await;
    sleep(Duration::from_secs(600)).await;
    assert!(!stage.is_over());
    stage.ends(2, session, Direction::ToServer).await;
    assert_eq!(stage.over_after().await, 604.0);
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_waits_120_seconds_and_says_so() {
    let mut stage = Stage::new();
    stage.rehearses(1).await;
    assert_eq!(stage.verdicts(), [(1, false, None, Outcome::Failed)]);
    let said = stage.remarks.text();
    assert!(said.contains("up to 120 s") && said.lines().count() == 1, "{said}");
    sleep(Duration::from_millis(119_900)).await;
    assert!(!stage.is_over());
    assert_eq!(stage.verdicts().len(), 1, "a sibling may still come");
    assert_eq!(stage.over_after().await, 120.0);
    let outcomes = [(1, false, None, Outcome::Failed), (1, true, Some(1), Outcome::Failed)];
    assert_eq!(stage.verdicts(), outcomes);
}

#[tokio::test(start_paused = true)]
async fn a_sibling_revises_a_rehearsal_and_its_end_is_that_of_the_case() {
    let mut stage = Stage::new();
    stage.rehearses(1).await;
    advance(Duration::from_secs(119)).await;
    stage.begins(2).await;
    let session = stage.session(2, Came::Desktop);
    stage.tell(Message::Active { index: 2, session: session.clone() }).await;
    let revised = [(1, false, None, Outcome::Failed), (1, true, Some(1), Outcome::Rehearsal)];
    assert_eq!(stage.verdicts(), revised, "as soon as the sibling is up");
    sleep(Duration::from_secs(600)).await;
    assert!(!stage.is_over(), "its sibling lasts");
    stage.ends(2, session, Direction::ToServer).await;
    assert_eq!(stage.over_after().await, 719.0);
    assert_eq!(stage.verdicts()[2..], [(2, true, None, Outcome::Established)]);
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_whose_sibling_fails_is_none() {
    let mut stage = Stage::new();
    stage.rehearses(1).await;
    advance(Duration::from_secs(30)).await;
    stage.fails(2).await;
    assert_eq!(stage.over_after().await, 35.0);
    let outcomes: Vec<Outcome> = stage.verdicts().iter().map(|verdict| verdict.3).collect();
    assert_eq!(outcomes, [Outcome::Failed; 3]);
    assert!(stage.verdicts().contains(&(1, true, Some(1), Outcome::Failed)));
}

#[tokio::test(start_paused = true)]
async fn what_was_printed_is_revised_where_failures_alone_are() {
    for outcomes in [Printed::Failed, Printed::None] {
        let mut stage = Stage::printing(outcomes);
        stage.rehearses(1).await;
        advance(Duration::from_secs(30)).await;
        stage.begins(2).await;
        let session = stage.session(2, Came::Desktop);
        stage.tell(Message::Active { index: 2, session: session.clone() }).await;
        stage.ends(2, session, Direction::ToServer).await;
        assert_eq!(stage.over_after().await, 30.0);
        let told = [(1, false, None, Outcome::Failed), (1, true, Some(1), Outcome::Rehearsal)];
        let expected: &[_] = if outcomes == Printed::Failed { &told } else { &[] };
        assert_eq!(stage.verdicts(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn how_long_a_session_took_to_be_up_is_measured_while_it_lasts_and_once() {
    let stage = Stage::new();
    let clock = Clock::start();
    let measures = Measures::new(Recording::start(None, clock.now()).unwrap(), clock);
    let count = |step: &str| {
        let text = String::from_utf8(measures.exposed(metrics::Format::Text)).unwrap();
        let name = format!("rdpwhy_step_duration_seconds_count{{step=\"{step}\"");
        let line = text.lines().find(|line| line.starts_with(&name)).map(str::to_owned);
        line.map_or(0, |line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
    };
    let session = stage.session(1, Came::Desktop);
    measures.began(1);
    measures.set_up(1, session.facts());
    measures.set_up(1, session.facts());
    assert_eq!([count("x224"), count("tls"), count("server-turn")], [1, 1, 0]);
    measures.ended(1, session.facts());
    let turns = session.facts().turns.waits(Direction::ToClient).len() as u64;
    assert_eq!([count("x224"), count("tls"), count("server-turn")], [1, 1, turns]);
    // One that was never up.
    measures.ended(2, stage.session(2, Came::Tls).facts());
    assert_eq!([count("x224"), count("tls")], [2, 2]);
}
