//! What the program is to say about a failed connection, as rows of a table write it down.

use super::json::text;
use super::rdpwhy::Observed;
use serde_json::Value;

/// What every connection of a run is to be called. A list holds what is equally right.
#[derive(Clone, Copy)]
pub struct Expected {
    /// How far it got.
    pub reached: &'static [&'static str],
    /// The leg that ended first, and with it the direction the end came from.
    pub ended: &'static [&'static str],
    /// The phenomenon.
    pub what: &'static [&'static str],
    /// What may be said about why.
    pub cause: Cause,
    /// The class of the verdict.
    pub class: &'static [&'static str],
    /// Whom it names.
    pub party: &'static [&'static str],
}

/// What may be said about why.
#[derive(Clone, Copy)]
pub enum Cause {
    /// The wire does not decide it, so nothing is to be named.
    Undecided,
    /// This one or none: never another.
    NoOtherThan(&'static str),
}

/// Both peers want to end it after the same message, and which FIN comes first is a matter of
/// microseconds.
pub const WHOEVER: &[&str] = &["client", "server"];

/// Any word will do.
pub const ANY: &[&str] = &[];

impl Expected {
    /// Where the verdicts of a run are not as expected, live and offline.
    pub fn differences(&self, seen: &Observed) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, said) in [("live", &seen.live), ("offline", &seen.offline)] {
            for object in &said.objects {
                let differing = self.compare(object);
                wrong.extend(differing.into_iter().map(|problem| format!("{name}: {problem}")));
            }
        }
        wrong
    }

    /// Where one object is not as expected.
    fn compare(&self, object: &Value) -> Vec<String> {
        let cause = match self.cause {
            Cause::Undecided => vec!["null"],
            Cause::NoOtherThan(id) => vec!["null", id],
        };
        // The peer may answer an end with its own before the proxy was given the processor; then
        // it has to say that it found both ended.
        let leg = [self.ended, &["both"]].concat();
        let both = text(object, "/ended/leg") == "both";
        let from = if both { ANY } else { self.ended };
        let unknown: &[&str] = if both && !self.party.is_empty() { &["unknown"] } else { &[] };
        let party = [self.party, unknown].concat();
        let rows: [(&str, &[&str]); 8] = [
            ("/outcome", &["failed"]),
            ("/reached", self.reached),
            ("/ended/leg", &leg),
            ("/ended/from", from),
            ("/verdict/what", self.what),
            ("/verdict/cause", &cause),
            ("/verdict/class", self.class),
            ("/verdict/party", &party),
        ];
        let mut wrong = Vec::new();
        for (path, right) in rows {
            let said = text(object, path);
            if !right.is_empty() && !right.contains(&said.as_str()) {
                wrong.push(format!("{path} is {said}, not {}", right.join(" or ")));
            }
        }
        wrong
    }
}
