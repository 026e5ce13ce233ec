//! Tasks here are small Python programs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{Launch, LaunchCommand, PORT_VARIABLE, run};
use crate::clock::Clock;
use crate::world::World;
use crate::world::deployment_configuration::Controller;
use crate::world::services::{
    Colour, Container, OneOff, Override, Service, StopReason, Task, TaskDefinition, TaskSet, TaskSetStatus, TaskStatus,
};

/// Listens, and does what the test puts behind it.
const LISTENS: &str = r#"
import os, signal, socket, sys, time
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
"#;

struct Rehearsal {
    world: Arc<World>,
    tasks: JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Rehearsal {
    /// A world whose service has one green task set, and no task yet.
    fn new(command: LaunchCommand) -> Self {
        let world = Arc::new(World::new(Clock::new()));
        let now = world.now();
        let definition = TaskDefinition {
            family: "orders".to_owned(),
            revision: 2,
            active: true,
            registered_at: now,
            containers: vec![Container {
                log: None,
                secrets: BTreeMap::new(),
                name: "app".to_owned(),
                image: "orders:2".to_owned(),
                port: 8080,
                entry_point: Vec::new(),
                command: Vec::new(),
                wrapper: Vec::new(),
                environment: BTreeMap::from([("COLOUR".to_owned(), "green".to_owned())]),
                labels: BTreeMap::new(),
            }],
        };
        let task_set = TaskSet {
            id: "ecs-svc/1".to_owned(),
            task_definition: definition.arn(),
            status: TaskSetStatus::Active,
            desired: 1,
            target_group: String::new(),
            external_id: None,
            created_at: now,
            steady: false,
            stability_at: now,
            colour: Colour::Green,
        };
        let service = Service {
            cluster: "shop".to_owned(),
            name: "orders".to_owned(),
            desired_count: 1,
            health_check_grace_period: Duration::ZERO,
            container_name: "app".to_owned(),
            container_port: 8080,
            created_at: now,
            controller: Controller::CodeDeploy,
            task_sets: vec![task_set],
        };
        world.update(|state| {
            state.task_definitions.push(definition);
            state.services.push(service);
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let launch = Launch {
            command,
            port_variable: PORT_VARIABLE.to_owned(),
            environment: BTreeMap::from([("DATABASE_URL".to_owned(), "postgres://db".to_owned())]),
            folder: Some(folder.path().to_owned()),
            reaper: None,
        };
        let tasks = tokio::spawn(run(Arc::clone(&world), launch));
        Self { world, tasks, folder }
    }

    /// A world whose tasks listen and then do this.
    fn listening(behaviour: &str) -> Self {
        Self::new(python(&format!("{LISTENS}{behaviour}")))
    }

    fn want_task(&self) -> &'static str {
        let now = self.world.now();
        self.world.update(|state| {
            state.tasks.push(Task {
                id: "1f3c9a2b0000".to_owned(),
                cluster: "shop".to_owned(),
                service: "orders".to_owned(),
                task_set: "ecs-svc/1".to_owned(),
                task_definition: "orders:2".to_owned(),
                status: TaskStatus::Provisioning,
                stop_wanted: None,
                zone: "eu-west-1a",
                port: None,
                created_at: now,
                started_at: None,
                stopped_at: None,
                stopped: None,
                exit_code: None,
                last_lines: Vec::new(),
                one_off: None,
            });
        });
        "1f3c9a2b0000"
    }

    /// A task that runs this once in place of the container's own command.
    fn order(&self, command: &[&str]) -> &'static str {
        let id = self.want_task();
        self.world.update(|state| {
            let task = state.task_mut(id).expect("it was wanted just now");
            (task.service, task.task_set) = (String::new(), String::new());
            task.one_off = Some(OneOff {
                started_by: Some("a test".to_owned()),
                client_token: None,
                order: String::new(),
                group: "family:orders".to_owned(),
                overrides: vec![Override {
                    container: "app".to_owned(),
                    command: command.iter().map(|word| (*word).to_owned()).collect(),
                    environment: BTreeMap::from([("STEP".to_owned(), "expand".to_owned())]),
                }],
            });
        });
        id
    }

    async fn task(&self, is: TaskStatus) -> Task {
        self.world.until(|state| state.tasks.iter().find(|task| task.status == is).cloned()).await
    }

    fn stop(&self, id: &str, status: TaskStatus) {
        self.world.update(|state| {
            let task = state.task_mut(id).expect("the task is known");
            task.stop_wanted = Some(scaled_in());
            task.status = status;
        });
    }

    fn last_said(&self) -> String {
        self.world.read(|state| state.journal.entries.last().map(|entry| entry.text.clone()).unwrap_or_default())
    }
}

fn scaled_in() -> StopReason {
    StopReason { code: "ServiceSchedulerInitiated", reason: "Scaling activity initiated by deployment".to_owned() }
}

fn python(program: &str) -> LaunchCommand {
    LaunchCommand::Program(vec!["python3".to_owned(), "-u".to_owned(), "-c".to_owned(), program.to_owned()])
}

#[tokio::test]
async fn a_task_runs_once_its_process_listens_on_its_port() {
    let rehearsal = Rehearsal::listening("print('serving')\ntime.sleep(600)");
    rehearsal.want_task();
    let task = rehearsal.task(TaskStatus::Running).await;
    let port = task.port.expect("a running task has a port");
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_ok());
    assert!(task.started_at.is_some_and(|at| at >= task.created_at));
    assert!(rehearsal.last_said().starts_with(&format!("green task 1f3c9a2b runs: it listens on port {port}, ")));
}

#[tokio::test]
async fn a_task_is_told_its_port_its_containers_environment_and_the_scenarios() {
    let line = r#"echo "$COLOUR $DATABASE_URL ${PORT:+port} $(pwd)"; exit 0"#;
    let rehearsal = Rehearsal::new(LaunchCommand::Shell(line.to_owned()));
    rehearsal.want_task();
    let task = rehearsal.task(TaskStatus::Stopped).await;
    let folder = rehearsal.folder.path().canonicalize().expect("it exists");
    assert_eq!(task.last_lines, [format!("green postgres://db port {}", folder.display())]);
}

#[tokio::test]
async fn a_container_with_a_command_of_its_own_runs_that() {
    let rehearsal = Rehearsal::new(LaunchCommand::Shell("exit 1".to_owned()));
    rehearsal.world.update(|state| {
        state.task_definitions[0].containers[0].command =
            vec!["sh".to_owned(), "-c".to_owned(), "echo from the container; exit 7".to_owned()];
    });
    rehearsal.want_task();
    let task = rehearsal.task(TaskStatus::Stopped).await;
    assert_eq!((task.exit_code, task.last_lines), (Some(7), vec!["from the container".to_owned()]));
}

#[tokio::test]
async fn a_command_that_exits_at_once_is_said_in_one_line_with_its_last_output() {
    let rehearsal = Rehearsal::new(LaunchCommand::Shell("echo DATABASE_URL is not set >&2; exit 2".to_owned()));
    rehearsal.want_task();
    let task = rehearsal.task(TaskStatus::Stopped).await;
    let stopped = task.stopped.expect("a stopped task has a reason");
    assert_eq!((stopped.code, task.exit_code, task.started_at), ("TaskFailedToStart", Some(2), None));
    let said = rehearsal.last_said();
    let (before, after) = said.split_once(" on port ").expect("it says the port");
    assert_eq!(
        before,
        "green task 1f3c9a2b failed to start: `echo DATABASE_URL is not set >&2; exit 2` ended before it listened"
    );
    assert!(after.ends_with(" ($PORT): exit status 2; its last output: DATABASE_URL is not set"), "{after}");
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_said_by_name() {
    let rehearsal = Rehearsal::new(LaunchCommand::Program(vec!["no-such-app".to_owned()]));
    rehearsal.want_task();
    let stopped = rehearsal.task(TaskStatus::Stopped).await.stopped.expect("a stopped task has a reason");
    assert!(stopped.reason.starts_with("CannotStartContainerError: cannot start `no-such-app`: No such file"));
}

#[tokio::test]
async fn a_task_whose_process_ends_is_stopped_with_its_exit_code_and_last_lines() {
    let rehearsal = Rehearsal::listening("server.accept()\nprint('out of orders')\nsys.exit(3)");
    rehearsal.want_task();
    let task = rehearsal.task(TaskStatus::Stopped).await;
    let stopped = task.stopped.expect("a stopped task has a reason");
    assert_eq!(
        (stopped.code, stopped.reason.as_str()),
        ("EssentialContainerExited", "Essential container in task exited")
    );
    assert_eq!((task.exit_code, task.last_lines), (Some(3), vec!["out of orders".to_owned()]));
    assert_eq!(
        rehearsal.last_said(),
        "green task 1f3c9a2b stopped, Essential container in task exited: exit status 3; its last output: out of orders"
    );
}

#[tokio::test]
async fn a_task_that_is_told_to_stop_gets_sigterm_and_may_end_in_order() {
    let rehearsal = Rehearsal::new(python(&format!(
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n{LISTENS}\n\
         signal.sigwait([signal.SIGTERM])\nsys.exit(0)"
    )));
    let id = rehearsal.want_task();
    rehearsal.task(TaskStatus::Running).await;
    rehearsal.stop(id, TaskStatus::Stopping);
    let task = rehearsal.task(TaskStatus::Stopped).await;
    assert_eq!((task.exit_code, task.stopped), (Some(0), Some(scaled_in())));
}

#[tokio::test]
async fn a_task_that_ignores_sigterm_is_killed_after_thirty_seconds_of_the_worlds_time() {
    let rehearsal = Rehearsal::new(python(&format!(
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{LISTENS}\ntime.sleep(600)"
    )));
    let id = rehearsal.want_task();
    rehearsal.task(TaskStatus::Running).await;
    let asked = rehearsal.world.now();
    rehearsal.stop(id, TaskStatus::Stopping);
    let task = rehearsal.task(TaskStatus::Stopped).await;
    assert_eq!((task.exit_code, task.stopped), (Some(137), Some(scaled_in())));
    assert!(task.stopped_at.is_some_and(|at| at.duration_since(asked).as_secs() >= 30));
}

#[tokio::test]
async fn a_task_that_is_not_wanted_any_more_before_it_started_never_starts() {
    for status in [TaskStatus::Provisioning, TaskStatus::Stopping] {
        let rehearsal = Rehearsal::new(LaunchCommand::Shell("touch started; sleep 600".to_owned()));
        let id = rehearsal.want_task();
        rehearsal.stop(id, status);
        let task = rehearsal.task(TaskStatus::Stopped).await;
        assert_eq!((task.exit_code, task.stopped), (None, Some(scaled_in())));
        assert!(!rehearsal.folder.path().join("started").exists());
    }
}

#[tokio::test]
async fn a_task_that_is_not_wanted_any_more_while_it_starts_is_stopped() {
    let rehearsal = Rehearsal::new(LaunchCommand::Shell("sleep 600".to_owned()));
    let id = rehearsal.want_task();
    rehearsal.task(TaskStatus::Pending).await;
    rehearsal.stop(id, TaskStatus::Pending);
    let task = rehearsal.task(TaskStatus::Stopped).await;
    assert_eq!((task.exit_code, task.stopped), (Some(143), Some(scaled_in())));
}

#[tokio::test]
async fn a_port_that_somebody_else_took_meanwhile_is_replaced_by_another() {
    let line = r#"
if test -e tried; then exec python3 -c 'import os, socket, time; s = socket.create_server(("", int(os.environ["PORT"]))); time.sleep(600)'; fi
touch tried
echo "Error: Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }"
exit 1"#;
    let rehearsal = Rehearsal::new(LaunchCommand::Shell(line.to_owned()));
    rehearsal.want_task();
    assert!(rehearsal.task(TaskStatus::Running).await.port.is_some());
}

#[tokio::test]
async fn nothing_runs_on_when_the_tasks_are_dropped() {
    let rehearsal = Rehearsal::listening("time.sleep(600)");
    rehearsal.want_task();
    let port = rehearsal.task(TaskStatus::Running).await.port.expect("a running task has a port");
    rehearsal.tasks.abort();
    let gone = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("its port is closed");
}

#[tokio::test]
async fn what_is_ordered_once_runs_in_the_containers_environment_without_a_port_and_is_not_restarted() {
    let rehearsal = Rehearsal::new(LaunchCommand::Shell("exit 1".to_owned()));
    rehearsal.world.update(|state| {
        let container = &mut state.task_definitions[0].containers[0];
        container.entry_point = vec!["sh".to_owned(), "-c".to_owned()];
        container.command = vec!["exit 9".to_owned()];
    });
    rehearsal.order(&[r#"echo "$COLOUR $DATABASE_URL $STEP${PORT:+ port}"; exit 4"#]);
    let task = rehearsal.task(TaskStatus::Stopped).await;
    let stopped = task.stopped.expect("a stopped task has a reason");
    assert_eq!((stopped.code, task.exit_code, task.port), ("EssentialContainerExited", Some(4), None));
    assert_eq!(task.last_lines, ["green postgres://db expand"]);
    assert!(task.started_at.is_some());
    assert_eq!(rehearsal.world.read(|state| state.tasks.len()), 1);
}

#[tokio::test]
async fn what_runs_once_ends_when_it_is_told_to() {
    let rehearsal = Rehearsal::new(LaunchCommand::Shell("exit 1".to_owned()));
    let id = rehearsal.order(&["sleep", "600"]);
    rehearsal.task(TaskStatus::Running).await;
    rehearsal.stop(id, TaskStatus::Stopping);
    let task = rehearsal.task(TaskStatus::Stopped).await;
    assert_eq!((task.exit_code, task.stopped), (Some(128 + 15), Some(scaled_in())));
}

#[tokio::test]
async fn an_order_that_names_no_program_fails_to_start() {
    let rehearsal = Rehearsal::new(LaunchCommand::Shell("exit 1".to_owned()));
    rehearsal.order(&["no-such-tool", "upgrade"]);
    let task = rehearsal.task(TaskStatus::Stopped).await;
    let stopped = task.stopped.expect("a stopped task has a reason");
    assert_eq!((stopped.code, task.exit_code), ("TaskFailedToStart", None));
    assert!(stopped.reason.starts_with("CannotStartContainerError: cannot start `no-such-tool upgrade`: No such file"));
}
