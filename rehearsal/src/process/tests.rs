use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;

const LONG: Duration = Duration::from_secs(20);

/// Runs a line of the shell; its lines come out of the receiver.
fn shell(line: &str) -> (Process, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let process = Process::start(&Command::new("sh", ["-c", line]), None, move |lines| {
        for line in lines {
            // An error: the test has ended.
            let _ = sender.send(line.clone());
        }
    });
    (process.expect("sh can be started"), receiver)
}

async fn next(lines: &mut mpsc::UnboundedReceiver<String>) -> String {
    timeout(LONG, lines.recv()).await.expect("in time").expect("it lives")
}

/// A command that takes a moment to end after SIGTERM. In Python, because a shell can lose a signal that comes while it
/// starts a command.
fn ends_in_its_own_way() -> &'static str {
    "python3 -u -c 'import signal, sys, time; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); \
     print(\"ready\"); signal.sigwait([signal.SIGTERM]); time.sleep(0.1); print(\"finished\"); sys.exit(5)'"
}

fn lives(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

async fn becomes_gone(process: &str) {
    let gone = async {
        while lives(process) {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(LONG, gone).await.expect("it is gone in time");
}

#[tokio::test]
async fn both_outputs_are_collected_in_the_order_they_were_written() {
    let (process, _lines) = shell("echo one; echo two >&2; echo three; printf four");
    assert_eq!(process.exited().await, Exit::Code(0));
    assert_eq!(process.last_lines(), ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn only_the_last_lines_are_kept() {
    let (process, _lines) = shell("i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo $i; done");
    process.exited().await;
    let lines = process.last_lines();
    assert_eq!((lines.len(), lines.first().map(String::as_str)), (LAST_LINES, Some("81")));
}

#[tokio::test]
async fn a_line_without_end_is_cut_instead_of_kept_for_ever() {
    let (process, mut lines) = shell("head -c 200000 /dev/zero | tr '\\0' x; sleep 600");
    assert!(next(&mut lines).await.len() >= 64 * 1024);
    process.kill().await;
}

#[tokio::test]
async fn its_exit_is_told_as_a_code_or_a_signal() {
    let (process, _lines) = shell("exit 3");
    assert_eq!(process.exited().await, Exit::Code(3));
    let (process, _lines) = shell("kill -SEGV $$");
    let exit = process.exited().await;
    assert_eq!((exit.to_string().as_str(), exit.container_code()), ("signal SIGSEGV", 139));
}

#[tokio::test]
async fn what_is_told_to_stop_may_end_in_its_own_way() {
    let (process, mut lines) = shell(&format!("exec {}", ends_in_its_own_way()));
    assert_eq!(next(&mut lines).await, "ready");
    assert_eq!(process.stop(Signal::SIGTERM, LONG).await, Exit::Code(5));
    assert_eq!(next(&mut lines).await, "finished");
}

#[tokio::test]
async fn what_does_not_stop_is_killed_with_all_it_has_started() {
    let (process, mut lines) = shell("trap '' TERM; sleep 600 & echo $!; while :; do wait; done");
    let child = next(&mut lines).await;
    assert_eq!(process.stop(Signal::SIGTERM, Duration::from_millis(50)).await, Exit::Signal(9));
    becomes_gone(&child).await;
}

/// `npm start` and the like: the shell dies of the signal at once, its command wants to finish its requests.
#[tokio::test]
async fn a_shell_that_dies_first_does_not_cut_its_commands_end_short() {
    let (process, mut lines) = shell(&format!("{} & wait", ends_in_its_own_way()));
    assert_eq!(next(&mut lines).await, "ready");
    process.stop(Signal::SIGTERM, LONG).await;
    assert_eq!(next(&mut lines).await, "finished");
}

#[tokio::test]
async fn what_it_has_started_does_not_outlive_it() {
    let (process, mut lines) = shell("sleep 600 & echo $!; exit 0");
    let child = next(&mut lines).await;
    assert_eq!(process.exited().await, Exit::Code(0));
    becomes_gone(&child).await;
}

#[tokio::test]
async fn a_dropped_process_is_killed_even_when_it_is_frozen() {
    let (process, mut lines) = shell("sleep 600 & echo $!; wait");
    let child = next(&mut lines).await;
    process.signal(Signal::SIGSTOP);
    drop(process);
    becomes_gone(&child).await;
}

#[tokio::test]
async fn credentials_of_this_machine_reach_no_child() {
    let mut command = Command::new("sh", ["-c", "env"]);
    command.environment.insert("OWN".to_owned(), "1".to_owned());
    assert!(
        command.to_std().get_envs().all(|(name, value)| !name.to_string_lossy().starts_with("AWS_") || value.is_none())
    );

    command.inherits = Inherits::Nothing;
    command.program = "/usr/bin/env".to_owned();
    command.arguments.clear();
    let process = Process::start(&command, None, |_| {}).expect("env can be started");
    process.exited().await;
    assert_eq!(process.last_lines(), ["OWN=1"]);
}
