//! `rehearse serve` as a pipeline uses it: the real program with the real hooks, and AWS's own Python client.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

#[path = "support/programs.rs"]
mod programs;
#[path = "support/python.rs"]
mod python;

/// Blue serves within this time, also on a machine with much else to do.
const OPENS_WITHIN: Duration = Duration::from_secs(120);

/// A world that is open, and what it has printed.
struct World {
    rehearse: Child,
    lines: Receiver<String>,
    welcome: String,
}

impl World {
    /// Waits for the last line of the welcome.
    fn open(arguments: &[&str]) -> Self {
        let mut rehearse = Command::new(programs::rehearse())
            .arg("serve")
            .args(arguments)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(rehearse.stdout.take().unwrap());
        let (sender, lines) = channel();
        // Ends with the program.
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut welcome = String::new();
        while !welcome.contains("Ctrl-C ends it") {
            let line = lines.recv_timeout(OPENS_WITHIN).unwrap_or_else(|_| panic!("it does not open:\n{welcome}"));
            welcome.push_str(&line);
            welcome.push('\n');
        }
        Self { rehearse, lines, welcome }
    }

    /// Whatever a shell makes of the printed `export` lines.
    fn variables(&self) -> Vec<(String, String)> {
        let exports = self.welcome.lines().filter_map(|line| line.trim().strip_prefix("export "));
        exports.filter_map(|it| it.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// A line of the welcome.
    fn named(&self, what: &str) -> &str {
        let line = self.welcome.lines().find_map(|line| line.trim().strip_prefix(what));
        line.unwrap_or_else(|| panic!("no {what} in:\n{}", self.welcome)).trim()
    }

    /// Runs tests of AWS's own client against it, ends it, and returns what it printed after the welcome.
    fn used_by(self, tests: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let mut pipeline = Command::new(python::python());
        pipeline.arg("-B").args(["-m", "unittest", "--verbose", "--failfast", tests]);
        pipeline.current_dir(folder.join("serve")).env("PYTHONPATH", folder.join("boto3"));
        pipeline.envs(self.variables());
        let run = pipeline.output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        let printed = self.ctrl_c();
        assert!(run.status.success() && !said.contains("Ran 0 tests"), "{said}\n{printed}");
        printed
    }

    /// Runs a script of the repository against it, with the AWS CLI that lies beside the Python: what it says, and its exit code.
    fn script(&self, script: &str, arguments: &[&str]) -> (String, Option<i32>) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let python = python::python();
        let programs = python.parent().unwrap().as_os_str().to_owned();
        let path = [programs, std::env::var_os("PATH").unwrap()].join(std::ffi::OsStr::new(":"));
        let mut run = Command::new(root.join(script));
        run.args(arguments).env("PATH", path).env("REHEARSE", programs::rehearse()).env("DEPLOY_POLL_SECONDS", "0.2");
        let run = run.envs(self.variables()).output().unwrap();
        (String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned(), run.status.code())
    }

    /// Presses Ctrl-C, as a terminal does it for the whole group, and returns what it prints after the welcome.
    fn ctrl_c(mut self) -> String {
        killpg(Pid::from_raw(self.rehearse.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        assert!(self.rehearse.wait().unwrap().success(), "Ctrl-C is how it ends");
        self.lines.iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind; one that did not has ended it already.
        if matches!(self.rehearse.try_wait(), Ok(None)) {
            let _ = kill(Pid::from_raw(self.rehearse.id().try_into().unwrap()), Signal::SIGTERM);
            let _ = self.rehearse.wait();
        }
    }
}

#[test]
fn a_pipeline_deploys_is_stopped_by_a_hook_and_stops_a_deployment_itself() {
    let world = World::open(&["canary", "--pace", "60"]);
    let transcript = world.used_by("test_pipeline");
    for words in [
        "calls CodeDeployHook_greenlight-after-allow-traffic",
        "STOP  after-allow-test-traffic  shop/orders",
        "all production traffic is on blue",
        "production requests\nphase",
        "\nbetween deployments ",
    ] {
        assert!(transcript.contains(words), "no {words:?} in\n{transcript}");
    }
    nobody_lost_a_request(&transcript);
}

/// What .github/workflows/deploy.yml runs, with the AWS CLI. The task definition's label is the plan, which knows green by the tag of its
/// image: a pipeline knows that before the task definition has a number.
#[test]
fn the_pipelines_script_deploys_an_image_and_prints_what_each_hook_said() {
    let world = World::open(&["the-environment", "--pace", "60"]);
    let (said, code) = world.script("scripts/deploy", &["orders", "2"]);
    assert_eq!(code, Some(0), "{said}");
    let verdicts: Vec<&str> = said.lines().filter(|line| line.starts_with("GO  ")).collect();
    let hooks =
        ["before-install", "after-install", "after-allow-test-traffic", "before-allow-traffic", "after-allow-traffic"];
    for (line, hook) in verdicts.iter().zip(hooks) {
        assert!(line.starts_with(&format!("GO  {hook}  orders/orders  d-")), "{line}");
    }
    assert_eq!(verdicts.len(), hooks.len(), "{said}");
    assert!(said.contains("deploy: AllowTraffic: Succeeded\n") && said.ends_with("deploy: Succeeded\n"), "{said}");

    let (said, code) = world.script("scripts/deploy", &["orders", "never-pushed"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("images-exist: repository orders has no image orders:never-pushed"), "{said}");
    assert!(said.contains("deploy: Failed: The BeforeInstall hook "), "{said}");
    let (said, code) = world.script("scripts/deploy", &["orders"]);
    assert_eq!((said.as_str(), code), ("usage: scripts/deploy SERVICE IMAGE_TAG\n", Some(2)));
    nobody_lost_a_request(&world.ctrl_c());
}

/// Of a service whose deployments ECS carries out; without hooks of greenlight's.
const NATIVE: &str = "
story: A pipeline deploys by itself.
engine: ecs
service: { database: false }
hooks:
  before_install: { none: true }
  after_install: { none: true }
  after_allow_test_traffic: { none: true }
  before_allow_traffic: { none: true }
  after_allow_traffic: { none: true }
on_ecs: { bake: 1m, pauses: [{ stage: POST_TEST_TRAFFIC_SHIFT }] }
";

#[test]
fn a_pipeline_deploys_by_ecs_decides_at_a_pause_and_stops_a_deployment_itself() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("native.yaml");
    std::fs::write(&scenario, NATIVE).unwrap();
    let world = World::open(&[scenario.to_str().unwrap(), "--pace", "60"]);
    assert_eq!(world.named("deployments by"), "ECS itself");
    assert_eq!(world.named("target groups"), "orders-1, orders-2");
    assert!(
        world.welcome.contains("aws ecs update-service --cluster shop --service orders --task-definition orders:2")
    );
    let transcript = world.used_by("test_native");
    for words in ["a person lets it go on", "is SUCCESSFUL", "is ROLLBACK_SUCCESSFUL: it was stopped on request"] {
        assert!(transcript.contains(words), "no {words:?} in\n{transcript}");
    }
    nobody_lost_a_request(&transcript);
}

fn nobody_lost_a_request(transcript: &str) {
    let total = transcript.lines().rfind(|line| line.starts_with("total")).unwrap();
    let lost = total.rsplit("  ").filter(|cell| !cell.trim().is_empty()).nth(2);
    assert_eq!(lost.map(str::trim), Some("0"), "no user loses a request: {total}");
}

/// The lines are there to be copied.
#[test]
fn what_it_prints_works_and_nothing_is_left_after_ctrl_c() {
    let world = World::open(&["canary"]);
    for listener in ["production", "test listener"] {
        let url = world.named(listener).split(',').next().unwrap();
        let answer = get(url);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("orders 1"), "{url}: {answer}");
    }
    assert_eq!(world.named("application, group"), "orders, orders");
    assert_eq!(world.named("cluster, service"), "shop, orders");
    assert_eq!(world.named("task definitions"), "orders:1 serves, orders:2 is registered");
    assert_eq!(world.named("alarms"), "orders-unhealthy-hosts, orders-5xx");
    assert_eq!(world.named("secrets"), "orders/migrator");
    let ports: Vec<String> = ["production", "test listener"]
        .iter()
        .map(|it| world.named(it).split(',').next().unwrap().to_owned())
        .collect();
    let endpoint = world.variables().into_iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").unwrap().1;

    let printed = world.ctrl_c();
    assert!(printed.contains("production requests\nphase") && printed.contains("\nbefore "), "{printed}");
    for url in ports.iter().chain([&endpoint]) {
        let address = url.trim_start_matches("http://");
        assert!(std::net::TcpStream::connect(address).is_err(), "something still listens on {address}");
    }
}

/// Somebody only wanted to see what it prints.
#[test]
fn users_have_been_answered_before_it_says_that_they_send_requests() {
    let printed = World::open(&["canary"]).ctrl_c();
    assert!(printed.contains("production requests\nphase") && printed.contains("\nbefore "), "{printed}");
}

fn get(url: &str) -> String {
    use std::io::Write;
    let address = url.trim_start_matches("http://");
    let mut connection = std::net::TcpStream::connect(address).unwrap();
    write!(connection, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}
