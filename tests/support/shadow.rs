//! FreeRDP's shadow server: a real NLA server (CredSSP with NTLM) that shows an X display.

use super::display::Display;
use super::place::Place;
use super::process::{Process, command_in};
use super::{freerdp3_env, need, need_freerdp3, text_of, wait_until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The one account the server knows.
pub const USER: &str = "labuser";
/// Its password.
pub const PASSWORD: &str = "Right-Pass-1";

/// The two releases of FreeRDP, which refuse a password differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// FreeRDP 2: closes without a reason.
    Two,
    /// FreeRDP 3: sends a TSRequest with an error code first.
    Three,
}

/// What became of the server's private key.
#[allow(dead_code, reason = "the laboratory's alone")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostKey {
    /// The file is gone.
    Gone,
    /// The file is empty.
    Empty,
    /// The file holds something else.
    Foreign,
}

/// A running shadow server that insists on NLA.
pub struct Shadow {
    /// The port it listens on, at 127.0.0.1 unless it was given another place.
    pub port: u16,
    /// The process.
    pub process: Process,
    _display: Display,
    scratch: tempfile::TempDir,
}

impl Shadow {
    /// Starts a server of its own.
    pub fn start(release: Release) -> Option<Self> {
        Self::start_at(release, &Place::loopback())
    }

    /// The same at a place of the test's choice.
    pub fn start_at(release: Release, place: &Place) -> Option<Self> {
        let (server, hash) = match release {
            Release::Two => (need("freerdp-shadow-cli")?, need("winpr-hash")?),
            Release::Three => {
                (need_freerdp3("freerdp-shadow-cli3")?, need_freerdp3("winpr-hash3")?)
            }
        };
        let display = Display::start()?;
        let scratch = super::scratch();
        let env = environment(release, scratch.path(), &display);
        let accounts = scratch.path().join("sam");
        std::fs::write(&accounts, account_line(&hash, &env)).unwrap();
        let port = place.port();
        let mut command = command_in(place.namespace.as_deref(), &server);
        command.envs(env).args([
            format!("/port:{port}"),
            format!("/bind-address:{}", place.ip()),
            format!("/sam-file:{}", text_of(&accounts)),
            "/sec:nla".to_owned(),
            "+auth".to_owned(),
        ]);
        let mut process = Process::start(&mut command, &scratch.path().join("shadow.log"));
        // The first start makes a key and a certificate.
        let up = wait_until(Duration::from_secs(30), || process.listens(port) || !process.runs());
        assert!(up && process.runs(), "the shadow server did not start: {}", process.output());
        Some(Self { port, process, _display: display, scratch })
    }
}

impl Shadow {
    /// Takes its private key away. It reads the file anew for each client.
    #[allow(dead_code, reason = "the laboratory's alone")]
    pub fn lose_key(&self, lost: LostKey) {
        let key = self.scratch.path().join("config/freerdp/shadow/shadow.key");
        assert!(key.is_file(), "no {}", key.display());
        match lost {
            LostKey::Gone => std::fs::remove_file(key),
            LostKey::Empty => std::fs::write(key, ""),
            LostKey::Foreign => std::fs::copy(key.with_extension("crt"), key).map(drop),
        }
        .unwrap();
    }

    /// What the server printed.
    pub fn log(&self) -> String {
        self.process.output()
    }
}

/// The environment of the server: a home of its own, the display, and for FreeRDP 3 its libraries.
fn environment(release: Release, folder: &Path, display: &Display) -> Vec<(String, String)> {
    let mut env = vec![
        ("HOME".to_owned(), text_of(folder)),
        ("XDG_CONFIG_HOME".to_owned(), text_of(&folder.join("config"))),
        ("DISPLAY".to_owned(), display.name.clone()),
    ];
    if release == Release::Three {
        env.extend(freerdp3_env(folder));
    }
    env
}

/// The account as a line of a SAM file.
fn account_line(hash: &PathBuf, env: &[(String, String)]) -> Vec<u8> {
    let mut command = Command::new(hash);
    command.envs(env.iter().cloned()).args(["-u", USER, "-p", PASSWORD, "-f", "sam"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "winpr-hash: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
