//! What is asked for on the command line.

use crate::peers::Kind;

/// The groups of workloads.
pub const GROUPS: [&str; 5] = ["bulk", "interactive", "churn", "idle", "record"];

/// The command line.
pub struct Options {
    /// How often every relay has its turn.
    pub rounds: usize,
    /// Groups of workloads.
    pub only: Vec<String>,
    /// Relays, by their names with `-` for a blank; none means all.
    pub relays: Vec<String>,
    /// Keep the tables in benches/RESULTS.md.
    pub write: bool,
    /// One round, tiny sizes.
    pub smoke: bool,
}

impl Options {
    /// Reads the process's arguments. Without `--bench`, which `cargo bench` gives, it is a test run.
    pub fn read() -> Result<Options, String> {
        let mut options = Options {
            rounds: 5,
            only: GROUPS.map(str::to_owned).to_vec(),
            relays: Vec::new(),
            write: false,
            smoke: true,
        };
        let mut small = false;
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => options.smoke = false,
                "--smoke" => small = true,
                "--write" => options.write = true,
                "--rounds" => {
                    options.rounds = value()?.parse().map_err(|e| format!("--rounds: {e}"))?;
                }
                "--only" => options.only = list(&value()?),
                "--relays" => options.relays = list(&value()?),
                other => return Err(format!("unknown argument {other}")),
            }
        }
        if let Some(wrong) = options.only.iter().find(|name| !GROUPS.contains(&name.as_str())) {
            return Err(format!("no workload is called {wrong}; there are {}", GROUPS.join(", ")));
        }
        options.smoke |= small;
        if options.smoke {
            options.rounds = 1;
        }
        Ok(options)
    }

    /// True when this relay shall run.
    pub fn wants(&self, kind: Kind) -> bool {
        self.relays.is_empty() || self.relays.contains(&kind.name().replace(' ', "-"))
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|item| item.trim().to_owned()).collect()
}
