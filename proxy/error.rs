//! Why the program itself failed, by operation.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::dial::Target;
use crate::output::ExitStatus;
use crate::relay::{Listen, Unbound};

/// A failure of the run, not of a connection that was looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listening socket.
    #[error("can not listen on {address}: {source}; choose another address with --listen")]
    Listen {
        /// Where.
        address: Listen,
        /// Why.
        source: io::Error,
    },
    /// The metrics endpoint.
    #[error("can not serve metrics on {address}: {source}")]
    Metrics {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A file to write.
    #[error("can not write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file to read.
    #[error("can not read {}: {why}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The result's output.
    #[error("can not write the result: {0}")]
    Result(io::Error),
    /// The asynchronous runtime, its threads, or the signals.
    #[error("can not start: {0}")]
    Runtime(io::Error),
    /// The desk failed, and with it what it had to say.
    #[error("the reports came to an end: {0}")]
    Desk(String),
    /// A second signal while a first one was obeyed.
    #[error("interrupted twice: what was not written by then is lost")]
    Interrupted,
    /// Nobody took the results or the recording for so long at the end.
    #[error("what was left to be written found nobody to take it for {} s and is lost", .0.as_secs())]
    Unwritten(Duration),
    /// A right that this process does not have.
    #[error(
        "{flag} needs {right}, which this process does not have; run it as root, or give the program that right: \
         setcap {}+ep \"$(command -v rdpwhy)\"",
        right.to_lowercase()
    )]
    Right {
        /// What needs it.
        flag: &'static str,
        /// The right's name.
        right: &'static str,
    },
    /// A flag that this operating system has nothing for.
    #[error("{0} works on Linux only")]
    Platform(&'static str),
    /// A target without an address.
    #[error("can not reach {target}: {why}")]
    Unreachable {
        /// Which.
        target: Target,
        /// Why.
        why: String,
    },
    /// A safety rule.
    #[error("refused: {0}")]
    Unsafe(String),
    /// A mistake in the configuration file.
    #[error("{}:{} {what}", path.display(), line.map_or(String::new(), |line| format!("{line}:")))]
    Config {
        /// The file.
        path: PathBuf,
        /// Where in it, from 1.
        line: Option<usize>,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The command line, or its help.
    #[error("{0}")]
    CommandLine(clap::Error),
    /// A combination of flags that clap can not check.
    #[error("{0}")]
    Usage(String),
    /// A demonstration that did not agree with itself.
    #[error("{0}")]
    Disagreement(String),
}

impl Error {
    /// The exit code of the contract.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Error::Unsafe(_) => ExitStatus::Refused.into(),
            Error::Unreachable { .. } => ExitStatus::Unreachable.into(),
            Error::Usage(_) | Error::Config { .. } | Error::CommandLine(_) => ExitCode::from(2),
            _ => ExitStatus::Broken.into(),
        }
    }
}

impl From<Unbound> for Error {
    fn from(Unbound { address, source }: Unbound) -> Error {
        Error::Listen { address, source }
    }
}
