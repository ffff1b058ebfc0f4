//! Programs of their own that make faults: those of the system, and those of `programs/`, which
//! know nothing of the program under test.

use crate::recipe::Ready;
use crate::support::process::{Process, command_in};
use crate::support::{freerdp3_libraries, freerdp3_root, need, skip, text_of, wait_until};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// Starts a program in a namespace and waits until it is ready; `None` where it is missing.
pub fn start(
    namespace: &str,
    program: &str,
    arguments: &[String],
    ready: Ready,
    folder: &Path,
) -> Option<Process> {
    let mut command = match program.rsplit_once('.') {
        Some((_, "c")) => command_in(Some(namespace), &compiled(program)?),
        Some((_, "py")) => {
            let mut python = command_in(Some(namespace), &need("python3")?);
            python.args(["-u", &text_of(&source(program))]);
            python
        }
        _ => command_in(Some(namespace), &need(program)?),
    };
    let number = std::fs::read_dir(folder).map_or(0, Iterator::count);
    let log = folder.join(format!("{}-{number}.log", program.replace('/', "-")));
    command.args(arguments).current_dir(folder).stdin(Stdio::piped());
    let output = std::fs::File::create(&log).unwrap();
    command.stdout(output.try_clone().unwrap()).stderr(output);
    let mut process = Process::spawn(&mut command, &log);
    let up = wait_until(Duration::from_secs(20), || {
        !process.runs()
            || match ready {
                Ready::Listens(port) => process.listens(port),
                Ready::Says(words) => process.output().contains(words),
                Ready::Acts => process.output().contains("ready"),
            }
    });
    assert!(up && process.runs(), "{program} {arguments:?} did not start: {}", process.output());
    Some(process)
}

/// Where the programs of the laboratory are.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/programs").join(name)
}

/// Compiles a C program once in the life of this process, to where cargo keeps what tests make. Another run may use
/// the one that was there, so it is put in its place whole.
fn compiled(name: &str) -> Option<PathBuf> {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let compiler = need("cc")?;
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(file) = built.get(name) {
        return Some(file.clone());
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(name.trim_end_matches(".c"));
    let made = folder.join(format!("{name}.{}", std::process::id()));
    let mut command = Command::new(compiler);
    command.args(["-O2", "-Wall", "-Werror", "-o", &text_of(&made), &text_of(&source(name))]);
    if name.starts_with("freerdp") {
        command.args(freerdp3_flags()?);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} does not compile: {errors}");
    std::fs::rename(&made, &file).unwrap();
    built.insert(name.to_owned(), file.clone());
    Some(file)
}

/// What a C compiler has to be told for a program of FreeRDP 3's libraries, or `None` after a skip was noted.
fn freerdp3_flags() -> Option<Vec<String>> {
    let include = freerdp3_root().map(|root| root.join("usr/include")).filter(|root| root.is_dir());
    let Some((include, libraries)) = include.zip(freerdp3_libraries()) else {
        skip("FreeRDP 3's headers are not there: `tests/run install` unpacks them");
        return None;
    };
    let mut flags: Vec<String> =
        ["freerdp3", "winpr3"].map(|name| format!("-I{}", text_of(&include.join(name)))).into();
    let libraries = text_of(&libraries);
    flags.extend(["-l:libfreerdp3.so.3", "-l:libwinpr3.so.3"].map(str::to_owned));
    // Found again when it runs, by the libraries themselves as well.
    flags.push(format!("-L{libraries}"));
    flags.push(format!("-Wl,-rpath,{libraries},--disable-new-dtags"));
    Some(flags)
}
