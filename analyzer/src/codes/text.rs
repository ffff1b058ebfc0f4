//! An explanation as text for a terminal.

use super::{Explanation, Item};
use std::fmt::{self, Write};

const WIDTH: usize = 88;
const INDENT: &str = "  ";

impl Explanation {
    /// The whole answer as plain text, one block per item, without colours. Commands are never broken
    /// over lines, so that they can be copied.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (n, item) in self.items.iter().enumerate() {
            if n > 0 {
                text.push('\n');
            }
            // Writing to a String does not fail.
            let _ = write_item(&mut text, item);
        }
        text
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

fn write_item(out: &mut String, item: &Item) -> fmt::Result {
    writeln!(out, "{}", headline(item))?;
    if let Some(place) = &item.place {
        writeln!(out, "{INDENT}Log: {place}")?;
    }
    if let Some(read_as) = &item.read_as {
        paragraph(out, "Read as", read_as)?;
    }
    paragraph(out, "Meaning", &item.meaning)?;
    match (&item.source, item.standing) {
        (Some(source), Some(standing)) => {
            paragraph(out, "Written in", &format!("{source} [{}]", standing.words()))?;
        }
        (Some(source), None) => paragraph(out, "Written in", source)?,
        (None, _) => {}
    }
    paragraph(out, "Does not tell", &item.does_not_tell)?;
    if !item.next.is_empty() {
        writeln!(out, "{INDENT}Next:")?;
    }
    for step in &item.next {
        writeln!(out, "{INDENT}{INDENT}- {step}")?;
    }
    Ok(())
}

/// The code, its name, and what kind of number it is.
fn headline(item: &Item) -> String {
    let kind = match item.table {
        "mstsc" => "mstsc error code",
        "extended" => "mstsc extended error code",
        "pair" => "mstsc error code with extended error code",
        "errinfo" => "ERRINFO, a server's Set Error Info code",
        "alert" => "TLS alert",
        "ntstatus" => "NTSTATUS or HRESULT",
        "negotiation" => "RDP negotiation failure code",
        _ => "Windows event",
    };
    let decimal = u32::from_str_radix(item.value.trim_start_matches("0x"), 16).ok();
    let number = match (item.table, decimal) {
        ("event", Some(id)) => id.to_string(),
        ("ntstatus", _) | (_, None | Some(0..=9)) => item.value.clone(),
        (_, Some(decimal)) => format!("{} ({decimal})", item.value),
    };
    match &item.name {
        Some(name) => format!("{number}  {name}  [{kind}]"),
        None => format!("{number}  [{kind}]"),
    }
}

/// A labelled paragraph, broken between words.
fn paragraph(out: &mut String, label: &str, text: &str) -> fmt::Result {
    let mut line = format!("{INDENT}{label}:");
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            line = format!("{INDENT} "); // continuation lines stand one deeper than the label
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(out, "{line}")
}

#[cfg(test)]
mod tests {
    use super::super::explain;

    fn text(queries: &[&str]) -> String {
        let queries: Vec<String> = queries.iter().map(|&query| query.to_owned()).collect();
        explain(&queries).unwrap().to_text()
    }

    #[test]
    fn the_pair_reads_well() {
        let text = text(&["0x904", "0x7"]);
        assert!(text.contains("socket closed"), "{text}");
        assert!(text.contains("cannot be a server statement"), "{text}");
        assert!(text.contains("rdpwhy proxy --upstream HOST"), "{text}");
        assert!(text.contains("[documented by the vendor]"), "{text}");
    }

    #[test]
    fn words_wrap_and_commands_do_not() {
        let text = text(&["event:36870", "errinfo:7", "0x9999"]);
        for line in text.lines().filter(|line| !line.starts_with("    -")) {
            assert!(line.chars().count() <= super::WIDTH, "{line}");
        }
        assert!(text.lines().any(|line| line.ends_with("ProviderName='Schannel'; Id=36870}")));
        assert!(text.starts_with("36870  [Windows event]"));
    }
}
