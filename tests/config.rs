//! The configuration file: what it can say, who wins, what is said about its mistakes.

use crate::support::json::text;
use crate::support::running::{Running, says};
use crate::support::{scratch, text_of};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn proxy(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdpwhy"));
    command.arg("proxy").args(arguments).output().unwrap()
}

fn written(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("rdpwhy.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Every kind of value: texts, numbers, lists, switches.
const ALL: &str = r#"
upstream = "srv07:3390"
listen = "127.0.0.1:14000"
route = ["127.0.0.1:14001=srv08", "[::1]:14002=[2001:db8::9]:3390"]
allow-remote = true
allow = ["10.0.0.0/8", "fd00::/8"]
once = false
max-sessions = 50
connect-timeout = "1.5s"
handshake-timeout = 20
write = "a \"quoted\" name.pcapng"
payload = "full"
ring = 3
ring-size = "64MiB"
send-proxy-protocol = "v2"
format = "jsonl"
verbose = 1
"#;

#[test]
fn what_is_dumped_and_read_again_is_dumped_the_same() {
    let folder = scratch();
    let file = text_of(&written(folder.path(), ALL));
    let first = proxy(&["--config", &file, "--dump-config"]);
    assert!(first.status.success(), "{}", err(&first));
    let dumped = out(&first);
    for line in [
        "upstream = \"srv07:3390\"",
        "max-sessions = 50",
        "allow-remote = true",
        "ring-size = \"64MiB\"",
        "verbose = 1",
        "# rst-immune = false",
        "# record-policy = \"drop\"",
    ] {
        assert!(dumped.lines().any(|found| found == line), "{line} is not in\n{dumped}");
    }
    assert!(dumped.contains("quoted"), "{dumped}");
    let file = text_of(&written(folder.path(), &dumped));
    let again = proxy(&["--config", &file, "--dump-config"]);
    assert_eq!(out(&again), dumped, "{}", err(&again));
}

#[test]
fn every_flag_can_stand_in_the_file() {
    let help = out(&proxy(&["--help"]));
    let folder = scratch();
    let flags = help.lines().filter_map(|line| {
        let rest = line.trim_start().split_once("--").filter(|(front, _)| front.len() <= 4)?.1;
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        Some(&rest[..end.unwrap_or(rest.len())])
    });
    let mut seen = 0;
    for flag in flags {
        let file = text_of(&written(folder.path(), &format!("{flag} = [[]]\n")));
        let said = err(&proxy(&["--config", &file]));
        let about_itself = ["config", "dump-config", "print-rules", "help"].contains(&flag);
        assert_eq!(said.contains("unknown key"), about_itself, "{flag}: {said}");
        seen += 1;
    }
    assert!(seen > 25, "{seen} flags in\n{help}");
}

#[test]
fn flags_win_over_the_file() {
    let folder = scratch();
    let file = text_of(&written(folder.path(), ALL));
    let flags = ["--max-sessions", "7", "--allow", "192.0.2.0/24", "--upstream=other"];
    let dumped = out(&proxy(&[&["--config", &file, "--dump-config"], &flags[..]].concat()));
    for line in ["max-sessions = 7", "allow = [\"192.0.2.0/24\"]", "upstream = \"other\""] {
        assert!(dumped.lines().any(|found| found == line), "{line} is not in\n{dumped}");
    }
    assert!(dumped.contains("payload = \"full\""), "{dumped}");
}

#[test]
fn a_mistake_is_named_with_its_file_and_line_and_what_to_do() {
    let folder = scratch();
    for (text, line, words) in [
        ("upstream = \"h\"\n\nmax-session = 5\n", 3, "write `max-sessions`"),
        ("max_sessions = 5\n", 1, "write `max-sessions`"),
        ("upstream = \"h\"\ncolour = \"red\"\n", 2, "--help"),
        ("config = \"other.toml\"\n", 1, "unknown key"),
        ("upstream = h\n", 1, "quoted"),
        ("upstream = \"h\"\nupstream = \"i\"\n", 2, "duplicate"),
        ("# all\nmax-sessions = \"many\"\n", 2, "--max-sessions"),
        ("\n\npayload = \"some\"\nwrite = \"x\"\n", 3, "handshake"),
        ("once = \"yes\"\n", 1, "true or false"),
        ("upstream = [\"h\"]\n", 1, "quotation marks"),
        ("route = [\"127.0.0.1:1=h\", \"127.0.0.1=h\"]\n", 1, "ADDR:PORT"),
        ("connect-timeout = 5 s\n", 1, "quoted"),
        ("[proxy]\nupstream = \"h\"\n", 1, "unknown key"),
    ] {
        let path = written(folder.path(), text);
        let output = proxy(&["--config", &text_of(&path)]);
        let said = err(&output);
        assert_eq!(output.status.code(), Some(2), "{text:?}: {said}");
        let place = format!("{}:{line}: ", path.display());
        assert!(said.contains(&place) && said.contains(words), "{text:?}: {said}");
    }
}

#[test]
fn what_keys_ask_of_each_other_holds_as_between_flags() {
    let folder = scratch();
    let code = |text: &str, flags: &[&str]| {
        let file = text_of(&written(folder.path(), text));
        let output = proxy(&[&["--config", &file, "--dump-config"], flags].concat());
        (output.status.code(), err(&output))
    };
    let (refused, said) = code("upstream = \"h\"\npayload = \"full\"\n", &[]);
    assert_eq!(refused, Some(2), "{said}");
    assert!(said.contains("--write") && said.contains("rdpwhy.toml"), "{said}");
    // One may have what the other asks for, either way.
    assert_eq!(code("upstream = \"h\"\npayload = \"full\"\n", &["-w", "x"]).0, Some(0));
    assert_eq!(code("upstream = \"h\"\nwrite = \"x\"\n", &["--payload", "full"]).0, Some(0));
    let output = proxy(&["--config", &text_of(&folder.path().join("none.toml"))]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("none.toml: can not be read"), "{}", err(&output));
    let empty = text_of(&written(folder.path(), ""));
    let output = proxy(&["--config", &empty]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("--upstream"), "{}", err(&output));
}

#[test]
fn what_others_could_reach_is_refused_from_a_file_too() {
    let folder = scratch();
    for text in [
        "upstream = \"127.0.0.1:9\"\nlisten = \"0.0.0.0:0\"\n",
        "route = [\"127.0.0.1:0=127.0.0.1:9\", \"0.0.0.0:0=127.0.0.1:9\"]\n",
        "route = [\"[::]:0=127.0.0.1:9\"]\nallow-remote = true\n",
        "route = [\"[::]:0=127.0.0.1:9\"]\nallow = [\"10.0.0.0/8\"]\n",
        "transparent = \"tproxy\"\n",
        "upstream = \"127.0.0.1:13389\"\n",
    ] {
        let output = proxy(&["--config", &text_of(&written(folder.path(), text))]);
        assert_eq!(output.status.code(), Some(7), "{text}: {}", err(&output));
    }
}

#[test]
fn a_relay_of_a_file_relays() {
    let folder = scratch();
    let servers = ["one", "two"].map(says);
    let said = format!(
        "upstream = \"127.0.0.1:{}\"\nlisten = \"127.0.0.1:0\"\n\
         route = [\"127.0.0.1:0=127.0.0.1:{}\"]\nformat = \"jsonl\"\n",
        servers[0], servers[1]
    );
    let file = text_of(&written(folder.path(), &said));
    let mut relay = Running::launch(&["--config", &file], None);
    for (port, name) in relay.ports(2).into_iter().zip(["one", "two"]) {
        let mut said = String::new();
        relay.connect_to(port).read_to_string(&mut said).unwrap();
        assert_eq!(said, name);
    }
    let objects = relay.wait_for(|objects| objects.len() == 2);
    for port in relay.ports(2) {
        let source = format!("127.0.0.1:{port}");
        let named = objects.iter().filter(|object| text(object, "/source") == source);
        assert_eq!(named.count(), 1, "{objects:#?}");
    }
    relay.interrupt();
}
