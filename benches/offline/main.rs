//! The analysis of a capture beside other programs, on a file of thousands of interleaved RDP connections.
//!
//! ```text
//! cargo bench --bench offline -- [--rounds N] [--size MIB] [--write] [--smoke]
//! ```
//! Programs take turns within a round, and ratios are taken round by round. CPU is user and system time of
//! the program and whatever it starts (`getrusage` of a process that starts nothing else), memory its
//! largest resident set. The file is read from the page cache. `--write` puts the tables into
//! benches/OFFLINE.md. `--smoke` asks only whether every connection is reported; so does
//! `cargo test --bench offline`.

#[cfg(target_os = "linux")]
#[path = "../support/capture.rs"]
mod capture;
#[cfg(target_os = "linux")]
mod measure;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
#[path = "../support/rdp.rs"]
mod rdp;
#[cfg(target_os = "linux")]
mod rounds;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The processes that the bench starts of itself.
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [measure::COMMAND, command @ ..] => return measure::child(command),
        [programs::READ, file] => return programs::read(file),
        _ => {}
    }
    match rounds::Options::of(&arguments) {
        Ok(options) => rounds::run(&options),
        Err(wrong) => {
            eprintln!("{wrong}");
            std::process::ExitCode::from(2)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: what other programs cost is asked of Linux");
}
