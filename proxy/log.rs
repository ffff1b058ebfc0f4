//! What is logged, on stderr. A terminal that stands still or a pipe that nobody reads must not hold up a thread that
//! moves bytes: lines are handed to a thread of their own, and what it has no room for is lost.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::{Duration, Instant};

/// Lines that may wait.
const LINES: usize = 256;

/// The lines of this program, once it logs.
static LOG: OnceLock<Lines> = OnceLock::new();

/// A line to whoever looks, among those that are logged: nobody waits for it to be written.
pub fn say(what: &str) {
    match LOG.get() {
        Some(lines) => drop(lines.clone().write_all(format!("{what}\n").as_bytes())),
        None => crate::output::remark(what),
    }
}

/// Where lines are written to; its copies are of the same thread.
#[derive(Clone)]
pub struct Lines(SyncSender<Line>);

enum Line {
    Said(Vec<u8>),
    /// Everything before it was written.
    Mark(Sender<()>),
}

impl Lines {
    /// Starts the thread that writes to `sink`.
    pub fn start(mut sink: impl Write + Send + 'static) -> io::Result<Lines> {
        let (lines, waiting): (_, Receiver<Line>) = sync_channel(LINES);
        let work = move || {
            for line in waiting {
                match line {
                    // Nobody may be reading it any more.
                    Line::Said(text) => drop(sink.write_all(&text)),
                    Line::Mark(done) => drop(done.send(())),
                }
            }
        };
        std::thread::Builder::new().name("log".into()).spawn(work)?;
        Ok(Lines(lines))
    }

    /// Makes them those of the program.
    pub fn publish(&self) {
        let _ = LOG.set(self.clone());
    }

    /// Waits a moment for what was said until now.
    pub fn flush(&self) {
        const MOMENT: Duration = Duration::from_secs(1);
        const PAUSE: Duration = Duration::from_millis(10);
        let (done, written) = channel();
        let end = Instant::now() + MOMENT;
        let mut mark = Line::Mark(done);
        while let Err(TrySendError::Full(back)) = self.0.try_send(mark) {
            if Instant::now() > end {
                return;
            }
            mark = back;
            std::thread::sleep(PAUSE);
        }
        let _ = written.recv_timeout(MOMENT);
    }
}

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let _ = self.0.try_send(Line::Said(text.to_vec()));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Terminal(Arc<Mutex<Vec<u8>>>);

    impl Write for Terminal {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_does_not_wait_for_a_terminal_that_stands_still() {
        let terminal = Terminal::default();
        let mut lines = Lines::start(terminal.clone()).unwrap();
        let held = terminal.0.lock().unwrap();
        for number in 0..2 * LINES {
            lines.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        drop(held);
        lines.flush();
        let written = String::from_utf8(terminal.0.lock().unwrap().clone()).unwrap();
        let numbers: Vec<usize> = written.lines().map(|line| line.parse().unwrap()).collect();
        // In their order, the first ones, as many as had room.
        assert!((LINES..2 * LINES).contains(&numbers.len()), "{}", numbers.len());
        assert!(numbers.iter().copied().eq(0..numbers.len()));
    }
}
