//! Real sockets on loopback; real ICMP, resets and silence in a network namespace of the test's own.

use std::io::{self, Write};
use std::net::TcpListener;
use std::process::Command;

use socket2::{Domain, Type};

use super::*;

fn quiet() -> impl FnMut(&Attempt) + Send {
    |_: &Attempt| {}
}

fn target(host: &str, port: u16) -> Target {
    Target { host: host.to_owned(), port }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let address = listener.local_addr().expect("address");
    (listener, address)
}

/// An address where nobody listens: bound by us, so nobody else takes it meanwhile.
fn closed_port() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("bind");
    let address =
        socket.local_addr().ok().and_then(|address| address.as_socket()).expect("address");
    (socket, address)
}

/// An address that answers no SYN: a listener whose queue is full.
#[cfg(target_os = "linux")]
fn silent() -> (Vec<Socket>, SocketAddr) {
    let (listener, address) = closed_port();
    listener.listen(0).expect("listen");
    let mut held = vec![listener];
    for _ in 0..4 {
        let filler = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
        filler.set_nonblocking(true).expect("nonblocking");
        let _ = filler.connect(&address.into());
        held.push(filler);
    }
    (held, address)
}

#[cfg(target_os = "linux")]
async fn race(to: &[SocketAddr]) -> DialOutcome {
    let mut on_attempt = quiet();
    let race = Race { attempts: Vec::new(), running: Vec::new(), on_attempt: &mut on_attempt };
    race.run(to.iter().copied().collect(), &DialOptions::default()).await
}

async fn kind_of(host: &str, port: u16) -> (Attempt, ConnectFailure) {
    let outcome = dial(&target(host, port), &DialOptions::default(), &mut quiet()).await;
    assert!(outcome.stream.is_none(), "{outcome:?}");
    assert_eq!(outcome.attempts.len(), 1, "{outcome:?}");
    let failure = outcome.failures().next().expect("a failure").clone();
    (outcome.attempts[0].clone(), failure)
}

#[tokio::test]
async fn a_listening_port_connects_and_is_reported_twice() {
    let (_listener, address) = listener();
    let mut seen = Vec::new();
    let mut on_attempt = |attempt: &Attempt| seen.push(attempt.state.clone());
    let outcome =
        dial(&target("127.0.0.1", address.port()), &DialOptions::default(), &mut on_attempt).await;
    let stream = outcome.stream.expect("stream");
    assert_eq!(stream.peer_addr().ok(), Some(address));
    assert!(stream.nodelay().expect("nodelay"));
    assert_eq!(outcome.attempts.len(), 1);
    assert_eq!(outcome.attempts[0].from, stream.local_addr().ok());
    assert_eq!(seen, [AttemptState::Running, AttemptState::Connected]);
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let (_bound, address) = closed_port();
    let (attempt, failure) = kind_of("127.0.0.1", address.port()).await;
    assert_eq!(failure.kind, ConnectFailureKind::Refused);
    assert_eq!((failure.to, attempt.to), (Some(address), Some(address)));
    if cfg!(target_os = "linux") {
        assert_eq!(failure.syns, Some(1));
    }
}

#[tokio::test]
async fn a_name_without_address_is_said_so() {
    let (attempt, failure) = kind_of("", 3389).await;
    assert_eq!((attempt.to, failure.to), (None, None));
    assert_eq!(failure.kind, ConnectFailureKind::NameNotFound(String::new()));
    let v6_source =
        DialOptions { source: Some("::1".parse().expect("address")), ..DialOptions::default() };
    let outcome = dial(&target("127.0.0.1", 1), &v6_source, &mut quiet()).await;
    let kinds: Vec<_> = outcome.failures().map(|failure| failure.kind.clone()).collect();
    assert_eq!(kinds, [ConnectFailureKind::Other("EAFNOSUPPORT".to_owned())]);
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_source_address_is_used() {
    let (listener, address) = listener();
    let source: IpAddr = "127.0.0.2".parse().expect("address");
    let options = DialOptions { source: Some(source), ..DialOptions::default() };
    let outcome = dial(&target("127.0.0.1", address.port()), &options, &mut quiet()).await;
    assert_eq!(listener.accept().expect("accept").1.ip(), source);
    assert_eq!(outcome.attempts[0].from.map(|from| from.ip()), Some(source));
}

#[test]
fn families_take_turns() {
    let parse = |list: &[&str]| -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().expect("address")).collect()
    };
    let mixed = interleave(parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "[::4]:1"]));
    assert_eq!(mixed, parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1", "[::4]:1"]));
    assert!(interleave(Vec::new()).is_empty());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_first_answer_wins_and_a_refusal_does_not_wait() {
    let (_held, silent) = silent();
    let (_bound, closed) = closed_port();
    let (_listener, open) = listener();
    let outcome = race(&[silent, closed, open]).await;
    assert_eq!(outcome.stream.and_then(|stream| stream.peer_addr().ok()), Some(open));
    let [first, second, third] = &outcome.attempts[..] else { panic!("{:?}", outcome.attempts) };
    assert_eq!(first.state, AttemptState::Abandoned);
    assert!(first.after >= Duration::from_millis(250), "{first:?}");
    assert_eq!(second.failure().map(|failure| &failure.kind), Some(&ConnectFailureKind::Refused));
    assert!(second.started - first.started >= Duration::from_millis(250));
    assert!(third.started - second.started < Duration::from_millis(200));
    assert_eq!(third.state, AttemptState::Connected);
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn dropping_the_dial_closes_its_socket() {
    let (_held, silent) = silent();
    let mut from = None;
    let mut on_attempt = |attempt: &Attempt| from = attempt.from;
    let silent_target = target("127.0.0.1", silent.port());
    let options = DialOptions::default();
    let dialing = dial(&silent_target, &options, &mut on_attempt);
    assert!(timeout(Duration::from_millis(50), dialing).await.is_err());
    let port = from.expect("our end").port();
    let table = std::fs::read_to_string("/proc/net/tcp").expect("table");
    let ours = format!("0100007F:{port:04X} 0100007F:{:04X} 02", silent.port()); // SYN_SENT
    assert!(!table.contains(&ours), "{table}");
}

const INSIDE: &str = "RDPWHY_TEST_INSIDE_NAMESPACE";

/// A namespace of one process: it goes away with it, whatever happens. 4001 to 4006 are spoilt in as many ways;
/// 10.8.0.2 is an address on a link where nobody answers ARP.
const SETUP: &str = r#"
set -e
trap 'exit 77' EXIT
ip link set lo up
ip link add rw0 type veth peer name rw1
ip addr add 10.8.0.1/24 dev rw0
ip link set rw0 up
ip link set rw1 up
echo 1 > /proc/sys/net/ipv4/neigh/rw0/mcast_solicit
nft -f - <<RULES
table inet spoil {
  chain input {
    type filter hook input priority 0;
    tcp dport 4001 reject with icmpx port-unreachable
    tcp dport 4002 reject with icmpx admin-prohibited
    tcp dport 4003 tcp flags & (syn | ack) == ack reject with tcp reset
    tcp dport 4004 drop
    tcp dport 4005 reject with tcp reset
    tcp dport 4006 tcp flags & psh == psh reject with icmpx host-unreachable
  }
}
RULES
trap - EXIT
exec "$0" --exact dial::tests::errors_on_the_wire_have_their_names --nocapture
"#;

#[tokio::test]
async fn errors_on_the_wire_have_their_names() {
    if std::env::var_os(INSIDE).is_some() {
        return spoilt_ports().await;
    }
    let program = std::env::current_exe().expect("this program");
    let run = Command::new("unshare")
        .args(["-rn", "sh", "-c", SETUP])
        .arg(program)
        .env(INSIDE, "1")
        .output();
    let skipped = match run {
        Err(error) => error.to_string(),
        Ok(run) => {
            let said = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
            if said.contains("spoilt ports: all checked") && run.status.success() {
                return;
            }
            assert!(!said.contains("running 1 test"), "{said}");
            said
        }
    };
    // Past the test harness, which shows the output of failed tests only.
    let _ = writeln!(io::stderr(), "SKIPPED: no network namespace for ICMP errors: {skipped}");
}

async fn spoilt_ports() {
    let icmp = |kind, code, from: &str| ConnectFailureKind::Icmp {
        kind,
        code,
        offender: from.parse().ok(),
    };
    let _v4 = TcpListener::bind("127.0.0.1:4003").expect("listen");
    // Nobody answered ARP: the kernel's own ICMP names our address.
    let (attempt, failure) = kind_of("10.8.0.2", 3389).await;
    assert_eq!(failure.kind, icmp(3, 1, "10.8.0.1"));
    assert_eq!(attempt.from.map(|from| from.ip()), "10.8.0.1".parse().ok());

    // One more SYN is enough. Not above: ICMP that meets the last retransmission leaves no trace in the queue.
    std::fs::write("/proc/sys/net/ipv4/tcp_syn_retries", "1").expect("sysctl");
    let _ = std::fs::write("/proc/sys/net/ipv4/tcp_syn_linear_timeouts", "0"); // newer kernels
    let (_, failure) = kind_of("127.0.0.1", 4004).await;
    assert_eq!((failure.kind, failure.syns), (ConnectFailureKind::NoAnswer, Some(2)));
    assert!(failure.after >= Duration::from_secs(2));

    assert_eq!(kind_of("127.0.0.1", 4001).await.1.kind, icmp(3, 3, "127.0.0.1"));
    assert_eq!(kind_of("127.0.0.1", 4002).await.1.kind, icmp(3, 13, "127.0.0.1"));
    assert_eq!(kind_of("::1", 4001).await.1.kind, icmp(1, 4, "::1"));
    assert_eq!(kind_of("::1", 4002).await.1.kind, icmp(1, 1, "::1"));
    assert_eq!(kind_of("127.0.0.1", 4003).await.1.kind, ConnectFailureKind::ResetAfterSynAck);
    assert_eq!(kind_of("127.0.0.1", 4005).await.1.kind, ConnectFailureKind::Refused);
    assert_eq!(
        kind_of("192.0.2.1", 1).await.1.kind,
        ConnectFailureKind::Other("ENETUNREACH".to_owned())
    );
    an_open_connection_survives_icmp().await;
    println!("spoilt ports: all checked");
}

/// ICMP about an open connection is a hint that TCP retries through (RFC 1122 4.2.3.9); a relay that reads it as
/// the end would break sessions that live without it.
async fn an_open_connection_survives_icmp() {
    let listener = TcpListener::bind("127.0.0.1:4006").expect("listen");
    let outcome = dial(&target("127.0.0.1", 4006), &DialOptions::default(), &mut quiet()).await;
    let stream = outcome.stream.expect("stream");
    let _held = listener.accept().expect("accept");
    assert_eq!(stream.try_write(b"lost on the way").ok(), Some(15));
    let anything = stream.ready(Interest::READABLE | Interest::ERROR);
    let silent = timeout(Duration::from_millis(600), anything).await;
    assert!(silent.is_err(), "{:?}", os::pending_error(&stream));
    assert_eq!(os::tcp_sample(&stream).and_then(|sample| sample.unacked), Some(1));
}
