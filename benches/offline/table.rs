//! Results as Markdown: the targets, medians with their spread, and every round.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::measure::Sample;
use crate::programs::{Kind, version};

/// What was run.
pub struct Ran {
    /// Rounds.
    pub rounds: usize,
    /// Size asked for.
    pub mib: usize,
    /// Size of the file.
    pub bytes: u64,
    /// Packets in it.
    pub packets: u64,
    /// Connections in it.
    pub connections: u64,
}

/// All rounds.
pub struct Report {
    /// What was run.
    pub ran: Ran,
    /// Per program the samples, one per round; `None` where a run failed.
    pub samples: BTreeMap<Kind, Vec<Option<Sample>>>,
    /// Programs that were left out, and why.
    pub skipped: Vec<(Kind, String)>,
    /// The machine.
    pub heading: String,
}

impl Report {
    /// Runs, also those that failed.
    pub fn runs(&self) -> usize {
        self.samples.values().map(Vec::len).sum()
    }

    /// Runs that failed.
    pub fn failures(&self) -> usize {
        self.samples.values().flatten().filter(|sample| sample.is_none()).count()
    }

    /// The whole report.
    pub fn markdown(&self) -> String {
        let Ran { rounds, mib, bytes, packets, connections } = &self.ran;
        let mut text = format!(
            "# The analysis beside others\n\n\
             `cargo bench --bench offline -- --rounds {rounds} --size {mib} --write`: {packets} packets of \
             {connections} connections in {} MB,\nread from the page cache. Every cell: median \
             [min..max]; ratios are taken round by round. MB = 10^6 bytes.\n\n{}\n",
            bytes / 1_000_000,
            self.heading
        );
        self.targets(&mut text);
        self.medians(&mut text);
        self.rounds(&mut text);
        text.trim_end().to_owned() + "\n"
    }

    fn targets(&self, text: &mut String) {
        text.push_str("| target | wanted | measured | met |\n| --- | --- | --- | --- |\n");
        let times = [(Kind::Expert, 60.0), (Kind::Suricata, 3.0), (Kind::Read, 0.4)];
        for (kind, wanted) in times {
            let ratios = self.ratios(kind);
            let met = median(&ratios).map_or("–", |ratio| word(ratio >= wanted));
            let name = kind.name();
            let _ = writeln!(
                text,
                "| bytes per CPU second, × {name} | ≥ {wanted} | {} | {met} |",
                spread(ratios)
            );
        }
        let bound = 32.0 + 8.0 * self.ran.connections as f64 / 1024.0;
        let resident = self.of(Kind::Rdpwhy, |sample| sample.resident as f64 / 1024.0);
        let most = resident.iter().copied().reduce(f64::max);
        let met = most.map_or("–", |most| word(most <= bound));
        let _ = writeln!(
            text,
            "| peak memory, 32 MiB and 8 KiB per connection | ≤ {bound:.0} MiB | {} MiB | {met} |\n",
            spread(resident)
        );
    }

    fn medians(&self, text: &mut String) {
        text.push_str(
            "| program | CPU s | MB per CPU s | wall s | peak MiB | rdpwhy is × as fast |\n\
             | --- | --- | --- | --- | --- | --- |\n",
        );
        let megabytes = self.ran.bytes as f64 / 1e6;
        for kind in self.samples.keys() {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                kind.name(),
                spread(self.of(*kind, |sample| sample.cpu)),
                spread(self.of(*kind, |sample| megabytes / sample.cpu.max(1e-6))),
                spread(self.of(*kind, |sample| sample.wall)),
                spread(self.of(*kind, |sample| sample.resident as f64 / 1024.0)),
                spread(self.ratios(*kind)),
            );
        }
        for (kind, why) in &self.skipped {
            let _ = writeln!(text, "\n{}: skipped: {why}", kind.name());
        }
        text.push('\n');
    }

    fn rounds(&self, text: &mut String) {
        text.push_str("Every round, CPU s / wall s / peak MiB:\n\n| round |");
        for kind in self.samples.keys() {
            let _ = write!(text, " {} |", kind.name());
        }
        let _ = writeln!(text, "\n| --- |{}", " --- |".repeat(self.samples.len()));
        for round in 0..self.ran.rounds {
            let _ = write!(text, "| {} |", round + 1);
            for samples in self.samples.values() {
                let cell = match samples.get(round).copied().flatten() {
                    Some(Sample { cpu, wall, resident }) => {
                        format!("{cpu:.3} / {wall:.3} / {:.1}", resident as f64 / 1024.0)
                    }
                    None => "failed".to_owned(),
                };
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
    }

    fn of(&self, kind: Kind, value: impl Fn(&Sample) -> f64) -> Vec<f64> {
        self.samples.get(&kind).into_iter().flatten().flatten().map(value).collect()
    }

    /// How many times the CPU time of rdpwhy another program needs, round by round.
    fn ratios(&self, kind: Kind) -> Vec<f64> {
        let all = |kind| self.samples.get(&kind).map(Vec::as_slice).unwrap_or_default();
        all(kind)
            .iter()
            .zip(all(Kind::Rdpwhy))
            .filter_map(|(other, ours)| Some(other.as_ref()?.cpu / ours.as_ref()?.cpu.max(1e-6)))
            .collect()
    }
}

/// What a reader has to know of the machine.
pub fn heading() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "- CPU: {} ({cpus})\n- kernel: {}\n- load average at the start: {}\n",
        model.trim_start_matches(['\t', ' ', ':']),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
    );
    for program in ["tshark", "suricata"] {
        let installed = version(program).unwrap_or("not installed".to_owned());
        let _ = writeln!(text, "- {program}: {installed}");
    }
    text
}

fn word(met: bool) -> &'static str {
    if met { "yes" } else { "no" }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    let lower = if values.len().is_multiple_of(2) { *values.get(middle - 1)? } else { upper };
    Some((lower + upper) / 2.0)
}

/// `median [min..max]`, or a dash for nothing.
fn spread(values: Vec<f64>) -> String {
    let least = values.iter().copied().reduce(f64::min);
    let most = values.iter().copied().reduce(f64::max);
    match (median(&values), least, most) {
        (Some(median), Some(least), Some(most)) => {
            format!("{} [{}..{}]", number(median), number(least), number(most))
        }
        _ => "–".to_owned(),
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}
