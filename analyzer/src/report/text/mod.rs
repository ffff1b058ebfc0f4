//! The text a person reads: one connection, or the totals of a run. Everything printed here comes
//! from the schema's types, and everything that may come from the wire is cleaned first.

mod causes;
mod connection;
mod steps;
mod summary;
mod words;

pub use connection::connection;
pub use summary::summary;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours (ECMA-48 SGR).
    pub color: bool,
    /// Columns of the terminal; used between 60 and 120, because longer lines read badly.
    pub width: usize,
}

impl Style {
    fn columns(&self) -> usize {
        self.width.clamp(60, 120)
    }
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "1;31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// Wraps a finished, already padded text in a colour. The only place that writes an escape.
fn paint(style: &Style, code: &str, text: &str) -> String {
    if style.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
}

/// A title and the text behind it, wrapped below itself.
fn titled(out: &mut String, style: &Style, color: &str, title: &str, text: &str) {
    let start = out.len();
    words::hanging(out, title, text, style.columns());
    if style.color && !title.trim().is_empty() {
        out.replace_range(start..start + title.len(), &paint(style, color, title));
    }
}

#[cfg(test)]
mod tests;
