//! Which name led a client to its server's address.

use std::net::IpAddr;

use crate::event::At;

/// A DNS answer: the addresses that a resolver gave for a name. RFC 1035 4.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The name that was asked for, in lower case and without the dot at its end.
    pub name: String,
    /// Every address of the answer, in its order.
    pub addresses: Vec<IpAddr>,
    /// Who answered.
    pub resolver: IpAddr,
    /// Who had asked.
    pub asker: IpAddr,
    /// When, and in which packet.
    pub at: At,
}
