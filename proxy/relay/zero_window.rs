//! Windows that stay shut, by what the sockets say. A kernel tells that its peer's window is at zero, not since when:
//! it is asked as a silence begins, and from then on until the window has opened. RFC 9293 3.8.6.

use std::time::Duration;

use rdpwhy_analyzer::input::{
    Baseline, Direction, Leg, Segment, SegmentKind, TcpSample, Timestamp,
};

/// A pause of this length is a silence that is worth a look.
pub const LULL: Duration = Duration::from_millis(500);

/// So often is looked whether a window that takes no whole segment closes: the probe that tells is a second behind.
const LOOKS: u8 = 4;
/// What opens sooner is flow control at work.
const NOTED: Duration = Duration::from_secs(2);

/// The windows of both legs' outside parties, of which one at a time is followed.
#[derive(Debug, Default)]
pub struct ZeroWindows {
    looks: u8,
    looked: bool,
    // In a box: hardly a session has one, and many are open.
    shut: Option<Box<Shut>>,
}

/// A window that is at zero.
#[derive(Debug)]
struct Shut {
    leg: Leg,
    since: Timestamp,
    /// What the peer had acknowledged then: who reads lets more come, and acknowledges it.
    acked: u64,
    /// It was still so.
    checked: Timestamp,
    /// The peer said anything at all, as of that.
    heard: Timestamp,
}

/// A window's closing and its opening, with their times.
pub type Stretch = [(Timestamp, Segment); 2];

impl ZeroWindows {
    /// Both sockets were looked at in this silence.
    pub fn were_looked_at(&self) -> bool {
        self.looked
    }

    /// Some window is shut.
    pub fn is_any_shut(&self) -> bool {
        self.shut.is_some()
    }

    /// Bytes pass: the silence is over, or was none yet.
    pub fn resume(&mut self) {
        (self.looks, self.looked) = (0, false);
    }

    /// Looks at both sockets as a silence begins.
    pub fn look(&mut self, now: Timestamp, samples: [(Leg, Option<TcpSample>); 2]) {
        self.looks += 1;
        let mut narrow = false;
        for (leg, sample) in samples {
            let Some(sample) = sample else { continue };
            let (Some(window), Some(acked)) = (sample.snd_wnd, sample.bytes_acked) else {
                continue;
            };
            narrow |= sample.snd_mss.is_some_and(|segment| window < segment);
            if window == 0 && self.shut.is_none() {
                let heard = heard(now, &sample);
                self.shut = Some(Box::new(Shut { leg, since: now, acked, checked: now, heard }));
            }
        }
        self.looked = !narrow || self.is_any_shut() || self.looks == LOOKS;
    }

    /// Looks after the one that is shut; gives its stretch when it is over.
    pub fn watch(
        &mut self,
        now: Timestamp,
        sample: impl FnOnce(Leg) -> Option<TcpSample>,
    ) -> Option<Stretch> {
        let shut = self.shut.as_deref_mut()?;
        let still = sample(shut.leg)
            .filter(|it| it.snd_wnd == Some(0) && it.bytes_acked == Some(shut.acked));
        if let Some(sample) = still {
            (shut.checked, shut.heard) = (now, heard(now, &sample));
            return None;
        }
        let opened = self.shut.take()?;
        // The other leg's may be shut as well.
        self.resume();
        stretch(&opened, opened.checked)
    }

    /// What is certain of the one that is shut: a peer that is not heard any more may be gone.
    pub fn so_far(&self) -> Option<Stretch> {
        self.shut.as_deref().and_then(|shut| stretch(shut, shut.heard))
    }

    /// The session ends; gives what was not told yet.
    pub fn end(
        &mut self,
        now: Timestamp,
        sample: impl FnOnce(Leg) -> Option<TcpSample>,
    ) -> Option<Stretch> {
        let opened = self.watch(now, sample);
        let left = opened.or_else(|| self.so_far());
        self.shut = None;
        left
    }
}

/// When the peer acknowledged anything last, an answer to a probe included.
fn heard(now: Timestamp, sample: &TcpSample) -> Timestamp {
    let silent = Duration::from_millis(sample.last_ack_recv_ms.unwrap_or(u32::MAX).into());
    Timestamp(now.0.saturating_sub(silent.as_nanos() as u64))
}

fn stretch(shut: &Shut, until: Timestamp) -> Option<Stretch> {
    let (closed, open) = (SegmentKind::ZeroWindow, SegmentKind::WindowOpen);
    (until.since(shut.since) >= NOTED)
        .then(|| [(shut.since, window(shut.leg, closed)), (until, window(shut.leg, open))])
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

    const MTU: u32 = 1448;

    fn sample(window: u32, acked: u64, silent_ms: u32) -> Option<TcpSample> {
        Some(TcpSample {
            snd_wnd: Some(window),
            bytes_acked: Some(acked),
            snd_mss: Some(MTU),
            last_ack_recv_ms: Some(silent_ms),
            ..TcpSample::default()
        })
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * 1_000_000_000)
    }

    fn look(windows: &mut ZeroWindows, seconds: u64, client: Option<TcpSample>) {
        windows.look(at(seconds), [(Leg::Client, client), (Leg::Server, sample(9000, 5, 10))]);
    }

    fn told(stretch: Option<Stretch>) -> Option<(Leg, u64, u64)> {
        let [(since, closed), (until, open)] = stretch?;
        let kinds = (closed.kind, open.kind);
        assert_eq!(kinds, (SegmentKind::ZeroWindow, SegmentKind::WindowOpen));
        assert_eq!((closed.leg, closed.dir), (open.leg, open.dir));
        let [since, until] = [since, until].map(|time| time.0 / 1_000_000_000);
        Some((closed.leg, since, until))
    }

    #[test]
    fn a_window_that_stays_at_zero_is_told_once_it_has_opened() {
        let mut windows = ZeroWindows::default();
        // Too narrow for a segment, and then shut.
        look(&mut windows, 1, sample(500, 7000, 10));
        assert!(!windows.were_looked_at() && !windows.is_any_shut());
        look(&mut windows, 2, sample(0, 7000, 10));
        assert!(windows.were_looked_at() && windows.is_any_shut());
        for seconds in 3..=8 {
            assert!(windows.watch(at(seconds), |_| sample(0, 7000, 1500)).is_none());
        }
        // Bytes of the server's end the silence, and the window is shut still.
        windows.resume();
        assert_eq!(told(windows.so_far()), Some((Leg::Client, 2, 6)));
        assert_eq!(
            told(windows.watch(at(9), |_| sample(5000, 7000, 3))),
            Some((Leg::Client, 2, 8))
        );
        assert!(!windows.is_any_shut() && windows.end(at(10), |_| None).is_none());
    }

    #[test]
    fn a_slow_reader_acknowledges_more_from_time_to_time() {
        let mut windows = ZeroWindows::default();
        look(&mut windows, 1, sample(0, 7000, 10));
        assert!(windows.watch(at(2), |_| sample(0, 8448, 10)).is_none());
        assert!(!windows.is_any_shut() && windows.end(at(30), |_| None).is_none());
    }

    #[test]
    fn of_a_peer_that_is_not_heard_any_more_nothing_is_told() {
        let mut windows = ZeroWindows::default();
        look(&mut windows, 1, sample(0, 7000, 10));
        for seconds in 2..=60u64 {
            let silent = seconds.saturating_sub(4) as u32 * 1000;
            assert!(windows.watch(at(seconds), |_| sample(0, 7000, silent)).is_none());
        }
        let over = windows.end(at(61), |_| sample(0, 7000, 57_000));
        assert_eq!(told(over), Some((Leg::Client, 1, 4)));
    }

    #[test]
    fn a_window_that_stays_narrow_is_not_looked_at_for_ever() {
        let mut windows = ZeroWindows::default();
        for looks in 1..=LOOKS {
            look(&mut windows, looks.into(), sample(500, 0, 10));
            assert_eq!(windows.were_looked_at(), looks == LOOKS);
        }
        assert!(!windows.is_any_shut());
    }

    #[test]
    fn what_a_system_does_not_tell_is_not_told() {
        let mut windows = ZeroWindows::default();
        let bare = TcpSample { snd_wnd: Some(0), ..TcpSample::default() };
        look(&mut windows, 1, Some(bare));
        assert!(windows.were_looked_at() && !windows.is_any_shut());
    }
}
