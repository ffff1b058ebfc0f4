//! The negotiation as the embedded client and host write it. Written apart from the engine's reader, so
//! that neither can hide a fault of the other. MS-RDPBCGR 2.2.1.1, 2.2.1.2.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Standard RDP security.
pub const RDP: u32 = 0;
/// PROTOCOL_SSL.
pub const SSL: u32 = 1;
/// PROTOCOL_HYBRID: NLA.
pub const HYBRID: u32 = 2;

/// What a client reads out of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// RDP_NEG_RSP with the selected protocol.
    Selected(u32),
    /// RDP_NEG_FAILURE with its code.
    Failure(u32),
}

/// RESTRICTED_ADMIN_MODE_REQUIRED: the client sends no password, which only NLA can do.
pub const RESTRICTED_ADMIN: u8 = 0x01;

/// Connection Request with a cookie, flags and the protocols asked for.
pub fn request(user: &str, flags: u8, protocols: u32) -> Vec<u8> {
    let cookie = format!("Cookie: mstshash={user}\r\n");
    packet(0xe0, cookie.as_bytes(), 0x01, flags, protocols)
}

/// Connection Confirm that selects a protocol.
pub fn response(selected: u32) -> Vec<u8> {
    const EXTENDED_CLIENT_DATA_SUPPORTED: u8 = 0x01;
    packet(0xd0, &[], 0x02, EXTENDED_CLIENT_DATA_SUPPORTED, selected)
}

/// Connection Confirm that refuses.
pub fn failure(code: u32) -> Vec<u8> {
    packet(0xd0, &[], 0x03, 0x00, code)
}

fn packet(tpdu: u8, routing: &[u8], kind: u8, flags: u8, value: u32) -> Vec<u8> {
    let indicator = (6 + routing.len() + 8) as u8;
    let length = u16::from(indicator) + 5;
    let mut bytes = vec![0x03, 0x00];
    bytes.extend(length.to_be_bytes());
    bytes.extend([indicator, tpdu, 0, 0, 0, 0, 0]);
    bytes.extend(routing);
    bytes.extend([kind, flags, 8, 0]);
    bytes.extend(value.to_le_bytes());
    bytes
}

/// Reads one TPKT packet; `None` when the bytes are none, or end before.
pub async fn read_packet(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    const LARGEST: u16 = 512;
    let mut packet = vec![0; 4];
    if let Err(error) = stream.read_exact(&mut packet).await {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let length = u16::from_be_bytes([packet[2], packet[3]]);
    if packet[0] != 3 || !(4..=LARGEST).contains(&length) {
        return Ok(None);
    }
    packet.resize(usize::from(length), 0);
    stream.read_exact(&mut packet[4..]).await?;
    Ok(Some(packet))
}

/// What a Connection Confirm says; `None` for anything else.
pub fn answer(packet: &[u8]) -> Option<Answer> {
    // A server that knows no negotiation confirms without any: the standard security of RDP. MS-RDPBCGR 2.2.1.2.
    if let [_, _, _, _, 6, 0xd0, _, _, _, _, _] = packet {
        return Some(Answer::Selected(RDP));
    }
    let [_, _, _, _, _, 0xd0, _, _, _, _, _, kind, _, 8, 0, value @ ..] = packet else {
        return None;
    };
    let value = u32::from_le_bytes(value.try_into().ok()?);
    match kind {
        0x02 => Some(Answer::Selected(value)),
        0x03 => Some(Answer::Failure(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdpwhy_analyzer::wire::x224::{FailureCode, Protocols, Routing, Tpdu};

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        assert_eq!(answer(&response(SSL)), Some(Answer::Selected(SSL)));
        assert_eq!(answer(&failure(5)), Some(Answer::Failure(5)));
        assert_eq!(answer(&request("demo1", 0, SSL)), None);
        assert_eq!(answer(&response(SSL)[..18]), None);
        let bare = [3, 0, 0, 11, 6, 0xd0, 0, 0, 0x12, 0x34, 0];
        assert_eq!((answer(&bare), answer(&bare[..10])), (Some(Answer::Selected(RDP)), None));
    }
    #[test]
    fn the_engine_reads_the_same() {
        let packet = request("demo1", 0, SSL | HYBRID);
        assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
        let Ok(Tpdu::ConnectionRequest(read)) = Tpdu::parse(&packet[4..]) else { panic!() };
        assert!(!read.length_mismatch && read.damage.is_none());
        assert_eq!(read.requested(), Protocols(SSL | HYBRID));
        assert_eq!(read.routing, Some(Routing::Cookie(b"demo1".to_vec())));
        let Ok(Tpdu::ConnectionConfirm(read)) = Tpdu::parse(&failure(5)[4..]) else { panic!() };
        assert_eq!(read.failure(), Some(FailureCode::HYBRID_REQUIRED_BY_SERVER));
        let Ok(Tpdu::ConnectionConfirm(read)) = Tpdu::parse(&response(SSL)[4..]) else { panic!() };
        assert_eq!(read.selected(), Some(Protocols::SSL));
    }
}
