//! The relay beside other relays, under the same loads, on this machine's loopback.
//!
//! ```text
//! cargo bench --bench relay -- [--rounds N] [--only bulk,interactive,churn,idle,record]
//!                              [--relays rdpwhy,haproxy,...] [--write] [--smoke]
//! ```
//! Relays take turns within a round, and ratios are taken round by round: this machine's load changes,
//! and hits neighbours alike. CPU time is exact (`schedstat`) and covers the relay's processes; the work
//! that loopback does inside the sender's system call is the sender's. Wall-clock columns depend on
//! whatever else runs here. `--write` puts the tables into benches/RESULTS.md. `--smoke` asks only
//! whether all bytes arrive; so does `cargo test --bench relay`.

#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod peers;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
#[path = "../support/rdp.rs"]
mod rdp;
#[cfg(target_os = "linux")]
mod rounds;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    match options::Options::read() {
        Ok(options) => rounds::run(&options),
        Err(wrong) => {
            eprintln!("{wrong}");
            std::process::ExitCode::from(2)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: what a relay costs is read from Linux's /proc");
}
