//! What a process tree costs, read from /proc.

use std::fs;

/// Nanoseconds that every thread of the tree was on a CPU, and reaped children to the tick.
pub fn cpu_ns(root: u32) -> u64 {
    tree(root).into_iter().map(|pid| threads_ns(pid) + reaped_ns(pid)).sum()
}

/// Resident memory of the tree in KiB; pages shared among processes count once.
pub fn resident_kib(root: u32) -> u64 {
    let of = |pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    tree(root).into_iter().map(of).sum()
}

/// True when somebody listens on this port of 127.0.0.1.
pub fn listens(port: u16) -> bool {
    let text = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let local = format!("0100007F:{port:04X}");
    text.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next() == Some(&local) && fields.nth(1) == Some("0A")
    })
}

/// Makes this thread's sleeps end on time, not up to 50 µs late.
pub fn sleep_precisely() {
    if let Ok(link) = fs::read_link("/proc/thread-self")
        && let Some(tid) = link.file_name().and_then(|name| name.to_str())
    {
        let _ = fs::write(format!("/proc/{tid}/timerslack_ns"), "1000");
    }
}

fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(pid) = found.get(at).copied() {
        at += 1;
        for task in tasks(pid) {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{task}/children"));
            found.extend(
                children
                    .unwrap_or_default()
                    .split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    found
}

fn tasks(pid: u32) -> Vec<u32> {
    let folder = fs::read_dir(format!("/proc/{pid}/task"));
    folder
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

fn threads_ns(pid: u32) -> u64 {
    let of = |task| {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{task}/schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    tasks(pid).into_iter().filter_map(of).sum()
}

/// User and system time of children that are gone: proc(5), stat, fields 16 and 17, in ticks of 10 ms.
fn reaped_ns(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, fields)) = text.rsplit_once(')') else { return 0 };
    let ticks = fields.split_whitespace().skip(13).take(2);
    ticks.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10_000_000
}
