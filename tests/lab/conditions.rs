//! The figures under other conditions: each vantage by itself, worse captures, the other version of the Internet
//! Protocol.

use crate::degrade::{DAMAGES, Damage};
use crate::draw::Half;
use crate::report::share;
use crate::results::{Reliability, Sample, Tally, ratio, rows};
use crate::topology::Ip;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A condition, and which samples were made under it.
struct Condition {
    name: String,
    holds: Box<dyn Fn(&Sample) -> bool>,
}

/// All the tables.
pub fn tables(samples: &[Sample]) -> String {
    let conditions = conditions();
    let mut text = String::from(
        "\n## Under other conditions\n\nThe relay's packets (V3), its packets taken away (V2), and a single capture instead (V1); V1 \
         and V6 with damaged captures, where to abstain is right if the facts are gone; and \
         every vantage over IPv4 and IPv6.\n",
    );
    for half in [Half::HeldOut, Half::Training] {
        let of_half: Vec<&Sample> = samples.iter().filter(|s| s.half == half).collect();
        if !of_half.is_empty() {
            write!(text, "\n### The {} half\n", half.name()).unwrap();
            text += &figures(&conditions, &of_half);
        }
    }
    let held_out: Vec<&Sample> = samples.iter().filter(|s| s.half == Half::HeldOut).collect();
    text + &per_row(&conditions, &held_out)
}

fn conditions() -> Vec<Condition> {
    let of_vantage = |class: &'static str| Condition {
        name: class.to_owned(),
        holds: Box::new(move |s| s.damage == Damage::None && s.judged.vantage.class() == class),
    };
    let damaged = |class: &'static str, damage: Damage| Condition {
        name: format!("{class}, {}", damage.name()),
        holds: Box::new(move |s| s.damage == damage && s.judged.vantage.class() == class),
    };
    let over = |name: &str, ip: Ip| Condition {
        name: name.to_owned(),
        holds: Box::new(move |s| s.damage == Damage::None && s.ip == ip),
    };
    let vantages = ["V6", "V3", "V2", "V1"].map(of_vantage);
    let damages = ["V1", "V6"].map(|class| DAMAGES.map(|damage| damaged(class, damage)));
    vantages
        .into_iter()
        .chain(damages.into_iter().flatten())
        .chain([over("IPv4", Ip::V4), over("IPv6", Ip::V6)])
        .collect()
}

fn figures(conditions: &[Condition], samples: &[&Sample]) -> String {
    let mut text = String::from(
        "\n| condition | samples | top-1 | top-3 | abstained | party | step | closer | ECE (what) | Brier (what) | \
         accusations of the innocent |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for Condition { name, holds } in conditions {
        let of: Vec<&Sample> = samples.iter().filter(|s| holds(s)).copied().collect();
        let faults: Vec<&Sample> = of.iter().filter(|s| s.is_fault()).copied().collect();
        let asked: Vec<&Sample> = of.iter().filter(|s| s.asks()).copied().collect();
        let answers = Tally::answers(asked.iter().copied());
        let marks = |mark: fn(&Sample) -> crate::judge::Mark| {
            Tally::of(faults.iter().map(|s| mark(s))).accuracy()
        };
        let claims = Reliability::of(of.iter().copied(), 0);
        let innocent = of.iter().filter(|s| !s.is_fault() && s.accuses()).count();
        let shares = [
            answers.accuracy(),
            ratio(asked.iter().filter(|s| s.among(3)).count(), asked.len()),
            answers.abstention(),
            marks(|s| s.judged.marks.party),
            marks(|s| s.judged.marks.reached),
            marks(|s| s.judged.marks.from),
            claims.ece(),
            claims.brier(),
        ];
        let cells = shares.map(share).join(" | ");
        writeln!(text, "| {name} | {} | {cells} | {innocent} |", asked.len()).unwrap();
    }
    text
}

/// Recall, precision and support of each row under each condition.
fn per_row(conditions: &[Condition], samples: &[&Sample]) -> String {
    let columns: Vec<BTreeMap<String, _>> = conditions
        .iter()
        .map(|condition| {
            let of: Vec<&Sample> =
                samples.iter().filter(|s| (condition.holds)(s)).copied().collect();
            rows(&of)
        })
        .collect();
    let ids: BTreeSet<&String> = columns.iter().flat_map(BTreeMap::keys).collect();
    let names: Vec<&str> = conditions.iter().map(|condition| condition.name.as_str()).collect();
    let mut text = format!(
        "\nEach row of the held-out half: recall / precision (support).\n\n| row | {} |\n|---{}|\n",
        names.join(" | "),
        "|---".repeat(names.len())
    );
    for id in ids {
        let cells = columns.iter().map(|rows| {
            rows.get(id).map_or_else(String::new, |row| {
                format!("{} / {} ({})", share(row.recall()), share(row.precision()), row.support)
            })
        });
        writeln!(text, "| {id} | {} |", cells.collect::<Vec<_>>().join(" | ")).unwrap();
    }
    text
}
