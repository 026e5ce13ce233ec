//! Functions here are small Python programs that speak the Runtime API by themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::task::JoinHandle;

use super::{Settings, run};
use crate::clock::Clock;
use crate::world::World;
use crate::world::functions::{Function, Invocation, InvocationStatus, LATEST};

/// Serves for ever with the `handle(event, id)` that each test puts in front of it.
const LOOP: &str = r#"
connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def call(method, path, body=None):
    connection.request(method, "/2018-06-01/runtime/" + path, body)
    answer = connection.getresponse()
    return answer, answer.read().decode()

while True:
    answer, event = call("GET", "invocation/next")
    id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    result = handle(event, id)
    if result is not None:
        call("POST", f"invocation/{id}/response", result)
"#;

struct Rehearsal {
    world: Arc<World>,
    functions: JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Rehearsal {
    fn new() -> Self {
        let world = Arc::new(World::new(Clock::new()));
        let settings = Settings { endpoint_url: "http://127.0.0.1:1".to_owned(), reaper: None };
        let functions = tokio::spawn(run(Arc::clone(&world), settings));
        Self { world, functions, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Adds a function whose `handle` is this; `FOLDER` in it is an empty folder.
    fn function(&self, name: &str, handle: &str) {
        self.function_with(name, handle, |_| {});
    }

    fn function_with(&self, name: &str, handle: &str, change: impl FnOnce(&mut Function)) {
        let folder = self.folder.path().display();
        let program = format!(
            "import http.client, json, os, signal, subprocess, sys, time\nFOLDER = '{folder}'\n{handle}\n{LOOP}"
        );
        let mut function = Function {
            name: name.to_owned(),
            version: LATEST.to_owned(),
            colour: None,
            command: vec![python().to_owned(), "-u".to_owned(), "-c".to_owned(), program],
            environment: BTreeMap::new(),
            timeout: Duration::from_secs(20),
            memory_mib: 512,
            pace: 1.0,
            access_key: format!("AKIA{name}"),
            role: None,
            max_retries: 0,
            killed_after: None,
            told_left_ms: None,
            on_failure: None,
            subscription: None,
        };
        change(&mut function);
        self.world.update(|state| {
            state.functions.retain(|it| it.name != name);
            state.functions.push(function);
        });
    }

    fn queue(&self, function: &str, payload: &str) -> String {
        let now = self.world.now();
        self.world.update(|state| state.invoke(function, payload, now))
    }

    async fn ended(&self, id: &str) -> Invocation {
        self.world.until(|state| state.invocation(id).filter(|it| it.status.is_final()).cloned()).await
    }

    async fn invoke(&self, function: &str, payload: &str) -> Invocation {
        self.ended(&self.queue(function, payload)).await
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

/// The interpreter itself, not a script that looks for it.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        let output = output.expect("the tests need python3");
        String::from_utf8(output.stdout).expect("a path in UTF-8").trim().to_owned()
    })
}

fn returned(invocation: &Invocation) -> &str {
    match &invocation.status {
        InvocationStatus::Returned(text) => text,
        other => panic!("it ended otherwise: {other:?}; log: {:?}", invocation.log),
    }
}

fn errored(invocation: &Invocation) -> serde_json::Value {
    match &invocation.status {
        InvocationStatus::Errored(text) => serde_json::from_str(text).expect("an error is JSON"),
        other => panic!("it ended otherwise: {other:?}; log: {:?}", invocation.log),
    }
}

/// `T` of a process that is stopped, `S` of one that sleeps, …; `None` of one that is gone.
fn state_of(process: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

async fn becomes(what: &str, mut look: impl FnMut() -> bool) {
    let looking = async {
        while !look() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), looking).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn is_gone(process: i32) -> bool {
    kill(Pid::from_raw(process), None).is_err() || state_of(process) == Some('Z')
}

#[tokio::test]
async fn a_function_gets_its_event_and_its_answer_and_lines_are_kept() {
    let rehearsal = Rehearsal::new();
    rehearsal.function(
        "hook",
        r#"
def handle(event, id):
    print("first")
    print("second", file=sys.stderr)
    print("third, without an end", end="")
    return json.dumps({"got": json.loads(event)})
"#,
    );
    let invocation = rehearsal.invoke("hook", r#"{"DeploymentId":"d-1"}"#).await;
    assert_eq!(returned(&invocation), r#"{"got": {"DeploymentId": "d-1"}}"#);
    assert_eq!(invocation.log, ["first", "second", "third, without an end"]);
    assert!(invocation.cold);
    assert!(invocation.init.is_some() && invocation.took.is_some() && invocation.ended_at.is_some());
}

#[tokio::test]
async fn a_second_invocation_is_warm_and_has_a_log_of_its_own() {
    let rehearsal = Rehearsal::new();
    rehearsal.function("hook", "print('init')\ndef handle(event, id):\n    print(event)\n    return str(os.getpid())");
    let first = rehearsal.invoke("hook", "1").await;
    let process: i32 = returned(&first).parse().expect("a process id");
    becomes("frozen", || state_of(process) == Some('T')).await;
    let second = rehearsal.invoke("hook", "2").await;
    assert_eq!(returned(&second), returned(&first));
    assert!(first.cold && !second.cold);
    assert_eq!((first.log, second.log), (vec!["init".to_owned(), "1".to_owned()], vec!["2".to_owned()]));
}

/// Work that goes on after the answer finishes on a laptop, but not on Lambda: the rehearsal must show it.
#[tokio::test]
async fn work_left_behind_stops_with_the_answer_and_goes_on_with_the_next_event() {
    let rehearsal = Rehearsal::new();
    rehearsal.function(
        "hook",
        r#"
worker = None
def handle(event, id):
    global worker
    if worker is None:
        worker = subprocess.Popen(["sh", "-c", f"while :; do echo >> {FOLDER}/work; done"])
        while not os.path.exists(FOLDER + "/work"):
            time.sleep(0.001)
    else:
        before = os.path.getsize(FOLDER + "/work")
        while os.path.getsize(FOLDER + "/work") == before:
            time.sleep(0.001)
    return str(worker.pid)
"#,
    );
    rehearsal.function("other", "def handle(event, id):\n    return 'ok'");
    let worker: i32 = returned(&rehearsal.invoke("hook", "1").await).parse().expect("a process id");
    becomes("frozen", || state_of(worker) == Some('T')).await;
    let length = || std::fs::metadata(rehearsal.file("work")).map_or(0, |it| it.len());
    let before = length();
    rehearsal.invoke("other", "1").await;
    assert_eq!(length(), before);
    assert_eq!(returned(&rehearsal.invoke("hook", "2").await), worker.to_string());
}

#[tokio::test]
async fn the_timeout_kills_without_a_signal_first_and_the_next_start_is_cold() {
    let rehearsal = Rehearsal::new();
    rehearsal.function_with(
        "hook",
        r#"
def told(*_):
    open(FOLDER + "/told", "w").close()
signal.signal(signal.SIGTERM, told)
def handle(event, id):
    print(os.getpid())
    if event == "1":
        time.sleep(60)
    return "ok"
"#,
        |function| function.timeout = Duration::from_millis(300),
    );
    let first = rehearsal.invoke("hook", "1").await;
    assert_eq!(first.status, InvocationStatus::TimedOut);
    assert!(first.took.is_some_and(|took| took >= Duration::from_millis(300)));
    assert!(is_gone(first.log[0].parse().expect("a process id")));
    assert!(!rehearsal.file("told").exists());
    let second = rehearsal.invoke("hook", "2").await;
    assert_eq!(returned(&second), "ok");
    assert!(second.cold);
    assert_ne!(first.log, second.log);
}

#[tokio::test]
async fn a_function_that_uses_more_than_its_memory_is_killed() {
    let rehearsal = Rehearsal::new();
    rehearsal.function_with(
        "hook",
        "def handle(event, id):\n    kept = bytearray(os.urandom(1024)) * (200 * 1024)\n    time.sleep(60)\n    return 'ok'",
        |function| function.memory_mib = 64,
    );
    let invocation = rehearsal.invoke("hook", "1").await;
    assert_eq!(invocation.status, InvocationStatus::OutOfMemory);
    assert!(invocation.peak_memory.is_some_and(|peak| peak > 64 * 1024 * 1024));
}

#[tokio::test]
async fn the_memory_of_what_a_function_has_started_counts() {
    let rehearsal = Rehearsal::new();
    rehearsal.function_with(
        "hook",
        r#"
def handle(event, id):
    subprocess.run([sys.executable, "-c", "import time; kept = b'x' * (200 * 1024 * 1024); time.sleep(60)"])
    return "ok"
"#,
        |function| function.memory_mib = 128,
    );
    assert_eq!(rehearsal.invoke("hook", "1").await.status, InvocationStatus::OutOfMemory);
}

#[tokio::test]
async fn a_function_that_ends_before_it_answered_has_crashed() {
    let rehearsal = Rehearsal::new();
    rehearsal.function("exits", "def handle(event, id):\n    print('no database')\n    os._exit(3)");
    rehearsal.function("dies", "def handle(event, id):\n    os.kill(os.getpid(), signal.SIGSEGV)");
    rehearsal.function("dies_early", "sys.exit(4)");
    let exits = rehearsal.invoke("exits", "1").await;
    assert_eq!(exits.status, InvocationStatus::Crashed("exit status 3".to_owned()));
    assert_eq!(exits.log, ["no database"]);
    assert_eq!(rehearsal.invoke("dies", "1").await.status, InvocationStatus::Crashed("signal SIGSEGV".to_owned()));
    assert_eq!(rehearsal.invoke("dies_early", "1").await.status, InvocationStatus::Crashed("exit status 4".to_owned()));
    let said: Vec<String> =
        rehearsal.world.read(|state| state.journal.entries.iter().map(|entry| entry.text.clone()).collect());
    assert_eq!(said[0], "exits ended before it answered, exit status 3; its last output: no database");
}

#[tokio::test]
async fn a_function_sees_lambdas_environment_and_nothing_else() {
    let rehearsal = Rehearsal::new();
    rehearsal.function_with(
        "hook",
        r#"
def handle(event, id):
    variables = open("/proc/self/environ").read().split("\0")
    return json.dumps(dict(it.split("=", 1) for it in variables if it))
"#,
        |function| {
            function.environment.insert("GREENLIGHT_PLAN".to_owned(), "{}".to_owned());
            function.environment.insert("AWS_REGION".to_owned(), "a reserved name".to_owned());
        },
    );
    let invocation = rehearsal.invoke("hook", "1").await;
    let mut seen: BTreeMap<String, String> = serde_json::from_str(returned(&invocation)).expect("an object");
    let api = seen.remove("AWS_LAMBDA_RUNTIME_API").expect("it is how it got its event");
    assert!(api.starts_with("127.0.0.1:"));
    let stream = seen.remove("AWS_LAMBDA_LOG_STREAM_NAME").expect("every environment has a stream");
    assert!(stream.contains("/[$LATEST]"), "{stream}");
    let task_root = Path::new(python()).parent().expect("a folder").display().to_string();
    let expected = [
        ("AWS_ACCESS_KEY_ID", "AKIAhook"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_FUNCTION_NAME", "hook"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", "Text"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/hook"),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_SECRET_ACCESS_KEY", "rehearsal"),
        ("AWS_SESSION_TOKEN", "rehearsal"),
        ("GREENLIGHT_PLAN", "{}"),
        ("LAMBDA_RUNTIME_DIR", &task_root),
        ("LAMBDA_TASK_ROOT", &task_root),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("TZ", ":UTC"),
        ("_HANDLER", "bootstrap"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(seen, BTreeMap::from(expected));
}

#[tokio::test]
async fn an_event_comes_with_its_deadline_and_the_functions_arn() {
    let rehearsal = Rehearsal::new();
    rehearsal.function(
        "hook",
        r#"
def handle(event, id):
    left = int(answer.headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time()
    trace = answer.headers["Lambda-Runtime-Trace-Id"]
    return json.dumps([0 < left <= 20, trace[:7], answer.headers["Lambda-Runtime-Invoked-Function-Arn"]])
"#,
    );
    assert_eq!(
        returned(&rehearsal.invoke("hook", "1").await),
        r#"[true, "Root=1-", "arn:aws:lambda:eu-west-1:123456789012:function:hook"]"#
    );
}

#[tokio::test]
async fn an_error_is_kept_as_the_function_told_it() {
    let rehearsal = Rehearsal::new();
    rehearsal.function(
        "hook",
        r#"
def handle(event, id):
    call("POST", f"invocation/{id}/error", json.dumps({"errorType": "EventError", "errorMessage": "no id"}))
"#,
    );
    rehearsal.function(
        "unborn",
        r#"
os_api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
os_api.request("POST", "/2018-06-01/runtime/init/error", json.dumps({"errorType": "Runtime.NoPlan", "errorMessage": "x"}))
sys.exit(1 if os_api.getresponse().status == 202 else 2)
"#,
    );
    assert_eq!(errored(&rehearsal.invoke("hook", "1").await)["errorType"], "EventError");
    assert_eq!(errored(&rehearsal.invoke("unborn", "1").await)["errorType"], "Runtime.NoPlan");
    let said: Vec<String> =
        rehearsal.world.read(|state| state.journal.entries.iter().map(|entry| entry.text.clone()).collect());
    assert!(said[0].ends_with(": EventError: no id"), "{said:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_the_documented_statuses() {
    let rehearsal = Rehearsal::new();
    rehearsal.function(
        "hook",
        r#"
def handle(event, id):
    unknown, body = call("POST", "invocation/not-an-id/response", "x")
    early, _ = call("GET", "invocation/next")
    late, _ = call("POST", "init/error", "{}")
    nowhere, _ = call("GET", "nothing")
    seen = [unknown.status, json.loads(body)["errorType"], early.status, late.status, nowhere.status]
    first, body = call("POST", f"invocation/{id}/response", json.dumps(seen))
    again, _ = call("POST", f"invocation/{id}/response", "x")
    print(first.status, body, again.status)
"#,
    );
    let id = rehearsal.queue("hook", "1");
    assert_eq!(returned(&rehearsal.ended(&id).await), r#"[400, "InvalidRequestID", 403, 403, 404]"#);
    let log = rehearsal.world.until(|state| state.invocation(&id).map(|it| it.log.clone()).filter(|it| !it.is_empty()));
    assert_eq!(log.await, [r#"202 {"status":"OK"} 403"#]);
}

#[tokio::test]
async fn an_answer_above_six_megabytes_is_refused_and_the_function_lives_on() {
    let rehearsal = Rehearsal::new();
    rehearsal.function(
        "hook",
        r#"
status = 0
def handle(event, id):
    global status
    if event == "1":
        print(os.getpid())
        status = call("POST", f"invocation/{id}/response", "x" * (6 * 1024 * 1024 + 101))[0].status
    else:
        return str(status)
"#,
    );
    let first = rehearsal.invoke("hook", "1").await;
    assert_eq!(errored(&first)["errorType"], "Function.ResponseSizeTooLarge");
    let process = first.log[0].parse().expect("a process id");
    becomes("frozen", || state_of(process) == Some('T')).await;
    assert_eq!(returned(&rehearsal.invoke("hook", "2").await), "413");
}

#[tokio::test]
async fn what_cannot_be_started_is_said_in_one_line() {
    let rehearsal = Rehearsal::new();
    rehearsal.function_with("unbuilt", "", |it| it.command = vec!["/nowhere/bootstrap".to_owned()]);
    rehearsal.function_with("not_a_program", "", |it| it.command = vec!["./Cargo.toml".to_owned()]);
    let reason = |invocation: Invocation| match invocation.status {
        InvocationStatus::NotInvokable(reason) => reason,
        other => panic!("it ended otherwise: {other:?}"),
    };
    assert_eq!(reason(rehearsal.invoke("missing", "1").await), "there is no function named missing");
    assert_eq!(reason(rehearsal.invoke("unbuilt", "1").await), "its program /nowhere/bootstrap does not exist");
    let not_a_program = reason(rehearsal.invoke("not_a_program", "1").await);
    assert!(not_a_program.contains("Cargo.toml cannot be started: Permission denied"), "{not_a_program}");
}

#[tokio::test]
async fn two_invocations_at_once_are_served_by_two_processes() {
    let rehearsal = Rehearsal::new();
    rehearsal.function(
        "hook",
        r#"
def handle(event, id):
    open(f"{FOLDER}/{event}", "w").close()
    while len(os.listdir(FOLDER)) < 2:
        time.sleep(0.001)
    return str(os.getpid())
"#,
    );
    let (one, two) = (rehearsal.queue("hook", "1"), rehearsal.queue("hook", "2"));
    let (one, two) = (rehearsal.ended(&one).await, rehearsal.ended(&two).await);
    assert_ne!(returned(&one), returned(&two));
}

#[tokio::test]
async fn a_function_error_is_tried_again_after_one_minute_and_then_two() {
    let rehearsal = Rehearsal::new();
    rehearsal.function_with("hook", "def handle(event, id):\n    os._exit(1)", |function| function.max_retries = 2);
    let id = rehearsal.queue("hook", "1");
    let last = rehearsal
        .world
        .until(|state| state.invocation(&id).filter(|it| it.attempt == 3 && it.status.is_final()).cloned())
        .await;
    assert_eq!(last.retries_left, 0);
    let tries: Vec<Invocation> = rehearsal.world.read(|state| state.invocations.clone());
    let waited: Vec<i64> = tries
        .windows(2)
        .map(|pair| pair[1].queued_at.duration_since(pair[0].ended_at.expect("it ended")).as_secs())
        .collect();
    assert_eq!(tries.len(), 3);
    assert!(waited[0] >= 60 && waited[1] >= 120, "{waited:?}");
}

#[tokio::test]
async fn a_changed_function_gets_a_new_process() {
    let rehearsal = Rehearsal::new();
    rehearsal.function("hook", "def handle(event, id):\n    return str(os.getpid())");
    let old: i32 = returned(&rehearsal.invoke("hook", "1").await).parse().expect("a process id");
    becomes("frozen", || state_of(old) == Some('T')).await;
    rehearsal.function("hook", "def handle(event, id):\n    return 'new'");
    assert_eq!(returned(&rehearsal.invoke("hook", "2").await), "new");
    becomes("gone", || is_gone(old)).await;
}

#[tokio::test]
async fn nothing_runs_on_when_the_functions_are_dropped() {
    let rehearsal = Rehearsal::new();
    rehearsal.function(
        "hook",
        "worker = subprocess.Popen(['sleep', '600'])\ndef handle(event, id):\n    return f'{os.getpid()} {worker.pid}'",
    );
    let invocation = rehearsal.invoke("hook", "1").await;
    let processes: Vec<i32> = returned(&invocation).split(' ').map(|it| it.parse().expect("an id")).collect();
    rehearsal.functions.abort();
    becomes("gone", || processes.iter().all(|process| is_gone(*process))).await;
}

#[tokio::test]
async fn the_worlds_clock_runs_at_real_speed_while_a_function_works_and_fast_when_it_is_frozen() {
    let rehearsal = Rehearsal::new();
    rehearsal.function(
        "hook",
        r#"
def handle(event, id):
    print(os.getpid())
    while not os.path.exists(FOLDER + "/go"):
        time.sleep(0.001)
    return "ok"
"#,
    );
    let id = rehearsal.queue("hook", "1");
    let line = |state: &crate::world::State| state.invocation(&id)?.log.first().cloned();
    let process: i32 = rehearsal.world.until(line).await.parse().expect("a process id");
    let working = pace(&rehearsal.world).await;
    assert!((0.9..1.1).contains(&working), "{working}");
    std::fs::write(rehearsal.file("go"), "").expect("the folder is writable");
    rehearsal.ended(&id).await;
    becomes("frozen", || state_of(process) == Some('T')).await;
    let idle = pace(&rehearsal.world).await;
    assert!(idle > 100.0, "{idle}");
}

/// World seconds per real second, over ten milliseconds.
async fn pace(world: &World) -> f64 {
    let (began, before) = (std::time::Instant::now(), world.now());
    tokio::time::sleep(Duration::from_millis(10)).await;
    let (took, passed) = (began.elapsed(), world.now().duration_since(before));
    passed.as_secs_f64() / took.as_secs_f64()
}
