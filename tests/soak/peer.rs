//! The server behind the relay: does with a connection what its first byte asks for.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::support::running::LONG;

/// Read to the end, answer with the digest of what came.
pub const DIGEST: u8 = 1;
/// Read that number of bytes (eight, big endian) and send as many, numbered by the seed that follows.
pub const SOURCE: u8 = 2;
/// Never read again.
pub const STUCK: u8 = 3;
/// Answer with one byte and close.
pub const BRIEF: u8 = 4;
/// Reset.
pub const RESET: u8 = 5;
/// Say nothing for a while, and then a byte now and again.
pub const LATE: u8 = 6;

/// How long a late server says nothing.
pub const LATE_BY: Duration = Duration::from_secs(3);
/// How long a server is stuck, at most.
const STUCK_FOR: Duration = Duration::from_secs(20);

/// Serves on a port of the loopback address, a thread for each connection.
pub fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = thread::Builder::new().stack_size(128 << 10).spawn(move || act(stream));
        }
    });
    port
}

/// Bytes that look random and are the same for one seed: `len` of them.
pub fn numbers(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

fn act(mut stream: TcpStream) -> Option<()> {
    stream.set_read_timeout(Some(LONG)).ok()?;
    stream.set_write_timeout(Some(LONG)).ok()?;
    let mut wanted = [0];
    stream.read_exact(&mut wanted).ok()?;
    match wanted[0] {
        DIGEST => {
            let mut digest = Sha256::new();
            let mut buffer = vec![0; 64 << 10];
            loop {
                match stream.read(&mut buffer).ok()? {
                    0 => break,
                    read => digest.update(&buffer[..read]),
                }
            }
            stream.write_all(&digest.finalize()).ok()
        }
        SOURCE => {
            let mut asked = [0; 16];
            stream.read_exact(&mut asked).ok()?;
            let [len, seed] = [0, 8]
                .map(|at| u64::from_be_bytes(asked[at..at + 8].try_into().unwrap_or_default()));
            stream.write_all(&numbers(seed, len.min(64 << 20) as usize)).ok()?;
            stream.shutdown(Shutdown::Write).ok()
        }
        STUCK => {
            thread::sleep(STUCK_FOR);
            None
        }
        BRIEF => stream.write_all(&[BRIEF]).ok(),
        LATE => {
            thread::sleep(LATE_BY);
            while stream.write_all(&[LATE]).is_ok() {
                thread::sleep(Duration::from_millis(200));
            }
            Some(())
        }
        RESET => socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).ok(),
        _ => None,
    }
}
