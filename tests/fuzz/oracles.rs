//! What must hold for any input. The fuzz targets and `tests/fuzz_regression.rs` call the same functions:
//! each takes arbitrary bytes, makes of them what its layer eats, and panics when an invariant is broken.

mod cursor;
mod hello;
mod packets;
mod pair;
mod pcap;
mod pieces;
mod report;
mod stream;
mod wire;

pub use hello::hello;
pub use packets::packets;
pub use pair::pair;
pub use pcap::pcap;
pub use stream::stream;
