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

    /// Waits for its end, at most this long.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait_until(limit, || !self.runs());
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal (by its name) to the process and its children.
    pub fn signal(&mut self, name: &str) {
        if self.runs() {
            let group = format!("kill -s {name} -- -{}", self.child.id());
            let _ = Command::new("sh").args(["-c", &group]).stderr(Stdio::null()).status();
        }
    }

    /// Asks the process to end, then ends it.
    pub fn stop(&mut self) {
        self.signal("TERM");
        if self.wait(Duration::from_millis(700)).is_none() {
            self.signal("KILL");
            let _ = self.child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A command for this program in a network namespace.
pub fn command_in(namespace: &str, program: &Path) -> Command {
    let mut command = command(Path::new("ip"));
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

/// A command for this program. Where `setpriv` is installed the kernel ends the child even when
/// the test process is killed and runs no destructor.
pub fn command(program: &Path) -> Command {
    match super::find_program("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}
