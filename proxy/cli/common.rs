//! Flags and values that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use rdpwhy_analyzer::verdict::Identities;

use crate::dial::Target;
use crate::error::Error;
use crate::output::{Filter, Format, Output, Printed};

/// The standard port of RDP.
pub const RDP_PORT: u16 = 3389;

/// How the result is given.
#[derive(Args, Clone, Debug)]
pub struct Result_ {
    /// Form of the result
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Write the result to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show user names as they are, not as hashes
    #[arg(long)]
    pub show_identities: bool,
    /// Use colors
    #[arg(long, value_enum, default_value = "auto")]
    pub color: Color,
}

/// Which connections are reported.
#[derive(Args, Clone, Copy, Debug)]
pub struct Which {
    /// Report only failures; all connections are counted
    #[arg(long, conflicts_with = "summary")]
    failed: bool,
    /// Report no connection, only how many there were and how they ended
    #[arg(long)]
    summary: bool,
}

impl Which {
    /// The outcomes that are printed.
    pub fn printed(self) -> Printed {
        match (self.failed, self.summary) {
            (_, true) => Printed::None,
            (true, _) => Printed::Failed,
            _ => Printed::All,
        }
    }
}

/// When to use colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// In files and pipes, too
    Always,
    /// Not at all
    Never,
}

impl Result_ {
    /// Opens the output.
    pub fn open(&self, filter: Filter) -> Result<Output, Error> {
        let color = match self.color {
            Color::Auto => {
                std::env::var_os("NO_COLOR").filter(|value| !value.is_empty()).map(|_| false)
            }
            Color::Always => Some(true),
            Color::Never => Some(false),
        };
        Output::open(self.format, filter, self.output.as_deref(), color).map_err(|source| {
            Error::Write { path: self.output.clone().unwrap_or_else(|| "stdout".into()), source }
        })
    }

    /// How users are shown.
    pub fn identities(&self) -> Identities {
        if self.show_identities { Identities::Shown } else { crate::identities::hashed() }
    }
}

/// `HOST`, `HOST:PORT`, `[V6]:PORT` or a bare IPv6 address.
pub fn target(text: &str) -> Result<Target, String> {
    let (host, port) = split_port(text)?;
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c == '/') {
        return Err(format!("`{text}` is no HOST[:PORT]"));
    }
    Ok(Target { host: host.to_owned(), port: port.unwrap_or(RDP_PORT) })
}

fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let port = |digits: &str| match digits.parse() {
        Ok(0) | Err(_) => Err(format!("`{digits}` is no port number")),
        Ok(port) => Ok(Some(port)),
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) =
            rest.split_once(']').ok_or("an IPv6 address in brackets needs its `]`")?;
        return match after.strip_prefix(':') {
            Some(digits) => Ok((host, port(digits)?)),
            None if after.is_empty() => Ok((host, None)),
            None => Err(format!("unexpected `{after}` behind `]`")),
        };
    }
    match text.split_once(':') {
        Some((host, digits)) if !digits.contains(':') => Ok((host, port(digits)?)),
        Some(_) => Ok((text, None)),
        None => Ok((text, None)),
    }
}

/// `10s`, `500ms`, `2m`, or plain seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 =
        number.parse().map_err(|_| format!("`{text}` is no duration such as 10s, 500ms or 2m"))?;
    let seconds = match unit.trim() {
        "" | "s" => number,
        "ms" => number / 1000.0,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        other => return Err(format!("unknown unit `{other}`; use ms, s, m or h")),
    };
    // More overflows what is added to the present.
    const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    match duration <= LONGEST {
        true => Ok(duration),
        false => Err(format!("`{text}` is longer than ten years")),
    }
}

/// `100MB`, `64MiB`, `2G`, or plain bytes.
pub fn bytes(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 =
        number.parse().map_err(|_| format!("`{text}` is no size such as 100MB or 64MiB"))?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "kib" => 1 << 10,
        "m" | "mb" => 1_000_000,
        "mib" => 1 << 20,
        "g" | "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        other => return Err(format!("unknown unit `{other}`; use KB, MB, GB, KiB, MiB or GiB")),
    };
    number.checked_mul(factor).ok_or_else(|| format!("`{text}` is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_in_every_spelling() {
        for (text, host, port) in [
            ("srv07", "srv07", 3389),
            ("srv07:3390", "srv07", 3390),
            ("10.0.0.9:1", "10.0.0.9", 1),
            ("[2001:db8::9]:3390", "2001:db8::9", 3390),
            ("[::1]", "::1", 3389),
            ("2001:db8::9", "2001:db8::9", 3389),
        ] {
            assert_eq!(target(text), Ok(Target { host: host.into(), port }), "{text}");
        }
        for wrong in [
            "",
            ":3389",
            "srv07:",
            "srv07:0",
            "srv07:99999",
            "a b",
            "[::1",
            "[::1]x",
            "http://srv07",
        ] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_and_sizes_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert!(duration("soon").is_err() && duration("5 weeks").is_err());
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("10MB"), Ok(10_000_000));
        assert!(bytes("-1").is_err() && bytes("1parsec").is_err());
    }
}
