//! What a process holds, as `/proc` says.

use std::fs;
use std::io;

/// What a process holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub memory: u64,
    /// Open files, connections among them.
    pub files: usize,
}

impl Usage {
    /// Of the process with this id; `None` when it is gone, or where there is no `/proc`.
    pub fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
        Some(Self { memory: kibibytes * 1024, files })
    }
}

/// How many files and connections this process has open. An error where there is no `/proc`.
pub fn open_files() -> io::Result<usize> {
    // The folder itself is one of them while it is read.
    Ok(fs::read_dir("/proc/self/fd")?.count().saturating_sub(1))
}
