//! What an operation reads and writes, told to the engine: it sees what a relay in front of this client
//! would have seen.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rdpwhy_analyzer::case::Case;
use rdpwhy_analyzer::facts::{InputEnd, Subject, Vantage};
use rdpwhy_analyzer::input::{Close, Direction, Input, Leg, Origin, Timestamp};
use rdpwhy_analyzer::report::Outcome;
use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::{self, Identities, Place};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::operation::{Failure, NOWHERE};
use crate::clock::Clock;
use crate::relay::close_of;

/// The engine's session of one operation; copies are of the same one.
#[derive(Clone)]
pub struct Observer {
    clock: Clock,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    session: Session,
    reads: u64,
}

impl Observer {
    /// Of an operation that begins now.
    pub fn new(server: SocketAddr, clock: Clock) -> Observer {
        let session = Session::new(Subject {
            client: NOWHERE,
            server: Some(server),
            server_name: None,
            relay: [None, None],
            vantage: Vantage::Relay,
            starts_in_the_middle: false,
            started: clock.now(),
        });
        let observer = Observer { clock, seen: Arc::new(Mutex::new(Seen { session, reads: 0 })) };
        observer.note(Input::Opened { leg: Leg::Client, took: None });
        observer
    }

    /// The TCP handshake completed.
    pub fn connected(&self, server: SocketAddr, from: Option<SocketAddr>, took: Option<Duration>) {
        self.seen().session.set_server(server, from);
        self.note(Input::Opened { leg: Leg::Server, took });
    }

    /// Anything but bytes.
    pub fn note(&self, input: Input<'_>) {
        let now = self.clock.now();
        self.seen().session.feed(now, Origin::Socket, input);
    }

    /// What the engine says of the connection as it stands; `None` where it sees no failure.
    pub fn verdict(&self) -> Option<Failure> {
        let now = self.clock.now();
        let mut seen = self.seen();
        seen.session.finish(now, InputEnd::Open);
        let place = Place {
            source: String::new(),
            file: None,
            index: 1,
            case: 1,
            r#final: true,
            supersedes: None,
        };
        let case = Case::new(seen.session.facts(), &[]);
        let report = verdict::connection(&case, &place, &Identities::Shown);
        let explained = report.verdict.cause.is_some();
        let refused = report.rdp.failure.map(|code| code.to_lowercase().replace('_', "-"));
        let what = match (report.verdict.what, refused) {
            (Some(what), Some(code)) if what == "neg-failure-other" => {
                Some(format!("{what}-{code}"))
            }
            (what, _) => what,
        };
        let name = report.verdict.cause.or(what);
        name.filter(|_| report.outcome == Outcome::Failed).map(|name| Failure { name, explained })
    }

    fn data(&self, dir: Direction, bytes: &[u8]) {
        let now: Timestamp = self.clock.now();
        let mut seen = self.seen();
        seen.reads += 1;
        let read = Origin::Read(seen.reads);
        seen.session.feed(now, read, Input::Data { dir, bytes });
    }

    fn closed(&self, how: Close) {
        self.note(Input::Closed { leg: Leg::Server, dir: Direction::ToClient, how });
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that tells its observer what passes.
pub struct Tap<S> {
    stream: S,
    observer: Observer,
}

impl<S> Tap<S> {
    /// Around a stream.
    pub fn new(stream: S, observer: Observer) -> Tap<S> {
        Tap { stream, observer }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        match (&result, &buffer.filled()[before..]) {
            (Err(error), _) => self.observer.closed(close_of(error)),
            (Ok(()), []) if buffer.remaining() > 0 => self.observer.closed(Close::Fin),
            (Ok(()), bytes) => self.observer.data(Direction::ToClient, bytes),
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        match &result {
            Ok(written) => self.observer.data(Direction::ToServer, &bytes[..*written]),
            Err(error) => self.observer.closed(close_of(error)),
        }
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
