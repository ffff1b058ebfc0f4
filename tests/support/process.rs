//! Child processes that cannot outlive their test.
//!
//! Each child leads a process group of its own; the group is ended on drop and the child reaped.
//! Until it is reaped its number cannot be given to anybody else, so no stranger is ever hit.

use super::wait_until;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// A running child and the file its output goes to.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command; standard output and standard error go to `log`, there is no input.
    /// The command should come from [`command`].
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let output = std::fs::File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        Self::spawn(command, log)
    }

    /// Starts a command whose output the caller has arranged; `log` is only shown in messages.
    pub fn spawn(command: &mut Command, log: &Path) -> Self {
        let child = command.process_group(0).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log: log.to_owned() }
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// What the process has printed until now.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Whether something listens on this TCP port where the process lives, read from the kernel's
    /// table: a connection made to find out would be a session to the server.
    pub fn listens(&self, port: u16) -> bool {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        // Before it has become the program it can still be in another network namespace.
        let program = std::fs::read_link(folder.join("exe")).unwrap_or_default();
        let itself = !["setpriv", "nsenter"].iter().any(|name| program.ends_with(name));
        itself
            && ["net/tcp", "net/tcp6"].iter().any(|table| {
                let table = std::fs::read_to_string(folder.join(table)).unwrap_or_default();
                super::listening(&table, port)
            })
    }

    /// Waits for its end, at most this long.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait_until(limit, || !self.runs());
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal (by its name) to the process and its children.
    pub fn signal(&mut self, name: &str) {
        if self.runs() {
            self.signal_group(name);
        }
    }

    /// Asks the process to end, then ends it and its children, which may not have listened.
    pub fn stop(&mut self) {
        if !self.runs() {
            return;
        }
        self.signal_group("TERM");
        // It is not reaped before its children are ended: until then the group's number is its own.
        let stat = format!("/proc/{}/stat", self.child.id());
        wait_until(Duration::from_millis(700), || {
            let stat = std::fs::read_to_string(&stat).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with('Z'))
        });
        self.signal_group("KILL");
        let _ = self.child.wait();
    }

    fn signal_group(&self, name: &str) {
        let group = format!("kill -s {name} -- -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &group]).stderr(Stdio::null()).status();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A command for this program. Where `setpriv` is installed the kernel ends the child even when
/// the test process is killed and runs no destructor.
pub fn command(program: &Path) -> Command {
    command_in(None, program)
}

/// The same in a network namespace of `ip netns`, or where the test itself is.
pub fn command_in(namespace: Option<&str>, program: &Path) -> Command {
    let mut words: Vec<PathBuf> = Vec::new();
    if let Some(setpriv) = super::find_program("setpriv") {
        words.extend([setpriv, "--pdeathsig".into(), "KILL".into()]);
    }
    if let Some(name) = namespace {
        words.extend(["nsenter".into(), format!("--net=/run/netns/{name}").into()]);
    }
    words.push(program.to_owned());
    let mut command = Command::new(words.remove(0));
    command.args(words);
    command
}
