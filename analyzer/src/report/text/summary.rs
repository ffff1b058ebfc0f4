//! The totals of a run, as text.

use super::words::{NAME, SENTENCE, clean, count, hanging};
use super::{Style, paint};
use crate::report::Summary;

/// Most causes and notes that are listed.
const LISTED: usize = 20;

/// Renders the totals: one line of outcomes, then causes by frequency, then what is to be known of
/// the input itself. Ends with a line feed.
pub fn summary(s: &Summary, style: &Style) -> String {
    let width = style.columns();
    let mut out = String::new();
    if s.connections == 0 {
        out.push_str("no RDP connection was read\n");
    } else {
        hanging(&mut out, "", &outcomes(s), width);
    }
    for cause in s.causes.iter().take(LISTED) {
        let id = paint(style, super::BOLD, &clean(&cause.id, NAME));
        out.push_str(&format!("{:>6} × {id}\n", cause.count));
    }
    if let Some(more) = s.causes.len().checked_sub(LISTED).filter(|more| *more > 0) {
        out.push_str(&format!(
            "         and {}\n",
            count(more as u64, "cause more", "causes more")
        ));
    }
    if s.other_tcp > 0 {
        let others = count(s.other_tcp, "other TCP connection was", "other TCP connections were");
        hanging(&mut out, " note  ", &format!("{others} counted and not looked into"), width);
    }
    for note in s.notes.iter().take(LISTED) {
        hanging(&mut out, " note  ", &clean(note, SENTENCE), width);
    }
    if let Some(more) = s.notes.len().checked_sub(LISTED).filter(|more| *more > 0) {
        out.push_str(&format!(" note  and {}\n", count(more as u64, "note more", "notes more")));
    }
    out
}

/// `7 connections: 3 established, 2 failed (1 explained)`; what did not occur is not listed.
fn outcomes(s: &Summary) -> String {
    let explained = match s.explained {
        all if all == s.failed => ", explained".to_string(),
        some => format!(", {some} of them explained"),
    };
    let failed = format!("failed{explained}");
    let kinds = [
        (s.established, "established"),
        (s.rehearsal, "left for a prompt"),
        (s.failed, failed.as_str()),
        (s.unknown, "not shown by the input"),
        (s.not_rdp, "not RDP"),
    ];
    let listed: Vec<String> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let connections = count(s.connections, "connection", "connections");
    if listed.is_empty() { connections } else { format!("{connections}: {}", listed.join(" · ")) }
}
