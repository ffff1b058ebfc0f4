//! What the relay tells the engine and the recorder, after the bytes were written. A failure here costs
//! the verdict, never a byte.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdpwhy_analyzer::facts::Subject;
use rdpwhy_analyzer::input::{Direction, Input, Origin, Timestamp};
use rdpwhy_analyzer::session::Session;

use crate::record::Tape;

/// How inputs reach the engine; replaced in tests by one that fails.
pub type Feed = fn(&mut Session, Timestamp, Origin, Input<'_>);

/// One session's observer.
pub struct Observer {
    session: Session,
    tape: Option<Tape>,
    feed: Feed,
    reads: u64,
    failed: bool,
}

impl Observer {
    /// An observer that feeds the engine and, where one is given, a tape.
    pub fn new(subject: Subject, tape: Option<Tape>, feed: Feed) -> Observer {
        Observer { session: Session::new(subject), tape, feed, reads: 0, failed: false }
    }

    /// What is known so far.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session itself, for what is no input.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Bytes that were read and written on.
    pub fn bytes(&mut self, time: Timestamp, dir: Direction, bytes: &[u8]) {
        self.reads += 1;
        let read = self.reads;
        self.feed(time, Origin::Read(read), Input::Data { dir, bytes });
        if let Some(tape) = &mut self.tape {
            tape.data(time, read, dir, bytes, self.session.facts());
        }
    }

    /// Anything but bytes.
    pub fn note(&mut self, time: Timestamp, input: Input<'_>) {
        if let Some(tape) = &mut self.tape {
            tape.note(time, self.reads, &input, self.session.facts());
        }
        self.feed(time, Origin::Socket, input);
    }

    /// The end of the observation.
    pub fn finish(mut self) -> (Session, Option<Tape>) {
        if self.failed {
            self.session.limit("the engine failed on this connection");
        }
        (self.session, self.tape)
    }

    fn feed(&mut self, time: Timestamp, origin: Origin, input: Input<'_>) {
        if self.failed {
            return;
        }
        let Observer { session, feed, .. } = self;
        let fed = catch_unwind(AssertUnwindSafe(|| feed(session, time, origin, input)));
        if fed.is_err() {
            self.failed = true;
            tracing::error!(
                "the engine failed on a connection; its bytes go on, its verdict is incomplete"
            );
        }
    }
}
