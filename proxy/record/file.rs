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
    /// No file yet.
    pub fn new(ring: Ring) -> Files {
        Files { ring, written: VecDeque::new(), number: 0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_keeps_its_newest_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.pcapng");
        let mut files = Files::new(Ring { path, files: Some(2), size: 100 });
        for _ in 0..4 {
            files.next().unwrap();
        }
        let mut names: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["case.00003.pcapng", "case.00004.pcapng"]);
        assert!(files.is_full(100) && !files.is_full(99));
    }
}
