//! The files of a recording: one, or a ring of them.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// How a recording is spread over files.
#[derive(Clone, Debug)]
pub struct Ring {
    /// The file named by the user; numbers go before its extension.
    pub path: PathBuf,
    /// Keep this many files; `None` for one file without end.
    pub files: Option<usize>,
    /// Start a new file beyond this many bytes.
    pub size: u64,
}

/// The files written so far.
#[derive(Debug)]
pub struct Files {
    ring: Ring,
    written: VecDeque<PathBuf>,
    number: u64,
}

impl Files {
    /// No file yet of this recording. A ring goes on where an earlier one of this name ended, and its files are the
    /// oldest of this one.
    pub fn new(ring: Ring) -> Files {
        let earlier = ring.files.map_or_else(Vec::new, |_| earlier(&ring.path));
        let number = earlier.last().map_or(0, |(number, _)| *number);
        let written = earlier.into_iter().map(|(_, path)| path).collect();
        Files { ring, written, number }
    }

    /// Opens the next file; of a ring the oldest one beyond its number is removed.
    pub fn next(&mut self) -> io::Result<File> {
        self.number += 1;
        let path = match self.ring.files {
            None => self.ring.path.clone(),
            Some(_) => numbered(&self.ring.path, self.number),
        };
        let file = create(&path)?;
        self.written.push_back(path);
        while self.ring.files.is_some_and(|most| self.written.len() > most) {
            if let Some(oldest) = self.written.pop_front()
                && let Err(error) = std::fs::remove_file(&oldest)
            {
                // Somebody may have taken it away already; the recording is none the worse for it.
                tracing::warn!("can not remove {}: {error}", oldest.display());
            }
        }
        Ok(file)
    }

    /// True when a file of this size is full.
    pub fn is_full(&self, bytes: u64) -> bool {
        self.ring.files.is_some() && bytes >= self.ring.size
    }
}

/// A recording can hold names in clear: only its owner may read it.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A file that was there before has kept its mode. A device's mode is not ours.
        if file.metadata()?.is_file() {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
}

/// `case.pcapng` and 3 give `case.00003.pcapng`.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let extension = path.extension().map_or("pcapng".into(), |e| e.to_string_lossy().into_owned());
    path.with_extension(format!("{number:05}.{extension}"))
}

/// The files of rings of this name that are there, by their numbers.
fn earlier(path: &Path) -> Vec<(u64, PathBuf)> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let Ok(entries) = std::fs::read_dir(folder.unwrap_or(Path::new("."))) else {
        return Vec::new();
    };
    let number = |found: &Path| {
        // The number stands before the extension.
        let digits = found.file_stem()?.to_str()?.rsplit_once('.')?.1;
        let number = digits.parse().ok()?;
        (numbered(path, number).file_name() == found.file_name()).then_some(number)
    };
    let found = entries.flatten().map(|entry| path.with_file_name(entry.file_name()));
    let mut files: Vec<_> = found.filter_map(|found| Some((number(&found)?, found))).collect();
    files.sort_unstable();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_ring_keeps_its_newest_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.pcapng");
        let mut files = Files::new(Ring { path, files: Some(2), size: 100 });
        for _ in 0..4 {
            files.next().unwrap();
        }
        assert_eq!(names(folder.path()), ["case.00003.pcapng", "case.00004.pcapng"]);
        assert!(files.is_full(100) && !files.is_full(99));
    }

    #[test]
    fn a_ring_goes_on_where_an_earlier_one_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.pcapng");
        let others = ["case.pcapng", "case.7.pcapng", "case.00009.pcap", "other.00012.pcapng"];
        for name in [&others[..], &["case.00007.pcapng", "case.00008.pcapng"]].concat() {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let mut files = Files::new(Ring { path, files: Some(2), size: 100 });
        let ours = || -> Vec<String> {
            names(folder.path()).into_iter().filter(|name| !others.contains(&&**name)).collect()
        };
        files.next().unwrap();
        assert_eq!(ours(), ["case.00008.pcapng", "case.00009.pcapng"]);
        files.next().unwrap();
        assert_eq!(ours(), ["case.00009.pcapng", "case.00010.pcapng"]);
        for name in others {
            assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), name);
        }
    }
}
