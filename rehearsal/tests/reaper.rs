//! Nothing is left behind, in whatever way a rehearsal ends.
//!
//! This program is its own rehearsal and its own reaper, so it has no test harness: `reaper` is the reaper, `rehearsal`
//! starts all kinds of things and waits for its death, anything else is the test.

#![expect(clippy::print_stdout, reason = "its lines are how the rehearsal tells the test what it has started")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use rehearsal::postgres::Postgres;
use rehearsal::process::{Command, Process};
use rehearsal::reaper::{self, Reaper, TempFolder};
use tokio::signal::unix::{SignalKind, signal};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(reaper::SUBCOMMAND) => reaper::main(),
        Some("rehearsal") => rehearse(),
        _ => {
            nothing_is_left_when_a_rehearsal_is_killed();
            nothing_is_left_after_ctrl_c();
        }
    }
}

fn nothing_is_left_when_a_rehearsal_is_killed() {
    let (mut rehearsal, started) = begin();
    rehearsal.kill().expect("it runs");
    ends(&mut rehearsal);
    started.becomes_gone();
    println!("nothing is left when a rehearsal is killed ... ok");
}

/// A terminal sends SIGINT to the whole foreground group: the reaper must not be in it.
fn nothing_is_left_after_ctrl_c() {
    let (mut rehearsal, started) = begin();
    let group = i32::try_from(rehearsal.id()).expect("a process id");
    killpg(Pid::from_raw(group), Signal::SIGINT).expect("it runs");
    ends(&mut rehearsal);
    started.becomes_gone();
    println!("nothing is left after Ctrl-C ... ok");
}

/// A rehearsal that outlives its signal is a failure, not a test that hangs.
fn ends(rehearsal: &mut Child) {
    let limit = Instant::now() + PATIENCE;
    while rehearsal.try_wait().expect("it is our child").is_none() {
        if Instant::now() >= limit {
            rehearsal.kill().expect("it runs");
            panic!("the rehearsal has outlived its signal");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a rehearsal has started.
#[derive(Default)]
struct Started {
    processes: Vec<i32>,
    folders: Vec<PathBuf>,
}

impl Started {
    fn becomes_gone(self) {
        let ends = Instant::now() + PATIENCE;
        let processes = || self.processes.iter().filter(|process| lives(**process)).count();
        let folders = || self.folders.iter().filter(|folder| folder.exists()).count();
        while (processes(), folders()) != (0, 0) {
            assert!(Instant::now() < ends, "{} processes and {} folders are left", processes(), folders());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Starts a rehearsal in a group of its own and waits until it has started everything.
fn begin() -> (Child, Started) {
    let mut child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .arg("rehearsal")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started");
    let mut started = Started::default();
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        let line = line.expect("text");
        match line.split_once(' ') {
            Some(("process", id)) => started.processes.push(id.parse().expect("a process id")),
            Some(("folder", path)) => started.folders.push(PathBuf::from(path)),
            _ => break,
        }
    }
    assert!(started.processes.iter().all(|process| lives(*process)), "it has started them");
    assert!(started.folders.iter().all(|folder| folder.exists()), "it has made them");
    assert_eq!((started.processes.len(), started.folders.len()), (5, 2));
    (child, started)
}

fn lives(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    kill(Pid::from_raw(process), None).is_ok() && !stat.contains(") Z ")
}

/// A rehearsal with everything that is hard to get rid of.
fn rehearse() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let reaper = Reaper::start(&std::env::current_exe().expect("this program")).expect("the reaper starts");
        let folder = TempFolder::new(Some(&reaper)).expect("a temporary folder");
        std::fs::write(folder.path().join("file"), "x").expect("the folder is writable");
        let deaf = start(&reaper, folder.path(), "deaf", "trap '' TERM INT; sleep 600 & echo $! > deaf; wait");
        let frozen = start(&reaper, folder.path(), "frozen", "sleep 600 & echo $! > frozen; wait");
        let postgres = Postgres::start(Some(&reaper)).await.expect("PostgreSQL starts");
        frozen.signal(Signal::SIGSTOP);
        for process in [deaf.id(), child_of(folder.path(), "deaf"), frozen.id(), child_of(folder.path(), "frozen")] {
            println!("process {process}");
        }
        let data = postgres.folder().join("data");
        let lock = std::fs::read_to_string(data.join("postmaster.pid")).expect("the server runs");
        println!("process {}", lock.lines().next().expect("its first line is the process id"));
        println!("folder {}", folder.path().display());
        println!("folder {}", postgres.folder().display());
        // What runs in a shell's background begins with SIGINT ignored, so dying of it must be asked for.
        let mut interrupted = signal(SignalKind::interrupt()).expect("the signal can be listened to");
        println!("ready");
        std::io::stdout().flush().expect("the test reads it");
        interrupted.recv().await;
        kill(Pid::this(), Signal::SIGKILL).expect("it is this process");
    });
}

fn start(reaper: &Reaper, folder: &Path, name: &str, line: &str) -> Process {
    let mut command = Command::new("sh", ["-c", line]);
    command.folder = Some(folder.to_owned());
    let process = Process::start(&command, Some(reaper), |_| {}).expect("sh can be started");
    while std::fs::read_to_string(folder.join(name)).unwrap_or_default().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    process
}

fn child_of(folder: &Path, name: &str) -> u32 {
    let id = std::fs::read_to_string(folder.join(name)).expect("it was written before");
    id.trim().parse().expect("a process id")
}
