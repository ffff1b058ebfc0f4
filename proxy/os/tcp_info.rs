//! Linux `struct tcp_info` (include/uapi/linux/tcp.h) as bytes. Kernels append fields over the years and fill
//! as many as they know; a field beyond the filled length is unknown, not zero.

use std::mem::offset_of;

use rdpwhy_analyzer::input::TcpSample;

use super::{SocketState, TcpState};

/// How many bytes the fields known here take.
pub const SIZE: usize = size_of::<Layout>();

/// State and counters from the bytes that `TCP_INFO` filled; `None` when not even the state is there.
pub fn parse(bytes: &[u8]) -> Option<SocketState> {
    let state = *bytes.first()?;
    let number = |offset| u32_at(bytes, offset);
    let long = |offset| u64_at(bytes, offset);
    let sample = TcpSample {
        rtt_us: number(offset_of!(Layout, rtt)).filter(|&rtt| rtt != 0), // not measured yet
        min_rtt_us: number(offset_of!(Layout, min_rtt)).filter(|&rtt| rtt != u32::MAX), // same
        retransmits: bytes.get(offset_of!(Layout, retransmits)).map(|&count| count.into()),
        total_retrans: number(offset_of!(Layout, total_retrans)),
        unacked: number(offset_of!(Layout, unacked)),
        lost: number(offset_of!(Layout, lost)),
        sacked: number(offset_of!(Layout, sacked)),
        dsack_dups: number(offset_of!(Layout, dsack_dups)),
        reord_seen: number(offset_of!(Layout, reord_seen)),
        bytes_sent: long(offset_of!(Layout, bytes_sent)),
        bytes_acked: long(offset_of!(Layout, bytes_acked)),
        bytes_received: long(offset_of!(Layout, bytes_received)),
        bytes_retrans: long(offset_of!(Layout, bytes_retrans)),
        segs_in: number(offset_of!(Layout, segs_in)),
        segs_out: number(offset_of!(Layout, segs_out)),
        data_segs_in: number(offset_of!(Layout, data_segs_in)),
        rcv_ooopack: number(offset_of!(Layout, rcv_ooopack)),
        snd_mss: number(offset_of!(Layout, snd_mss)),
        rcv_mss: number(offset_of!(Layout, rcv_mss)),
        pmtu: number(offset_of!(Layout, pmtu)),
        snd_wnd: number(offset_of!(Layout, snd_wnd)),
        rwnd_limited_us: long(offset_of!(Layout, rwnd_limited)),
        last_data_recv_ms: number(offset_of!(Layout, last_data_recv)),
        last_ack_recv_ms: number(offset_of!(Layout, last_ack_recv)),
    };
    Some(SocketState { sample, state: tcp_state(state), peer_ended: peer_ended(state) })
}

/// The kernel's layout. Never built: it stands here for its offsets.
#[repr(C)]
#[allow(dead_code)]
struct Layout {
    state: u8,
    ca_state: u8,
    retransmits: u8,
    probes: u8,
    backoff: u8,
    options: u8,
    window_scales: u8,
    flags: u8,
    rto: u32,
    ato: u32,
    snd_mss: u32,
    rcv_mss: u32,
    unacked: u32,
    sacked: u32,
    lost: u32,
    retrans: u32,
    fackets: u32,
    last_data_sent: u32,
    last_ack_sent: u32,
    last_data_recv: u32,
    last_ack_recv: u32,
    pmtu: u32,
    rcv_ssthresh: u32,
    rtt: u32,
    rttvar: u32,
    snd_ssthresh: u32,
    snd_cwnd: u32,
    advmss: u32,
    reordering: u32,
    rcv_rtt: u32,
    rcv_space: u32,
    total_retrans: u32,
    pacing_rate: u64,
    max_pacing_rate: u64,
    bytes_acked: u64,
    bytes_received: u64,
    segs_out: u32,
    segs_in: u32,
    notsent_bytes: u32,
    min_rtt: u32,
    data_segs_in: u32,
    data_segs_out: u32,
    delivery_rate: u64,
    busy_time: u64,
    rwnd_limited: u64,
    sndbuf_limited: u64,
    delivered: u32,
    delivered_ce: u32,
    bytes_sent: u64,
    bytes_retrans: u64,
    dsack_dups: u32,
    reord_seen: u32,
    rcv_ooopack: u32,
    snd_wnd: u32,
}

/// Numbers of include/net/tcp_states.h.
fn tcp_state(state: u8) -> TcpState {
    match state {
        1 => TcpState::Established,
        7 => TcpState::Closed,
        8 => TcpState::CloseWait,
        other => TcpState::Other(other),
    }
}

/// TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK, CLOSING: only the peer's FIN or the end leads there.
fn peer_ended(state: u8) -> bool {
    matches!(state, 6 | 7 | 8 | 9 | 11)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().copied().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 32-bit word of the struct holds its own byte offset.
    fn numbered() -> Vec<u8> {
        (0..SIZE as u32).step_by(4).flat_map(u32::to_ne_bytes).collect()
    }

    #[test]
    fn fields_stand_where_the_kernel_puts_them() {
        assert_eq!(SIZE, 232);
        let sample = parse(&numbered()).expect("state").sample;
        assert_eq!(sample.rtt_us, Some(68));
        assert_eq!(sample.total_retrans, Some(100));
        assert_eq!(sample.min_rtt_us, Some(148));
        assert_eq!(sample.rcv_ooopack, Some(224));
        assert_eq!(sample.snd_wnd, Some(228));
        assert_eq!(sample.bytes_acked, u64_at(&numbered(), 120));
        assert_eq!(sample.bytes_sent, u64_at(&numbered(), 200));
    }

    #[test]
    fn old_kernels_leave_later_fields_unknown() {
        let all = numbered();
        let linux_3 = parse(&all[..104]).expect("state").sample;
        assert_eq!(linux_3.total_retrans, Some(100));
        assert_eq!((linux_3.bytes_acked, linux_3.segs_in, linux_3.snd_wnd), (None, None, None));
        assert_eq!(parse(&all[..103]).expect("state").sample.total_retrans, None);
        assert!(parse(&[]).is_none());
    }

    #[test]
    fn unmeasured_times_are_unknown() {
        let mut bytes = vec![0; SIZE];
        bytes[148..152].fill(0xff);
        let sample = parse(&bytes).expect("state").sample;
        assert_eq!((sample.rtt_us, sample.min_rtt_us), (None, None));
        assert_eq!(sample.retransmits, Some(0));
    }
}
