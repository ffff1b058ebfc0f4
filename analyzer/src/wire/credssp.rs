//! CredSSP: TSRequest, and the four bytes that follow it under PROTOCOL_HYBRID_EX. MS-CSSP 2.2.1,
//! MS-RDPBCGR 2.2.10.2.
//!
//! Both travel inside TLS: only an end of that TLS has these bytes. Nothing here keeps what a secret is made
//! of: of the tokens and credentials only their presence, of the first token its kind.

use super::{Parsed, Reader};

/// A TSRequest. Fields that are optional in ASN.1 are optional here. MS-CSSP 2.2.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TsRequest {
    /// `version`: 2 to 6 are in use.
    pub version: u32,
    /// `negoTokens`: what the first of them is.
    pub nego_token: Option<NegoToken>,
    /// `authInfo` is there: the client delegates its credentials.
    pub auth_info: bool,
    /// `pubKeyAuth` is there: the server's key is being bound.
    pub pub_key_auth: bool,
    /// `errorCode`: an NTSTATUS or an HRESULT, of a server that refuses.
    pub error_code: Option<u32>,
    /// `clientNonce` is there: version 5 and later.
    pub client_nonce: bool,
}

/// What stands in a `negoToken`, by its first bytes. MS-NLMP 2.2.1, RFC 4178 4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegoToken {
    /// NTLM without a wrapping: its message type, 1 negotiate, 2 challenge, 3 authenticate.
    Ntlm(u32),
    /// SPNEGO's initial token.
    SpnegoInit,
    /// A later token of SPNEGO.
    SpnegoResponse,
    /// Something else.
    Other,
}

/// Early User Authorization Result: `authorizationResult`. MS-RDPBCGR 2.2.10.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlyUserAuthorization(pub u32);

impl EarlyUserAuthorization {
    /// `AUTHZ_SUCCESS`.
    pub const SUCCESS: EarlyUserAuthorization = EarlyUserAuthorization(0);
    /// `AUTHZ_ACCESS_DENIED`: the credentials are right, the right to log on remotely is missing.
    pub const ACCESS_DENIED: EarlyUserAuthorization = EarlyUserAuthorization(5);

    /// Reads the four bytes.
    pub fn parse(reader: &mut Reader<'_>) -> Parsed<EarlyUserAuthorization> {
        Ok(EarlyUserAuthorization(reader.u32_le("authorizationResult")?))
    }
}

/// SEQUENCE, constructed.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;

impl TsRequest {
    /// Reads one TSRequest and leaves what follows it in the reader. DER, definite lengths.
    pub fn parse(reader: &mut Reader<'_>) -> Parsed<TsRequest> {
        let mut fields = element(reader, SEQUENCE, "TSRequest")?;
        let mut request = TsRequest {
            version: integer(&mut field(&mut fields, 0)?, "version")?,
            ..Default::default()
        };
        while let Some(tag) = fields.peek() {
            let mut value = element(&mut fields, tag, "TSRequest field")?;
            match tag {
                0xA1 => request.nego_token = Some(nego_token(&mut value)?),
                0xA2 => request.auth_info = true,
                0xA3 => request.pub_key_auth = true,
                0xA4 => request.error_code = Some(integer(&mut value, "errorCode")?),
                0xA5 => request.client_nonce = true,
                // Later versions may add some.
                _ => {}
            }
        }
        Ok(request)
    }
}

/// `negoTokens`: SEQUENCE OF SEQUENCE { [0] OCTET STRING }.
fn nego_token(reader: &mut Reader<'_>) -> Parsed<NegoToken> {
    let mut tokens = element(reader, SEQUENCE, "negoTokens")?;
    let mut first = element(&mut tokens, SEQUENCE, "negoToken")?;
    let mut token = element(&mut field(&mut first, 0)?, OCTET_STRING, "negoToken")?;
    Ok(match token.rest() {
        [b'N', b'T', b'L', b'M', b'S', b'S', b'P', 0, kind @ ..] => match kind.first_chunk() {
            Some(kind) => NegoToken::Ntlm(u32::from_le_bytes(*kind)),
            None => NegoToken::Other,
        },
        [0x60, ..] => NegoToken::SpnegoInit,
        [0xA1, ..] => NegoToken::SpnegoResponse,
        _ => NegoToken::Other,
    })
}

/// The content of context tag `number`.
fn field<'a>(reader: &mut Reader<'a>, number: u8) -> Parsed<Reader<'a>> {
    element(reader, 0xA0 | number, "TSRequest field")
}

/// An INTEGER of at most 32 bits. A status has its top bit set and stands there as a negative number, or
/// behind a zero byte.
fn integer(reader: &mut Reader<'_>, what: &'static str) -> Parsed<u32> {
    let mut content = element(reader, INTEGER, what)?;
    let malformed = content.malformed(what);
    let bytes = match content.rest() {
        [0, bytes @ ..] if bytes.len() == 4 => bytes,
        bytes => bytes,
    };
    if bytes.is_empty() || bytes.len() > 4 {
        return Err(malformed);
    }
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// The content of the next element, which must have this tag. X.690 8.1, 10.1.
fn element<'a>(reader: &mut Reader<'a>, tag: u8, what: &'static str) -> Parsed<Reader<'a>> {
    let malformed = reader.malformed(what);
    if reader.u8(what)? != tag {
        return Err(malformed);
    }
    let length = match reader.u8(what)? {
        short @ 0..=0x7F => usize::from(short),
        0x81 => usize::from(reader.u8(what)?),
        0x82 => usize::from(reader.u16_be(what)?),
        _ => return Err(malformed),
    };
    reader.sub(length, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Parsed<TsRequest> {
        TsRequest::parse(&mut Reader::new(bytes))
    }

    /// Test vector: STATUS_LOGON_FAILURE by a server of version 6.
    const REFUSED: [u8; 15] = [0x30, 0x0D, 0xA0, 3, 2, 1, 6, 0xA4, 6, 2, 4, 0xC0, 0, 0, 0x6D];

    #[test]
    fn a_refusal_has_its_status() {
        let refused = TsRequest { version: 6, error_code: Some(0xC000_006D), ..Default::default() };
        assert_eq!(parse(&REFUSED), Ok(refused.clone()));
        // The same number as a positive one.
        let positive = [0x30, 0x0E, 0xA0, 3, 2, 1, 6, 0xA4, 7, 2, 5, 0, 0xC0, 0, 0, 0x6D];
        assert_eq!(parse(&positive), Ok(refused));
    }

    #[test]
    fn a_token_is_named_and_not_kept() {
        let token = |content: &[u8]| {
            let octets = tlv(0x04, content);
            let tokens = tlv(0xA1, &tlv(0x30, &tlv(0x30, &tlv(0xA0, &octets))));
            parse(&tlv(0x30, &[&tlv(0xA0, &[2, 1, 2])[..], &tokens].concat())).unwrap().nego_token
        };
        assert_eq!(token(b"NTLMSSP\0\x02\0\0\0rest"), Some(NegoToken::Ntlm(2)));
        assert_eq!(token(&[&[0x60][..], &[7; 300]].concat()), Some(NegoToken::SpnegoInit));
        assert_eq!(token(&[0xA1, 7]), Some(NegoToken::SpnegoResponse));
        assert_eq!(token(b"NTLMSSP\0"), Some(NegoToken::Other));
    }

    #[test]
    fn the_key_and_the_nonce_are_seen() {
        let parts =
            [(0xA0, &[2, 1, 6][..]), (0xA3, &[4, 1, 9]), (0xA5, &[4, 1, 9]), (0xA2, &[4, 0])];
        let fields: Vec<u8> = parts.iter().flat_map(|(tag, content)| tlv(*tag, content)).collect();
        let request = parse(&tlv(0x30, &fields)).unwrap();
        assert!(request.pub_key_auth && request.client_nonce && request.auth_info);
        assert_eq!((request.version, request.error_code), (6, None));
    }

    #[test]
    fn what_is_none_is_refused() {
        for length in 0..REFUSED.len() {
            assert!(parse(&REFUSED[..length]).unwrap_err().is_incomplete(), "{length}");
        }
        // Another type, an indefinite length, a number of nine bytes, no number.
        let nine = tlv(0x30, &tlv(0xA0, &tlv(2, &[1; 9])));
        let none = tlv(0x30, &tlv(0xA0, &tlv(2, &[])));
        for bytes in [&[0x16, 3, 1, 0][..], &[0x30, 0x80, 0, 0], &nine, &none] {
            assert!(!parse(bytes).unwrap_err().is_incomplete(), "{bytes:02x?}");
        }
    }

    #[test]
    fn an_authorization_is_four_bytes() {
        let result = EarlyUserAuthorization::parse(&mut Reader::new(&[5, 0, 0, 0]));
        assert_eq!(result, Ok(EarlyUserAuthorization::ACCESS_DENIED));
        assert!(EarlyUserAuthorization::parse(&mut Reader::new(&[5, 0, 0])).is_err());
    }

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap();
        let head = match length {
            0..=0x7F => vec![tag, content.len() as u8],
            _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
        };
        [head, content.to_vec()].concat()
    }
}
