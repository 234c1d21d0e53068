//! Reads this process's memory from the operating system.

/// Resident memory in bytes. `None` without `/proc`: then the series is missing, since zero would be wrong.
///
/// `status` and not `statm`: it has kilobytes, `statm` pages, whose size differs between machines.
pub(super) fn resident_bytes() -> Option<i64> {
    resident_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn resident_of(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_kernels_words() {
        assert_eq!(resident_of("Name:\ttenfour\nVmHWM:\t   99 kB\nVmRSS:\t   18432 kB\nThreads:\t4\n"), Some(18_874_368));
        for strange in ["", "VmRSS:", "VmRSS:\t12 pages", "VmRSS:\t9223372036854775807 kB", "VmRSS:\t kB"] {
            assert_eq!(resident_of(strange), None, "{strange}");
        }
        if cfg!(target_os = "linux") {
            assert!(resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        }
    }
}
