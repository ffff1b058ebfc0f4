//! Sockets that a service manager passes, and the units that ask it to.

use crate::support::json::text;
use crate::support::running::{LONG, Running, says};
use crate::support::{find_program, lacking, need, scratch, text_of, wait_until};
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// A shell line that passes sockets to a program.
fn passing(names: &str, addresses: &str) -> Option<String> {
    let python = text_of(&need("python3")?);
    let script = text_of(&folder("tests/support/activate.py"));
    Some(format!("exec {python} {script} {names} {addresses} \"$@\""))
}

/// Runs to its end what can not start.
fn run(shell: &str, flags: &[&str]) -> Output {
    let program = ["-c", shell, "sh", env!("CARGO_BIN_EXE_rdpwhy"), "proxy"];
    Command::new("/bin/sh").args(program).args(flags).output().unwrap()
}

fn heard(port: u16) -> String {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn passed_sockets_are_listened_on_by_their_names() {
    let Some(shell) = passing("desk:lab", "127.0.0.1:0,127.0.0.1:0") else { return };
    let folder = scratch();
    let file = folder.path().join("rdpwhy.toml");
    let [desk, lab] = ["desk", "lab"].map(|name| format!("\"fd:{name}=127.0.0.1:{}\"", says(name)));
    std::fs::write(&file, format!("route = [{lab}, {desk}]\n")).unwrap();
    let flags = ["--config", &text_of(&file), "--format", "jsonl"];
    let mut relay = Running::launch(&flags, Some(&shell));
    let ports = relay.ports(2);
    assert_eq!(ports.iter().map(|port| heard(*port)).collect::<Vec<_>>(), ["lab", "desk"]);
    let objects = relay.wait_for(|objects| objects.len() == 2);
    let source = format!("127.0.0.1:{}", ports[0]);
    assert_eq!(objects.iter().filter(|one| text(one, "/source") == source).count(), 1);
    // A socket that was let go can be taken up again: the service manager keeps it.
    for (routes, done) in [(lab.clone(), 1), (format!("{lab}, {desk}"), 2)] {
        std::fs::write(&file, format!("route = [{routes}]\n")).unwrap();
        relay.process.signal("HUP");
        let read = || relay.process.output().matches("was read again").count() == done;
        assert!(wait_until(LONG, read), "{}", relay.process.output());
    }
    assert_eq!(heard(ports[1]), "desk");
    relay.interrupt();
}

#[test]
fn what_was_not_passed_so_is_said() {
    let Some(one) = passing("rdp", "127.0.0.1:0") else { return };
    let Some(open) = passing("rdp", "0.0.0.0:0") else { return };
    let Some(twins) = passing("rdp:rdp", "127.0.0.1:0,127.0.0.1:0") else { return };
    let elsewhere = format!("PASS_TO=1 {one}");
    let rdp = ["--upstream", "127.0.0.1:9", "--listen", "fd:rdp"];
    let other = ["--upstream", "127.0.0.1:9", "--listen", "fd:other"];
    let twice = ["--route", "fd:rdp=127.0.0.1:9", "--route", "fd:rdp=127.0.0.1:8"];
    let loopback = [&rdp[..], &["--allow-remote"]].concat();
    for (shell, flags, code, words) in [
        (&one, &other[..], 1, "of: rdp"),
        (&twins, &rdp, 1, "2 sockets of this name"),
        (&elsewhere, &rdp, 1, "another process"),
        (&"exec \"$@\"".to_owned(), &rdp, 1, "no socket was passed"),
        (&one, &twice, 2, "two routes listen on fd:rdp"),
        // The safety rules ask for the address of the socket.
        (&open, &rdp, 7, "0.0.0.0"),
        (&open, &loopback, 7, "--allow CIDR"),
    ] {
        let output = run(shell, flags);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{shell} {flags:?}: {said}");
        assert!(said.contains(words), "{shell} {flags:?}: {said}");
    }
}

#[test]
fn the_units_are_well_formed() {
    let Some(program) = find_program("systemd-analyze") else {
        return lacking("systemd-analyze is not installed");
    };
    let scratch = scratch();
    for unit in ["rdpwhy.service", "rdpwhy.socket"] {
        let text = std::fs::read_to_string(folder("proxy/systemd").join(unit)).unwrap();
        // The program that was just built; an installed one is not asked for.
        let text = text.replace("/usr/local/bin/rdpwhy", env!("CARGO_BIN_EXE_rdpwhy"));
        std::fs::write(scratch.path().join(unit), text).unwrap();
    }
    let units = ["rdpwhy.service", "rdpwhy.socket"].map(|unit| scratch.path().join(unit));
    let output = Command::new(program).arg("verify").args(&units).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Other units of the machine may have faults of their own.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("rdpwhy")).collect();
    assert!(ours.is_empty(), "{said}");
}
