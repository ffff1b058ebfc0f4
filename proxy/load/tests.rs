use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use rdpwhy_analyzer::wire::Reader;
use rdpwhy_analyzer::wire::credssp::{NegoToken, TsRequest};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use super::open_loop::Timed;
use super::operation::{Failure, Outcome, beyond_tcp, bounded};
use super::tap::Observer;
use super::*;
use crate::demo::scenes::HostTls;
use crate::demo::tls::Authority;
use crate::demo::x224;
use crate::latency::Step;
use crate::output::ExitStatus;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(line: &[&str]) -> Args {
    Line::try_parse_from(["load", "h"].iter().chain(line)).unwrap().args
}

fn plan(address: SocketAddr, until: Until) -> Arc<Plan> {
    Arc::new(Plan {
        address,
        until,
        tls: tls::connector(&[Version::Tls12, Version::Tls13]).unwrap(),
        name: tls::name("host.rdpwhy.test", address.ip()),
        timeout: Duration::from_secs(10),
        clock: Clock::start(),
    })
}

fn nowhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 3389))
}

/// An operation over a stream without a network, so that the clock can be stopped.
async fn in_memory(plan: Arc<Plan>, stream: impl AsyncRead + AsyncWrite + Unpin) -> Outcome {
    let observer = Observer::new(plan.address, plan.clock);
    bounded(&plan, &observer, async |way| beyond_tcp(stream, &plan, &observer, way).await).await
}

/// An operation against a host that answers its request after this long.
fn answered(plan: &Arc<Plan>, wait: Duration) -> impl Future<Output = Outcome> + Send + 'static {
    let (ours, mut theirs) = duplex(1024);
    let host = async move {
        x224::read_packet(&mut theirs).await.unwrap();
        sleep(wait).await;
        // An operation that gave up is not there any more.
        let _ = theirs.write_all(&x224::response(x224::SSL)).await;
    };
    let operation = in_memory(Arc::clone(plan), ours);
    async move { tokio::join!(operation, host).0 }
}

/// Runs a profile with one connection against a host that answers the n-th request after `stall(n)`.
async fn run_in_memory(
    profile: Profile,
    drain: Duration,
    stall: impl Fn(usize) -> Duration,
) -> (Vec<Timed>, u64) {
    let plan = plan(nowhere(), Until::X224);
    let requests = AtomicUsize::new(0);
    let operation = || answered(&plan, stall(requests.fetch_add(1, Ordering::Relaxed)));
    let (mut timed, mut never_began) = (Vec::new(), 0);
    let limits = Limits { connections: 1, drain };
    let (_stop, interrupts) = mpsc::channel(1);
    open_loop::run(&profile, limits, interrupts, operation, &mut |event| match event {
        Event::Done(done) => timed.push(done),
        Event::NeverBegan(count) => never_began += count,
        _ => {}
    })
    .await;
    (timed, never_began)
}

fn constant(rate: &str, seconds: u64) -> Profile {
    let shape = Shape::Steps(vec![rate.parse().unwrap()]);
    Profile { shape, lasts: Duration::from_secs(seconds) }
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_timed_from_its_intended_start() {
    let stall = |n| Duration::from_millis(if n == 2 { 500 } else { 0 });
    let (timed, never_began) =
        run_in_memory(constant("10/s", 1), Duration::from_secs(1), stall).await;
    let since =
        |timed: &Timed, from: tokio::time::Instant| (timed.outcome.ended - from).as_millis();
    let response: Vec<u128> = timed.iter().map(|timed| since(timed, timed.intended)).collect();
    let service: Vec<u128> = timed.iter().map(|timed| since(timed, timed.began)).collect();
    // Those behind the stalled one waited for the only connection, and their wait counts.
    assert_eq!(response, [0, 0, 500, 400, 300, 200, 100, 0, 0, 0]);
    assert_eq!(service, [0, 0, 500, 0, 0, 0, 0, 0, 0, 0]);
    assert!(timed.iter().all(|timed| timed.outcome.failure.is_none()));
    assert_eq!(never_began, 0);
}

#[tokio::test(start_paused = true)]
async fn what_no_connection_became_free_for_is_counted() {
    let stall = |_| Duration::from_secs(60);
    let (timed, never_began) =
        run_in_memory(constant("2/s", 2), Duration::from_secs(1), stall).await;
    assert_eq!((timed.len(), never_began), (1, 3));
    assert!(timed[0].outcome.failure.is_some(), "it ran out of time");
}

/// What a run of 10 s at 10/s came to that is interrupted after each of these pauses.
async fn interrupted<F>(connections: usize, operation: impl Fn() -> F, pauses: &[u64]) -> Tally
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let (stop, interrupts) = mpsc::channel(1);
    let limits = Limits { connections, drain: Duration::from_secs(90) };
    let clock = Clock::start();
    let recording = Recording::start(None, clock.now()).unwrap();
    let profile = constant("10/s", 10);
    let mut tally = Tally::new(recording, clock, profile.count(), connections);
    let interrupting = async {
        for pause in pauses {
            sleep(Duration::from_millis(*pause)).await;
            stop.send(()).await.unwrap();
        }
    };
    let mut take = |event| tally.take(event);
    let running = open_loop::run(&profile, limits, interrupts, operation, &mut take);
    tokio::join!(running, interrupting);
    tally
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_counts_what_was_due_and_a_second_one_leaves_the_rest() {
    let operation = || async {
        sleep(Duration::from_secs(60)).await;
        panic!("nobody waits that long");
    };
    let tally = interrupted(1, operation, &[2_050, 3_000]).await;
    let text = tally.text("");
    // Of 21 that were due one had begun; 79 were not.
    for words in ["20 never began", "1 left unfinished, the oldest after 5.", "79 not due yet"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.contains("the true times are longer"));
    assert_eq!(tally.status(), ExitStatus::Undecided);
    let json: serde_json::Value = serde_json::from_str(&tally.json("").unwrap()).unwrap();
    let told = |field: &str| json.get(field).unwrap().clone();
    assert_eq!([told("unfinished"), told("never_began")], [1, 20]);
    assert_eq!(told("interrupted"), true);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_of_a_healthy_run_blames_nobody() {
    let plan = plan(nowhere(), Until::X224);
    let operation = || answered(&plan, Duration::ZERO);
    // At the very moment when one is due.
    let tally = interrupted(9, operation, &[2_000]).await;
    let text = tally.text("");
    assert!(text.contains("not due yet at the interrupt"), "{text}");
    assert!(!text.contains("never began"), "{text}");
    assert_eq!(tally.status(), ExitStatus::Fine);
}

#[test]
fn a_run_without_an_operation_or_without_time_for_one_is_none() {
    for line in [
        &["--rate", "1/s", "--for", "0s"][..],
        &["--rate", "0.0001/h", "--for", "0ms"],
        &["--rate", "1/s", "--for", "1s", "--timeout", "0s"],
    ] {
        assert!(matches!(args(line).profile(), Err(Error::Usage(_))), "{line:?}");
    }
    let both = ["load", "h", "--step", "5,10", "--ramp-to", "50", "--for", "2s"];
    assert!(Line::try_parse_from(both).is_err());
}

#[test]
fn high_rates_are_refused_without_a_word_from_the_owner() {
    for line in [
        &["--rate", "101/s"][..],
        &["--rate", "1/s", "--ramp-to", "6060/m"],
        &["--step", "1/s,2/s,101/s"],
    ] {
        let line = [line, &["--for", "1s"]].concat();
        assert!(matches!(args(&line).profile(), Err(Error::Unsafe(_))), "{line:?}");
        let confirmed = [&line[..], &["--yes-this-is-mine"]].concat();
        assert!(args(&confirmed).profile().is_ok(), "{line:?}");
    }
    assert!(args(&["--rate", "100/s", "--for", "1s"]).profile().is_ok());
}

/// What a host does with its one connection.
#[derive(Clone, Copy)]
enum Host {
    /// Refuses with this code.
    Refuses(u32),
    /// Chooses this protocol, then TLS, then answers the first message with the second part of this pair; closes where
    /// that is empty.
    Chooses(u32, &'static [u8]),
    /// Chooses TLS, takes the ClientHello and closes.
    Closes,
}

/// TSRequest with NTLM CHALLENGE's first bytes; one with STATUS_LOGON_FAILURE. MS-CSSP 2.2.1.
const CHALLENGE: &[u8] =
    b"\x30\x1b\xa0\x03\x02\x01\x06\xa1\x14\x30\x12\x30\x10\xa0\x0e\x04\x0cNTLMSSP\0\x02\0\0\0";
const REFUSED: &[u8] = &[0x30, 0x0D, 0xA0, 3, 2, 1, 6, 0xA4, 6, 2, 4, 0xC0, 0, 0, 0x6D];

/// Runs one operation against a host on loopback; gives what the host was told inside TLS, too.
async fn against(host: Host, until: Until) -> (Outcome, Vec<u8>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let plan = plan(listener.local_addr().unwrap(), until);
    tokio::join!(operation::run(plan), serve(listener, host))
}

async fn serve(listener: TcpListener, host: Host) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    x224::read_packet(&mut stream).await.unwrap().unwrap();
    let (selected, answer) = match host {
        Host::Refuses(code) => {
            stream.write_all(&x224::failure(code)).await.unwrap();
            let _ = stream.read(&mut [0; 1]).await;
            return Vec::new();
        }
        Host::Closes => {
            stream.write_all(&x224::response(x224::SSL)).await.unwrap();
            let mut header = [0; 5];
            stream.read_exact(&mut header).await.unwrap();
            let length = u16::from_be_bytes([header[3], header[4]]);
            stream.read_exact(&mut vec![0; length.into()]).await.unwrap();
            return Vec::new();
        }
        Host::Chooses(selected, answer) => (selected, answer),
    };
    stream.write_all(&x224::response(selected)).await.unwrap();
    let config = Authority::new().unwrap().host(HostTls::Usual).unwrap();
    let Ok(mut stream) = TlsAcceptor::from(config).accept(stream).await else { return Vec::new() };
    let mut told = Vec::new();
    loop {
        match stream.read_buf(&mut told).await {
            Ok(read) if read > 0 && !answer.is_empty() => stream.write_all(answer).await.unwrap(),
            _ => break,
        }
    }
    let _ = stream.shutdown().await;
    told
}

fn steps(outcome: &Outcome) -> Vec<Step> {
    outcome.steps.iter().map(|(step, _)| *step).collect()
}

#[tokio::test]
async fn an_operation_goes_as_far_as_it_is_asked_to() {
    let host = Host::Chooses(x224::HYBRID, CHALLENGE);
    let way = [Step::Tcp, Step::X224, Step::Tls, Step::Challenge];
    for (until, reached) in [(Until::X224, 2), (Until::Tls, 3), (Until::NlaChallenge, 4)] {
        let (outcome, _) = against(host, until).await;
        assert_eq!(outcome.failure, None, "{until:?}");
        assert_eq!(steps(&outcome), way[..reached], "{until:?}");
        assert!(outcome.reached);
    }
}

#[tokio::test]
async fn no_credentials_are_sent() {
    let (_, told) = against(Host::Chooses(x224::HYBRID, CHALLENGE), Until::NlaChallenge).await;
    let mut reader = Reader::new(&told);
    let request = TsRequest::parse(&mut reader).unwrap();
    assert_eq!(request.nego_token, Some(NegoToken::Ntlm(1)));
    assert!(!request.auth_info && !request.pub_key_auth);
    assert_eq!(reader.rest(), [0; 0], "the challenge is the end");
    let (_, told) = against(Host::Chooses(x224::HYBRID, CHALLENGE), Until::Tls).await;
    assert_eq!(told, [0; 0]);
}

#[tokio::test]
async fn a_failure_has_the_name_of_its_cause() {
    for (host, until, name, explained) in [
        (Host::Refuses(3), Until::X224, "ssl-cert-not-on-server", true),
        (Host::Closes, Until::Tls, "clean-close-no-reason", false),
        (Host::Chooses(x224::SSL, &[]), Until::NlaChallenge, "nla-not-selected", true),
        (Host::Chooses(x224::RDP, &[]), Until::Tls, "tls-not-selected", true),
        // Why it closes inside TLS nobody knows.
        (Host::Chooses(x224::HYBRID, &[]), Until::NlaChallenge, "credssp-closed", false),
        (Host::Refuses(9), Until::X224, "neg-failure-other-0x9", false),
        (
            Host::Chooses(x224::HYBRID, REFUSED),
            Until::NlaChallenge,
            "credssp-error-0xc000006d",
            true,
        ),
    ] {
        let (outcome, _) = against(host, until).await;
        assert_eq!(outcome.failure, Some(Failure { name: name.into(), explained }));
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_was_not_reached() {
    let reserved =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    reserved.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = reserved.local_addr().unwrap().as_socket().unwrap();
    let outcome = operation::run(plan(address, Until::X224)).await;
    assert!(!outcome.reached);
    assert!(outcome.failure.is_some());
    assert_eq!(steps(&outcome), []);
}
