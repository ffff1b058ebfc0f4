//! Tables of peers that do not fit together: each row is run through the proxy and its verdicts
//! are compared with what the row expects.

use super::clients::Client;
use super::expected::Expected;
use super::json::text;
use super::lacking;
use super::rdpwhy::observe;
use super::shadow::{Release, Shadow};
use super::xrdp::{Options, Xrdp};
use std::time::Duration;

/// The server of a row.
#[derive(Clone, Copy)]
pub enum Server {
    /// xrdp with these options.
    Xrdp(Options),
    /// The shadow server of this release, which insists on NLA.
    Shadow(Release),
}

/// One row: two peers, the proof that they failed as intended, and what is to be said of it.
pub struct Row {
    /// What does not fit.
    pub name: &'static str,
    /// The server.
    pub server: Server,
    /// The client.
    pub client: Client,
    /// Its arguments.
    pub arguments: &'static [&'static str],
    /// The client's exit code.
    pub code: i32,
    /// Words in the output of the client or in the log of the server.
    pub proof: &'static str,
    /// What the program is to say.
    pub expected: Expected,
}

/// Runs every row and reports all that differ together.
pub fn check_all(rows: &[Row]) {
    report(rows.iter().filter_map(|row| check_row(row, false)).collect());
}

/// The same for peers of which older releases get on with each other: a client that keeps its session
/// makes the row a skip, after a check that nothing is said to have failed.
pub fn check_all_where_they_fail(rows: &[Row]) {
    report(rows.iter().filter_map(|row| check_row(row, true)).collect());
}

fn report(failures: Vec<String>) {
    assert!(failures.is_empty(), "{} rows differ\n{}", failures.len(), failures.join("\n\n"));
}

/// Runs one row; what differs, with the whole story, or `None`. A row whose peers are missing is
/// a skip.
fn check_row(row: &Row, may_agree: bool) -> Option<String> {
    let limit = Duration::from_secs(25);
    let run = |port| observe(port, row.client, row.arguments, limit);
    let (seen, log) = match row.server {
        Server::Xrdp(options) => {
            let server = Xrdp::start(options)?;
            (run(server.port)?, server.log())
        }
        Server::Shadow(release) => {
            let server = Shadow::start(release)?;
            (run(server.port)?, server.log())
        }
    };
    let mut problems = seen.problems();
    if may_agree && seen.client.code.is_none() {
        let said = seen.live.objects.iter().chain(&seen.offline.objects);
        let good = said.map(|object| text(object, "/outcome")).all(|said| said == "established");
        if good && problems.is_empty() {
            lacking(&format!("{}: these releases get on", row.name));
            return None;
        }
    }
    if seen.client.code != Some(row.code) {
        problems
            .push(format!("the client's exit code is {:?}, not {}", seen.client.code, row.code));
    }
    if !seen.client.output.contains(row.proof) && !log.contains(row.proof) {
        problems.push(format!("neither client nor server says {:?}: {log}", row.proof));
    }
    problems.extend(row.expected.differences(&seen));
    if problems.is_empty() {
        return None;
    }
    Some(format!("=== {}:\n- {}\n{}", row.name, problems.join("\n- "), seen.story()))
}
