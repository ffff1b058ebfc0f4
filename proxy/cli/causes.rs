//! `rdpwhy causes`: the catalogue, and what is proven of it.

use std::process::ExitCode;

use rdpwhy_analyzer::catalogue::{At, ROWS, Row, Status, measured};
use rdpwhy_analyzer::detect::{Class, Detector, Kind, rows};

use crate::error::Error;
use crate::output::print;

/// The catalogue of phenomena and causes, and what is proven of each
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
struct Printed {
    id: &'static str,
    class: Class,
    /// Vantages that establish it, and those that only suggest it.
    vantages: Vantages,
    status: Status,
    precision: Option<f64>,
    recall: Option<f64>,
    support: u64,
    kind: Option<&'static str>,
    explains: &'static [&'static str],
    remedy: Option<&'static str>,
}

#[derive(serde::Serialize)]
struct Vantages {
    establish: Vec<&'static str>,
    suggest: Vec<&'static str>,
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let rows: Vec<Printed> = ROWS.iter().map(printed).collect();
    match args.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&rows).map_err(|e| Error::Result(e.into()))?;
            print(&(json + "\n"))?;
        }
        Format::Text => print(&table(&rows))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn printed(row: &Row) -> Printed {
    let names = |vantages: &[At]| vantages.iter().map(|vantage| vantage.name()).collect();
    let detector = rows().find(|detector| detector.id == row.id);
    let figures = measured(row.id);
    Printed {
        id: row.id,
        class: row.class,
        vantages: Vantages { establish: names(row.establish), suggest: names(row.suggest) },
        status: row.status(),
        precision: figures.and_then(|figures| figures.precision),
        recall: figures.and_then(|figures| figures.recall),
        support: figures.map_or(0, |figures| figures.support),
        kind: detector.map(kind),
        explains: detector.map_or(&[], |detector| detector.explains),
        remedy: detector.map(|detector| detector.remedy),
    }
}

fn kind(detector: &Detector) -> &'static str {
    match detector.kind {
        Kind::Phenomenon => "phenomenon",
        Kind::Cause => "cause",
        Kind::Definition => "both",
        Kind::Note => "note",
    }
}

fn table(rows: &[Printed]) -> String {
    let figure = |figure: Option<f64>| figure.map_or("-".to_owned(), |it| format!("{it:.2}"));
    let mut text = format!(
        "{:29} {:14} {:18} {:19} {:>9} {:>7} {:>8}\n",
        "id", "class", "vantages", "status", "precision", "recall", "support"
    );
    for row in rows {
        let class = serde_json::to_value(row.class).unwrap_or_default();
        let suggest = row.vantages.suggest.iter().map(|name| format!("({name})"));
        let seen: Vec<String> =
            row.vantages.establish.iter().map(|&name| name.to_owned()).chain(suggest).collect();
        let status = match row.status {
            Status::Proven => "proven",
            Status::SpecificationOnly => "specification only",
            Status::Planned => "planned",
        };
        text += &format!(
            "{:29} {:14} {:18} {status:19} {:>9} {:>7} {:>8}\n",
            row.id,
            class.as_str().unwrap_or_default(),
            seen.join(" "),
            figure(row.precision),
            figure(row.recall),
            row.support
        );
    }
    text + "\n(V1) in brackets: a vantage that only suggests it. V1 a capture, V2 the relay, V3 the relay with --packets,\n\
           V4 decrypted, V5 a probe, V6 captures from both ends; V4 and V5 are not built yet.\n"
}
