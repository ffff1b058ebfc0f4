//! What the program says at each vantage of a run that is over.

use crate::recipe::{RELAY_PORT, Vantage};
use crate::stage::{House, Played};
use crate::support::process::{Process, command};
use crate::support::{json, text_of};
use crate::topology::Port;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// The objects at a vantage, in order of time; `None` where the program has no such vantage.
pub fn look(
    house: &House,
    played: &Played,
    vantage: Vantage,
    port: u16,
    folder: &Path,
) -> Option<Vec<Value>> {
    let file = |place: &Port| played.captures.get(place).map(|file| text_of(file));
    match vantage {
        Vantage::Relay if !played.packets => Some(in_time(played.relay.clone())),
        Vantage::RelayPackets if played.packets => Some(in_time(played.relay.clone())),
        Vantage::Relay | Vantage::RelayPackets => None,
        Vantage::At(place) => Some(analyze(house, &[&file(&place)?], port, folder)),
        Vantage::Pair(client, server) if house.has_pairs => {
            let files = ["--client-side", &file(&client)?, "--server-side", &file(&server)?];
            Some(analyze(house, &files, port, folder))
        }
        Vantage::Pair(..) => None,
    }
}

/// The ports whose captures a vantage looks at, the client's side first; none where the relay tells its own.
pub fn captures_for(vantage: Vantage) -> Vec<Port> {
    match vantage {
        Vantage::At(port) => vec![port],
        Vantage::Pair(client, server) => vec![client, server],
        Vantage::Relay | Vantage::RelayPackets => Vec::new(),
    }
}

/// Runs `rdpwhy analyze` with these arguments.
pub fn analyze(house: &House, files: &[&str], port: u16, folder: &Path) -> Vec<Value> {
    let results = tempfile::NamedTempFile::new_in(folder).unwrap();
    let log = results.path().with_extension("log");
    let mut command = command(&house.rdpwhy);
    command.args(["analyze", "--format", "jsonl"]).args(files);
    command.args(["--port", &port.to_string(), "--port", &RELAY_PORT.to_string()]);
    command.env("HOME", folder).env("XDG_CONFIG_HOME", folder.join("config"));
    command.stdin(Stdio::null()).stdout(results.reopen().unwrap());
    command.stderr(std::fs::File::create(&log).unwrap());
    let mut process = Process::spawn(&mut command, &log);
    let code = process.wait(Duration::from_secs(60)).and_then(|status| status.code());
    // 0, 3, 4 and 5 are answers.
    assert!(
        matches!(code, Some(0 | 3 | 4 | 5)),
        "analyze {files:?}: {code:?} {}",
        process.output()
    );
    in_time(json::latest(&json::lines(&std::fs::read_to_string(results.path()).unwrap())))
}

fn in_time(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(|object| json::text(object, "/started"));
    objects
}
