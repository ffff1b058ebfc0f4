//! The server's certificate is made out to another name than the one the client came to, and it refuses.

use super::cert_self_signed::refused;
use crate::draw::Draw;
use crate::recipe::{Plan, Recipe};
use crate::support::certs::Kind;

pub const RECIPE: Recipe = Recipe {
    name: "cert-name-mismatch",
    row: "cert-name-mismatch",
    decoys: &["cert-self-signed", "client-declines"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    let kind = draw.of_half(&[Kind::Good, Kind::Ec], &[Kind::Ec384]);
    refused(draw, kind, &["cert-name-mismatch"])
}
