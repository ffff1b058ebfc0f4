//! Limits of a Unix process.

/// Raises the soft limit of open files to the hard one (`RLIMIT_NOFILE`); gives the soft limit now in force.
pub fn raise_file_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live, writable rlimit for the time of the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return None;
    }
    let wanted = libc::rlimit { rlim_cur: highest(limit.rlim_max), rlim_max: limit.rlim_max };
    // SAFETY: `wanted` is a live rlimit for the time of the call, which only reads it.
    if wanted.rlim_cur > limit.rlim_cur
        && unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &wanted) } == 0
    {
        return Some(wanted.rlim_cur);
    }
    Some(limit.rlim_cur)
}

/// macOS calls its hard limit infinite and then refuses more than OPEN_MAX.
fn highest(hard: libc::rlim_t) -> libc::rlim_t {
    if cfg!(target_vendor = "apple") { hard.min(10_240) } else { hard }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_call_finds_nothing_to_raise() {
        let limit = raise_file_limit();
        assert!(limit.is_some_and(|files| files >= 256));
        assert_eq!(raise_file_limit(), limit);
    }
}
