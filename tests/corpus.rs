//! The samples of captures/samples/: each was made by a recipe, and each is judged as its row in
//! `expected.tsv` says. The rows follow from how peers were set up, not from what was printed.

mod making;
mod recipes;

use recipes::RECIPES;
use std::path::{Path, PathBuf};

/// The folder of the samples.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/samples")
}

#[test]
fn recipes_make_samples() {
    let Some(folder) = std::env::var_os("RDPWHY_SAMPLES").map(PathBuf::from) else {
        return recipes_and_samples_belong_together();
    };
    let only = std::env::var("RDPWHY_SAMPLES_ONLY").unwrap_or_default();
    let only: Vec<&str> = only.split_whitespace().collect();
    let mut wrong = Vec::new();
    for recipe in RECIPES {
        if only.is_empty() || only.iter().any(|word| recipe.file.contains(word)) {
            println!("{}", recipe.file);
            match making::make(recipe, &folder) {
                Some(problems) => wrong.extend(problems),
                None => wrong.push(format!("{}: a peer is missing", recipe.file)),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Every capture has its recipe and every recipe its capture.
fn recipes_and_samples_belong_together() {
    let made: Vec<&str> = RECIPES.iter().map(|recipe| recipe.file).collect();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.contains(".pcap") && !made.contains(&name.as_str()) {
            wrong.push(format!("{name} has no recipe"));
        }
    }
    let missing = made.iter().filter(|name| !folder().join(name).is_file());
    wrong.extend(missing.map(|name| format!("{name} is not there")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
