//! The configuration file of `rdpwhy proxy`: TOML whose keys are the long names of the flags. What it says is put
//! in front of the flags that were given, so that one parser, the command line's, checks and explains both.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::Error;

/// The command that has a configuration file.
const COMMAND: &str = "proxy";
/// Flags that are about the command line itself.
const NO_KEYS: [&str; 5] = ["config", "dump-config", "print-rules", "help", "version"];

/// A setting by its key, as a value of TOML, and whether it was said or holds by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The long name of the flag.
    pub key: String,
    /// The value, in TOML.
    pub value: String,
    /// Said by a flag or the file.
    pub said: bool,
}

/// Reads the command line and the file that it names with `--config`; flags win over the file.
pub fn read(command: &Command, arguments: &[OsString]) -> Result<ArgMatches, Error> {
    let plain = |arguments: &[OsString]| command.clone().try_get_matches_from(arguments);
    // Something may be missing here that the file has.
    let lenient = command.clone().ignore_errors(true).try_get_matches_from(arguments).ok();
    let given = lenient.as_ref().and_then(|matches| matches.subcommand_matches(COMMAND));
    let path = given.and_then(|given| given.get_one::<PathBuf>("config").cloned());
    let (Some(given), Some(path)) = (given, path) else {
        return plain(arguments).map_err(Error::CommandLine);
    };
    let file = File::read(command, &path)?;
    file.check(command)?;
    let win = |key: &Key| given.value_source(&key.id) == Some(ValueSource::CommandLine);
    let added = file.keys.iter().filter(|key| !win(key)).flat_map(|key| key.words.clone());
    let at = arguments.iter().position(|word| word == COMMAND).map_or(0, |at| at + 1);
    let (front, rest) = arguments.split_at(at);
    let all: Vec<OsString> = front
        .iter()
        .cloned()
        .chain(added.map(OsString::from))
        .chain(rest.iter().cloned())
        .collect();
    plain(&all).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Error::CommandLine(error),
        _ => Error::Usage(format!("the flags with {}: {}", path.display(), summary(&error))),
    })
}

/// Every setting in force, in the order of the help.
pub fn settings(command: &Command, matches: &ArgMatches) -> Vec<Setting> {
    let Some(matches) = matches.subcommand_matches(COMMAND) else { return Vec::new() };
    arguments(command)
        .filter_map(|arg| {
            let source = matches.value_source(arg.get_id().as_str())?;
            let key = arg.get_long()?.to_owned();
            Some(Setting {
                key,
                value: value(arg, matches)?,
                said: source != ValueSource::DefaultValue,
            })
        })
        .collect()
}

/// The settings as a file that can be read back. What holds by default stands in comments.
pub fn dump(settings: &[Setting]) -> String {
    let lines = settings.iter().map(|Setting { key, value, said }| {
        format!("{}{key} = {value}\n", if *said { "" } else { "# " })
    });
    let head = "# The configuration of `rdpwhy proxy`; comments show what holds by default.\n";
    head.to_owned() + &lines.collect::<String>()
}

/// The keys that have another value after than before, in the order of the help.
pub fn differing<'a>(before: &'a [Setting], after: &'a [Setting]) -> Vec<&'a str> {
    let value = |settings: &'a [Setting], key: &str| {
        settings.iter().find(|setting| setting.key == key).map(|setting| &setting.value)
    };
    let gone = before.iter().filter(|setting| value(after, &setting.key).is_none());
    let keys = after.iter().chain(gone).map(|setting| setting.key.as_str());
    keys.filter(|key| value(before, key) != value(after, key)).collect()
}

/// What a file says.
struct File {
    path: PathBuf,
    keys: Vec<Key>,
}

/// One key of it.
struct Key {
    /// The flag's name and id.
    long: String,
    id: String,
    line: usize,
    /// As flags.
    words: Vec<String>,
}

impl File {
    fn read(command: &Command, path: &Path) -> Result<File, Error> {
        let wrong = |line, what| Error::Config { path: path.to_owned(), line, what };
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(None, format!("can not be read: {error}")))?;
        let table = DeTable::parse(&text).map_err(|error| {
            let line = error.span().map(|span| line_of(&text, span.start));
            wrong(line, format!("{}; a line says KEY = VALUE, texts are quoted", error.message()))
        })?;
        let mut keys = Vec::new();
        for (name, value) in table.get_ref() {
            let line = line_of(&text, name.span().start);
            let at_line = |what| wrong(Some(line), what);
            let arg = arguments(command)
                .find(|arg| arg.get_long() == Some(name.get_ref()))
                .ok_or_else(|| at_line(unknown(command, name.get_ref())))?;
            let long = name.get_ref().to_string();
            let words = words(arg, &long, value).map_err(at_line)?;
            keys.push(Key { long, id: arg.get_id().to_string(), line, words });
        }
        keys.sort_by_key(|key| key.line);
        Ok(File { path: path.to_owned(), keys })
    }

    /// Finds a value that its flag would not take, to name its line. What keys ask of each other is left to the
    /// whole, with the flags.
    fn check(&self, command: &Command) -> Result<(), Error> {
        let words = self.keys.iter().flat_map(|key| key.words.clone());
        let all = ["rdpwhy".to_owned(), COMMAND.to_owned()].into_iter().chain(words);
        let Err(error) = command.clone().try_get_matches_from(all) else { return Ok(()) };
        if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
            return Ok(());
        }
        let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
            return Ok(());
        };
        let long = flag.trim_start_matches('-').split(' ').next().unwrap_or_default();
        let line = self.keys.iter().find(|key| key.long == long).map(|key| key.line);
        Err(Error::Config { path: self.path.clone(), line, what: summary(&error) })
    }
}

/// The flags that are keys, too.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let own = command.find_subcommand(COMMAND).into_iter().flat_map(Command::get_arguments);
    let keys = own.chain(command.get_arguments());
    keys.filter(|arg| arg.get_long().is_some_and(|long| !NO_KEYS.contains(&long)))
}

fn unknown(command: &Command, name: &str) -> String {
    let near = arguments(command).filter_map(Arg::get_long).find(|long| {
        let plain = |text: &str| text.replace(['-', '_'], "").to_lowercase();
        plain(long) == plain(name)
            || plain(long).trim_end_matches('s') == plain(name).trim_end_matches('s')
    });
    let hint = match near {
        Some(near) => format!("write `{near}`"),
        None => "keys are the long names of the flags, see `rdpwhy proxy --help`".to_owned(),
    };
    format!("unknown key `{name}`; {hint}")
}

/// A key and its value as flags.
fn words(arg: &Arg, long: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, String> {
    let flag = format!("--{long}");
    match (arg.get_action(), value.get_ref()) {
        (ArgAction::SetTrue, DeValue::Boolean(on)) => Ok(on.then_some(flag).into_iter().collect()),
        (ArgAction::SetTrue, _) => Err(format!("`{long}` is true or false")),
        (ArgAction::Count, DeValue::Integer(times)) => {
            let times =
                times.as_str().parse::<u8>().map_err(|_| format!("`{long}` is a number"))?;
            Ok(vec![flag; times.into()])
        }
        (ArgAction::Append, DeValue::Array(values)) => values
            .iter()
            .map(|value| Ok(format!("{flag}={}", scalar(long, value.get_ref())?)))
            .collect(),
        (_, value) => Ok(vec![format!("{flag}={}", scalar(long, value)?)]),
    }
}

fn scalar(long: &str, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        other => Err(format!(
            "`{long}` can not be {} here; write what would stand behind --{long}, in quotation marks",
            match other {
                DeValue::Array(_) => "a list",
                DeValue::Table(_) => "a table",
                _ => "of this kind",
            }
        )),
    }
}

/// The value in force as TOML; `None` where there is none.
fn value(arg: &Arg, matches: &ArgMatches) -> Option<String> {
    let id = arg.get_id().as_str();
    match arg.get_action() {
        ArgAction::SetTrue => Some(matches.get_flag(id).to_string()),
        ArgAction::Count => Some(matches.get_count(id).to_string()),
        action => {
            let raw = matches.get_raw(id)?;
            let mut values: Vec<String> = raw.map(|raw| written(&raw.to_string_lossy())).collect();
            match action {
                ArgAction::Append => Some(format!("[{}]", values.join(", "))),
                _ => values.pop(),
            }
        }
    }
}

/// A number as such, everything else as a text.
fn written(raw: &str) -> String {
    match raw.parse::<i64>() {
        Ok(number) if number.to_string() == raw => raw.to_owned(),
        _ => toml::Value::String(raw.to_owned()).to_string(),
    }
}

/// What an error says, in one line and without its advice on help.
fn summary(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let line = lines.collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
