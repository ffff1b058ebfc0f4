//! What the packets of a sample carry: for each connection its bytes and its end, in their order;
//! fed to the engine directly, or played between two sockets through the proxy.

use super::frames::Frame;
use super::verdicts;
use crate::support::rdpwhy::Proxy;
use rdpwhy_analyzer::case::{Case, Summary};
use rdpwhy_analyzer::casebook::CaseBook;
use rdpwhy_analyzer::facts::{InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{Close, Direction, Input, Leg, Origin, Timestamp};
use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::{self, Identities, Place};
use rdpwhy_captures::link::{self, Decoded};
use rdpwhy_captures::segment;
use rdpwhy_captures::tcp::{FlowId, FlowInfo, FlowOptions, FlowTable};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// One thing that one side did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub time: u64,
    /// Which way it travelled.
    pub dir: Direction,
    /// What it was.
    pub act: Act,
}

/// What a side can do on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Send(Vec<u8>),
    Fin,
    Rst,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Stream {
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub started: u64,
    /// When the handshake was complete; `None` for one that was refused or never answered.
    pub opened: Option<u64>,
    pub steps: Vec<Step>,
}

/// The connections of a capture, in order of their start.
pub fn of_frames(frames: &[Frame]) -> Vec<Stream> {
    let mut streams = BTreeMap::new();
    let mut table = FlowTable::new(FlowOptions::default());
    let mut sink = |id: FlowId, flow: &FlowInfo, time: Timestamp, _: Origin, input: Input<'_>| {
        let stream = streams.entry(id).or_insert_with(|| Stream {
            client: flow.client,
            server: flow.server,
            started: flow.started.0,
            opened: None,
            steps: Vec::new(),
        });
        let (dir, act) = match input {
            Input::Opened { .. } => {
                stream.opened = Some(time.0);
                return;
            }
            Input::Data { dir, bytes } => (dir, Act::Send(bytes.to_vec())),
            Input::Closed { dir, how: Close::Fin, .. } => (dir, Act::Fin),
            Input::Closed { dir, how: Close::Rst, .. } => (dir, Act::Rst),
            _ => return,
        };
        stream.steps.push(Step { time: time.0, dir, act });
    };
    for (number, frame) in (1..).zip(frames) {
        let decoded = link::ip_packet(1, &frame.bytes, frame.original_len);
        let Ok(Decoded::Ip(ip)) = decoded else { continue };
        if let Some(segment) = segment::tcp_segment(&ip) {
            table.push(Timestamp(frame.time), number, 0, &ip, &segment, &mut sink);
        }
    }
    table.finish(Timestamp(frames.last().map_or(0, |frame| frame.time)), &mut sink);
    streams.into_values().collect()
}

/// The verdicts when these streams are fed to the engine directly, in chunks that `chunk` gives the
/// sizes of (at least one byte each).
pub fn fed_directly(streams: &[Stream], mut chunk: impl FnMut() -> usize) -> Vec<Value> {
    let mut sessions: Vec<Session> = Vec::new();
    for stream in streams {
        let mut session = Session::new(subject(stream));
        if let Some(opened) = stream.opened {
            let took = Some(Duration::from_nanos(opened - stream.started));
            let input = Input::Opened { leg: Leg::Single, took };
            session.feed(Timestamp(opened), Origin::Read(0), input);
        }
        for (number, step) in (1..).zip(&stream.steps) {
            let mut feed = |input| session.feed(Timestamp(step.time), Origin::Read(number), input);
            match &step.act {
                Act::Send(bytes) => {
                    let mut left = &bytes[..];
                    while !left.is_empty() {
                        let (now, later) = left.split_at(chunk().clamp(1, left.len()));
                        feed(Input::Data { dir: step.dir, bytes: now });
                        left = later;
                    }
                }
                Act::Fin => {
                    feed(Input::Closed { leg: Leg::Single, dir: step.dir, how: Close::Fin })
                }
                Act::Rst => {
                    feed(Input::Closed { leg: Leg::Single, dir: step.dir, how: Close::Rst })
                }
            }
        }
        let last = session.facts().now;
        session.finish(last, InputEnd::Capture);
        sessions.push(session);
    }
    judge(&sessions)
}

fn subject(stream: &Stream) -> Subject {
    Subject {
        client: stream.client,
        server: Some(stream.server),
        server_name: None,
        relay: [None, None],
        vantage: Vantage::Capture,
        starts_in_the_middle: false,
        started: Timestamp(stream.started),
    }
}

fn judge(sessions: &[Session]) -> Vec<Value> {
    let book = CaseBook::whole(sessions.iter().map(|session| Summary::of(session.facts())));
    let judge = |(at, session): (u64, &Session)| {
        let around = book.around(at);
        let place = Place {
            source: String::new(),
            file: None,
            index: at + 1,
            case: around.case,
            r#final: true,
            supersedes: None,
        };
        let case = Case::among(session.facts(), &around);
        let connection = verdict::connection(&case, &place, &Identities::Shown);
        serde_json::to_value(connection).unwrap()
    };
    (0..).zip(sessions).map(judge).collect()
}

/// No wait for bytes or an end takes longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pauses longer than this are part of what a sample shows, and are played.
const PAUSE: Duration = Duration::from_secs(4);

/// Plays the streams one after another through the proxy, which listens on `proxy.port` and dials
/// `host`. The bytes and ends of a sample come in its order, each after the one before has arrived.
pub fn play(streams: &[Stream], proxy: &Proxy, host: Option<&TcpListener>) -> Result<(), String> {
    for stream in streams {
        let client = TcpStream::connect(("127.0.0.1", proxy.port)).map_err(|e| e.to_string())?;
        match host.filter(|_| stream.opened.is_some()) {
            Some(host) => {
                let (server, _) = host.accept().map_err(|e| e.to_string())?;
                play_one(stream, [Some(client), Some(server)])?;
            }
            // Nobody listens: the proxy tells the client so, whatever it says.
            None => drop(wait_for_end(&client)),
        }
    }
    std::thread::sleep(Duration::from_millis(300));
    Ok(())
}

/// `sockets` are the client's and the server's.
fn play_one(stream: &Stream, mut sockets: [Option<TcpStream>; 2]) -> Result<(), String> {
    for socket in sockets.iter().flatten() {
        socket.set_nodelay(true).and(socket.set_read_timeout(Some(PATIENCE))).unwrap();
    }
    let mut previous = stream.opened.unwrap_or(stream.started);
    for (number, step) in stream.steps.iter().enumerate() {
        let pause = Duration::from_nanos(step.time.saturating_sub(previous));
        previous = step.time;
        if pause > PAUSE {
            std::thread::sleep(pause);
        }
        let (from, to) = (step.dir.index(), step.dir.reverse().index());
        let lost = |what: &str, error: std::io::Error| format!("step {number}: {what}: {error}");
        let Some(sender) = &mut sockets[from] else { continue };
        match &step.act {
            Act::Send(bytes) => {
                if let Err(error) = sender.write_all(bytes) {
                    return Err(lost("write", error));
                }
                if let Some(receiver) = &mut sockets[to] {
                    let mut arrived = vec![0; bytes.len()];
                    receiver.read_exact(&mut arrived).map_err(|e| lost("read", e))?;
                    if &arrived != bytes {
                        return Err(format!("step {number}: other bytes arrived"));
                    }
                }
            }
            Act::Fin => {
                let _ = sender.shutdown(Shutdown::Write);
                if let Some(receiver) = &sockets[to] {
                    wait_for_end(receiver).map_err(|e| lost("end", e))?;
                }
            }
            Act::Rst => {
                reset(sockets[from].take());
                if let Some(receiver) = &sockets[to] {
                    wait_for_end(receiver).map_err(|e| lost("reset", e))?;
                }
            }
        }
    }
    Ok(())
}

/// Closes with a RST.
fn reset(socket: Option<TcpStream>) {
    if let Some(socket) = socket {
        let socket = socket2::Socket::from(socket);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Waits for FIN or RST.
fn wait_for_end(mut socket: &TcpStream) -> std::io::Result<()> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        match socket.read(&mut [0; 1024]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::TimedOut.into())
}

/// The verdict on a stream that a capture shows up to `bytes` bytes of one direction's data.
pub fn prefix(stream: &Stream, dir: Direction, bytes: usize) -> Value {
    let mut left = bytes;
    let mut steps = Vec::new();
    for step in &stream.steps {
        let Act::Send(data) = &step.act else { break };
        if step.dir != dir {
            steps.push(step.clone());
            continue;
        }
        let kept = data[..left.min(data.len())].to_vec();
        left -= kept.len();
        let whole = kept.len() == data.len();
        if !kept.is_empty() {
            steps.push(Step { act: Act::Send(kept), ..step.clone() });
        }
        if !whole {
            break;
        }
    }
    let cut = Stream { steps, ..stream.clone() };
    let mut judged = fed_directly(&[cut], || usize::MAX);
    verdicts::without_place(&judged.remove(0))
}
