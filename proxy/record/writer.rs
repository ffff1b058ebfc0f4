//! The recorder's thread: entries become packets, verdicts become comments.

use std::collections::HashMap;
use std::io::{self, BufWriter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rdpwhy_analyzer::facts::Subject;
use rdpwhy_analyzer::input::{Close, Direction, Leg, Timestamp};
use rdpwhy_analyzer::report::{Connection, Outcome};
use rdpwhy_captures::synth::Packet;
use rdpwhy_captures::writer::PcapngWriter;

use super::facts::{Begin, Comment, End};
use super::file::{Files, Ring};
use super::legs::Written;
use super::queue::Queue;
use super::tape::{Entry, Payload, Policy, Tape, What};

/// What the recorder's thread is given.
pub enum Job {
    /// Entries of a session that is still open.
    Entries {
        /// Its number.
        session: u64,
        /// Who talks to whom.
        subject: Box<Subject>,
        /// What happened.
        entries: Vec<Entry>,
    },
    /// The last entries of a session, with its verdict.
    End {
        /// Its number.
        session: u64,
        /// Who talked to whom.
        subject: Box<Subject>,
        /// What happened last.
        entries: Vec<Entry>,
        /// What packets told.
        packets: Vec<Comment>,
        /// What only sockets know.
        end: Box<End>,
        /// The verdict.
        report: Box<Connection>,
    },
}

impl Job {
    /// Its size in memory, near enough for a bound.
    pub fn bytes(&self) -> usize {
        let (Job::Entries { entries, .. } | Job::End { entries, .. }) = self;
        size_of::<Job>() + entries.iter().map(Entry::bytes).sum::<usize>()
    }
}

/// A handle to the recorder. Cloned freely; [`Recorder::finish`] of any ends the recording.
#[derive(Clone)]
pub struct Recorder {
    queue: Arc<Queue>,
    broken: Arc<AtomicBool>,
    payload: Payload,
    policy: Policy,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Recorder {
    /// Opens the first file and starts the thread. Fails where the file can not be written at all.
    pub fn start(ring: Ring, payload: Payload, policy: Policy) -> io::Result<Recorder> {
        let mut recording = Recording::open(Files::new(ring))?;
        let (queue, broken) = (Arc::new(Queue::default()), Arc::new(AtomicBool::new(false)));
        let closing = Closing(queue.clone());
        let failed = broken.clone();
        let work = move || recording.work(&closing.0, &failed);
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(work)?;
        let thread = Arc::new(Mutex::new(Some(thread)));
        Ok(Recorder { queue, broken, payload, policy, thread })
    }

    /// A tape for a new session.
    pub fn tape(&self, session: u64, subject: &Subject) -> Tape {
        Tape::new(session, subject, self.payload, self.policy, self.queue.clone())
    }

    /// Writes what was handed over until now, and ends; tapes that still exist write into the void.
    /// Gives whether everything could be written.
    pub fn finish(self) -> bool {
        self.queue.close();
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        thread.is_none_or(|thread| thread.join().is_ok()) && !self.broken.load(Ordering::Relaxed)
    }
}

/// Nobody waits for a recorder that is gone, however it went.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The files being written and the sessions in them.
struct Recording {
    files: Files,
    writer: Option<PcapngWriter<BufWriter<std::fs::File>>>,
    sessions: HashMap<u64, Written>,
    /// What the file at hand holds, for its interface statistics.
    totals: Totals,
}

/// Counts of one file.
#[derive(Default)]
struct Totals {
    packets: [u64; 2],
    ended: u64,
    failed: u64,
    lost: u64,
    last: Timestamp,
}

/// A packet that is not written yet.
pub(super) struct Pending {
    pub leg: Leg,
    pub time: Timestamp,
    pub packet: Packet,
    pub comments: Vec<String>,
}

impl Recording {
    fn open(mut files: Files) -> io::Result<Recording> {
        let writer = Some(open_next(&mut files)?);
        Ok(Recording { files, writer, sessions: HashMap::new(), totals: Totals::default() })
    }

    fn work(&mut self, queue: &Queue, broken: &AtomicBool) {
        while let Some(job) = queue.take() {
            if let Err(error) = self.job(job) {
                self.stop(&error, broken);
            }
        }
        if let Err(error) = self.close_file() {
            self.stop(&error, broken);
        }
    }

    /// Said once; the relay goes on and the queue is emptied.
    fn stop(&mut self, error: &io::Error, broken: &AtomicBool) {
        if self.writer.take().is_some() {
            broken.store(true, Ordering::Relaxed);
            self.sessions.clear();
            crate::output::remark(&stopped(error));
        }
    }

    fn job(&mut self, job: Job) -> io::Result<()> {
        if self.writer.is_none() {
            return Ok(());
        }
        match job {
            Job::Entries { session, subject, entries } => {
                self.entries(session, &subject, &entries, &HashMap::new())
            }
            Job::End { session, subject, entries, packets, end, report } => {
                self.entries(session, &subject, &entries, &evidence(&report))?;
                self.end(session, &packets, &end, &report)?;
                self.writer.as_mut().map_or(Ok(()), |writer| writer.flush())
            }
        }?;
        self.turn_over()
    }

    fn entries(
        &mut self,
        session: u64,
        subject: &Subject,
        entries: &[Entry],
        evidence: &HashMap<u64, Vec<String>>,
    ) -> io::Result<()> {
        let mut written =
            self.sessions.remove(&session).unwrap_or_else(|| Written::new(session, subject));
        written.learn(subject);
        for entry in entries {
            let comments = evidence.get(&entry.read).cloned().unwrap_or_default();
            if matches!(entry.what, What::Failed(_)) {
                // Each attempt is a TCP connection of its own.
                written.begun[1] = false;
            }
            for (leg, time, packet) in written.packets(entry) {
                // Comments stand on the packet as it was read, not on its copy behind the relay.
                let source = match &entry.what {
                    What::Data { dir: Direction::ToServer, .. } => leg == Leg::Client,
                    What::Data { dir: Direction::ToClient, .. } => leg == Leg::Server,
                    _ => false,
                };
                let comments = match &entry.what {
                    What::Closed { how: Close::Error(name), .. } => {
                        vec![Comment::Error { name: (*name).to_owned() }.to_text()]
                    }
                    _ if source => comments.clone(),
                    _ => Vec::new(),
                };
                self.put(&mut written, leg, time, packet, comments)?;
            }
        }
        self.sessions.insert(session, written);
        Ok(())
    }

    fn end(
        &mut self,
        session: u64,
        packets: &[Comment],
        end: &End,
        report: &Connection,
    ) -> io::Result<()> {
        let Some(mut written) = self.sessions.remove(&session) else { return Ok(()) };
        self.totals.ended += 1;
        self.totals.failed += u64::from(report.outcome == Outcome::Failed);
        self.totals.lost += end.lost;
        written.begun[1] &= written.dialing.is_none();
        for (time, packet) in written.unanswered(Timestamp(end.finished)) {
            self.put(&mut written, Leg::Server, time, packet, Vec::new())?;
        }
        if let Some(mut last) = written.waiting.take() {
            last.comments.extend(packets.iter().map(Comment::to_text));
            last.comments.push(Comment::End(Box::new(end.clone())).to_text());
            last.comments.push(format!("verdict: {}", report.verdict.sentence));
            self.write(last)?;
        }
        Ok(())
    }

    /// Holds a packet back until the next one comes: the verdict stands at the last.
    fn put(
        &mut self,
        written: &mut Written,
        leg: Leg,
        time: Timestamp,
        packet: Packet,
        mut comments: Vec<String>,
    ) -> io::Result<()> {
        let side = usize::from(leg == Leg::Server);
        if !std::mem::replace(&mut written.begun[side], true) {
            let begin = Begin { session: written.session, name: written.name.clone() };
            comments.insert(0, Comment::Begin(begin).to_text());
        }
        let next = Pending { leg, time, packet, comments };
        match written.waiting.replace(next) {
            Some(previous) => self.write(previous),
            None => Ok(()),
        }
    }

    fn write(&mut self, pending: Pending) -> io::Result<()> {
        let Some(writer) = self.writer.as_mut() else { return Ok(()) };
        self.totals.packets[usize::from(pending.leg == Leg::Server)] += 1;
        self.totals.last = self.totals.last.max(pending.time);
        let Pending { leg, time, packet, comments } = pending;
        writer.packet(leg, time, &packet.bytes, packet.original_len, &comments)
    }

    /// The summary of a file stands in its interface statistics.
    fn close_file(&mut self) -> io::Result<()> {
        let totals = std::mem::take(&mut self.totals);
        let Some(writer) = self.writer.as_mut() else { return Ok(()) };
        let summary = format!(
            "{} sessions ended, {} failed; {} bytes could not be recorded",
            totals.ended, totals.failed, totals.lost
        );
        for (leg, packets) in [Leg::Client, Leg::Server].into_iter().zip(totals.packets) {
            writer.interface_statistics(leg, totals.last, packets, 0, &summary)?;
        }
        writer.flush()
    }

    fn turn_over(&mut self) -> io::Result<()> {
        let full =
            self.writer.as_ref().is_some_and(|writer| self.files.is_full(writer.bytes_written()));
        if full {
            self.close_file()?;
            self.writer = Some(open_next(&mut self.files)?);
        }
        Ok(())
    }
}

/// What the user is told when the recording ends early.
pub fn stopped(error: &io::Error) -> String {
    format!("the recording stops here: {error}; the relay goes on without it")
}

fn open_next(files: &mut Files) -> io::Result<PcapngWriter<BufWriter<std::fs::File>>> {
    let sink = BufWriter::with_capacity(256 << 10, files.next()?);
    let mut writer = PcapngWriter::new(
        sink,
        concat!("rdpwhy ", env!("CARGO_PKG_VERSION")),
        "TCP and IP headers are synthesised from a relay's byte streams: read no retransmission or loss out of them",
    )?;
    writer.flush()?;
    Ok(writer)
}

/// Evidence by the read it was found in.
fn evidence(report: &Connection) -> HashMap<u64, Vec<String>> {
    let mut by_read: HashMap<u64, Vec<String>> = HashMap::new();
    for item in &report.evidence {
        if let Some(read) = item.origin.as_ref().filter(|o| o.kind == "read").and_then(|o| o.n) {
            by_read.entry(read).or_default().push(format!("{}: {}", item.id, item.fact));
        }
    }
    by_read
}
