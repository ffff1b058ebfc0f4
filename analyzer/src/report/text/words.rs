//! Words and layout that every part of the text shares: cleaning, wrapping, units, confidence.

use std::borrow::Cow;

/// Longest name, address or id that is printed whole.
pub(super) const NAME: usize = 96;
/// Longest sentence that is printed whole.
pub(super) const SENTENCE: usize = 800;

/// Makes a string safe for a terminal. Much of a report comes from the wire, and whoever sends a
/// cookie or a certificate must not be able to move the cursor, set a title or reverse a line: what
/// is not plain visible text is written as its escape. No more than `max` characters come out.
pub(super) fn clean(text: &str, max: usize) -> Cow<'_, str> {
    // Nearly all of it is our own.
    if text.len() <= max && is_plain(text) {
        return text.into();
    }
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let shown = if is_hostile(c) { escape(c) } else { c.to_string() };
        length += shown.chars().count();
        if length > max {
            // The last character gives way to the mark, so that the bound holds.
            while out.chars().count() >= max && out.pop().is_some() {}
            out.push('…');
            break;
        }
        out.push_str(&shown);
    }
    out.into()
}

/// All of it is visible ASCII. Looks at every byte, which is faster than to stop at the first other one.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & (b' '..=b'~').contains(&byte))
}

/// Controls (C0, C1), and what Unicode hides, reorders, joins or leaves to a private agreement.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}')
}

fn escape(c: char) -> String {
    match u32::from(c) {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code => format!("\\u{{{code:x}}}"),
    }
}

/// Keeps what must not be torn on one line: the spaces become ones that [`hanging`] does not break at.
pub(super) fn glue(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// `text` behind `head`, broken at spaces into lines of at most `width` characters, its further lines indented to
/// where it began. A longer word stands alone; no-break spaces come out as plain ones.
pub(super) fn hanging(out: &mut String, head: &str, text: &str, width: usize) {
    let indent = head.chars().count();
    let room = width.saturating_sub(indent).max(20);
    out.push_str(head);
    if is_even(text) {
        even_lines(out, text, indent, room);
    } else {
        lines(out, text, indent, room);
    }
    out.push('\n');
}

/// Every byte is a character and every space a single one between two words.
fn is_even(text: &str) -> bool {
    is_plain(text) && !text.contains("  ") && !text.starts_with(' ') && !text.ends_with(' ')
}

/// The lines of an even text: whole ones are taken at once.
fn even_lines(out: &mut String, text: &str, indent: usize, room: usize) {
    let mut rest = text;
    while let Some(most) = rest.as_bytes().get(..=room) {
        let space = |byte: &u8| *byte == b' ';
        // Behind the last word that has room, or behind the first one.
        let end = most.iter().rposition(space).or_else(|| rest.bytes().position(|b| space(&b)));
        let Some((line, after)) = end.and_then(|end| rest.split_at_checked(end)) else { break };
        out.push_str(line);
        out.push('\n');
        blank(out, indent);
        rest = after.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// The lines of any text.
fn lines(out: &mut String, text: &str, indent: usize, room: usize) {
    let mut length = 0;
    let mut rest = text;
    while let Some((word, after)) = next_word(rest) {
        rest = after;
        let more = if word.is_ascii() { word.len() } else { word.chars().count() };
        if length > 0 && length + 1 + more > room {
            out.push('\n');
            blank(out, indent);
            length = 0;
        } else if length > 0 {
            out.push(' ');
            length += 1;
        }
        if word.len() == more {
            out.push_str(word);
        } else {
            out.extend(word.chars().map(|c| if c == '\u{a0}' { ' ' } else { c }));
        }
        length += more;
    }
}

/// So many spaces.
pub(super) fn blank(out: &mut String, count: usize) {
    const SPACES: &str = "                                                                ";
    match SPACES.get(..count) {
        Some(spaces) => out.push_str(spaces),
        None => out.extend(std::iter::repeat_n(' ', count)),
    }
}

/// The first word of a text and what follows it. Reports are made of short words, for which this is faster than
/// the searches of the library.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let start = bytes.iter().position(|byte| *byte != b' ')?;
    let length = bytes.iter().skip(start).position(|byte| *byte == b' ');
    let end = length.map_or(bytes.len(), |length| start + length);
    Some((text.get(start..end)?, text.get(end..)?))
}

/// A text broken as [`hanging`] breaks it.
pub(super) fn wrap(text: &str, width: usize) -> Cow<'_, str> {
    if text.len() <= width && is_even(text) {
        return text.into();
    }
    let mut out = String::new();
    hanging(&mut out, "", text, width);
    out.pop();
    out.into()
}

/// The word for a confidence; nothing below the lowest band. These four are the only ones printed.
pub(super) fn confidence(value: f64) -> Option<&'static str> {
    match value {
        v if v >= 0.985 => Some("certain"),
        v if v >= 0.9 => Some("high"),
        v if v >= 0.7 => Some("probable"),
        v if v >= 0.5 => Some("possible"),
        _ => None,
    }
}

/// Milliseconds as a person reads them; what is no duration is `?`.
pub(super) fn duration(ms: f64) -> String {
    if !ms.is_finite() || ms < 0.0 {
        return "?".to_string();
    }
    // Rounded before the unit is chosen, so that 999.96 ms is not printed as 1000 ms.
    let seconds = (ms / 1000.0).round() as u64;
    match ms {
        v if v < 99.95 => format!("{v:.1} ms"),
        v if v < 999.5 => format!("{v:.0} ms"),
        v if v < 59_950.0 => format!("{:.1} s", v / 1000.0),
        _ if seconds < 3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A number of bytes; exact while it is small, because small numbers are recognised.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(size, _)| count >= 10_000 && count >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", count as f64 / *size as f64),
        None => format!("{count} B"),
    }
}

/// A party in plain words.
pub(super) fn party(party: &str) -> &'static str {
    match party {
        "client" => "the client",
        "client_network" => "the network on the client's side",
        "relay" => "this relay itself",
        "server_network" => "the network on the server's side",
        "server" => "the server",
        "network" => "the network",
        _ => "undecided",
    }
}

/// A security protocol as its users call it. MS-RDPBCGR 2.2.1.1.1.
pub(super) fn protocol(name: &str) -> Cow<'_, str> {
    match name {
        "RDP" => "standard RDP security".into(),
        "SSL" => "TLS".into(),
        "HYBRID" => "NLA".into(),
        "HYBRID_EX" => "NLA+early-auth".into(),
        "RDSAAD" => "Entra ID".into(),
        other => clean(other, NAME),
    }
}

/// `one`, or the number with `many`.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_sequence_survives() {
        assert_eq!(clean("a\x1b]0;owned\x07b\r\n", 99), "a\\x1b]0;owned\\x07b\\x0d\\x0a");
        assert_eq!(clean("c1 \u{9b}31m", 99), "c1 \\x9b31m");
        assert_eq!(clean("\u{202e}gpj.exe\u{200b}", 99), "\\u{202e}gpj.exe\\u{200b}");
        assert_eq!(clean("tag \u{e0041}", 99), "tag \\u{e0041}");
        assert_eq!(clean("Zürich 東京 é", 99), "Zürich 東京 é");
    }

    #[test]
    fn every_control_character_is_neutralised() {
        for code in (0..0x20).chain(0x7f..0xa0) {
            let c = char::from(code);
            assert!(clean(&c.to_string(), 9).chars().all(|c| !c.is_control()), "{code:#x}");
        }
    }

    #[test]
    fn length_is_bounded_by_what_comes_out() {
        assert_eq!(clean("12345", 5), "12345");
        assert_eq!(clean("123456", 5), "1234…");
        assert_eq!(clean("12\x1b\x1b", 7), "12\\x1b…");
        assert!(clean(&"\x1b".repeat(10_000), NAME).chars().count() <= NAME);
    }

    #[test]
    fn lines_are_broken_at_spaces() {
        let broken = |head: &str, text: &str, width| {
            let mut out = String::new();
            hanging(&mut out, head, text, width);
            out
        };
        let long = "incomprehensibilities-incomprehensibilities";
        assert_eq!(broken("", "one two three four five", 20), "one two three four\nfive\n");
        assert_eq!(broken("é  ", "one  two three four", 21), "é  one two three four\n");
        assert_eq!(
            broken("é  ", "one two three fourth five", 23),
            "é  one two three fourth\n   five\n"
        );
        assert_eq!(broken("", &format!("a {long} b"), 20), format!("a\n{long}\nb\n"));
        let glued = format!("1 2 3 4 5 6 7 8 after {}", glue("19 B"));
        assert_eq!(broken("", &glued, 22), "1 2 3 4 5 6 7 8 after\n19 B\n");
        assert_eq!(broken("x", "", 20), "x\n");
        assert_eq!(
            broken("", "one two three four fives six", 20),
            "one two three four\nfives six\n"
        );
        assert_eq!(broken("", "one two three fourth five", 20), "one two three fourth\nfive\n");
        assert_eq!(wrap("one two three four five", 20), "one two three four\nfive");
        assert_eq!(wrap("one  two", 20), "one two");
        assert_eq!(wrap("", 20), "");
    }

    #[test]
    fn bands_begin_at_their_bounds() {
        let words = [0.985, 0.984, 0.9, 0.899, 0.7, 0.699, 0.5].map(confidence);
        let expected = ["certain", "high", "high", "probable", "probable", "possible", "possible"];
        assert_eq!(words, expected.map(Some));
        assert_eq!([0.499, 0.0, f64::NAN].map(confidence), [None; 3]);
    }

    #[test]
    fn units_fit_the_number() {
        let times = [0.06, 99.94, 100.0, 999.6, 1000.0, 59_960.0, 252_400.0, 7_380_000.0];
        let words = [
            "0.1 ms",
            "99.9 ms",
            "100 ms",
            "1.0 s",
            "1.0 s",
            "1 min 0 s",
            "4 min 12 s",
            "2 h 3 min",
        ];
        assert_eq!(times.map(duration), words);
        assert_eq!([-1.0, f64::NAN, f64::INFINITY].map(duration), ["?"; 3]);
        assert_eq!(
            [19, 9999, 10_240, 5 << 20].map(bytes),
            ["19 B", "9999 B", "10.0 KiB", "5.0 MiB"]
        );
    }
}
