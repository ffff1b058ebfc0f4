//! `idle-timeout-silent`, `idle-timeout-rst`: something on the way forgot the connection while nothing was
//! said. RFC 5382 REQ-5, RFC 7857.

use std::time::Duration;

use super::battery;
use super::opinion::{Band, Class, Control, Detector, Evidence, Group, Kind, Next, Opinion};
use super::stalled::stalled;
use super::who;
use crate::case::{Case, Summary};
use crate::facts::{Reached, Silence};
use crate::input::Close;

pub(super) const SILENT: Detector = Detector { id: "idle-timeout-silent", detect: silent, ..ROW };

pub(super) const RESET: Detector = Detector { id: "idle-timeout-rst", detect: reset, ..ROW };

const ROW: Detector = Detector {
    id: "",
    kind: Kind::Cause,
    class: Class::Interference,
    explains: &[
        "transmission-stalled",
        "clean-close-no-reason",
        "rst-genuine-",
        "rst-of-unclear-origin",
        "rst-injected-",
    ],
    remedy: "Raise the idle timeout of the firewall or load balancer on the way, or let the server send keep-alives more often than that (KeepAliveInterval).",
    next: &[Next {
        what: "whether the break comes after the same pause again: note the pauses of several sessions",
        command: Some("rdpwhy analyze --format jsonl FILE..."),
    }],
    detect: |_| None,
};

fn silent(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let found = stalled(facts)?;
    let idle = facts.unanswered_after_pause().filter(|idle| idle.by == found.dir)?;
    let opinion =
        opinion(case, idle, "dropped what was said next").party(found.party(), Band::Possible);
    Some(
        came_through(case, opinion)
            .supports(found.evidence)
            .unknown("whether the other host went away in the meantime (sleep, power, roaming)"),
    )
}

/// The first word after the pause was answered by a RST.
fn reset(case: &Case<'_>) -> Option<Opinion> {
    let facts = case.this;
    let idle = facts.unanswered_after_pause()?;
    let ending = facts.ending().filter(|ending| ending.how == Close::Rst && !ending.both)?;
    if ending.dir == idle.by || ending.at.time < idle.broken.time {
        return None;
    }
    let opinion = opinion(case, idle, "answered what was said next with a reset")
        .party(who::network(facts, ending.dir), Band::Possible)
        .supports(who::ended(ending));
    let Some(rst) = who::closing_segment(facts, ending) else {
        // A host that was started anew answers just so, and lets the next attempt through.
        return Some(opinion.unknown("who made the RST: its packets were not captured"));
    };
    let tests = battery::of(facts, rst);
    if tests.is_clean() {
        return Some(
            opinion
                .weigh(Group::Ttl, -2.0)
                .contradicts(Evidence::of(rst, "the RST looks like its sender's other packets")),
        );
    }
    let opinion = came_through(case, opinion);
    let control = tests.control().or(opinion.control);
    Some(tests.argue(opinion).control(control))
}

fn opinion(case: &Case<'_>, idle: &Silence, then: &str) -> Opinion {
    let facts = case.this;
    let seconds = idle.lasted().as_secs_f64();
    let says = format!(
        "A firewall or load balancer on the way may have forgotten the connection after {seconds:.0} s of silence and {then}."
    );
    let side = who::sender(idle.by);
    let after = facts.ms(idle.broken.time) / 1000.0;
    let opinion = Opinion::new(Band::Weak, says).supports(Evidence::at(
        idle.broken,
        format!("after {seconds:.1} s without a byte the {side} spoke again, {after:.1} s into the connection"),
    ));
    if idle.is_long() { opinion.weigh(Group::Timing, 0.7) } else { opinion }
}

/// Strengthens the opinion where the next attempt soon got past the step at which this one broke: then both hosts
/// were there and the way between them open, to those who did not pause.
fn came_through(case: &Case<'_>, opinion: Opinion) -> Opinion {
    /// A host that went to sleep or was started anew is not back so soon.
    const SOON: Duration = Duration::from_secs(10);
    let over = case.this.ending().map_or(case.this.now, |ending| ending.at.time);
    let reached = case.this.reached().map(|(reached, _)| reached);
    let through = |next: &&Summary| {
        next.reached > reached || next.reached.is_some_and(|next| next >= Reached::Active)
    };
    match case.later().filter(|next| next.started.since(over) <= SOON).find(through) {
        Some(next) => opinion.weigh(Group::Siblings, 1.0).control(Some(Control::Sibling)).supports(
            Evidence::absent(format!(
                "{:.1} s after the end the same client came through to the same server",
                next.started.since(over).as_secs_f64()
            )),
        ),
        None => opinion,
    }
}
