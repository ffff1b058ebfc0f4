//! Real RDP clients, each run to its end or to a deadline, with a home of its own.

use super::display::Display;
use super::place::Place;
use super::process::{Process, command_in};
use super::{freerdp3_env, need, need_freerdp3, text_of};
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// FreeRDP 2.
    Xfreerdp,
    /// FreeRDP 3.
    Xfreerdp3,
    /// rdesktop, which offers standard RDP security too.
    Rdesktop,
    /// X.224 in front of a TLS client program, for hellos that no RDP client can be told to send; see
    /// `tests/lab/programs/hello.py`.
    #[allow(dead_code, reason = "the laboratory's alone")]
    Hello,
}

/// How a client ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when it still ran at the deadline, as a good session does.
    pub code: Option<i32>,
    /// What it printed.
    pub output: String,
    /// How long it ran.
    pub took: Duration,
}

/// What the user of a client types at its first question, and after which time.
pub type Answer = (Duration, &'static str);

/// A client at work.
pub struct Running {
    /// The process.
    pub process: Process,
    started: Instant,
    _display: Option<Display>,
    _home: tempfile::TempDir,
}

impl Client {
    /// Runs the client against 127.0.0.1:`port` for at most `limit`.
    pub fn run(self, port: u16, arguments: &[&str], limit: Duration) -> Option<Ended> {
        let display = Display::start()?;
        let name = display.name.clone();
        let mut running = self.start(&Place::at_loopback(port), arguments, &name, None)?;
        running._display = Some(display);
        Some(running.finish(limit))
    }

    /// Starts the client against an address, in the network namespace of the place, on a display
    /// that is there already. Without an answer there is nobody to be asked.
    pub fn start(
        self,
        server: &Place,
        arguments: &[&str],
        display: &str,
        answer: Option<Answer>,
    ) -> Option<Running> {
        let program = match self {
            Self::Xfreerdp => need("xfreerdp")?,
            Self::Xfreerdp3 => need_freerdp3("xfreerdp3")?,
            Self::Rdesktop => need("rdesktop")?,
            Self::Hello => need("python3")?,
        };
        let home = super::scratch();
        let namespace = server.namespace.as_deref();
        let mut command = match &server.called {
            Some(called) => called.command(namespace, &program, home.path()),
            None => command_in(namespace, &program),
        };
        let name = server.called.as_ref().map(|called| called.name.clone());
        command.env("HOME", home.path()).env("DISPLAY", display).env("LC_ALL", "C");
        command.env("XDG_CONFIG_HOME", text_of(&home.path().join("config")));
        command.env_remove("XDG_RUNTIME_DIR");
        if self == Self::Xfreerdp3 {
            // Its clipboard mounts a file system that a killed client would leave behind.
            command.envs(freerdp3_env(home.path())).arg("-clipboard");
        }
        match self {
            Self::Xfreerdp | Self::Xfreerdp3 => {
                // FreeRDP 2 does not read a port behind an IPv6 address.
                let host = name.unwrap_or_else(|| match server.ip() {
                    IpAddr::V4(address) => address.to_string(),
                    IpAddr::V6(address) => format!("[{address}]"),
                });
                command.args([format!("/v:{host}"), format!("/port:{}", server.port())]);
                command.arg("/size:800x600").args(arguments);
            }
            Self::Hello => {
                let script =
                    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/programs/hello.py");
                command.args([text_of(&script), server.address.to_string()]).args(arguments);
            }
            Self::Rdesktop => {
                let address = server.address.to_string();
                let host = name.map_or(address, |name| format!("{name}:{}", server.port()));
                command.args(["-g", "800x600"]).args(arguments).arg(host);
            }
        }
        let log = home.path().join("client.log");
        let output = std::fs::File::create(&log).unwrap();
        command.stdin(if answer.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let started = Instant::now();
        let process = Process::spawn(&mut command, &log);
        let mut running = Running { process, started, _display: None, _home: home };
        if let Some((after, words)) = answer {
            running.answer(after, words);
        }
        Some(running)
    }
}

impl Running {
    /// Types these words after this time; nothing can be typed afterwards.
    fn answer(&mut self, after: Duration, words: &'static str) {
        let input = self.process.child().stdin.take();
        std::thread::spawn(move || {
            std::thread::sleep(after);
            // Its user need not be there any more.
            let _ = input.map(|mut input| input.write_all(words.as_bytes()));
        });
    }

    /// Waits for the end, at most until `limit` after the start, then ends it.
    pub fn finish(mut self, limit: Duration) -> Ended {
        let left = limit.saturating_sub(self.started.elapsed());
        let code = self.process.wait(left).and_then(|status| status.code());
        self.process.stop();
        Ended { code, output: self.process.output(), took: self.started.elapsed() }
    }
}

impl Drop for Running {
    /// Removes the shared memory that FreeRDP names by its process and leaves behind when it is killed.
    fn drop(&mut self) {
        self.process.stop();
        let name = format!("com.freerdp.xfreerdp.tsmf_{:016X}", self.process.child().id());
        let _ = std::fs::remove_file(Path::new("/dev/shm").join(name));
    }
}
