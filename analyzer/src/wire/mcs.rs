//! T.125 domain PDUs, as far as they show without decryption which step an RDP connection has
//! reached. T.125 7, MS-RDPBCGR 2.2.1.3 to 2.2.1.9.

/// The MCS PDU at the start of an X.224 data TPDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum McsPdu {
    /// Connect-Initial, client to server.
    ConnectInitial,
    /// Connect-Response, server to client.
    ConnectResponse,
    /// Erect Domain Request.
    ErectDomainRequest,
    /// Attach User Request.
    AttachUserRequest,
    /// Attach User Confirm.
    AttachUserConfirm,
    /// Channel Join Request.
    ChannelJoinRequest,
    /// Channel Join Confirm.
    ChannelJoinConfirm,
    /// Send Data Request: everything the client says from here on.
    SendDataRequest,
    /// Send Data Indication: everything the server says from here on.
    SendDataIndication,
    /// Disconnect Provider Ultimatum with its reason: 1 provider initiated, 3 user requested.
    DisconnectProviderUltimatum(u8),
    /// Another choice, by its number.
    Other(u8),
}

impl McsPdu {
    /// Classifies the user data of an X.224 data TPDU; `None` when there is too little of it.
    pub fn parse(data: &[u8]) -> Option<McsPdu> {
        match data {
            [0x7F, 0x65, ..] => Some(McsPdu::ConnectInitial),
            [0x7F, 0x66, ..] => Some(McsPdu::ConnectResponse),
            [first, rest @ ..] => Some(match first >> 2 {
                1 => McsPdu::ErectDomainRequest,
                8 => {
                    let low = rest.first().copied().unwrap_or(0);
                    McsPdu::DisconnectProviderUltimatum(((first & 3) << 1) | (low >> 7))
                }
                10 => McsPdu::AttachUserRequest,
                11 => McsPdu::AttachUserConfirm,
                14 => McsPdu::ChannelJoinRequest,
                15 => McsPdu::ChannelJoinConfirm,
                25 => McsPdu::SendDataRequest,
                26 => McsPdu::SendDataIndication,
                other => McsPdu::Other(other),
            }),
            [] => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_disconnect_spans_two_bytes() {
        assert_eq!(McsPdu::parse(&[0x21, 0x80]), Some(McsPdu::DisconnectProviderUltimatum(3)));
        assert_eq!(McsPdu::parse(&[0x20, 0x80]), Some(McsPdu::DisconnectProviderUltimatum(1)));
        assert_eq!(McsPdu::parse(&[0x22, 0x00]), Some(McsPdu::DisconnectProviderUltimatum(4)));
    }

    #[test]
    fn steps_are_named() {
        assert_eq!(McsPdu::parse(&[0x7F, 0x65, 0x82]), Some(McsPdu::ConnectInitial));
        assert_eq!(McsPdu::parse(&[0x2E, 0, 0, 6]), Some(McsPdu::AttachUserConfirm));
        assert_eq!(McsPdu::parse(&[0x68, 0, 1]), Some(McsPdu::SendDataIndication));
        assert_eq!(McsPdu::parse(&[]), None);
    }
}
