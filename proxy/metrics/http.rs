//! As much of HTTP/1.1 as a scraper needs (RFC 9112): one request per connection, answered and closed.
//! Requests are bounded in size and time, connections in number.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::measures::Measures;
use crate::relay::Guard;

/// Type of the text exposition format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bytes of a request: line and fields.
const LARGEST: usize = 8 << 10;
/// From the connection's beginning to its end.
const LONGEST: Duration = Duration::from_secs(5);
/// Rest after an accept that failed.
const REST: Duration = Duration::from_millis(100);

/// Serves the measures until the program ends, to those that the guard admits, at most so many at once.
pub async fn serve(listener: TcpListener, measures: Measures, guard: Guard, at_once: usize) {
    let free = Arc::new(Semaphore::new(at_once));
    loop {
        // Those beyond wait in the kernel's queue.
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(REST).await;
            continue;
        };
        if !guard.admits(peer.ip()) {
            continue;
        }
        let measures = measures.clone();
        tokio::spawn(async move {
            if let Ok(Err(error)) = timeout(LONGEST, exchange(stream, &measures)).await {
                tracing::debug!("a request for metrics broke off: {error}");
            }
            drop(permit);
        });
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
        true => answer(&request, || measures.text()),
        false => refusal("431 Request Header Fields Too Large", ""),
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // Unread bytes would turn the close into a reset, and the answer might be lost with it.
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// The answer to a request, by its first line.
fn answer(request: &[u8], measures: impl Fn() -> String) -> String {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<&str> = std::str::from_utf8(line).unwrap_or_default().split(' ').collect();
    let [method, target, version] = words[..] else { return refusal("400 Bad Request", "") };
    if !version.starts_with("HTTP/1.") {
        return refusal("505 HTTP Version Not Supported", "");
    }
    let path = target.split('?').next().unwrap_or_default();
    match (method, path) {
        ("GET", "/metrics") => found(&measures(), true),
        ("HEAD", "/metrics") => found(&measures(), false),
        (_, "/metrics") => refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n"),
        _ => refusal("404 Not Found", ""),
    }
}

fn found(text: &str, with_body: bool) -> String {
    let body = if with_body { text } else { "" };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        text.len()
    )
}

fn refusal(status: &str, field: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{field}Content-Length: 0\r\nConnection: close\r\n\r\n")
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
            answer(request.as_bytes(), || "m 1\n".into()).split(' ').nth(1).unwrap().to_owned()
        };
        assert_eq!(status("GET /metrics HTTP/1.1"), "200");
        assert_eq!(status("GET /metrics?a=b HTTP/1.0"), "200");
        assert_eq!(status("POST /metrics HTTP/1.1"), "405");
        assert_eq!(status("GET / HTTP/1.1"), "404");
        assert_eq!(status("GET /metrics HTTP/2.0"), "505");
        for line in ["", "GET /metrics", "\u{16}\u{3}\u{1}"] {
            assert_eq!(status(line), "400", "{line:?}");
        }
        let head = answer(b"HEAD /metrics HTTP/1.1\r\n\r\n", || "m 1\n".into());
        assert!(head.contains("Content-Length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
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
    async fn a_connection_that_ends_gives_its_place_to_the_next() {
        let address = endpoint(1).await;
        let silent = TcpStream::connect(address).await.unwrap();
        let next =
            tokio::spawn(async move { ask(address, b"GET /metrics HTTP/1.1\r\n\r\n").await });
        drop(silent);
        let answer = next.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("rdpwhy_open_sessions 0\n"), "{answer}");
    }
}
