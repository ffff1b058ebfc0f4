//! What a relay does when it is told to: routes that change while it runs, and ends that let sessions end.

use crate::support::json::{at, text};
use crate::support::running::{LONG, Running, echo, echoes, says, serve};
use crate::support::{free_port, listens, scratch, text_of, wait_until};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

/// A relay with a configuration file.
struct Configured {
    relay: Running,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Configured {
    fn start(text: &str) -> Configured {
        let folder = scratch();
        let file = folder.path().join("rdpwhy.toml");
        std::fs::write(&file, text).unwrap();
        let flags = ["--config", &text_of(&file), "--format", "jsonl"];
        let relay = Running::launch(&flags, None);
        Configured { relay, file, _folder: folder }
    }

    /// Writes the file anew and tells the relay; gives what it said to it, up to the word that ends it.
    fn reread(&mut self, text: &str, last: &str) -> String {
        std::fs::write(&self.file, text).unwrap();
        let before = self.relay.process.output().len();
        self.relay.process.signal("HUP");
        let said = |relay: &Running| relay.process.output()[before..].to_owned();
        assert!(wait_until(LONG, || said(&self.relay).contains(last)), "{}", said(&self.relay));
        said(&self.relay)
    }
}

const DONE: &str = "was read again";
const REFUSED: &str = "stays as it is";

fn route(listen: u16, server: u16) -> String {
    format!("\"127.0.0.1:{listen}=127.0.0.1:{server}\"")
}

/// What a server behind this port says, or that nobody listens.
fn heard(port: u16) -> Option<String> {
    let mut client = TcpStream::connect(("127.0.0.1", port)).ok()?;
    client.set_read_timeout(Some(LONG)).unwrap();
    let mut said = String::new();
    client.read_to_string(&mut said).unwrap();
    Some(said)
}

#[test]
fn routes_come_and_go_and_open_sessions_go_on() {
    let [first, second, third] = [free_port(), free_port(), free_port()];
    let (echoing, one, two) = (serve(echoes), says("one"), says("two"));
    let list = |routes: &[String]| format!("route = [{}]\n", routes.join(", "));
    let mut running = Configured::start(&list(&[route(first, echoing), route(second, one)]));
    let mut open = running.relay.connect_to(first);
    open.write_all(b"before").unwrap();
    open.read_exact(&mut [0; 6]).unwrap();
    assert_eq!(heard(second).as_deref(), Some("one"));
    // The first is gone, the second leads elsewhere, the third is new.
    let said = running.reread(&list(&[route(second, two), route(third, one)]), DONE);
    assert!(said.contains(&format!("no longer listening on 127.0.0.1:{first}")), "{said}");
    assert!(wait_until(LONG, || !listens(first)), "the first still listens");
    assert_eq!(heard(second).as_deref(), Some("two"));
    assert_eq!(heard(third).as_deref(), Some("one"));
    echo(open, 100_000);
    // And back again.
    running.reread(&list(&[route(first, two)]), DONE);
    assert_eq!(heard(first).as_deref(), Some("two"));
    let objects = running.relay.wait_for(|objects| objects.len() == 5);
    let old = objects.iter().filter(|one| text(one, "/server").ends_with(&format!(":{echoing}")));
    let sent: Vec<_> = old.map(|one| at(one, "/ended/after_bytes/to_server").clone()).collect();
    assert_eq!(sent, [100_006], "{objects:#?}");
    running.relay.interrupt();
}

#[test]
fn a_file_with_a_mistake_changes_nothing_and_says_so() {
    let (kept, new, one) = (free_port(), free_port(), says("one"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = taken.local_addr().unwrap().port();
    let mut running = Configured::start(&format!("route = [{}]\n", route(kept, one)));
    let new_one = route(new, one);
    for (text, words) in [
        (format!("route = [{new_one}]\nroutes = 1\n"), "rdpwhy.toml:2: unknown key"),
        (format!("route = [{new_one}\n"), "rdpwhy.toml:"),
        (format!("route = [{new_one}, {}]\n", route(in_use, one)), "can not listen on"),
        (format!("route = [{new_one}, {new_one}]\n"), "two routes listen"),
        // The safety rules hold as they did at the start.
        (format!("route = [{new_one}, \"0.0.0.0:0=127.0.0.1:9\"]\n"), "refused: 0.0.0.0:0"),
        (
            format!("route = [{new_one}, \"0.0.0.0:0=127.0.0.1:9\"]\nallow-remote = true\n"),
            "refused: 0.0.0.0:0",
        ),
        (format!("route = [\"127.0.0.1:{new}=localhost:{new}\"]\n"), "refused: localhost"),
        (String::new(), "no server is named"),
    ] {
        let said = running.reread(&text, REFUSED);
        assert!(said.contains(words), "{text}: {said}");
        assert_eq!(heard(new), None, "{text}");
        assert_eq!(heard(kept).as_deref(), Some("one"), "{text}");
    }
    // What only a start can change is named, as long as it differs from the start.
    let text = format!("route = [{new_one}]\nmax-sessions = 5\ndrain = \"1h\"\n");
    for _ in 0..2 {
        let said = running.reread(&text, DONE);
        let late = said.lines().find(|line| line.contains("next start")).unwrap_or_default();
        assert!(late.ends_with(": max-sessions"), "{said}");
    }
    assert_eq!(heard(new).as_deref(), Some("one"));
    running.relay.interrupt();
}

/// A relay with one session that has passed some bytes.
fn with_a_session(drain: &str) -> (Running, TcpStream) {
    let relay = Running::jsonl(serve(echoes), &["--drain", drain]);
    let mut client = relay.connect();
    client.write_all(b"before").unwrap();
    client.read_exact(&mut [0; 6]).unwrap();
    (relay, client)
}

fn told_to_end(relay: &mut Running) {
    relay.process.signal("TERM");
    let said = |relay: &Running| relay.process.output().contains("told to end");
    assert!(wait_until(LONG, || said(relay)), "{}", relay.process.output());
}

#[test]
fn told_to_end_it_serves_nobody_new_and_lets_sessions_end() {
    let (mut relay, client) = with_a_session("1h");
    told_to_end(&mut relay);
    assert!(wait_until(LONG, || !listens(relay.port)), "it still listens");
    assert!(relay.process.runs() && relay.objects().is_empty());
    echo(client, 200_000);
    assert_eq!(relay.code(), 0);
    let objects = relay.objects();
    assert_eq!(objects.len(), 1);
    assert_eq!(text(&objects[0], "/ended/how"), "fin", "{:#}", objects[0]);
    assert_eq!(at(&objects[0], "/ended/after_bytes/to_server"), 200_006);
}

#[test]
fn sessions_that_do_not_end_in_time_are_ended() {
    let (mut relay, mut client) = with_a_session("300ms");
    told_to_end(&mut relay);
    relay.code();
    let objects = relay.objects();
    assert_eq!(objects.len(), 1);
    assert_eq!(text(&objects[0], "/ended/how"), "open", "{:#}", objects[0]);
    assert!(!client.read(&mut [0; 1]).is_ok_and(|read| read > 0));
}

#[test]
fn a_second_signal_ends_at_once() {
    for second in ["TERM", "INT"] {
        let (mut relay, _client) = with_a_session("1h");
        told_to_end(&mut relay);
        relay.process.signal(second);
        relay.code();
        assert_eq!(relay.objects().len(), 1, "what was open is reported");
    }
}
