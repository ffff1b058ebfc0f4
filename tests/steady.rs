//! What one more record costs a session that is up: one read and one write, and nothing else that can be counted from
//! outside. Two runs are compared, of which one moves more records.

use crate::support::running::{Running, confirms, converse, serve};
use crate::support::{need, scratch, text_of};
use std::collections::BTreeMap;
use std::path::Path;

/// Round trips of the two runs. Of the first few turns the facts keep more.
const FEW: u64 = 200;
const MANY: u64 = 700;
/// Records in one more round trip, each moved from one leg to the other.
const RECORDS: u64 = 2;
/// What may happen besides, in the whole of the longer run: a second that passes is looked at.
const BESIDES: u64 = 50;

#[test]
fn a_record_costs_one_read_and_one_write() {
    let Some(strace) = need("strace") else { return };
    for flags in [&[][..], &["-w", "recording.pcapng"], &["--latency"]] {
        let calls = |trips| {
            let folder = scratch();
            let trace = folder.path().join("trace");
            let line = format!(
                "cd {}; exec {} -f -qq -o trace \"$@\"",
                text_of(folder.path()),
                text_of(&strace)
            );
            drive(flags, &line, trips);
            counted(&trace)
        };
        let (few, many) = (calls(FEW), calls(MANY));
        let more = |call: &str| {
            let count = |calls: &BTreeMap<String, u64>| calls.get(call).copied().unwrap_or(0);
            count(&many).saturating_sub(count(&few))
        };
        let records = (MANY - FEW) * RECORDS;
        for (call, per_record) in [("recvfrom", 1), ("sendto", 1), ("epoll_wait", 1)] {
            let came = more(call);
            assert!(
                came.abs_diff(records * per_record) <= BESIDES,
                "{call}: {came} for {records} {flags:?}"
            );
        }
        for call in many
            .keys()
            .filter(|call| !["recvfrom", "sendto", "epoll_wait"].contains(&call.as_str()))
        {
            let came = more(call);
            assert!(came <= BESIDES, "{call}: {came} more for {records} records, {flags:?}");
        }
    }
}

#[test]
fn a_record_allocates_nothing() {
    let Some(valgrind) = need("valgrind") else { return };
    let allocated = |trips| {
        let folder = scratch();
        let log = folder.path().join("log");
        let line = format!("exec {} --log-file={} \"$@\"", text_of(&valgrind), text_of(&log));
        drive(&[], &line, trips);
        let said = std::fs::read_to_string(&log).unwrap();
        let total = said.lines().find_map(|line| line.split_once("total heap usage: "));
        let count = total.and_then(|(_, rest)| rest.split_once(" allocs"));
        count.map(|(count, _)| count.replace(',', "").parse::<u64>().unwrap()).expect(&said)
    };
    let (few, many) = (allocated(FEW), allocated(MANY));
    assert!(few > 100, "{few} allocations in all");
    let more = many.saturating_sub(few);
    assert!(more <= BESIDES, "{more} allocations more for {} records", (MANY - FEW) * RECORDS);
}

/// Moves so many records there and back through a relay that a shell line starts.
fn drive(flags: &[&str], line: &str, trips: u64) {
    let upstream = format!("127.0.0.1:{}", serve(confirms));
    let flags = [&["--format", "jsonl", "--threads", "1"], flags].concat();
    let mut proxy = Running::start(&upstream, &flags, Some(line));
    let mut client = proxy.connect();
    converse(&mut client, trips);
    drop(client);
    proxy.wait_for(|objects| !objects.is_empty());
    proxy.interrupt();
}

/// How often each system call was made; those that failed stand apart, by their error.
fn counted(trace: &Path) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for line in std::fs::read_to_string(trace).unwrap().lines() {
        // `1234  recvfrom(7, "..."..., 65536, 0, NULL, NULL) = 69`; a call in two parts counts where it begins.
        let Some((name, _)) =
            line.split_once(' ').and_then(|(_, rest)| rest.trim().split_once('('))
        else {
            continue;
        };
        let error = line.rsplit_once(" = -1 ").and_then(|(_, rest)| rest.split(' ').next());
        let name = error.map_or_else(|| name.to_owned(), |error| format!("{name} {error}"));
        *calls.entry(name).or_default() += 1;
    }
    assert!(!calls.is_empty(), "nothing was traced");
    calls
}
