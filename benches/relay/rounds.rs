//! The rounds: which relay gets which load, how much of it, and what becomes of the results.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use crate::load::Work;
use crate::options::{GROUPS, Options};
use crate::peers::{self, Kind};
use crate::rdp::Prologue;
use crate::table::Series;

/// Relays of every workload, in their order within a round.
const RELAYS: [Kind; 7] = [
    Kind::Direct,
    Kind::Haproxy,
    Kind::HaproxySplice,
    Kind::Nginx,
    Kind::Socat,
    Kind::Rdpwhy,
    Kind::RdpwhyWrite,
];
/// Those of the workload in which each connection has its report.
const CHURNERS: [Kind; 8] = [
    Kind::Direct,
    Kind::Haproxy,
    Kind::HaproxySplice,
    Kind::Nginx,
    Kind::Socat,
    Kind::RdpwhySummary,
    Kind::Rdpwhy,
    Kind::RdpwhyWrite,
];
/// Those of the recording workload.
const RECORDERS: [Kind; 5] =
    [Kind::HaproxySplice, Kind::HaproxyTcpdump, Kind::Rdpwhy, Kind::RdpwhyWrite, Kind::RdpwhyFull];
/// Those that record nothing but handshakes, and what they are compared with.
const BEGINNERS: [Kind; 3] = [Kind::Haproxy, Kind::Rdpwhy, Kind::RdpwhyWrite];
/// Requests before a connection is past what a recording of handshakes keeps of it: 64 records of either side.
const PAST: u64 = 70;
/// Connections for which a process each is not asked.
const SOCAT_IDLE: usize = 1000;

/// A workload with its heading, its units and its relays.
struct Plan {
    group: &'static str,
    title: &'static str,
    cost: &'static str,
    speed: Option<&'static str>,
    relays: &'static [Kind],
    work: Work,
}

/// Runs what was asked for, prints the tables, and says whether everything went well.
pub fn run(options: &Options) -> ExitCode {
    rdpwhy::os::raise_file_limit();
    let prologue = Prologue::new();
    let mut report = heading(options);
    let (mut passed, mut failed) = (0, 0);
    for plan in plans(options.smoke) {
        if !options.only.iter().any(|group| group == plan.group) {
            continue;
        }
        let series = series(&plan, options, &prologue);
        failed += series.failures();
        passed += series.samples.values().map(Vec::len).sum::<usize>() - series.failures();
        let section = series.markdown();
        println!("{section}");
        let _ = writeln!(report, "{section}");
    }
    if options.write && !options.smoke {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/RESULTS.md");
        if let Err(error) = std::fs::write(path, report.trim_end().to_owned() + "\n") {
            eprintln!("{path}: {error}");
            failed += 1;
        }
    }
    if options.smoke {
        let word = if failed == 0 { "ok" } else { "FAILED" };
        println!("test result: {word}. {passed} passed; {failed} failed;");
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn series(plan: &Plan, options: &Options, prologue: &Prologue) -> Series {
    let mut skipped = Vec::new();
    let mut relays = Vec::new();
    for kind in plan.relays.iter().copied().filter(|kind| options.wants(*kind)) {
        match obstacle(kind, plan.work) {
            Some(why) => skipped.push((kind, why)),
            None => relays.push(kind),
        }
    }
    let mut samples: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for round in 1..=options.rounds {
        for kind in &relays {
            eprint!("\r\x1b[K{} · round {round} · {}", plan.title, kind.name());
            let _ = std::io::stderr().flush();
            let sample = plan.work.run(*kind, prologue);
            if let Err(error) = &sample {
                eprintln!("\r\x1b[K{} · round {round} · {}: {error}", plan.title, kind.name());
            }
            samples.entry(*kind).or_default().push(sample.ok());
        }
    }
    eprint!("\r\x1b[K");
    let (title, cost, speed) = (plan.title.to_owned(), plan.cost, plan.speed);
    Series { title, cost, speed, samples, skipped }
}

/// Why a relay can not take part.
fn obstacle(kind: Kind, work: Work) -> Option<String> {
    if let Some(program) = kind.program().filter(|program| peers::find(program).is_none()) {
        return Some(format!("{program} is not installed"));
    }
    let records = kind == Kind::HaproxyTcpdump;
    if records && peers::find("haproxy").is_none() {
        return Some("haproxy is not installed".to_owned());
    }
    if records && peers::cannot_capture() {
        return Some("tcpdump may not capture here".to_owned());
    }
    let many = matches!(work, Work::Idle { connections } if connections > SOCAT_IDLE);
    (kind == Kind::Socat && many).then(|| "a process per connection".to_owned())
}

fn plans(smoke: bool) -> [Plan; 9] {
    let size = |full: u64, tiny: u64| if smoke { tiny } else { full };
    let connections = size(200, 8) as usize;
    let plan = |group, title, cost, speed, work| {
        let relays: &[Kind] = match work {
            _ if group == "record" => &RECORDERS,
            Work::Open { warm: 0, .. } => &BEGINNERS,
            Work::Churn { .. } => &CHURNERS,
            _ => &RELAYS,
        };
        Plan { group, title, cost, speed, relays, work }
    };
    let per_gib = "CPU s/GiB";
    let per_trip = "CPU µs/round trip";
    let [bulk, interactive, churn, idle, record] = GROUPS;
    let (gib, mib) = (1 << 30, 1 << 20);
    [
        plan(
            bulk,
            "Bulk, 16 KiB records",
            per_gib,
            Some("GiB/s"),
            Work::Bulk { record: 16 << 10, bytes: size(gib, 4 * mib) },
        ),
        plan(
            bulk,
            "Bulk, 1,400-byte records",
            per_gib,
            Some("GiB/s"),
            Work::Bulk { record: 1400, bytes: size(gib / 4, mib) },
        ),
        plan(
            interactive,
            "200 connections, 4,000 round trips/s, open loop",
            per_trip,
            None,
            Work::Open { connections, rate: 4000, messages: size(12_000, 160), warm: PAST },
        ),
        plan(
            interactive,
            "The first 60 round trips of 200 connections, 4,000 a second, open loop",
            per_trip,
            None,
            Work::Open { connections, rate: 4000, messages: size(12_000, 160), warm: 0 },
        ),
        plan(
            interactive,
            "200 connections, saturated",
            per_trip,
            Some("trips/s"),
            Work::Saturated { connections, messages: size(60_000, 160), warm: PAST },
        ),
        plan(
            churn,
            "Churn, 16 at once",
            "CPU µs/connection",
            Some("connections/s"),
            Work::Churn { at_once: 16, connections: size(5000, 64) },
        ),
        plan(
            idle,
            "1,000 idle connections",
            "KiB/connection",
            None,
            Work::Idle { connections: size(1000, 16) as usize },
        ),
        plan(
            idle,
            "5,000 idle connections",
            "KiB/connection",
            None,
            Work::Idle { connections: size(5000, 32) as usize },
        ),
        plan(
            record,
            "Recording, 16 KiB records",
            per_gib,
            Some("GiB/s"),
            Work::Bulk { record: 16 << 10, bytes: size(gib, 4 * mib) },
        ),
    ]
}

/// What a reader has to know of the machine and of the figures.
fn heading(options: &Options) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "# The relay beside others\n\n\
         `cargo bench --bench relay -- --write --rounds {}`. Every cell: median [min..max]; ratios are \
         taken round by round.\nCPU is the relay's processes' on-CPU time. Loopback only: its work \
         inside `send` is the sender's, packets are up to 64 KiB,\nand the load generator shares the \
         {cpus} CPUs with the relay, so no figure here is a capacity.\n\n\
         - CPU: {} ({cpus})\n- kernel: {}\n- load average at the start: {}\n",
        options.rounds,
        model.trim_start_matches(['\t', ' ', ':']),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
    );
    for (program, argument) in
        [("haproxy", "-v"), ("nginx", "-v"), ("socat", "-V"), ("tcpdump", "--version")]
    {
        let _ = writeln!(text, "- {program}: {}", peers::version(program, argument));
    }
    text.push('\n');
    text
}
