//! Where a result is written. What a full disk or a reader that stands still does not take is lost; that is said, and
//! the run ends as a failed one.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Where a result is written, and by whom.
pub enum Sink {
    /// By whoever has something to say, who waits for it.
    Here(Writer),
    /// By a thread, for which others wait a moment at most.
    Apart(Apart),
}

impl Sink {
    /// Writes to `result`, and remarks to `aside`.
    pub fn new(result: Box<dyn Write + Send>, aside: Box<dyn Write + Send>) -> Sink {
        Sink::Here(Writer { result, aside, torn: false, is_gone: false, failure: None })
    }

    /// A part of the result.
    pub fn write(&mut self, bytes: &[u8]) {
        match self {
            Sink::Here(writer) => writer.write(bytes),
            Sink::Apart(apart) => apart.say(Said::Result(bytes.to_vec())),
        }
    }

    /// A line to the person at the terminal. Nobody may be reading it any more.
    pub fn remark(&mut self, what: &str) {
        match self {
            Sink::Here(writer) => writer.remark(what),
            Sink::Apart(apart) => apart.say(Said::Remark(what.to_owned())),
        }
    }

    /// The result is not whole, for this reason.
    pub fn fail(&mut self, error: io::Error) {
        match self {
            Sink::Here(writer) => drop(writer.failure.get_or_insert(error)),
            Sink::Apart(apart) => drop(apart.failure.get_or_insert(error)),
        }
    }

    /// From now on a thread writes. Fails where there can be none.
    pub fn apart(self, patience: Duration) -> io::Result<Sink> {
        match self {
            Sink::Here(writer) => Ok(Sink::Apart(Apart::start(writer, patience)?)),
            Sink::Apart(_) => Ok(self),
        }
    }

    /// Waits until everything is written, however long a reader stands still; from then on nobody else writes.
    pub fn settled(self) -> Sink {
        match self {
            Sink::Here(_) => self,
            Sink::Apart(apart) => Sink::Here(apart.settled()),
        }
    }

    /// What went wrong first. That a reader has seen enough is no failure.
    pub fn finish(self) -> io::Result<()> {
        let Sink::Here(writer) = self.settled() else { return Ok(()) };
        writer.failure.map_or(Ok(()), Err)
    }
}

/// Writes, and remembers what could not be written.
pub struct Writer {
    result: Box<dyn Write + Send>,
    aside: Box<dyn Write + Send>,
    /// What was written last is cut off.
    torn: bool,
    /// The reader has left, which is no failure.
    is_gone: bool,
    failure: Option<io::Error>,
}

impl Writer {
    /// What can not be written is lost, and said; the next is tried again, on a line of its own. A reader that is
    /// gone does not come back. A verdict must be on the screen before the user has closed the client's error box.
    fn write(&mut self, bytes: &[u8]) {
        if self.is_gone {
            return;
        }
        let whole = if self.torn { self.result.write_all(b"\n") } else { Ok(()) };
        let written = whole.and_then(|()| self.result.write_all(bytes));
        let was_torn = std::mem::replace(&mut self.torn, written.is_err());
        if let Err(error) = written {
            return self.lost(error, !was_torn);
        }
        if let Err(error) = self.result.flush() {
            self.lost(error, false);
        }
    }

    fn lost(&mut self, error: io::Error, is_first: bool) {
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.is_gone = true;
            return;
        }
        if is_first {
            self.remark(&format!(
                "rdpwhy: a result can not be written and is lost: {error}; the next one is tried again"
            ));
        }
        self.failure.get_or_insert(error);
    }

    fn remark(&mut self, what: &str) {
        let _ = writeln!(self.aside, "{what}");
    }
}

/// A thread that writes, and what waits for it.
pub struct Apart {
    said: SyncSender<Said>,
    thread: JoinHandle<Writer>,
    /// Parts that wait, or are being written.
    waiting: Arc<AtomicUsize>,
    /// How long all of them are waited for, until half of what waited is written.
    patience: Duration,
    /// What is left of it.
    left: Duration,
    /// Something was lost since.
    loses: bool,
    /// Parts of the result that it did not take.
    lost: u64,
    failure: Option<io::Error>,
}

enum Said {
    Result(Vec<u8>),
    Remark(String),
}

/// Parts that may wait: some megabytes.
const WAITING: usize = 1024;

impl Apart {
    fn start(mut writer: Writer, patience: Duration) -> io::Result<Apart> {
        let (said, taken): (_, Receiver<Said>) = sync_channel(WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let waits = waiting.clone();
        let work = move || {
            for said in taken {
                match said {
                    Said::Result(bytes) => writer.write(&bytes),
                    Said::Remark(what) => writer.remark(&what),
                }
                waits.fetch_sub(1, Ordering::Relaxed);
            }
            writer
        };
        let thread = std::thread::Builder::new().name("results".into()).spawn(work)?;
        let left = patience;
        Ok(Apart { said, thread, waiting, patience, left, loses: false, lost: 0, failure: None })
    }

    /// Hands over what is said. What a reader that stands still, or is slow for long, has no room for is lost.
    fn say(&mut self, mut said: Said) {
        const PAUSE: Duration = Duration::from_millis(5);
        if self.waiting.fetch_add(1, Ordering::Relaxed) <= WAITING / 2 {
            (self.left, self.loses) = (self.patience, false);
        }
        while let Err(TrySendError::Full(back)) = self.said.try_send(said) {
            if self.left.is_zero() {
                return self.lose(&back);
            }
            said = back;
            std::thread::sleep(PAUSE);
            self.left = self.left.saturating_sub(PAUSE);
        }
    }

    fn lose(&mut self, said: &Said) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.lost += u64::from(matches!(said, Said::Result(_)));
        if !std::mem::replace(&mut self.loses, true) {
            tracing::warn!(
                "nobody reads the results, or not fast enough: what is more than {WAITING} of them is lost"
            );
        }
    }

    fn settled(self) -> Writer {
        drop(self.said);
        let Ok(mut writer) = self.thread.join() else {
            unreachable!("writing does not panic, and who writes has no lock to poison")
        };
        let lost = (self.lost > 0)
            .then(|| io::Error::other(format!("{} of them are lost: nobody read them", self.lost)));
        if let Some(failure) = self.failure.or(lost) {
            writer.failure.get_or_insert(failure);
        }
        writer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A disk that is full for a while, or who is told.
    #[derive(Clone, Default)]
    struct Disk {
        is_full: Arc<AtomicBool>,
        held: Arc<Mutex<Vec<u8>>>,
    }

    impl Disk {
        fn text(&self) -> String {
            String::from_utf8(self.held.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.is_full.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.held.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_full_disk_did_not_take_is_said_and_the_next_is_tried_again() {
        let (disk, told) = (Disk::default(), Disk::default());
        let mut sink = Sink::new(Box::new(disk.clone()), Box::new(told.clone()));
        for (words, is_full) in [("one", false), ("two", true), ("three", true), ("four", false)] {
            disk.is_full.store(is_full, Ordering::Relaxed);
            sink.write(format!("{words}\n").as_bytes());
        }
        assert_eq!(disk.text(), "one\n\nfour\n");
        assert_eq!(told.text().lines().count(), 1, "{}", told.text());
        assert!(sink.finish().is_err(), "it is the run's own failure");
    }

    #[test]
    fn a_reader_that_stands_still_costs_results_and_nobodys_time() {
        let (disk, told) = (Disk::default(), Disk::default());
        let sink = Sink::new(Box::new(disk.clone()), Box::new(told.clone()));
        let mut sink = sink.apart(Duration::ZERO).unwrap();
        let reads = disk.held.lock().unwrap();
        // One is being written, the others wait.
        const MOST: usize = WAITING + 1;
        for number in 0..2 * MOST {
            sink.write(format!("{number}\n").as_bytes());
        }
        let Sink::Apart(Apart { loses, lost, .. }) = &sink else { panic!("it is apart") };
        assert!(*loses);
        let lost = *lost as usize;
        assert!((MOST..=2 * MOST - WAITING).contains(&lost), "{lost}");
        drop(reads);
        let sink = sink.settled();
        let kept: Vec<usize> = disk.text().lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(kept.len(), 2 * MOST - lost);
        assert!(kept.is_sorted(), "in their order");
        let error = sink.finish().unwrap_err().to_string();
        assert!(error.contains(&lost.to_string()), "{error}");
        assert_eq!(told.text(), "");
    }

    /// A reader that takes a line each 10 ms.
    struct Slow;

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_millis(10));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_reader_is_waited_for_once_and_not_each_time() {
        let patience = Duration::from_millis(100);
        let mut sink = Sink::new(Box::new(Slow), Box::new(io::sink())).apart(patience).unwrap();
        for _ in 0..4 * WAITING {
            sink.write(b"a line\n");
        }
        let Sink::Apart(Apart { left, lost, waiting, .. }) = &sink else { panic!("it is apart") };
        assert!(left.is_zero());
        // Were each of them waited for, none would be lost.
        assert!(*lost > WAITING as u64, "{lost}");
        assert!(waiting.load(Ordering::Relaxed) <= WAITING + 1);
    }

    /// A reader that stands still while this is locked, and then leaves.
    struct Leaving(Arc<Mutex<()>>);

    impl Write for Leaving {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            drop(self.0.lock().unwrap());
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_was_lost_before_a_reader_left_is_a_failure_and_that_it_left_is_none() {
        for (count, whole) in [(3, true), (WAITING + 9, false)] {
            let still = Arc::default();
            let sink = Sink::new(Box::new(Leaving(Arc::clone(&still))), Box::new(io::sink()));
            let mut sink = sink.apart(Duration::ZERO).unwrap();
            let stands = still.lock().unwrap();
            for _ in 0..count {
                sink.write(b"a line\n");
            }
            drop(stands);
            assert_eq!(sink.finish().is_ok(), whole, "{count}");
        }
    }

    #[test]
    fn remarks_and_results_are_written_apart_and_what_comes_behind_them_here() {
        let (disk, told) = (Disk::default(), Disk::default());
        let sink = Sink::new(Box::new(disk.clone()), Box::new(told.clone()));
        let mut sink = sink.apart(Duration::from_secs(60)).unwrap();
        sink.write(b"one\n");
        sink.remark("between");
        let mut sink = sink.settled();
        sink.write(b"two\n");
        assert_eq!((disk.text(), told.text()), ("one\ntwo\n".into(), "between\n".into()));
        sink.finish().unwrap();
    }

    #[test]
    fn a_disk_that_is_full_when_a_thread_writes_is_a_failure_too() {
        let (disk, told) = (Disk::default(), Disk::default());
        disk.is_full.store(true, Ordering::Relaxed);
        let sink = Sink::new(Box::new(disk), Box::new(told.clone()));
        let mut sink = sink.apart(Duration::from_secs(60)).unwrap();
        sink.write(b"one\n");
        let error = sink.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(told.text().contains("is lost"), "{}", told.text());
    }
}
