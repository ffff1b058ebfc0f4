//! Many files in one run of `rdpwhy analyze`: the order of their results, rotations, and the progress line.

use crate::corpus::folder;
use crate::support::clients::Client;
use crate::support::process::{Process, command};
use crate::support::running::LONG;
use crate::support::xrdp::{SOUND, Xrdp};
use crate::support::{need, scratch, skip, text_of, wait_until};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

/// Runs `rdpwhy analyze --format jsonl` with the samples' folder as its own, so that names are short.
fn analyze(arguments: &[&str]) -> Output {
    let home = scratch();
    let mut command = command(Path::new(env!("CARGO_BIN_EXE_rdpwhy")));
    command.args(["analyze", "--format", "jsonl", "--show-identities"]).args(arguments);
    command.env("XDG_CONFIG_HOME", home.path()).current_dir(folder()).stdin(Stdio::null());
    command.output().unwrap()
}

/// What it said of each connection, without packet numbers and times.
fn verdicts(output: &Output) -> Vec<serde_json::Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let objects = crate::support::json::lines(&text).into_iter();
    objects.map(|object| serde_json::json!([object["verdict"], object["causes"]])).collect()
}

fn samples() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.contains(".pcap"));
    // Not in the order of their names: it is the order in which they are given that counts.
    names.sort_by_key(|name| name.bytes().rev().collect::<Vec<u8>>());
    assert!(names.len() > 30);
    names
}

#[test]
fn the_results_of_many_files_are_those_of_each_in_turn() {
    let names = samples();
    let mut given: Vec<&str> = names.iter().map(String::as_str).collect();
    given.insert(3, "README.md");
    let mut one_by_one = Vec::new();
    for name in &given {
        one_by_one.extend(analyze(&[name]).stdout);
    }
    assert!(one_by_one.len() > 10_000);
    for jobs in ["1", "2", "7", "100"] {
        let output = analyze(&[&["--jobs", jobs], given.as_slice()].concat());
        assert_eq!(output.status.code(), Some(1), "README.md is no capture");
        assert!(output.stdout == one_by_one, "--jobs {jobs}: other results, or another order");
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().collect();
        assert!(matches!(lines[..], [line] if line.starts_with("rdpwhy: README.md: ")), "{said}");
    }
}

#[test]
fn no_jobs_are_a_usage_error() {
    assert_eq!(analyze(&["--jobs", "0", "http.pcap"]).status.code(), Some(2));
}

#[test]
fn what_editcap_cut_is_judged_as_a_whole() {
    let Some(editcap) = need("editcap") else { return };
    for sample in ["session-tls12.pcap", "wrong-password.pcap", "data-dropped.pcap"] {
        let cut = scratch();
        let mut editcap = command(&editcap);
        editcap.args(["-c", "15"]).arg(folder().join(sample)).arg(cut.path().join("case.pcapng"));
        assert!(editcap.output().unwrap().status.success());
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(cut.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() > 1, "{sample}: {files:?}");
        files.sort();
        files.reverse();
        let names: Vec<String> = files.iter().map(|path| text_of(path)).collect();
        let output = analyze(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let whole = verdicts(&analyze(&[sample]));
        assert!(!whole.is_empty());
        assert_eq!(verdicts(&output), whole, "{sample}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("are read as one capture"), "{said}");
    }
}

#[test]
fn what_dumpcap_and_tcpdump_rotate_is_judged_as_a_whole() {
    let programs = ["dumpcap", "tcpdump"].map(need);
    let [Some(dumpcap), Some(tcpdump)] = programs else { return };
    let Some(server) = Xrdp::start(SOUND) else { return };
    let captured = scratch();
    let file = |name: &str| text_of(&captured.path().join(name));
    let filter = format!("tcp port {}", server.port);
    let begin = |program: &Path, arguments: &[&str], says: &str| {
        let mut command = command(program);
        command.args(["-i", "lo"]).args(arguments).current_dir(captured.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut process =
            Process::start(&mut command, &captured.path().join(format!("{says}.log")));
        let ready = wait_until(LONG, || process.output().contains(says) || !process.runs());
        (ready && process.runs()).then_some(process)
    };
    let captures = [
        begin(&dumpcap, &["-q", "-f", &filter, "-w", &file("whole.pcapng")], "File:"),
        begin(
            &dumpcap,
            &["-q", "-f", &filter, "-b", "packets:9", "-w", &file("ring.pcapng")],
            "ring",
        ),
        // It would give up the right to write into this folder.
        begin(&tcpdump, &["-Z", "root", "-G", "1", "-w", "turn-%s.pcap", &filter], "listening on"),
    ];
    let [Some(mut whole), Some(mut ring), Some(mut turns)] = captures else {
        return skip("nothing can be captured here");
    };
    let arguments = ["/u:lab", "/p:lab", "/cert:ignore"];
    let Some(_) = Client::Xfreerdp.run(server.port, &arguments, Duration::from_secs(5)) else {
        return;
    };
    // What is still on its way from the kernel.
    std::thread::sleep(Duration::from_millis(1500));
    for capture in [&mut whole, &mut ring, &mut turns] {
        capture.signal("INT");
        assert!(capture.wait(LONG).is_some(), "{}", capture.output());
    }
    let rotated = |begins: &str| {
        let files = std::fs::read_dir(captured.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> = files.map(|path| text_of(&path)).collect();
        names.retain(|name| name.contains(begins) && name.contains(".pcap"));
        names.sort();
        names.reverse();
        assert!(names.len() > 1, "{names:?}");
        names
    };
    let whole = verdicts(&analyze(&[&file("whole.pcapng")]));
    assert_eq!(whole.len(), 1, "{whole:?}");
    for begins in ["/ring_", "/turn-"] {
        let names = rotated(begins);
        let output = analyze(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(verdicts(&output), whole, "{begins}");
    }
}

#[test]
fn only_a_terminal_sees_how_far_it_is() {
    let quiet = analyze(&["session-tls12.pcap"]);
    assert_eq!(String::from_utf8_lossy(&quiet.stderr), "");
    let Some(script) = need("script") else { return };
    let run = |input: &str| {
        // `script` gives the command a terminal and copies what goes there to its own output.
        let home = scratch();
        let program = env!("CARGO_BIN_EXE_rdpwhy");
        let (result, words) = (home.path().join("result"), format!("{input} --jobs 1"));
        let line = format!("{program} analyze --format jsonl -o {} {words}", text_of(&result));
        let mut command = command(&script);
        command.args(["-qec", &line, "/dev/null"]).current_dir(folder()).stdin(Stdio::null());
        command.env("XDG_CONFIG_HOME", home.path()).env("TERM", "xterm");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shown = run("session-tls12.pcap");
    assert!(shown.contains("left") && shown.contains(" of "), "{shown:?}");
    assert_eq!(run("- < session-tls12.pcap"), "");
}
