//! What is known of TLS without opening it. RFC 5246, RFC 8446.

use super::{Known, Seen, Why};
use crate::event::{At, Event};
use crate::input::Direction;
use crate::wire::tls::{
    Alert, CertificateSummary, Chain, ClientHello, ProtocolVersion, ServerHello,
};

/// TLS of one session.
#[derive(Clone, Debug, Default)]
pub struct TlsFacts {
    /// The first ClientHello.
    pub client_hello: Known<ClientHello>,
    /// HelloRetryRequest.
    pub hello_retry: Known<Box<ServerHello>>,
    /// ServerHello.
    pub server_hello: Known<ServerHello>,
    /// The server's chain, leaf first; each read or with its defect.
    pub certificate: Known<Chain>,
    /// The server's Certificate message is malformed as a whole.
    pub certificate_unreadable: Known<String>,
    /// The server asked for a client certificate.
    pub certificate_request: Known<()>,
    /// The client's certificate message: how many certificates it held.
    pub client_certificates: Known<usize>,
    /// Alerts, in order; bounded.
    pub alerts: Vec<Seen<AlertSeen>>,
    /// ChangeCipherSpec per direction.
    pub change_cipher_spec: [Known<()>; 2],
    /// Finished per direction (TLS 1.2 and older: the encrypted handshake record).
    pub finished: [Known<()>; 2],
    /// Encrypted application data records per direction.
    pub records: [Records; 2],
    /// Sender and body length of the first encrypted records behind the client's end of the handshake, in
    /// order: the shape of what is said in CredSSP.
    pub dialogue: Vec<(Direction, u16)>,
    /// The first record behind the client's end of the handshake that is the client's and no alert.
    pub first_data: Option<At>,
}

/// An alert. `alert` is `None` where it is encrypted.
#[derive(Clone, Copy, Debug)]
pub struct AlertSeen {
    /// Its direction: its sender's.
    pub dir: Direction,
    /// Level and description, in clear ones.
    pub alert: Option<Alert>,
}

/// Application data records of one direction. In TLS 1.3 the encrypted rest of the handshake and
/// alerts are among them, for they look the same.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// How many.
    pub count: u64,
    /// Bytes in their bodies.
    pub bytes: u64,
    /// Where the first one was seen.
    pub first: Option<At>,
    /// Where the latest one was seen.
    pub last: Option<At>,
    /// Length of the latest one, where it was read.
    pub last_length: Option<u16>,
    /// Server records that came after the client's first one: in TLS 1.3 no handshake flight any more.
    pub after_peer: u64,
    /// The first record that is long enough for a TLS 1.3 Finished: where, and how many came before it.
    pub long: Option<(At, u64)>,
    /// Records of the size of a TLS 1.3 alert behind that one.
    pub short_after_long: u64,
    /// How many of them a recording only counts: when they passed is not known.
    pub untimed: u64,
}

/// Body length of an encrypted TLS 1.3 alert: 2 bytes, content type, 16 bytes of tag. RFC 8446 5.2.
const TLS13_ALERT: u16 = 19;

/// Body length of the shortest TLS 1.3 Finished: header, SHA-256, content type, tag. RFC 8446 4.4.4. An
/// empty client Certificate (25) and an alert are shorter.
const TLS13_FINISHED: u16 = 4 + 32 + 1 + 16;

impl TlsFacts {
    /// So many records of a direction a recording holds one by one: of what comes behind them nothing is told that a
    /// replay could not tell.
    const TOLD: u64 = 64;
    /// How many records of the dialogue are kept.
    pub const DIALOGUE: usize = 24;

    /// The negotiated version.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.server_hello.value().map(ServerHello::version)
    }

    /// TLS 1.3 is spoken: everything behind ServerHello is hidden, and a ChangeCipherSpec means nothing.
    /// A HelloRetryRequest exists in no other version.
    pub fn is_13(&self) -> bool {
        self.version() == Some(ProtocolVersion::TLS1_3) || self.hello_retry.is_seen()
    }

    /// Any TLS record of the server was seen.
    pub fn server_spoke(&self) -> bool {
        let server = Direction::ToClient;
        self.server_hello.is_seen()
            || self.hello_retry.is_seen()
            || self.records[server.index()].count > 0
            || self.alerts.iter().any(|seen| seen.value.dir == server)
    }

    /// The leaf of the server's chain, where it could be read.
    pub fn leaf(&self) -> Option<&CertificateSummary> {
        self.certificate.value()?.first()?.as_ref().ok()
    }

    /// The client ended its side of the handshake: Finished (TLS 1.2 and older), or the first encrypted
    /// record that is as long as one (TLS 1.3, where its type is hidden).
    pub fn client_finished(&self) -> Option<At> {
        if let Some(finished) = self.finished[Direction::ToServer.index()].seen() {
            return Some(finished.at);
        }
        let long = self.records[Direction::ToServer.index()].long.filter(|_| self.is_13());
        long.map(|(at, _)| at)
    }

    /// Both sides ended the handshake.
    pub fn is_established(&self) -> bool {
        match self.version() {
            _ if self.is_13() => self.server_hello.is_seen() && self.client_finished().is_some(),
            // What holds a Finished may be cut in the source. Nobody sends data before it had the other's.
            Some(_) => {
                let [client, server] = [0, 1].map(|dir: usize| {
                    self.finished[dir].is_seen()
                        || !self.finished[dir].is_absent() && self.records[dir].count > 0
                });
                client && server
            }
            // The hello is missing in the source; data both ways says as much.
            None => self.records.iter().all(|records| records.count > 2),
        }
    }

    /// Application data the client sent behind its Finished, alerts not counted.
    pub fn client_data_records(&self) -> u64 {
        let records = &self.records[Direction::ToServer.index()];
        if !self.is_13() {
            return records.count;
        }
        let Some((_, before)) = records.long else { return 0 };
        records
            .count
            .saturating_sub(before.saturating_add(1))
            .saturating_sub(records.short_after_long)
    }

    /// Application data records of the server that can be no part of the handshake.
    pub fn server_data_records(&self) -> u64 {
        let records = &self.records[Direction::ToClient.index()];
        if self.is_13() { records.after_peer } else { records.count }
    }

    /// The last encrypted record of a direction has the size of an encrypted alert.
    pub fn ends_with_alert_shape(&self, dir: Direction) -> bool {
        let records = &self.records[dir.index()];
        let last = records.last_length.filter(|_| records.count <= Self::TOLD);
        self.is_13() && last == Some(TLS13_ALERT)
    }

    /// An alert of either side would be told as one.
    pub fn tells_alerts(&self) -> bool {
        !self.is_13() || self.records.iter().all(|records| records.count <= Self::TOLD)
    }

    /// When a side said with an alert that it ends the connection: a fatal one, close_notify, user_canceled, or one that
    /// can not be read. RFC 8446 6.
    pub fn goodbye(&self, dir: Direction) -> Option<At> {
        if self.ends_with_alert_shape(dir) {
            return self.records[dir.index()].last;
        }
        let ends = |alert: Option<Alert>| alert.is_none_or(|alert| alert.ends_connection());
        self.alerts
            .iter()
            .find(|seen| seen.value.dir == dir && ends(seen.value.alert))
            .map(|seen| seen.at)
    }

    /// When a side sent its last alert, where that can be told: in TLS 1.3 by the size of its last record.
    pub fn last_alert(&self, dir: Direction) -> Option<At> {
        if self.ends_with_alert_shape(dir) {
            return self.records[dir.index()].last;
        }
        self.alerts.iter().rfind(|seen| seen.value.dir == dir).map(|seen| seen.at)
    }

    /// The first fatal alert in clear, of either side or of one.
    pub fn fatal_alert(&self, dir: Option<Direction>) -> Option<(&Seen<AlertSeen>, Alert)> {
        self.alerts.iter().find_map(|seen| {
            let alert = seen.value.alert?;
            let wanted = dir.is_none_or(|dir| dir == seen.value.dir);
            (wanted && alert.is_fatal()).then_some((seen, alert))
        })
    }

    /// The user_canceled of a side, in clear. RFC 8446 6.1.
    pub fn cancelled(&self, dir: Direction) -> Option<&Seen<AlertSeen>> {
        let is_90 = |alert: Alert| alert.description.0 == 90;
        self.alerts.iter().find(|seen| seen.value.dir == dir && seen.value.alert.is_some_and(is_90))
    }

    /// When the handshake was over: the later Finished, where both can be seen.
    pub fn established(&self) -> Option<At> {
        let last = self.client_finished().filter(|_| self.is_established())?;
        let server = self.finished[Direction::ToClient.index()].seen().map(|finished| finished.at);
        Some(server.filter(|server| server.time > last.time).unwrap_or(last))
    }

    /// A message of a side, whichever, may not be seen for this reason.
    pub(super) fn hide(&mut self, dir: Direction, why: Why) {
        match dir {
            Direction::ToServer => {
                self.client_hello.hide(why);
                self.client_certificates.hide(why);
            }
            Direction::ToClient => {
                self.hello_retry.hide(why);
                self.server_hello.hide(why);
                self.certificate.hide(why);
                self.certificate_request.hide(why);
            }
        }
        self.finished[dir.index()].hide(why);
    }

    pub(super) fn apply(&mut self, at: At, event: Event) {
        match event {
            Event::ClientHello(hello) => self.client_hello.set(at, hello),
            Event::HelloRetryRequest(hello) => self.hello_retry.set(at, Box::new(hello)),
            Event::ServerHello(hello) => {
                self.server_hello.set(at, hello);
                if self.is_13() {
                    self.certificate.hide(Why::Tls13);
                    self.certificate_request.hide(Why::Tls13);
                    self.client_certificates.hide(Why::Tls13);
                }
            }
            Event::Certificate(Direction::ToClient, chain) => self.certificate.set(at, chain),
            Event::Certificate(Direction::ToServer, chain) => {
                self.client_certificates.set(at, chain.len());
            }
            Event::CertificateUnreadable(Direction::ToClient, error) => {
                self.certificate_unreadable.set(at, error.to_string());
            }
            Event::CertificateRequest => self.certificate_request.set(at, ()),
            Event::ChangeCipherSpec(dir) => self.change_cipher_spec[dir.index()].set(at, ()),
            Event::EncryptedHandshake(dir) => self.finished[dir.index()].set(at, ()),
            Event::Alert(dir, alert) => self.note_alert(at, dir, Some(alert)),
            Event::EncryptedAlert(dir) => self.note_alert(at, dir, None),
            Event::RecordsPassed(dir, records, bytes) => {
                let sum = &mut self.records[dir.index()];
                sum.count = sum.count.saturating_add(records);
                sum.untimed = sum.untimed.saturating_add(records);
                sum.bytes = sum.bytes.saturating_add(bytes);
                sum.after_peer = sum.after_peer.saturating_add(records);
                sum.last_length = None;
            }
            _ => {}
        }
    }

    fn note_alert(&mut self, at: At, dir: Direction, alert: Option<Alert>) {
        const KEPT: usize = 8;
        if self.alerts.len() < KEPT {
            self.alerts.push(Seen { value: AlertSeen { dir, alert }, at });
        }
    }

    pub(super) fn count_record(&mut self, at: At, dir: Direction, length: u16) {
        if self.dialogue.len() < Self::DIALOGUE && self.client_finished().is_some() {
            self.dialogue.push((dir, length));
        }
        if dir == Direction::ToServer && self.first_data.is_none() {
            let alert = length == TLS13_ALERT && self.is_13();
            self.first_data = self.client_finished().and((!alert).then_some(at));
        }
        let peer_began = self.records[dir.reverse().index()].first.is_some();
        let records = &mut self.records[dir.index()];
        if records.long.is_some() {
            records.short_after_long += u64::from(length == TLS13_ALERT);
        } else if length >= TLS13_FINISHED {
            records.long = Some((at, records.count));
        }
        records.count = records.count.saturating_add(1);
        records.bytes = records.bytes.saturating_add(length.into());
        records.first.get_or_insert(at);
        records.last = Some(at);
        records.after_peer = records.after_peer.saturating_add(peer_began.into());
        records.last_length = Some(length);
    }
}
