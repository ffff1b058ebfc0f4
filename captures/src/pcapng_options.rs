//! Options of pcapng blocks (draft-ietf-opsawg-pcapng 3.5) and what interface blocks say with them.

use crate::bytes::Order;
use crate::file::{Interface, InterfaceStatistics, LinkType};

/// `opt_comment`.
pub(crate) const OPT_COMMENT: u16 = 1;

/// The options in `list`, (code, value), up to `opt_endofopt`, the end or the first broken one.
pub(crate) fn options(order: Order, list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let code = order.u16(rest, 0)?;
        let length = usize::from(order.u16(rest, 2)?);
        if code == 0 {
            return None;
        }
        let value = rest.get(4..4 + length)?;
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    })
}

/// The texts of all options `code`.
pub(crate) fn comments<'a>(list: impl Iterator<Item = (u16, &'a [u8])>, code: u16) -> Vec<String> {
    list.filter(|(found, _)| *found == code).map(|(_, value)| text(value)).collect()
}

/// An Interface Description Block's body, draft 4.2.
pub(crate) fn describe(order: Order, body: &[u8]) -> Option<(Interface, Clock)> {
    let mut interface = Interface {
        link: Some(LinkType(u32::from(order.u16(body, 0)?))),
        snaplen: order.u32(body, 4)?,
        ..Interface::default()
    };
    let mut clock = Clock::default();
    for (code, value) in options(order, body.get(8..).unwrap_or_default()) {
        match (code, value) {
            (2, _) => interface.name = Some(text(value)),
            (3, _) => interface.description = Some(text(value)),
            (9, [resolution, ..]) => clock.resolution = *resolution,
            (14, _) => clock.offset_seconds = order.u64(value, 0).unwrap_or(0) as i64,
            _ => {}
        }
    }
    Some((interface, clock))
}

/// An Interface Statistics Block's body, draft 4.6.
pub(crate) fn statistics(order: Order, body: &[u8]) -> InterfaceStatistics {
    let list = body.get(12..).unwrap_or_default();
    let mut found = InterfaceStatistics::default();
    for (code, value) in options(order, list) {
        match code {
            OPT_COMMENT => found.comments.push(text(value)),
            4 => found.received = order.u64(value, 0),
            5 => found.dropped = order.u64(value, 0),
            7 => found.os_dropped = order.u64(value, 0),
            _ => {}
        }
    }
    found
}

/// How an interface counts time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    /// `if_tsresol`: negative power of ten, of two when the highest bit is set.
    resolution: u8,
    /// `if_tsoffset`: to be added to every time.
    offset_seconds: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Clock { resolution: 6, offset_seconds: 0 }
    }
}

impl Clock {
    /// Nanoseconds since 1970 of a time as stored; the limits of 64 bits where it is absurd.
    pub(crate) fn nanos(self, ticks: u64) -> u64 {
        const SECOND: u128 = 1_000_000_000;
        let ticks = u128::from(ticks);
        let power = u32::from(self.resolution & 0x7f);
        let nanos = match (self.resolution & 0x80 != 0, power) {
            (false, 0..=9) => ticks * 10u128.pow(9 - power),
            (false, 10..=47) => ticks / 10u128.pow(power - 9),
            (true, 0..=63) => (ticks * SECOND) >> power,
            _ => 0,
        };
        let offset = i128::from(self.offset_seconds) * SECOND as i128;
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX).saturating_add(offset);
        nanos.clamp(0, i128::from(u64::MAX)) as u64
    }
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(resolution: u8, offset_seconds: i64) -> Clock {
        Clock { resolution, offset_seconds }
    }

    #[test]
    fn every_resolution() {
        assert_eq!(Clock::default().nanos(1_500_000), 1_500_000_000);
        assert_eq!(clock(9, 0).nanos(7), 7);
        assert_eq!(clock(0, 0).nanos(7), 7_000_000_000);
        assert_eq!(clock(12, 0).nanos(7_000), 7);
        assert_eq!(clock(0x80 | 32, 0).nanos(1 << 31), 500_000_000);
        assert_eq!(clock(0x80, 0).nanos(2), 2_000_000_000);
        assert_eq!(clock(6, 10).nanos(1), 10_000_001_000);
        assert_eq!(clock(6, -10).nanos(11_000_000), 1_000_000_000);
        assert_eq!(clock(6, -10).nanos(1), 0);
    }

    #[test]
    fn absurd_clocks_saturate() {
        for resolution in 0..=255 {
            for offset in [i64::MIN, 0, i64::MAX] {
                clock(resolution, offset).nanos(u64::MAX);
            }
        }
        assert_eq!(clock(0, 0).nanos(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_list_ends_at_its_end_mark_its_end_or_a_broken_option() {
        let list = [0, 1, 0, 3, b'a', b'b', b'c', 0, 0, 1, 0, 1, b'z', 0, 0, 0];
        assert_eq!(comments(options(Order::Big, &list), OPT_COMMENT), ["abc", "z"]);
        assert_eq!(comments(options(Order::Big, &list[..13]), OPT_COMMENT), ["abc", "z"]);
        assert_eq!(comments(options(Order::Big, &list[..12]), OPT_COMMENT), ["abc"]);
        let ended = [0, 0, 0, 0, 0, 1, 0, 1, b'z', 0, 0, 0];
        assert!(comments(options(Order::Big, &ended), OPT_COMMENT).is_empty());
    }
}
