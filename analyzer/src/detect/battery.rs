//! Who made this RST or FIN? Tests of one captured segment against the earlier segments of the sender
//! whose name it bears, each with its weight and its limits. RFC 9293 3.5.3, RFC 5961 3, RFC 6864.
//!
//! No single test decides. An injector can copy a TTL; a host may number its packets anyhow; a host
//! that is gone answers with the numbers of the segment it answers. Two tests from different sources that
//! agree, over a baseline of three segments or more, are a control.
//!
//! That the same RST comes again and again is no test: a closed socket answers each segment that was under way, and how
//! many these were is not known. It weighs where the tests are a control without it, and is told beside the others.

use std::time::Duration;

use super::opinion::{Control, Evidence, Group, Opinion};
use super::who;
use crate::facts::{Facts, LegFacts, Reached, Seen};
use crate::input::{Direction, IpIds, Segment, SegmentKind};

/// The tests of one segment, those that speak for a forger and those that speak for its apparent sender.
#[derive(Debug, Default)]
pub struct Battery {
    /// Failed tests: somebody else may have made the segment.
    pub forged: Vec<Test>,
    /// Passed tests.
    pub genuine: Vec<Test>,
    /// The same RST came again: no test, and worth telling beside a failed one.
    pub repeated: Option<Evidence>,
    baseline: u32,
}

/// One test's outcome.
#[derive(Debug)]
pub struct Test {
    /// Where the evidence comes from.
    pub group: Group,
    /// Logarithm of the likelihood ratio towards "forged".
    pub weight: f64,
    /// What was measured.
    pub evidence: Evidence,
}

/// Fewer segments make no baseline.
const BASELINE: u32 = 3;
/// What was under way beside a RST may arrive so long behind it.
pub const CROSSING: Duration = Duration::from_millis(5);
/// The flag of a segment whose acknowledgement counts. RFC 9293 3.1.
const ACK: u8 = 0x10;
/// The weight of a test that honest hosts hardly ever fail.
const STRONG: f64 = 2.5;

/// Tests the segment that closed a direction of its leg (a RST, or a FIN) against its sender's others.
pub fn of(facts: &Facts, closing: &Seen<Segment>) -> Battery {
    let leg = facts.tcp.leg(closing.value.leg);
    let mut battery = Battery {
        baseline: closing.value.baseline.ttl.map_or(0, |(_, of)| of),
        ..Battery::default()
    };
    battery.ttl(closing);
    if !is_long_silent(facts, closing) {
        battery.ip_id(closing);
    }
    if !is_overtaken(leg, closing) {
        battery.sequence(closing);
    }
    battery.continuation(leg, closing);
    battery.changing(leg, closing);
    battery.acknowledging(facts, leg, closing);
    battery.repeated(leg, closing);
    battery.early(facts, leg, closing);
    battery.reason(facts, closing);
    battery.forget_what_is_weak();
    battery
}

/// Other connections may have used up any window of a counter by then.
fn is_long_silent(facts: &Facts, closing: &Seen<Segment>) -> bool {
    const LONG: Duration = Duration::from_secs(300);
    let last = facts.stream(closing.value.dir).last;
    last.is_some_and(|last| closing.at.time.since(last.time) >= LONG)
}

/// A later segment that stands behind everything its sender had sent before the RST, and ends behind the RST itself.
pub fn is_beyond(rst: &Segment, later: &Segment) -> bool {
    let news = rst.baseline.next_seq.is_none_or(|due| (later.seq.wrapping_sub(due) as i32) >= 0);
    news && (later.seq.wrapping_add(later.len).wrapping_sub(rst.seq) as i32) > 0
}

/// The RST and its sender's last data changed places on their way to the capture: these end where it stands.
fn is_overtaken(leg: &LegFacts, rst: &Seen<Segment>) -> bool {
    leg.kept(SegmentKind::AfterRst).any(|seen| {
        let fills = seen.value.seq.wrapping_add(seen.value.len) == rst.value.seq;
        let soon = seen.at.time.since(rst.at.time) < CROSSING;
        seen.value.dir == rst.value.dir && seen.value.len > 0 && fills && soon
    })
}

/// The first RST of a direction on the leg where its sender's segments arrive.
pub fn first_reset(facts: &Facts, dir: Direction) -> Option<&Seen<Segment>> {
    let leg = facts.tcp.leg(facts.source_leg(dir));
    leg.kept(SegmentKind::Rst).find(|rst| rst.value.dir == dir)
}

impl Battery {
    /// Two independent tests failed over a baseline, one of them a strong one: honest hosts fail the weak ones
    /// together when they are busy. Where the sender had said little before, its own later segments are the
    /// baseline, and a third test has to agree.
    pub fn control(&self) -> Option<Control> {
        let mut groups: Vec<Group> = self.forged.iter().map(|test| test.group).collect();
        groups.sort_unstable();
        groups.dedup();
        let strong = self.forged.iter().any(|test| test.weight >= STRONG);
        let enough = match self.baseline >= BASELINE {
            true => groups.len() >= 2 && strong,
            false => groups.len() >= 3 && groups.contains(&Group::Continuation),
        };
        enough.then_some(Control::Baseline)
    }

    /// Adds a mark that a test outside of this battery found.
    pub fn add(&mut self, group: Group, weight: f64, evidence: Evidence) {
        self.fails(group, weight, evidence);
    }

    /// Nothing speaks for a forger.
    pub fn is_clean(&self) -> bool {
        self.forged.is_empty()
    }

    /// Puts the tests into an opinion that claims a forger.
    pub fn argue(self, mut opinion: Opinion) -> Opinion {
        let is_control = self.control().is_some();
        for test in self.forged {
            opinion = opinion.weigh(test.group, test.weight).supports(test.evidence);
        }
        for test in self.genuine {
            opinion = opinion.weigh(test.group, -test.weight).contradicts(test.evidence);
        }
        // Injectors send several, to be sure.
        match self.repeated {
            Some(evidence) if is_control => {
                opinion.weigh(Group::Repetition, 0.7).supports(evidence)
            }
            Some(evidence) => opinion.supports(evidence),
            None => opinion,
        }
    }

    /// A busy host counts its packets on in leaps, answers with old numbers, and resets while something is under
    /// way to it: where its TTL is the usual one, a single mark of that sort is none.
    fn forget_what_is_weak(&mut self) {
        let usual_way = self.genuine.iter().any(|test| test.group == Group::Ttl);
        let weak = |test: &Test| {
            let sort = matches!(test.group, Group::IpId | Group::Sequence | Group::Timing);
            sort && test.weight <= 1.5
        };
        if usual_way && self.forged.len() == 1 && self.forged.iter().all(weak) {
            self.forged.clear();
        }
    }

    fn fails(&mut self, group: Group, weight: f64, evidence: Evidence) {
        self.forged.push(Test { group, weight, evidence });
    }

    fn passes(&mut self, group: Group, weight: f64, evidence: Evidence) {
        self.genuine.push(Test { group, weight, evidence });
    }

    /// A route may change once, an injector may copy: strong against, weak for.
    fn ttl(&mut self, closing: &Seen<Segment>) {
        let segment = &closing.value;
        let (Some(ttl), Some((usual, of))) = (segment.ttl, segment.baseline.ttl) else { return };
        let few = of < BASELINE;
        let name = name(segment);
        let fact =
            format!("the {name} has TTL {ttl}, the {of} earlier segments of its sender {usual}");
        let evidence = Evidence::of(closing, fact);
        match (ttl == usual, segment.baseline.ttl_is_steady) {
            (true, _) => self.passes(Group::Ttl, 0.7, evidence),
            (false, true) if few => self.fails(Group::Ttl, 0.7, evidence),
            (false, true) => self.fails(Group::Ttl, 2.5, evidence),
            (false, false) => self.fails(Group::Ttl, 0.7, evidence),
        }
    }

    /// Zero is no evidence: Linux answers for a dead socket with it, and firewalls do.
    fn ip_id(&mut self, closing: &Seen<Segment>) {
        /// Other connections of the host may have used the numbers in between.
        const WINDOW: u16 = 64;
        let segment = &closing.value;
        let (Some(ip_id), IpIds::Counter(last)) = (segment.ip_id, segment.baseline.ip_id) else {
            return;
        };
        if ip_id == 0 {
            return;
        }
        let name = name(segment);
        let fact = format!(
            "the {name} has IP identification {ip_id}, its sender's counter stood at {last}"
        );
        let evidence = Evidence::of(closing, fact);
        if (1..=WINDOW).contains(&ip_id.wrapping_sub(last)) {
            self.passes(Group::IpId, 1.5, evidence);
        } else {
            self.fails(Group::IpId, 1.5, evidence);
        }
    }

    /// A host that is gone answers with older numbers, too: low is weak by itself.
    fn sequence(&mut self, closing: &Seen<Segment>) {
        // A FIN is only told in its place.
        let Some(offset) =
            closing.value.offset().filter(|_| closing.value.kind == SegmentKind::Rst)
        else {
            return;
        };
        let name = name(&closing.value);
        if offset < 0 {
            let fact =
                format!("the {name} stands {} bytes before what was due", offset.unsigned_abs());
            self.fails(Group::Sequence, 1.0, Evidence::of(closing, fact));
        } else if offset > 0 {
            let fact = format!("the {name} stands {offset} bytes behind what was due");
            self.fails(Group::Sequence, 0.7, Evidence::of(closing, fact));
        }
    }

    /// A host that reset a connection says nothing more on it.
    fn continuation(&mut self, leg: &LegFacts, closing: &Seen<Segment>) {
        let rst = &closing.value;
        let later = leg.kept(SegmentKind::AfterRst).find(|seen| {
            let news = seen.value.len > 0 && is_beyond(rst, &seen.value);
            let usual = seen.value.ttl == rst.baseline.ttl.map(|(usual, _)| usual);
            let slow = seen.at.time.since(closing.at.time) >= CROSSING;
            seen.value.dir == rst.dir && usual && (news || slow)
        });
        if rst.kind != SegmentKind::Rst {
            return;
        }
        if let Some(later) = later {
            let what = match later.value.len {
                0 => "an acknowledgement".to_owned(),
                len => format!("{len} bytes"),
            };
            let ms = later.at.time.since(closing.at.time).as_secs_f64() * 1000.0;
            let side = who::sender(rst.dir);
            let fact =
                format!("{ms:.1} ms after the RST the {side} sent {what}, as if it knew of none");
            self.fails(Group::Continuation, 3.0, Evidence::of(later, fact));
        }
    }

    /// Guesses at the next sequence numbers, sent in a burst.
    fn changing(&mut self, leg: &LegFacts, closing: &Seen<Segment>) {
        let rst = &closing.value;
        let jumped = burst(leg, closing).find(|seen| {
            let next = &seen.value;
            next.seq.wrapping_sub(rst.seq) as i32 > 2
                && next.baseline.next_seq.is_some_and(|due| next.seq.wrapping_sub(due) as i32 > 2)
        });
        if let Some(jumped) = jumped {
            let fact = format!(
                "a second RST of that sender stands {} bytes ahead of the first, where nothing had been sent",
                jumped.value.seq.wrapping_sub(rst.seq)
            );
            self.fails(Group::Sequence, 3.0, Evidence::of(jumped, fact));
        }
    }

    /// Guesses at what the sender has received: it can not acknowledge what nobody has sent. One such number may be of a
    /// packet that the capture lost.
    fn acknowledging(&mut self, facts: &Facts, leg: &LegFacts, closing: &Seen<Segment>) {
        /// Farther ahead is another connection of the same ports.
        const NEAR: i32 = 1 << 22;
        let rst = &closing.value;
        // Without counts the capture is known to lack packets.
        let lacking = facts.stream(rst.dir.reverse()).gap || facts.is_one_sided();
        if lacking || leg.counts().is_none() {
            return;
        }
        let unsent = |segment: &Segment| {
            let sent = segment.baseline.peer_next_seq.filter(|_| segment.flags & ACK != 0)?;
            let ahead = segment.ack.wrapping_sub(sent) as i32;
            (1..=NEAR).contains(&ahead).then_some(ahead)
        };
        let mut guesses = burst(leg, closing).filter_map(|seen| Some((seen, unsent(&seen.value)?)));
        let Some((first, ahead)) = guesses.next() else { return };
        if let Some((other, further)) = guesses.find(|(seen, _)| seen.value.ack != first.value.ack)
        {
            let fact = format!(
                "RSTs of that sender acknowledge {ahead} and {further} bytes that nobody had sent"
            );
            self.fails(Group::Sequence, 2.5, Evidence::of(other, fact));
        }
    }

    /// The same RST, more than once.
    fn repeated(&mut self, leg: &LegFacts, closing: &Seen<Segment>) {
        let rst = &closing.value;
        let same = |seen: &&Seen<Segment>| {
            let other = &seen.value;
            (other.seq, other.ack, other.flags) == (rst.seq, rst.ack, rst.flags)
        };
        let copies = burst(leg, closing).filter(same);
        let (times, last) = copies.fold((0, closing), |(times, _), seen| (times + 1, seen));
        if times > 1 {
            let ms = last.at.time.since(closing.at.time).as_secs_f64() * 1000.0;
            let fact = format!("the same RST came {times} times within {ms:.1} ms");
            self.repeated = Some(Evidence::of(last, fact));
        }
    }

    /// Nobody answers faster than half the way. The handshake has measured the whole one.
    fn early(&mut self, facts: &Facts, leg: &LegFacts, closing: &Seen<Segment>) {
        /// On a shorter path scheduling hides the difference.
        const MEASURABLE: u64 = 4_000_000;
        let segment = &closing.value;
        let Some(round) = leg.opened.value().copied().flatten().filter(|ns| *ns >= MEASURABLE)
        else {
            return;
        };
        let Some(trigger) = facts.stream(segment.dir.reverse()).last else { return };
        let waited = closing.at.time.since(trigger.time).as_nanos() as u64;
        // The round trip of an accepted leg is the kernel's, not measured where the packets are.
        let near =
            trigger.time <= closing.at.time && waited * 2 < round && trigger.leg() == segment.leg;
        if near {
            let fact = format!(
                "the {} came {:.1} ms after the last byte to that side; the handshake took {:.1} ms",
                name(segment),
                waited as f64 / 1e6,
                round as f64 / 1e6
            );
            self.fails(Group::Timing, 1.5, Evidence::of(closing, fact));
        }
    }

    /// Who says why before it goes is who it seems to be.
    fn reason(&mut self, facts: &Facts, closing: &Seen<Segment>) {
        let dir = closing.value.dir;
        let refused = facts.x224.confirm.seen().filter(|confirm| {
            dir == Direction::ToClient
                && confirm.value.failure().is_some()
                && facts.reached().is_some_and(|(reached, _)| reached <= Reached::X224Confirm)
        });
        let side = who::sender(dir);
        if let Some(alert) = facts.tls.last_alert(dir).filter(|at| !closing.at.is_before(*at)) {
            let fact = format!("the {side} had sent a TLS alert before");
            self.passes(Group::Protocol, 3.0, Evidence::at(alert, fact));
        } else if let Some(refused) = refused {
            let fact = "the server had refused the negotiation before";
            self.passes(Group::Protocol, 3.0, Evidence::of(refused, fact));
        } else if let Some(ultimatum) = who::ultimatum(facts, dir) {
            self.passes(Group::Protocol, 3.0, ultimatum);
        }
    }
}

/// The RSTs of that sender that came with this one, itself among them; none with a FIN.
fn burst<'f>(leg: &'f LegFacts, rst: &Seen<Segment>) -> impl Iterator<Item = &'f Seen<Segment>> {
    const BURST: Duration = Duration::from_secs(2);
    let (dir, time) = (rst.value.dir, rst.at.time);
    let is_rst = rst.value.kind == SegmentKind::Rst;
    leg.kept(SegmentKind::Rst)
        .filter(move |seen| is_rst && seen.value.dir == dir && seen.at.time.since(time) <= BURST)
}

fn name(segment: &Segment) -> &'static str {
    if segment.kind == SegmentKind::Fin { "FIN" } else { "RST" }
}
