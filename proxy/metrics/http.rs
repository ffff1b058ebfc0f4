//! As much of HTTP/1.1 as a scraper needs (RFC 9112): one request per connection, answered and closed.
//! Requests are bounded in size and time, connections in number.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::{Format, native, text};
use crate::measures::Measures;
use crate::relay::Guard;

/// Bytes of a request: line and fields.
const LARGEST: usize = 8 << 10;
/// From the connection's beginning to its end.
const LONGEST: Duration = Duration::from_secs(5);
/// Rest after an accept that failed.
const REST: Duration = Duration::from_millis(100);

/// Serves the measures until the program ends, to those that the guard admits, at most so many at once: the oldest of
/// them makes room for who comes, for a scraper asks at once and those that say nothing would keep it out.
pub async fn serve(listener: TcpListener, measures: Measures, guard: Guard, at_once: usize) {
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        if !guard.admits(peer.ip()) {
            continue;
        }
        open.retain(|exchange| !exchange.is_finished());
        while open.len() >= at_once
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let measures = measures.clone();
        let exchange = tokio::spawn(async move {
            if let Ok(Err(error)) = timeout(LONGEST, exchange(stream, &measures)).await {
                tracing::debug!("a request for metrics broke off: {error}");
            }
        });
        open.push_back(exchange.abort_handle());
    }
}

async fn exchange(mut stream: TcpStream, measures: &Measures) -> std::io::Result<()> {
    let mut request = Vec::new();
    let whole = loop {
        if let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end <= LARGEST;
        }
        if request.len() > LARGEST {
            break false;
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    };
    let answer = match whole {
        true => answer(&request, |format| measures.exposed(format)),
        false => refusal("431 Request Header Fields Too Large", ""),
    };
    stream.write_all(&answer).await?;
    stream.shutdown().await?;
    // Unread bytes would turn the close into a reset, and the answer might be lost with it.
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// The answer to a request, by its first line and what it accepts.
fn answer(request: &[u8], measures: impl Fn(Format) -> Vec<u8>) -> Vec<u8> {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<&str> = std::str::from_utf8(line).unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else { return refusal("400 Bad Request", "") };
    if !version.starts_with("HTTP/1.") {
        return refusal("505 HTTP Version Not Supported", "");
    }
    let path = target.split('?').next().unwrap_or_default();
    match (method, path) {
        ("GET" | "HEAD", "/metrics") => {
            let format = accepted(request);
            found(&measures(format), format, method == "GET")
        }
        (_, "/metrics") => refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n"),
        _ => refusal("404 Not Found", ""),
    }
}

/// The format that a scraper likes best of those there are. It puts that first, and only one that wants native
/// histograms names protobuf before text.
fn accepted(request: &[u8]) -> Format {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let field = text.lines().find_map(|line| line.strip_prefix("accept:"));
    let first = field.into_iter().flat_map(|value| value.split(',')).find_map(|kind| {
        let kind = kind.trim();
        // RFC 9110 12.4.2: it is not acceptable.
        if kind
            .replace(' ', "")
            .split(';')
            .any(|part| ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains(&part))
        {
            return None;
        }
        if kind.starts_with("application/vnd.google.protobuf") {
            let known = !kind.contains("encoding=") || kind.contains("encoding=delimited");
            return known.then_some(Format::Protobuf);
        }
        kind.starts_with("text/").then_some(Format::Text)
    });
    first.unwrap_or(Format::Text)
}

fn found(measures: &[u8], format: Format, with_body: bool) -> Vec<u8> {
    let kind = match format {
        Format::Text => text::CONTENT_TYPE,
        Format::Protobuf => native::CONTENT_TYPE,
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        measures.len()
    );
    [head.as_bytes(), if with_body { measures } else { &[] }].concat()
}

fn refusal(status: &str, field: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{field}Content-Length: 0\r\nConnection: close\r\n\r\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::latency::Recording;
    use std::net::{Ipv4Addr, SocketAddr};

    #[test]
    fn the_first_line_decides() {
        let status = |line: &str| {
            let request = format!("{line}\r\nHost: here\r\n\r\n");
            let answer = answer(request.as_bytes(), |_| "m 1\n".into());
            String::from_utf8(answer).unwrap().split(' ').nth(1).unwrap().to_owned()
        };
        assert_eq!(status("GET /metrics HTTP/1.1"), "200");
        assert_eq!(status("GET /metrics?a=b HTTP/1.0"), "200");
        assert_eq!(status("POST /metrics HTTP/1.1"), "405");
        assert_eq!(status("GET / HTTP/1.1"), "404");
        assert_eq!(status("GET /metrics HTTP/2.0"), "505");
        for line in ["", "GET /metrics", "\u{16}\u{3}\u{1}"] {
            assert_eq!(status(line), "400", "{line:?}");
        }
        let head = answer(b"HEAD /metrics HTTP/1.1\r\n\r\n", |_| "m 1\n".into());
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains("Content-Length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[test]
    fn what_a_scraper_accepts_first_decides_the_format() {
        let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily";
        let openmetrics = "application/openmetrics-text;version=1.0.0";
        for (accept, format) in [
            (String::new(), Format::Text),
            ("*/*".into(), Format::Text),
            (format!("{openmetrics},text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), Format::Text),
            (format!("{protobuf};encoding=delimited,{openmetrics};q=0.6,*/*"), Format::Protobuf),
            (format!("text/plain,{protobuf};encoding=delimited;q=0.1"), Format::Text),
            (format!("{protobuf};encoding=text,text/plain;q=0.5"), Format::Text),
            (format!("{protobuf}; q=0, text/plain"), Format::Text),
        ] {
            let request = format!("GET /metrics HTTP/1.1\r\nACCEPT: {accept}\r\n\r\n");
            assert_eq!(accepted(request.as_bytes()), format, "{accept}");
        }
    }

    async fn endpoint(most: usize) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock = Clock::start();
        let recording = Recording::start(None, clock.now()).unwrap();
        let guard = Guard::new(Vec::new(), usize::MAX);
        tokio::spawn(serve(listener, Measures::new(recording, clock), guard, most));
        address
    }

    async fn ask(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_request_without_an_end_is_cut_short() {
        let address = endpoint(2).await;
        let answer = ask(address, &[b'a'; LARGEST + 1]).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    #[tokio::test]
    async fn those_that_say_nothing_keep_no_scraper_out() {
        let address = endpoint(4).await;
        let mut silent = Vec::new();
        for _ in 0..20 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let answer = ask(address, b"GET /metrics HTTP/1.1\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("rdpwhy_open_sessions 0\n"), "{answer}");
        drop(silent);
    }
}
