//! As much of TLS as it takes to see what a cited packet says. RFC 8446 4 and 5, RFC 5246 7.4.

/// A whole TPKT packet, TLS record or fast-path PDU: its first byte, and what is behind its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub body: Vec<u8>,
}

/// The kind of a TPKT packet; a record's is its content type.
pub const TPKT: u8 = 3;
pub const CHANGE_CIPHER_SPEC: u8 = 20;
pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const DATA: u8 = 23;

pub const CLIENT_HELLO: u8 = 1;
pub const SERVER_HELLO: u8 = 2;
pub const CERTIFICATE: u8 = 11;
pub const CERTIFICATE_REQUEST: u8 = 13;

/// The frames of a stream and, where it ends within one, how many bytes of its body there are and how many
/// there should be (0 within a header).
pub fn frames(said: &[u8]) -> (Vec<Frame>, Option<(usize, usize)>) {
    let mut frames = Vec::new();
    let mut rest = said;
    while let Some(&kind) = rest.first() {
        let size = match kind {
            _ if is_fast_path(rest, &frames) => fast_path(rest),
            TPKT => long(rest, 2).map(|whole| (4, whole.max(4))),
            CHANGE_CIPHER_SPEC..=DATA => long(rest, 3).map(|length| (5, length + 5)),
            _ => break,
        };
        let Some((header, whole)) = size else { return (frames, Some((rest.len(), 0))) };
        let Some(frame) = rest.get(..whole) else {
            return (frames, Some((rest.len() - header, whole - header)));
        };
        frames.push(Frame { kind, body: frame[header..].to_vec() });
        rest = &rest[whole..];
    }
    (frames, None)
}

/// Among TPKT packets, which a session in clear consists of, stand PDUs of the fast path. MS-RDPBCGR 2.2.9.1.2.
fn is_fast_path(rest: &[u8], before: &[Frame]) -> bool {
    before.last().is_some_and(|last| last.kind & 3 == 0 || last.kind == TPKT)
        && !matches!(rest, [CHANGE_CIPHER_SPEC..=DATA, 3, ..])
        && rest[0] & 3 == 0
}

/// How long its header and the whole of it are; its length has one byte or two.
fn fast_path(rest: &[u8]) -> Option<(usize, usize)> {
    let (header, whole) = match rest {
        [_, length, ..] if length & 0x80 == 0 => (2, usize::from(*length)),
        _ => (3, long(rest, 1)? & 0x7FFF),
    };
    Some((header, whole.max(header)))
}

/// The length that stands there in two bytes.
fn long(rest: &[u8], at: usize) -> Option<usize> {
    rest.get(at..at + 2).map(|length| usize::from(number(length)))
}

/// The body of the first handshake message of a type that was sent in clear.
pub fn message(said: &[u8], kind: u8) -> Option<Vec<u8>> {
    let frames = frames(said).0.into_iter().filter(|frame| frame.kind != TPKT);
    let clear = frames.take_while(|frame| frame.kind == HANDSHAKE);
    let all: Vec<u8> = clear.flat_map(|frame| frame.body).collect();
    let mut rest = all.as_slice();
    while let [this, a, b, c, behind @ ..] = rest {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let body = behind.get(..length)?;
        if *this == kind {
            return Some(body.to_vec());
        }
        rest = &behind[length..];
    }
    None
}

/// What matters of a ClientHello or ServerHello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The version field and what stands in supported_versions, the newest first.
    pub versions: Vec<u16>,
    /// The random value.
    pub random: [u8; 32],
    /// The cipher suites; one of a server.
    pub suites: Vec<u16>,
    /// The types of the extensions.
    pub extensions: Vec<u16>,
}

/// Reads the body of a hello.
pub fn hello(body: &[u8], server: bool) -> Option<Hello> {
    let mut rest = body;
    let legacy = number(take(&mut rest, 2)?);
    let random = take(&mut rest, 32)?.try_into().ok()?;
    short_list(&mut rest)?;
    let suites = if server { take(&mut rest, 2)? } else { long_list(&mut rest)? };
    if server {
        take(&mut rest, 1)?
    } else {
        short_list(&mut rest)?
    };
    let suites = numbers(suites);
    let mut hello = Hello { random, suites, ..Hello::default() };
    let mut extensions = long_list(&mut rest).unwrap_or_default();
    while let Some(kind) = take(&mut extensions, 2) {
        let mut value = long_list(&mut extensions)?;
        hello.extensions.push(number(kind));
        if number(kind) == SUPPORTED_VERSIONS {
            let list = if server { value } else { short_list(&mut value)? };
            hello.versions =
                numbers(list).into_iter().filter(|version| !grease(*version)).collect();
        }
    }
    if hello.versions.is_empty() {
        hello.versions.push(legacy);
    }
    hello.versions.sort_unstable_by(|a, b| b.cmp(a));
    Some(hello)
}

const SUPPORTED_VERSIONS: u16 = 43;

/// Values that mean nothing. RFC 8701.
pub fn grease(value: u16) -> bool {
    value & 0x0F0F == 0x0A0A && value >> 8 == value & 0xFF
}

/// A version as facts name it.
pub fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSL 3.0".to_owned(),
        0x0301..=0x0304 => format!("1.{}", version - 0x0301),
        other => format!("{other:#06x}"),
    }
}

fn take<'b>(rest: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (taken, behind) = rest.split_at_checked(count)?;
    *rest = behind;
    Some(taken)
}

fn short_list<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = take(rest, 1)?[0];
    take(rest, length.into())
}

fn long_list<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = number(take(rest, 2)?);
    take(rest, length.into())
}

fn number(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(number).collect()
}
