//! X.224 class 0 TPDUs and the RDP negotiation they carry. X.224 13, MS-RDPBCGR 2.2.1.1 and 2.2.1.2.
//!
//! Input is the body of one TPKT packet. Damage inside a TPDU is kept beside what could be read, so
//! that a verdict can be given on broken input too.

use std::fmt;

use super::{ParseError, Parsed, Reader, complete};

/// One TPDU of class 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tpdu<'a> {
    /// CR, client to server.
    ConnectionRequest(ConnectionRequest),
    /// CC, server to client.
    ConnectionConfirm(ConnectionConfirm),
    /// DR, with its reason. X.224 13.5.
    DisconnectRequest(u8),
    /// ER, with its reject cause. X.224 13.12.
    Error(u8),
    /// DT, with its user data. X.224 13.7.
    Data(&'a [u8]),
    /// Another TPDU code.
    Other(u8),
}

impl<'a> Tpdu<'a> {
    /// Reads the TPDU in the body of a TPKT packet.
    pub fn parse(body: &'a [u8]) -> Parsed<Tpdu<'a>> {
        let mut reader = Reader::new(body);
        let length = complete(reader.u8("X.224 length indicator"))?;
        let code = complete(reader.u8("X.224 TPDU code"))?;
        // The length indicator counts what follows it; MS-RDPBCGR 3.3.5.3.1 lets a server drop the
        // connection when it and the TPKT length disagree.
        let mismatch = usize::from(length) + 1 != body.len();
        match code & 0xF0 {
            0xE0 => ConnectionRequest::parse(&mut reader, mismatch).map(Tpdu::ConnectionRequest),
            0xD0 => ConnectionConfirm::parse(&mut reader, mismatch).map(Tpdu::ConnectionConfirm),
            0x80 => {
                complete(reader.take(4, "X.224 references"))?;
                complete(reader.u8("X.224 disconnect reason")).map(Tpdu::DisconnectRequest)
            }
            0x70 => {
                complete(reader.take(2, "X.224 reference"))?;
                complete(reader.u8("X.224 reject cause")).map(Tpdu::Error)
            }
            0xF0 => {
                complete(reader.u8("X.224 end-of-TSDU mark"))?;
                Ok(Tpdu::Data(reader.rest()))
            }
            _ => Ok(Tpdu::Other(code)),
        }
    }
}

/// X.224 Connection Request. MS-RDPBCGR 2.2.1.1.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConnectionRequest {
    /// The cookie or routing token, where one was sent.
    pub routing: Option<Routing>,
    /// RDP_NEG_REQ; absent in clients that ask for standard RDP security.
    pub negotiation: Option<NegotiationRequest>,
    /// rdpCorrelationInfo's id; the broker's event logs carry the same.
    pub correlation_id: Option<[u8; 16]>,
    /// Length indicator and TPKT length disagree.
    pub length_mismatch: bool,
    /// What of the variable part could not be read.
    pub damage: Option<ParseError>,
}

impl ConnectionRequest {
    /// Protocols asked for; standard RDP security when no negotiation was sent.
    pub fn requested(&self) -> Protocols {
        self.negotiation.map_or(Protocols::RDP, |negotiation| negotiation.protocols)
    }

    fn parse(reader: &mut Reader<'_>, length_mismatch: bool) -> Parsed<ConnectionRequest> {
        complete(reader.take(5, "X.224 references and class"))?;
        let mut request = ConnectionRequest { length_mismatch, ..Default::default() };
        // Other users of ISO transport name their ends with transport selectors, RDP never. X.224 13.3.4.
        if matches!(reader.peek(), Some(0xC0..=0xC2)) {
            return Err(reader.malformed("X.224 request of another user of ISO transport"));
        }
        let rest = reader.clone().rest();
        if let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
            // A binary negotiation block can hold 0D 0A only behind a cookie, which ends there first.
            if !starts_negotiation(rest) {
                let routing = reader.take(end, "routing token")?;
                reader.take(2, "routing token end")?;
                request.routing = Some(Routing::from_bytes(routing));
            }
        }
        request.damage = request.parse_blocks(reader).err();
        Ok(request)
    }

    fn parse_blocks(&mut self, reader: &mut Reader<'_>) -> Parsed<()> {
        while let Some(kind) = reader.peek() {
            match kind {
                0x01 => {
                    reader.u8("RDP_NEG_REQ type")?;
                    let flags = complete(reader.u8("RDP_NEG_REQ flags"))?;
                    block_length(reader, 8, "RDP_NEG_REQ length")?;
                    let protocols = complete(reader.u32_le("requestedProtocols"))?;
                    self.negotiation =
                        Some(NegotiationRequest { flags, protocols: Protocols(protocols) });
                }
                0x06 => {
                    reader.take(2, "correlation info type and flags")?;
                    block_length(reader, 36, "correlation info length")?;
                    self.correlation_id = Some(complete(reader.array("correlationId"))?);
                    complete(reader.take(16, "correlation info reserved"))?;
                }
                _ => return Err(reader.malformed("negotiation block type")),
            }
        }
        Ok(())
    }
}

/// What stands before the negotiation in a Connection Request: routing for load balancers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routing {
    /// The id behind `Cookie: mstshash=`, as sent: a user name, perhaps cut, perhaps not UTF-8.
    Cookie(Vec<u8>),
    /// Any other token: `Cookie: msts=…`, `tsv://…`, `mth://…`.
    Token(Vec<u8>),
}

impl Routing {
    const COOKIE: &'static [u8] = b"Cookie: mstshash=";
    const BALANCED: &'static [u8] = b"Cookie: msts=";

    /// A token that names the server of a farm, which a client gets by a redirection. MS-RDPBCGR 2.2.1.1, 2.2.13.1.
    pub fn is_balanced(&self) -> bool {
        matches!(self, Routing::Token(token) if token.starts_with(Self::BALANCED))
    }

    fn from_bytes(bytes: &[u8]) -> Routing {
        match bytes.strip_prefix(Self::COOKIE) {
            Some(id) => Routing::Cookie(id.to_vec()),
            None => Routing::Token(bytes.to_vec()),
        }
    }
}

/// RDP_NEG_REQ. MS-RDPBCGR 2.2.1.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiationRequest {
    /// 01 restricted admin, 02 redirected authentication, 08 correlation info present.
    pub flags: u8,
    /// The security protocols the client can do.
    pub protocols: Protocols,
}

impl NegotiationRequest {
    /// Flag CORRELATION_INFO_PRESENT.
    pub const CORRELATION_INFO_PRESENT: u8 = 0x08;
}

/// X.224 Connection Confirm. MS-RDPBCGR 2.2.1.2.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ConnectionConfirm {
    /// Source reference; Windows and xrdp send 0x1234.
    pub source_reference: u16,
    /// The server's answer; absent in servers that know no negotiation.
    pub negotiation: Option<NegotiationAnswer>,
    /// Length indicator and TPKT length disagree.
    pub length_mismatch: bool,
    /// What of the variable part could not be read.
    pub damage: Option<ParseError>,
}

impl ConnectionConfirm {
    /// The selected protocol: standard RDP security without negotiation, `None` on a failure and where
    /// the answer can not be read.
    pub fn selected(&self) -> Option<Protocols> {
        match self.negotiation {
            None if self.damage.is_some() => None,
            None => Some(Protocols::RDP),
            Some(NegotiationAnswer::Response { selected, .. }) => Some(selected),
            Some(NegotiationAnswer::Failure(_)) => None,
        }
    }

    /// The refusal, where the server sent one.
    pub fn failure(&self) -> Option<FailureCode> {
        match self.negotiation {
            Some(NegotiationAnswer::Failure(code)) => Some(code),
            _ => None,
        }
    }

    fn parse(reader: &mut Reader<'_>, length_mismatch: bool) -> Parsed<ConnectionConfirm> {
        complete(reader.u16_be("X.224 destination reference"))?;
        let source_reference = complete(reader.u16_be("X.224 source reference"))?;
        complete(reader.u8("X.224 class"))?;
        let mut confirm =
            ConnectionConfirm { source_reference, length_mismatch, ..Default::default() };
        match parse_answer(reader) {
            Ok(answer) => confirm.negotiation = answer,
            Err(damage) => confirm.damage = Some(damage),
        }
        Ok(confirm)
    }
}

/// What the server answers to an RDP_NEG_REQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegotiationAnswer {
    /// RDP_NEG_RSP. MS-RDPBCGR 2.2.1.2.1.
    Response {
        /// 01 extended client data, 02 graphics pipeline, 08 restricted admin, 10 redirected authentication.
        flags: u8,
        /// The one protocol that follows.
        selected: Protocols,
    },
    /// RDP_NEG_FAILURE. MS-RDPBCGR 2.2.1.2.2.
    Failure(FailureCode),
}

/// failureCode of RDP_NEG_FAILURE. MS-RDPBCGR 2.2.1.2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureCode(pub u32);

#[allow(missing_docs)] // the specification's own names
impl FailureCode {
    pub const SSL_REQUIRED_BY_SERVER: FailureCode = FailureCode(1);
    pub const SSL_NOT_ALLOWED_BY_SERVER: FailureCode = FailureCode(2);
    pub const SSL_CERT_NOT_ON_SERVER: FailureCode = FailureCode(3);
    pub const INCONSISTENT_FLAGS: FailureCode = FailureCode(4);
    pub const HYBRID_REQUIRED_BY_SERVER: FailureCode = FailureCode(5);
    pub const SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER: FailureCode = FailureCode(6);
    pub const ENTRA_AUTH_REQUIRED_BY_SERVER: FailureCode = FailureCode(7);
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            1 => "SSL_REQUIRED_BY_SERVER",
            2 => "SSL_NOT_ALLOWED_BY_SERVER",
            3 => "SSL_CERT_NOT_ON_SERVER",
            4 => "INCONSISTENT_FLAGS",
            5 => "HYBRID_REQUIRED_BY_SERVER",
            6 => "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
            7 => "ENTRA_AUTH_REQUIRED_BY_SERVER",
            unknown => return write!(f, "{unknown:#x}"),
        })
    }
}

/// A set of security protocols: requestedProtocols or selectedProtocol. MS-RDPBCGR 2.2.1.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Protocols(pub u32);

#[allow(missing_docs)] // the specification's own names
impl Protocols {
    pub const RDP: Protocols = Protocols(0);
    pub const SSL: Protocols = Protocols(1);
    pub const HYBRID: Protocols = Protocols(2);
    pub const RDSTLS: Protocols = Protocols(4);
    pub const HYBRID_EX: Protocols = Protocols(8);
    pub const RDSAAD: Protocols = Protocols(0x10);

    const NAMES: [(Protocols, &'static str); 5] = [
        (Protocols::SSL, "SSL"),
        (Protocols::HYBRID, "HYBRID"),
        (Protocols::RDSTLS, "RDSTLS"),
        (Protocols::HYBRID_EX, "HYBRID_EX"),
        (Protocols::RDSAAD, "RDSAAD"),
    ];

    /// True when every bit of `other` is set here; standard RDP security is in no set but the empty one.
    pub fn contains(self, other: Protocols) -> bool {
        if other == Protocols::RDP { self.0 == 0 } else { self.0 & other.0 == other.0 }
    }

    /// True when any bit of `other` is set here.
    pub fn intersects(self, other: Protocols) -> bool {
        self.0 & other.0 != 0
    }

    /// True where the server authenticates the user before a session starts (CredSSP).
    pub fn is_nla(self) -> bool {
        self.intersects(Protocols(Protocols::HYBRID.0 | Protocols::HYBRID_EX.0))
    }

    /// The names of the set bits, `RDP` for none, hex for unknown bits.
    pub fn names(self) -> Vec<String> {
        let unknown = self.unknown().map(|bits| format!("{bits:#x}"));
        self.known().map(str::to_owned).chain(unknown).collect()
    }

    fn known(self) -> impl Iterator<Item = &'static str> {
        let none = (self == Protocols::RDP).then_some("RDP");
        let set = Self::NAMES.iter().filter(move |(protocol, _)| self.intersects(*protocol));
        none.into_iter().chain(set.map(|(_, name)| *name))
    }

    fn unknown(self) -> Option<u32> {
        Some(self.0 & !0x1F).filter(|bits| *bits != 0)
    }
}

impl fmt::Display for Protocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        for name in self.known() {
            f.write_str(before)?;
            f.write_str(name)?;
            before = " | ";
        }
        self.unknown().map_or(Ok(()), |bits| write!(f, "{before}{bits:#x}"))
    }
}

fn starts_negotiation(rest: &[u8]) -> bool {
    matches!(rest, [0x01, _, 0x08, 0x00, ..] | [0x06, _, 0x24, 0x00, ..])
}

fn block_length(reader: &mut Reader<'_>, expected: u16, what: &'static str) -> Parsed<()> {
    let error = reader.malformed(what);
    if complete(reader.u16_le(what))? == expected { Ok(()) } else { Err(error) }
}

fn parse_answer(reader: &mut Reader<'_>) -> Parsed<Option<NegotiationAnswer>> {
    let Some(kind) = reader.peek() else { return Ok(None) };
    if kind != 0x02 && kind != 0x03 {
        return Err(reader.malformed("negotiation answer type"));
    }
    reader.u8("negotiation answer type")?;
    let flags = complete(reader.u8("negotiation answer flags"))?;
    block_length(reader, 8, "negotiation answer length")?;
    let value = complete(reader.u32_le("selectedProtocol or failureCode"))?;
    Ok(Some(match kind {
        0x02 => NegotiationAnswer::Response { flags, selected: Protocols(value) },
        _ => NegotiationAnswer::Failure(FailureCode(value)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body of a TPKT packet given in hex, header included.
    fn body(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .skip(4)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn request(bytes: &[u8]) -> ConnectionRequest {
        match Tpdu::parse(bytes) {
            Ok(Tpdu::ConnectionRequest(request)) => request,
            other => panic!("not a connection request: {other:?}"),
        }
    }

    fn confirm(bytes: &[u8]) -> ConnectionConfirm {
        match Tpdu::parse(bytes) {
            Ok(Tpdu::ConnectionConfirm(confirm)) => confirm,
            other => panic!("not a connection confirm: {other:?}"),
        }
    }

    const CR: &str =
        "03000027 22 e0 0000 0000 00 436f6f6b69653a206d737473686173683d610d0a 01 00 0800 0b000000";

    #[test]
    fn a_request_gives_cookie_and_mask() {
        let request = request(&body(CR));
        assert_eq!(request.routing, Some(Routing::Cookie(b"a".to_vec())));
        assert_eq!(request.requested().names(), ["SSL", "HYBRID", "HYBRID_EX"]);
        assert_eq!(request.requested().to_string(), "SSL | HYBRID | HYBRID_EX");
        let told = [0, 0x1F, 0x20, 0x8000_0003].map(|bits| Protocols(bits).to_string());
        let all = "SSL | HYBRID | RDSTLS | HYBRID_EX | RDSAAD";
        assert_eq!(told, ["RDP", all, "0x20", "SSL | HYBRID | 0x80000000"]);
        assert!(!request.length_mismatch);
        assert_eq!(request.damage, None);
    }

    #[test]
    fn any_prefix_of_a_request_is_read_as_far_as_it_goes() {
        let whole = body(CR);
        for cut in 0..whole.len() {
            match Tpdu::parse(&whole[..cut]) {
                Ok(Tpdu::ConnectionRequest(request)) => assert!(request.length_mismatch),
                Ok(other) => panic!("a cut request became {other:?}"),
                Err(error) => assert!(cut < 7 && !error.is_incomplete(), "{cut}: {error}"),
            }
        }
    }

    #[test]
    fn a_token_may_hold_any_bytes() {
        let mut bytes = vec![0, 0xe0, 0, 0, 0, 0, 0];
        bytes.extend(b"tsv://MS Terminal \xff\xfe\r\n");
        bytes.extend([1, 0, 8, 0, 3, 0, 0, 0]);
        bytes[0] = bytes.len() as u8 - 1;
        let request = request(&bytes);
        assert_eq!(request.routing, Some(Routing::Token(b"tsv://MS Terminal \xff\xfe".to_vec())));
        assert_eq!(request.requested(), Protocols(3));
    }

    #[test]
    fn correlation_info_is_read_behind_the_request() {
        let mut bytes = vec![50, 0xe0, 0, 0, 0, 0, 0, 1, 8, 8, 0, 0x0b, 0, 0, 0];
        bytes.extend([6, 0, 36, 0]);
        bytes.extend([0x42; 16]);
        bytes.extend([0; 16]);
        let request = request(&bytes);
        assert_eq!(request.correlation_id, Some([0x42; 16]));
        assert!(!request.length_mismatch);
    }

    #[test]
    fn confirms_tell_selection_refusal_and_silence_apart() {
        let response = confirm(&body("03000013 0e d0 0000 1234 00 02 1f 0800 08000000"));
        assert_eq!(response.selected(), Some(Protocols::HYBRID_EX));
        assert_eq!(response.source_reference, 0x1234);
        let failure = confirm(&body("03000013 0e d0 0000 1234 00 03 00 0800 05000000"));
        assert_eq!(failure.failure(), Some(FailureCode::HYBRID_REQUIRED_BY_SERVER));
        assert_eq!(failure.selected(), None);
        let silent = confirm(&body("0300000b 06 d0 0000 1234 00"));
        assert_eq!((silent.negotiation, silent.selected()), (None, Some(Protocols::RDP)));
    }

    #[test]
    fn an_unknown_failure_code_keeps_its_number() {
        let failure = confirm(&body("03000013 0e d0 0000 1234 00 03 00 0800 2a000000"));
        assert_eq!(failure.failure().unwrap().to_string(), "0x2a");
    }

    #[test]
    fn data_and_disconnects_are_told_apart() {
        assert_eq!(
            Tpdu::parse(&body("03000009 02f080 2180")),
            Ok(Tpdu::Data(&[0x21, 0x80])),
            "Disconnect Provider Ultimatum"
        );
        assert_eq!(Tpdu::parse(&[6, 0x80, 0, 0, 0, 0, 0x80]), Ok(Tpdu::DisconnectRequest(0x80)));
    }
}
