//! The secret that keys the hashes of user names: one per user of this program, so that live and offline
//! reports show the same user by the same word, and nobody else can guess names.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rdpwhy_analyzer::verdict::Identities;

/// Hashes keyed by the user's secret, which is made at the first use. Where no configuration folder can
/// be written, the key lives as long as the process, and a warning says so.
pub fn hashed() -> Identities {
    let key = match folder() {
        Some(folder) => load_or_make(&folder.join("identity.key")),
        None => Err(io::Error::other("no configuration folder is known")),
    };
    Identities::Hashed(key.unwrap_or_else(|error| {
        tracing::warn!("user hashes are of this run only: {error}");
        random().unwrap_or_default()
    }))
}

fn folder() -> Option<PathBuf> {
    let var =
        |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        var("APPDATA")
    } else {
        var("XDG_CONFIG_HOME").or_else(|| var("HOME").map(|home| home.join(".config")))
    };
    base.map(|base| base.join("rdpwhy"))
}

fn load_or_make(path: &Path) -> io::Result<[u8; 32]> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            match make(path) {
                // Another run of the program was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
                made => made,
            }
        }
        other => other,
    }
}

fn read(path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    std::fs::File::open(path)?.read_exact(&mut key)?;
    Ok(key)
}

fn make(path: &Path) -> io::Result<[u8; 32]> {
    let key = random()?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)?.write_all(&key)?;
    Ok(key)
}

fn random() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_made_once_and_then_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("identity.key");
        let first = load_or_make(&path).unwrap();
        assert_ne!(first, [0; 32]);
        assert_eq!(load_or_make(&path).unwrap(), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
