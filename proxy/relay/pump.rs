//! Moves bytes between the two sockets of a session, exactly, and notices deaths.
//!
//! One pump owns both sockets: with a task per direction a RST behind unread data goes unnoticed, and a
//! dropped half turns a RST into a FIN. The buffer belongs to the worker thread; a flow keeps only what
//! its peer did not take, and reads on when that is gone.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, Read};
use std::net::Shutdown;
use std::task::{Context, Poll, ready};

use rdpwhy_analyzer::input::{Close, Direction};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::added::Added;
use super::death::{Watch, close_of};
use super::pending::{self, Pending};
use crate::measures::Measures;
use crate::os;
use crate::record::Chunk;

/// The worker's buffer. A flow reads at most its own limit of it at once.
const BUFFER: usize = 1 << 20;
/// A flow's first read limit; it doubles whenever a read fills it.
const FIRST_LIMIT: usize = 16 << 10;
/// Reads of one direction before the task lets others run.
const TURNS: usize = 16;

thread_local! {
    static WORKER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// The two sockets and what is under way between them.
#[derive(Debug)]
pub struct Pump {
    client: TcpStream,
    server: TcpStream,
    flows: [Flow; 2],
}

/// One direction.
#[derive(Debug)]
struct Flow {
    /// Bytes that the receiver did not take yet.
    pending: Pending,
    limit: usize,
    /// How the sender ended.
    ended: Option<Close>,
    /// Bytes were read since that was asked last.
    moved: bool,
    /// The sender's socket failed after its FIN.
    reset: Option<Close>,
    /// Writing to the receiver failed: the error belongs to the other direction's sender.
    sink_error: Option<Close>,
    /// The end was passed on.
    closed: bool,
    /// Measures what the relay adds, where that is wanted.
    added: Option<Box<Added>>,
}

/// How far both receivers have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Bytes that wait here, by direction.
    pending: [usize; 2],
    /// Bytes that client and server have acknowledged, where the system tells.
    acked: [Option<u64>; 2],
}

/// What ended the pump's current run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deaths(pub [Option<Close>; 2]);

/// What the relay did about the ends it knew.
#[derive(Debug)]
pub struct Propagated {
    /// What it sent to the receiver of a direction.
    pub sent: Vec<(Direction, Close)>,
    /// Nothing is left to move.
    pub over: bool,
}

impl Pump {
    /// A pump over two connected sockets; `early` was read from the client and not yet sent, `left` says
    /// that the client has closed its half behind that. `measures` hear how long each chunk stays here.
    pub fn new(
        [client, server]: [TcpStream; 2],
        early: Vec<u8>,
        left: Option<Close>,
        measures: Option<&Measures>,
    ) -> Pump {
        let flow = |pending, ended, dir| Flow {
            pending: Pending::of(pending),
            limit: FIRST_LIMIT,
            ended,
            moved: false,
            reset: None,
            sink_error: None,
            closed: false,
            added: measures.map(|measures| Box::new(Added::new(measures.clone(), dir))),
        };
        let [to_server, to_client] = Direction::BOTH;
        let flows = [flow(early, left, to_server), flow(Vec::new(), None, to_client)];
        Pump { client, server, flows }
    }

    /// The socket that a direction's bytes come from.
    pub fn source(&self, dir: Direction) -> &TcpStream {
        match dir {
            Direction::ToServer => &self.client,
            Direction::ToClient => &self.server,
        }
    }

    /// How far each receiver has come: one that takes anything, however slowly, changes it.
    pub fn taken(&self) -> Taken {
        let acked = |socket| os::tcp_sample(socket).and_then(|sample| sample.bytes_acked);
        let acked = [acked(&self.client), acked(&self.server)];
        Taken { pending: self.flows.each_ref().map(|flow| flow.pending.rest().len()), acked }
    }

    /// Moves bytes until at least one sender ends or an end can be passed on, or the first have passed where
    /// `once`; `seen` gets every chunk after it was written. Gives the ends that are new since the last run: both,
    /// where both were dead before any was passed on. `None` where only bytes have passed.
    pub async fn run(
        &mut self,
        once: bool,
        seen: &mut impl FnMut(Direction, Chunk<'_>),
    ) -> Option<Deaths> {
        let before = self.ends();
        let Pump { client, server, flows } = self;
        let noticed = {
            let mut deaths = [Watch::new(client), Watch::new(server)];
            poll_fn(|cx| {
                let ended = turn(cx, client, server, flows, seen).is_ready();
                let moved = flows.each_mut().map(|flow| std::mem::take(&mut flow.moved));
                if ended {
                    return Poll::Ready(Some(None));
                }
                if once && moved.contains(&true) {
                    return Poll::Ready(None);
                }
                for dir in Direction::BOTH {
                    let (flow, death) = (&flows[dir.index()], &mut deaths[dir.index()]);
                    if let Poll::Ready(how) = death.poll(cx, !flow.is_read() && !flow.is_broken()) {
                        return Poll::Ready(Some(Some((dir, how))));
                    }
                }
                Poll::Pending
            })
            .await
        };
        if let Some((dir, how)) = noticed? {
            self.flows[dir.index()].fail(how);
        }
        if self.flows.iter().any(Flow::is_broken) {
            // What the dead sender had sent before may still be readable: it goes first.
            self.drain(seen);
        }
        let after = self.ends();
        let new = |side: usize| after[side].filter(|_| after[side] != before[side]);
        Some(Deaths([0, 1].map(new)))
    }

    /// Passes the known ends on. FIN goes as half-close once everything before it is sent; RST and
    /// errors as RST at once. Gives what was sent on which leg, and whether the session is over.
    pub fn propagate(&mut self) -> Propagated {
        let mut sent = Vec::new();
        if self.flows.iter().any(Flow::is_broken) {
            for dir in Direction::BOTH {
                self.push(dir);
                if !self.flows[dir.reverse().index()].is_broken() {
                    sent.push((dir, Close::Rst));
                }
            }
            self.abort();
            return Propagated { sent, over: true };
        }
        for dir in Direction::BOTH {
            if self.half_close(dir) {
                sent.push((dir, Close::Fin));
            }
        }
        Propagated { sent, over: self.flows.iter().all(|flow| flow.closed) }
    }

    /// Ends both legs with RST: the relay itself gives up.
    pub fn abort(&mut self) {
        let _ = os::reset_on_close(&self.client);
        let _ = os::reset_on_close(&self.server);
    }

    fn half_close(&mut self, dir: Direction) -> bool {
        let sink = match dir {
            Direction::ToServer => &self.server,
            Direction::ToClient => &self.client,
        };
        let flow = &mut self.flows[dir.index()];
        if !flow.may_half_close() {
            return false;
        }
        flow.closed = true;
        let _ = SockRef::from(sink).shutdown(Shutdown::Write);
        true
    }

    /// One last try to hand over what is pending.
    fn push(&mut self, dir: Direction) {
        let Pump { client, server, flows } = self;
        let sink = if dir == Direction::ToServer { &*server } else { &*client };
        let flow = &mut flows[dir.index()];
        if let Ok(written) = sink.try_write(flow.pending.rest()) {
            flow.pending.advance(written);
        }
    }

    /// The latest known end of each sender.
    fn ends(&self) -> [Option<Close>; 2] {
        self.flows.each_ref().map(Flow::end)
    }

    fn drain(&mut self, seen: &mut impl FnMut(Direction, Chunk<'_>)) {
        let Pump { client, server, flows } = self;
        for dir in Direction::BOTH {
            let (source, sink) = ends(dir, client, server);
            let flow = &mut flows[dir.index()];
            for _ in 0..TURNS {
                if !flow.pending.is_empty()
                    || !matches!(move_once(source, sink, flow, dir, seen), Ok(n) if n > 0)
                {
                    break;
                }
            }
        }
    }
}

fn ends<'a>(
    dir: Direction,
    client: &'a TcpStream,
    server: &'a TcpStream,
) -> (&'a TcpStream, &'a TcpStream) {
    match dir {
        Direction::ToServer => (client, server),
        Direction::ToClient => (server, client),
    }
}

/// Both directions in turn, until nothing moves. Deaths are gathered over both before they are
/// reported: first-death means first, not first polled.
fn turn(
    cx: &mut Context<'_>,
    client: &TcpStream,
    server: &TcpStream,
    flows: &mut [Flow; 2],
    seen: &mut impl FnMut(Direction, Chunk<'_>),
) -> Poll<()> {
    let before = flows.each_ref().map(Flow::end);
    let mut progress = false;
    for dir in Direction::BOTH {
        let (source, sink) = ends(dir, client, server);
        progress |= poll_flow(cx, source, sink, &mut flows[dir.index()], dir, seen).is_ready();
        if let Some(how) = flows[dir.index()].sink_error.take() {
            flows[dir.reverse().index()].fail(how);
        }
    }
    let died = before != flows.each_ref().map(Flow::end);
    if died || flows.iter().any(Flow::may_half_close) {
        return Poll::Ready(());
    }
    if progress {
        cx.waker().wake_by_ref();
    }
    Poll::Pending
}

/// Moves one direction as far as it goes now. Ready means: it may go on at once.
fn poll_flow(
    cx: &mut Context<'_>,
    source: &TcpStream,
    sink: &TcpStream,
    flow: &mut Flow,
    dir: Direction,
    seen: &mut impl FnMut(Direction, Chunk<'_>),
) -> Poll<()> {
    for _ in 0..TURNS {
        while !flow.pending.is_empty() {
            ready!(sink.poll_write_ready(cx)).ok();
            match sink.try_write(flow.pending.rest()) {
                Ok(written) => flow.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => {
                    flow.sink_error = Some(close_of(&error));
                    return Poll::Pending;
                }
            }
        }
        if flow.ended.is_some() {
            return Poll::Pending;
        }
        ready!(source.poll_read_ready(cx)).ok();
        match move_once(source, sink, flow, dir, seen) {
            Ok(0) => return Poll::Pending,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Poll::Pending,
        }
    }
    Poll::Ready(())
}

/// One read. When it did not fill the buffer it has emptied the socket, and readiness ends with it: no further
/// read only finds that. What comes later makes the socket ready anew.
pub(super) fn read_some(source: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = None;
    let outcome = source.try_io(Interest::READABLE, || {
        let count = (&*SockRef::from(source)).read(buffer)?;
        read = Some(count);
        // Windows tells of more data only after a read that found none.
        let emptied = cfg!(unix) && 0 < count && count < buffer.len();
        if emptied { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    });
    read.map_or(outcome, Ok)
}

/// One read, its write at once, then the observer. An end is noted in the flow.
fn move_once(
    source: &TcpStream,
    sink: &TcpStream,
    flow: &mut Flow,
    dir: Direction,
    seen: &mut impl FnMut(Direction, Chunk<'_>),
) -> io::Result<usize> {
    WORKER.with_borrow_mut(|buffer| {
        let limit = if pending::is_much() { FIRST_LIMIT } else { flow.limit };
        let read = match read_some(source, &mut buffer[..limit]) {
            Ok(0) => {
                flow.ended.get_or_insert(Close::Fin);
                return Ok(0);
            }
            Ok(read) => {
                flow.moved = true;
                read
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Err(error) => {
                flow.ended.get_or_insert(close_of(&error));
                return Err(error);
            }
        };
        if let Some(added) = &mut flow.added {
            added.taken();
        }
        let bytes = &buffer[..read];
        let written = match sink.try_write(bytes) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => {
                // The kernel tells of a RST once: to a write it is gone for the read that would name it.
                flow.sink_error = Some(close_of(&error));
                0
            }
        };
        flow.pending.add(&bytes[written..]);
        if let Some(added) = flow.added.as_mut().filter(|_| written == read) {
            added.given();
        }
        if read == flow.limit {
            flow.limit = (flow.limit * 2).min(BUFFER);
        }
        seen(dir, Chunk::Buffer { buffer, len: read });
        Ok(read)
    })
}

impl Flow {
    /// The latest known end of the sender.
    fn end(&self) -> Option<Close> {
        self.reset.or(self.ended)
    }

    /// Its FIN can be passed on: everything before it was.
    fn may_half_close(&self) -> bool {
        self.ended == Some(Close::Fin) && self.pending.is_empty() && !self.closed
    }

    /// Its sender is read: a death shows there.
    fn is_read(&self) -> bool {
        self.ended.is_none() && self.pending.is_empty()
    }

    /// Its sender's socket is dead in both directions.
    fn is_broken(&self) -> bool {
        self.reset.is_some() || matches!(self.ended, Some(Close::Rst | Close::Error(_)))
    }

    fn fail(&mut self, how: Close) {
        if self.ended.is_none() {
            self.ended = Some(how);
        } else {
            self.reset.get_or_insert(how);
        }
    }

    fn advance(&mut self, written: usize) {
        if self.pending.advance(written)
            && let Some(added) = &mut self.added
        {
            added.given();
        }
    }
}
