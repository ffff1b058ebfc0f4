//! The soak: everything at once for a while, and the relay still serves.
//!
//! `tests/run soak [minutes]`; without an argument a quarter of a minute. Loopback alone, bounded in time and in
//! number. Every stream is digested at both ends, and the memory of the relay is looked at all along.

#[path = "../support/mod.rs"]
#[allow(dead_code)] // the rest of it serves the integration tests
mod support;

mod faults;
mod peer;
mod streams;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use streams::{Load, Tally};
use support::running::Running;

/// Connections that come and go in a minute.
const CHURN_PER_MINUTE: u32 = 10_000;
/// How long without an argument.
const SHORT: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--nocapture").collect();
    let lasts = match words.first().map(|word| word.parse::<f64>()) {
        None => SHORT,
        Some(Ok(minutes)) if (0.0..=600.0).contains(&minutes) => {
            Duration::from_secs_f64(minutes * 60.0)
        }
        Some(_) => {
            eprintln!("usage: cargo test --test soak -- [MINUTES, up to 600]");
            return ExitCode::from(2);
        }
    };
    let mut failed = u32::from(!load(lasts));
    for (name, fault) in faults::ALL {
        let held = thread::Builder::new().name(name.to_string()).spawn(fault).unwrap().join();
        println!("{} {name}", if held.is_ok() { "ok    " } else { "FAILED" });
        failed += u32::from(held.is_err());
    }
    let (word, all) = (if failed == 0 { "ok" } else { "FAILED" }, 1 + faults::ALL.len() as u32);
    println!(
        "test result: {word}. {} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out",
        all - failed
    );
    ExitCode::from(u8::from(failed > 0))
}

/// All kinds of peers at once, for so long; whether every stream was exact and memory stayed bounded.
fn load(lasts: Duration) -> bool {
    /// What the slow and the stuck keep waiting, each up to a read limit of 1 MiB and twice that while its buffer
    /// grows, and what an allocator holds on to.
    const SLACK_KIB: u64 = 48 << 10;
    let recordings = support::scratch();
    let file = support::text_of(&recordings.path().join("soak.pcapng"));
    let ring = ["-w", &file, "--ring", "4", "--ring-size", "16MB"];
    let mut proxy = Running::jsonl(peer::serve(), &ring);
    let stop = Arc::new(AtomicBool::new(false));
    let load = Load { port: proxy.port, stop: stop.clone() };
    let workers = [
        load.start(8, move |load, seed| load.churn(seed, CHURN_PER_MINUTE / 8)),
        load.start(4, Load::bulk),
        load.start(8, Load::slow_reader),
        load.start(8, Load::stuck_upstream),
        load.start(16, Load::says_nothing),
        load.start(4, Load::resets),
    ];
    let (began, mut memory) = (Instant::now(), Vec::new());
    for share in [0.1, 0.5, 1.0] {
        thread::sleep(lasts.mul_f64(share).saturating_sub(began.elapsed()));
        memory.push(proxy.memory());
    }
    stop.store(true, Ordering::Relaxed);
    let mut tally = Tally::default();
    for worker in workers.into_iter().flatten() {
        match worker.join() {
            Ok(done) => tally.add(done),
            Err(_) => tally.wrong += 1,
        }
    }
    let code = proxy.interrupt();
    let recorded = size_of(recordings.path());
    let [start, middle, end] = memory[..] else { return false };
    println!(
        "{} connections, {} streams of {} MiB digested at both ends, {} wrong, in {:.0} s",
        tally.connections,
        tally.streams,
        tally.bytes >> 20,
        tally.wrong,
        began.elapsed().as_secs_f64()
    );
    println!(
        "resident memory: {start} KiB at the start, {middle} in the middle, {end} at the end; exit code {code}"
    );
    println!("recordings: {recorded} KiB in a ring of four files of 16 MB");
    let bounded = end <= middle + middle / 10 + SLACK_KIB;
    if !bounded {
        println!("FAILED memory grew");
    }
    // 0, 3 and 4 say what became of the connections; anything else, of the relay.
    let recorded = (1..=80 << 10).contains(&recorded);
    tally.wrong == 0 && tally.streams > 0 && bounded && recorded && [0, 3, 4].contains(&code)
}

/// The size of a folder's files in KiB.
fn size_of(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    files.map(|file| file.len()).sum::<u64>() >> 10
}
