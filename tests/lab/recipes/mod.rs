//! Every recipe.

use crate::recipe::Recipe;

mod cert_key_mismatch;
mod ch_fragmentation_intolerance;
mod clean_session;
mod client_declines;
mod clienthello_rewritten;
mod data_injected;
mod fallback_retry;
mod fin_injected;
mod half_open_asymmetric;
mod http_answer;
mod http_portal;
mod icmp_reject;
mod lb_no_backend;
mod neg_failure_forged;
mod neg_flags_shape;
mod neg_rsp_rewritten;
mod neg_rsp_unrequested;
mod nego_failure_tail;
mod nla_not_offered;
mod nla_required;
mod non_rdp_endpoint;
mod payload_trigger_drop;
mod rehearsal;
mod relay_induced;
mod rst_injected_toclient;
mod rst_injected_toserver;
mod rst_inpath_reject;
mod server_stall;
mod service_down;
mod ssl_cert_not_on_server;
mod ssl_required;
mod syn_proxy;
mod tcp_refused;
mod tcp_refused_by_router;
mod tcp_syn_drop;
mod tls13_sentinel;
mod tls13_sentinel_honest;
mod tls_cert_cloned;
mod tls_cert_substituted;
mod tls_cipher_downgrade;
mod tls_first_endpoint;
mod tls_first_silent;
mod tls_record_tampered;
mod tls_version_downgrade;
mod tls_version_intolerance;
mod x224_cookie_altered;
mod x224_correlation_stripped;
mod x224_negreq_removed;
mod x224_protocols_cleared;

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
    data_injected::RECIPE,
    fin_injected::RECIPE,
    rst_injected_toclient::RECIPE,
    rst_injected_toserver::RECIPE,
    rst_inpath_reject::RECIPE,
    client_declines::RECIPE,
    x224_protocols_cleared::RECIPE,
    x224_negreq_removed::RECIPE,
    x224_cookie_altered::RECIPE,
    neg_rsp_rewritten::RECIPE,
    neg_rsp_unrequested::RECIPE,
    neg_failure_forged::RECIPE,
    neg_flags_shape::RECIPE,
    ssl_required::RECIPE,
    nla_required::RECIPE,
    nla_not_offered::RECIPE,
    ssl_cert_not_on_server::RECIPE,
    nego_failure_tail::RECIPE,
    x224_correlation_stripped::RECIPE,
    tls_cert_substituted::RECIPE,
    tls_cert_cloned::RECIPE,
    clienthello_rewritten::RECIPE,
    tls13_sentinel::RECIPE,
    tls13_sentinel_honest::RECIPE,
    tls_version_downgrade::RECIPE,
    tls_cipher_downgrade::RECIPE,
    tls_version_intolerance::RECIPE,
    fallback_retry::RECIPE,
    ch_fragmentation_intolerance::RECIPE,
    tls_record_tampered::RECIPE,
];
