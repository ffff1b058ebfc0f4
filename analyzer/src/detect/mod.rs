//! The opinions. Each detector is one file with one pure function and one row of [`ALL`].
//!
//! **To add a detector**: a file here with a `DETECTOR` row and its `detect` function; its line in
//! [`ALL`], above every row that is less specific; in its tests a case that fires it, a clean twin and
//! a decoy twin that must stay silent. If it needs a fact that nobody has, the compiler leads:
//! `facts/` folds it from an event, `session/` makes the event from a PDU or an input. What needs a second
//! capture of the session lives in [`pair`].

mod certificate;
mod opinion;
pub(crate) mod pair;
mod who;

mod cert_expired;
mod cert_key_inaccessible;
mod cert_malformed;
mod cert_name_mismatch;
mod cert_self_signed;
mod clean_close_no_reason;
mod client_rehearsal_close;
mod client_rejects_cert;
mod fallback_retry;
mod http_answer;
mod icmp_reject;
mod lb_no_backend;
mod name_not_found;
mod neg_failure;
mod neg_rsp_unrequested;
mod nego_failure_tail;
mod nla_not_offered;
mod no_common_cipher;
mod no_common_version;
mod non_rdp_endpoint;
mod packet_loss;
mod relay_induced;
mod rst_genuine;
mod server_rejects_client_cert;
mod server_stall;
mod service_down_after_accept;
mod tcp_refused_rst;
mod tcp_syn_drop;
mod tls13_sentinel;
mod tls_alert;
mod tls_cipher_downgrade;
mod tls_first_endpoint;
mod tls_plaintext_after_hello;
mod truncated_tls;
mod zero_window_stall;

use certificate::{
    as_cause, certificate_band, hard_certificate_defect, malformed_certificate, out_of_validity,
    wrong_name,
};
pub use opinion::{Band, Class, Control, Detector, Evidence, Kind, Next, Opinion, Party};

/// Every detector. The order is the precedence among what was seen: specific before general.
pub const ALL: &[Detector] = &[
    relay_induced::DETECTOR,
    // What two captures of one session prove: that is no reading of one end any more.
    pair::PROTOCOLS_CLEARED,
    pair::REQUEST_REMOVED,
    pair::RESPONSE_REWRITTEN,
    pair::FAILURE_FORGED,
    pair::CLONED,
    pair::SUBSTITUTED,
    pair::VERSION_DOWNGRADE,
    pair::REWRITTEN,
    pair::TAMPERED,
    pair::INJECTED,
    pair::INPATH_REJECT,
    pair::IDLE_RST,
    pair::LB_RESET,
    pair::TO_CLIENT,
    pair::TO_SERVER,
    pair::FIN_INJECTED,
    pair::IDLE_SILENT,
    pair::TRIGGER_DROP,
    pair::BLACKHOLE_C2S,
    pair::BLACKHOLE_S2C,
    pair::HALF_OPEN,
    pair::FAKE_OPEN,
    client_rehearsal_close::DETECTOR,
    name_not_found::DETECTOR,
    icmp_reject::DETECTOR,
    tcp_refused_rst::DETECTOR,
    tcp_syn_drop::DETECTOR,
    http_answer::DETECTOR,
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
    nla_not_offered::DETECTOR,
    tls_alert::DETECTOR,
    service_down_after_accept::DETECTOR,
    server_stall::DETECTOR,
    zero_window_stall::DETECTOR,
    truncated_tls::DETECTOR,
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
    no_common_version::DETECTOR,
    no_common_cipher::DETECTOR,
    cert_key_inaccessible::DETECTOR,
    lb_no_backend::DETECTOR,
    packet_loss::DETECTOR,
    tls13_sentinel::DETECTOR,
    tls_cipher_downgrade::DETECTOR,
    // True, and no explanation.
    fallback_retry::DETECTOR,
    nego_failure_tail::DETECTOR,
    pair::COOKIE_ALTERED,
    pair::CORRELATION_STRIPPED,
    pair::FLAGS_SHAPE,
    pair::TRANSPARENT_PROXY,
    pair::OPTION_REWRITE,
    pair::WITHOUT_PARTNER,
];

#[cfg(test)]
mod tests;
