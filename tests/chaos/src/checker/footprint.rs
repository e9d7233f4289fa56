//! What the operator's process holds: memory, files, threads.

use std::{fmt, fs, io};

use test_support::process::Usage;

/// At one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Resident memory.
    pub bytes: u64,
    /// Open files and connections.
    pub files: usize,
    /// Threads.
    pub threads: usize,
}

/// What memory may grow by over a run: what allocators keep, and what they scatter.
const MEMORY: u64 = 16 << 20;
/// Connections to ClickUp that stand idle in the pool, and one to the API server that ends while another has begun.
const FILES: usize = 12;

impl Footprint {
    /// Of a process of this user. Linux only.
    ///
    /// # Errors
    /// It has ended, or there is no `/proc`.
    pub fn of(pid: u32) -> io::Result<Self> {
        let count = |what: &str| Ok::<_, io::Error>(fs::read_dir(format!("/proc/{pid}/{what}"))?.count());
        let bytes = Usage::of(pid)?.resident_bytes;
        Ok(Self { bytes, files: count("fd")?, threads: count("task")? })
    }

    /// Whether it is back where it was, or nearly.
    ///
    /// # Errors
    /// Says what has grown.
    pub fn is_back_at(&self, before: &Footprint) -> Result<(), String> {
        let grown = self.bytes > before.bytes + MEMORY
            || self.files > before.files + FILES
            || self.threads > before.threads;
        if grown { Err(format!("{self}, before {before}")) } else { Ok(()) }
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = self.bytes as f64 / f64::from(1 << 20);
        write!(f, "{mebibytes:.1} MiB, {} open files, {} threads", self.files, self.threads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_found() {
        let before = Footprint { bytes: 30 << 20, files: 30, threads: 4 };
        assert_eq!(before.is_back_at(&before), Ok(()));
        assert!(Footprint { bytes: 60 << 20, ..before }.is_back_at(&before).is_err());
        assert!(Footprint { files: 60, ..before }.is_back_at(&before).is_err());
        assert!(Footprint { threads: 5, ..before }.is_back_at(&before).is_err());
    }
}
