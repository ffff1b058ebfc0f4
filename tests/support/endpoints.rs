//! Things that answer on a port and are no RDP server.

use super::process::{Process, command};
use super::{certs, free_port, listens, need, text_of, wait_until};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Something that listens on `port` at 127.0.0.1 until it is dropped.
pub struct Endpoint {
    /// The port.
    pub port: u16,
    _process: Process,
    _scratch: tempfile::TempDir,
}

/// OpenSSL's own TLS server, which expects TLS from the first byte.
pub fn openssl_server() -> Option<Endpoint> {
    let program = need("openssl")?;
    let scratch = super::scratch();
    let own = certs::make(scratch.path(), certs::Kind::Good)?;
    let port = free_port();
    let mut command = command(&program);
    command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}")]);
    command.args(["-cert", &text_of(&own.certificate), "-key", &text_of(&own.key)]);
    Some(serve(command, port, scratch))
}

/// Python's HTTP server in an empty folder.
pub fn http_server() -> Option<Endpoint> {
    let program = need("python3")?;
    let scratch = super::scratch();
    let port = free_port();
    let mut command = command(&program);
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
    command.current_dir(scratch.path());
    Some(serve(command, port, scratch))
}

/// A scripted server: every connection is handed to these lines of shell, its input and output
/// being the connection.
pub fn scripted(lines: &str) -> Option<Endpoint> {
    let program = need("socat")?;
    let scratch = super::scratch();
    let script = scratch.path().join("connection.sh");
    std::fs::write(&script, lines).unwrap();
    let port = free_port();
    let mut command = command(&program);
    command.arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr"));
    command.arg(format!("EXEC:sh {}", text_of(&script)));
    Some(serve(command, port, scratch))
}

/// Starts the command and waits until the port is open.
fn serve(mut command: Command, port: u16, scratch: tempfile::TempDir) -> Endpoint {
    let log: &Path = &scratch.path().join("endpoint.log");
    let mut process = Process::start(&mut command, log);
    let up = wait_until(Duration::from_secs(20), || listens(port) || !process.runs());
    assert!(up && process.runs(), "{command:?} did not start: {}", process.output());
    Endpoint { port, _process: process, _scratch: scratch }
}

/// A TLS server made with rustls, which answers what is not TLS with an alert where OpenSSL's only
/// closes. It leaves the closing to the client.
pub struct AlertingServer {
    /// The port.
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl AlertingServer {
    /// Starts it.
    pub fn start() -> Option<Self> {
        let scratch = super::scratch();
        let own = certs::make(scratch.path(), certs::Kind::Good)?;
        let chain = vec![CertificateDer::from_pem_file(&own.certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(&own.key).unwrap();
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
        let config = Arc::new(config.unwrap());
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                // A client that goes away in the middle ends its connection, not the server.
                let _ = answer(stream, &config);
            }
        });
        Some(Self { port, stop, thread: Some(thread) })
    }
}

impl Drop for AlertingServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port)); // wakes the thread
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Speaks TLS with one connection until it fails, sends the alert, and waits for the end.
fn answer(mut stream: TcpStream, config: &Arc<ServerConfig>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut tls = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    while tls.read_tls(&mut stream)? > 0 {
        let failed = tls.process_new_packets().is_err();
        while tls.wants_write() {
            tls.write_tls(&mut stream)?;
        }
        if failed {
            break;
        }
    }
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(())
}
