//! Whole messages from which an input can put a session together: a fuzzer would not find a ClientHello
//! by itself. The files in `pieces/` are made by hand or come from OpenSSL and FreeRDP on loopback.

/// The messages; the order is part of the inputs' format, so new ones go to the end.
const PIECES: [&[u8]; 27] = [
    include_bytes!("pieces/request_tls"),
    include_bytes!("pieces/confirm_tls"),
    include_bytes!("pieces/client_hello_13"),
    include_bytes!("pieces/server_hello_13"),
    include_bytes!("pieces/client_hello_12"),
    include_bytes!("pieces/server_flight_12"),
    include_bytes!("pieces/change_cipher_spec"),
    include_bytes!("pieces/finished_12"),
    include_bytes!("pieces/application_data"),
    include_bytes!("pieces/alert_fatal"),
    include_bytes!("pieces/alert_close"),
    include_bytes!("pieces/alert_encrypted"),
    include_bytes!("pieces/certificate"),
    include_bytes!("pieces/client_hello_xfreerdp"),
    include_bytes!("pieces/confirm_failure"),
    include_bytes!("pieces/confirm_nla"),
    include_bytes!("pieces/confirm_plain"),
    include_bytes!("pieces/confirm_rdp"),
    include_bytes!("pieces/disconnect_request"),
    include_bytes!("pieces/fast_path"),
    include_bytes!("pieces/hello_retry_request"),
    include_bytes!("pieces/http_answer"),
    include_bytes!("pieces/mcs_connect_response"),
    include_bytes!("pieces/mcs_disconnect"),
    include_bytes!("pieces/preconnection"),
    include_bytes!("pieces/proxy_header"),
    include_bytes!("pieces/request_plain"),
];

/// The message with this number, counted round.
pub fn piece(number: u8) -> &'static [u8] {
    PIECES[usize::from(number) % PIECES.len()]
}
