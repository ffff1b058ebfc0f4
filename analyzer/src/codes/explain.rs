//! `rdpwhy explain`: codes in, what is written about them out. A code that is in no table is answered
//! as unknown, never guessed.

use super::events::Event;
use super::ntstatus::Wrapped;
use super::query::{self, ExplainError, Number, Query, Table};
use super::{Code, Explanation, Item, Standing, advice};
use super::{alert, errinfo, events, extended, mstsc, negotiation, ntstatus};

/// Explains each query; the forms are listed in the text of [`ExplainError`]. Two plain numbers in a
/// row are mstsc's error code and extended error code, and get an item for the two together.
/// A plain number is hexadecimal with `0x` or with a letter a to f, and decimal otherwise (also after
/// `errinfo:`, although the specification prints that table in hexadecimal); `nt:` is always hexadecimal.
pub fn explain(queries: &[String]) -> Result<Explanation, ExplainError> {
    let mut items = Vec::new();
    for query in query::parse(queries)? {
        match query {
            Query::One { text, table: Table::Event, number } => {
                items.extend(event_items(&text, number.value));
            }
            Query::One { text, table, number } => items.push(item(&text, table, number)),
            Query::Pair { code, extended } => {
                // The next steps stand once, with the pair.
                let first = item(&code.0, Table::Mstsc, code.1);
                let second = item(&extended.0, Table::Extended, extended.1);
                items.push(Item { next: Vec::new(), ..first });
                items.push(Item { next: Vec::new(), ..second });
                items.push(pair_item(&code, &extended));
            }
        }
    }
    Ok(Explanation { items })
}

/// One code of any table but the events.
fn item(text: &str, table: Table, number: Number) -> Item {
    let value = number.value;
    let mut item = match lookup(table, value) {
        Some(code) => known(code),
        None => unlisted(table, value),
    };
    item.query = text.to_owned();
    item.value = format!("{value:#x}");
    item.table = id(table);
    item.read_as = number.as_hex.and_then(|as_hex| other_reading(table, value, as_hex));
    item.does_not_tell = advice::does_not_tell(table, value).to_owned();
    item.next = advice::next(table, value);
    item
}

fn lookup(table: Table, value: u32) -> Option<&'static Code> {
    match table {
        Table::Mstsc => mstsc::lookup(value),
        Table::Extended => extended::lookup(value),
        Table::ErrInfo => errinfo::lookup(value),
        Table::Alert => alert::lookup(value),
        Table::NtStatus => ntstatus::lookup(value),
        Table::Negotiation => negotiation::lookup(value),
        Table::Event => None, // one id can have several rows
    }
}

fn id(table: Table) -> &'static str {
    match table {
        Table::Mstsc => "mstsc",
        Table::Extended => "extended",
        Table::ErrInfo => "errinfo",
        Table::Alert => "alert",
        Table::NtStatus => "ntstatus",
        Table::Negotiation => "negotiation",
        Table::Event => "event",
    }
}

/// An item with the row's words; the caller fills in the rest.
fn known(code: &Code) -> Item {
    Item {
        name: code.name.map(str::to_owned),
        source: Some(code.source.to_owned()),
        standing: Some(code.standing),
        ..empty(code.meaning.to_owned())
    }
}

fn empty(meaning: String) -> Item {
    Item {
        query: String::new(),
        value: String::new(),
        table: "",
        name: None,
        place: None,
        read_as: None,
        meaning,
        source: None,
        standing: None,
        does_not_tell: String::new(),
        next: Vec::new(),
    }
}

/// A value without a row of its own: what its form says, else that it is unknown.
fn unlisted(table: Table, value: u32) -> Item {
    match table {
        Table::Extended if extended::in_protocol_range(value) => protocol_range(value),
        Table::NtStatus => wrapped(value),
        Table::Mstsc => unlisted_mstsc(value),
        _ => empty(format!("Unknown: no known list has {value:#x}.")),
    }
}

/// A client code that is in no list: its family, and whether it is rather a server's code.
fn unlisted_mstsc(value: u32) -> Item {
    let family = match mstsc::family(value) {
        Some(family) => format!(
            " Its low byte puts it into the family: {family}. The families were observed in the known \
             codes, not documented."
        ),
        None => String::new(),
    };
    let protocol = match errinfo::lookup(value) {
        Some(_) if extended::in_protocol_range(value) => format!(
            " Where the message says \"protocol error (code: {value:#x})\", the number is a server's \
             ERRINFO code: ask for errinfo:{value:#x}."
        ),
        _ => String::new(),
    };
    empty(format!(
        "Unknown: no known list has {value:#x} as an error code of mstsc.{family}{protocol}"
    ))
}

/// An extended code of the range that repeats ERRINFO.
fn protocol_range(value: u32) -> Item {
    let row = errinfo::lookup(value);
    let named = match row.and_then(|code| code.name.map(|name| (name, code.meaning))) {
        Some((name, meaning)) => format!("the number of {name}: {meaning}"),
        None => "a number that is in no list of ERRINFO codes.".to_owned(),
    };
    Item {
        name: row.and_then(|code| code.name).map(str::to_owned),
        source: Some(extended::LEARN.to_owned()),
        standing: Some(Standing::Documented),
        ..empty(format!("Protocol error range (0x1000 to 0x7fff), {named}"))
    }
}

/// A status that is in the table only after unwrapping, or not at all.
fn wrapped(value: u32) -> Item {
    match ntstatus::unwrap(value) {
        Some(Wrapped::Win32(error)) => Item {
            source: Some("MS-ERREF 2.1 and 2.3 (structure of HRESULT and NTSTATUS)".to_owned()),
            standing: Some(Standing::Specified),
            ..empty(format!(
                "A wrapped Win32 error: number {error} ({error:#x}). On Windows `net helpmsg {error}` \
                 prints its text."
            ))
        },
        Some(Wrapped::NtStatus(inner)) => match ntstatus::lookup(inner) {
            Some(code) => {
                let meaning = format!("{inner:#x} with bit 28 set: {}", code.meaning);
                Item { meaning, ..known(code) }
            }
            None => empty(format!(
                "Unknown: {value:#x} has the form of a wrapped NTSTATUS, and no known list has \
                 {inner:#x}."
            )),
        },
        None => empty(format!("Unknown: no known list has {value:#x}.")),
    }
}

/// Says how digits without `0x` were read, where the hexadecimal reading is a known code.
fn other_reading(table: Table, value: u32, as_hex: u32) -> Option<String> {
    lookup(table, as_hex)?;
    Some(format!("decimal {value}, that is {value:#x}; for hexadecimal write {as_hex:#x}"))
}

fn pair_item(code: &(String, Number), extended: &(String, Number)) -> Item {
    let (code_value, extended_value) = (code.1.value, extended.1.value);
    let (meaning, does_not_tell) = advice::pair(code_value, extended_value);
    let source =
        format!("{}; {}; MS-RDPBCGR 2.2.5.1 and 3.3.5.7.1.1", mstsc::LEARN, extended::LEARN);
    Item {
        query: format!("{} {}", code.0, extended.0),
        value: format!("{code_value:#x}/{extended_value:#x}"),
        table: "pair",
        source: Some(source),
        does_not_tell,
        next: advice::next_of_pair(code_value, extended_value),
        ..empty(meaning)
    }
}

/// One item per log that has the id; one that says it is unknown where none has.
fn event_items(text: &str, id: u32) -> Vec<Item> {
    let mut items: Vec<Item> = events::lookup(id).map(event_item).collect();
    if items.is_empty() {
        let mut item = empty(format!("Unknown: no known list has event {id}."));
        item.next = advice::next(Table::Event, id);
        items.push(item);
    }
    for item in &mut items {
        item.query = text.to_owned();
        item.value = format!("{id:#x}");
        item.table = "event";
        item.does_not_tell = advice::does_not_tell(Table::Event, id).to_owned();
    }
    items
}

fn event_item(event: &Event) -> Item {
    let mut next = vec![advice::show_event(event.log, &event.id.to_string())];
    next.extend(advice::next(Table::Event, event.id));
    let side = if event.log.on_client { "client" } else { "server" };
    Item {
        place: Some(format!("{} (provider {}), on the {side}", event.log.name, event.log.provider)),
        source: Some(event.log.source.to_owned()),
        standing: Some(event.standing),
        next,
        ..empty(event.meaning.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(queries: &[&str]) -> Vec<Item> {
        let queries: Vec<String> = queries.iter().map(|&query| query.to_owned()).collect();
        explain(&queries).unwrap().items
    }

    fn only(query: &str) -> Item {
        let mut items = items(&[query]);
        assert_eq!(items.len(), 1, "{query}");
        items.remove(0)
    }

    #[test]
    fn the_famous_pair_says_what_it_does_not_say() {
        let items = items(&["0x904", "0x7"]);
        let tables: Vec<_> = items.iter().map(|item| item.table).collect();
        assert_eq!(tables, ["mstsc", "extended", "pair"]);
        let pair = &items[2];
        assert_eq!(pair.value, "0x904/0x7");
        assert!(pair.meaning.contains("socket closed"));
        assert!(pair.meaning.contains("before MCS it cannot be a server statement"));
        assert!(pair.next[0].starts_with("rdpwhy proxy --upstream HOST"));
    }

    #[test]
    fn every_form_finds_its_row() {
        for (query, table, name) in [
            ("0x904", "mstsc", "disconnectReasonAtClientWinsockFDCLOSE"),
            ("2308", "mstsc", "disconnectReasonAtClientWinsockFDCLOSE"),
            ("alert:80", "alert", "internal_error"),
            ("neg:5", "negotiation", "HYBRID_REQUIRED_BY_SERVER"),
            ("NT:C000006D", "ntstatus", "STATUS_LOGON_FAILURE"),
            ("nt:0xd000006d", "ntstatus", "STATUS_LOGON_FAILURE"),
            ("errinfo:7", "errinfo", "ERRINFO_SERVER_DENIED_CONNECTION"),
            ("errinfo:0x10c9", "errinfo", "ERRINFO_UNKNOWNPDUTYPE2"),
            ("ext:7", "extended", "exDiscReasonServerDeniedConnection"),
            ("ext:0x112f", "extended", "ERRINFO_GRAPHICSSUBSYSTEMFAILED"),
        ] {
            let item = only(query);
            assert_eq!((item.table, item.name.as_deref()), (table, Some(name)), "{query}");
            assert!(item.source.is_some() && item.standing.is_some(), "{query}");
            assert!(!item.next.is_empty() && !item.does_not_tell.is_empty(), "{query}");
        }
        let event = only("event:36870");
        assert_eq!(event.place.as_deref(), Some("System (provider Schannel), on the server"));
        assert!(event.next[0].contains("ProviderName='Schannel'; Id=36870"));
    }

    #[test]
    fn seven_is_never_confused() {
        for query in ["errinfo:7", "ext:7"] {
            assert!(only(query).does_not_tell.contains("STATUS_VALID_CLIENT"), "{query}");
        }
        assert!(only("ext:7").does_not_tell.contains("cannot be a server statement"));
    }

    #[test]
    fn an_unknown_code_is_not_guessed() {
        for query in ["0x9904", "ext:99", "errinfo:8", "alert:200", "neg:9", "nt:1", "event:1"] {
            let item = only(query);
            assert!(item.meaning.starts_with("Unknown: "), "{query}: {}", item.meaning);
            assert_eq!((&item.name, &item.source, item.standing), (&None, &None, None), "{query}");
        }
        assert!(only("0x9904").meaning.contains("transport"));
        assert!(only("nt:c007052e").meaning.contains("1326"));
        assert_eq!(only("0x1f07").standing, Some(Standing::Unverified));
    }

    #[test]
    fn a_pair_without_tcp_is_no_word_of_the_server() {
        let items = items(&["0x204/0x4"]);
        assert!(items[2].meaning.contains("the server said nothing"));
        assert!(items[2].next.iter().all(|step| !step.contains("on the server")));
        assert!(items[0].next.is_empty() && items[1].next.is_empty());
    }

    #[test]
    fn a_logon_code_sends_to_the_servers_log() {
        assert!(only("0x807").does_not_tell.contains("server's own log"));
        assert!(only("0x807").next[0].contains("Id=4625"));
        assert!(only("0x1b07").does_not_tell.contains("Which certificate"));
    }

    #[test]
    fn a_protocol_error_points_to_errinfo() {
        assert!(only("0x112f").meaning.contains("ask for errinfo:0x112f"));
    }

    #[test]
    fn an_ambiguous_number_says_how_it_was_read() {
        assert!(only("904").read_as.is_some_and(|note| note.ends_with("write 0x904")));
        assert!(only("errinfo:10").read_as.is_some_and(|note| note.contains("0x10")));
        for query in ["2308", "errinfo:7", "alert:80", "0x904", "b09"] {
            assert_eq!(only(query).read_as, None, "{query}");
        }
    }

    #[test]
    fn advice_names_only_commands_that_exist() {
        let every_row = |prefix: &str, table: &[Code]| -> Vec<String> {
            table.iter().map(|code| format!("{prefix}:{:#x}", code.value)).collect()
        };
        let mut queries = vec!["0x904/7".to_owned(), "0x204/0".to_owned(), "0x3/0x10c9".to_owned()];
        queries.extend(every_row("mstsc", mstsc::TABLE));
        queries.extend(every_row("ext", extended::TABLE));
        queries.extend(every_row("errinfo", errinfo::TABLE));
        queries.extend(every_row("alert", alert::TABLE));
        queries.extend(every_row("nt", ntstatus::TABLE));
        queries.extend(every_row("neg", negotiation::TABLE));
        queries.extend(events::TABLE.iter().map(|event| format!("event:{}", event.id)));
        for item in explain(&queries).unwrap().items {
            for step in &item.next {
                let known =
                    ["rdpwhy proxy --upstream HOST", "rdpwhy analyze FILE", "let the client offer"];
                let looks = step.contains(": Get-WinEvent -MaxEvents");
                assert!(looks || known.iter().any(|known| step.starts_with(known)), "{step}");
            }
        }
    }

    #[test]
    fn the_answer_is_printable_as_json() {
        let json = serde_json::to_value(explain(&["neg:5".to_owned()]).unwrap()).unwrap();
        assert_eq!(json["items"][0]["value"], "0x5");
        assert_eq!(json["items"][0]["standing"], "specified");
        assert_eq!(json["items"][0].get("place"), None);
    }
}
