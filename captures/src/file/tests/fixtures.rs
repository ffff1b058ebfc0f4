//! Writes capture files for the tests, from the drafts alone.

/// A file in the making, in one byte order.
#[derive(Clone)]
pub struct File {
    pub big: bool,
    pub bytes: Vec<u8>,
}

impl File {
    pub fn new(big: bool) -> File {
        File { big, bytes: Vec::new() }
    }

    pub fn u16(mut self, value: u16) -> File {
        let bytes = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend(bytes);
        self
    }

    pub fn u32(mut self, value: u32) -> File {
        let bytes = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend(bytes);
        self
    }

    pub fn u64(mut self, value: u64) -> File {
        let bytes = if self.big { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend(bytes);
        self
    }

    pub fn raw(mut self, bytes: &[u8]) -> File {
        self.bytes.extend(bytes);
        self
    }

    pub fn padded(self, bytes: &[u8]) -> File {
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        self.raw(bytes).raw(&[0; 3][..padding])
    }

    /// pcap file header.
    pub fn pcap(self, magic: u32, snaplen: u32, network: u32) -> File {
        self.u32(magic).u16(2).u16(4).u32(0).u32(0).u32(snaplen).u32(network)
    }

    /// pcap record of a packet captured whole.
    pub fn record(self, seconds: u32, fraction: u32, packet: &[u8]) -> File {
        let len = packet.len() as u32;
        self.u32(seconds).u32(fraction).u32(len).u32(len).raw(packet)
    }

    /// A pcapng block around a body that `write` adds.
    pub fn block(self, kind: u32, write: impl FnOnce(File) -> File) -> File {
        let body = write(File::new(self.big)).bytes;
        let len = 12 + body.len() as u32;
        self.u32(kind).u32(len).raw(&body).u32(len)
    }

    /// Section Header Block, in `big` from here on.
    pub fn section(mut self, big: bool) -> File {
        self.big = big;
        self.block(0x0a0d_0d0a, |body| body.u32(0x1a2b_3c4d).u16(1).u16(0).u64(u64::MAX))
    }

    /// Interface Description Block.
    pub fn interface(self, link_type: u16, snaplen: u32, options: &[(u16, &[u8])]) -> File {
        self.block(1, |body| body.u16(link_type).u16(0).u32(snaplen).options(options))
    }

    /// Enhanced Packet Block of a packet captured whole.
    pub fn enhanced(self, interface: u32, units: u64, packet: &[u8]) -> File {
        self.commented(interface, units, packet, &[])
    }

    /// Enhanced Packet Block with options.
    pub fn commented(
        self,
        interface: u32,
        units: u64,
        packet: &[u8],
        options: &[(u16, &[u8])],
    ) -> File {
        let len = packet.len() as u32;
        self.block(6, |body| {
            body.u32(interface)
                .u32((units >> 32) as u32)
                .u32(units as u32)
                .u32(len)
                .u32(len)
                .padded(packet)
                .options(options)
        })
    }

    pub fn options(mut self, options: &[(u16, &[u8])]) -> File {
        for (code, value) in options {
            self = self.u16(*code).u16(value.len() as u16).padded(value);
        }
        if options.is_empty() { self } else { self.u32(0) }
    }
}

/// A little-endian pcap file of two packets.
pub fn small_pcap() -> Vec<u8> {
    File::new(false).pcap(0xa1b2_c3d4, 65_535, 1).record(1, 5, b"one").record(2, 5, b"three").bytes
}

/// A pcapng file with every kind of block, and the number of packets in it.
pub fn rich_pcapng() -> (Vec<u8>, usize) {
    let file = File::new(false)
        .section(false)
        .interface(1, 65_535, &[(2, b"eth0"), (3, b"outside"), (9, &[9])])
        .enhanced(0, 1_000_000_000, b"first")
        .block(0xa, |body| body.u32(0x544c_534b).u32(3).padded(b"abc"))
        .commented(0, 2_000_000_000, b"second", &[(1, b"a comment")])
        .block(3, |body| body.u32(6).padded(b"simple"))
        .block(4, |body| body.u32(0))
        .section(true)
        .interface(113, 0, &[])
        .enhanced(0, 3_000_000, b"third")
        .block(2, |body| body.u16(0).u16(9).u32(0).u32(4_000_000).u32(4).u32(60).raw(b"four"))
        .block(5, |body| body.u32(0).u64(0))
        .block(9, |body| body.padded(b"__CURSOR=1\n"))
        .block(0xbad, |body| body.u32(32_473).padded(b"whatever"));
    (file.bytes, 5)
}
