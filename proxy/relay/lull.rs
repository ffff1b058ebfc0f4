//! What the sockets say while nothing moves. A kernel counts for how long its peer's window held it back, but over
//! the whole connection: looked at as a silence begins and as it ends, the count tells of that silence alone.

use std::time::Duration;

use rdpwhy_analyzer::input::{
    Baseline, Direction, Leg, Segment, SegmentKind, TcpSample, Timestamp,
};

/// A pause of this length is a silence that is worth a look.
pub const LULL: Duration = Duration::from_millis(500);

/// A silence of one session.
#[derive(Debug, Default)]
pub struct Lull {
    looked: bool,
    shut: Vec<Shut>,
}

/// A window that stood at zero when it was looked at.
#[derive(Debug)]
struct Shut {
    leg: Leg,
    since: Timestamp,
    held_us: u64,
}

impl Lull {
    /// The sockets were looked at in this silence; once is enough.
    pub fn was_looked_at(&self) -> bool {
        self.looked
    }

    /// Looks at both sockets as the silence begins; gives the zero windows that their peers have announced.
    pub fn look(
        &mut self,
        now: Timestamp,
        samples: [(Leg, Option<TcpSample>); 2],
    ) -> Vec<(Timestamp, Segment)> {
        self.looked = true;
        for (leg, sample) in samples {
            let counted = sample.filter(|sample| sample.snd_wnd == Some(0));
            let Some(held_us) = counted.and_then(|sample| sample.rwnd_limited_us) else { continue };
            self.shut.push(Shut { leg, since: now, held_us });
        }
        self.shut.iter().map(|shut| (now, window(shut.leg, SegmentKind::ZeroWindow))).collect()
    }

    /// Looks at them again; gives the windows that have not held everything back since: of those nothing is known.
    pub fn verify(
        &mut self,
        now: Timestamp,
        sample: impl Fn(Leg) -> Option<TcpSample>,
    ) -> Vec<(Timestamp, Segment)> {
        let still_shut = |shut: &mut Shut| {
            let held = sample(shut.leg).and_then(|sample| sample.rwnd_limited_us);
            let held = held.map_or(0, |held| held.saturating_sub(shut.held_us));
            is_most(held, now.since(shut.since))
        };
        let opened = self.shut.extract_if(.., |shut| !still_shut(shut));
        opened.map(|shut| (shut.since, window(shut.leg, SegmentKind::WindowOpen))).collect()
    }

    /// The silence is over; gives when its windows opened: now, where they held everything back until then.
    pub fn end(
        &mut self,
        now: Timestamp,
        sample: impl Fn(Leg) -> Option<TcpSample>,
    ) -> Vec<(Timestamp, Segment)> {
        let mut opened = self.verify(now, sample);
        let shut = std::mem::take(self).shut.into_iter();
        opened.extend(shut.map(|shut| (now, window(shut.leg, SegmentKind::WindowOpen))));
        opened
    }
}

/// What wakes the relay may come a little after the window has opened.
fn is_most(held_us: u64, of: Duration) -> bool {
    u128::from(held_us) * 10 >= of.as_micros() * 9
}

/// A window of the outside party of this leg.
fn window(leg: Leg, kind: SegmentKind) -> Segment {
    let dir = if leg == Leg::Client { Direction::ToServer } else { Direction::ToClient };
    Segment {
        leg,
        dir,
        kind,
        ttl: None,
        ip_id: None,
        seq: 0,
        ack: 0,
        flags: 0x10,
        window: 0,
        len: 0,
        options: Vec::new(),
        baseline: Baseline::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn sample(snd_wnd: u32, held_us: u64) -> TcpSample {
        TcpSample { snd_wnd: Some(snd_wnd), rwnd_limited_us: Some(held_us), ..TcpSample::default() }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    #[test]
    fn a_window_that_held_everything_back_was_shut_until_the_end() {
        for (held, open) in [(29, 37), (15, 30)] {
            let mut lull = Lull::default();
            // It had been small for 20 s in the hour before.
            let samples =
                [(Leg::Client, Some(sample(0, 20 * SECOND))), (Leg::Server, Some(sample(9, 0)))];
            let shut = lull.look(at(30), samples);
            assert!(lull.was_looked_at());
            let [(since, segment)] = &shut[..] else { panic!("{shut:?}") };
            assert_eq!(
                (*since, segment.leg, segment.dir),
                (at(30), Leg::Client, Direction::ToServer)
            );
            assert_eq!(segment.kind, SegmentKind::ZeroWindow);
            // 8 s later it opens again: it was at zero for 7.5 of them, or opened for a moment and was filled again.
            let held = sample(9, held * SECOND - SECOND / 2 - SECOND);
            let opened = lull.end(at(37), |leg| (leg == Leg::Client).then_some(held));
            let [(until, segment)] = &opened[..] else { panic!("{opened:?}") };
            assert_eq!((*until, segment.kind), (at(open), SegmentKind::WindowOpen));
            assert!(!lull.was_looked_at() && lull.end(at(40), |_| None).is_empty());
        }
    }

    #[test]
    fn what_a_kernel_does_not_count_is_not_told() {
        let mut lull = Lull::default();
        let uncounted = TcpSample { rwnd_limited_us: None, ..sample(0, 0) };
        assert!(lull.look(at(1), [(Leg::Client, Some(uncounted)), (Leg::Server, None)]).is_empty());
        assert!(lull.end(at(9), |_| Some(uncounted)).is_empty());
    }
}
