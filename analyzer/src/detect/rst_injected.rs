//! `rst-injected-toclient`, `rst-injected-toserver`: somebody on the way sent a RST in a host's name.
//! RFC 5961 3. Weaver, Sommer, Paxson: "Detecting Forged TCP Reset Packets", NDSS 2009.

use super::battery;
use super::opinion::{Band, Class, Control, Detector, Evidence, Kind, Next, Opinion};
use super::who;
use crate::case::Case;
use crate::facts::Facts;
use crate::input::{Close, Direction, RelayNote, SegmentKind};

pub(super) const TO_CLIENT: Detector = Detector {
    id: "rst-injected-toclient",
    detect: |case| injected(case, Direction::ToClient),
    ..ROW
};

pub(super) const TO_SERVER: Detector = Detector {
    id: "rst-injected-toserver",
    detect: |case| injected(case, Direction::ToServer),
    ..ROW
};

const ROW: Detector = Detector {
    id: "",
    kind: Kind::Definition,
    class: Class::Interference,
    explains: &["rst-genuine-", "rst-of-unclear-origin"],
    remedy: "Find the device on that path that ends Remote Desktop connections (intrusion prevention, application control, provider) and exempt this traffic from it.",
    next: &[Next {
        what: "whether the RST left the host at all: capture at both ends and compare",
        command: Some("rdpwhy analyze --client-side A.pcapng --server-side B.pcapng"),
    }],
    detect: |_| None,
};

fn injected(case: &Case<'_>, dir: Direction) -> Option<Opinion> {
    let facts = case.this;
    if let Some(opinion) = outlived(facts, dir) {
        return Some(opinion);
    }
    let closed = facts.ending().is_some_and(|ending| ending.dir == dir && ending.how == Close::Rst);
    let rst = battery::first_reset(facts, dir).filter(|_| closed)?;
    let tests = battery::of(facts, rst);
    if tests.is_clean() {
        return None;
    }
    let control = tests.control();
    let side = who::sender(dir);
    let says = format!(
        "The connection was cut by a TCP reset{} that bears the {side}'s name and was not made by it: something on the way sent it.",
        who::step(facts)
    );
    let opinion =
        Opinion::new(Band::Weak, says).party(who::network(facts, dir), Band::High).control(control);
    let opinion = tests.argue(opinion);
    Some(match control {
        Some(_) => opinion,
        None => opinion.unknown("a second independent mark of a forger: one alone accuses nobody"),
    })
}

/// A leg on which resets are ignored: a peer that goes on talking had not sent the one that came. A host that
/// had really closed answers with another RST.
fn outlived(facts: &Facts, dir: Direction) -> Option<Opinion> {
    let immune = facts.relay.iter().any(|note| note.value == RelayNote::RstImmune);
    let rst = battery::first_reset(facts, dir).filter(|_| immune && dir == Direction::ToClient)?;
    let leg = facts.tcp.leg(rst.value.leg);
    // What was under way beside the RST may arrive behind it.
    let later = leg.kept(SegmentKind::AfterRst).find(|seen| {
        let slow = seen.at.time.since(rst.at.time) >= battery::CROSSING;
        seen.value.dir == dir
            && seen.value.len > 0
            && seen.at.time > rst.at.time
            && (slow || battery::is_beyond(&rst.value, &seen.value))
    })?;
    let says = "A TCP reset came in the server's name, this relay ignored it, and the server went on: something on the way sent it.";
    let ms = later.at.time.since(rst.at.time).as_secs_f64() * 1000.0;
    Some(
        Opinion::new(Band::Certain, says)
            .party(who::network(facts, dir), Band::High)
            .control(Some(Control::Probe))
            .supports(Evidence::of(rst, "a RST from the server's side, ignored (--rst-immune)"))
            .supports(Evidence::of(
                later,
                format!("{ms:.1} ms later {} bytes from the server", later.value.len),
            )),
    )
}
