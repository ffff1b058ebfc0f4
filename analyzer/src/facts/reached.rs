//! How far a session got, and whether that was seen or inferred.

use super::Facts;
use crate::input::Direction;
use crate::wire::x224::Protocols;

/// The furthest step a session reached. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the contract's own words
pub enum Reached {
    None,
    Tcp,
    X224Request,
    X224Confirm,
    TlsClientHello,
    TlsServerHello,
    TlsEncrypted,
    TlsFinished,
    Credssp,
    Mcs,
    Licensing,
    Active,
}

/// How a step is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Its PDU was seen.
    Seen,
    /// Encrypted records of its number and direction were seen.
    Inferred,
}

/// A session counts as active when the server has sent more than this many records behind the
/// handshake: CredSSP and its answers are fewer.
const ACTIVE_RECORDS: u64 = 10;

impl Facts {
    /// The furthest step; `None` where the input starts in the middle and does not tell.
    pub fn reached(&self) -> Option<(Reached, Basis)> {
        if self.is_active() {
            return Some((Reached::Active, Basis::Inferred));
        }
        if self.subject.starts_in_the_middle && !self.x224.request.is_seen() {
            return None;
        }
        Some(self.reached_in_clear().unwrap_or_else(|| self.reached_in_tls()))
    }

    /// Enough data flows behind the handshake that the desktop must be up.
    pub fn is_active(&self) -> bool {
        let server = Direction::ToClient.index();
        let clear = self.rdp.connect_response.is_seen()
            && (self.rdp.fast_path[server] > 0 || self.rdp.data[server] > ACTIVE_RECORDS);
        let tls = self.tls.is_established()
            && self.tls.server_data_records() > ACTIVE_RECORDS
            && self.tls.client_data_records() > 0;
        clear || tls
    }

    /// Standard RDP security shows its steps.
    fn reached_in_clear(&self) -> Option<(Reached, Basis)> {
        let rdp = &self.rdp;
        if rdp.send_data[Direction::ToClient.index()].is_seen() {
            return Some((Reached::Licensing, Basis::Inferred));
        }
        let began = rdp.connect_initial.is_seen() || rdp.connect_response.is_seen();
        began.then_some((Reached::Mcs, Basis::Seen))
    }

    fn reached_in_tls(&self) -> (Reached, Basis) {
        let tls = &self.tls;
        if tls.is_established() && tls.client_data_records() > 0 {
            // The first thing a client says behind Finished is CredSSP where it was selected, else MCS.
            let nla = self.x224.selected().is_some_and(Protocols::is_nla);
            return (if nla { Reached::Credssp } else { Reached::Mcs }, Basis::Inferred);
        }
        if tls.is_established() {
            let basis = if tls.is_13() { Basis::Inferred } else { Basis::Seen };
            return (Reached::TlsFinished, basis);
        }
        let encrypted = tls.records.iter().any(|records| records.count > 0)
            || tls.finished.iter().any(super::Known::is_seen);
        if encrypted {
            return (Reached::TlsEncrypted, Basis::Seen);
        }
        let steps = [
            (tls.server_hello.is_seen() || tls.hello_retry.is_seen(), Reached::TlsServerHello),
            (tls.client_hello.is_seen(), Reached::TlsClientHello),
            (self.x224.confirm.is_seen(), Reached::X224Confirm),
            (self.x224.request.is_seen(), Reached::X224Request),
            (self.tcp.legs().any(|(_, leg)| leg.opened.is_seen()), Reached::Tcp),
        ];
        let step = steps.iter().find(|(seen, _)| *seen).map_or(Reached::None, |(_, step)| *step);
        (step, Basis::Seen)
    }
}
