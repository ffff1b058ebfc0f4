//! How a flow opened, or did not. RFC 9293 3.5.

use std::time::Duration;

use rdpwhy_analyzer::input::Timestamp;

use super::IcmpError;

/// SYNs after which a shorter silence is an answer.
const SYNS_WITHOUT_ANSWER: u32 = 3;
/// Silence after the first of so many that is an answer. The last of them may still have one when a capture ends.
const SILENCE_OF_SEVERAL: Duration = Duration::from_secs(4);
/// Silence after the first SYN that is an answer, however few SYNs there were.
const SILENCE: Duration = Duration::from_secs(9);
/// How long clients go on trying; what the capture goes on after that says nothing more about the attempt.
const PATIENCE: Duration = Duration::from_secs(21);

/// What was seen of the handshake.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Handshake {
    first_syn: Option<Timestamp>,
    last_syn: Timestamp,
    /// SYNs of the client.
    pub(super) syns: u32,
    saw_syn_ack: bool,
    /// From the SYN that was answered to its answer.
    took: Option<Duration>,
    /// The last SYN was not answered, neither by TCP nor by ICMP.
    unanswered: bool,
    /// The server sent anything, or ICMP answered.
    answered_ever: bool,
    opened: bool,
}

impl Handshake {
    /// Takes a SYN of the client.
    pub(super) fn syn(&mut self, time: Timestamp) {
        self.first_syn.get_or_insert(time);
        self.last_syn = time;
        self.syns = self.syns.saturating_add(1);
        self.unanswered = !self.saw_syn_ack && !self.opened;
    }

    /// Takes a SYN-ACK of the server; `fits` when it acknowledges the client's SYN.
    pub(super) fn syn_ack(&mut self, time: Timestamp, fits: bool) {
        if !self.saw_syn_ack && fits {
            self.took = self.first_syn.map(|_| time.since(self.last_syn));
        }
        self.saw_syn_ack = true;
        self.unanswered = false;
        self.answered_ever = true;
    }

    /// Takes any other segment of the server.
    pub(super) fn server_spoke(&mut self) {
        self.answered_ever = true;
    }

    /// A later segment shows that the handshake was completed: the time it took, where both ends of it were
    /// seen, once.
    pub(super) fn complete(&mut self) -> Option<Option<Duration>> {
        if self.opened || (self.first_syn.is_none() && !self.saw_syn_ack) {
            return None;
        }
        self.opened = true;
        self.unanswered = false;
        Some(self.took)
    }

    /// Whether it was completed.
    pub(super) fn is_open(&self) -> bool {
        self.opened
    }

    /// Whether the last SYN still waits for an answer.
    pub(super) fn is_trying(&self) -> bool {
        self.unanswered
    }

    /// Takes a RST of the server that acknowledges the SYN: the time since the first SYN when it refuses it.
    pub(super) fn refuse(&mut self, time: Timestamp) -> Option<Duration> {
        let refuses = std::mem::take(&mut self.unanswered);
        self.answered_ever = true;
        self.first_syn.filter(|_| refuses).map(|first| time.since(first))
    }

    /// Takes an ICMP error that quotes the SYN: the time since the first SYN when it ends the attempt.
    pub(super) fn icmp(&mut self, time: Timestamp, error: &IcmpError) -> Option<Duration> {
        ends_attempt(error).then(|| self.refuse(time)).flatten()
    }

    /// The capture is over at `end`: how long the client waited when nobody ever answered.
    pub(super) fn no_answer(&self, end: Timestamp) -> Option<Duration> {
        let first = self.first_syn.filter(|_| !self.answered_ever && !self.opened)?;
        let waited = end.since(first);
        let tried = self.last_syn.since(first);
        let in_vain = self.syns >= SYNS_WITHOUT_ANSWER && waited >= SILENCE_OF_SEVERAL;
        let silent = in_vain || waited >= SILENCE;
        silent.then(|| waited.min(PATIENCE).max(tried))
    }
}

/// Unreachable (not "fragmentation needed") and time exceeded in transit. RFC 792, RFC 4443 3.1 and 3.3.
fn ends_attempt(error: &IcmpError) -> bool {
    match (error.source.is_ipv4(), error.kind, error.code) {
        (true, 3, code) => code != 4,
        (true, 11, 0) => true,
        (false, 1, _) => true,
        (false, 3, 0) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_icmp_errors_end_an_attempt() {
        let ends = |source: &str, kind, code| {
            let source: std::net::SocketAddr = source.parse().unwrap();
            let offender = source.ip();
            ends_attempt(&IcmpError {
                kind,
                code,
                offender,
                source,
                destination: source,
                seq: None,
            })
        };
        let v4 = [(3, 0), (3, 4), (3, 13), (11, 0), (11, 1), (1, 0), (5, 0)];
        let told = v4.map(|(kind, code)| ends("192.0.2.1:1", kind, code));
        assert_eq!(told, [true, false, true, true, false, false, false]);
        let v6 = [(1, 4), (2, 0), (3, 0), (3, 1), (11, 0)];
        let told = v6.map(|(kind, code)| ends("[2001:db8::1]:1", kind, code));
        assert_eq!(told, [true, false, true, false, false]);
    }
}
