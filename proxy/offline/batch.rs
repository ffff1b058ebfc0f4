//! Many captures at once: each on a thread, their results in the order in which they were given.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Scope as Threads};

use rdpwhy_analyzer::session::Session;
use rdpwhy_analyzer::verdict::Identities;

use super::progress::Progress;
use super::rotation::Unit;
use super::{Reading, Scope, Told, report};

/// Results of one unit that wait to be printed; its thread waits where there are more.
const WAITING: usize = 64;

/// Opens a file for reading; `-` is stdin.
pub fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    if path.is_dir() {
        return Err(io::Error::other("is a folder; name the files in it"));
    }
    Ok(Box::new(File::open(path)?))
}

/// Analyses the units, at most `jobs` at a time, and gives what comes of them to `tell`: everything of a unit
/// before anything of a later one. Memory does not grow with the number of units.
pub fn run(
    units: &[Unit],
    jobs: usize,
    scope: &Scope,
    identities: &Identities,
    progress: &Progress,
    tell: &mut dyn FnMut(Told),
) {
    let work = Work { scope, identities, progress };
    if jobs == 1 || units.len() == 1 {
        // A thread's heap grows in smaller steps than the program's own, which costs.
        return units.iter().for_each(|unit| work.analyze(unit, tell));
    }
    thread::scope(|threads| {
        let mut working: VecDeque<Receiver<Told>> = VecDeque::new();
        let mut next = units.iter();
        loop {
            let free = jobs.max(1) - working.len();
            working.extend(next.by_ref().take(free).map(|unit| work.start(unit, threads)));
            let Some(first) = working.front() else { return };
            for told in first {
                tell(told);
            }
            working.pop_front();
        }
    });
}

/// What all threads share.
#[derive(Clone, Copy)]
struct Work<'w> {
    scope: &'w Scope,
    identities: &'w Identities,
    progress: &'w Progress,
}

impl<'w> Work<'w> {
    fn start<'t>(self, unit: &'t Unit, threads: &'t Threads<'t, '_>) -> Receiver<Told>
    where
        'w: 't,
    {
        let (results, waiting) = sync_channel(WAITING);
        // Nobody takes results any more when the program ends early.
        threads.spawn(move || self.analyze(unit, &mut |told| drop(results.send(told))));
        waiting
    }

    fn analyze(self, unit: &Unit, tell: &mut dyn FnMut(Told)) {
        let mut reading = Reading::new(self.scope, Session::new);
        for path in &unit.files {
            let name = path.display().to_string();
            let read = open(path).map_err(|error| error.to_string()).and_then(|file| {
                let file = self.progress.reading(file);
                reading.file(&name, file, tell).map_err(|error| error.to_string())
            });
            if let Err(why) = read {
                tell(Told::Unreadable(name, why));
                if unit.files.len() == 1 {
                    return;
                }
            }
        }
        reading.finish();
        let source = unit.source();
        reading.counts.notes(&source, tell);
        let found = report(&source, reading, self.scope, self.identities, tell);
        tell(Told::Measured(Box::new(found.measured)));
    }
}
