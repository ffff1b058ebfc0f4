//! The metrics endpoint of the proxy, asked as a scraper asks it.

use crate::support::{scratch, wait_until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A request for TLS; the answer that the server has no certificate. MS-RDPBCGR 2.2.1.1, 2.2.1.2.
const REQUEST: &[u8] = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x01\0\0\0";
const REFUSAL: &[u8] = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x03\0\0\0";

/// The proxy, ended with its test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn sessions_bytes_and_steps_are_served() {
    let home = scratch();
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = host.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        let (mut client, _) = host.accept().unwrap();
        client.read_exact(&mut [0; REQUEST.len()]).unwrap();
        client.write_all(REFUSAL).unwrap();
        let _ = client.read(&mut [0; 1]);
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdpwhy"));
    command.args(["proxy", "--upstream", &upstream, "--listen", "127.0.0.1:0"]);
    command.args(["--metrics", "127.0.0.1:0"]).env("HOME", home.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut proxy = Proxy(command.spawn().unwrap());
    let mut banner = BufReader::new(proxy.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut behind = |start: &str| {
        let line = banner.find_map(|line| line.strip_prefix(start).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no line begins with {start}"))
    };
    let relay = behind("listening on ");
    let address = behind("metrics at http://").trim_end_matches("/metrics").to_owned();

    let mut client = TcpStream::connect(relay).unwrap();
    client.write_all(REQUEST).unwrap();
    client.read_exact(&mut [0; REFUSAL.len()]).unwrap();
    let open = wait_until(Duration::from_secs(10), || {
        get(&address, "GET /metrics").contains("rdpwhy_open_sessions 1\n")
    });
    assert!(open, "{}", get(&address, "GET /metrics"));
    drop(client);
    serving.join().unwrap();
    let judged = "rdpwhy_sessions_total{outcome=\"failed\",what=\"ssl-cert-not-on-server\",cause=\"ssl-cert-not-on-server\"} 1\n";
    let mut answer = String::new();
    wait_until(Duration::from_secs(10), || {
        answer = get(&address, "GET /metrics");
        answer.contains("rdpwhy_open_sessions 0\n") && answer.contains("rdpwhy_sessions_total{")
    });
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for line in [
        judged,
        "rdpwhy_session_bytes_total{direction=\"to_server\"} 19\n",
        "rdpwhy_session_bytes_total{direction=\"to_client\"} 19\n",
        "rdpwhy_step_duration_seconds_count{step=\"x224\",leg=\"server\"} 1\n",
        "rdpwhy_step_duration_seconds_bucket{step=\"x224\",leg=\"server\",le=\"+Inf\"} 1\n",
    ] {
        assert!(answer.contains(line), "no {line} in\n{answer}");
    }
    assert!(get(&address, "GET /other").starts_with("HTTP/1.1 404 "));
}

#[test]
fn metrics_stay_on_this_machine_unless_opened() {
    let home = scratch();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdpwhy"));
    command.args(["proxy", "--upstream", "127.0.0.1:1", "--listen", "127.0.0.1:0"]);
    command.args(["--metrics", "0.0.0.0:0"]).env("HOME", home.path()).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--allow-remote"));
}
