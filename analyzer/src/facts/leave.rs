//! Which side decided on the end of a session: the one that closed it, or one that had said goodbye before.

use std::time::Duration;

use super::{Ending, Facts};
use crate::event::At;
use crate::input::{Close, Direction};

impl Facts {
    /// The side that was first to say goodbye, and when: in clear with an MCS Disconnect Provider Ultimatum (T.125 7), in
    /// TLS with an alert, which a RST may cut short. It decided, even where the other side is faster to close.
    pub fn goodbye(&self, ending: &Ending) -> Option<(Direction, At)> {
        /// A relay takes what waited from one side before what waited from the other.
        const TURN: Duration = Duration::from_millis(1);
        let in_time = |at: &At| !ending.at.is_before(*at);
        if let Some((dir, ultimatum)) = self.rdp.disconnect.as_ref().filter(|(_, u)| in_time(&u.at))
        {
            return Some((*dir, ultimatum.at));
        }
        let mut ends = self.tcp.legs().filter_map(|(_, leg)| leg.ending.as_deref());
        let orderly =
            ends.all(|end| end.how == Close::Fin || (!ending.both && end.at != ending.at));
        if !orderly || !self.tls.tells_alerts() {
            return None;
        }
        match Direction::BOTH.map(|dir| self.tls.goodbye(dir).filter(in_time)) {
            [Some(client), Some(server)] => {
                let apart = Duration::from_nanos(client.time.0.abs_diff(server.time.0));
                let client_first = client.order() < server.order();
                let first = match client_first {
                    true => (Direction::ToServer, client),
                    false => (Direction::ToClient, server),
                };
                (!ending.both || apart >= TURN).then_some(first)
            }
            [Some(client), None] => Some((Direction::ToServer, client)),
            [None, Some(server)] => Some((Direction::ToClient, server)),
            [None, None] => None,
        }
    }

    /// The side that decided on the end: the one that was first to say goodbye, or else the one that closed. `None` where
    /// both sides' closes were found at once, and neither said goodbye.
    pub fn decider(&self, ending: &Ending) -> Option<Direction> {
        let first = self.goodbye(ending).map(|(dir, _)| dir);
        first.or_else(|| (!ending.both).then_some(ending.dir))
    }

    /// The side that closed. Where both sides' closes were found at once, the one that was first to say goodbye, if any.
    pub fn closer(&self, ending: &Ending) -> Option<Direction> {
        if ending.both { self.decider(ending) } else { Some(ending.dir) }
    }

    /// The end, where it was the client that left.
    pub fn client_left(&self) -> Option<&Ending> {
        self.ending().filter(|ending| self.decider(ending) == Some(Direction::ToServer))
    }
}
