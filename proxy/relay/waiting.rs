//! Waiting: for a moment, and how long a session has waited for what by its facts.

use std::time::Duration;

use rdpwhy_analyzer::facts::Facts;
use rdpwhy_analyzer::input::{Direction, Leg, RelayNote, Timestamp};
use tokio::time::{Instant, sleep_until};

/// Waits until then; for ever where there is no such moment.
pub async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Without a SYN-ACK, or without an answer to the lookup of a name.
pub const DIALING: Duration = Duration::from_secs(9);

/// Observation timers: 9 s without SYN-ACK, 10 s without X.224 confirm, 5 s in a machine turn.
pub fn is_stalled(facts: &Facts, now: Timestamp) -> bool {
    const CONFIRM: Duration = Duration::from_secs(10);
    const TURN: Duration = Duration::from_secs(5);
    let server = facts.stream(Direction::ToClient);
    if !facts.tcp.leg(Leg::Server).opened.is_seen() {
        let dialing = facts.relay.iter().find(|note| note.value == RelayNote::Dialing);
        return dialing.is_some_and(|dialing| now.since(dialing.at.time) >= DIALING);
    }
    if let Some(request) = facts.x224.request.seen().filter(|_| server.bytes == 0) {
        return now.since(facts.delivered(request.at.time)) >= CONFIRM;
    }
    let asked = facts.stream(Direction::ToServer).last;
    let turn = facts.tls.client_hello.is_seen()
        && asked.is_some_and(|asked| server.last.is_none_or(|last| last.time < asked.time));
    turn && asked.is_some_and(|asked| now.since(asked.time) >= TURN)
}

/// How long the server has said nothing since the client's last bytes. A client that has closed waits for
/// whatever is still to come. `None` when nobody waits for the server.
pub fn without_answer(facts: &Facts, now: Timestamp) -> Option<Duration> {
    let [asked, answered] = Direction::BOTH.map(|dir| facts.stream(dir).last.map(|last| last.time));
    let left = facts.ending().filter(|ending| ending.dir == Direction::ToServer);
    let since = match left {
        Some(left) => Some(left.at.time.max(answered.unwrap_or_default())),
        None => asked.filter(|asked| answered.is_none_or(|answered| answered < *asked)),
    };
    since.map(|since| now.since(since))
}
