//! The architecture's rules, held by a test: what may import what, where clocks and files may be named,
//! how long a file may get.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder of the project, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    assert!(!files.is_empty(), "no source below {folder}");
    files
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = body.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test_file(path: &Path) -> bool {
    // Of a checkout below a folder of such a name not every file is one.
    let name = path.strip_prefix(root()).unwrap_or(path).to_string_lossy();
    name.ends_with("tests.rs")
        || name.contains("/tests/")
        || name.contains("testing")
        || name.ends_with("samples.rs")
        || name.ends_with("_tests.rs")
}

/// First-level modules named behind `prefix::` in the code, in any form of `use` or path.
fn named_modules(code: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&format!("{prefix}::")) {
        let rest = &code[at + prefix.len() + 2..];
        if let Some(list) = rest.strip_prefix('{') {
            found.extend(first_level(list).iter().filter_map(|name| first_word(name)));
        } else {
            found.extend(first_word(rest));
        }
    }
    found
}

/// The parts of a list in braces, behind its first one: of lists within it what stands before them.
fn first_level(list: &str) -> Vec<String> {
    let (mut depth, mut parts) = (1, vec![String::new()]);
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => parts.push(String::new()),
            _ if depth == 1 => parts.last_mut().unwrap().push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    parts
}

fn first_word(text: &str) -> Option<String> {
    let word: String =
        text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// Where the code below `folder` names any of these words.
fn naming(folder: &str, words: &[&str]) -> Vec<String> {
    let sources = sources(folder).into_iter().filter(|(path, _)| !is_test_file(path));
    sources
        .flat_map(|(path, text)| {
            let code = code(&text);
            let named = words.iter().filter(|word| code.contains(**word));
            named.map(|word| format!("{} names {word}", path.display())).collect::<Vec<_>>()
        })
        .collect()
}

/// Files below `folder` name nothing behind `prefix::` but what is allowed.
fn only(folder: &str, prefix: &str, allowed: &[&str]) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in sources(folder) {
        if is_test_file(&path) {
            continue;
        }
        for module in named_modules(&code(&text), prefix) {
            if !allowed.contains(&module.as_str()) {
                broken.push(format!("{} names {prefix}::{module}", path.display()));
            }
        }
    }
    broken
}

fn assert_none(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn wire_formats_know_nothing_but_wire_formats() {
    assert_none(only("analyzer/src/wire", "crate", &["wire"]));
}

#[test]
fn detectors_see_facts_and_values_only() {
    // The tables of codes look at no connection: they are values.
    let allowed = ["case", "codes", "detect", "diff", "event", "facts", "input", "wire"];
    assert_none(only("analyzer/src/detect", "crate", &allowed));
}

#[test]
fn reports_import_no_parser() {
    // The counters of sockets and segments come in by one door and go out by the other as they are.
    assert_none(only("analyzer/src/report", "crate", &["input", "report"]));
}

#[test]
fn the_relay_knows_of_the_engine_only_its_door() {
    assert_none(only("proxy/relay", "rdpwhy_analyzer", &["facts", "input", "session"]));
    assert_none(only("proxy/relay", "rdpwhy_captures", &[]));
}

#[test]
fn the_engine_touches_no_clock_file_socket_or_thread() {
    let banned = [
        "std::fs",
        "std::io",
        "std::thread",
        "std::env",
        "std::process",
        "TcpStream",
        "UdpSocket",
        "Instant::now",
        "SystemTime",
        "println!",
        "eprintln!",
        "tokio",
        "rustls",
        "pcap_file",
    ];
    assert_none(naming("analyzer/src", &banned));
}

#[test]
fn captures_are_read_and_written_through_what_they_are_given() {
    let banned = [
        "std::fs",
        "std::net::Tcp",
        "std::thread",
        "Instant::now",
        "SystemTime",
        "tokio",
        "rustls",
    ];
    assert_none(naming("captures/src", &banned));
}

#[test]
fn wall_clock_time_comes_from_one_place() {
    let broken = sources("proxy")
        .into_iter()
        .filter(|(path, text)| {
            code(text).contains("SystemTime::now") && !path.ends_with("clock.rs")
        })
        .map(|(path, _)| format!("{} asks the wall clock", path.display()))
        .collect();
    assert_none(broken);
}

#[test]
fn every_detector_file_is_in_the_table() {
    let table = fs::read_to_string(root().join("analyzer/src/detect/mod.rs")).unwrap();
    let helpers =
        ["mod", "opinion", "who", "battery", "certificate", "insistence", "stalled", "tests"];
    let mut broken = Vec::new();
    for (path, _) in sources("analyzer/src/detect") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.parent().is_some_and(|folder| folder.ends_with("detect"))
            && !helpers.contains(&name.as_str())
            && !table.contains(&format!("    {name}::"))
        {
            broken.push(format!("{name} is not in ALL"));
        }
    }
    assert_none(broken);
}

#[test]
fn every_row_on_two_captures_is_in_the_table() {
    let table = fs::read_to_string(root().join("analyzer/src/detect/pair/mod.rs")).unwrap();
    let mut broken = Vec::new();
    for (path, text) in sources("analyzer/src/detect/pair") {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        for row in text.split("pub const ").skip(1).filter(|row| row.contains(": Detector = ")) {
            let name = first_word(row).unwrap_or_default();
            if !table.contains(&format!("    {file}::{name},")) {
                broken.push(format!("{name} of {} is not in ALL", path.display()));
            }
        }
    }
    assert_none(broken);
}

#[test]
fn unsafe_code_lives_in_the_modules_of_operating_systems() {
    let mut broken = Vec::new();
    for folder in ["proxy", "analyzer/src", "captures/src"] {
        for (path, text) in sources(folder) {
            let lives_there = path.parent().is_some_and(|folder| folder.ends_with("proxy/os"));
            let code = code(&text);
            let holds = ["unsafe {", "unsafe impl", "unsafe fn", "unsafe extern"]
                .iter()
                .any(|word| code.contains(word));
            if holds && !lives_there {
                broken.push(format!("{} holds unsafe code", path.display()));
            }
        }
    }
    assert_none(broken);
}

#[test]
fn files_stay_readable_and_nothing_is_left_open() {
    const LONGEST: usize = 460;
    // Spelled apart, so that this file does not find itself.
    let open = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[ig", "nore")];
    let mut broken = Vec::new();
    for folder in ["proxy", "analyzer/src", "captures/src", "tests"] {
        for (path, text) in sources(folder) {
            let lines = text.lines().count();
            if lines > LONGEST {
                broken.push(format!("{} has {lines} lines", path.display()));
            }
            broken.extend(
                open.iter()
                    .filter(|word| text.contains(**word))
                    .map(|word| format!("{} holds {word}", path.display())),
            );
        }
    }
    assert_none(broken);
}

#[test]
fn every_sample_has_its_row() {
    let folder = root().join("captures/samples");
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let missing = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md" && !readme.contains(&format!("`{name}`")))
        .map(|name| format!("captures/samples/{name} has no row in its README"))
        .collect();
    assert_none(missing);
}
