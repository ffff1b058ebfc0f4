//! What the analysis costs: from a capture file to verdicts, and its parsers one by one.
//!
//! ```text
//! cargo bench --bench engine -- [--rounds N] [--mib SIZE] [--smoke] [--write]
//! ```
//! The capture is made in memory: Ethernet, IPv4, segments of 1,460 bytes with their acknowledgements, 64
//! connections interleaved, half of them TLS 1.2 and half TLS 1.3. Times are this thread's time on the
//! CPU. Instructions are counted by valgrind, where it is installed: of a capture to the verdicts, what one
//! more packet and one more connection cost, and of each parser what a call costs. All connections are of one server:
//! its certificate is read once, except where it says "another server". `--write` puts the table into `benches/ENGINE.md`. `--smoke` asks only whether every connection is reported; so
//! does `cargo test --bench engine`.

#[path = "support/capture.rs"]
mod capture;
#[path = "support/rdp.rs"]
mod rdp;

use std::hint::black_box;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use capture::{Capture, RECORDS, Shape};
use rdp::{CONFIRM, HEADER, Prologue, REQUEST, Side, record};
use rdpwhy::offline::{self, Scope};
use rdpwhy::output::{Filter, Format, Output};
use rdpwhy_analyzer::facts::{Subject, Vantage};
use rdpwhy_analyzer::input::{Direction, Input, Origin, Timestamp};
use rdpwhy_analyzer::records::RecordScanner;
use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::Identities;
use rdpwhy_analyzer::wire::tls::{
    CertificateMessage, CertificateSummary, ClientHello, RecordHeader, ServerHello,
};
use rdpwhy_analyzer::wire::x224::Tpdu;

/// The connections of the capture.
const SHAPE: Shape = Shape { at_once: 64, each: 1 << 20 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<usize>().ok()
    };
    // Without `--bench`, which `cargo bench` gives, it is a test run.
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let smoke = has("--smoke") || !has("--bench");
    let rounds = if smoke { 1 } else { value("--rounds").unwrap_or(5) };
    let bytes = value("--mib").unwrap_or(if smoke { 2 } else { 256 }) << 20;
    if let Some(number) = value(COUNTED) {
        return counted(number);
    }
    say("| what | size | median [min..max] |\n| --- | --- | --- |".to_owned());
    let mut failed = files(bytes, rounds);
    if !smoke {
        instructions();
    }
    let least = if smoke { Duration::ZERO } else { Duration::from_millis(200) };
    failed += parsers(least, rounds, smoke);
    if has("--write") && !smoke {
        write();
    }
    if smoke {
        let word = if failed == 0 { "ok" } else { "FAILED" };
        println!("test result: {word}. {} passed; {failed} failed;", 2 - failed);
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// From a file to verdicts; gives how many of its two checks failed: 0 or 1.
fn files(bytes: usize, rounds: usize) -> usize {
    let capture = Capture::write(Vec::new(), bytes, SHAPE).expect("writing to memory");
    let file = capture.sink.as_slice();
    let mut rates = Vec::new();
    let mut costs = Vec::new();
    let mut right = true;
    for _ in 0..rounds {
        let before = on_cpu();
        let reported = analyzed(file);
        let took = on_cpu().saturating_sub(before).as_secs_f64().max(1e-9);
        right &= reported == capture.connections;
        rates.push(file.len() as f64 / 1e6 / took);
        costs.push(took * 1e9 / capture.packets as f64);
    }
    let size = format!(
        "{} MB, {} packets, {} connections",
        file.len() / 1_000_000,
        capture.packets,
        capture.connections
    );
    row("pcap to verdicts", &size, rates, "MB/s");
    row("the same", &size, costs, "ns/packet");
    if !right {
        eprintln!("not every connection was reported");
    }
    usize::from(!right)
}

fn analyzed(file: &[u8]) -> u64 {
    let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
    let output =
        Output::open(Format::Jsonl, Filter::default(), Some(&PathBuf::from(nowhere)), Some(false));
    let mut output = output.expect("the null device");
    let scope = Scope { ports: vec![3389], all: false, timed: false };
    let found = offline::analyze("bench.pcap", file, &scope, &Identities::Shown, &mut output);
    found.map_or(0, |found| found.reported)
}

/// Two captures of as many connections: their difference is packets and nothing else.
fn instructions() {
    let counted = |each: usize| {
        let folder = tempfile::tempdir().ok()?;
        let path = folder.path().join("capture.pcap");
        let shape = Shape { at_once: 64, each };
        let capture = Capture::write(Vec::new(), 64 * each, shape).ok()?;
        std::fs::write(&path, &capture.sink).ok()?;
        let program = [env!("CARGO_BIN_EXE_rdpwhy"), "analyze", "--format", "jsonl"];
        let count = collected(&[&program[..], &[path.to_str()?]].concat())?;
        Some((count, capture.packets as f64, capture.connections as f64))
    };
    let (Some(less), Some(more)) = (counted(64 << 10), counted(512 << 10)) else {
        say("| instructions | – | skipped: valgrind is not installed |".to_owned());
        return;
    };
    let size = format!("{} packets, {} connections", more.1, more.2);
    let per_packet = (more.0 - less.0) / (more.1 - less.1);
    let per_connection = (less.0 - per_packet * less.1) / less.2;
    row("instructions per packet", &size, vec![per_packet], "");
    row("instructions per connection besides", &size, vec![per_connection], "");
}

/// What callgrind counts while this runs; `None` where valgrind is not installed.
fn collected(command: &[&str]) -> Option<f64> {
    let valgrind = std::process::Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(command)
        .output()
        .ok()?;
    // On its standard error: `==PID== Collected : N`.
    let said = String::from_utf8_lossy(&valgrind.stderr).into_owned();
    said.split("Collected :").nth(1)?.split_whitespace().next()?.parse().ok()
}

/// The argument with which this program does nothing but to call a parser, by its number, [`CALLS`] times.
const COUNTED: &str = "--counted";
const CALLS: u32 = 1000;

fn counted(number: usize) -> ExitCode {
    let mut right = false;
    parser_cases(&mut |cases| {
        right = cases.get_mut(number).is_some_and(|case| called(&mut case.2))
    });
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is counted: callgrind knows this function by its name.
#[inline(never)]
fn called(work: &mut dyn FnMut() -> bool) -> bool {
    (0..CALLS).fold(true, |right, _| right & work())
}

/// Instructions that a call of a parser takes.
fn instructions_of(number: usize) -> Option<f64> {
    let this = std::env::current_exe().ok()?;
    let toggle = concat!("--toggle-collect=", module_path!(), "::called*");
    let command = [toggle, this.to_str()?, "--bench", COUNTED, &number.to_string()];
    Some(collected(&command)? / f64::from(CALLS))
}

/// Name, bytes per call, and the call.
type ParserCase<'a> = (&'static str, usize, Box<dyn FnMut() -> bool + 'a>);

/// Every parser on what real parties say; gives 1 when one of them does not read it.
fn parsers(least: Duration, rounds: usize, smoke: bool) -> usize {
    let mut failed = 0;
    parser_cases(&mut |cases| {
        for (number, (name, size, work)) in cases.iter_mut().enumerate() {
            let mut costs = Vec::new();
            for _ in 0..rounds {
                let (cost, right) = timed(least, work);
                costs.push(cost);
                if !right {
                    eprintln!("{name}: not read");
                    failed = 1;
                }
            }
            let counted = if smoke { None } else { instructions_of(number) };
            let unit = match counted {
                Some(count) => format!("ns, {count:.0} instructions"),
                None => "ns".to_owned(),
            };
            row(name, &format!("{size} B"), costs, &unit);
        }
    });
    failed
}

/// Gives all parsers.
fn parser_cases(take: &mut dyn FnMut(&mut [ParserCase<'_>])) {
    let prologue = Prologue::new();
    let said = |side: Side| -> Vec<Vec<u8>> {
        let flights = prologue.flights.iter().filter(|(who, _)| *who == side);
        handshakes(&flights.flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<u8>>())
    };
    let (client, server) = (said(Side::Client), said(Side::Server));
    let body = |messages: &[Vec<u8>], kind: u8| {
        let found = messages.iter().find(|message| message.first() == Some(&kind));
        found.and_then(|message| message.get(4..)).unwrap_or_default().to_vec()
    };
    let (hello, answer, chain) = (body(&client, 1), body(&server, 2), body(&server, 11));
    let leaf = CertificateMessage::parse(&chain).ok().and_then(|m| Some(m.chain.first()?.to_vec()));
    let leaf = leaf.unwrap_or_default();
    let desktop: Vec<u8> = RECORDS.into_iter().flat_map(record).collect();
    let small = record(700);
    let mut scanner = RecordScanner::default();
    let mut session = active(&prologue);
    let (mut number, mut turn) = (0, 0);
    // More servers than a thread remembers the certificates of.
    let others: Vec<Prologue> =
        (1..=8).map(|number| with_another_certificate(&prologue, &leaf, number)).collect();
    let mut cases: Vec<ParserCase> = vec![
        (
            "Connection Request",
            REQUEST.len(),
            Box::new(|| Tpdu::parse(black_box(&REQUEST[4..])).is_ok()),
        ),
        (
            "Connection Confirm",
            CONFIRM.len(),
            Box::new(|| Tpdu::parse(black_box(&CONFIRM[4..])).is_ok()),
        ),
        ("TLS record header", HEADER, Box::new(|| RecordHeader::parse(black_box(&small)).is_ok())),
        ("ClientHello", hello.len(), Box::new(|| ClientHello::parse(black_box(&hello)).is_ok())),
        ("ServerHello", answer.len(), Box::new(|| ServerHello::parse(black_box(&answer)).is_ok())),
        (
            "Certificate message",
            chain.len(),
            Box::new(|| CertificateMessage::parse(black_box(&chain)).is_ok()),
        ),
        (
            "certificate",
            leaf.len(),
            Box::new(|| CertificateSummary::from_der(black_box(&leaf)).is_ok()),
        ),
        (
            "record scanner, 8 records",
            desktop.len(),
            Box::new(|| {
                scanner.scan(black_box(&desktop), &mut |piece| {
                    black_box(piece);
                });
                scanner.in_step()
            }),
        ),
        (
            "session, 1 record",
            small.len(),
            Box::new(|| {
                number += 1;
                let input = Input::Data { dir: Direction::ToClient, bytes: black_box(&small) };
                session.feed(Timestamp(number), Origin::Read(number), input);
                session.facts().is_active()
            }),
        ),
        (
            "session, whole prologue",
            prologue.flights.iter().map(|flight| flight.1.len()).sum(),
            Box::new(|| active(black_box(&prologue)).facts().is_active()),
        ),
        (
            "the same, of another server",
            prologue.flights.iter().map(|flight| flight.1.len()).sum(),
            Box::new(|| {
                turn += 1;
                active(black_box(&others[turn % others.len()])).facts().is_active()
            }),
        ),
    ];
    take(&mut cases);
}

/// The prologue with a server whose certificate differs from `leaf` in its signature.
fn with_another_certificate(prologue: &Prologue, leaf: &[u8], number: u8) -> Prologue {
    let mut other = prologue.clone();
    for (_, flight) in &mut other.flights {
        let place = flight.windows(leaf.len()).position(|bytes| bytes == leaf);
        if let Some(last) = place.and_then(|place| flight.get_mut(place + leaf.len() - 1)) {
            *last ^= number;
        }
    }
    other
}

/// ns per call, and whether every call was right.
fn timed(least: Duration, work: &mut dyn FnMut() -> bool) -> (f64, bool) {
    let mut right = true;
    let mut calls = 0u32;
    let (before, began) = (on_cpu(), Instant::now());
    loop {
        for _ in 0..64 {
            right &= work();
        }
        calls += 64;
        if began.elapsed() >= least {
            break;
        }
    }
    let took = on_cpu().saturating_sub(before);
    (took.as_nanos() as f64 / f64::from(calls), right)
}

/// A session of the relay in which the desktop is up.
fn active(prologue: &Prologue) -> Session {
    let subject = Subject {
        client: SocketAddr::from(([10, 0, 0, 1], 50_000)),
        server: Some(SocketAddr::from(([10, 0, 0, 2], 3389))),
        server_name: None,
        relay: [None, None],
        vantage: Vantage::Relay,
        starts_in_the_middle: false,
        started: Timestamp(0),
    };
    let mut session = Session::new(subject);
    for (number, (side, bytes)) in (1..).zip(&prologue.flights) {
        let dir = if *side == Side::Client { Direction::ToServer } else { Direction::ToClient };
        session.feed(Timestamp(number), Origin::Read(number), Input::Data { dir, bytes });
    }
    session
}

/// The handshake messages in the records of one direction, each with its header. RFC 5246 7.4.
fn handshakes(stream: &[u8]) -> Vec<Vec<u8>> {
    // The TPKT packet of the negotiation comes first: 19 bytes.
    let mut rest = stream.get(REQUEST.len()..).unwrap_or_default();
    let mut joined = Vec::new();
    while let [0x16, _, _, high, low, body @ ..] = rest {
        let size = usize::from(u16::from_be_bytes([*high, *low])).min(body.len());
        joined.extend_from_slice(&body[..size]);
        rest = &body[size..];
    }
    let mut rest = joined.as_slice();
    let mut messages = Vec::new();
    while let [_, a, b, c, body @ ..] = rest {
        let size = 4 + usize::from(*a) * 65_536 + usize::from(*b) * 256 + usize::from(*c);
        if size > body.len() + 4 {
            break;
        }
        messages.push(rest[..size].to_vec());
        rest = &rest[size..];
    }
    messages
}

/// This thread's time on the CPU; the wall clock where it is not known.
fn on_cpu() -> Duration {
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split_whitespace().next().and_then(|field| field.parse().ok());
    ns.map_or_else(|| BEGAN.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

fn row(what: &str, size: &str, mut values: Vec<f64>, unit: &str) {
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else { return };
    let median = values[values.len() / 2];
    say(format!("| {what} | {size} | {median:.1} [{least:.1}..{most:.1}] {unit} |"));
}

/// What was printed of the table.
static TABLE: Mutex<String> = Mutex::new(String::new());

fn say(line: String) {
    println!("{line}");
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    table.push_str(&line);
    table.push('\n');
}

/// The table with what a reader has to know of it, checked in.
fn write() {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = format!(
        "# What the analysis costs\n\n\
         `cargo bench --bench engine -- --write` on {}. Times are the thread's own on the CPU;\n\
         instructions are counted by callgrind of the release build: from file to verdicts, and by call.\n\
         All connections are of one server, whose certificate is read once, except where it says \"another server\".\n\n{table}",
        model.trim_start_matches(['\t', ' ', ':'])
    );
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/ENGINE.md"), text)
        .expect("a checkout that can be written");
}
