//! `rdpwhy demo` as its users run it: it needs nothing, leaves nothing behind, and agrees with itself.

use crate::support::process::{Process, command};
use crate::support::{rdpwhy, scratch, text_of};
use std::path::Path;
use std::time::Duration;

/// The demonstration's own promise.
const LIMIT: Duration = Duration::from_secs(15);

/// Starts the demonstration with a home and a folder for temporary files of its own.
fn start(folder: &Path, arguments: &[&str]) -> Process {
    let temporary = folder.join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    let mut command = command(Path::new(env!("CARGO_BIN_EXE_rdpwhy")));
    command.arg("demo").args(arguments);
    command.env("HOME", folder).env("XDG_CONFIG_HOME", folder.join("config"));
    command.env("TMPDIR", &temporary);
    Process::start(&mut command, &folder.join("demo.log"))
}

/// Its exit code and all it printed.
fn end(mut process: Process) -> (Option<i32>, String) {
    let status = process.wait(LIMIT);
    (status.and_then(|status| status.code()), process.output())
}

fn names(folder: &Path) -> Vec<String> {
    let (code, list) = end(start(folder, &["--list"]));
    assert_eq!(code, Some(0), "{list}");
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    list.lines().filter_map(first).collect()
}

#[test]
fn two_demonstrations_side_by_side_agree_and_leave_nothing() {
    let (one, other, listed) = (scratch(), scratch(), scratch());
    let names = names(listed.path());
    assert!(names.len() >= 9, "{names:?}");
    let running = [start(one.path(), &[]), start(other.path(), &[])];
    for (process, folder) in running.into_iter().zip([&one, &other]) {
        let (code, text) = end(process);
        assert_eq!(code, Some(0), "{text}");
        let all = format!("agree for {0} of {0} scenes", names.len());
        assert!(text.contains(&all), "{text}");
        for name in &names {
            let heading = text.contains(&format!(" -- {name}: "));
            let row = text.lines().any(|line| line.starts_with(name) && line.ends_with("  yes"));
            assert!(heading && row, "{name}: {text}");
        }
        let left: Vec<_> = std::fs::read_dir(folder.path().join("tmp")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_kept_recording_is_analysed_as_any_other() {
    let folder = scratch();
    let recording = folder.path().join("kept.pcapng");
    let arguments = ["--keep", &text_of(&recording), "--format", "jsonl"];
    let (code, log) = end(start(folder.path(), &arguments));
    assert_eq!(code, Some(0), "{log}");
    let said = rdpwhy::analyze(&recording, folder.path());
    assert_eq!(said.objects.len(), names(folder.path()).len(), "{}", said.log);
    // Some failures stay open by intention, so the analysis ends as undecided.
    assert_eq!(said.code, Some(4), "{}", said.log);
    let established =
        said.objects.iter().filter(|object| object["outcome"].as_str() == Some("established"));
    assert_eq!(established.count(), 1);
}

#[test]
fn a_recording_that_can_not_be_written_ends_it() {
    let folder = scratch();
    let nowhere = text_of(&folder.path().join("missing").join("kept.pcapng"));
    let (code, log) = end(start(folder.path(), &["--keep", &nowhere]));
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("can not write"), "{log}");
}
