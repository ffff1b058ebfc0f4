//! `tls-stack-mismatch`: the client was answered by another TLS stack than the server's own, and in another way. RFC
//! 8446 4.1.3. The choice of version and suite, and the extensions and their order, are a stack's habit and its
//! settings; a note beside what proves the termination.

use super::{at_client, at_server, proved};
use crate::case::Case;
use crate::detect::opinion::{Band, Class, Detector, Kind, Opinion};
use crate::wire::tls::ServerHello;

pub const STACK_MISMATCH: Detector = Detector {
    id: "tls-stack-mismatch",
    kind: Kind::Note,
    class: Class::Interference,
    explains: &[],
    remedy: "Find the device that ends TLS between the two captures.",
    next: super::BETWEEN,
    detect,
};

fn detect(case: &Case<'_>) -> Option<Opinion> {
    let (server, diff) = case.at_server()?;
    let (sent, arrived) = (server.tls.server_hello.seen()?, case.this.tls.server_hello.seen()?);
    let another = sent.value.random != arrived.value.random;
    if !another || habit(&sent.value) == habit(&arrived.value) {
        return None;
    }
    let says =
        "The client was answered by another TLS stack than the server's own, and in another way.";
    Some(
        proved(diff, Band::High, says)
            .supports(at_server(sent, format!("the server's hello: {}", words(&sent.value))))
            .supports(at_client(
                arrived,
                format!("the hello that came: {}", words(&arrived.value)),
            )),
    )
}

/// What a stack chooses and how it writes it down.
fn habit(hello: &ServerHello) -> impl PartialEq + '_ {
    (hello.version(), hello.cipher_suite, &hello.extensions, hello.session_id_len)
}

fn words(hello: &ServerHello) -> String {
    format!(
        "TLS {}, suite {}, {} extensions",
        hello.version(),
        hello.cipher_suite,
        hello.extensions.len()
    )
}
