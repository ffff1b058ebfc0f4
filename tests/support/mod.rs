//! Real RDP peers for the tests: servers and clients as the distribution ships them, each with
//! its own port, files and home, ended with the test that started it.
//!
//! A peer that is not installed makes its test a skip that `tests/run` counts; with `RDPWHY_CI=1`
//! it makes the test fail. Nothing here looks at a fixed port or a pid file, so two runs can go
//! side by side.

pub mod certs;
pub mod clients;
pub mod contract;
pub mod desktop;
pub mod display;
pub mod endpoints;
pub mod ends;
pub mod expected;
pub mod forge;
pub mod haproxy;
pub mod json;
pub mod namespaces;
pub mod place;
pub mod process;
pub mod rdpwhy;
pub mod rows;
pub mod running;
pub mod shadow;
pub mod tshark;
pub mod xrdp;

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Whether this is the run that may not skip anything.
fn in_ci() -> bool {
    std::env::var_os("RDPWHY_CI").is_some_and(|value| value == "1")
}

/// Says that a test cannot run here: in CI a failure, elsewhere a line in the file `tests/run`
/// counts (`RDPWHY_SKIPS`).
pub fn skip(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(!in_ci(), "{test}: {reason}, and RDPWHY_CI=1 allows no skip");
    lacking(reason);
}

/// Says that a test lacks what no machine has to have: a line in the same file, and never a failure.
pub fn lacking(reason: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("SKIPPED: {test}: {reason}\n");
    eprint!("{line}");
    if let Some(file) = std::env::var_os("RDPWHY_SKIPS") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        // One write, so that the lines of tests running at once do not mix.
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// Looks a program up in PATH and in the system folders PATH often lacks.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// A program the test needs, or `None` after a skip was noted.
pub fn need(name: &str) -> Option<PathBuf> {
    let found = find_program(name);
    if found.is_none() {
        skip(&format!("{name} is not installed"));
    }
    found
}

/// Where `tests/run` unpacked FreeRDP 3, or `None` after a skip was noted.
pub fn need_freerdp3(program: &str) -> Option<PathBuf> {
    let found = freerdp3_root().map(|root| root.join("usr/bin").join(program));
    let found = found.filter(|file| file.is_file());
    if found.is_none() {
        skip(&format!("FreeRDP 3 ({program}) is not there: `tests/run install` unpacks it"));
    }
    found
}

/// The folder of FreeRDP 3: `RDPWHY_FREERDP3`, else the cache folder of `tests/run`.
pub fn freerdp3_root() -> Option<PathBuf> {
    if let Some(root) = std::env::var_os("RDPWHY_FREERDP3") {
        return Some(root.into());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    Some(cache.or_else(home)?.join("rdpwhy-tests/freerdp3"))
}

/// The environment FreeRDP 3 needs to run from its own folder: its libraries, and an OpenSSL
/// configuration with the legacy provider (without MD4 and RC4 there is no NTLM, so no NLA).
pub fn freerdp3_env(scratch: &Path) -> Vec<(String, String)> {
    let config = scratch.join("openssl-providers.cnf");
    let text = "openssl_conf = init\n[init]\nproviders = list\n[list]\ndefault = on\n\
                legacy = on\n[on]\nactivate = 1\n";
    std::fs::write(&config, text).unwrap();
    vec![
        ("LD_LIBRARY_PATH".into(), text_of(&freerdp3_libraries().unwrap_or_default())),
        ("OPENSSL_CONF".into(), text_of(&config)),
    ]
}

/// The folder of FreeRDP 3's libraries.
pub fn freerdp3_libraries() -> Option<PathBuf> {
    let entries = std::fs::read_dir(freerdp3_root()?.join("usr/lib")).ok()?;
    let mut folders = entries.flatten().map(|entry| entry.path());
    folders.find(|path| path.to_string_lossy().ends_with("-linux-gnu"))
}

/// A path as a text argument.
pub fn text_of(path: &Path) -> String {
    path.to_str().expect("the temporary folder has a plain name").to_owned()
}

/// A folder of the test's own, removed with it.
pub fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("rdpwhy-test-").tempdir().unwrap()
}

/// A TCP port on the loopback address that nothing listens on. It lies below the ports the
/// kernel gives to outgoing connections, so that none of these can take it meanwhile, and each
/// test process starts looking at another place.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u32 = 15_000;
    const COUNT: u32 = 16_000;
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + (std::process::id().wrapping_mul(97) + step) % COUNT;
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

/// Whether something listens on this port, read from the kernel's tables: a connection made to
/// find out would be a session to the server.
pub fn listens(port: u16) -> bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let table = tables.map(|table| std::fs::read_to_string(table).unwrap_or_default()).concat();
    listening(&table, port)
}

/// Whether this table of `/proc/net` has a listener on the port.
fn listening(table: &str, port: u16) -> bool {
    let local = format!(":{port:04X} ");
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let address = fields.next().unwrap_or_default();
        // 0A is TCP_LISTEN.
        format!("{address} ").ends_with(&local) && fields.nth(1) == Some("0A")
    })
}

/// Waits until `ready`, for at most `limit`; says whether it came.
pub fn wait_until(limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if ready() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(15));
    }
}
