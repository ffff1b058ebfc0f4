//! What a file's contents tell of its place in a rotation.

use std::collections::HashSet;
use std::io::Read;
use std::time::Duration;

use rdpwhy_analyzer::input::Timestamp;
use rdpwhy_captures::file::{InterfaceInfo, OpenError, PacketReader};

use crate::record::facts::Comment;

/// Packets of several interfaces are written a little out of order; around the end of a file, too.
const SLACK: Duration = Duration::from_millis(100);
/// The longest time without a packet between two files of a rotation.
const PAUSE: Duration = Duration::from_secs(3600);

/// From when to when a file reaches, and what it was captured from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Earliest and latest packet; none where there is no packet.
    pub times: Option<[Timestamp; 2]>,
    interfaces: Vec<InterfaceInfo>,
    recorded: Option<Recorded>,
}

/// What is different in a recording of the relay: it writes a session's latest packet only when the next one
/// comes, be it in the next file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Recorded {
    /// As many packets are earlier as are later.
    middle: Timestamp,
    /// Numbers of the sessions that begin here.
    begun: HashSet<u64>,
}

impl Extent {
    /// Reads a file to its end.
    pub fn of(file: impl Read) -> Result<Extent, OpenError> {
        let mut reader = PacketReader::open(file)?;
        let mut extent = Extent::default();
        let (mut all, mut begun) = (Vec::new(), HashSet::new());
        while let Some(packet) = reader.next_packet() {
            let Ok(packet) = packet else { continue };
            let time = packet.raw.time;
            let [first, last] = extent.times.unwrap_or([time; 2]);
            extent.times = Some([first.min(time), last.max(time)]);
            let leg = packet.interface_name.filter(|name| name.ends_with("-leg"));
            if leg.is_some() {
                all.push(time);
            }
            // A session begins on its client leg, and there once.
            if leg == Some("client-leg") {
                let comments = packet.comments.iter().filter_map(|text| Comment::from_text(text));
                begun.extend(comments.filter_map(|comment| match comment {
                    Comment::Begin(begin) => Some(begin.session),
                    _ => None,
                }));
            }
        }
        extent.interfaces = reader.interfaces().to_vec();
        all.sort_unstable();
        let middle = all.get(all.len() / 2).copied();
        extent.recorded = middle.map(|middle| Recorded { middle, begun });
        Ok(extent)
    }

    /// True for a recording of the relay, whose packets do not stand in order of time.
    pub fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// Why `next` does not go on where this file ends; `None` where it does.
    pub fn obstacle(&self, next: &Extent) -> Option<&'static str> {
        let (Some([first, last]), Some([next_first, next_last])) = (self.times, next.times) else {
            return Some("one of them is empty");
        };
        if self.interfaces != next.interfaces {
            return Some("they were captured on different interfaces");
        }
        // Half of a short file is no slack: two copies of one file would be one rotation.
        let slack = SLACK.min(last.since(first) / 4);
        let overlaps = match (&self.recorded, &next.recorded) {
            (Some(one), Some(other)) => {
                if !one.begun.is_disjoint(&other.begun) {
                    return Some("the same session begins in both");
                }
                next_last < last || last.since(other.middle) > slack
            }
            _ => last.since(next_first) > slack,
        };
        if overlaps {
            return Some("their times overlap");
        }
        (next_first.since(last) > PAUSE).then_some("more than an hour lies between them")
    }
}
