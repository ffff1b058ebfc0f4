//! Keeps the files of a run: captures, what the program said, and the label.

use crate::judge::Judged;
use crate::recipe::Plan;
use crate::stage::Played;
use std::fmt::Write;
use std::path::Path;

/// Copies everything to `to`.
pub fn keep(to: &Path, plan: &Plan, played: &Played, judged: &[Judged], from: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    let mut label = String::new();
    for (name, value) in &plan.notes {
        writeln!(label, "{name}: {value}").unwrap();
    }
    for rule in &plan.labels {
        writeln!(label, "{rule:#?}").unwrap();
    }
    for client in &played.clients {
        writeln!(label, "client: {client:#?}").unwrap();
    }
    writeln!(label, "server: {}", played.server_log).unwrap();
    std::fs::write(to.join("label.txt"), label).unwrap();
    let said: String = judged.iter().fold(String::new(), |mut text, one| {
        writeln!(text, "{:?}: {}\n{:#?}", one.vantage, one.complaint(), one.said).unwrap();
        text
    });
    std::fs::write(to.join("judged.txt"), said).unwrap();
}
