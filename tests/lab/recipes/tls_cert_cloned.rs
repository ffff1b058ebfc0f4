//! A device in the path ends TLS and shows the client a copy of the server's certificate with a key of its own.

use super::tls_cert_substituted::terminated;
use crate::draw::Draw;
use crate::recipe::{Plan, Recipe};

pub const RECIPE: Recipe = Recipe {
    name: "tls-cert-cloned",
    row: "tls-cert-cloned",
    decoys: &["tls-cert-substituted", "client-declines"],
    smoke: false,
    plan,
};

fn plan(draw: &mut Draw) -> Plan {
    terminated(draw, "clone", "tls-cert-cloned", &["tls-cert-cloned"])
}
