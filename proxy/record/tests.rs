//! Tests of recordings, through the tape and the recorder: whatever chunks a session came in, the analysis of
//! its recording knows what the relay knew, and no byte behind the handshake is in it.

use std::fs::File;
use std::net::SocketAddr;

use rdpwhy_analyzer::case::Case;
use rdpwhy_analyzer::facts::{Facts, InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{Close, Direction, Input, Leg, Origin, RelayNote, Timestamp};
use rdpwhy_analyzer::report::Connection;
use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::{Identities, Place, connection};

use super::{Payload, Policy, Recorder, Ring, Tape};
use crate::offline::{self, Scope};
use crate::output::Output;

mod full;

const SECRET: u8 = 0xA7;

/// What both sides say: in turn, a direction and its bytes.
type Script = Vec<(Direction, Vec<u8>)>;

fn tpkt(body: &[u8]) -> Vec<u8> {
    [&[3, 0][..], &(body.len() as u16 + 4).to_be_bytes(), body].concat()
}

fn tls_record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// X.224, then TLS 1.2 with a handshake that is finished, then application data. MS-RDPBCGR 2.2.1.1.
fn tls_session() -> Script {
    use Direction::{ToClient, ToServer};
    let request = [3, 0, 0, 19, 14, 0xE0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 1, 0, 0, 0].to_vec();
    let confirm = [3, 0, 0, 19, 14, 0xD0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0].to_vec();
    let hello = |kind: u8, tail: &[u8]| {
        let body = [&[3, 3][..], &[kind; 32], &[0], tail].concat();
        let length = (body.len() as u32).to_be_bytes();
        tls_record(22, &[&[kind][..], &length[1..], &body].concat())
    };
    let finish = [tls_record(20, &[1]), tls_record(22, &[0x55; 40])].concat();
    let mut script = vec![
        (ToServer, request),
        (ToClient, confirm),
        (ToServer, hello(1, &[0, 2, 0xC0, 0x2F, 1, 0])),
        (ToClient, [hello(2, &[0xC0, 0x2F, 0]), tls_record(22, &[14, 0, 0, 0])].concat()),
        (ToServer, [tls_record(22, &[16, 0, 0, 1, 0]), finish.clone()].concat()),
        (ToClient, finish),
    ];
    // More of either side than headers are kept.
    for n in 0..240 {
        let dir = if n % 3 == 0 { ToServer } else { ToClient };
        script.push((dir, tls_record(23, &vec![SECRET; 30 + n * 17])));
    }
    script
}

/// Numbers that look random and are the same in every run.
fn numbers(mut seed: u64) -> impl FnMut() -> u64 {
    move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    }
}

/// Neighbours of one direction as one, then cut anew.
fn chunked(script: &Script, seed: u64, most: u64) -> Script {
    let mut next = numbers(seed);
    let mut merged: Script = Vec::new();
    for (dir, bytes) in script {
        match merged.last_mut().filter(|(last, _)| last == dir) {
            Some((_, last)) => last.extend(bytes),
            None => merged.push((*dir, bytes.clone())),
        }
    }
    let mut chunks = Vec::new();
    for (dir, bytes) in &merged {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at((1 + next() % most).min(rest.len() as u64) as usize);
            chunks.push((*dir, chunk.to_vec()));
            rest = after;
        }
    }
    chunks
}

fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], port))
}

/// A session told to a tape and to the engine.
struct Told {
    tape: Tape,
    session: Session,
    time: Timestamp,
    reads: u64,
}

impl Told {
    /// The client is there, the server is being dialled.
    fn begin(recorder: &Recorder) -> Told {
        let time = Timestamp(1_000_000_000);
        let subject = Subject {
            client: address(1, 50_000),
            server: Some(address(3, 3389)),
            server_name: None,
            relay: [Some(address(2, 13_389)), None],
            vantage: Vantage::Relay,
            starts_in_the_middle: false,
            started: time,
        };
        let tape = recorder.tape(1, &subject);
        let mut told = Told { tape, session: Session::new(subject), time, reads: 0 };
        told.note(Input::Opened { leg: Leg::Client, took: None });
        told.note(Input::Relay(RelayNote::Dialing));
        told
    }

    fn reach(&mut self) {
        self.session.set_server(address(3, 3389), Some(address(2, 40_000)));
        self.note(Input::Opened { leg: Leg::Server, took: None });
    }

    fn note(&mut self, input: Input) {
        self.tape.note(self.time, self.reads, &input, self.session.facts());
        self.session.feed(self.time, Origin::Socket, input);
    }

    fn data(&mut self, dir: Direction, bytes: &[u8]) {
        self.time.0 += 1_000_000;
        self.reads += 1;
        self.session.feed(self.time, Origin::Read(self.reads), Input::Data { dir, bytes });
        self.tape.data(self.time, self.reads, dir, bytes.into(), self.session.facts());
    }

    fn close(&mut self, leg: Leg, dir: Direction, how: Close) {
        self.note(Input::Closed { leg, dir, how });
    }

    fn finish(mut self) -> (Facts, Connection) {
        self.session.finish(self.time, InputEnd::Open);
        let case = Case::new(self.session.facts(), &[]);
        let place = Place {
            source: "test".into(),
            file: None,
            index: 1,
            case: 1,
            r#final: true,
            supersedes: None,
        };
        let report = connection(&case, &place, &Identities::Shown);
        self.tape.finish(self.session.facts(), report.clone());
        (self.session.facts().clone(), report)
    }
}

/// Plays a script to a tape and to the engine; gives what the engine knows and says.
fn play(script: &Script, recorder: &Recorder) -> (Facts, Connection) {
    let mut told = Told::begin(recorder);
    told.reach();
    script.iter().for_each(|(dir, bytes)| told.data(*dir, bytes));
    told.time.0 += 1_000_000;
    told.close(Leg::Server, Direction::ToClient, Close::Fin);
    told.close(Leg::Client, Direction::ToServer, Close::Fin);
    told.finish()
}

/// Records a script, analyses the recording; gives live and offline and the file's bytes.
fn record(script: &Script, payload: Payload) -> (Facts, Connection, Connection, Vec<u8>) {
    record_as(script, payload, Policy::Wait)
}

fn record_as(
    script: &Script,
    payload: Payload,
    policy: Policy,
) -> (Facts, Connection, Connection, Vec<u8>) {
    recorded(payload, policy, |recorder| play(script, recorder))
}

/// The same of any session.
fn recorded(
    payload: Payload,
    policy: Policy,
    tell: impl FnOnce(&Recorder) -> (Facts, Connection),
) -> (Facts, Connection, Connection, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.pcapng");
    let ring = Ring { path: path.clone(), files: None, size: 0 };
    let recorder = Recorder::start(ring, payload, policy).unwrap();
    let (facts, live) = tell(&recorder);
    assert!(recorder.finish());
    let mut output = Output::nowhere();
    output.remember();
    let scope = Scope { ports: vec![3389], all: true, timed: false };
    let file = File::open(&path).unwrap();
    offline::analyze("test", file, &scope, &Identities::Shown, &mut output).unwrap();
    let mut found = output.remembered().to_vec();
    assert_eq!(found.len(), 1, "one session");
    (facts, live, found.remove(0), std::fs::read(path).unwrap())
}

/// What has to be the same in both, as one text to compare.
fn told(report: &Connection) -> String {
    let value = serde_json::to_value(report).unwrap();
    let field = |name: &str| format!("{name}: {}\n", value.pointer(name).unwrap());
    let names = ["/outcome", "/reached", "/ended", "/verdict", "/rdp", "/tls", "/mstsc"];
    names.into_iter().map(field).collect()
}

#[test]
fn any_chunks_give_a_recording_that_tells_what_the_relay_knew() {
    let script = tls_session();
    for (seed, most) in
        [(1, 1), (2, 3), (3, 5), (4, 7), (5, 40), (6, 700), (7, 20_000), (8, 2), (9, 4), (10, 6)]
    {
        let (facts, live, offline, file) =
            record(&chunked(&script, seed, most), Payload::Handshake);
        assert!(facts.tls.is_established(), "the script is a session");
        assert_eq!(told(&offline), told(&live), "seed {seed}, chunks up to {most}");
        assert!(!file.windows(4).any(|part| part == [SECRET; 4]), "application data, seed {seed}");
        let headers = file.windows(3).filter(|part| *part == [23, 3, 3]).count();
        assert!(most < 20_000 || headers >= 2 * 64, "{headers} headers, seed {seed}");
    }
}

/// The recorder's thread can not keep up with reads of one byte: what it misses is said, and no verdict comes of it.
#[test]
fn what_a_slow_recorder_misses_makes_no_failure_of_a_session() {
    let script = chunked(&tls_session(), 12, 2);
    let (_, live, offline, _) = record_as(&script, Payload::Full, Policy::Drop);
    assert_eq!(offline.outcome, live.outcome);
    assert_eq!(offline.ended.after_bytes, live.ended.after_bytes);
}

/// Without TLS and without encryption the Client Info PDU is the first that a client sends as data, and can hold
/// a password. MS-RDPBCGR 2.2.1.11, 5.3.
#[test]
fn client_info_is_in_no_recording_however_it_was_cut() {
    use Direction::{ToClient, ToServer};
    let info = [&[2, 0xF0, 0x80, 0x64, 0, 3, 3, 0xEB, 0x70, 60][..], &[SECRET; 60]].concat();
    let script = vec![
        (ToServer, tpkt(&[6, 0xE0, 0, 0, 0, 0, 0])),
        (ToClient, tpkt(&[6, 0xD0, 0, 0, 0x12, 0x34, 0])),
        (ToServer, [tpkt(&[2, 0xF0, 0x80, 4, 1, 0, 1, 0]), tpkt(&[2, 0xF0, 0x80, 0x28])].concat()),
        (ToClient, tpkt(&[2, 0xF0, 0x80, 0x2E, 0, 0, 3])),
        (ToServer, tpkt(&info)),
        (ToServer, tpkt(&info)),
    ];
    for (seed, most) in [(1, 1), (2, 2), (3, 5), (4, 12), (5, 30), (6, 70), (7, 1000)] {
        let (_, live, offline, file) = record(&chunked(&script, seed, most), Payload::Handshake);
        // Few bytes of headers and checksums can be the same by chance; the password has 120.
        let kept = file.iter().filter(|byte| **byte == SECRET).count();
        assert!(kept < 20, "{kept} bytes with seed {seed}, chunks up to {most}");
        assert_eq!(offline.ended.after_bytes, live.ended.after_bytes);
    }
}

/// Set Error Info, in clear where nothing is encrypted. MS-RDPBCGR 2.2.5.1.1.
#[test]
fn a_servers_reason_is_in_the_recording_and_its_pictures_are_not() {
    use Direction::{ToClient, ToServer};
    let data = |choice: u8, data: &[u8]| {
        let head = [2, 0xF0, 0x80, choice, 0, 3, 3, 0xEB, 0x70, data.len() as u8];
        tpkt(&[&head[..], data].concat())
    };
    let denied = [0x16, 0, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 1, 8, 0, 0x2F, 0, 0, 0, 7, 0, 0, 0];
    let script = vec![
        (ToServer, tpkt(&[6, 0xE0, 0, 0, 0, 0, 0])),
        (ToClient, tpkt(&[6, 0xD0, 0, 0, 0x12, 0x34, 0])),
        (ToServer, tpkt(&[2, 0xF0, 0x80, 0x7F, 0x65, 0])),
        (ToClient, tpkt(&[2, 0xF0, 0x80, 0x7F, 0x66, 0])),
        (ToServer, data(0x64, &[SECRET; 60])),
        (ToClient, [data(0x68, &[SECRET; 30]), data(0x68, &denied)].concat()),
    ];
    let (facts, live, offline, file) = record(&script, Payload::Handshake);
    assert_eq!(facts.rdp.error_info.value().map(|reason| reason.0), Some(7));
    assert_eq!(live.verdict.cause.as_deref(), Some("server-error-info"));
    assert_eq!(told(&offline), told(&live));
    assert!(!file.windows(4).any(|part| part == [SECRET; 4]));
}

#[test]
fn lengths_alone_keep_the_lengths() {
    let (_, live, offline, file) = record(&tls_session(), Payload::None);
    assert_eq!(offline.ended.after_bytes, live.ended.after_bytes);
    assert!(!file.windows(4).any(|part| part == [SECRET; 4] || part == [0x55; 4]));
}

#[cfg(unix)]
#[test]
fn a_file_that_was_there_before_is_for_its_owner_alone_from_now_on() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.pcapng");
    std::fs::write(&path, b"old").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ring = Ring { path: path.clone(), files: None, size: 0 };
    assert!(Recorder::start(ring, Payload::None, Policy::Drop).unwrap().finish());
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}
