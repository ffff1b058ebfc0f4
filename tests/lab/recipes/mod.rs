//! Every recipe.

use crate::recipe::Recipe;

mod cert_expired;
mod cert_key_inaccessible;
mod cert_key_mismatch;
mod cert_malformed;
mod cert_name_mismatch;
mod cert_not_yet_valid;
mod cert_self_signed;
mod cert_untrusted_chain;
mod ch_fragmentation_intolerance;
mod clean_session;
mod clean_sessions;
mod client_declines;
mod client_rejects_cert;
mod clienthello_rewritten;
mod credssp_pubkey_mismatch;
mod data_injected;
mod data_injected_toserver;
mod dns_wrong_address;
mod fallback_retry;
mod fin_injected;
mod fin_injected_toserver;
mod half_open_asymmetric;
mod http_answer;
mod http_portal;
mod icmp_reject;
mod idle_timeout;
mod lb_between;
mod lb_no_backend;
mod lb_reset;
mod neg_failure_forged;
mod neg_flags_shape;
mod neg_rsp_rewritten;
mod neg_rsp_unrequested;
mod nego_failure_tail;
mod nla_bad_credentials;
mod nla_not_offered;
mod nla_required;
mod no_common_cipher;
mod no_common_version;
mod non_rdp_endpoint;
mod option_rewrite;
mod payload_trigger_drop;
mod pmtu;
mod proxy_connect_needed;
mod rehearsal;
mod relay_induced;
mod rst_genuine_client;
mod rst_genuine_server;
mod rst_injected_toclient;
mod rst_injected_toserver;
mod rst_inpath_reject;
mod server_closes;
mod server_rejects_client_cert;
mod server_says;
mod server_says_in_clear;
mod server_stall;
mod service_down;
mod ssl_cert_not_on_server;
mod ssl_not_allowed;
mod ssl_required;
mod syn_proxy;
mod tcp_refused;
mod tcp_refused_by_router;
mod tcp_syn_drop;
mod tls13_sentinel;
mod tls13_sentinel_honest;
mod tls_alert;
mod tls_cert_cloned;
mod tls_cert_substituted;
mod tls_cipher_downgrade;
mod tls_first_endpoint;
mod tls_first_silent;
mod tls_record_tampered;
mod tls_stack_mismatch;
mod tls_version_downgrade;
mod tls_version_intolerance;
mod transparent_proxy;
mod truncated_tls;
mod user_cancel;
mod wan;
mod x224_cookie_altered;
mod x224_correlation_stripped;
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
    dns_wrong_address::RECIPE,
    cert_key_mismatch::RECIPE,
    non_rdp_endpoint::RECIPE,
    http_answer::RECIPE,
    http_portal::RECIPE,
    proxy_connect_needed::RECIPE,
    tls_first_endpoint::RECIPE,
    tls_first_silent::RECIPE,
    lb_between::RECIPE,
    lb_no_backend::RECIPE,
    service_down::RECIPE,
    server_says::SENT_ON,
    server_says::REPLACED,
    server_says::TIME_LIMIT,
    server_says::CROWDED,
    server_says::CRASH,
    server_says_in_clear::LICENSING,
    server_says_in_clear::ERROR_INFO,
    server_stall::RECIPE,
    payload_trigger_drop::RECIPE,
    relay_induced::RECIPE,
    rehearsal::RECIPE,
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
    data_injected::RECIPE,
    data_injected_toserver::RECIPE,
    fin_injected::RECIPE,
    fin_injected_toserver::RECIPE,
    rst_injected_toclient::RECIPE,
    rst_injected_toserver::RECIPE,
    rst_inpath_reject::RECIPE,
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
    ssl_not_allowed::RECIPE,
    nego_failure_tail::RECIPE,
    x224_correlation_stripped::RECIPE,
    tls_cert_substituted::RECIPE,
    tls_cert_cloned::RECIPE,
    tls_stack_mismatch::RECIPE,
    clienthello_rewritten::RECIPE,
    tls13_sentinel::RECIPE,
    tls13_sentinel_honest::RECIPE,
    tls_version_downgrade::RECIPE,
    tls_cipher_downgrade::RECIPE,
    tls_version_intolerance::RECIPE,
    fallback_retry::RECIPE,
    ch_fragmentation_intolerance::RECIPE,
    tls_record_tampered::RECIPE,
    tls_alert::RECIPE,
    no_common_version::RECIPE,
    no_common_cipher::RECIPE,
    cert_self_signed::RECIPE,
    cert_expired::RECIPE,
    cert_not_yet_valid::RECIPE,
    cert_untrusted_chain::RECIPE,
    cert_name_mismatch::RECIPE,
    cert_malformed::RECIPE,
    cert_key_inaccessible::RECIPE,
    client_rejects_cert::RECIPE,
    server_rejects_client_cert::RECIPE,
    nla_bad_credentials::RECIPE,
    credssp_pubkey_mismatch::RECIPE,
    user_cancel::RECIPE,
];
