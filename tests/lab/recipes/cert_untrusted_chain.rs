//! The server's certificate comes from an authority that the client does not know, and it refuses.

use super::cert_self_signed::refused;
use crate::draw::Draw;
use crate::recipe::{Plan, Recipe};
use crate::support::certs::Kind;

pub const RECIPE: Recipe = Recipe {
    name: "cert-untrusted-chain",
    row: "cert-untrusted-chain",
    decoys: &["cert-self-signed", "client-declines"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    refused(draw, Kind::Issued, &["cert-untrusted-chain"])
}
