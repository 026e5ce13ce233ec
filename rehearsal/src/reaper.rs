//! The reaper: a second process that outlives this one by a moment and clears up after it.
//!
//! It holds one end of a pipe. Over it, it is told every process group and temporary folder. When the pipe closes, in
//! whatever way this process ended, it kills the groups that are still registered and removes the folders.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The hidden subcommand whose process is the reaper.
pub const SUBCOMMAND: &str = "reaper";

/// How long a group may take to end in its own way before it is killed.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The way to the reaper. Clones share it; it wakes up when the last one is dropped, or when this process ends.
#[derive(Clone)]
pub struct Reaper {
    pipe: Arc<Mutex<ChildStdin>>,
}

impl Reaper {
    /// Starts `<exe> reaper`, in a process group of its own so that Ctrl-C does not reach it.
    pub fn start(exe: &Path) -> io::Result<Self> {
        let mut child = Command::new(exe)
            .arg(SUBCOMMAND)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = child.stdin.take().expect("its standard input is a pipe");
        Ok(Self { pipe: Arc::new(Mutex::new(pipe)) })
    }

    /// Registers a process group: `first` is the signal that lets it end in its own way.
    pub(crate) fn group(&self, group: u32, first: Signal) -> Registration {
        self.register(format!("group {group}"), format!(" {}", first as i32))
    }

    /// Registers a temporary folder.
    fn folder(&self, folder: &Path) -> Registration {
        self.register(format!("folder {}", folder.display()), String::new())
    }

    fn register(&self, what: String, how: String) -> Registration {
        self.tell(&format!("+{what}{how}\n"));
        Registration { reaper: self.clone(), what }
    }

    fn tell(&self, line: &str) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = pipe.write_all(line.as_bytes()) {
            tracing::warn!(%error, "the reaper is gone: what is left behind after a crash must be cleared up by hand");
        }
    }
}

/// One registered thing. Dropped when it has ended in order: the reaper then forgets it.
pub(crate) struct Registration {
    reaper: Reaper,
    what: String,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.reaper.tell(&format!("-{}\n", self.what));
    }
}

/// A temporary folder that is removed when it is dropped, or by the reaper.
pub struct TempFolder {
    path: PathBuf,
    registration: Option<Registration>,
}

impl TempFolder {
    /// Makes an empty folder, readable by this user only.
    pub fn new(reaper: Option<&Reaper>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("greenlight-").tempdir()?;
        let registration = reaper.map(|reaper| reaper.folder(folder.path()));
        Ok(Self { path: folder.keep(), registration })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        if !remove(&self.path) {
            // Somebody still writes into it: the reaper removes it when this process has ended.
            std::mem::forget(self.registration.take());
        }
    }
}

/// Whether a folder is gone. A process that was killed a moment ago may still have been writing into it.
fn remove(folder: &Path) -> bool {
    for _ in 0..20 {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(20)),
            _ => return true,
        }
    }
    false
}

/// The reaper's own life: returns when everything is cleared up. Blocks.
pub fn main() {
    let mut left = Left::default();
    for line in io::stdin().lock().lines() {
        match line {
            Ok(line) => left.note(&line),
            Err(_) => break,
        }
    }
    left.clear_up();
}

/// What is registered.
#[derive(Default)]
struct Left {
    /// Groups and the signal that each gets first.
    groups: BTreeMap<i32, Signal>,
    folders: Vec<PathBuf>,
}

impl Left {
    fn note(&mut self, line: &str) {
        if let Some(folder) = line.strip_prefix("+folder ") {
            self.folders.push(PathBuf::from(folder));
        } else if let Some(folder) = line.strip_prefix("-folder ") {
            self.folders.retain(|it| it != Path::new(folder));
        } else if let Some(group) = line.strip_prefix("+group ") {
            let mut words = group.split(' ').filter_map(|word| word.parse::<i32>().ok());
            let (group, first) = (words.next().filter(|it| *it > 1), words.next());
            if let (Some(group), Some(Ok(first))) = (group, first.map(Signal::try_from)) {
                self.groups.insert(group, first);
            }
        } else if let Some(group) = line.strip_prefix("-group ")
            && let Ok(group) = group.parse()
        {
            self.groups.remove(&group);
        }
    }

    fn clear_up(self) {
        for (group, first) in &self.groups {
            // ESRCH: it ended by itself.
            let _ = killpg(Pid::from_raw(*group), *first);
        }
        let ends = Instant::now() + PATIENCE;
        let lives = |group: &i32| killpg(Pid::from_raw(*group), None).is_ok();
        while self.groups.keys().any(lives) && Instant::now() < ends {
            std::thread::sleep(Duration::from_millis(5));
        }
        for group in self.groups.keys() {
            let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
        }
        for folder in &self.folders {
            remove(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&str]) -> Left {
        let mut left = Left::default();
        lines.iter().for_each(|line| left.note(line));
        left
    }

    #[test]
    fn what_has_ended_in_order_is_forgotten() {
        let left = after(&["+group 12 9", "+folder /tmp/a b", "+group 13 3", "-group 12", "-folder /tmp/a b"]);
        assert_eq!(left.groups, BTreeMap::from([(13, Signal::SIGQUIT)]));
        assert!(left.folders.is_empty());
    }

    /// Group 0 would be the reaper's own, -1 and 1 everybody's.
    #[test]
    fn a_line_that_names_no_group_of_a_child_is_ignored() {
        let left =
            after(&["+group 0 9", "+group -1 9", "+group 1 9", "+group x 9", "+group 12", "+group 12 99", "kill 12"]);
        assert!(left.groups.is_empty() && left.folders.is_empty());
    }

    #[test]
    fn a_folder_is_removed_with_all_that_is_in_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("in")).expect("the folder is writable");
        std::fs::write(folder.path().join("in/it"), "x").expect("the folder is writable");
        after(&[&format!("+folder {}", folder.path().display())]).clear_up();
        assert!(!folder.path().exists());
    }
}
