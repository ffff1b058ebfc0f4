//! What one more record costs a session that is up: one read and one write, and nothing else that can be counted from
//! outside. Two runs are compared, of which one moves more records.

use crate::support::process::command;
use crate::support::running::{Running, confirms, converse, serve};
use crate::support::{need, scratch, skip, text_of};
use std::collections::BTreeMap;
use std::path::Path;

/// Round trips of the two runs. Of the first few turns the facts keep more.
const FEW: u64 = 200;
const MANY: u64 = 700;
/// Records in one more round trip, each moved from one leg to the other.
const RECORDS: u64 = 2;
/// The calls that each of them costs.
const PER_RECORD: [&str; 3] = ["recvfrom", "sendto", "epoll_wait"];
/// What a thread may do twice before it waits, unless somebody was slow: how often it does depends on who else runs.
const COURTESY: &str = "sched_yield";
/// What may happen besides, in the whole of the longer run: a second that passes is looked at.
const BESIDES: u64 = 100;

#[test]
fn a_record_costs_one_read_and_one_write() {
    let Some(strace) = need("strace") else { return };
    if !command(&strace).args(["-f", "-o", "/dev/null", "true"]).status().unwrap().success() {
        return skip("no process may be traced here");
    }
    for flags in [&[][..], &["-w", "recording.pcapng"], &["--latency"]] {
        let calls = |trips| {
            let folder = scratch();
            let [folder_name, strace] = [folder.path(), &strace].map(text_of);
            // What is traced ends with the test, too.
            let line = format!(
                "cd {folder_name}; exec {strace} -f -qq -o trace setpriv --pdeathsig KILL \"$@\""
            );
            drive(flags, &line, trips);
            counted(&folder.path().join("trace"))
        };
        let (few, mut many) = (calls(FEW), calls(MANY));
        let (courtesies, waits) = (many.remove(COURTESY).unwrap_or(0), many["epoll_wait"]);
        assert!(courtesies <= 2 * waits, "{courtesies} for {waits} waits, {flags:?}");
        let records = (MANY - FEW) * RECORDS;
        for (call, count) in many {
            let more = count.saturating_sub(few.get(&call).copied().unwrap_or(0));
            let due = if PER_RECORD.contains(&call.as_str()) { records } else { 0 };
            assert!(more.abs_diff(due) <= BESIDES, "{call}: {more} for {records}, {flags:?}");
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
        let call = line.split_once(' ').and_then(|(_, rest)| rest.trim().split_once('('));
        let Some((name, _)) = call else { continue };
        // Some machines have one name for waiting, and some no clock that can be read without a call.
        let name = if name == "epoll_pwait" { "epoll_wait" } else { name };
        if name == "clock_gettime" {
            continue;
        }
        let error = line.rsplit_once(" = -1 ").and_then(|(_, rest)| rest.split(' ').next());
        let name = error.map_or_else(|| name.to_owned(), |error| format!("{name} {error}"));
        *calls.entry(name).or_default() += 1;
    }
    assert!(PER_RECORD.iter().all(|call| calls.contains_key(*call)), "{calls:?}");
    calls
}
