//! Linux: the TCP packets of this machine as they pass its interfaces, read from a ring that the kernel fills
//! (packet(7), Documentation/networking/packet_mmap.rst). Needs CAP_NET_RAW.

use std::io;
use std::mem::{offset_of, zeroed};
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::linux::get_option;

/// Bytes of a packet that are kept: IP and TCP headers with all their options.
const SNAP: u32 = 256;
/// Bytes of a slot: its header, the link address and the packet.
const SLOT: usize = 512;
/// Bytes of memory that the kernel allocates at once.
const BLOCK: usize = 64 << 10;
/// Slots of the ring, 8 MiB in all: a burst that is longer loses packets, which is counted.
pub const SLOTS: usize = 16 << 10;

/// A packet on an interface, from its IP header on.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The kernel's wall clock when it passed, since the Unix epoch.
    pub wall: Duration,
    /// Number of the interface.
    pub interface: i32,
    /// Its first bytes.
    pub bytes: &'a [u8],
    /// Its length.
    pub len: u32,
}

/// The packets that pass with one of two TCP ports, on all interfaces, both ways; on loopback each once.
#[derive(Debug)]
pub struct PacketRing {
    socket: Socket,
    memory: Memory,
    next: usize,
}

impl PacketRing {
    /// Opens the capture; `PermissionDenied` without CAP_NET_RAW.
    pub fn open(ports: [u16; 2]) -> io::Result<PacketRing> {
        // With protocol 0 nothing arrives before the filter stands and the socket is bound.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(0)))?;
        socket.attach_filter(&filter(ports.map(u32::from)))?;
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        set_option(&socket, libc::PACKET_VERSION, &version)?;
        let request = libc::tpacket_req {
            tp_block_size: BLOCK as u32,
            tp_block_nr: (SLOTS * SLOT / BLOCK) as u32,
            tp_frame_size: SLOT as u32,
            tp_frame_nr: SLOTS as u32,
        };
        set_option(&socket, libc::PACKET_RX_RING, &request)?;
        let memory = Memory::map(&socket)?;
        socket.bind(&every_interface()?)?;
        Ok(PacketRing { socket, memory, next: 0 })
    }

    /// The ring with the runtime's word that packets wait.
    pub fn awaited(self) -> io::Result<AsyncFd<PacketRing>> {
        // SAFETY: the descriptor is the socket's, which the ring owns and never replaces.
        let registered = unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) };
        registered.map_err(io::Error::from)
    }

    /// Gives out the packets that wait, at most `most`; says how many they were. Never waits.
    pub fn read(&mut self, most: usize, take: &mut dyn FnMut(Frame<'_>)) -> usize {
        for read in 0..most {
            let Some(slot) = self.memory.filled(self.next) else { return read };
            if let Some(frame) = slot.frame() {
                take(frame);
            }
            slot.give_back();
            self.next = (self.next + 1) % SLOTS;
        }
        most
    }

    /// Packets that found the ring full since this was asked last.
    pub fn lost(&self) -> u64 {
        let mut bytes = [0; size_of::<libc::tpacket_stats>()];
        let at = offset_of!(libc::tpacket_stats, tp_drops);
        let asked = get_option(&self.socket, libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut bytes);
        let drops = asked.ok().and_then(|filled| bytes.get(at..filled)?.first_chunk().copied());
        drops.map_or(0, |drops| u32::from_ne_bytes(drops).into())
    }
}

impl AsRawFd for PacketRing {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The ring, shared with the kernel.
#[derive(Debug)]
struct Memory(NonNull<u8>);

// SAFETY: the mapping belongs to this value alone; any thread may use it.
unsafe impl Send for Memory {}

impl Memory {
    const BYTES: usize = SLOTS * SLOT;

    fn map(socket: &Socket) -> io::Result<Memory> {
        // SAFETY: asks for a new mapping of the ring that the socket has just been given, of its size.
        let at = unsafe {
            libc::mmap(
                ptr::null_mut(),
                Memory::BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(at.cast()).map(Memory).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// A slot that the kernel has handed over.
    fn filled(&mut self, slot: usize) -> Option<Slot<'_>> {
        assert!(slot < SLOTS);
        // SAFETY: the slot lies within the mapping; slots begin aligned to their size, and the status is
        // the first word of each.
        let (start, status) = unsafe {
            let start = self.0.add(slot * SLOT);
            (start, AtomicU32::from_ptr(start.cast().as_ptr()))
        };
        let is_ours = status.load(Ordering::Acquire) & libc::TP_STATUS_USER != 0;
        is_ours.then_some(Slot { start, status })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this size and nobody refers to it any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), Memory::BYTES) };
    }
}

/// A slot that is not the kernel's.
struct Slot<'a> {
    start: NonNull<u8>,
    status: &'a AtomicU32,
}

impl Slot<'_> {
    /// The packet in it; `None` where its header contradicts itself.
    fn frame(&self) -> Option<Frame<'_>> {
        // SAFETY: until the status is given back the kernel leaves the slot alone; it lies within the
        // mapping and any bytes are valid for these types, which are read unaligned.
        let (bytes, header, link) = unsafe {
            let link = self.start.add(align(size_of::<libc::tpacket2_hdr>()));
            (
                std::slice::from_raw_parts(self.start.as_ptr(), SLOT),
                self.start.cast::<libc::tpacket2_hdr>().read_unaligned(),
                link.cast::<libc::sockaddr_ll>().read_unaligned(),
            )
        };
        let begin = usize::from(header.tp_net);
        Some(Frame {
            wall: Duration::new(header.tp_sec.into(), header.tp_nsec),
            interface: link.sll_ifindex,
            bytes: bytes.get(begin..begin + header.tp_snaplen as usize)?,
            len: header.tp_len,
        })
    }

    fn give_back(self) {
        self.status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
    }
}

/// `TPACKET_ALIGN`.
const fn align(len: usize) -> usize {
    len.next_multiple_of(16)
}

/// `sockaddr_ll` of all protocols: with fewer, packets on their way out are not shown.
fn every_interface() -> io::Result<SockAddr> {
    // SAFETY: the storage is large enough for any address; all of the address is written, its family and
    // length included.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, len| {
            let mut address: libc::sockaddr_ll = zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
            storage.cast::<libc::sockaddr_ll>().write(address);
            *len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })?
    };
    Ok(address)
}

/// setsockopt at the level of packet sockets with a plain value.
fn set_option<T>(socket: &Socket, name: i32, value: &T) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `value`, which lives through the call and is only read.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            name,
            ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whole TCP packets, or first fragments of none, from or to one of the ports; not those that leave on
/// loopback, for they arrive there as well. Offsets count from the IP header. Classic BPF (socket(7)).
fn filter([one, other]: [u32; 2]) -> [SockFilter; 24] {
    const LOAD: u32 = libc::BPF_LD;
    const ABOUT: u32 = LOAD | libc::BPF_W | libc::BPF_ABS;
    const IS: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const ANY_OF: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
    const TCP: u32 = libc::IPPROTO_TCP as u32;
    let of_packet = |what: i32| (libc::SKF_AD_OFF + what) as u32;
    let step = |code: u32, k, jt, jf| SockFilter::new(code as u16, jt, jf, k);
    let byte = |at| step(LOAD | libc::BPF_B | libc::BPF_ABS, at, 0, 0);
    let port = |at| step(LOAD | libc::BPF_H | libc::BPF_IND, at, 0, 0);
    [
        step(ABOUT, of_packet(libc::SKF_AD_HATYPE), 0, 0),
        step(IS, libc::ARPHRD_LOOPBACK.into(), 0, 2),
        step(ABOUT, of_packet(libc::SKF_AD_PKTTYPE), 0, 0),
        step(IS, libc::PACKET_OUTGOING.into(), 19, 0),
        step(ABOUT, of_packet(libc::SKF_AD_PROTOCOL), 0, 0),
        step(IS, libc::ETH_P_IPV6 as u32, 7, 0),
        step(IS, libc::ETH_P_IP as u32, 0, 16),
        byte(9), // 7: IPv4 protocol
        step(IS, TCP, 0, 14),
        step(LOAD | libc::BPF_H | libc::BPF_ABS, 6, 0, 0), // its fragment offset
        step(ANY_OF, 0x1fff, 12, 0),
        step(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, 0), // X: its header length
        step(libc::BPF_JMP | libc::BPF_JA, 3, 0, 0),
        byte(6), // 13: IPv6 next header
        step(IS, TCP, 0, 8),
        step(libc::BPF_LDX | libc::BPF_W | libc::BPF_IMM, 40, 0, 0), // X: its header length
        port(0),                                                     // 16
        step(IS, one, 4, 0),
        step(IS, other, 3, 0),
        port(2),
        step(IS, one, 1, 0),
        step(IS, other, 0, 1),
        step(libc::BPF_RET | libc::BPF_K, SNAP, 0, 0), // 22
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),    // 23
    ]
}
