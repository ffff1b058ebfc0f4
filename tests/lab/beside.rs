//! Two runs of the laboratory at the same time: neither sees the other, and both leave nothing.

use crate::support::process::{Process, command};
use crate::support::{scratch, wait_until};
use crate::topology;
use std::path::Path;
use std::time::Duration;

/// What each of them runs: with its clean twin a session that comes up and one that does not.
const RECIPE: &str = "cert-expired";

/// Runs the laboratory twice at once, in processes of their own; panics unless both come out right.
pub fn two_runs(rdpwhy: &Path) {
    let folder = scratch();
    let mut runs = ["one", "another"].map(|name| {
        let mut command = command(&std::env::current_exe().unwrap());
        command.args(["--recipe", RECIPE, "--program"]).arg(rdpwhy);
        Process::start(&mut command, &folder.path().join(name))
    });
    let names = runs.each_mut().map(|run| topology::prefix(run.child().id()));
    let stand = |prefix: &String| topology::standing().iter().any(|name| name.starts_with(prefix));
    // Their networks stand side by side for a while; if they never did, nothing was shown.
    let met = wait_until(Duration::from_secs(120), || {
        names.iter().all(stand) || !runs.iter_mut().all(Process::runs)
    });
    assert!(met && names.iter().all(stand), "they did not run at once: {}", outputs(&runs));
    let ended = runs.each_mut().map(|run| run.wait(Duration::from_secs(120)));
    let sound = ended.iter().all(|status| status.is_some_and(|status| status.success()));
    assert!(sound, "{ended:?}: {}", outputs(&runs));
    for run in &runs {
        let output = run.output();
        let made = output.lines().filter(|line| line.starts_with(&format!("ok     {RECIPE}")));
        assert_eq!(made.count(), 2, "the fault and its clean twin: {output}");
    }
    assert!(!names.iter().any(stand), "they left {:?}", topology::standing());
}

fn outputs(runs: &[Process; 2]) -> String {
    runs.iter().map(Process::output).collect::<Vec<_>>().join("\n---\n")
}
