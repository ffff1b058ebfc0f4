//! The truth laboratory: every cause made for real between real peers in network namespaces, and
//! the program asked at each vantage what it was.
//!
//! `cargo test --test lab` runs the smoke subset of the training half; `-- --full` runs every recipe and both
//! halves and writes `RESULTS.md`; `-- --help` lists the other arguments. `recipe.rs` says how to add a recipe.

#[path = "../support/mod.rs"]
#[allow(dead_code)] // the other half of it serves the integration tests
mod support;

mod arguments;
mod beside;
mod boxes;
mod calibrate;
mod capture;
mod citations;
mod conditions;
mod degrade;
mod draw;
mod judge;
mod keep;
mod look;
mod peers;
mod programs;
mod recipe;
mod recipes;
mod relay;
mod report;
mod results;
mod run;
mod selftest;
mod stage;
mod topology;
mod truth;

use arguments::Arguments;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(2);
        }
    };
    let wrong_figures = check_figures();
    let mut done = run::Done::default();
    let mut beside = None;
    if able() {
        topology::sweep();
        done = run::run(&arguments);
        println!("{}", report::summary(&done.samples));
        if arguments.recipes.is_empty() {
            let ran = std::panic::catch_unwind(|| beside::two_runs(&arguments.program)).is_ok();
            println!("{} two runs side by side", if ran { "ok    " } else { "FAILED" });
            beside = Some(ran);
        }
    }
    if arguments.is_whole() && !done.samples.is_empty() {
        write(&done);
    }
    if let Some(folder) = &arguments.keep {
        std::fs::write(folder.join("RESULTS.md"), report::markdown(&done)).unwrap();
    }
    let (met, apart) = (usize::from(beside == Some(true)), usize::from(beside == Some(false)));
    let failed = done.failed + done.broken + wrong_figures + apart;
    // A run without its peer has said so and counts as in every other test.
    let passed = done.passed + done.skipped + selftest::CHECKS.len() - wrong_figures + met;
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    ExitCode::from(u8::from(failed > 0))
}

/// Computes figures of samples made by hand; how many are not as they should be.
fn check_figures() -> usize {
    let fails = |(name, check): &&(&str, fn())| {
        let failed = std::panic::catch_unwind(check).is_err();
        println!("{} own figures: {name}", if failed { "FAILED" } else { "ok    " });
        failed
    };
    selftest::CHECKS.iter().filter(fails).count()
}

/// Writes the report, what confidences are calibrated from, and the tables of the program.
fn write(done: &run::Done) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab");
    std::fs::write(folder.join("RESULTS.md"), report::markdown(done)).unwrap();
    let training = serde_json::to_string_pretty(&calibrate::training(&done.samples)).unwrap();
    std::fs::write(folder.join("training.json"), training + "\n").unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("analyzer/src");
    let worth = calibrate::Worth::fitted(&done.samples);
    std::fs::write(source.join("calibration.tsv"), worth.table()).unwrap();
    std::fs::write(source.join("measured.tsv"), report::measured(&done.samples)).unwrap();
}

/// Whether the laboratory can stand here; a skip where it cannot.
fn able() -> bool {
    let programs = ["ip", "nft", "nsenter", "setpriv", "ethtool", "dumpcap", "Xvfb", "cc"];
    if programs.iter().any(|program| support::need(program).is_none()) {
        return false;
    }
    match topology::possible() {
        Ok(()) => true,
        Err(reason) => {
            support::skip(&format!("no network namespaces here: {}", reason.trim()));
            false
        }
    }
}
