//! What a capture at the other end adds to an opinion that one capture allows: where a SYN was lost, who
//! refused it, whether a close was its apparent sender's own.

use super::{capped, lost, no_backend, reset, wrong_address};
use crate::case::{Case, There};
use crate::detect::opinion::{Band, Control, Evidence, Opinion, Party};
use crate::detect::who::{endpoint, sender};
use crate::diff::{Diff, Key, Side};
use crate::facts::Facts;
use crate::input::{Close, ConnectFailureKind, Direction, Leg, SegmentKind};

/// An opinion in the light of the other capture; `None` where that contradicts it.
pub(crate) fn located(id: &str, case: &Case<'_>, opinion: Opinion) -> Option<Opinion> {
    let Some(pair) = case.pair else { return Some(opinion) };
    if wrong_address::is_shown(case) {
        // Whatever answers there, or does not, is no part of the way to the server that was meant.
        return Some(opinion.party(Party::Unknown, Band::Weak));
    }
    let nobody = no_backend::nobody_accepted(case).filter(|nobody| nobody.same_host);
    if nobody.is_some() && ENDS_OF_SERVER.contains(&id) {
        return Some(elsewhere(opinion, case.this));
    }
    if case.at_server().is_some_and(|(_, diff)| diff.key == Key::Time) {
        return Some(opinion);
    }
    match (id, pair.there) {
        ("tcp-syn-drop" | "tcp-refused-rst" | "icmp-reject", There::Absent { same_host, .. }) => {
            Some(before_the_host(opinion, pair.here, same_host))
        }
        ("tcp-syn-drop", There::Seen(server, diff)) => syn_drop(opinion, case.this, server, diff),
        ("tcp-refused-rst" | "icmp-reject", There::Seen(server, diff)) => {
            Some(refused(id, opinion, server, diff))
        }
        (
            "rst-genuine-server" | "rst-genuine-client" | "clean-close-no-reason" | "truncated-tls",
            There::Seen(server, diff),
        ) => closed(opinion, case.this, server, diff),
        // What one capture guesses, where both decide or leave it open on better grounds.
        (id, There::Seen(_, diff)) if opinion.control != Some(Control::Pair) => {
            (!is_outdone(id, case, diff)).then_some(opinion)
        }
        _ => Some(opinion),
    }
}

fn is_outdone(id: &str, case: &Case<'_>, diff: &Diff) -> bool {
    match id {
        "payload-trigger-drop"
        | "idle-timeout-silent"
        | "pmtu-blackhole-c2s"
        | "pmtu-blackhole-s2c" => lost::judged(case).is_some(),
        // The server did answer.
        "server-stall" | "unanswered-turn" => lost::judged(case) == Some(Direction::ToClient),
        "rst-injected-toclient"
        | "rst-injected-toserver"
        | "rst-inpath-reject"
        | "idle-timeout-rst" => reset::is_judged(case),
        // The server's own SYN-ACK arrived.
        "syn-proxy-fake-open" => diff.syn_ack.as_ref().is_some_and(|opening| opening.same_isn),
        _ => false,
    }
}

/// What the server is thought to end a session with.
const ENDS_OF_SERVER: &[&str] = &["rst-genuine-server", "clean-close-no-reason", "truncated-tls"];

/// The server accepted no such session: whoever ended it from that side is not the server. Without a word of it,
/// nothing else stands there.
fn elsewhere(opinion: Opinion, facts: &Facts) -> Opinion {
    if facts.ending().is_none_or(|ending| ending.dir != Direction::ToClient) {
        return opinion;
    }
    let silent = facts.stream(Direction::ToClient).bytes == 0;
    match silent {
        true => opinion.party(Party::Network, Band::Probable),
        false => opinion.party(Party::Unknown, Band::Weak),
    }
}

/// The other capture ran and no SYN came: whatever answered or not stands before the host.
fn before_the_host(opinion: Opinion, here: Side, same_host: bool) -> Opinion {
    if here == Side::Server {
        return opinion;
    }
    let band = if same_host { Band::High } else { Band::Possible };
    let fact = "no SYN of this attempt is in the capture at the server's side, which was running";
    let opinion = opinion.party(Party::Network, band).supports(Evidence::absent(fact));
    match same_host {
        true => opinion,
        false => opinion.unknown("whether the packets were led to another host: compare the server's address in both captures"),
    }
}

fn syn_drop(mut opinion: Opinion, client: &Facts, server: &Facts, diff: &Diff) -> Option<Opinion> {
    let leg = server.tcp.leg(Leg::Single);
    let answered = leg.kept(SegmentKind::SynAck).count() > 0
        || leg.kept(SegmentKind::Rst).any(|rst| rst.value.dir == Direction::ToClient);
    if answered {
        return None;
    }
    let Some(syn) = leg.kept(SegmentKind::Syn).next() else { return Some(opinion) };
    let fact = "the SYN arrived at the server's side, and no answer to it is in that capture";
    opinion.unknown.clear();
    let tried = client.tcp.leg(Leg::Single).kept(SegmentKind::Syn).last();
    let watched = tried.is_some_and(|syn| diff.ran(Side::Server, syn.at.time));
    let band =
        if watched && diff.complete[Side::Server.index()] { Band::High } else { Band::Possible };
    if !diff.both_ways[Side::Server.index()] {
        opinion = opinion.unknown(
            "whether the capture at the server's side would show what the server sends: it holds nothing of it",
        );
    }
    Some(
        opinion
            .party(Party::Server, capped(diff, band))
            .supports(Evidence::of(syn, fact).side(Side::Server)),
    )
}

fn refused(id: &str, mut opinion: Opinion, server: &Facts, diff: &Diff) -> Opinion {
    let leg = server.tcp.leg(Leg::Single);
    let own = leg.attempts.iter().find(|attempt| match attempt.failure.kind {
        ConnectFailureKind::Refused => id == "tcp-refused-rst",
        ConnectFailureKind::Icmp { .. } => id == "icmp-reject",
        _ => false,
    });
    if let Some(own) = own {
        let fact = "the refusal left the server's side";
        opinion.unknown.clear();
        return opinion
            .party(Party::Server, capped(diff, Band::Certain))
            .supports(Evidence::at(own.at, fact).side(Side::Server));
    }
    let told = opinion.supports.iter().find_map(|evidence| evidence.at);
    let watched = told.is_some_and(|at| diff.ran(Side::Server, at.time));
    let syn = leg.kept(SegmentKind::Syn).next();
    match syn.filter(|_| watched && diff.complete[Side::Server.index()]) {
        Some(syn) => {
            let fact =
                "the SYN arrived at the server's side, and the refusal did not come from there";
            opinion.unknown.clear();
            opinion
                .party(Party::Network, capped(diff, Band::High))
                .supports(Evidence::of(syn, fact).side(Side::Server))
        }
        None => opinion,
    }
}

/// A close that left its sender's own side is its own; one that did not is none of its sender's.
fn closed(mut opinion: Opinion, client: &Facts, server: &Facts, diff: &Diff) -> Option<Opinion> {
    let Some(ending) = client.ending() else { return Some(opinion) };
    let kind = match ending.how {
        Close::Fin => SegmentKind::Fin,
        Close::Rst => SegmentKind::Rst,
        Close::Error(_) => return Some(opinion),
    };
    let dir = ending.dir;
    let of_end = |lone: &&crate::diff::Lone| {
        let segment = &lone.segment.value;
        segment.kind == kind && segment.dir == dir && lone.side == Side::Client
    };
    let lone = diff.lone.iter().find(of_end);
    // A RST that may have been forged is one of unclear origin.
    let unclear = kind == SegmentKind::Rst && dir == Direction::ToClient && !diff.is_split();
    if lone.is_some_and(|lone| lone.is_forged() || unclear) {
        return None;
    }
    if lone.is_some() && dir == Direction::ToClient {
        // The other capture lacks it and may have ended before: that speaks against its sender and proves
        // nothing.
        opinion.band = opinion.band.min(Band::Possible);
        let fact =
            "no such segment is in the capture at the server's side, which may have missed it";
        let opinion = opinion.contradicts(Evidence::absent(fact));
        return Some(opinion.party(Party::Unknown, Band::Weak));
    }
    let mut there = server.tcp.leg(Leg::Single).kept(kind);
    let Some(copy) = there.find(|seen| seen.value.dir == dir).filter(|_| lone.is_none()) else {
        return Some(opinion);
    };
    // Where TCP ends in between, the same close can be passed on.
    if diff.is_split() {
        return Some(opinion);
    }
    let who = sender(dir);
    let fact = match dir {
        Direction::ToClient => format!("the same segment left the {who}'s side"),
        Direction::ToServer => {
            format!("the same segment arrived at the server's side: it is the {who}'s own")
        }
    };
    // Who was not heard, or had taken leave, is another matter than whose segment it was.
    let doubted = !std::mem::take(&mut opinion.contradicts).is_empty();
    if doubted || opinion.party.is_some_and(|(party, _)| party == endpoint(dir)) {
        opinion = opinion.party(endpoint(dir), capped(diff, Band::Certain));
    }
    Some(opinion.supports(Evidence::of(copy, fact).side(Side::Server)))
}
