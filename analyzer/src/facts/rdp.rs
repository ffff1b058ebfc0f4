//! What is known of X.224, the negotiation and RDP in clear.

use super::{Known, Seen};
use crate::event::{At, Event};
use crate::input::Direction;
use crate::wire::first_bytes::FirstBytes;
use crate::wire::licensing::LicensingPdu;
use crate::wire::mcs::McsPdu;
use crate::wire::send_data::Statement;
use crate::wire::share::SetErrorInfo;
use crate::wire::x224::{ConnectionConfirm, ConnectionRequest, Protocols};

/// X.224 and the negotiation. MS-RDPBCGR 2.2.1.1, 2.2.1.2.
#[derive(Clone, Debug, Default)]
pub struct X224Facts {
    /// What each side speaks, by its first bytes: client, server.
    pub first_bytes: [Known<FirstBytes>; 2],
    /// Connection Request.
    pub request: Known<ConnectionRequest>,
    /// Connection Confirm.
    pub confirm: Known<ConnectionConfirm>,
    /// Disconnect Request or Error in place of a confirm, with its reason.
    pub refused: Known<u8>,
}

impl X224Facts {
    /// What the client asked for.
    pub fn requested(&self) -> Option<Protocols> {
        self.request.value().map(ConnectionRequest::requested)
    }

    /// What the server selected.
    pub fn selected(&self) -> Option<Protocols> {
        self.confirm.value().and_then(ConnectionConfirm::selected)
    }

    pub(super) fn apply(&mut self, at: At, event: Event) {
        match event {
            Event::FirstBytes(dir, what) => self.first_bytes[dir.index()].set(at, what),
            Event::ConnectionRequest(request) => self.request.set(at, request),
            Event::ConnectionConfirm(confirm) => self.confirm.set(at, confirm),
            Event::X224Refused(Direction::ToClient, reason) => self.refused.set(at, reason),
            _ => {}
        }
    }
}

/// RDP PDUs whose framing is in clear: standard RDP security, or a server whose TLS did not start.
#[derive(Clone, Debug, Default)]
pub struct RdpFacts {
    /// MCS Connect-Initial.
    pub connect_initial: Known<()>,
    /// MCS Connect-Response.
    pub connect_response: Known<()>,
    /// First Send Data PDU of each side.
    pub send_data: [Known<()>; 2],
    /// Disconnect Provider Ultimatum, by sender, with its reason.
    pub disconnect: Option<(Direction, Seen<u8>)>,
    /// The last licensing error message, by its sender.
    pub licensing_error: Option<(Direction, Seen<LicensingPdu>)>,
    /// Set Error Info PDU: the last reason that the server gave.
    pub error_info: Known<SetErrorInfo>,
    /// Clear RDP frames per direction, fast-path included.
    pub frames: [u64; 2],
    /// Send Data PDUs per direction: what is said once the channels are joined.
    pub data: [u64; 2],
    /// Fast-path PDUs per direction.
    pub fast_path: [u64; 2],
    /// A clear RDP frame from the server where its TLS should have begun.
    pub plaintext_after_hello: Known<Option<McsPdu>>,
    /// The direction holds bytes that are no frame.
    pub opaque: [bool; 2],
}

impl RdpFacts {
    pub(super) fn apply(&mut self, at: At, event: &Event, instead_of_tls: bool) {
        match *event {
            Event::ClearFrame(dir) => {
                // What a source leaves out comes behind the channels' joins.
                self.frames[dir.index()] += 1;
                self.data[dir.index()] += 1;
            }
            Event::FastPath(dir) => {
                self.frames[dir.index()] += 1;
                self.fast_path[dir.index()] += 1;
            }
            Event::Statement(dir, Statement::Licensing(pdu @ LicensingPdu::ErrorAlert { .. })) => {
                self.licensing_error = Some((dir, Seen { value: pdu, at }));
            }
            // A licence that is granted after all: 3 a new one, 4 an upgraded one. MS-RDPBCGR 2.2.1.12.1.1.
            Event::Statement(
                Direction::ToClient,
                Statement::Licensing(LicensingPdu::Message(3 | 4)),
            ) => self.licensing_error = None,
            Event::Statement(Direction::ToClient, Statement::ErrorInfo(reason)) => {
                self.error_info = Known::Seen(Seen { value: reason, at });
            }
            Event::Mcs(dir, pdu) => {
                self.frames[dir.index()] += 1;
                if instead_of_tls && dir == Direction::ToClient {
                    self.plaintext_after_hello.set(at, Some(pdu));
                }
                match pdu {
                    McsPdu::ConnectInitial => self.connect_initial.set(at, ()),
                    McsPdu::ConnectResponse => self.connect_response.set(at, ()),
                    McsPdu::SendDataRequest | McsPdu::SendDataIndication => {
                        self.data[dir.index()] += 1;
                        self.send_data[dir.index()].set(at, ());
                    }
                    McsPdu::DisconnectProviderUltimatum(reason) if self.disconnect.is_none() => {
                        self.disconnect = Some((dir, Seen { value: reason, at }));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}
