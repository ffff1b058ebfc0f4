//! Runs recipes, several at once, and says how each fared.

use crate::arguments::Arguments;
use crate::citations::{Capture, Checked, check, check_live};
use crate::degrade::{DAMAGES, Damage};
use crate::draw::{Draw, Half};
use crate::judge::judge;
use crate::look::{captures_for, look};
use crate::recipe::{Plan, Recipe, Vantage};
use crate::recipes::RECIPES;
use crate::results::Sample;
use crate::stage::{self, House, Played};
use crate::support::display::Display;
use crate::topology::Port;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;
use tempfile::TempDir;

/// One run that is to be made.
#[derive(Clone, Copy)]
pub struct Job {
    pub recipe: &'static Recipe,
    pub half: Half,
    pub seed: u64,
    /// With the fault, or its clean twin.
    pub faulty: bool,
    /// With a relay that captures its legs (V3), or without (V2).
    pub packets: bool,
}

impl Job {
    fn name(&self) -> String {
        let twin = if self.faulty { "" } else { " (clean twin)" };
        format!("{}{twin}, {}, seed {}", self.recipe.name, self.half.name(), self.seed)
    }
}

/// What all runs came to.
#[derive(Default)]
pub struct Done {
    /// Runs in which nothing wrong was said.
    pub passed: usize,
    /// Runs in which something was.
    pub failed: usize,
    /// Runs that broke down before anything was judged, twice.
    pub broken: usize,
    /// Runs that broke down once and were made again.
    pub repeated: usize,
    /// Runs for which a peer is missing.
    pub skipped: usize,
    /// Everything that was judged.
    pub samples: Vec<Sample>,
    /// The packets that were cited.
    pub citations: Checked,
}

/// How one run fared.
enum Fared {
    Made(Made),
    /// A peer is missing.
    Skipped,
    BrokeDown,
}

/// What one run gave.
struct Made {
    samples: Vec<Sample>,
    citations: Checked,
    /// It had broken down before.
    again: bool,
}

impl Done {
    fn add(&mut self, fared: Fared) {
        match fared {
            Fared::Made(Made { samples, citations, again }) => {
                self.citations.add(citations);
                let mut whole = samples.iter().filter(|s| s.damage == Damage::None);
                let sound = whole.all(|sample| sample.judged.sound());
                self.passed += usize::from(sound);
                self.failed += usize::from(!sound);
                self.repeated += usize::from(again);
                self.samples.extend(samples);
            }
            Fared::Skipped => self.skipped += 1,
            Fared::BrokeDown => self.broken += 1,
        }
    }
}

/// Runs what the arguments say.
pub fn run(arguments: &Arguments) -> Done {
    let Some(display) = Display::start() else { return Done::default() };
    let scratch = crate::support::scratch();
    let house = House::new(&display.name, public_copy(&arguments.program, scratch.path()));
    let jobs: Mutex<VecDeque<Job>> = Mutex::new(jobs(arguments, house.has_packets).into());
    let done = Mutex::new(Done::default());
    let began = Instant::now();
    let is_over = || arguments.within.is_some_and(|within| began.elapsed() > within);
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                loop {
                    let next = jobs.lock().unwrap().pop_front();
                    let Some(job) = next else { break };
                    let fared = match is_over() {
                        true => left_out(job),
                        false => report(&house, job, arguments),
                    };
                    done.lock().unwrap().add(fared);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

/// The runs that the arguments ask for.
fn jobs(arguments: &Arguments, has_packets: bool) -> Vec<Job> {
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
                let (half, seed) = (*half, arguments.seed + number);
                let packets = has_packets && seed % 2 == 0;
                let job = Job { recipe, half, seed, faulty: true, packets };
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

/// Says that there is no time for a run.
fn left_out(job: Job) -> Fared {
    crate::support::lacking(&format!("{}: the time for the laboratory is over", job.name()));
    Fared::Skipped
}

/// Makes one run and prints how it fared.
fn report(house: &House, job: Job, arguments: &Arguments) -> Fared {
    let started = Instant::now();
    let result = std::panic::catch_unwind(|| make(house, job, arguments));
    let seconds = started.elapsed().as_secs_f32();
    let name = job.name();
    let Ok(made) = result else {
        println!("FAILED {name}: it broke down ({seconds:.1} s)");
        return Fared::BrokeDown;
    };
    let Some(made) = made else {
        println!("skipped {name}");
        return Fared::Skipped;
    };
    let samples = &made.samples;
    let wrong: Vec<&Sample> =
        samples.iter().filter(|s| s.damage == Damage::None && !s.judged.sound()).collect();
    let word = if wrong.is_empty() { "ok    " } else { "MISSED" };
    let mut text = format!("{word} {name} ({seconds:.1} s)\n");
    for sample in &wrong {
        let judged = &sample.judged;
        text += &format!("         {:?}: {}\n", judged.vantage, judged.complaint());
    }
    if arguments.verbose {
        for Sample { damage, judged, .. } in samples {
            text += &format!("         {:?}, {damage:?}: {:?}\n", judged.vantage, judged.said);
        }
    }
    print!("{text}");
    Fared::Made(made)
}

/// Makes one run and judges it at every vantage its labels name.
fn make(house: &House, job: Job, arguments: &Arguments) -> Option<Made> {
    let seed = job.seed.wrapping_mul(1_000_003) ^ hash(job.recipe.name);
    let planned = || {
        let plan = (job.recipe.plan)(&mut Draw::new(seed, job.half));
        if job.faulty { plan } else { plan.without_fault() }
    };
    // A busy machine can spoil a run before anything is judged: a capture with a gap, a server that is late.
    let first = std::panic::catch_unwind(|| play(house, planned(), job));
    let again = first.is_err();
    let (played, plan, scratch) = first.unwrap_or_else(|_| {
        println!("again: {}", job.name());
        play(house, planned(), job)
    })?;
    let vantages: Vec<Vantage> =
        plan.labels.iter().flat_map(|label| label.vantages.iter().copied()).collect();
    let damages = if arguments.full && job.faulty { &DAMAGES[..] } else { &[] };
    let look = |seen: &Played, vantage| look(house, seen, vantage, plan.port, scratch.path());
    let (mut samples, mut citations) = (Vec::new(), Checked::default());
    for damage in [&[Damage::None][..], damages].concat() {
        let damaged = (damage != Damage::None).then(|| played.damaged(damage, seed));
        let seen = damaged.as_ref().unwrap_or(&played);
        let files = |vantage: &&Vantage| matches!(vantage.class(), "V1" | "V6");
        let asked = vantages.iter().filter(|v| damage == Damage::None || files(v));
        // Several labels can be about one vantage.
        let asked: BTreeSet<Vantage> = asked.copied().collect();
        let views = asked.into_iter().filter_map(|place| Some((place, look(seen, place)?)));
        let views: BTreeMap<Vantage, Vec<Value>> = views.collect();
        samples.extend(judged(job, &plan, damage, &views));
        if damage == Damage::None && arguments.full {
            citations = cited(&views, &played, plan.port);
        }
    }
    if let Some(keep) = &arguments.keep {
        let twin = if job.faulty { "fault" } else { "clean" };
        let name = format!("{}-{}-{}-{twin}", job.recipe.name, job.half.name(), job.seed);
        crate::keep::keep(&keep.join(name), &plan, &played, &samples, scratch.path());
    }
    Some(Made { samples, citations, again })
}

/// Reads again what the objects of every capture, of every two, and of the relay's own, cite; nothing without tshark.
fn cited(views: &BTreeMap<Vantage, Vec<Value>>, played: &Played, port: u16) -> Checked {
    let mut checked = Checked::default();
    let mut read: BTreeMap<Port, Capture> = BTreeMap::new();
    for (vantage, objects) in views {
        let places = match vantage {
            Vantage::RelayPackets => vec![Port::Pc, Port::Ps],
            _ => captures_for(*vantage),
        };
        for place in &places {
            if !read.contains_key(place) {
                let Some(capture) = Capture::read(&played.captures[place], port) else {
                    return checked;
                };
                read.insert(*place, capture);
            }
        }
        checked.add(match (vantage, places.as_slice()) {
            (Vantage::RelayPackets, [client, server]) => {
                check_live(objects, [&read[client], &read[server]])
            }
            (_, []) => continue,
            _ => check(objects, &places.iter().map(|place| &read[place]).collect::<Vec<_>>()),
        });
    }
    checked
}

/// Plays a plan in a folder of its own; `None` where a peer is missing.
fn play(house: &House, mut plan: Plan, job: Job) -> Option<(Played, Plan, TempDir)> {
    let scratch = crate::support::scratch();
    open_to_all(scratch.path());
    let played = stage::play(house, &mut plan, job.packets, scratch.path())?;
    Some((played, plan, scratch))
}

/// What was said at each vantage, judged by every label of the plan.
fn judged(
    job: Job,
    plan: &Plan,
    damage: Damage,
    views: &BTreeMap<Vantage, Vec<Value>>,
) -> Vec<Sample> {
    let mut samples = Vec::new();
    for label in &plan.labels {
        for vantage in &label.vantages {
            let Some(objects) = views.get(vantage) else { continue };
            samples.extend(judge(*vantage, label, objects).into_iter().map(|judged| Sample {
                recipe: job.recipe.name,
                row: if job.faulty { job.recipe.row } else { "none" },
                decoys: job.recipe.decoys,
                half: job.half,
                seed: job.seed,
                ip: plan.ip,
                damage,
                judged,
            }));
        }
    }
    samples
}

/// FNV-1a, so that recipes draw different parameters from one seed.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// A copy of the program where an ordinary user can run it.
fn public_copy(program: &Path, folder: &Path) -> std::path::PathBuf {
    open_to_all(folder);
    let copy = folder.join("rdpwhy");
    std::fs::copy(program, &copy).unwrap();
    copy
}

fn open_to_all(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}
