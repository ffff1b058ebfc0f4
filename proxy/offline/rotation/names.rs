//! What a file's name tells of a rotation: which one it may be of, and where in it the file stands.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A name as a rotation gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The same for all files of the rotation: folder and name, what counts replaced by `#`.
    pub stem: PathBuf,
    /// Where the file stands.
    pub order: Order,
}

/// The place of a file in its rotation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// A number; `wraps` where the writer starts again at 0 and overwrites.
    Number {
        /// The number.
        number: u64,
        /// tcpdump with `-W`.
        wraps: bool,
    },
    /// The digits of a date with a time, or of a Unix time.
    Time(String),
}

/// The names that files of rotations have, in the order of `files`.
///
/// `case.00002.pcapng` is ours, `case_00002_20260101120000.pcapng` dumpcap's with `-b`, `case.pcap2` behind
/// `case.pcap` or `case.pcap02` tcpdump's with `-C`, `case-20260101120000.pcap` tcpdump's with `-G`.
pub fn names(files: &[PathBuf]) -> Vec<Option<Name>> {
    let counted: Vec<Option<Name>> = files.iter().map(|path| named(path, counted)).collect();
    let stems: HashSet<&Path> = counted.iter().flatten().map(|name| name.stem.as_path()).collect();
    let whole = |path: &PathBuf| {
        let first =
            Name { stem: named(path, |plain| Some((plain.to_owned(), FIRST)))?.stem, order: FIRST };
        stems.contains(first.stem.as_path()).then_some(first)
    };
    files
        .iter()
        .zip(&counted)
        .map(|(path, name)| name.clone().or_else(|| whole(path)).or_else(|| named(path, timed)))
        .collect()
}

/// tcpdump's first file with `-C` has no number.
const FIRST: Order = Order::Number { number: 0, wraps: false };

/// Takes folder and compression away for `read`, which gives the name without what counts.
fn named(path: &Path, read: impl Fn(&str) -> Option<(String, Order)>) -> Option<Name> {
    let name = path.file_name()?.to_str()?;
    let compression = [".gz", ".zst"].into_iter().find(|end| name.ends_with(end)).unwrap_or("");
    let (stem, order) = read(name.strip_suffix(compression)?)?;
    Some(Name { stem: path.with_file_name(stem + compression), order })
}

fn counted(name: &str) -> Option<(String, Order)> {
    let (base, extension) = name.rsplit_once('.')?;
    dumpcap(base, extension).or_else(|| ours(base, extension)).or_else(|| tcpdump(base, extension))
}

fn dumpcap(base: &str, extension: &str) -> Option<(String, Order)> {
    let (rest, last) = base.rsplit_once('_')?;
    let (head, before) = rest.rsplit_once('_')?;
    let (number, stem) = if last.len() == 14 && is_time(last) {
        (before, format!("{head}_#_time.{extension}"))
    } else if before.len() == 14 && is_time(before) {
        (last, format!("{head}_time_#.{extension}"))
    } else {
        return None;
    };
    Some((stem, Order::Number { number: long_number(number)?, wraps: false }))
}

fn ours(base: &str, extension: &str) -> Option<(String, Order)> {
    let (head, number) = base.rsplit_once('.')?;
    let order = Order::Number { number: long_number(number)?, wraps: false };
    Some((format!("{head}.#.{extension}"), order))
}

fn tcpdump(base: &str, extension: &str) -> Option<(String, Order)> {
    let kind = extension.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = extension.strip_prefix(kind)?.parse().ok()?;
    let known = ["pcap", "pcapng", "cap", "dmp", "dump"].contains(&kind);
    known.then(|| (format!("{base}.{kind}"), Order::Number { number, wraps: true }))
}

/// The time stands at the end of the name, in digits with marks between.
fn timed(name: &str) -> Option<(String, Order)> {
    let (base, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let mut before = ' ';
    for (at, c) in base.char_indices() {
        let starts = c.is_ascii_digit() && !before.is_ascii_digit();
        before = c;
        let tail = &base[at..];
        if !starts || !tail.chars().all(|c| c.is_ascii_digit() || "-_:.T".contains(c)) {
            continue;
        }
        let digits: String = tail.chars().filter(char::is_ascii_digit).collect();
        if is_time(&digits) {
            let stem = tail.replace(|c: char| c.is_ascii_digit(), "#");
            return Some((format!("{}{stem}.{extension}", &base[..at]), Order::Time(digits)));
        }
    }
    None
}

/// Year to minute, or to second; or seconds since 1970 in this age of them.
fn is_time(digits: &str) -> bool {
    let field = |range: std::ops::Range<usize>| digits.get(range).and_then(|d| d.parse().ok());
    let within = |range, least: u8, most: u8| {
        field(range).is_some_and(|value: u8| (least..=most).contains(&value))
    };
    match digits.len() {
        10 => digits.starts_with('1') && digits.bytes().all(|b| b.is_ascii_digit()),
        12 | 14 => {
            digits.starts_with("20")
                && digits.bytes().all(|b| b.is_ascii_digit())
                && within(4..6, 1, 12)
                && within(6..8, 1, 31)
                && within(8..10, 0, 23)
                && within(10..12, 0, 59)
        }
        _ => false,
    }
}

/// dumpcap and we write five digits, and more only when five do not hold the number.
fn long_number(digits: &str) -> Option<u64> {
    let all = digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[&str]) -> Vec<Option<(String, Order)>> {
        let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
        let text = |name: Name| (name.stem.display().to_string(), name.order);
        names(&files).into_iter().map(|name| name.map(text)).collect()
    }

    fn number(stem: &str, number: u64, wraps: bool) -> Option<(String, Order)> {
        Some((stem.to_owned(), Order::Number { number, wraps }))
    }

    #[test]
    fn every_writer_counts_in_its_own_way() {
        let files = [
            "a/case.00003.pcapng",
            "case_00012_20260101120000.pcapng",
            "case_20260101120000_00012.pcapng.gz",
            "case.pcap",
            "case.pcap1",
            "case.pcap02",
        ];
        let want = [
            number("a/case.#.pcapng", 3, false),
            number("case_#_time.pcapng", 12, false),
            number("case_time_#.pcapng.gz", 12, false),
            number("case.pcap", 0, false),
            number("case.pcap", 1, true),
            number("case.pcap", 2, true),
        ];
        assert_eq!(read(&files), want);
    }

    #[test]
    fn a_time_in_the_name_is_a_rotation_by_time() {
        let time = |stem: &str, digits: &str| Some((stem.into(), Order::Time(digits.into())));
        let files = ["srv01-2026-01-31_12:00:00.pcap", "t1767268800.pcap"];
        let want = [
            time("srv01-####-##-##_##:##:##.pcap", "20260131120000"),
            time("t##########.pcap", "1767268800"),
        ];
        assert_eq!(read(&files), want);
    }

    #[test]
    fn digits_alone_are_no_rotation() {
        let files = [
            "session-tls12.pcap",
            "session-tls13.pcap",
            "case.pcap",
            "case-1.pcap",
            "10.0.0.1.pcap",
            "ticket-20269999120000.pcap",
            "case.txt1",
            "case.7.pcapng",
        ];
        assert_eq!(read(&files), vec![None; files.len()]);
    }
}
