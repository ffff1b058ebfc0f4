//! What one run of a program costs.

use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

/// The argument by which the bench starts itself between it and a program.
pub const COMMAND: &str = "--measure";

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// User and system time in seconds.
    pub cpu: f64,
    /// Seconds by the wall clock.
    pub wall: f64,
    /// Largest resident set in KiB.
    pub resident: i64,
}

/// Runs a program to its end. Its exit codes above `most` are failures.
pub fn run(command: &[String], most: i32) -> Result<Sample, String> {
    let myself = std::env::current_exe().map_err(|error| error.to_string())?;
    let ran = Command::new(myself).arg(COMMAND).args(command).output();
    let ran = ran.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let fields: Vec<f64> = text.split_whitespace().filter_map(|f| f.parse().ok()).collect();
    let [code, cpu, wall, resident] = fields.as_slice() else {
        return Err(format!("no figures: {text}{}", String::from_utf8_lossy(&ran.stderr)));
    };
    if *code < 0.0 || *code > f64::from(most) {
        return Err(format!("exit code {code}: {}", String::from_utf8_lossy(&ran.stderr)));
    }
    Ok(Sample { cpu: *cpu, wall: *wall, resident: *resident as i64 })
}

/// Between the bench and a program: starts nothing else, so that what its children used is the program's.
pub fn child(command: &[&str]) -> ExitCode {
    let Some((program, arguments)) = command.split_first() else { return ExitCode::FAILURE };
    let began = Instant::now();
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status();
    let wall = began.elapsed().as_secs_f64();
    match (status, getrusage(UsageWho::RUSAGE_CHILDREN)) {
        (Ok(status), Ok(used)) => {
            let seconds =
                |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
            let cpu = seconds(used.user_time()) + seconds(used.system_time());
            let code = status.code().unwrap_or(-1);
            println!("{code} {cpu} {wall} {}", used.max_rss());
            ExitCode::SUCCESS
        }
        (Err(error), _) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
        (_, Err(error)) => {
            eprintln!("getrusage: {error}");
            ExitCode::FAILURE
        }
    }
}
