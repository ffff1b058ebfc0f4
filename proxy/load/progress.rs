//! How far a run is: one line on stderr, written again each second, where that is a terminal.

use std::io::{self, IsTerminal, Write};

use super::tally::Tally;

/// The line.
pub struct Progress {
    terminal: bool,
}

impl Progress {
    /// Shows something on terminals only.
    pub fn new() -> Progress {
        // Who asked for silence gets it.
        let wanted = tracing::enabled!(tracing::Level::WARN);
        Progress { terminal: wanted && io::stderr().is_terminal() }
    }

    /// Writes the line.
    pub fn show(&self, tally: &Tally) {
        self.write(&format!("\r\x1b[K{}", tally.line()));
    }

    /// Takes it away.
    pub fn clear(&self) {
        self.write("\r\x1b[K");
    }

    fn write(&self, line: &str) {
        if self.terminal {
            // Nobody may be reading it any more.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }
}
