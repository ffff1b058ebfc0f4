//! Frames for scripted traces.

/// A TPKT packet.
pub(crate) fn tpkt(body: &[u8]) -> Vec<u8> {
    let length = (body.len() + 4) as u16;
    [&[3, 0], &length.to_be_bytes()[..], body].concat()
}

/// A CR or CC with its variable part.
pub(crate) fn tpdu(code: u8, variable: &[u8]) -> Vec<u8> {
    let references: &[u8] = if code == 0xE0 { &[0, 0, 0, 0, 0] } else { &[0, 0, 0x12, 0x34, 0] };
    let length = (1 + references.len() + variable.len()) as u8;
    tpkt(&[&[length, code], references, variable].concat())
}

/// A CC with RDP_NEG_RSP (2) or RDP_NEG_FAILURE (3).
pub(crate) fn negotiation_answer(kind: u8, value: u32) -> Vec<u8> {
    tpdu(0xD0, &[&[kind, 0, 8, 0], &value.to_le_bytes()[..]].concat())
}

/// A TLS record.
pub(crate) fn record(content_type: u8, body: &[u8]) -> Vec<u8> {
    [&[content_type, 3, 3], &(body.len() as u16).to_be_bytes()[..], body].concat()
}
