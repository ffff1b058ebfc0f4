//! How the arguments of `rdpwhy explain` are read.

/// Which table a query asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Mstsc,
    Extended,
    ErrInfo,
    Alert,
    NtStatus,
    Negotiation,
    Event,
}

/// A number with the other way it could have been meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub value: u32,
    /// The same digits read as hexadecimal, where they were read as decimal and it matters.
    pub as_hex: Option<u32>,
}

/// One thing to explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Query {
    One {
        text: String,
        table: Table,
        number: Number,
    },
    /// A client code and its extended code, each with the text it came from.
    Pair {
        code: (String, Number),
        extended: (String, Number),
    },
}

/// Why the arguments could not be read. Every message says which forms are accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// No argument at all.
    #[error("nothing to explain\n{FORMS}")]
    Nothing,
    /// The number of a query is not a number.
    #[error("'{0}' is not a code that can be read\n{FORMS}")]
    NotANumber(String),
    /// The number is too large for its field.
    #[error("'{query}' is out of range: {limit}\n{FORMS}")]
    OutOfRange {
        /// The query as typed.
        query: String,
        /// What the field can hold.
        limit: &'static str,
    },
    /// The word before the colon names no table.
    #[error("'{0}' names no table\n{FORMS}")]
    UnknownTable(String),
    /// Three or more plain numbers in a row.
    #[error("more than two plain numbers in a row; write several pairs as 0x904/0x7\n{FORMS}")]
    TooManyNumbers,
}

const FORMS: &str = "\
accepted forms (upper or lower case):
  0x904 0x7, 0x904/0x7   mstsc's error code with its extended error code
  0x904, 2308            mstsc's error code alone
  ext:7                  mstsc's extended error code alone
  errinfo:7              a server's Set Error Info code
  neg:5                  an RDP negotiation failure code
  alert:80               a TLS alert (0 to 255)
  nt:c000006d            an NTSTATUS or HRESULT, always read as hexadecimal
  event:36870            a Windows event id
numbers are hexadecimal with 0x or with a letter a to f, decimal otherwise";

/// Reads all arguments. Two plain numbers in a row are a pair.
pub(super) fn parse(arguments: &[String]) -> Result<Vec<Query>, ExplainError> {
    let mut queries = Vec::new();
    let mut plain: Vec<(String, Number)> = Vec::new();
    for argument in arguments {
        let text = argument.trim();
        if let Some((word, digits)) = text.split_once(':') {
            flush(&mut plain, &mut queries)?;
            queries.push(tabled(text, word, digits)?);
        } else if let Some((code, extended)) = text.split_once('/') {
            flush(&mut plain, &mut queries)?;
            queries.push(Query::Pair {
                code: (code.to_owned(), number(text, code)?),
                extended: (extended.to_owned(), number(text, extended)?),
            });
        } else {
            plain.push((text.to_owned(), number(text, text)?));
        }
    }
    flush(&mut plain, &mut queries)?;
    if queries.is_empty() { Err(ExplainError::Nothing) } else { Ok(queries) }
}

/// Turns the plain numbers collected so far into a query.
fn flush(plain: &mut Vec<(String, Number)>, queries: &mut Vec<Query>) -> Result<(), ExplainError> {
    let mut numbers = std::mem::take(plain).into_iter();
    match (numbers.next(), numbers.next(), numbers.next()) {
        (None, ..) => {}
        (Some((text, number)), None, _) => {
            queries.push(Query::One { text, table: Table::Mstsc, number });
        }
        (Some(code), Some(extended), None) => queries.push(Query::Pair { code, extended }),
        (Some(_), Some(_), Some(_)) => return Err(ExplainError::TooManyNumbers),
    }
    Ok(())
}

/// A query with the name of its table in front.
fn tabled(text: &str, word: &str, digits: &str) -> Result<Query, ExplainError> {
    let table = match word.to_ascii_lowercase().as_str() {
        "mstsc" => Table::Mstsc,
        "ext" => Table::Extended,
        "errinfo" => Table::ErrInfo,
        "alert" => Table::Alert,
        "nt" => Table::NtStatus,
        "neg" => Table::Negotiation,
        "event" => Table::Event,
        _ => return Err(ExplainError::UnknownTable(text.to_owned())),
    };
    let mut number = match table {
        Table::NtStatus => status(text, digits)?,
        _ => number(text, digits)?,
    };
    let too_large = |limit| ExplainError::OutOfRange { query: text.to_owned(), limit };
    match table {
        Table::Alert if number.value > 0xff => return Err(too_large("a TLS alert is one byte")),
        Table::Event if number.value > 0xffff => return Err(too_large("an event id has 16 bits")),
        // These two are written in decimal everywhere, so decimal is no guess.
        Table::Alert | Table::Event => number.as_hex = None,
        _ => {}
    }
    Ok(Query::One { text: text.to_owned(), table, number })
}

/// Hexadecimal with `0x` or a letter, decimal otherwise.
fn number(query: &str, text: &str) -> Result<Number, ExplainError> {
    let digits = text.trim();
    let hex = strip_0x(digits);
    let is_hex = hex.is_some() || digits.bytes().any(|byte| byte.is_ascii_alphabetic());
    let value = digits_of(query, hex.unwrap_or(digits), if is_hex { 16 } else { 10 })?;
    let as_hex = (!is_hex).then(|| u32::from_str_radix(digits, 16).ok()).flatten();
    Ok(Number { value, as_hex: as_hex.filter(|&hex| hex != value) })
}

/// A status: hexadecimal with or without `0x`, or the signed decimal that Windows prints at times.
fn status(query: &str, text: &str) -> Result<Number, ExplainError> {
    let digits = text.trim();
    let value = match digits.strip_prefix('-') {
        Some(magnitude) => match digits_of(query, magnitude, 10)? {
            magnitude @ 0..=0x8000_0000 => magnitude.wrapping_neg(),
            _ => return Err(beyond_32_bits(query)),
        },
        None => digits_of(query, strip_0x(digits).unwrap_or(digits), 16)?,
    };
    Ok(Number { value, as_hex: None })
}

fn strip_0x(text: &str) -> Option<&str> {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
}

/// Nothing but digits of the radix; a sign is not a digit.
fn digits_of(query: &str, digits: &str, radix: u32) -> Result<u32, ExplainError> {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(ExplainError::NotANumber(query.to_owned()));
    }
    u32::from_str_radix(digits, radix).map_err(|_| beyond_32_bits(query))
}

fn beyond_32_bits(query: &str) -> ExplainError {
    ExplainError::OutOfRange { query: query.to_owned(), limit: "codes have 32 bits" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Vec<Query>, ExplainError> {
        parse(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
    }

    fn value(argument: &str) -> u32 {
        match read(&[argument]).unwrap().pop() {
            Some(Query::One { number, .. }) => number.value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_are_read_as_documented() {
        assert_eq!(value("0x904"), 0x904);
        assert_eq!(value("0X904"), 0x904);
        assert_eq!(value("2308"), 0x904);
        assert_eq!(value("b09"), 0xb09);
        assert_eq!(value("ERRINFO:10C9"), 0x10c9);
        assert_eq!(value("errinfo:10"), 10);
        assert_eq!(value("nt:c000006d"), 0xc000_006d);
        assert_eq!(value("NT:0xC000006D"), 0xc000_006d);
        assert_eq!(value("nt:-1073741715"), 0xc000_006d);
        assert_eq!(value("nt:80090304"), 0x8009_0304);
    }

    #[test]
    fn plain_numbers_pair_up() {
        for arguments in [&["0x904", "0x7"][..], &["0x904/0x7"], &["neg:5", "0x904", "7"]] {
            let queries = read(arguments).unwrap();
            let Some(Query::Pair { code, extended }) = queries.last() else {
                panic!("{queries:?}")
            };
            assert_eq!((code.1.value, extended.1.value), (0x904, 7));
        }
        assert_eq!(read(&["0x904", "neg:5", "0x7"]).unwrap().len(), 3);
    }

    #[test]
    fn bad_input_says_what_is_accepted() {
        let too_many = ExplainError::TooManyNumbers;
        assert_eq!(read(&[]), Err(ExplainError::Nothing));
        assert_eq!(read(&["1", "2", "3"]), Err(too_many));
        assert!(matches!(read(&["wat:7"]), Err(ExplainError::UnknownTable(_))));
        for bad in ["", "0x", "+7", "alert:", "xyz", "0x904/", "0x9 04", "nt:--1", "é:7x", "nt:+1"]
        {
            let error = read(&[bad]).unwrap_err();
            assert!(error.to_string().contains("alert:80"), "{bad}: {error}");
        }
        for large in ["alert:256", "event:65536", "4294967296", "nt:1c000006d", "nt:-2147483649"] {
            assert!(matches!(read(&[large]), Err(ExplainError::OutOfRange { .. })), "{large}");
        }
    }
}
