//! What a peer speaks, from the first bytes it sends. Used where RDP was expected.

use super::Reader;

/// A protocol, recognised by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// TPKT: RDP, as it should be.
    Tpkt,
    /// A TLS record: the peer starts with TLS and knows no X.224 (RD Gateway, stunnel, HTTPS).
    Tls,
    /// An HTTP response or an HTML page.
    HttpResponse(WebAnswer),
    /// An HTTP request, from a client: a browser, RD Gateway traffic, a health check.
    HttpRequest {
        /// `RDG_OUT_DATA`, `RDG_IN_DATA`, `RPC_OUT_DATA`, … : an RD Gateway client.
        gateway: bool,
    },
    /// `SSH-`.
    Ssh,
    /// `220`: SMTP or FTP.
    Greeting220,
    /// SMB behind a NetBIOS session header.
    Smb,
    /// `RFB `.
    Vnc,
    /// SOCKS 4 or 5.
    Socks,
    /// HTTP/2 preface or frame.
    Http2,
    /// A PROXY protocol header, version 1 or 2.
    ProxyProtocol,
    /// RDP preconnection PDU, of this many bytes. MS-RDPEPS 2.2.1.
    Preconnection(u32),
    /// Nothing known.
    Unknown,
}

/// What kind of web server speaks, by the status and the headers of its answer. RFC 9110.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebAnswer {
    /// Any.
    Site,
    /// It redirects, demands a login or stands before another: 302, 303, 307, 511, `Via:`.
    Portal,
    /// A proxy that clients have to ask (RFC 9110 7.7), by a header or an error page that only such a one sends.
    ForwardProxy {
        /// It demanded that the client authenticate to it: 407 or `Proxy-Authenticate:`. RFC 9110 15.5.8.
        demands_login: bool,
    },
}

impl FirstBytes {
    /// Remote Desktop begins so, or behind this.
    pub fn may_be_rdp(self) -> bool {
        matches!(self, FirstBytes::Tpkt | FirstBytes::Preconnection(_) | FirstBytes::ProxyProtocol)
    }

    /// Classifies the first bytes of a stream; `None` while they could still become several things.
    pub fn classify(bytes: &[u8]) -> Option<FirstBytes> {
        for (prefix, what) in FIXED {
            if bytes.starts_with(prefix) {
                return Some(*what);
            }
        }
        if let Some(preconnection) = preconnection(bytes) {
            return Some(preconnection);
        }
        if bytes.starts_with(b"HTTP/1.") || starts_html(bytes) {
            return Some(FirstBytes::HttpResponse(web_answer(bytes)));
        }
        if let Some(request) = http_request(bytes) {
            return Some(request);
        }
        if matches!(bytes, [0, 0, _, _, 0xFE | 0xFF, b'S', b'M', b'B', ..]) {
            return Some(FirstBytes::Smb);
        }
        (bytes.len() >= 16).then_some(FirstBytes::Unknown)
    }

    /// The protocol's name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            FirstBytes::Tpkt => "RDP (TPKT)",
            FirstBytes::Tls => "TLS",
            FirstBytes::HttpResponse(_) | FirstBytes::HttpRequest { .. } => "HTTP",
            FirstBytes::Ssh => "SSH",
            FirstBytes::Greeting220 => "SMTP or FTP",
            FirstBytes::Smb => "SMB",
            FirstBytes::Vnc => "VNC",
            FirstBytes::Socks => "SOCKS",
            FirstBytes::Http2 => "HTTP/2",
            FirstBytes::ProxyProtocol => "the PROXY protocol",
            FirstBytes::Preconnection(_) => "RDP (preconnection PDU)",
            FirstBytes::Unknown => "an unknown protocol",
        }
    }
}

const FIXED: &[(&[u8], FirstBytes)] = &[
    (&[0x03, 0x00], FirstBytes::Tpkt),
    (&[0x15, 0x03], FirstBytes::Tls),
    (&[0x16, 0x03], FirstBytes::Tls),
    (b"SSH-", FirstBytes::Ssh),
    (b"220 ", FirstBytes::Greeting220),
    (b"220-", FirstBytes::Greeting220),
    (b"RFB ", FirstBytes::Vnc),
    (b"PRI * HTTP/2", FirstBytes::Http2),
    (b"PROXY ", FirstBytes::ProxyProtocol),
    (b"\r\n\r\n\0\r\nQUIT\n", FirstBytes::ProxyProtocol),
    (&[0x05, 0x00], FirstBytes::Socks),
    (&[0x05, 0x01], FirstBytes::Socks),
    (&[0x05, 0x02], FirstBytes::Socks),
    (&[0x05, 0xFF], FirstBytes::Socks),
];

const METHODS: &[&[u8]] =
    &[b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"CONNECT ", b"DELETE ", b"PATCH "];
const GATEWAY_METHODS: &[&[u8]] =
    &[b"RDG_OUT_DATA ", b"RDG_IN_DATA ", b"RPC_OUT_DATA ", b"RPC_IN_DATA "];

fn http_request(bytes: &[u8]) -> Option<FirstBytes> {
    let starts = |methods: &[&[u8]]| methods.iter().any(|method| bytes.starts_with(method));
    if starts(GATEWAY_METHODS) || (starts(METHODS) && contains(bytes, b"/remoteDesktopGateway")) {
        return Some(FirstBytes::HttpRequest { gateway: true });
    }
    starts(METHODS).then_some(FirstBytes::HttpRequest { gateway: false })
}

fn starts_html(bytes: &[u8]) -> bool {
    let head = bytes.get(..9).unwrap_or(bytes);
    head.eq_ignore_ascii_case(b"<!doctype")
        || head[..head.len().min(5)].eq_ignore_ascii_case(b"<html")
}

fn web_answer(bytes: &[u8]) -> WebAnswer {
    let status = bytes.get(9..12).unwrap_or_default();
    let demands_login = status == b"407" || contains(bytes, b"\r\nproxy-authenticate:");
    let names_itself =
        [&b"\r\nproxy-agent:"[..], b"\r\nx-squid-error:"].iter().any(|name| contains(bytes, name));
    if demands_login || names_itself {
        return WebAnswer::ForwardProxy { demands_login };
    }
    let elsewhere = matches!(status, b"302" | b"303" | b"307" | b"511");
    if elsewhere || contains(bytes, b"\r\nvia:") { WebAnswer::Portal } else { WebAnswer::Site }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let bytes = bytes.get(..2048).unwrap_or(bytes);
    bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

/// MS-RDPEPS 2.2.1: cbSize, flags 0, version 1 or 2, id.
fn preconnection(bytes: &[u8]) -> Option<FirstBytes> {
    let mut reader = Reader::new(bytes);
    let size = reader.u32_le("cbSize").ok()?;
    let flags = reader.u32_le("flags").ok()?;
    let version = reader.u32_le("version").ok()?;
    ((16..=1040).contains(&size) && flags == 0 && (1..=2).contains(&version))
        .then_some(FirstBytes::Preconnection(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_answers_are_named() {
        for (bytes, what) in [
            (&b"\x03\x00\x00\x13"[..], FirstBytes::Tpkt),
            (b"\x15\x03\x01\x00\x02\x02\x0a", FirstBytes::Tls),
            (b"HTTP/1.1 400 Bad Request\r\n", FirstBytes::HttpResponse(WebAnswer::Site)),
            (b"HTTP/1.1 302 Found\r\nLocation: x", FirstBytes::HttpResponse(WebAnswer::Portal)),
            (b"HTTP/1.0 200 OK\r\nVia: 1.1 squid\r\n", FirstBytes::HttpResponse(WebAnswer::Portal)),
            (
                b"HTTP/1.1 407 Proxy Authentication Required\r\n",
                FirstBytes::HttpResponse(WebAnswer::ForwardProxy { demands_login: true }),
            ),
            (
                b"HTTP/1.1 400 Bad Request\r\nX-Squid-Error: ERR_PROTOCOL_UNKNOWN 0\r\nVia: 1.1 x\r\n",
                FirstBytes::HttpResponse(WebAnswer::ForwardProxy { demands_login: false }),
            ),
            (b"<HTML><body>", FirstBytes::HttpResponse(WebAnswer::Site)),
            (b"SSH-2.0-OpenSSH_9.2\r\n", FirstBytes::Ssh),
            (b"RFB 003.008\n", FirstBytes::Vnc),
            (b"\0\0\0\x45\xffSMBr\0", FirstBytes::Smb),
            (b"RDG_OUT_DATA /remoteDesktopGateway/", FirstBytes::HttpRequest { gateway: true }),
            (b"GET / HTTP/1.1\r\n", FirstBytes::HttpRequest { gateway: false }),
            (b"a completely different thing", FirstBytes::Unknown),
        ] {
            assert_eq!(FirstBytes::classify(bytes), Some(what), "{bytes:?}");
        }
    }

    #[test]
    fn a_preconnection_pdu_is_not_mistaken_for_noise() {
        let mut bytes = vec![0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0];
        assert_eq!(FirstBytes::classify(&bytes), Some(FirstBytes::Preconnection(16)));
        bytes[8] = 9;
        assert_eq!(FirstBytes::classify(&bytes), Some(FirstBytes::Unknown));
    }

    #[test]
    fn too_few_bytes_decide_nothing() {
        assert_eq!(FirstBytes::classify(b""), None);
        assert_eq!(FirstBytes::classify(b"HTT"), None);
        assert_eq!(FirstBytes::classify(&[3]), None);
    }
}
