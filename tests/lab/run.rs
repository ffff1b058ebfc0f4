//! Runs recipes, several at once, and says how each fared.

use crate::arguments::Arguments;
use crate::draw::{Draw, Half};
use crate::judge::{Judged, judge};
use crate::look::{captures_for, look};
use crate::recipe::{Recipe, Vantage};
use crate::recipes::RECIPES;
use crate::stage::{self, House};
use crate::support::display::Display;
use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

/// One run that is to be made.
#[derive(Clone, Copy)]
pub struct Job {
    pub recipe: &'static Recipe,
    pub half: Half,
    pub seed: u64,
    /// With the fault, or its clean twin.
    pub faulty: bool,
}

impl Job {
    fn name(&self) -> String {
        let twin = if self.faulty { "" } else { " (clean twin)" };
        format!("{}{twin}, {}, seed {}", self.recipe.name, self.half.name(), self.seed)
    }
}

/// Runs what the arguments say; how many passed and failed.
pub fn run(arguments: &Arguments) -> (usize, usize) {
    let Some(display) = Display::start() else { return (0, 0) };
    let scratch = crate::support::scratch();
    let house = House { display: display.name.clone(), rdpwhy: public_copy(scratch.path()) };
    let jobs: Mutex<VecDeque<Job>> = Mutex::new(jobs(arguments).into());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let next = jobs.lock().unwrap().pop_front();
                    let Some(job) = next else { break };
                    let passed = report(&house, job, arguments);
                    done.lock().unwrap().push(passed);
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    let passed = done.iter().filter(|passed| **passed).count();
    (passed, done.len() - passed)
}

/// The runs that the arguments ask for.
fn jobs(arguments: &Arguments) -> Vec<Job> {
    let chosen = RECIPES.iter().filter(|recipe| {
        if arguments.recipes.is_empty() {
            arguments.full || recipe.smoke
        } else {
            arguments.recipes.iter().any(|name| name == recipe.name)
        }
    });
    let mut jobs = Vec::new();
    for recipe in chosen {
        for half in &arguments.halves {
            for number in 0..arguments.runs {
                let job = Job { recipe, half: *half, seed: arguments.seed + number, faulty: true };
                jobs.push(job);
                // One clean twin for every five runs of the fault says whether the setting is sound.
                if !BENIGN.contains(&recipe.row) && number % 5 == 0 {
                    jobs.push(Job { faulty: false, ..job });
                }
            }
        }
    }
    jobs
}

/// Rows without a fault, which need no twin without it.
const BENIGN: [&str; 2] = ["none", "client-rehearsal-close"];

/// Makes one run and prints how it fared; whether all was right.
fn report(house: &House, job: Job, arguments: &Arguments) -> bool {
    let started = Instant::now();
    let result = std::panic::catch_unwind(|| make(house, job, arguments));
    let seconds = started.elapsed().as_secs_f32();
    match result {
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            println!("FAILED {}: {words} ({seconds:.1} s)", job.name());
            false
        }
        Ok(None) => {
            println!("skipped {}", job.name());
            true
        }
        Ok(Some(judged)) => {
            let wrong: Vec<&Judged> = judged.iter().filter(|judged| !judged.sound()).collect();
            let word = if wrong.is_empty() { "ok    " } else { "MISSED" };
            let mut text = format!("{word} {} ({seconds:.1} s)\n", job.name());
            for miss in &wrong {
                text += &format!("         {:?}: {}\n", miss.vantage, miss.complaint());
            }
            if arguments.verbose {
                for one in &judged {
                    text += &format!("         {:?}: {:?}\n", one.vantage, one.said);
                }
            }
            print!("{text}");
            wrong.is_empty()
        }
    }
}

/// Makes one run and judges it at every vantage its labels name.
fn make(house: &House, job: Job, arguments: &Arguments) -> Option<Vec<Judged>> {
    let seed = job.seed.wrapping_mul(1_000_003) ^ hash(job.recipe.name);
    let mut plan = (job.recipe.plan)(&mut Draw::new(seed, job.half));
    if !job.faulty {
        plan = plan.without_fault();
    }
    let scratch = crate::support::scratch();
    open_to_all(scratch.path());
    let vantages: Vec<Vantage> =
        plan.labels.iter().flat_map(|label| label.vantages.iter().copied()).collect();
    let ports = captures_for(&vantages);
    let played = stage::play(house, &mut plan, &ports, scratch.path())?;
    let mut all = Vec::new();
    for label in &plan.labels {
        for vantage in &label.vantages {
            if let Some(objects) = look(house, &played, *vantage, plan.port, scratch.path()) {
                all.extend(judge(*vantage, label, &objects));
            }
        }
    }
    if let Some(keep) = &arguments.keep {
        let twin = if job.faulty { "fault" } else { "clean" };
        let name = format!("{}-{}-{}-{twin}", job.recipe.name, job.half.name(), job.seed);
        crate::keep::keep(&keep.join(name), &plan, &played, &all, scratch.path());
    }
    Some(all)
}

/// FNV-1a, so that recipes draw different parameters from one seed.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// A copy of the program where an ordinary user can run it.
fn public_copy(folder: &Path) -> std::path::PathBuf {
    open_to_all(folder);
    let copy = folder.join("rdpwhy");
    std::fs::copy(env!("CARGO_BIN_EXE_rdpwhy"), &copy).unwrap();
    copy
}

fn open_to_all(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}
