//! Keeps the files of a run: captures, what the program said, and the label.

use crate::recipe::Plan;
use crate::results::Sample;
use crate::stage::Played;
use std::fmt::Write;
use std::path::Path;

/// Copies everything to `to`.
pub fn keep(to: &Path, plan: &Plan, played: &Played, samples: &[Sample], from: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    let server = plan.faulty_server.as_ref().unwrap_or(&plan.server);
    let mut label = format!("server: {server:?}\nclients: {:?}\n", plan.callers);
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
    let said: String = samples.iter().fold(String::new(), |mut text, sample| {
        let one = &sample.judged;
        writeln!(
            text,
            "{:?}, {:?}: {}\n{:#?}",
            one.vantage,
            sample.damage,
            one.complaint(),
            one.said
        )
        .unwrap();
        text
    });
    std::fs::write(to.join("judged.txt"), said).unwrap();
}
