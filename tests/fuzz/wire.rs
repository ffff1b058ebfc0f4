//! Frames of one direction: the same ones however the stream was cut.

use rdpwhy_analyzer::records::{Piece, RecordScanner};

/// What the scanner says of a stream, bodies joined.
#[derive(Debug, Default, PartialEq)]
struct Frames {
    told: Vec<String>,
    body: usize,
    offset: u64,
    open: Option<(u32, u32)>,
}

/// Scans `data` whole and in pieces. The first byte says how long they are and whether fast-path is there.
pub fn scanner(data: &[u8]) {
    let Some((&how, stream)) = data.split_first() else { return };
    let whole = scan(stream, stream.len().max(1), how & 0x80 != 0);
    let cut = scan(stream, usize::from(how & 0x7F) + 1, how & 0x80 != 0);
    assert_eq!(whole, cut, "cutting the stream changes its frames");
    assert_eq!(whole.offset, stream.len() as u64);
}

fn scan(stream: &[u8], size: usize, fast_path: bool) -> Frames {
    let mut scanner = RecordScanner::default();
    if fast_path {
        scanner.allow_fast_path();
    }
    let mut frames = Frames::default();
    for chunk in stream.chunks(size) {
        scanner.scan(chunk, &mut |piece| match piece {
            Piece::Start(start) => frames.told.push(format!("{start:?}")),
            Piece::Body(bytes) => frames.body += bytes.len(),
            Piece::End => frames.told.push(format!("end at {}", frames.body)),
            Piece::Opaque(error) => frames.told.push(error.to_string()),
        });
    }
    assert!(frames.body <= stream.len());
    frames.offset = scanner.offset();
    frames.open = scanner.open_frame();
    frames
}
