//! HAProxy: the program whose PROXY protocol others speak, as an independent peer of it on both sides.

use super::process::{Process, command};
use super::{free_port, need, text_of};
use super::{listens, wait_until};
use std::time::Duration;

/// One of its listeners: what stands behind `bind` and behind `server`.
pub struct Section<'a> {
    /// Options of the listening port, such as `accept-proxy`.
    pub bind: &'a str,
    /// The port of its server at 127.0.0.1.
    pub server: u16,
    /// Options of the server, such as `send-proxy`.
    pub options: &'a str,
}

/// A running HAProxy.
pub struct Haproxy {
    /// Its listening port, at 127.0.0.1.
    pub port: u16,
    _process: Process,
    _scratch: tempfile::TempDir,
}

impl Haproxy {
    /// Starts it; `None` after a skip was noted.
    pub fn start(section: &Section) -> Option<Haproxy> {
        let program = need("haproxy")?;
        let (scratch, port) = (super::scratch(), free_port());
        let config = scratch.path().join("haproxy.cfg");
        let Section { bind, server, options } = section;
        let text = format!(
            "global\n nbthread 1\ndefaults\n mode tcp\n timeout connect 10s\n timeout client 1m\n \
             timeout server 1m\nlisten test\n bind 127.0.0.1:{port} {bind}\n \
             server upstream 127.0.0.1:{server} {options}\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = command(&program);
        command.args(["-db", "-f", &text_of(&config)]);
        let mut process = Process::start(&mut command, &scratch.path().join("haproxy.log"));
        let up = wait_until(Duration::from_secs(20), || listens(port) || !process.runs());
        assert!(up && process.runs(), "haproxy did not start: {}", process.output());
        Some(Haproxy { port, _process: process, _scratch: scratch })
    }
}
