//! The days of the server's certificate are over, and it refuses.

use super::cert_self_signed::refused;
use crate::draw::Draw;
use crate::recipe::{Plan, Recipe};
use crate::support::certs::Kind;

pub const RECIPE: Recipe = Recipe {
    name: "cert-expired",
    row: "cert-expired",
    decoys: &["cert-self-signed", "client-declines"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    refused(draw, Kind::Expired, &["cert-expired"])
}
