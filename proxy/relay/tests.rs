//! Sessions through the relay with engines that fail: bytes go on exactly, verdicts say what they lack.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rdpwhy_analyzer::input::{Close, Direction, Input, Leg, Origin, Timestamp};
use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::Identities;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::pump::Pump;
use super::{Deadlines, Feed, Guard, ProxyProtocol, Relay, Terms, Upstream, Workers, listen};
use crate::clock::Clock;
use crate::desk::{Desk, Message};
use crate::dial::{DialOptions, Target};
use crate::latency::Recording;
use crate::measures::Measures;
use crate::metrics;
use crate::output::Output;
use crate::record::{Payload, Policy, Recorder, Ring};

/// Long enough for a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// A relay in this process, in front of a listener of the test's own.
struct Stage {
    address: SocketAddr,
    upstream: TcpListener,
    told: mpsc::Receiver<Message>,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

async fn stage(feed: Feed, recorder: Option<Recorder>, rst_immune: Option<Duration>) -> Stage {
    let (relay, upstream, told) = relay(feed, recorder, rst_immune).await;
    let (stop, stopped) = watch::channel(false);
    let listening = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), false).unwrap();
    let address = listening.address;
    let guard = Guard::new(Vec::new(), 10);
    let serving = tokio::spawn(listening.serve(relay, guard, stopped));
    Stage { address, upstream, told, stop, serving }
}

/// What serves clients, the listener that they are taken to, and what the desk is told.
async fn relay(
    feed: Feed,
    recorder: Option<Recorder>,
    rst_immune: Option<Duration>,
) -> (Arc<Relay>, TcpListener, mpsc::Receiver<Message>) {
    let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = upstream.local_addr().unwrap().port();
    let (desk, told) = mpsc::channel(64);
    let relay = Relay {
        source: "test".into(),
        numbers: Arc::new(AtomicU64::new(1)),
        upstream: Upstream::Fixed(Target { host: "127.0.0.1".into(), port }),
        dial: DialOptions::default(),
        proxy_protocol: ProxyProtocol::default(),
        deadlines: Deadlines::default(),
        rst_immune,
        once: false,
        clock: Clock::start(),
        desk,
        recorder,
        packets: None,
        feed,
        announces: true,
        measures: None,
        workers: Workers::here(),
    };
    (Arc::new(relay), upstream, told)
}

/// The desk's verdicts on what a relay told.
async fn judged(told: mpsc::Receiver<Message>) -> Vec<rdpwhy_analyzer::report::Connection> {
    let mut output = Output::nowhere();
    output.remember();
    let mut desk = Desk::new(Identities::Shown, output, None);
    timeout(LONG, desk.work(told)).await.unwrap();
    desk.output.remembered().to_vec()
}

fn panics(_: &mut Session, _: Timestamp, _: Origin, input: Input<'_>) {
    if matches!(input, Input::Data { .. }) {
        panic!("an engine that fails");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_engine_costs_the_verdict_and_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.pcapng");
    let ring = Ring { path: path.clone(), files: None, size: 0 };
    let recorder = Recorder::start(ring, Payload::Handshake, Policy::Wait).unwrap();
    let Stage { address, upstream, told, stop, serving } =
        stage(panics, Some(recorder.clone()), None).await;
    let sent: Vec<u8> = (0..300_000u32).flat_map(|n| n.to_be_bytes()).collect();
    let client = TcpStream::connect(address).await.unwrap();
    let (server, _) = upstream.accept().await.unwrap();
    let (mut from_client, mut to_server) = client.into_split();
    let (mut from_server, mut to_client) = server.into_split();
    let (up, down) = (sent.clone(), sent.clone());
    let writers = tokio::spawn(async move {
        let up = async { to_server.write_all(&up).await.map(|()| drop(to_server)) };
        let down = async { to_client.write_all(&down).await.map(|()| drop(to_client)) };
        tokio::join!(up, down)
    });
    let (mut got_up, mut got_down) = (Vec::new(), Vec::new());
    let both = async {
        tokio::join!(from_server.read_to_end(&mut got_up), from_client.read_to_end(&mut got_down))
    };
    let (up, down) = timeout(LONG, both).await.unwrap();
    up.and(down).unwrap();
    writers.await.unwrap().0.unwrap();
    assert!(got_up == sent && got_down == sent, "the bytes differ");
    let _ = stop.send(true);
    timeout(LONG, serving).await.unwrap().unwrap();
    let reports = judged(told).await;
    assert_eq!(reports.len(), 1);
    assert!(!reports[0].complete && reports[0].r#final);
    assert!(recorder.finish());
    // Where nobody knows the end of the handshake, no byte is kept.
    let file = std::fs::read(path).unwrap();
    assert!(!file.windows(8).any(|part| sent[400..].starts_with(part)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_session_is_reported_when_the_relay_stops() {
    let Stage { address, upstream, told, stop, serving } = stage(Session::feed, None, None).await;
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(TcpStream::connect(address).await.unwrap());
        open.push(upstream.accept().await.unwrap().0);
    }
    let _ = stop.send(true);
    timeout(LONG, serving).await.unwrap().unwrap();
    let mut numbers: Vec<u64> = judged(told).await.iter().map(|report| report.index).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorder_ends_while_a_session_still_holds_its_tape() {
    let folder = tempfile::tempdir().unwrap();
    let ring = Ring { path: folder.path().join("case.pcapng"), files: None, size: 0 };
    let recorder = Recorder::start(ring, Payload::Full, Policy::Wait).unwrap();
    let Stage { address, upstream, stop, serving, .. } =
        stage(Session::feed, Some(recorder.clone()), None).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    let finished = tokio::task::spawn_blocking(move || recorder.finish());
    assert!(timeout(LONG, finished).await.unwrap().unwrap());
    // The session goes on, recorded or not.
    let sent = vec![7; 1 << 20];
    let writer = tokio::spawn(async move {
        client.write_all(&sent).await.unwrap();
        client
    });
    let mut got = vec![0; 1 << 20];
    timeout(LONG, server.read_exact(&mut got)).await.unwrap().unwrap();
    assert!(got.iter().all(|byte| *byte == 7));
    drop((writer.await.unwrap(), server));
    let _ = stop.send(true);
    timeout(LONG, serving).await.unwrap().unwrap();
}

/// The report on a session whose server leaves its client waiting: at once, or once it has answered and the client
/// has closed its half.
#[cfg(target_os = "linux")]
async fn given_up(answers: bool) -> rdpwhy_analyzer::report::Connection {
    let Stage { address, upstream, told, stop, serving } =
        stage(Session::feed, None, Some(Duration::from_millis(300))).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    client.write_all(&[3, 0, 0, 11, 6, 0xE0, 0, 0, 0, 0, 0]).await.unwrap();
    server.read_exact(&mut [0; 11]).await.unwrap();
    if answers {
        // Nobody waits for a server that has answered, until the client closes.
        server.write_all(&[3, 0, 0, 11, 6, 0xD0, 0, 0, 0x12, 0x34, 0]).await.unwrap();
        client.read_exact(&mut [0; 11]).await.unwrap();
        client.shutdown().await.unwrap();
    }
    // The relay closes; this server never does.
    let end = timeout(LONG, client.read(&mut [0; 1])).await.unwrap();
    assert!(!end.is_ok_and(|read| read > 0));
    let _ = stop.send(true);
    timeout(LONG, serving).await.unwrap().unwrap();
    drop(server);
    let mut reports = judged(told).await;
    assert!(
        reports
            .iter()
            .all(|report| { report.findings.iter().any(|finding| finding.id == "rst-immune") })
    );
    reports.pop().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_be_gone_is_given_up_by_the_experiment() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    if crate::os::ignore_resets(&socket).is_err() {
        return eprintln!("SKIPPED: the socket filter needs CAP_NET_ADMIN");
    }
    let silent = given_up(false).await;
    assert_eq!(silent.verdict.what.as_deref(), Some("relay-induced"));
    assert!(silent.verdict.sentence.contains("--rst-immune"), "{}", silent.verdict.sentence);
    // The client's own close came first: the relay only let go of what was left.
    let left = given_up(true).await;
    assert_eq!(left.ended.from.as_deref(), Some("client"));
}

/// For how long a client's window stood at zero, by the relay's socket, while it left 1 MiB unread for `pause`.
#[cfg(target_os = "linux")]
async fn unread_for(pause: Duration) -> Option<Duration> {
    let Stage { address, upstream, mut told, stop, serving } =
        stage(Session::feed, None, None).await;
    let client = tokio::net::TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(4096).unwrap();
    let mut client = client.connect(address).await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    let bytes = vec![7; 1 << 20];
    let sending = tokio::spawn(async move {
        server.write_all(&bytes).await.unwrap();
        server
    });
    sleep(pause).await;
    timeout(LONG, client.read_exact(&mut vec![0; 1 << 20])).await.unwrap().unwrap();
    drop((client, sending.await.unwrap()));
    let session = loop {
        match timeout(LONG, told.recv()).await.unwrap().unwrap() {
            Message::Ended { session, .. } => break session,
            _ => continue,
        }
    };
    let _ = stop.send(true);
    timeout(LONG, serving).await.unwrap().unwrap();
    let leg = session.facts().tcp.leg(Leg::Client);
    assert!(leg.zero_window(Direction::ToServer).since.is_none(), "it has opened again");
    let (at, longest) = leg.zero_window(Direction::ToServer).longest?;
    assert_eq!((at.origin(), leg.counts()), (Origin::Socket, None));
    Some(Duration::from_nanos(longest))
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_stays_shut_in_a_silence_is_known_without_packets() {
    let shut = unread_for(Duration::from_secs(6)).await;
    assert!(shut >= Some(Duration::from_secs(2)) && shut < Some(LONG), "{shut:?}");
}

/// Two ends of a TCP connection.
async fn ends() -> [TcpStream; 2] {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    [near, listener.accept().await.unwrap().0]
}

#[tokio::test]
async fn what_the_relay_adds_lasts_until_the_receiver_has_taken_all() {
    const STUCK: Duration = Duration::from_secs(2);
    let clock = Clock::start();
    let measures = Measures::new(Recording::start(None, clock.now()).unwrap(), clock);
    let [mut client, inner] = ends().await;
    let [outer, mut server] = ends().await;
    let mut pump = Pump::new([inner, outer], Vec::new(), None, Some(&measures));
    let bytes = vec![7; 24 << 20];
    let sending = async {
        client.write_all(&bytes).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let receiving = async {
        sleep(STUCK).await;
        let mut got = vec![0; bytes.len()];
        server.read_exact(&mut got).await.unwrap();
        assert!(got == bytes);
    };
    let pumping = async {
        let deaths = pump.run(false, &mut |_, _| {}).await;
        assert_eq!(deaths.unwrap().0, [Some(Close::Fin), None]);
    };
    timeout(LONG, async { tokio::join!(sending, receiving, pumping) }).await.unwrap();
    drop(pump);
    let text = String::from_utf8(measures.exposed(metrics::Format::Text)).unwrap();
    let count = |le: &str| -> u64 {
        let series = format!(
            "rdpwhy_step_duration_seconds_bucket{{step=\"relay\",leg=\"server\",le=\"{le}\"}} "
        );
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.unwrap_or_else(|| panic!("no {series}in\\n{text}")).parse().unwrap()
    };
    // The chunk that the receiver did not take in the beginning, and those that it took at once.
    assert!(count("+Inf") > count("0.25"), "{text}");
    assert!(count("0.25") > 0, "{text}");
    assert!(!text.contains("step=\"relay\",leg=\"client\""), "nothing came back: {text}");
}

#[tokio::test]
async fn a_listener_that_closes_serves_all_who_had_connected_by_then() {
    const CLIENTS: u64 = 300;
    let (relay, upstream, mut told) = relay(Session::feed, None, None).await;
    drop(upstream);
    let listening = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), false).unwrap();
    let connect = || std::net::TcpStream::connect_timeout(&listening.address, LONG).unwrap();
    let clients: Vec<_> = (0..CLIENTS).map(|_| connect()).collect();
    let guard = Guard::new(Vec::new(), 1000);
    let (held, terms) = watch::channel(Terms { relay, guard });
    drop(held);
    let (_stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(listening.serve_on(terms, stopped));
    drop(clients);
    let served = async {
        let mut ended = 0;
        while let Some(message) = told.recv().await {
            ended += u64::from(matches!(message, Message::Ended { .. }));
        }
        ended
    };
    let (served, ended) = timeout(LONG, async { tokio::join!(served, serving) }).await.unwrap();
    ended.unwrap();
    assert_eq!(served, CLIENTS);
}
