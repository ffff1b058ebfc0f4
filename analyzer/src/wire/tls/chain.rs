//! Certificates read once: a server shows every client the same.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::certificate::{CertificateMessage, CertificateSummary};
use super::certificate_match::CertificateDefect;
use crate::wire::Parsed;

/// Summaries of the certificates of one message, the sender's own first. Sessions in which the same came share them.
pub type Chain = Arc<[Result<CertificateSummary, CertificateDefect>]>;

/// A chain longer than this is no server's own.
const CERTIFICATES: usize = 8;
/// Messages that a thread remembers: those of as many servers.
const REMEMBERED: usize = 4;
/// Bytes of a message that is remembered; real ones have a few thousand.
const LONGEST: usize = 16 << 10;

thread_local! {
    /// Messages and what was read of them; those that came last stand first.
    static LATEST: RefCell<VecDeque<(Box<[u8]>, Chain)>> = const { RefCell::new(VecDeque::new()) };
}

/// The certificates of the Certificate message in `body`, which [`CertificateMessage::parse`] reads; none when a client
/// has none to show.
pub fn chain(body: &[u8]) -> Parsed<Chain> {
    if let Some(known) = remembered(body) {
        return Ok(known);
    }
    let message = CertificateMessage::parse(body)?;
    let chain_length = message.chain.len();
    let summary = |der: &Vec<u8>| {
        CertificateSummary::from_der(der).map(|it| CertificateSummary { chain_length, ..it })
    };
    let chain: Chain = message.chain.iter().take(CERTIFICATES).map(summary).collect();
    if body.len() <= LONGEST {
        LATEST.with_borrow_mut(|latest| {
            latest.push_front((body.into(), chain.clone()));
            latest.truncate(REMEMBERED);
        });
    }
    Ok(chain)
}

fn remembered(body: &[u8]) -> Option<Chain> {
    LATEST.with_borrow_mut(|latest| {
        let place = latest.iter().position(|(message, _)| **message == *body)?;
        latest.make_contiguous()[..=place].rotate_right(1);
        latest.front().map(|known| known.1.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{EC_CERTIFICATE, WINDOWS_LIKE_CERTIFICATE, bytes};
    use super::*;

    /// A message of these certificates.
    fn message(certificates: &[Vec<u8>]) -> Vec<u8> {
        let with_length = |bytes: &[u8]| {
            let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
            [&length[1..], bytes].concat()
        };
        let list = certificates.iter().flat_map(|der| with_length(der)).collect::<Vec<u8>>();
        with_length(&list)
    }

    #[test]
    fn the_same_message_is_read_once_and_another_anew() {
        let leaf = bytes(EC_CERTIFICATE);
        let one = message(std::slice::from_ref(&leaf));
        let first = chain(&one).unwrap();
        assert_eq!(first[0].as_ref().unwrap().sha256.len(), 64);
        assert!(Arc::ptr_eq(&first, &chain(&one).unwrap()));
        // The same certificate at the head of a longer chain, and one that differs in a byte.
        let two = chain(&message(&[leaf.clone(), bytes(WINDOWS_LIKE_CERTIFICATE)])).unwrap();
        let [head, issuer] = &*two else { panic!("{two:?}") };
        let (head, issuer) = (head.as_ref().unwrap(), issuer.as_ref().unwrap());
        assert_eq!((head.chain_length, head.key.as_str()), (2, "EC P-256"));
        assert_eq!((issuer.chain_length, issuer.key.as_str()), (2, "RSA 2048"));
        let mut other = leaf.clone();
        *other.last_mut().unwrap() ^= 1;
        let other = chain(&message(&[other])).unwrap();
        assert_ne!(other[0].as_ref().unwrap().sha256, first[0].as_ref().unwrap().sha256);
        assert_eq!(first[0].as_ref().unwrap().chain_length, 1);
    }

    #[test]
    fn a_few_servers_are_remembered_and_no_message_that_is_not_one() {
        let leaf = bytes(EC_CERTIFICATE);
        let of = |count: usize| message(&vec![leaf.clone(); count]);
        let first = chain(&of(1)).unwrap();
        for count in 2..=REMEMBERED {
            chain(&of(count)).unwrap();
        }
        let second = chain(&of(2)).unwrap();
        assert!(Arc::ptr_eq(&first, &chain(&of(1)).unwrap()));
        assert!(Arc::ptr_eq(&second, &chain(&of(2)).unwrap()));
        // The third has not come for longest.
        let third = chain(&of(3)).unwrap();
        for count in [4, 2, 1, REMEMBERED + 1] {
            chain(&of(count)).unwrap();
        }
        for (before, count, remembered) in [(first, 1, true), (second, 2, true), (third, 3, false)]
        {
            let again = chain(&of(count)).unwrap();
            assert_eq!(Arc::ptr_eq(&before, &again), remembered, "{count}");
            assert_eq!(before, again);
        }
        let long = vec![leaf; LONGEST / 300 + 1];
        let read = chain(&message(&long)).unwrap();
        assert_eq!(
            (read.len(), read[0].as_ref().unwrap().chain_length),
            (CERTIFICATES, long.len())
        );
        assert!(!Arc::ptr_eq(&read, &chain(&message(&long)).unwrap()));
        for _ in 0..2 {
            assert!(chain(&[0, 0, 1, 0]).is_err());
        }
        assert!(chain(&[0, 0, 0]).unwrap().is_empty());
    }
}
