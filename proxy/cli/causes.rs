//! `rdpwhy causes`: the rows this build can tell.

use std::process::ExitCode;

use rdpwhy_analyzer::detect::{ALL, Kind};

use crate::error::Error;

/// The catalogue of phenomena and causes that this build can tell
#[derive(clap::Args)]
pub struct Args {
    /// Form of the result
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// One row as it is printed.
#[derive(serde::Serialize)]
struct Row {
    id: &'static str,
    kind: &'static str,
    class: rdpwhy_analyzer::detect::Class,
    explains: &'static [&'static str],
    remedy: &'static str,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let rows: Vec<Row> = ALL
        .iter()
        .map(|row| Row {
            id: row.id,
            kind: kind(row.kind),
            class: row.class,
            explains: row.explains,
            remedy: row.remedy,
        })
        .collect();
    match args.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&rows).map_err(|e| Error::Result(e.into()))?;
            println!("{json}");
        }
        Format::Text => {
            for row in rows {
                let class = serde_json::to_value(row.class).unwrap_or_default();
                println!("{:28} {:11} {}", row.id, row.kind, class.as_str().unwrap_or_default());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Phenomenon => "phenomenon",
        Kind::Cause => "cause",
        Kind::Definition => "both",
        Kind::Note => "note",
    }
}
