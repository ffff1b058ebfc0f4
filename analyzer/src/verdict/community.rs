//! Community ID 1, seed 0: one name for a flow across tools.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use sha1::{Digest, Sha1};

/// `1:…` for a TCP flow between two endpoints, in either order.
pub(super) fn community_id(a: SocketAddr, b: SocketAddr) -> String {
    const TCP: u8 = 6;
    // Addresses of one version are ordered as their octets are.
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for ip in [first.ip(), second.ip()] {
        match ip {
            IpAddr::V4(ip) => hash.update(ip.octets()),
            IpAddr::V6(ip) => hash.update(ip.octets()),
        }
    }
    hash.update([TCP, 0]);
    hash.update(first.port().to_be_bytes());
    hash.update(second.port().to_be_bytes());
    format!("1:{}", base64::engine::general_purpose::STANDARD.encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_vector_holds_in_both_directions() {
        // Published baseline of the Community ID specification.
        let (a, b) =
            ("128.232.110.120:34855".parse().unwrap(), "66.35.250.204:80".parse().unwrap());
        assert_eq!(community_id(a, b), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(community_id(b, a), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
    }
}
