//! What the relay tells the engine and the recorder, after the bytes were written. A failure here costs
//! the verdict, never a byte.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdpwhy_analyzer::facts::{Facts, InputEnd, Subject};
use rdpwhy_analyzer::input::{
    Baseline, Direction, Input, Leg, Origin, Segment, SegmentKind, Timestamp,
};
use rdpwhy_analyzer::session::Session;

use crate::measures::Measures;
use crate::os::syn::SynFacts;
use crate::packets::Heard;
use crate::record::{Chunk, Tape};

/// How inputs reach the engine; replaced in tests by one that fails.
pub type Feed = fn(&mut Session, Timestamp, Origin, Input<'_>);

/// The bound that a report names after a failure of the engine.
pub const FAILED: &str = "the engine failed on this connection";

/// One session's observer.
pub struct Observer {
    session: Box<Session>,
    tape: Option<Box<Tape>>,
    feed: Feed,
    reads: u64,
    failed: bool,
}

impl Observer {
    /// An observer that feeds the engine and, where one is given, a tape.
    pub fn new(subject: Subject, tape: Option<Tape>, feed: Feed) -> Observer {
        let (session, tape) = (Box::new(Session::new(subject)), tape.map(Box::new));
        Observer { session, tape, feed, reads: 0, failed: false }
    }

    /// What is known so far.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session itself, for what is no input.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Every byte is recorded, as long as the session lasts.
    pub fn keeps_all(&self) -> bool {
        self.tape.as_ref().is_some_and(|tape| tape.keeps_all())
    }

    /// Bytes that were read and written on.
    pub fn bytes(&mut self, time: Timestamp, dir: Direction, chunk: Chunk<'_>) {
        self.reads += 1;
        let read = self.reads;
        self.feed(time, Origin::Read(read), Input::Data { dir, bytes: chunk.bytes() });
        self.record(|tape, facts| tape.data(time, read, dir, chunk, facts));
    }

    /// Tells the measures of the turns that were taken, as soon as no more can be kept.
    pub fn measure_turns(&mut self, measures: &Measures) {
        if self.session.facts().turns.are_full() {
            measures.turns(self.session.facts());
            self.session.turns_taken();
        }
    }

    /// Anything but bytes.
    pub fn note(&mut self, time: Timestamp, input: Input<'_>) {
        let reads = self.reads;
        self.record(|tape, facts| tape.note(time, reads, &input, facts));
        self.feed(time, Origin::Socket, input);
    }

    /// What a packet told. Its bytes and ends are told by the relay's own sockets.
    pub fn heard(&mut self, heard: Heard) {
        self.feed(heard.time, Origin::Live(heard.number), heard.input);
    }

    /// The end of the observation.
    pub fn finish(mut self, now: Timestamp, why: InputEnd) -> (Box<Session>, Option<Box<Tape>>) {
        if self.failed {
            self.session.limit(FAILED);
        }
        let session = &mut self.session;
        if catch_unwind(AssertUnwindSafe(|| session.finish(now, why))).is_err() {
            self.session.limit(FAILED);
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
            // The engine can not say any more where the handshake ends.
            if let Some(tape) = &mut self.tape {
                tape.seal();
            }
            tracing::error!(
                "the engine failed on a connection; its bytes go on, its verdict is incomplete"
            );
        }
    }

    fn record(&mut self, write: impl FnOnce(&mut Tape, &Facts)) {
        let Observer { session, tape, .. } = self;
        let Some(recorder) = tape else { return };
        let facts = session.facts();
        if catch_unwind(AssertUnwindSafe(|| write(recorder, facts))).is_err() {
            *tape = None;
            tracing::error!("the recording of a connection failed; its bytes go on");
        }
    }
}

/// The client's SYN as the engine takes it.
pub fn syn_segment(syn: &SynFacts) -> Segment {
    Segment {
        leg: Leg::Client,
        dir: Direction::ToServer,
        kind: SegmentKind::Syn,
        ttl: Some(syn.ttl),
        ip_id: syn.ip_id,
        seq: 0,
        ack: 0,
        flags: 0x02,
        window: syn.window,
        len: 0,
        options: syn.options.clone(),
        baseline: Baseline::default(),
    }
}
