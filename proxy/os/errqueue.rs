//! Control messages of the Linux socket error queue: `struct sock_extended_err` and the offender behind it
//! (include/uapi/linux/errqueue.h, ip(7) under IP_RECVERR).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::IcmpError;

/// The ICMP error among control messages as recvmsg filled them; `None` for errors of local origin.
pub fn icmp_error(mut control: &[u8]) -> Option<IcmpError> {
    const WORD: usize = size_of::<usize>();
    const HEADER: usize = WORD + 8; // length, level, type
    while control.len() >= HEADER {
        let len = usize::from_ne_bytes(*control.first_chunk()?);
        let (level, kind) = (i32_at(control, WORD)?, i32_at(control, WORD + 4)?);
        let data = control.get(HEADER..len)?;
        let wanted = (level == libc::IPPROTO_IP && kind == libc::IP_RECVERR)
            || (level == libc::IPPROTO_IPV6 && kind == libc::IPV6_RECVERR);
        if wanted && let Some(error) = extended_error(data) {
            return Some(error);
        }
        control = control.get(len.next_multiple_of(WORD)..).unwrap_or_default();
    }
    None
}

/// errno 4, origin 1, type 1, code 1, padding 1, info 4, data 4 bytes, then the offender's socket address.
fn extended_error(data: &[u8]) -> Option<IcmpError> {
    let &[_, _, _, _, origin, kind, code, ..] = data else { return None };
    let icmp = origin == libc::SO_EE_ORIGIN_ICMP || origin == libc::SO_EE_ORIGIN_ICMP6;
    icmp.then(|| IcmpError { kind, code, offender: data.get(16..).and_then(offender) })
}

/// `sockaddr_in` or `sockaddr_in6`; `None` for AF_UNSPEC.
fn offender(address: &[u8]) -> Option<IpAddr> {
    let family = i32::from(u16::from_ne_bytes(*address.first_chunk()?));
    match family {
        libc::AF_INET => Some(Ipv4Addr::from(*address.get(4..)?.first_chunk::<4>()?).into()),
        libc::AF_INET6 => Some(Ipv6Addr::from(*address.get(8..)?.first_chunk::<16>()?).into()),
        _ => None,
    }
}

fn i32_at(bytes: &[u8], offset: usize) -> Option<i32> {
    bytes.get(offset..)?.first_chunk().copied().map(i32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = (size_of::<usize>() + 8 + data.len()).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
        bytes
    }

    fn extended(origin: u8, kind: u8, code: u8, family: i32, address: &[u8]) -> Vec<u8> {
        let mut data = vec![111, 0, 0, 0, origin, kind, code, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        data.extend((family as u16).to_ne_bytes());
        data.extend([0, 0]);
        data.extend(address);
        data
    }

    #[test]
    fn ipv4_and_ipv6_offenders() {
        let v4 = extended(2, 3, 13, libc::AF_INET, &[10, 77, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        let found = icmp_error(&message(libc::IPPROTO_IP, libc::IP_RECVERR, &v4));
        let offender = Some("10.77.0.1".parse().expect("address"));
        assert_eq!(found, Some(IcmpError { kind: 3, code: 13, offender }));

        let mut tail = vec![0, 0, 0, 0];
        tail.extend("fd00::9".parse::<Ipv6Addr>().expect("address").octets());
        let v6 = extended(3, 1, 4, libc::AF_INET6, &tail);
        let both = [message(1, 29, &[0; 12]), message(libc::IPPROTO_IPV6, libc::IPV6_RECVERR, &v6)]
            .concat();
        let offender = Some("fd00::9".parse().expect("address"));
        assert_eq!(icmp_error(&both), Some(IcmpError { kind: 1, code: 4, offender }));
    }

    #[test]
    fn local_errors_and_damage_are_none() {
        let local = extended(1, 0, 0, libc::AF_UNSPEC, &[]);
        assert_eq!(icmp_error(&message(libc::IPPROTO_IP, libc::IP_RECVERR, &local)), None);
        let whole = message(
            libc::IPPROTO_IP,
            libc::IP_RECVERR,
            &extended(2, 3, 3, libc::AF_INET, &[1, 2, 3, 4]),
        );
        assert!(icmp_error(&whole).is_some());
        for cut in 0..size_of::<usize>() + 8 + 7 {
            assert_eq!(icmp_error(&whole[..cut]), None);
        }
        assert_eq!(icmp_error(&[0; 64]), None); // a length of zero must not loop
    }
}
