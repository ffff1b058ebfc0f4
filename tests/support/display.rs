//! An X display in memory: the FreeRDP and rdesktop clients draw on one, the shadow server shows one.

use super::process::{Process, command};
use super::{need, wait_until};
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

/// A running Xvfb.
pub struct Display {
    /// Its name, for the environment variable `DISPLAY`.
    pub name: String,
    _server: Process,
    _scratch: tempfile::TempDir,
}

impl Display {
    /// Starts Xvfb on a display number it finds free by itself.
    pub fn start() -> Option<Self> {
        let scratch = super::scratch();
        let log = scratch.path().join("xvfb.log");
        let mut command = command(&need("Xvfb")?);
        // Without -noreset the server resets when its last client leaves, and the next client can
        // meet it in the middle of that.
        command.args(["-displayfd", "1", "-screen", "0", "1024x768x24", "-noreset"]);
        command.args(["-nolisten", "tcp"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut server = Process::spawn(&mut command, &log);
        let mut pipe = server.child().stdout.take().unwrap();
        let mut number = Vec::new();
        // Xvfb writes the number and a newline when it is ready, and closes the pipe.
        let ready = wait_until(Duration::from_secs(20), || {
            let mut byte = [0];
            match pipe.read(&mut byte) {
                Ok(1) if byte[0] != b'\n' => number.push(byte[0]),
                _ => return true,
            }
            false
        });
        let number = String::from_utf8_lossy(&number).into_owned();
        assert!(ready && !number.is_empty(), "Xvfb did not start: {}", server.output());
        Some(Self { name: format!(":{number}"), _server: server, _scratch: scratch })
    }
}
