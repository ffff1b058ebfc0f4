//! Every recipe.

use crate::recipe::Recipe;

mod cert_key_mismatch;
mod clean_session;
mod clean_sessions;
mod client_declines;
mod data_injected;
mod fin_injected;
mod half_open_asymmetric;
mod http_answer;
mod http_portal;
mod icmp_reject;
mod idle_timeout;
mod lb_no_backend;
mod lb_reset;
mod neg_failure_forged;
mod neg_flags_shape;
mod neg_rsp_rewritten;
mod neg_rsp_unrequested;
mod nego_failure_tail;
mod nla_not_offered;
mod nla_required;
mod non_rdp_endpoint;
mod option_rewrite;
mod payload_trigger_drop;
mod pmtu;
mod rehearsal;
mod relay_induced;
mod rst_genuine_client;
mod rst_genuine_server;
mod rst_injected_toclient;
mod rst_injected_toserver;
mod rst_inpath_reject;
mod server_closes;
mod server_stall;
mod service_down;
mod ssl_cert_not_on_server;
mod ssl_required;
mod syn_proxy;
mod tcp_refused;
mod tcp_refused_by_router;
mod tcp_syn_drop;
mod tls_first_endpoint;
mod tls_first_silent;
mod transparent_proxy;
mod truncated_tls;
mod wan;
mod x224_cookie_altered;
mod x224_negreq_removed;
mod x224_protocols_cleared;
mod zero_window;

/// The table. What is cheap and decisive comes first.
pub const RECIPES: &[Recipe] = &[
    clean_session::RECIPE,
    clean_sessions::RECIPE,
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
    server_closes::RECIPE,
    truncated_tls::RECIPE,
    rst_genuine_server::RECIPE,
    rst_genuine_client::RECIPE,
    idle_timeout::SILENT,
    idle_timeout::RST,
    lb_reset::RECIPE,
    option_rewrite::RECIPE,
    transparent_proxy::RECIPE,
    pmtu::TO_CLIENT,
    pmtu::TO_SERVER,
    wan::LOSS,
    wan::REORDERING,
    wan::SLOW,
    zero_window::RECIPE,
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
];
