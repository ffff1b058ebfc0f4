//! From the packets of a capture back to the files that it came in.

use rdpwhy_analyzer::report::EvidenceItem;

/// The files of a capture; its packets are numbered through.
#[derive(Debug, Default)]
pub struct Files {
    /// Each with the number of packets before it.
    begun: Vec<(String, u64)>,
}

impl Files {
    /// The next packets are of this file; so many came before it.
    pub fn begin(&mut self, name: &str, before: u64) {
        self.begun.push((name.to_owned(), before));
    }

    /// Names the file of each piece of evidence, with the packet's number there.
    pub fn locate(&self, evidence: &mut [EvidenceItem]) {
        if self.begun.len() < 2 {
            return;
        }
        for origin in evidence.iter_mut().filter_map(|item| item.origin.as_mut()) {
            let Some(n) = origin.n.as_mut().filter(|_| origin.kind == "packet") else { continue };
            let behind = self.begun.partition_point(|(_, before)| before < n);
            if let Some((name, before)) = behind.checked_sub(1).and_then(|at| self.begun.get(at)) {
                *n -= before;
                origin.file = Some(name.clone());
            }
        }
    }
}
