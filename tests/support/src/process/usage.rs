//! What a process has used, from `/proc`.

use std::io;
use std::time::Duration;

/// Memory and processor time of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory now (VmRSS).
    pub resident_bytes: u64,
    /// The most that was ever resident (VmHWM).
    pub peak_resident_bytes: u64,
    /// User and system time of all threads, in steps of 10 ms.
    pub cpu: Duration,
}

/// The kernel reports times to programs in hundredths of a second on every architecture that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

impl Usage {
    /// Of a process of this user. Linux only.
    ///
    /// # Errors
    /// It has ended, or there is no `/proc`.
    pub fn of(pid: u32) -> io::Result<Usage> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        parse(&status, &stat)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the process is about to end"))
    }
}

fn parse(status: &str, stat: &str) -> Option<Usage> {
    let bytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    };
    // The second field is the program's name in parentheses and may hold anything; count from its end.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    let cpu = TICK * (ticks()? + ticks()?);
    Some(Usage { resident_bytes: bytes("VmRSS:")?, peak_resident_bytes: bytes("VmHWM:")?, cpu })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_memory_and_both_times() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 5 6 7";
        let expected =
            Usage { resident_bytes: 1 << 20, peak_resident_bytes: 2 << 20, cpu: Duration::from_secs(2) };
        assert_eq!(parse(status, stat), Some(expected));
    }

    #[test]
    fn a_process_without_memory_has_no_usage() {
        assert_eq!(parse("Name:\tx\nState:\tZ (zombie)\n", "7 (x) Z 1 7"), None);
    }
}
