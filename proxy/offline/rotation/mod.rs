//! Files of one rotation, found among those that are given and put in order, to be read as one capture.
//!
//! A name only proposes; the contents decide: the same interfaces, and times that follow one another.

mod extent;
mod names;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use extent::Extent;
use names::Order;

/// Files that are analysed together, in order of time: a single one, or those of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The files, at least one.
    pub files: Vec<PathBuf>,
}

impl Unit {
    /// What the verdict calls it: the file, or the first and the last one.
    pub fn source(&self) -> String {
        match self.files.as_slice() {
            [first, .., last] => format!("{} .. {}", first.display(), last.display()),
            one => one.first().map(|path| path.display().to_string()).unwrap_or_default(),
        }
    }
}

/// Puts together what belongs together; each unit stands where its first given file does. `remark` is told what
/// was joined, and what was not although its name asked for it.
///
/// Files that by their names may be of one rotation are read once for their times.
pub fn units(files: &[PathBuf], remark: &mut dyn FnMut(&str)) -> Vec<Unit> {
    let names = names::names(files);
    let mut groups: BTreeMap<&Path, Vec<Member>> = BTreeMap::new();
    for (at, name) in names.iter().enumerate() {
        if let Some(name) = name {
            let member = Member { at, order: name.order.clone(), extent: Extent::default() };
            groups.entry(&name.stem).or_default().push(member);
        }
    }
    let mut units: BTreeMap<usize, Unit> = BTreeMap::new();
    let mut joined = HashSet::new();
    for group in groups.into_values().filter(|group| group.len() > 1) {
        for chain in chains(group, files, remark).into_iter().filter(|chain| chain.len() > 1) {
            let unit =
                Unit { files: chain.iter().map(|member| files[member.at].clone()).collect() };
            remark(&format!("rdpwhy: {} are read as one capture", list(&unit.files)));
            joined.extend(chain.iter().map(|member| member.at));
            units.insert(chain.iter().map(|member| member.at).min().unwrap_or_default(), unit);
        }
    }
    for (at, path) in files.iter().enumerate().filter(|(at, _)| !joined.contains(at)) {
        units.insert(at, Unit { files: vec![path.clone()] });
    }
    units.into_values().collect()
}

/// A file that may be one of a rotation.
#[derive(Clone, Debug)]
struct Member {
    /// Its place among the given files.
    at: usize,
    order: Order,
    extent: Extent,
}

/// The files of one stem, each behind the one that it goes on from.
fn chains(group: Vec<Member>, files: &[PathBuf], remark: &mut dyn FnMut(&str)) -> Vec<Vec<Member>> {
    // Who can not be read says so when it is analysed; a pipe can not be read twice.
    let read = |mut member: Member| {
        let path = &files[member.at];
        std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        member.extent = Extent::of(std::fs::File::open(path).ok()?).ok()?;
        Some(member)
    };
    let (mut members, empty): (Vec<Member>, Vec<Member>) =
        group.into_iter().filter_map(read).partition(|member| member.extent.times.is_some());
    members.sort_by_key(|member| {
        let first = member.extent.times.filter(|_| !member.extent.is_recorded());
        (first.map(|[first, _]| first), member.order.clone())
    });
    let numbers = Numbers::of(&members, &empty);
    let mut chains: Vec<Vec<Member>> = Vec::new();
    for member in members {
        // The one that reaches the furthest is the likeliest to be gone on from.
        chains.sort_by_key(|chain| chain.last().and_then(|last| last.extent.times).map(|[_, l]| l));
        let obstacle = |chain: &Vec<Member>| {
            chain.last().and_then(|last| {
                numbers
                    .obstacle(&last.order, &member.order)
                    .or_else(|| last.extent.obstacle(&member.extent))
            })
        };
        if let Some(chain) = chains.iter_mut().rev().find(|chain| obstacle(chain).is_none()) {
            chain.push(member);
            continue;
        }
        let behind = chains.last().and_then(|chain| Some((chain.last()?, obstacle(chain)?)));
        if let Some((last, why)) = behind {
            let [one, other] = [&files[last.at], &files[member.at]].map(|path| path.display());
            remark(&format!("rdpwhy: {other} is not read on from {one}: {why}"));
        }
        chains.push(vec![member]);
    }
    chains
}

/// The numbers that the files of one stem have.
struct Numbers {
    highest: u64,
    /// Those of files without a packet: nothing is missing where they are.
    empty: HashSet<u64>,
}

impl Numbers {
    fn of(members: &[Member], empty: &[Member]) -> Numbers {
        let number = |member: &Member| match member.order {
            Order::Number { number, .. } => Some(number),
            Order::Time(_) => None,
        };
        let all = members.iter().chain(empty).filter_map(number);
        Numbers {
            highest: all.max().unwrap_or(0),
            empty: empty.iter().filter_map(number).collect(),
        }
    }

    /// Why a file is not the next one by its name; `None` where it is.
    fn obstacle(&self, one: &Order, next: &Order) -> Option<&'static str> {
        let follows = match (one, next) {
            (
                Order::Number { number: one, wraps },
                Order::Number { number: next, wraps: numbered },
            ) => {
                let turns = *wraps && *numbered && *one == self.highest && *next == 0;
                let near = one < next && (one + 1..*next).all(|gap| self.empty.contains(&gap));
                near || (turns && one != next)
            }
            (one, next) => one < next,
        };
        (!follows).then_some("it is not the next one by its name")
    }
}

/// A few names, or the first and the last of many.
fn list(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    match names.as_slice() {
        [first, .., last] if names.len() > 3 => {
            format!("{} files, {first} to {last},", names.len())
        }
        _ => names.join(", "),
    }
}
