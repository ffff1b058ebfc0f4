//! How the program ends.

use rdpwhy_analyzer::report::Summary;

/// The exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Ran, nothing failed.
    Fine = 0,
    /// The run itself failed, or an input was unreadable.
    Broken = 1,
    /// Failures, all explained.
    Explained = 3,
    /// A failure is undecided.
    Undecided = 4,
    /// No RDP in the input.
    NoRdp = 5,
    /// The target could not be reached at all.
    Unreachable = 6,
    /// Refused by a safety rule.
    Refused = 7,
}

impl ExitStatus {
    /// What a run with these totals came to.
    pub fn of(summary: &Summary) -> ExitStatus {
        match (summary.failed, summary.explained) {
            (0, _) => ExitStatus::Fine,
            (failed, explained) if failed == explained => ExitStatus::Explained,
            _ => ExitStatus::Undecided,
        }
    }
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        std::process::ExitCode::from(status as u8)
    }
}
