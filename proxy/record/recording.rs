//! The recording itself, as the recorder's thread writes it: entries become packets, verdicts become comments.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use rdpwhy_analyzer::facts::Subject;
use rdpwhy_analyzer::input::{Close, Leg, Timestamp};
use rdpwhy_analyzer::report::{Connection, Outcome};
use rdpwhy_captures::synth::{Packet, pieces};
use rdpwhy_captures::writer::PcapngWriter;

use super::buffers::Buffers;
use super::entry::{Entry, Payload, What};
use super::facts::{Begin, Comment, End};
use super::file::Files;
use super::held::{Held, Pending};
use super::legs::{Legs, Side};
use super::queue::Queue;
use super::writer::{Job, stopped};

/// The files being written and the sessions in them.
pub(super) struct Recording {
    files: Files,
    writer: Option<PcapngWriter<File>>,
    sessions: HashMap<u64, Written>,
    /// Bytes are kept on one leg alone.
    once: bool,
    /// Packets that are written at once; here for its memory.
    batch: Vec<Pending>,
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

/// What is remembered of a session between its entries.
struct Written {
    legs: Legs,
    begin: Beginning,
    held: Held,
}

/// What the first packet of each leg says.
struct Beginning {
    session: u64,
    /// The name the relay dials.
    name: Option<String>,
    /// It was said.
    said: [bool; 2],
}

/// Bytes that pass some of the legs at once.
struct Run<'a> {
    time: Timestamp,
    kept: &'a [u8],
    len: u64,
    /// Comments on the packets of one leg.
    comments: (Leg, &'a [String]),
}

impl Written {
    fn new(session: u64, subject: &Subject, once: bool) -> Written {
        let name = subject.server_name.clone();
        Written {
            legs: Legs::new(session, subject, once),
            begin: Beginning { session, name, said: [false; 2] },
            held: Held::default(),
        }
    }
}

impl Beginning {
    /// The comments of a packet, and on the first one of a leg what belongs there.
    fn with(&mut self, leg: Leg, comments: &[String]) -> Vec<String> {
        let said = std::mem::replace(&mut self.said[usize::from(leg == Leg::Server)], true);
        let begin = Begin { session: self.session, name: self.name.clone() };
        let first = (!said).then(|| Comment::Begin(begin).to_text());
        first.into_iter().chain(comments.iter().cloned()).collect()
    }
}

impl Recording {
    /// With its first file, which can be written.
    pub fn open(mut files: Files, payload: Payload) -> io::Result<Recording> {
        let writer = Some(open_next(&mut files)?);
        let once = payload == Payload::Full;
        let (sessions, batch, totals) = Default::default();
        Ok(Recording { files, writer, sessions, once, batch, totals })
    }

    /// Writes what comes until the queue is closed and empty.
    pub fn work(&mut self, queue: &Queue, broken: &AtomicBool) {
        loop {
            while let Some(job) = queue.next() {
                if let Err(error) = self.job(job, &queue.buffers) {
                    self.stop(&error, broken);
                }
            }
            // Whoever reads the file meanwhile finds in it what was said until now.
            if let Err(error) = self.writer.as_mut().map_or(Ok(()), PcapngWriter::flush) {
                self.stop(&error, broken);
            }
            if !queue.wait() {
                break;
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

    fn job(&mut self, job: Job, buffers: &Buffers) -> io::Result<()> {
        if self.writer.is_none() {
            return Ok(());
        }
        match job {
            Job::Entries { session, subject, entries } => {
                self.entries(session, &subject, entries, &HashMap::new(), buffers)
            }
            Job::End { session, subject, entries, packets, end, report } => {
                self.entries(session, &subject, entries, &evidence(&report), buffers)?;
                self.end(session, &packets, &end, &report, buffers)
            }
        }?;
        self.turn_over()
    }

    fn entries(
        &mut self,
        session: u64,
        subject: &Subject,
        entries: Vec<Entry>,
        evidence: &HashMap<u64, Vec<String>>,
        buffers: &Buffers,
    ) -> io::Result<()> {
        let known = self.sessions.remove(&session);
        let mut written = known.unwrap_or_else(|| Written::new(session, subject, self.once));
        written.legs.learn(subject);
        for Entry { time, read, what } in entries {
            match what {
                What::Data { dir, kept, len } => {
                    let said = evidence.get(&read).map_or(&[][..], Vec::as_slice);
                    let Written { legs, begin, held } = &mut written;
                    let (sides, source) = legs.passed_by(dir, &kept, len);
                    let run = Run { time, kept: &kept, len, comments: (source, said) };
                    self.run(&run, sides, begin, held, buffers)?;
                    held.keep(kept, buffers);
                }
                what => self.event(&mut written, time, &what, buffers)?,
            }
        }
        self.sessions.insert(session, written);
        Ok(())
    }

    /// Anything but bytes, and the bytes that waited for it.
    fn event(
        &mut self,
        written: &mut Written,
        time: Timestamp,
        what: &What,
        buffers: &Buffers,
    ) -> io::Result<()> {
        let Written { legs, begin, held } = written;
        if matches!(what, What::Failed(_)) {
            // Each attempt is a TCP connection of its own.
            begin.said[1] = false;
        }
        let comments = match what {
            What::Closed { how: Close::Error(name), .. } => {
                vec![Comment::Error { name: (*name).to_owned() }.to_text()]
            }
            _ => Vec::new(),
        };
        self.hold(legs.packets(time, what), begin, &comments, held, buffers)?;
        for (kept, len) in legs.early() {
            let run = Run { time, kept: &kept, len, comments: (Leg::Server, &[]) };
            self.run(&run, legs.late(), begin, held, buffers)?;
            held.keep(kept, buffers);
        }
        Ok(())
    }

    /// Writes bytes as packets of these legs, but for the last packet of each.
    fn run(
        &mut self,
        run: &Run<'_>,
        mut sides: [Option<Side<'_>>; 2],
        begin: &mut Beginning,
        held: &mut Held,
        buffers: &Buffers,
    ) -> io::Result<()> {
        self.release(held, buffers)?;
        let mut batch = std::mem::take(&mut self.batch);
        let (mut place, mut left) = (0, run.len);
        for (piece, len) in pieces(run.kept, run.len) {
            left -= u64::from(len);
            let packets = if left > 0 { &mut batch } else { &mut held.packets };
            for side in sides.iter_mut().flatten() {
                let packet = side.packet(piece, len);
                let comments = if side.name == run.comments.0 { run.comments.1 } else { &[] };
                let comments = begin.with(side.name, comments);
                packets.push(Pending::new(side.name, run.time, &packet, place, comments));
            }
            place += piece.len();
        }
        self.write(&batch, run.kept)?;
        batch.clear();
        self.batch = batch;
        Ok(())
    }

    /// Holds packets without payload back until the next ones come.
    fn hold(
        &mut self,
        packets: Vec<(Leg, Timestamp, Packet<'static>)>,
        begin: &mut Beginning,
        comments: &[String],
        held: &mut Held,
        buffers: &Buffers,
    ) -> io::Result<()> {
        if packets.is_empty() {
            return Ok(());
        }
        self.release(held, buffers)?;
        held.packets.extend(packets.into_iter().map(|(leg, time, packet)| {
            Pending::new(leg, time, &packet, 0, begin.with(leg, comments))
        }));
        Ok(())
    }

    /// Writes what was held back.
    fn release(&mut self, held: &mut Held, buffers: &Buffers) -> io::Result<()> {
        self.write(&held.packets, &held.buffer)?;
        held.packets.clear();
        buffers.give(std::mem::take(&mut held.buffer));
        Ok(())
    }

    fn end(
        &mut self,
        session: u64,
        packets: &[Comment],
        end: &End,
        report: &Connection,
        buffers: &Buffers,
    ) -> io::Result<()> {
        let Some(Written { mut legs, mut begin, mut held }) = self.sessions.remove(&session) else {
            return Ok(());
        };
        self.totals.ended += 1;
        self.totals.failed += u64::from(report.outcome == Outcome::Failed);
        self.totals.lost += end.lost;
        begin.said[1] &= legs.dialing.is_none();
        let dials = legs.unanswered(Timestamp(end.finished));
        self.hold(dials, &mut begin, &[], &mut held, buffers)?;
        if let Some(last) = held.packets.last_mut() {
            last.comments.extend(packets.iter().map(Comment::to_text));
            last.comments.push(Comment::End(Box::new(end.clone())).to_text());
            last.comments.push(format!("verdict: {}", report.verdict.sentence));
        }
        self.release(&mut held, buffers)
    }

    /// Writes packets whose payload is in this buffer.
    fn write(&mut self, packets: &[Pending], buffer: &[u8]) -> io::Result<()> {
        let Some(writer) = self.writer.as_mut() else { return Ok(()) };
        for packet in packets {
            self.totals.packets[usize::from(packet.leg == Leg::Server)] += 1;
            self.totals.last = self.totals.last.max(packet.time);
        }
        let records: Vec<_> = packets.iter().map(|packet| packet.record(buffer)).collect();
        writer.packets(&records)
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

fn open_next(files: &mut Files) -> io::Result<PcapngWriter<File>> {
    let mut writer = PcapngWriter::new(
        files.next()?,
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
