//! A second reader: `ironrdp-pdu` and our own code must agree on TPKT, on the X.224 negotiation and on
//! the MCS steps that stand in clear, whoever wrote the bytes.
//!
//! It does not know correlation info, tokens other than `Cookie: msts=`, bytes that are not UTF-8, ER and
//! DR; a source reference and a confirm without negotiation it reads and does not tell. Those rest on the
//! test vectors of `x224`.

use ironrdp_pdu::mcs::{self, DisconnectProviderUltimatum, DisconnectReason, McsMessage};
use ironrdp_pdu::nego::{self, NegoRequestData, RequestFlags, ResponseFlags, SecurityProtocol};
use ironrdp_pdu::rdp::headers::{self, ShareDataPdu};
use ironrdp_pdu::rdp::server_error_info as errors;
use ironrdp_pdu::rdp::server_license::{LicensePdu, LicensingErrorMessage};
use ironrdp_pdu::x224::X224;
use ironrdp_pdu::{Encode, ReadCursor, decode, encode_vec, tpkt};
use proptest::prelude::*;

use super::licensing::{LicensingError, LicensingPdu};
use super::mcs::McsPdu;
use super::send_data::{SendData, Statement};
use super::share::SetErrorInfo;
use super::tpkt::TpktHeader;
use super::x224::{
    ConnectionConfirm, ConnectionRequest, FailureCode, NegotiationAnswer, NegotiationRequest,
    Protocols, Routing, Tpdu,
};

/// Requests as clients write them, recorded or by the specification: xfreerdp with TLS and NLA and with
/// TLS alone, mstsc's mask, a broker's token, Restricted Admin, and one that knows no negotiation.
const REQUESTS: [&str; 6] = [
    "0300002d28e00000000000436f6f6b69653a206d737473686173683d6c6162757365720d0a0100080003000000",
    "0300002d28e00000000000436f6f6b69653a206d737473686173683d6c6162757365720d0a0100080001000000",
    "0300002722e00000000000436f6f6b69653a206d737473686173683d610d0a010008000b000000",
    "0300003732e00000000000436f6f6b69653a206d7374733d33363430323035323238\
     2e31353632392e303030300d0a0100080003000000",
    "030000130ee000000000000101080003000000",
    "0300000b06e00000000000",
];

/// Confirms as servers write them: xrdp with TLS, shadow with NLA, Windows with HYBRID_EX, refusals.
const CONFIRMS: [&str; 6] = [
    "030000130ed000001234000201080001000000",
    "030000130ed000000000000203080002000000",
    "030000130ed00000123400021f080008000000",
    "030000130ed000001234000200080000000000",
    "030000130ed000000000000300080005000000",
    "030000130ed00000123400030008002a000000",
];

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// Our reading of one packet. The two readers of its frame agree.
fn ours(packet: &[u8]) -> Tpdu<'_> {
    let header = TpktHeader::parse(packet.first_chunk().unwrap()).unwrap();
    let theirs = tpkt::TpktHeader::read(&mut ReadCursor::new(packet)).unwrap();
    assert_eq!(header.length, theirs.packet_length);
    assert_eq!(usize::from(header.length), packet.len());
    Tpdu::parse(&packet[TpktHeader::SIZE..]).unwrap()
}

fn our_request(packet: &[u8]) -> ConnectionRequest {
    match ours(packet) {
        Tpdu::ConnectionRequest(request) => request,
        other => panic!("not a connection request: {other:?}"),
    }
}

fn our_confirm(packet: &[u8]) -> ConnectionConfirm {
    match ours(packet) {
        Tpdu::ConnectionConfirm(confirm) => confirm,
        other => panic!("not a connection confirm: {other:?}"),
    }
}

fn written(pdu: &impl Encode) -> Vec<u8> {
    encode_vec(pdu).unwrap()
}

/// Their value of a request in our words. They do not tell an absent negotiation from an empty one.
fn agree_on_request(ours: &ConnectionRequest, theirs: &nego::ConnectionRequest) {
    let routing = theirs.nego_data.as_ref().map(|data| match data {
        NegoRequestData::Cookie(cookie) => Routing::Cookie(cookie.0.clone().into_bytes()),
        NegoRequestData::RoutingToken(token) => {
            Routing::Token(format!("Cookie: msts={}", token.0).into_bytes())
        }
    });
    assert_eq!(ours.routing, routing);
    assert_eq!(ours.requested(), Protocols(theirs.protocol.bits()));
    assert_eq!(ours.negotiation.map_or(0, |negotiation| negotiation.flags), theirs.flags.bits());
    assert_eq!((ours.length_mismatch, &ours.damage), (false, &None));
}

fn agree_on_confirm(ours: &ConnectionConfirm, theirs: &nego::ConnectionConfirm) {
    let answer = match theirs {
        nego::ConnectionConfirm::Response { flags, protocol } => NegotiationAnswer::Response {
            flags: flags.bits(),
            selected: Protocols(protocol.bits()),
        },
        nego::ConnectionConfirm::Failure { code } => {
            NegotiationAnswer::Failure(FailureCode(u32::from(*code)))
        }
    };
    assert_eq!(ours.negotiation, Some(answer));
    assert_eq!((ours.length_mismatch, &ours.damage), (false, &None));
}

#[test]
fn requests_as_clients_write_them_are_read_alike() {
    for packet in REQUESTS.map(bytes) {
        let X224(theirs) = decode::<X224<nego::ConnectionRequest>>(&packet).unwrap();
        agree_on_request(&our_request(&packet), &theirs);
    }
}

#[test]
fn confirms_as_servers_write_them_are_read_alike() {
    for packet in CONFIRMS.map(bytes) {
        let X224(theirs) = decode::<X224<nego::ConnectionConfirm>>(&packet).unwrap();
        agree_on_confirm(&our_confirm(&packet), &theirs);
    }
    // Without negotiation the server does standard RDP security, for both.
    let silent = bytes("0300000b06d00000123400");
    let X224(theirs) = decode::<X224<nego::ConnectionConfirm>>(&silent).unwrap();
    let nego::ConnectionConfirm::Response { protocol, .. } = theirs else { panic!("{theirs:?}") };
    assert!(protocol.is_standard_rdp_security());
    assert_eq!(our_confirm(&silent).selected(), Some(Protocols::RDP));
}

#[test]
fn names_of_protocols_and_failures_are_theirs() {
    for (name, theirs) in SecurityProtocol::all().iter_names() {
        assert_eq!(Protocols(theirs.bits()).names(), [name]);
    }
    for (ours, theirs) in [
        (FailureCode::SSL_REQUIRED_BY_SERVER, nego::FailureCode::SSL_REQUIRED_BY_SERVER),
        (FailureCode::SSL_NOT_ALLOWED_BY_SERVER, nego::FailureCode::SSL_NOT_ALLOWED_BY_SERVER),
        (FailureCode::SSL_CERT_NOT_ON_SERVER, nego::FailureCode::SSL_CERT_NOT_ON_SERVER),
        (FailureCode::INCONSISTENT_FLAGS, nego::FailureCode::INCONSISTENT_FLAGS),
        (FailureCode::HYBRID_REQUIRED_BY_SERVER, nego::FailureCode::HYBRID_REQUIRED_BY_SERVER),
        (
            FailureCode::SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER,
            nego::FailureCode::SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER,
        ),
    ] {
        assert_eq!(ours.0, u32::from(theirs));
    }
    let present = RequestFlags::CORRELATION_INFO_PRESENT.bits();
    assert_eq!(NegotiationRequest::CORRELATION_INFO_PRESENT, present);
}

#[test]
fn disconnects_with_every_reason_are_read_alike() {
    for number in 0..8 {
        let ours_of = |packet: &[u8]| match ours(packet) {
            Tpdu::Data(data) => McsPdu::parse(data),
            other => panic!("not data: {other:?}"),
        };
        let [high, low] = [0x20 | number >> 1, number << 7];
        let packet = [3, 0, 0, 9, 2, 0xF0, 0x80, high, low];
        assert_eq!(ours_of(&packet), Some(McsPdu::DisconnectProviderUltimatum(number)));
        // The reasons that T.125 names are all they read.
        let reason = DisconnectReason::from_u8(number);
        let theirs = decode::<X224<DisconnectProviderUltimatum>>(&packet).ok();
        assert_eq!(theirs.map(|X224(ultimatum)| ultimatum.reason), reason);
        if let Some(reason) = reason {
            assert_eq!(written(&X224(DisconnectProviderUltimatum { reason })), packet);
        }
    }
}

#[test]
fn steps_of_mcs_that_they_write_are_ours() {
    let data = || std::borrow::Cow::Borrowed(&b"rest"[..]);
    let (initiator_id, channel_id) = (1007, 1003);
    let steps = [
        (
            McsMessage::ErectDomainRequest(mcs::ErectDomainPdu { sub_height: 0, sub_interval: 0 }),
            McsPdu::ErectDomainRequest,
        ),
        (McsMessage::AttachUserRequest(mcs::AttachUserRequest), McsPdu::AttachUserRequest),
        (
            McsMessage::AttachUserConfirm(mcs::AttachUserConfirm { result: 0, initiator_id }),
            McsPdu::AttachUserConfirm,
        ),
        (
            McsMessage::ChannelJoinRequest(mcs::ChannelJoinRequest { initiator_id, channel_id }),
            McsPdu::ChannelJoinRequest,
        ),
        (
            McsMessage::ChannelJoinConfirm(mcs::ChannelJoinConfirm {
                result: 0,
                initiator_id,
                requested_channel_id: channel_id,
                channel_id,
            }),
            McsPdu::ChannelJoinConfirm,
        ),
        (
            McsMessage::SendDataRequest(mcs::SendDataRequest {
                initiator_id,
                channel_id,
                user_data: data(),
            }),
            McsPdu::SendDataRequest,
        ),
        (
            McsMessage::SendDataIndication(mcs::SendDataIndication {
                initiator_id,
                channel_id,
                user_data: data(),
            }),
            McsPdu::SendDataIndication,
        ),
    ];
    for (theirs, step) in steps {
        let packet = written(&X224(theirs));
        let Tpdu::Data(data) = ours(&packet) else { panic!("{packet:02x?}") };
        assert_eq!(McsPdu::parse(data), Some(step));
    }
}

/// What we read in user data that they wrote into a Send Data Request.
fn stated(packet: &[u8]) -> Option<Statement> {
    let Tpdu::Data(data) = ours(packet) else { panic!("{packet:02x?}") };
    let read = SendData::parse(&mut super::Reader::new(data)).unwrap();
    assert_eq!((read.initiator, read.channel), (1007, 1003));
    assert_eq!(usize::from(read.length), read.data.len());
    read.statement()
}

#[test]
fn a_servers_reasons_that_they_write_are_ours() {
    use errors::{ErrorInfo, RdpSpecificCode};
    use errors::{ProtocolIndependentCode as Code, ProtocolIndependentLicensingCode as Licensing};
    for (code, reason) in [
        (0x7, ErrorInfo::ProtocolIndependentCode(Code::ServerDeniedConnection)),
        (0xC, ErrorInfo::ProtocolIndependentCode(Code::LogoffByUser)),
        (0x102, ErrorInfo::ProtocolIndependentLicensingCode(Licensing::NoLicense)),
        (0x10C9, ErrorInfo::RdpSpecificCode(RdpSpecificCode::UnknownPduType2)),
    ] {
        let pdu = ShareDataPdu::ServerSetErrorInfo(errors::ServerSetErrorInfoPdu(reason));
        let mut written = ironrdp_pdu::WriteBuf::new();
        headers::encode_share_data(1007, 1003, 0x0001_03EA, pdu, &mut written).unwrap();
        let packet = written.filled();
        assert_eq!(stated(packet), Some(Statement::ErrorInfo(SetErrorInfo(code))));
    }
}

#[test]
fn the_licensing_message_that_they_write_is_ours() {
    let message = LicensingErrorMessage::new_valid_client().unwrap();
    let pdu = LicensePdu::from(message);
    let user_data = std::borrow::Cow::Owned(written(&pdu));
    let (initiator_id, channel_id) = (1007, 1003);
    let data = mcs::SendDataIndication { initiator_id, channel_id, user_data };
    let packet = written(&X224(McsMessage::SendDataIndication(data)));
    let code = LicensingError::STATUS_VALID_CLIENT;
    let valid = LicensingPdu::ErrorAlert { code, transition: 2 };
    assert_eq!(stated(&packet), Some(Statement::Licensing(valid)));
}

/// A cookie's or token's text: any but the CR LF that ends it.
fn routing() -> impl Strategy<Value = Option<NegoRequestData>> {
    let text = "[^\r\n]{0,40}";
    prop_oneof![
        Just(None),
        text.prop_map(|text| Some(NegoRequestData::cookie(text))),
        text.prop_map(|text| Some(NegoRequestData::routing_token(text))),
    ]
}

proptest! {
    #[test]
    fn any_request_they_write_is_read_alike(
        nego_data in routing(),
        flags in any::<u8>(),
        protocols in any::<u32>(),
    ) {
        // The one flag that they can not write.
        let flags = RequestFlags::from_bits_retain(flags) - RequestFlags::CORRELATION_INFO_PRESENT;
        let protocol = SecurityProtocol::from_bits_retain(protocols);
        let theirs = nego::ConnectionRequest { nego_data, flags, protocol };
        let packet = written(&X224(theirs.clone()));
        let ours = our_request(&packet);
        prop_assert_eq!(ours.negotiation.map(|negotiation| negotiation.protocols.0), Some(protocols));
        agree_on_request(&ours, &theirs);
    }

    #[test]
    fn any_confirm_they_write_is_read_alike(
        flags in any::<u8>(),
        value in any::<u32>(),
        failure in any::<bool>(),
    ) {
        let theirs = if failure {
            nego::ConnectionConfirm::Failure { code: value.into() }
        } else {
            nego::ConnectionConfirm::Response {
                flags: ResponseFlags::from_bits_retain(flags),
                protocol: SecurityProtocol::from_bits_retain(value),
            }
        };
        agree_on_confirm(&our_confirm(&written(&X224(theirs.clone()))), &theirs);
    }
}
