//! What is not in the input, and was for all that is known said or done: nothing may rest on its absence.

use super::{Facts, Reached, Vantage};
use crate::event::{CUT, CUT_ALERT, CUT_HANDSHAKE, LEFT_OUT, UNREAD};
use crate::input::{Direction, Leg, RelayNote, SegmentKind};
use crate::wire::first_bytes::FirstBytes;

impl Facts {
    /// The server's own silence can be told from bytes that were not observed: the server's leg is up
    /// (or the only leg there is), and the input holds both directions without a hole from the server.
    pub fn would_show_an_answer(&self) -> bool {
        let reached = match self.subject.vantage {
            Vantage::Relay => self.tcp.leg(Leg::Server).opened.is_seen(),
            Vantage::Capture => true,
        };
        reached && !self.is_one_sided() && !self.stream(Direction::ToClient).gap
    }

    /// The capture holds the segments of one side only.
    pub fn is_one_sided(&self) -> bool {
        self.tcp.legs().any(|(_, leg)| {
            leg.counts().is_some_and(|counts| {
                let [client, server] = counts.map(|counts| counts.segments);
                (client == 0) != (server == 0)
            })
        })
    }

    /// Bytes passed, and the input does not tell what they said: headers alone were captured.
    pub fn is_unread(&self) -> bool {
        let nothing_read = self.reached().is_none_or(|(reached, _)| reached <= Reached::Tcp);
        nothing_read && self.limits.contains(&UNREAD)
    }

    /// What a side said before the session was up is partly not in the input, as in captures of headers alone.
    pub fn lacks_words(&self) -> bool {
        let lacks = |limits: &[&'static str]| limits.iter().any(|it| self.limits.contains(it));
        let greeted = self.tls.client_hello.is_seen();
        // What a handshake that came to its end held does not tell why a session ended behind it.
        let shaken = greeted && self.tls.is_established();
        let lacking = lacks(&[LEFT_OUT])
            || !shaken && lacks(&[CUT_HANDSHAKE, CUT_ALERT])
            || !greeted && lacks(&[UNREAD, CUT]);
        lacking && !self.is_active()
    }

    /// The client asks for Remote Desktop, or what it says is cut and may be that.
    pub fn may_ask(&self) -> bool {
        let first = self.x224.first_bytes[Direction::ToServer.index()].value();
        let begun = matches!(first, Some(FirstBytes::Tpkt)) && self.lacks_words();
        self.x224.request.is_seen() || begun
    }

    /// Nothing of what a verdict could rest on is missing.
    pub fn is_complete(&self) -> bool {
        let lost = self.relay.iter().any(|note| matches!(note.value, RelayNote::RecorderLost(_)));
        self.limits.is_empty() && !lost && !self.streams.iter().any(|stream| stream.gap)
    }

    /// A side's FIN was acknowledged and not captured: it may have closed first.
    pub fn lacks_fin(&self, dir: Direction) -> bool {
        let leg = self.tcp.leg(Leg::Single);
        let shown = || leg.kept(SegmentKind::Fin).any(|seen| seen.value.dir == dir);
        let counts = leg.counts().filter(|_| self.subject.vantage == Vantage::Capture);
        let counts = counts.map(|both| both[dir.index()]);
        counts.is_some_and(|sent| sent.acknowledged == Some(sent.bytes.saturating_add(1)))
            && !shown()
    }
}
