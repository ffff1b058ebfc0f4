//! Real RDP clients, each run to its end or to a deadline, with a home of its own.

use super::display::Display;
use super::process::{Process, command, command_in};
use super::{freerdp3_env, need, need_freerdp3, text_of};
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

impl Client {
    /// Runs the client against 127.0.0.1:`port` for at most `limit`.
    pub fn run(self, port: u16, arguments: &[&str], limit: Duration) -> Option<Ended> {
        self.run_against(&format!("127.0.0.1:{port}"), None, arguments, limit)
    }

    /// The same from a network namespace, against any address.
    pub fn run_in(
        self,
        namespace: &str,
        server: &str,
        arguments: &[&str],
        limit: Duration,
    ) -> Option<Ended> {
        self.run_against(server, Some(namespace), arguments, limit)
    }

    fn run_against(
        self,
        server: &str,
        namespace: Option<&str>,
        arguments: &[&str],
        limit: Duration,
    ) -> Option<Ended> {
        let program = match self {
            Self::Xfreerdp => need("xfreerdp")?,
            Self::Xfreerdp3 => need_freerdp3("xfreerdp3")?,
            Self::Rdesktop => need("rdesktop")?,
        };
        let display = Display::start()?;
        let home = super::scratch();
        let mut command = match namespace {
            Some(namespace) => command_in(namespace, &program),
            None => command(&program),
        };
        command.env("HOME", home.path()).env("DISPLAY", &display.name).env("LC_ALL", "C");
        command.env("XDG_CONFIG_HOME", text_of(&home.path().join("config")));
        command.env_remove("XDG_RUNTIME_DIR");
        if self == Self::Xfreerdp3 {
            // Its clipboard mounts a file system that a killed client would leave behind.
            command.envs(freerdp3_env(home.path())).arg("-clipboard");
        }
        match self {
            Self::Xfreerdp | Self::Xfreerdp3 => {
                command.args([&format!("/v:{server}"), "/size:800x600"]).args(arguments);
            }
            Self::Rdesktop => {
                command.args(["-g", "800x600"]).args(arguments).arg(server);
            }
        }
        let started = Instant::now();
        let mut process = Process::start(&mut command, &home.path().join("client.log"));
        let code = process.wait(limit).and_then(|status| status.code());
        process.stop();
        Some(Ended { code, output: process.output(), took: started.elapsed() })
    }
}
