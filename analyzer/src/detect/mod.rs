//! The opinions. Each detector is one file with one pure function and one row of [`ALL`].
//!
//! **To add a detector**: a file here with a `DETECTOR` row and its `detect` function; its line in
//! [`ALL`], above every row that is less specific; in its tests a case that fires it, a clean twin and
//! a decoy twin that must stay silent. If it needs a fact that nobody has, the compiler leads:
//! `facts/` folds it from an event, `session/` makes the event from a PDU or an input. What needs a second
//! capture of the session lives in `pair`.

mod battery;
mod certificate;
mod insistence;
mod opinion;
pub(crate) mod pair;
mod stalled;
mod who;

mod cert_expired;
mod cert_key_inaccessible;
mod cert_malformed;
mod cert_name_mismatch;
mod cert_self_signed;
mod cert_untrusted_chain;
mod clean_close_no_reason;
mod client_rehearsal_close;
mod client_rejects_cert;
mod connect_error;
mod data_injected;
mod fallback_retry;
mod fin_injected;
mod half_open_asymmetric;
mod http_answer;
mod icmp_reject;
mod idle_timeout;
mod lb_no_backend;
mod lb_reset;
mod licensing_failure;
mod name_not_found;
mod neg_failure;
mod neg_rsp_absent;
mod neg_rsp_unrequested;
mod nego_failure_tail;
mod nla;
mod nla_not_offered;
mod no_common_cipher;
mod no_common_version;
mod non_rdp_endpoint;
mod packet_loss;
mod payload_trigger_drop;
mod pmtu_blackhole;
mod proxy_connect_needed;
mod proxy_header_sent;
mod relay_induced;
mod reordering_duplication;
mod rst_genuine;
mod rst_immune;
mod rst_injected;
mod rst_inpath_reject;
mod server_crash_close;
mod server_error_info;
mod server_redirection;
mod server_rejects_client_cert;
mod server_stall;
mod service_down_after_accept;
mod session_replaced;
mod slow_path_timeout;
mod syn_proxy_fake_open;
mod tcp_option_rewrite;
mod tcp_refused_rst;
mod tcp_syn_drop;
mod tls13_sentinel;
mod tls_alert;
mod tls_cipher_downgrade;
mod tls_first_endpoint;
mod tls_intolerance;
mod tls_plaintext_after_hello;
mod tls_record_tampered;
mod transmission_stalled;
mod truncated_tls;
mod user_cancel;
mod x224_edited;
mod zero_window_stall;

use certificate::{
    as_cause, certificate_band, hard_certificate_defect, malformed_certificate, out_of_validity,
    wrong_name,
};
pub use opinion::{Band, Class, Control, Detector, Evidence, Group, Kind, Next, Opinion, Party};

/// Every row, those of two captures first: what they prove is no reading of one end any more. An id that can be
/// told from one end and from both has a row in either table; of two opinions the first one counts.
pub fn rows() -> impl Iterator<Item = &'static Detector> {
    pair::ALL.iter().chain(ALL)
}

/// Every detector of one vantage. The order is the precedence among what was seen: specific before general.
pub const ALL: &[Detector] = &[
    relay_induced::DETECTOR,
    // Words that somebody else put in: what they say comes from nobody below.
    data_injected::DETECTOR,
    rst_injected::TO_CLIENT,
    rst_injected::TO_SERVER,
    fin_injected::DETECTOR,
    server_redirection::DETECTOR,
    client_rehearsal_close::DETECTOR,
    name_not_found::DETECTOR,
    icmp_reject::DETECTOR,
    tcp_refused_rst::DETECTOR,
    half_open_asymmetric::DETECTOR,
    tcp_syn_drop::DETECTOR,
    connect_error::DETECTOR,
    http_answer::DETECTOR,
    proxy_connect_needed::DETECTOR,
    tls_first_endpoint::DETECTOR,
    non_rdp_endpoint::DETECTOR,
    neg_failure::SSL_REQUIRED,
    neg_failure::SSL_NOT_ALLOWED,
    neg_failure::SSL_CERT_NOT_ON_SERVER,
    neg_failure::INCONSISTENT_FLAGS,
    neg_failure::NLA_REQUIRED,
    neg_failure::OTHER,
    tls_plaintext_after_hello::DETECTOR,
    neg_rsp_unrequested::DETECTOR,
    neg_rsp_absent::DETECTOR,
    nla_not_offered::DETECTOR,
    tls_alert::DETECTOR,
    server_error_info::DETECTOR,
    licensing_failure::DETECTOR,
    nla::BAD_CREDENTIALS,
    service_down_after_accept::DETECTOR,
    zero_window_stall::DETECTOR,
    transmission_stalled::DETECTOR,
    server_stall::UNANSWERED,
    truncated_tls::DETECTOR,
    rst_genuine::UNCLEAR,
    rst_genuine::SERVER,
    rst_genuine::CLIENT,
    clean_close_no_reason::DETECTOR,
    // Causes that are never seen by themselves.
    server_rejects_client_cert::DETECTOR,
    client_rejects_cert::DETECTOR,
    cert_malformed::DETECTOR,
    cert_expired::DETECTOR,
    cert_name_mismatch::DETECTOR,
    cert_self_signed::DETECTOR,
    cert_untrusted_chain::DETECTOR,
    no_common_version::DETECTOR,
    no_common_cipher::DETECTOR,
    cert_key_inaccessible::DETECTOR,
    lb_no_backend::DETECTOR,
    lb_reset::DETECTOR,
    rst_inpath_reject::DETECTOR,
    syn_proxy_fake_open::DETECTOR,
    server_stall::DETECTOR,
    idle_timeout::RESET,
    idle_timeout::SILENT,
    pmtu_blackhole::TO_CLIENT,
    pmtu_blackhole::TO_SERVER,
    payload_trigger_drop::DETECTOR,
    packet_loss::DETECTOR,
    slow_path_timeout::DETECTOR,
    server_crash_close::DETECTOR,
    session_replaced::DETECTOR,
    user_cancel::DETECTOR,
    nla::PUBKEY_MISMATCH,
    x224_edited::CORRELATION,
    x224_edited::NEGOTIATION,
    x224_edited::RESPONSE,
    tls_intolerance::VERSION,
    tls_intolerance::FRAGMENTATION,
    tls_record_tampered::DETECTOR,
    tls13_sentinel::DETECTOR,
    tls_cipher_downgrade::DETECTOR,
    // True, and no explanation.
    fallback_retry::DETECTOR,
    nego_failure_tail::DETECTOR,
    reordering_duplication::DETECTOR,
    tcp_option_rewrite::DETECTOR,
    rst_immune::DETECTOR,
    proxy_header_sent::DETECTOR,
];

#[cfg(test)]
mod tests;
