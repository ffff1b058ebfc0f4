//! Two network namespaces with a wire between them, for what loopback does not show. They need root.

use super::{need, skip};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A pair of namespaces that lasts as long as this.
pub struct Namespaces {
    names: [String; 2],
}

impl Namespaces {
    /// Makes them; `None` after a skip was noted. The first has the address 10.99.0.1, the second
    /// 10.99.0.2; each has its loopback.
    pub fn make() -> Option<Namespaces> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        need("ip")?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let names = ["a", "b"].map(|end| format!("rdpwhy-{}-{number}{end}", std::process::id()));
        let made = Namespaces { names };
        let [one, other] = &made.names;
        let steps = [
            format!("netns add {one}"),
            format!("netns add {other}"),
            format!("-n {one} link add wire type veth peer name wire netns {other}"),
            format!("-n {one} addr add 10.99.0.1/24 dev wire"),
            format!("-n {other} addr add 10.99.0.2/24 dev wire"),
            format!("-n {one} link set lo up"),
            format!("-n {one} link set wire up"),
            format!("-n {other} link set wire up"),
        ];
        if steps.iter().all(|step| ip(step)) {
            return Some(made);
        }
        skip("network namespaces can not be made here");
        None
    }

    /// The start of a shell line that runs what follows in one of them.
    pub fn within(&self, which: usize) -> String {
        format!("ip netns exec {}", self.names[which])
    }

    /// A program in one of them.
    pub fn command(&self, which: usize, program: &str) -> Command {
        let mut command = super::process::command("ip".as_ref());
        command.args(["netns", "exec", &self.names[which], program]);
        command
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}"));
        }
    }
}

fn ip(arguments: &str) -> bool {
    let words = arguments.split_whitespace();
    let status = Command::new("ip").args(words).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
