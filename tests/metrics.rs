//! The metrics endpoint of the proxy, asked as a scraper asks it.

use crate::support::{need, scratch, wait_until};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A request for TLS; the answer that the server has no certificate. MS-RDPBCGR 2.2.1.1, 2.2.1.2.
const REQUEST: &[u8] = b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x01\0\0\0";
const REFUSAL: &[u8] = b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x03\0\x08\0\x03\0\0\0";

/// A program, ended with its test.
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

/// A proxy that serves measures at the address, before and after a session whose server refuses TLS.
fn with_a_refused_session(home: &Path) -> (Proxy, String) {
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
    command.args(["--metrics", "127.0.0.1:0"]).env("HOME", home);
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
    let judged = wait_until(Duration::from_secs(10), || {
        let answer = get(&address, "GET /metrics");
        answer.contains("rdpwhy_open_sessions 0\n") && answer.contains("rdpwhy_sessions_total{")
    });
    assert!(judged, "{}", get(&address, "GET /metrics"));
    (proxy, address)
}

#[test]
fn sessions_bytes_and_steps_are_served() {
    let home = scratch();
    let (_proxy, address) = with_a_refused_session(home.path());
    let judged = "rdpwhy_sessions_total{outcome=\"failed\",what=\"ssl-cert-not-on-server\",cause=\"ssl-cert-not-on-server\"} 1\n";
    let answer = get(&address, "GET /metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for line in [
        judged,
        "rdpwhy_session_bytes_total{direction=\"to_server\"} 19\n",
        "rdpwhy_session_bytes_total{direction=\"to_client\"} 19\n",
        "rdpwhy_step_duration_seconds_count{step=\"x224\",leg=\"server\"} 1\n",
        "rdpwhy_step_duration_seconds_bucket{step=\"x224\",leg=\"server\",le=\"+Inf\"} 1\n",
        "rdpwhy_step_duration_seconds_count{step=\"relay\",leg=\"client\"} 1\n",
    ] {
        assert!(answer.contains(line), "no {line} in\n{answer}");
    }
    assert!(get(&address, "GET /other").starts_with("HTTP/1.1 404 "));
}

#[test]
fn prometheus_reads_native_histograms() {
    let Some(program) = need("prometheus") else { return };
    let home = scratch();
    let (_proxy, address) = with_a_refused_session(home.path());
    let configuration = home.path().join("prometheus.yml");
    let job = format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: rdpwhy\n    static_configs:\n      - targets: ['{address}']\n"
    );
    std::fs::write(&configuration, job).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = Command::new(program);
    command.arg("--config.file").arg(&configuration);
    command.arg("--storage.tsdb.path").arg(home.path().join("data"));
    command.args(["--web.listen-address", &port, "--enable-feature=native-histograms"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _prometheus = Proxy(command.spawn().unwrap());
    // Only a native histogram is known by the name alone, and to these functions.
    let ask = |function: &str| -> Option<f64> {
        let series = "rdpwhy_step_duration_seconds%7Bstep%3D%22x224%22%7D";
        let query = format!("GET /api/v1/query?query={function}{series})");
        let mut stream = TcpStream::connect(&port).ok()?;
        stream.write_all(format!("{query} HTTP/1.0\r\nHost: {port}\r\n\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let document: serde_json::Value =
            serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
        document.pointer("/data/result/0/value/1")?.as_str()?.parse().ok()
    };
    let scraped =
        wait_until(Duration::from_secs(90), || ask("histogram_count(").is_some_and(|n| n == 1.0));
    assert!(scraped, "Prometheus knows of no native histogram");
    let (sum, median) = (ask("histogram_sum(").unwrap(), ask("histogram_quantile(0.5,").unwrap());
    assert!((median / sum - 1.0).abs() < 0.1, "the one value is {sum}, the median {median}");
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
