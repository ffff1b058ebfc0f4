//! A judgement in the words of the contract.

use sha2::{Digest, Sha256};

use super::calibration::calibrate;
use super::ended::ended;
use super::layers::{rdp, tls};
use super::words::{rfc3339, round, word};
use super::{Judgement, Ranked, judge, legs, mstsc, ruled_out};
use crate::case::{Case, Pair, There};
use crate::detect::{Band, Class, Control, Evidence, Party};
use crate::diff::Clock;
use crate::facts::Facts;
use crate::input::{Direction, Leg, Origin, Timestamp};
use crate::report::{
    Candidate, Confidence, Connection, EvidenceItem, EvidenceOrigin, Finding, NextStep, Outcome,
    RuledOut, SCHEMA, Timings, Verdict,
};
use crate::wire::first_bytes::FirstBytes;

/// Where a connection stands among others.
#[derive(Clone, Debug)]
pub struct Place {
    /// Capture file or listening address.
    pub source: String,
    /// The capture file, for evidence.
    pub file: Option<String>,
    /// Number in the source, from 1.
    pub index: u64,
    /// Number of its case.
    pub case: u64,
    /// Nothing can revise it any more.
    pub r#final: bool,
    /// The provisional object it replaces.
    pub supersedes: Option<u64>,
}

/// How names of people are shown.
#[derive(Clone, Debug)]
pub enum Identities {
    /// As they are.
    Shown,
    /// As a hash keyed by this secret: the same user gives the same word.
    Hashed([u8; 32]),
}

impl Identities {
    /// A user name for the report.
    pub fn show(&self, kind: &str, name: &[u8]) -> String {
        match self {
            Identities::Shown => String::from_utf8_lossy(name).into_owned(),
            Identities::Hashed(secret) => {
                let digest = Sha256::new().chain_update(secret).chain_update(name).finalize();
                format!("{kind}#{:02x}{:02x}", digest[0], digest[1])
            }
        }
    }
}

/// The report of one connection.
pub fn connection(case: &Case<'_>, place: &Place, identities: &Identities) -> Connection {
    let mut report = uncalibrated(case, place, identities);
    calibrate(&mut report);
    report
}

/// The same with the confidences as the detectors give them.
pub(crate) fn uncalibrated(case: &Case<'_>, place: &Place, identities: &Identities) -> Connection {
    let facts = case.this;
    let judgement = judge(case);
    let mut book = Book::new(facts, place.file.clone(), case.pair);
    let mut verdict = verdict(facts, &judgement, &mut book);
    verdict.between = between(case, &judgement);
    let causes = judgement.causes.iter().map(|cause| candidate(cause, &mut book)).collect();
    let findings = judgement.findings.iter().map(|found| finding(found, &mut book)).collect();
    let ruled_out = excluded(facts, &judgement, &mut book);
    let reached = facts.reached();
    Connection {
        schema: SCHEMA.to_owned(),
        source: place.source.clone(),
        vantage: legs::vantage(case),
        index: place.index,
        case: place.case,
        r#final: place.r#final,
        supersedes: place.supersedes,
        client: facts.subject.client.to_string(),
        server: facts
            .subject
            .server
            .map(|s| s.to_string())
            .or_else(|| facts.subject.server_name.clone()),
        started: rfc3339(facts.subject.started),
        duration_ms: round(facts.ms(facts.now)),
        outcome: judgement.outcome,
        reached: reached.map(|(step, _)| word(&step)),
        reached_basis: reached.map(|(_, basis)| word(&basis)),
        complete: facts.is_complete(),
        calibrated: false,
        ended: ended(facts),
        mstsc: mstsc::mstsc(facts, judgement.outcome),
        verdict,
        causes,
        ruled_out,
        findings,
        evidence: book.items,
        next: next(&judgement),
        legs: legs::legs(facts),
        rdp: rdp(facts, identities),
        tls: tls(facts),
        timings_ms: timings(facts),
    }
}

/// Numbers evidence as it is cited; the same fact is one item.
struct Book<'a> {
    items: Vec<EvidenceItem>,
    /// Where each was measured, and whether in the other capture.
    places: Vec<Option<(Origin, Leg, bool)>>,
    facts: &'a Facts,
    file: Option<String>,
    pair: Option<Pair<'a>>,
}

impl<'a> Book<'a> {
    fn new(facts: &'a Facts, file: Option<String>, pair: Option<Pair<'a>>) -> Book<'a> {
        Book { items: Vec::new(), places: Vec::new(), facts, file, pair }
    }

    fn cite(&mut self, evidence: &Evidence) -> String {
        let other = self.pair.filter(|pair| evidence.side == Some(pair.here.other()));
        let place = evidence.at.map(|at| (at.origin(), at.leg(), other.is_some()));
        let mut known = self.items.iter().zip(&self.places);
        if let Some((item, _)) =
            known.find(|(item, at)| **at == place && item.fact == evidence.fact)
        {
            return item.id.clone();
        }
        let at_ms = evidence.at.and_then(|at| match other {
            Some(pair) => elsewhere(self.facts, &pair, at.time),
            None => Some(round(self.facts.signed_ms(at.time))),
        });
        let origin = evidence.at.map(|at| {
            let (kind, n) = match at.origin() {
                Origin::Packet(n) => ("packet", Some(n)),
                Origin::Read(n) => ("read", Some(n)),
                Origin::Socket => ("socket", None),
                Origin::Live(n) => ("segment", Some(n)),
            };
            EvidenceOrigin {
                kind: kind.to_owned(),
                n,
                leg: legs::word(at.leg()).to_owned(),
                file: other.map_or(self.file.clone(), |pair| Some(pair.file.to_owned())),
            }
        });
        let id = format!("E{}", self.items.len() + 1);
        let fact = evidence.fact.clone().into_owned();
        self.items.push(EvidenceItem { id: id.clone(), fact, origin, at_ms });
        self.places.push(place);
        id
    }

    fn cite_all(&mut self, evidence: &[Evidence]) -> Vec<String> {
        evidence.iter().map(|one| self.cite(one)).collect()
    }
}

/// The captures between which it happens, where they prove that.
fn between(case: &Case<'_>, judgement: &Judgement) -> Option<[String; 2]> {
    let named = judgement.cause.as_deref().or(judgement.what.as_deref())?;
    // What one capture shows by itself may be on either side of the other.
    named.opinion.control.filter(|control| *control == Control::Pair)?;
    Some(case.pair?.between.map(str::to_owned))
}

/// A time of the other capture, in ms from the start; `None` where nothing tells how its clock stands.
fn elsewhere(facts: &Facts, pair: &Pair<'_>, time: Timestamp) -> Option<f64> {
    let There::Seen(_, diff) = pair.there else { return None };
    let clock: Clock = diff.clock?;
    let here = clock.on_other(pair.here.other(), time);
    let ns = here.0 as i128 - i128::from(facts.subject.started.0);
    Some(round(ns.max(0) as f64 / 1e6))
}

fn verdict(facts: &Facts, judgement: &Judgement, book: &mut Book<'_>) -> Verdict {
    let what = judgement.what.as_deref();
    if let Some(what) = what {
        book.cite_all(&what.opinion.supports);
        book.cite_all(&what.opinion.contradicts);
    }
    let cause = judgement.cause.as_deref();
    let (party, who) = party(what, cause);
    let leading = cause.or(what);
    Verdict {
        what: what.map(|what| what.id().to_owned()),
        cause: cause.map(|cause| cause.id().to_owned()),
        class: class(judgement),
        control: leading
            .filter(|row| row.accuses())
            .and_then(|row| row.opinion.control)
            .map(|control| word(&control)),
        party: word(&party),
        confidence: Confidence {
            what: what.map_or(0.0, |what| what.confidence),
            who,
            why: cause.map_or(0.0, |cause| cause.confidence),
        },
        sentence: sentence(facts, judgement),
        remedy: leading.map(|row| row.row.remedy.to_owned()),
        between: None,
    }
}

/// Who ended it, by what was seen; where that names nobody, whom the named cause names. Who gives up after the
/// path or a pause has failed it is not to blame: there the cause goes first. An opinion that is not even
/// possible names nobody.
fn party(what: Option<&Ranked>, cause: Option<&Ranked>) -> (Party, f64) {
    let of = |row: Option<&Ranked>| {
        row.and_then(|row| row.opinion.party)
            .map(|(party, band)| (party, band.confidence()))
            .filter(|(party, who)| *party != Party::Unknown && *who >= Band::Possible.confidence())
    };
    let path = cause.filter(|cause| {
        matches!(cause.row.class, Class::Performance | Class::Interference | Class::Downgrade)
    });
    of(path).or(of(what)).or(of(cause)).unwrap_or((Party::Unknown, 0.0))
}

fn class(judgement: &Judgement) -> Option<String> {
    match judgement.outcome {
        Outcome::Rehearsal => Some("benign".to_owned()),
        Outcome::Established if judgement.what.is_none() => Some("benign".to_owned()),
        Outcome::Failed | Outcome::Established => {
            let row = judgement.cause.as_deref().or(judgement.what.as_deref())?;
            Some(word(&row.row.class))
        }
        Outcome::Unknown | Outcome::NotRdp => None,
    }
}

fn sentence(facts: &Facts, judgement: &Judgement) -> String {
    let what = judgement.what.as_deref().map(|what| what.opinion.says.clone().into_owned());
    match judgement.outcome {
        Outcome::Established => match what {
            None => established(facts),
            Some(what) => {
                let why = judgement.cause.as_deref().map(|cause| &*cause.opinion.says);
                let why = why.filter(|why| *why != what).unwrap_or_default();
                format!("{} Later: {what} {why}", established(facts)).trim_end().to_owned()
            }
        },
        Outcome::NotRdp => not_rdp(facts),
        Outcome::Unknown => {
            "The input does not show whether this connection succeeded: it is incomplete or was still open.".to_owned()
        }
        Outcome::Rehearsal => what.unwrap_or_default(),
        Outcome::Failed => {
            let what = what.unwrap_or_else(|| "The connection failed.".to_owned());
            match &judgement.cause {
                Some(cause) if Some(cause.id()) == judgement.what.as_deref().map(Ranked::id) => what,
                Some(cause) => format!("{what} {}", cause.opinion.says),
                None => format!("{what} What was seen does not decide why."),
            }
        }
    }
}

fn established(facts: &Facts) -> String {
    let how = match (facts.x224.selected(), facts.tls.version()) {
        (Some(selected), Some(version)) => format!(" ({selected}, TLS {version})"),
        (Some(selected), None) => format!(" ({selected})"),
        _ => String::new(),
    };
    format!("The session was established{how}.")
}

fn not_rdp(facts: &Facts) -> String {
    match facts.x224.first_bytes[Direction::ToServer.index()].value() {
        Some(FirstBytes::HttpRequest { gateway: true }) => {
            "The client speaks to an RD Gateway: its Remote Desktop connection is inside HTTPS. Turn the gateway off in the client's settings for this test, or capture on the gateway.".to_owned()
        }
        Some(FirstBytes::Tls) => {
            "The client starts with TLS, as it does towards an RD Gateway, not with Remote Desktop. If a gateway is set in the client, turn it off for this test, or capture on the gateway.".to_owned()
        }
        Some(FirstBytes::Tpkt) => {
            "The client sends TPKT packets without a request for Remote Desktop: it is another user of ISO transport.".to_owned()
        }
        Some(first) => format!("The client speaks {}, not Remote Desktop.", first.name()),
        None if facts.is_traced() => "The SYN was to go no farther than a router or two: somebody looked at the path, as traceroute does.".to_owned(),
        None => "The client connected and left without a byte: a health check or a port scan.".to_owned(),
    }
}

fn candidate(cause: &Ranked, book: &mut Book<'_>) -> Candidate {
    Candidate {
        id: cause.id().to_owned(),
        confidence: cause.confidence,
        says: cause.opinion.says.clone().into_owned(),
        r#for: book.cite_all(&cause.opinion.supports),
        against: book.cite_all(&cause.opinion.contradicts),
        unknown: cause.opinion.unknown.iter().map(|what| (*what).to_owned()).collect(),
    }
}

fn finding(found: &Ranked, book: &mut Book<'_>) -> Finding {
    Finding {
        id: found.id().to_owned(),
        says: found.opinion.says.clone().into_owned(),
        evidence: book.cite_all(&found.opinion.supports),
    }
}

fn excluded(facts: &Facts, judgement: &Judgement, book: &mut Book<'_>) -> Vec<RuledOut> {
    if judgement.outcome != Outcome::Failed {
        return Vec::new();
    }
    ruled_out::ruled_out(facts)
        .into_iter()
        .filter(|(id, _)| !judgement.causes.iter().any(|cause| cause.id() == *id))
        .map(|(id, by)| RuledOut { id: id.to_owned(), by: book.cite(&by) })
        .collect()
}

/// The checks of the named cause, then of the other candidates, then of what was seen; each once.
fn next(judgement: &Judgement) -> Vec<NextStep> {
    const SHOWN: usize = 4;
    let mut steps: Vec<NextStep> = Vec::new();
    if judgement.outcome == Outcome::Rehearsal {
        return steps;
    }
    let rows = judgement.cause.iter().chain(&judgement.causes).chain(&judgement.what);
    for next in rows.flat_map(|row| row.row.next) {
        let step =
            NextStep { r#do: next.what.to_owned(), command: next.command.map(str::to_owned) };
        if !steps.contains(&step) && steps.len() < SHOWN {
            steps.push(step);
        }
    }
    steps
}

fn timings(facts: &Facts) -> Timings {
    let took =
        |leg| facts.tcp.leg(leg).opened.value().copied().flatten().map(|ns| round(ns as f64 / 1e6));
    let between = |from: Option<Timestamp>, to: Option<Timestamp>| {
        Some(round(to?.since(from?).as_secs_f64() * 1000.0))
    };
    let request = facts.x224.request.seen().map(|seen| facts.delivered(seen.at.time));
    let confirm = facts.x224.confirm.seen().map(|seen| seen.at.time);
    let hello = facts.tls.client_hello.seen().map(|seen| seen.at.time);
    let finished = facts.tls.client_finished().map(|at| at.time);
    let relayed = facts.subject.relay[0].is_some();
    Timings {
        tcp: took(Leg::Server),
        tcp_client: relayed.then(|| took(Leg::Client)).flatten(),
        x224: between(request, confirm),
        tls: between(hello, finished),
    }
}
