//! A device on the path: it sees the packets of a TCP connection on loopback and slips one in.

use socket2::{Domain, Protocol, Socket, Type};
use std::io::Read;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

/// The device. It needs CAP_NET_RAW.
pub struct Forger {
    seen: Socket,
    sends: Socket,
}

impl Forger {
    /// Starts to look; `None` without the right to.
    pub fn start() -> Option<Forger> {
        let ipv4 = Protocol::from(i32::from(0x0800_u16.to_be()));
        let seen = Socket::new(Domain::PACKET, Type::DGRAM, Some(ipv4)).ok()?;
        seen.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let sends = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).ok()?;
        sends.set_header_included_v4(true).unwrap();
        Some(Forger { seen, sends })
    }

    /// Resets the connection in the name of `from`, at the place that `to` expects, with this time to live.
    pub fn reset(&self, from: SocketAddrV4, to: SocketAddrV4, ttl: u8) {
        let seq = self.expected_by(to, from);
        let bytes = segment(from, to, seq, ttl);
        self.sends.send_to(&bytes, &SocketAddr::V4(to).into()).unwrap();
    }

    /// The latest acknowledgement that `from` sent to `to`.
    fn expected_by(&self, from: SocketAddrV4, to: SocketAddrV4) -> u32 {
        let ends = [
            &from.ip().octets()[..],
            &to.ip().octets(),
            &from.port().to_be_bytes(),
            &to.port().to_be_bytes(),
        ];
        let (mut latest, mut packet) = (None, [0; 128]);
        // Other traffic of the machine can go on for ever.
        for _ in 0..100_000 {
            let Ok(read) = (&self.seen).read(&mut packet) else { break };
            if read >= 40 && packet[12..24] == ends.concat() {
                latest = packet[28..32].first_chunk().copied().map(u32::from_be_bytes);
            }
        }
        latest.expect("an acknowledgement was seen")
    }
}

/// An IPv4 packet with a RST. RFC 791 3.1, RFC 9293 3.1; the kernel fills in the IP checksum.
fn segment(from: SocketAddrV4, to: SocketAddrV4, seq: u32, ttl: u8) -> Vec<u8> {
    let addresses = [from.ip().octets(), to.ip().octets()].concat();
    let tcp = |checksum: u16| {
        let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
        let numbers = [seq.to_be_bytes(), [0; 4]].concat();
        let rest = [&[0x50, 0x04, 0, 0][..], &checksum.to_be_bytes(), &[0, 0]].concat();
        [ports, numbers, rest].concat()
    };
    let pseudo = [&addresses[..], &[0, 6, 0, 20], &tcp(0)].concat();
    let sum: u32 =
        pseudo.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    let ip = [0x45, 0, 0, 40, 0x55, 0x55, 0, 0, ttl, 6, 0, 0];
    [&ip[..], &addresses, &tcp(!(folded as u16))].concat()
}
