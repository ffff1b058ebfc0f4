//! What the sockets say while nothing moves. A kernel counts for how long its peer's window held it back, but over
//! the whole connection: looked at as a silence begins and as it ends, the count tells of that silence alone.

use std::time::Duration;

use rdpwhy_analyzer::input::{
    Baseline, Direction, Leg, Segment, SegmentKind, TcpSample, Timestamp,
};

/// A pause of this length is a silence that is worth a look.
pub const LULL: Duration = Duration::from_millis(500);

/// So often is looked whether a window that takes no whole segment closes: the probe that tells is a second behind.
const LOOKS: u8 = 4;

/// A silence of one session.
#[derive(Debug, Default)]
pub struct Lull {
    looks: u8,
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
    /// The sockets were looked at in this silence, and there is nothing more to see.
    pub fn was_looked_at(&self) -> bool {
        self.looked
    }

    /// Bytes pass: it is none yet.
    pub fn interrupt(&mut self) {
        self.looks = 0;
    }

    /// Looks at both sockets as the silence begins; gives the zero windows that their peers have announced.
    pub fn look(
        &mut self,
        now: Timestamp,
        samples: [(Leg, Option<TcpSample>); 2],
    ) -> Vec<(Timestamp, Segment)> {
        self.looks += 1;
        let mut narrow = false;
        for (leg, sample) in samples {
            let Some((window, held_us)) =
                sample.and_then(|it| Some((it.snd_wnd?, it.rwnd_limited_us?)))
            else {
                continue;
            };
            narrow |= sample.is_some_and(|it| it.snd_mss.is_some_and(|segment| window < segment));
            if window == 0 {
                self.shut.push(Shut { leg, since: now, held_us });
            }
        }
        self.looked = !narrow || !self.shut.is_empty() || self.looks == LOOKS;
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
        TcpSample {
            snd_wnd: Some(snd_wnd),
            rwnd_limited_us: Some(held_us),
            snd_mss: Some(1448),
            ..TcpSample::default()
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    #[test]
    fn a_window_that_held_everything_back_was_shut_until_the_end() {
        for (held, open) in [(27, 37), (26, 30)] {
            let mut lull = Lull::default();
            // It had been small for 20 s in the hour before, and is small again.
            let with = |window| {
                let server = (Leg::Server, Some(sample(9000, 0)));
                [(Leg::Client, Some(sample(window, 20 * SECOND))), server]
            };
            assert!(lull.look(at(29), with(500)).is_empty() && !lull.was_looked_at());
            let shut = lull.look(at(30), with(0));
            assert!(lull.was_looked_at());
            let [(since, segment)] = &shut[..] else { panic!("{shut:?}") };
            assert_eq!(
                (*since, segment.leg, segment.dir),
                (at(30), Leg::Client, Direction::ToServer)
            );
            assert_eq!(segment.kind, SegmentKind::ZeroWindow);
            // It opens again: it was at zero all the while, or opened for a time and was filled again.
            let held = sample(9000, held * SECOND - SECOND / 2);
            let opened = lull.end(at(37), |leg| (leg == Leg::Client).then_some(held));
            let [(until, segment)] = &opened[..] else { panic!("{opened:?}") };
            assert_eq!((*until, segment.kind), (at(open), SegmentKind::WindowOpen));
            assert!(!lull.was_looked_at() && lull.end(at(40), |_| None).is_empty());
        }
    }

    #[test]
    fn a_window_that_stays_narrow_is_not_looked_at_for_ever() {
        let mut lull = Lull::default();
        for looks in 1..=LOOKS {
            let narrow = [(Leg::Client, Some(sample(500, 0))), (Leg::Server, None)];
            assert!(lull.look(at(looks.into()), narrow).is_empty());
            assert_eq!(lull.was_looked_at(), looks == LOOKS);
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
