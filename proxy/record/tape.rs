//! One session's recording before it is written.

use std::sync::Arc;

use rdpwhy_analyzer::facts::{Facts, Subject};
use rdpwhy_analyzer::input::{Direction, Input, RelayNote, Timestamp};
use rdpwhy_analyzer::records::{FrameKind, FrameStart, Piece, RecordScanner};
use rdpwhy_analyzer::report::Connection;
use rdpwhy_analyzer::wire::Reader;
use rdpwhy_analyzer::wire::send_data::SendData;
use rdpwhy_analyzer::wire::tls::ContentType;

use super::buffers::Chunk;
use super::entry::{Entry, Payload, Policy, What};
use super::facts::{self, End};
use super::queue::Queue;
use super::writer::Job;

/// A session's recording in the making.
pub struct Tape {
    session: u64,
    payload: Payload,
    policy: Policy,
    queue: Arc<Queue>,
    held: Vec<Entry>,
    held_bytes: usize,
    released: bool,
    sealed: bool,
    lanes: [Lane; 2],
    lost: u64,
    subject: Arc<Subject>,
}

/// What a tape remembers of one direction.
#[derive(Default)]
struct Lane {
    scanner: RecordScanner,
    /// The beginning of the latest frame, while the handshake lasts.
    head: Vec<u8>,
    headers: usize,
    skipped: u64,
    /// When the latest of them passed, and with which read.
    skipped_at: (Timestamp, u64),
    passed_records: u64,
    passed_bytes: u64,
    /// The engine's counts of records and of bytes in them, since when it alone counts what passes.
    counted: Option<[u64; 2]>,
}

impl Lane {
    /// True when a client's MCS Send Data Request begins in these bytes or goes on in them. The engine knows
    /// of it only when it is whole, and its beginning can hold a password by then. T.125 7, part 10.
    fn sends_data(&mut self, dir: Direction, bytes: &[u8]) -> bool {
        /// The bytes of X.224 Data (length, code, end of unit) and the choice of an MCS PDU.
        const HEAD: usize = 4;
        if dir == Direction::ToClient {
            return false;
        }
        let (mut scanner, head) = (self.scanner.clone(), &mut self.head);
        let mut found = false;
        scanner.scan(bytes, &mut |piece| match piece {
            Piece::Start(start) => {
                head.clear();
                head.extend(matches!(start.kind, FrameKind::Tpkt).then_some(start.header));
            }
            // The first of `head` stands for the frame being a TPKT.
            Piece::Body(body) if !head.is_empty() => {
                head.extend(body.iter().take((HEAD + 1).saturating_sub(head.len())));
                found |= matches!(head[..], [_, 2, 0xF0, _, 0x64]);
            }
            _ => {}
        });
        found
    }

    fn skip(&mut self, time: Timestamp, read: u64, len: usize) {
        self.skipped += len as u64;
        self.skipped_at = (time, read);
    }

    /// Records of which nothing is kept and the bytes in them, where the engine's counts are these by now.
    fn passed(&self, counts: [u64; 2]) -> [u64; 2] {
        let before = self.counted.unwrap_or(counts);
        let own = [self.passed_records, self.passed_bytes];
        [0, 1].map(|at: usize| own[at] + counts[at].saturating_sub(before[at]))
    }
}

/// How many records of application data have passed, and bytes in them, as far as the engine knows.
fn records(facts: &Facts, dir: Direction) -> [u64; 2] {
    let records = &facts.tls.records[dir.index()];
    [records.count, records.bytes]
}

/// Bytes held back for the verdict.
const HELD: usize = 64 << 10;
/// Record headers kept per direction behind the handshake.
const HEADERS: usize = 64;
/// Bytes kept of a stream that is no RDP.
const FOREIGN: u64 = 4096;

impl Tape {
    pub(super) fn new(
        session: u64,
        subject: &Subject,
        payload: Payload,
        policy: Policy,
        queue: Arc<Queue>,
    ) -> Tape {
        Tape {
            session,
            payload,
            policy,
            queue,
            held: Vec::new(),
            held_bytes: 0,
            released: false,
            sealed: false,
            lanes: Default::default(),
            lost: 0,
            subject: Arc::new(subject.clone()),
        }
    }

    /// Every byte is to be in it.
    pub fn keeps_all(&self) -> bool {
        self.payload == Payload::Full
    }

    /// Bytes that were read; `facts` already know them.
    pub fn data(
        &mut self,
        time: Timestamp,
        read: u64,
        dir: Direction,
        chunk: Chunk<'_>,
        facts: &Facts,
    ) {
        if facts.rdp.connect_response.is_seen() {
            self.lanes[dir.index()].scanner.allow_fast_path();
        }
        match self.payload {
            Payload::Full => {
                let len = chunk.bytes().len();
                let kept = self.queue.buffers.keep(chunk);
                self.passed(time, read, dir, kept, len);
            }
            Payload::None => self.keep(time, read, dir, &[], chunk.bytes().len()),
            Payload::Handshake => self.handshake(time, read, dir, chunk.bytes(), facts),
        }
        if facts.is_active() || self.held_bytes > HELD {
            self.release();
        }
    }

    /// Anything but bytes.
    pub fn note(&mut self, time: Timestamp, read: u64, input: &Input<'_>, facts: &Facts) {
        let what = match input {
            Input::Opened { leg, took } => What::Opened {
                leg: *leg,
                took: took.unwrap_or_default(),
                ends: facts.subject.relay[1].zip(facts.subject.server),
            },
            Input::Relay(RelayNote::Dialing) => What::Dialing,
            Input::ConnectFailed { failure, .. } => What::Failed(failure.clone()),
            Input::Closed { leg, dir, how } => {
                self.flush_skipped();
                What::Closed { leg: *leg, dir: *dir, how: *how }
            }
            _ => return,
        };
        self.push(Entry { time, read, what });
    }

    /// Nothing tells any more where the handshake ends: from here on only headers are kept.
    pub fn seal(&mut self) {
        self.sealed = true;
    }

    /// The session is over and judged: everything goes to the recorder.
    pub fn finish(mut self, facts: &Facts, report: Connection) {
        self.flush_skipped();
        let passed = Direction::BOTH.map(|dir| self.lanes[dir.index()].passed(records(facts, dir)));
        let job = Job::End {
            session: self.session,
            entries: std::mem::take(&mut self.held),
            subject: Arc::new(facts.subject.clone()),
            packets: facts::packets(self.session, facts),
            end: Box::new(End::of(self.session, facts, passed, self.lost)),
            report: Box::new(report),
        };
        // The end of a session is worth waiting a moment for: nobody's bytes are held up any more.
        self.queue.put(job);
    }

    fn handshake(
        &mut self,
        time: Timestamp,
        read: u64,
        dir: Direction,
        bytes: &[u8],
        facts: &Facts,
    ) {
        let client_info = facts.rdp.send_data[Direction::ToServer.index()].is_seen();
        if self.sealed || client_info || self.lanes[dir.index()].sends_data(dir, bytes) {
            self.sealed = true;
            return self.headers(time, read, dir, bytes, facts);
        }
        self.lanes[dir.index()].scanner.scan(bytes, &mut |_| {});
        let before = facts.stream(dir).bytes.saturating_sub(bytes.len() as u64);
        let foreign = facts.rdp.opaque[dir.index()] && before > FOREIGN;
        self.keep(time, read, dir, if foreign { &[] } else { bytes }, bytes.len());
        self.sealed = facts.tls.is_established();
    }

    /// Keeps the headers of the next records, each with its record as one cut packet; counts the rest.
    fn headers(&mut self, time: Timestamp, read: u64, dir: Direction, bytes: &[u8], facts: &Facts) {
        let lane = &mut self.lanes[dir.index()];
        if lane.counted.is_some() {
            return lane.skip(time, read, bytes.len());
        }
        let base = lane.scanner.offset();
        let mut cuts: Vec<(usize, usize)> = Vec::new();
        let (headers, passed) =
            (&mut lane.headers, (&mut lane.passed_records, &mut lane.passed_bytes));
        let mut full_from = None;
        lane.scanner.scan(bytes, &mut |piece| {
            let Piece::Start(start) = piece else { return };
            let begin = start.offset.saturating_sub(base) as usize;
            if *headers < HEADERS {
                *headers += 1;
                let header = (start.offset + u64::from(start.header)).saturating_sub(base) as usize;
                cuts.push((begin, stated(bytes, header, start).unwrap_or(header)));
            } else {
                full_from.get_or_insert(begin);
                let application = matches!(start.kind, FrameKind::Tls(h) if h.content_type == ContentType::APPLICATION_DATA);
                *passed.0 += u64::from(application);
                *passed.1 += if application { u64::from(start.body) } else { 0 };
            }
        });
        let full = lane.headers >= HEADERS && cuts.is_empty();
        let end = if full { 0 } else { full_from.unwrap_or(bytes.len()) };
        let partial = lane
            .scanner
            .open_frame()
            .filter(|frame| frame.0 == 0)
            .map_or(0, |frame| frame.1 as usize);
        let first = cuts.first().map_or(end, |cut| cut.0);
        if first > 0 {
            // A record that began earlier goes on; the start of a header at the very end is kept.
            let tail = if cuts.is_empty() && !full { partial.min(first) } else { 0 };
            self.keep(time, read, dir, &[], first - tail);
            self.keep(time, read, dir, &bytes[first - tail..first], tail);
        }
        for (at, (begin, header_end)) in cuts.iter().enumerate() {
            let next = cuts.get(at + 1).map_or(end, |cut| cut.0);
            let header_end = (*header_end).min(next).min(bytes.len());
            let tail = if at + 1 == cuts.len() && next == bytes.len() { partial } else { 0 };
            self.keep(time, read, dir, &bytes[*begin..header_end], next - tail - begin);
            self.keep(time, read, dir, &bytes[next - tail..next], tail);
        }
        let lane = &mut self.lanes[dir.index()];
        if bytes.len() > end {
            lane.skip(time, read, bytes.len() - end);
        }
        // Between two records the engine has counted as many as the scanner: there is no need for both.
        let between = lane.scanner.in_step() && lane.scanner.open_frame().is_none();
        if lane.headers >= HEADERS && between {
            lane.counted = Some(records(facts, dir));
        }
    }

    fn keep(&mut self, time: Timestamp, read: u64, dir: Direction, kept: &[u8], len: usize) {
        if len > 0 {
            let kept = self.queue.buffers.copy(kept);
            self.passed(time, read, dir, kept, len);
        }
    }

    fn passed(&mut self, time: Timestamp, read: u64, dir: Direction, kept: Vec<u8>, len: usize) {
        self.push(Entry { time, read, what: What::Data { dir, kept, len: len as u64 } });
    }

    fn flush_skipped(&mut self) {
        for dir in Direction::BOTH {
            let lane = &mut self.lanes[dir.index()];
            let (time, read) = lane.skipped_at;
            let len = std::mem::take(&mut lane.skipped);
            if len > 0 {
                self.push(Entry { time, read, what: What::Skipped { dir, len } });
            }
        }
    }

    fn push(&mut self, entry: Entry) {
        self.held_bytes += entry.bytes();
        self.held.push(entry);
        if self.released {
            self.send();
        }
    }

    fn release(&mut self) {
        if !self.released {
            self.released = true;
            self.send();
        }
    }

    fn send(&mut self) {
        let entries = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        if entries.is_empty() {
            return;
        }
        let job = Job::Entries { session: self.session, subject: self.subject.clone(), entries };
        let Err(job) = self.queue.offer(job) else { return };
        match self.policy {
            Policy::Drop => self.lose(job),
            Policy::Wait => self.queue.put(job),
        }
    }

    /// The recorder is behind: of what it did not take the lengths stay, as gaps before what comes next.
    fn lose(&mut self, job: Job) {
        let (Job::Entries { entries, .. } | Job::End { entries, .. }) = job;
        let mut rest: Vec<Entry> = Vec::new();
        for entry in entries {
            let Entry { time, read, what } = entry;
            let (dir, len) = match what {
                What::Data { dir, kept, len } => {
                    self.lost += if kept.is_empty() { 0 } else { len };
                    self.queue.buffers.give(kept);
                    (dir, len)
                }
                What::Skipped { dir, len } => (dir, len),
                what => {
                    rest.push(Entry { time, read, what });
                    continue;
                }
            };
            let gap = rest.iter_mut().rev().find_map(|entry| match &mut entry.what {
                What::Skipped { dir: same, len } if *same == dir => Some(Some(len)),
                What::Skipped { .. } => None,
                _ => Some(None),
            });
            match gap.flatten() {
                Some(gap) => *gap += len,
                None => rest.push(Entry { time, read, what: What::Skipped { dir, len } }),
            }
        }
        self.held_bytes = rest.iter().map(Entry::bytes).sum();
        self.held = rest;
    }
}

/// Where a frame ends that is worth more than its header: in clear it says why the session ends, and nothing
/// that is private.
fn stated(bytes: &[u8], body: usize, start: FrameStart) -> Option<usize> {
    /// Length, code and end of unit of X.224 Data.
    const DATA: usize = 3;
    let end = body.checked_add(start.body as usize)?;
    let pdu = bytes.get(body.checked_add(DATA)?..end)?;
    let short = matches!(start.kind, FrameKind::Tpkt) && pdu.len() <= SendData::STATEMENT;
    let statement = || SendData::parse(&mut Reader::new(pdu)).ok()?.statement();
    short.then(statement)?.map(|_| end)
}
