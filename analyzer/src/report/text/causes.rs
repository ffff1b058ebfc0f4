//! The verdict of a failed connection: the sentence, the ranked causes with what speaks for and
//! against them, what is ruled out, what to check and what to do.

use std::borrow::Cow;
use std::fmt::Write;

use super::words::{NAME, SENTENCE, blank, clean, confidence, count, hanging, party};
use super::{BOLD, DIM, GREEN, RED, Style, YELLOW, paint, titled};
use crate::report::{Candidate, Connection, EvidenceItem};

/// Most causes, facts of one kind per cause, checks and notes that are listed.
const LISTED: usize = 6;
/// Column where the text of causes begins, and what stands before the facts there.
const INDENT: usize = 13;
const FOR: &str = "             + ";
const AGAINST: &str = "             - ";
const UNKNOWN: &str = "             ? ";

/// The sentence for the ticket, then the ids with their confidences.
pub(super) fn verdict(out: &mut String, c: &Connection, style: &Style) {
    let v = &c.verdict;
    let sentence = match v.sentence.is_empty() {
        true => "The connection failed; the input does not show why.".into(),
        false => clean(&v.sentence, SENTENCE),
    };
    out.push('\n');
    titled(out, style, RED, " WHY   ", &sentence);
    let who = match v.party.as_str() {
        "unknown" => None,
        known => Some(party(known)),
    };
    let place = v.between.as_ref().map_or(String::new(), |[near, far]| {
        format!(", between the captures {} and {}", clean(near, NAME), clean(far, NAME))
    });
    let answers = format!(
        "what: {} · who: {}{place} · cause: {}",
        sure(v.what.as_deref(), v.confidence.what),
        sure(who, v.confidence.who),
        sure(v.cause.as_deref(), v.confidence.why),
    );
    titled(out, style, DIM, "       ", &answers);
}

/// An answer with its confidence, or that there is none.
fn sure(answer: Option<&str>, value: f64) -> String {
    match (answer, confidence(value)) {
        (Some(answer), Some(word)) => format!("{} ({word})", clean(answer, NAME)),
        _ => "undecided".to_string(),
    }
}

/// Causes, best first, and what the facts exclude.
pub(super) fn ranking(out: &mut String, c: &Connection, style: &Style) {
    let mut told = Vec::new();
    observed(out, c, style, &mut told);
    if !c.causes.is_empty() {
        out.push('\n');
    }
    for (n, cause) in c.causes.iter().take(LISTED).enumerate() {
        let word = confidence(cause.confidence).unwrap_or_default();
        let head = format!("{:>2} {word:<9} ", n + 1);
        // What the sentence above says already is not said again.
        let says = match c.verdict.sentence.contains(&cause.says) {
            true => clean(&cause.id, NAME),
            false => {
                format!("{} ({})", clean(&cause.says, SENTENCE), clean(&cause.id, NAME)).into()
            }
        };
        titled(out, style, BOLD, &head, &says);
        facts(out, c, cause, style, &mut told);
    }
    if let Some(more) = c.causes.len().checked_sub(LISTED).filter(|more| *more > 0) {
        let line = format!("and {}", count(more as u64, "weaker cause", "weaker causes"));
        out.push_str(&format!("{:INDENT$}{line}\n", ""));
    }
    ruled_out(out, c, style, &mut told);
}

/// What was measured of the phenomenon itself, where no cause below cites it.
fn observed<'a>(out: &mut String, c: &'a Connection, style: &Style, told: &mut Vec<&'a str>) {
    let cited_by_causes = |id: &String| {
        c.causes.iter().any(|cause| cause.r#for.contains(id) || cause.against.contains(id))
    };
    let cited_elsewhere = |id: &String| {
        c.ruled_out.iter().any(|row| row.by == *id)
            || c.findings.iter().any(|finding| finding.evidence.contains(id))
    };
    for item in c.evidence.iter().filter(|item| !cited_by_causes(&item.id)).take(LISTED) {
        if !cited_elsewhere(&item.id) {
            let text = cited(c, &item.id, told);
            titled(out, style, GREEN, "       + ", &text);
        }
    }
}

/// The facts of one cause.
fn facts<'a>(
    out: &mut String,
    c: &'a Connection,
    cause: &'a Candidate,
    style: &Style,
    told: &mut Vec<&'a str>,
) {
    let kinds = [(FOR, GREEN, &cause.r#for), (AGAINST, RED, &cause.against)];
    for (head, color, ids) in kinds {
        for id in ids.iter().take(LISTED) {
            titled(out, style, color, head, &cited(c, id, told));
        }
    }
    for unknown in cause.unknown.iter().take(LISTED) {
        titled(out, style, YELLOW, UNKNOWN, &clean(unknown, SENTENCE));
    }
}

/// One line per excluding fact, with everything it excludes.
fn ruled_out<'a>(out: &mut String, c: &'a Connection, style: &Style, told: &mut Vec<&'a str>) {
    let mut groups: Vec<(&str, Vec<Cow<'_, str>>)> = Vec::new();
    for row in c.ruled_out.iter().take(4 * LISTED) {
        match groups.iter_mut().find(|(by, _)| *by == row.by) {
            Some((_, ids)) => ids.push(clean(&row.id, NAME)),
            None => groups.push((&row.by, vec![clean(&row.id, NAME)])),
        }
    }
    for (n, (by, ids)) in groups.iter().enumerate() {
        let head = if n == 0 { "   ruled out " } else { "             " };
        let text = format!("{}: {}", ids.join(", "), cited(c, by, told));
        titled(out, style, DIM, head, &text);
    }
}

/// A piece of evidence by its id; the first time with its text and where it was measured.
fn cited<'a>(c: &Connection, id: &'a str, told: &mut Vec<&'a str>) -> String {
    let mut text = clean(id, 16).into_owned();
    if told.contains(&id) {
        text.push_str(", as above");
        return text;
    }
    told.push(id);
    text.push(' ');
    match c.evidence.iter().find(|item| item.id == id) {
        Some(item) => {
            text.push_str(&clean(&item.fact, SENTENCE));
            place(&mut text, c, item);
        }
        None => text.push_str("(not in the list of evidence)"),
    }
    text
}

fn place(text: &mut String, c: &Connection, item: &EvidenceItem) {
    let Some(origin) = &item.origin else { return };
    text.push_str(" (");
    match (origin.kind.as_str(), origin.n) {
        (kind @ ("packet" | "read" | "segment"), Some(n)) => {
            text.push_str(kind);
            // Writing to a string can not fail.
            let _ = write!(text, " {n}");
        }
        (kind, _) => text.push_str(&clean(kind, 16)),
    }
    text.push_str(match origin.leg.as_str() {
        "client" => ", client leg",
        "server" => ", server leg",
        _ => "",
    });
    if let Some(file) = origin.file.as_ref().filter(|file| **file != c.source) {
        text.push_str(", ");
        text.push_str(&clean(file, NAME));
    }
    text.push(')');
}

/// Checks that only read, then the remedy, then how to take it back.
pub(super) fn what_to_do(out: &mut String, c: &Connection, style: &Style) {
    if !c.next.is_empty() || c.verdict.remedy.is_some() {
        out.push('\n');
    }
    for (n, step) in c.next.iter().take(LISTED).enumerate() {
        let head = if n == 0 { " NEXT  " } else { "       " };
        titled(out, style, BOLD, head, &clean(&step.r#do, SENTENCE));
        if let Some(command) = &step.command {
            // Never wrapped: it is there to be copied.
            blank(out, 10);
            out.push_str(&clean(command, SENTENCE));
            out.push('\n');
        }
    }
    let Some(remedy) = &c.verdict.remedy else { return };
    let remedy = clean(remedy, SENTENCE);
    match remedy.split_once("Undo:") {
        Some((fix, undo)) => {
            titled(out, style, BOLD, " FIX   ", fix.trim());
            titled(out, style, BOLD, " UNDO  ", undo.trim());
        }
        None => titled(out, style, BOLD, " FIX   ", &remedy),
    }
}

/// What is true and explains nothing by itself.
pub(super) fn notes(out: &mut String, c: &Connection, style: &Style) {
    for finding in c.findings.iter().take(LISTED) {
        let says = clean(&finding.says, SENTENCE);
        let mut text = if says.is_empty() { clean(&finding.id, NAME) } else { says }.into_owned();
        let known = |id: &String| c.evidence.iter().find(|item| item.id == *id);
        for item in finding.evidence.iter().filter_map(known).take(LISTED) {
            place(&mut text, c, item);
        }
        hanging(out, " note  ", &text, style.columns());
    }
    if let Some(more) = c.findings.len().checked_sub(LISTED).filter(|more| *more > 0) {
        let line =
            paint(style, DIM, &format!("and {}", count(more as u64, "note more", "notes more")));
        out.push_str(&format!("       {line}\n"));
    }
}
