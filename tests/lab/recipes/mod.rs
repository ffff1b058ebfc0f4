//! Every recipe.

use crate::recipe::Recipe;

mod cert_key_mismatch;
mod clean_session;
mod client_declines;
mod half_open_asymmetric;
mod http_answer;
mod http_portal;
mod icmp_reject;
mod lb_no_backend;
mod non_rdp_endpoint;
mod payload_trigger_drop;
mod rehearsal;
mod relay_induced;
mod server_stall;
mod service_down;
mod syn_proxy;
mod tcp_refused;
mod tcp_refused_by_router;
mod tcp_syn_drop;
mod tls_first_endpoint;
mod tls_first_silent;

/// The table. What is cheap and decisive comes first.
pub const RECIPES: &[Recipe] = &[
    clean_session::RECIPE,
    tcp_syn_drop::RECIPE,
    tcp_refused::RECIPE,
    tcp_refused_by_router::RECIPE,
    icmp_reject::RECIPE,
    half_open_asymmetric::RECIPE,
    syn_proxy::RECIPE,
    cert_key_mismatch::RECIPE,
    non_rdp_endpoint::RECIPE,
    http_answer::RECIPE,
    http_portal::RECIPE,
    tls_first_endpoint::RECIPE,
    tls_first_silent::RECIPE,
    lb_no_backend::RECIPE,
    service_down::RECIPE,
    server_stall::RECIPE,
    payload_trigger_drop::RECIPE,
    relay_induced::RECIPE,
    rehearsal::RECIPE,
    client_declines::RECIPE,
];
