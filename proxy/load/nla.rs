//! The first message of NLA and its answer: TSRequest with NTLM NEGOTIATE, TSRequest with NTLM CHALLENGE.
//! Nothing of a user is in either. MS-CSSP 2.2.1, MS-NLMP 2.2.1.1.

use std::io;

use rdpwhy_analyzer::wire::Reader;
use rdpwhy_analyzer::wire::credssp::{NegoToken, TsRequest};
use rdpwhy_analyzer::wire::tls::AlertDescription;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::operation::Broken;

/// NEGOTIATE_MESSAGE: signature, type 1, flags, no domain, no workstation, a version. MS-NLMP 2.2.1.1.
const NEGOTIATE: [u8; 40] = *b"NTLMSSP\0\x01\0\0\0\x37\x82\x08\xe2\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\x0f";

/// TSRequest of version 6 around it.
fn request() -> Vec<u8> {
    let token = tlv(0x04, &NEGOTIATE);
    let tokens = tlv(0xA1, &tlv(0x30, &tlv(0x30, &tlv(0xA0, &token))));
    tlv(0x30, &[&[0xA0, 3, 2, 1, 6][..], &tokens].concat())
}

/// DER of a short element. X.690 8.1.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, content.len() as u8], content].concat()
}

/// Sends the first message and reads the challenge that answers it.
pub(super) async fn challenge(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Result<(), Broken> {
    /// A challenge names a domain and a few hosts; nothing longer is meant honestly.
    const LONGEST: usize = 16 << 10;
    // The engine sees no more of this than the lengths of records, and must not guess.
    let known = |why: &str| Broken::Known(format!("credssp-{why}"));
    stream.write_all(&request()).await.map_err(|error| ended(&error))?;
    stream.flush().await.map_err(|error| ended(&error))?;
    let mut answer = Vec::new();
    loop {
        match TsRequest::parse(&mut Reader::new(&answer)) {
            Ok(TsRequest { error_code: Some(status), .. }) => {
                return Err(known(&format!("error-{status:#010x}")));
            }
            Ok(TsRequest { nego_token: Some(NegoToken::Ntlm(2)), .. }) => return Ok(()),
            Ok(_) => return Err(known("no-challenge")),
            Err(error) if error.is_incomplete() && answer.len() < LONGEST => {}
            Err(_) => return Err(known("malformed")),
        }
        match stream.read_buf(&mut answer).await {
            Ok(0) => return Err(Broken::Seen("credssp-closed".into())),
            Ok(_) => {}
            Err(error) => return Err(ended(&error)),
        }
    }
}

/// How the server ended it: an alert says why, a reset does not.
fn ended(error: &io::Error) -> Broken {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (tls, error.kind()) {
        (Some(rustls::Error::AlertReceived(alert)), _) => {
            let (number, name) = (u8::from(*alert), AlertDescription(u8::from(*alert)));
            Broken::Known(format!("credssp-tls-alert-{number}-{name}"))
        }
        (_, io::ErrorKind::ConnectionReset) => Broken::Seen("credssp-reset".into()),
        _ => Broken::Seen("credssp-closed".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_is_a_bare_negotiate() {
        let bytes = request();
        let mut reader = Reader::new(&bytes);
        let read = TsRequest::parse(&mut reader).unwrap();
        assert!(reader.rest().is_empty());
        let bare =
            TsRequest { version: 6, nego_token: Some(NegoToken::Ntlm(1)), ..TsRequest::default() };
        assert_eq!(read, bare);
        // Neither a domain nor a workstation: both fields are empty. MS-NLMP 2.2.1.1.
        assert_eq!(NEGOTIATE[16..32], [0; 16]);
    }
}
