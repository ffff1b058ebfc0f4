//! Two captures of the same packets, one of them worse than the other: sessions are matched, compared and judged.

use rdpwhy_analyzer::case::{Case, Names, Pair, There};
use rdpwhy_analyzer::diff::{Diff, Held, Side, Span};
use rdpwhy_analyzer::facts::Facts;
use rdpwhy_analyzer::input::Timestamp;
use rdpwhy_analyzer::pairing;
use rdpwhy_analyzer::session::Session;

use super::cursor::Cursor;
use super::packets::{Builder, Frame, MOST, REPORTS, Reading};
use super::report;

/// Bytes in front that say what becomes of each packet, in turn.
const FATES: usize = 32;
/// Below this a packet is in both captures, as it was.
const SAME: u8 = 160;

/// Takes [`FATES`] bytes, and packets as [`super::packets`] does. Out: reports as JSON.
pub fn pair(data: &[u8]) -> Vec<String> {
    let (fates, rest) = data.split_at(data.len().min(FATES));
    let mut cursor = Cursor::new(rest);
    let max_flows = [1, 2, 5, 1000][usize::from(cursor.u8() & 3)];
    let mut builder = Builder::default();
    let mut captures = [(); 2].map(|()| Reading::new(max_flows, Session::with_transcript));
    let (mut count, mut same) = (0, true);
    while !cursor.is_empty() && count < MOST {
        let nanos = builder.pause(&mut cursor);
        // What a relay recorded is not compared.
        builder.tag(&mut cursor);
        let fate = fates.get(count as usize % FATES).copied().unwrap_or(0);
        count += 1;
        same &= fate < SAME;
        for capture in &mut captures {
            capture.time = Timestamp(capture.time.0 + nanos);
        }
        for frame in builder.frames(&mut cursor) {
            for (capture, frame) in captures.iter_mut().zip(copies(fate, frame)) {
                frame.into_iter().for_each(|frame| capture.packet(&frame, 0));
            }
        }
    }
    let last = captures[0].time;
    compare(captures.map(Reading::sessions), last, same)
}

/// A packet as the capture at the client's side has it, and that at the server's side.
fn copies(fate: u8, frame: Frame) -> [Option<Frame>; 2] {
    let mut worse = frame.clone();
    match fate {
        0..SAME => {}
        SAME..180 => return [Some(frame), None],
        180..200 => return [None, Some(frame)],
        200..220 => worse.bytes.truncate(40 + 4 * usize::from(fate - 200)),
        _ => {
            let from_end = usize::from(fate - 220);
            if let Some(byte) = worse.bytes.iter_mut().rev().nth(from_end) {
                *byte ^= 0x5A;
            }
        }
    }
    [Some(frame), Some(worse)]
}

fn compare(sessions: [Vec<Session>; 2], last: Timestamp, same: bool) -> Vec<String> {
    let [client, server] =
        sessions.each_ref().map(|list| list.iter().map(Session::facts).collect::<Vec<&Facts>>());
    let pairing = pairing::pair(&client, &server);
    let span = Span { first: Timestamp(0), last };
    let mut reports = Vec::new();
    for (at, ours) in sessions[0].iter().enumerate().take(REPORTS) {
        let matched = pairing.of_client(at);
        let diff = matched.map(|matched| {
            let both = [ours, &sessions[1][matched.server]].map(|session| held(session, span));
            (both[1].facts, Diff::of(both, matched.key, pairing.clock))
        });
        let there = match &diff {
            Some((facts, diff)) => There::Seen(facts, diff),
            None => There::Absent { same_host: true, unclaimed: false, names: Names::default() },
        };
        let pair =
            Pair { here: Side::Client, there, file: "server", between: ["client", "server"] };
        let report = report::check(&Case { pair: Some(pair), ..Case::new(ours.facts(), &[]) });
        let accuses = report.contains("\"between\":[");
        assert!(!(same && accuses), "two copies of one capture accuse somebody: {report}");
        reports.push(report);
    }
    reports
}

fn held(session: &Session, span: Span) -> Held<'_> {
    let transcript = session.transcript().expect("it was made for a comparison");
    Held { facts: session.facts(), transcript, span, both_ways: true }
}
