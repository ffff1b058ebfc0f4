//! The clients: what they do, and what of it came out right.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::peer::{BRIEF, DIGEST, RESET, SOURCE, STUCK, numbers};
use crate::support::running::LONG;

/// Where clients go, and until when.
#[derive(Clone)]
pub struct Load {
    /// The relay's port at 127.0.0.1.
    pub port: u16,
    /// Set when the soak is over.
    pub stop: Arc<AtomicBool>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Connections opened.
    pub connections: u64,
    /// Streams digested at both ends.
    pub streams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Streams that were not exact, and connections that were refused.
    pub wrong: u64,
}

impl Tally {
    /// Adds what another did.
    pub fn add(&mut self, other: Tally) {
        self.connections += other.connections;
        self.streams += other.streams;
        self.bytes += other.bytes;
        self.wrong += other.wrong;
    }

    fn stream(&mut self, bytes: usize, exact: bool) {
        self.streams += 1;
        self.bytes += bytes as u64;
        self.wrong += u64::from(!exact);
    }
}

impl Load {
    /// Starts so many clients of a kind; each is given a number of its own.
    pub fn start(
        &self,
        count: u64,
        client: impl Fn(&Load, u64) -> Tally + Copy + Send + 'static,
    ) -> Vec<JoinHandle<Tally>> {
        let start = |seed| {
            let load = self.clone();
            thread::spawn(move || client(&load, seed))
        };
        (1..=count).map(start).collect()
    }

    /// Comes and goes at a fixed rate; a late one makes the next no later.
    pub fn churn(&self, _: u64, per_minute: u32) -> Tally {
        let mut tally = Tally::default();
        let (began, pause) = (Instant::now(), Duration::from_secs(60) / per_minute);
        for turn in 1.. {
            if self.is_over() {
                break;
            }
            let answered = self.open(&mut tally).and_then(|mut stream| {
                stream.write_all(&[BRIEF]).ok()?;
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).ok()?;
                (answer == [BRIEF]).then_some(())
            });
            tally.wrong += u64::from(answered.is_none());
            thread::sleep((pause * turn).saturating_sub(began.elapsed()));
        }
        tally
    }

    /// Large streams there and back, in turn.
    pub fn bulk(&self, seed: u64) -> Tally {
        let mut tally = Tally::default();
        for turn in 0u64.. {
            if self.is_over() {
                break;
            }
            let bytes = numbers(seed << 32 | turn, 1 + (turn as usize * 700_001) % (3 << 20));
            let exact = self.open(&mut tally).and_then(|stream| digested(stream, &bytes));
            tally.stream(bytes.len(), exact == Some(true));
            let (exact, len) = self.fetch(&mut tally, seed << 32 | turn, bytes.len(), None);
            tally.stream(len, exact);
        }
        tally
    }

    /// Takes a stream a little at a time.
    pub fn slow_reader(&self, seed: u64) -> Tally {
        let mut tally = Tally::default();
        while !self.is_over() {
            let pause = Some(Duration::from_millis(20));
            let (exact, len) = self.fetch(&mut tally, seed, 6 << 20, pause);
            // One that the end of the soak cut short proves nothing.
            if len == 6 << 20 || !exact {
                tally.stream(len, exact);
            }
        }
        tally
    }

    /// Writes to a server that reads no more, until nothing goes any more, and leaves with a reset.
    pub fn stuck_upstream(&self, seed: u64) -> Tally {
        let mut tally = Tally::default();
        let bytes = numbers(seed, 1 << 20);
        while !self.is_over() {
            let Some(mut stream) = self.open(&mut tally) else { continue };
            let _ = stream.set_write_timeout(Some(Duration::from_millis(500)));
            let _ = stream.write_all(&[STUCK]);
            while !self.is_over() && stream.write(&bytes).is_ok_and(|written| written > 0) {}
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        tally
    }

    /// Connects, says nothing, and stays.
    pub fn says_nothing(&self, _: u64) -> Tally {
        let mut tally = Tally::default();
        let open: Vec<_> = (0..50).filter_map(|_| self.open(&mut tally)).collect();
        while !self.is_over() {
            thread::sleep(Duration::from_millis(50));
        }
        drop(open);
        tally
    }

    /// Is reset by its server, or resets by itself.
    pub fn resets(&self, seed: u64) -> Tally {
        let mut tally = Tally::default();
        for turn in seed.. {
            if self.is_over() {
                break;
            }
            let Some(mut stream) = self.open(&mut tally) else { continue };
            if turn % 2 == 0 {
                let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                let _ = stream.write_all(&[DIGEST, 7, 7]);
            } else {
                let _ = stream.write_all(&[RESET]);
                let end = stream.read(&mut [0; 8]).map_err(|error| error.kind());
                tally.wrong += u64::from(!matches!(end, Err(ErrorKind::ConnectionReset)));
            }
            thread::sleep(Duration::from_millis(20));
        }
        tally
    }

    /// Asks for a stream of numbers; whether it was exact as far as it was read, and how far that was.
    fn fetch(
        &self,
        tally: &mut Tally,
        seed: u64,
        len: usize,
        pause: Option<Duration>,
    ) -> (bool, usize) {
        let Some(mut stream) = self.open(tally) else { return (false, 0) };
        let asked = [&[SOURCE][..], &(len as u64).to_be_bytes(), &seed.to_be_bytes()].concat();
        if stream.write_all(&asked).is_err() {
            return (false, 0);
        }
        let (mut digest, mut got) = (Sha256::new(), 0);
        let mut buffer = vec![0; 32 << 10];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    digest.update(&buffer[..read]);
                    got += read;
                }
                Err(_) => return (false, got),
            }
            if let Some(pause) = pause {
                thread::sleep(pause);
                if self.is_over() {
                    break;
                }
            }
        }
        let sent = numbers(seed, len);
        let whole = got == len || self.is_over() && pause.is_some();
        let exact = whole && digest.finalize() == Sha256::digest(&sent[..got.min(len)]);
        (exact, got)
    }

    fn open(&self, tally: &mut Tally) -> Option<TcpStream> {
        tally.connections += 1;
        let stream = TcpStream::connect(("127.0.0.1", self.port));
        tally.wrong += u64::from(stream.is_err());
        let stream = stream.ok()?;
        stream.set_read_timeout(Some(LONG)).ok()?;
        stream.set_write_timeout(Some(LONG)).ok()?;
        Some(stream)
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Sends a stream; whether its server digested the same.
fn digested(mut stream: TcpStream, bytes: &[u8]) -> Option<bool> {
    stream.write_all(&[DIGEST]).ok()?;
    stream.write_all(bytes).ok()?;
    stream.shutdown(Shutdown::Write).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(answer == Sha256::digest(bytes).as_slice())
}
