//! The memory of a process and its descendants.

use std::fs;

/// The most resident memory in bytes that it is known to have used: its own peak, or what it and its descendants use now.
/// `None` where there is no `/proc`, or when the process is gone.
pub(super) fn of(process: u32) -> Option<u64> {
    let status = status(process)?;
    Some(field(&status, "VmHWM:")?.max(with_descendants(process, &status)?))
}

/// Whether a limit can be enforced on this machine.
pub(super) fn can_be_watched() -> bool {
    status(std::process::id()).is_some()
}

fn with_descendants(process: u32, status_of_it: &str) -> Option<u64> {
    let descendants = children(process).into_iter().filter_map(|child| with_descendants(child, &status(child)?));
    Some(field(status_of_it, "VmRSS:")? + descendants.sum::<u64>())
}

fn status(process: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{process}/status")).ok()
}

/// Kernels without this file are rare; there, only the process itself is counted.
fn children(process: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
