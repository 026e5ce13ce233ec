//! One cold start: a fresh process, from its start to the end of its first event.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::aws::{ANSWER, Aws, Call};
use crate::chain;
use crate::runtime_api::{RuntimeApi, TIMEOUT};
use crate::world::Standing;

/// A function to be measured.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) command: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) folder: PathBuf,
    /// Whether it answers CodeDeploy; the bare runtime only takes its event.
    pub(crate) answers: bool,
}

/// What one cold start took.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Process start to first `next`.
    pub(crate) init: Duration,
    /// What the hook waited on purpose before it asked again.
    pub(crate) waited: Duration,
    /// Process start until the answer was delivered, without such waits; for the bare runtime, until it was done with its event.
    pub(crate) answer: Option<Duration>,
    /// From the event until the answer was answered, with such waits.
    pub(crate) event: Option<Duration>,
    /// CPU time of all of it: what the machine's load does not change much.
    pub(crate) cpu: Duration,
    /// Peak resident set in KiB.
    pub(crate) peak: u64,
    pub(crate) calls: Vec<Call>,
}

/// Where and how a program is run.
pub(crate) struct Bench<'a> {
    pub(crate) aws: &'a Aws,
    /// Holds the log of the program that runs.
    pub(crate) folder: &'a Path,
}

impl Bench<'_> {
    /// Starts `program` in this world and measures it.
    pub(crate) async fn measure(&self, program: &Program, standing: &Standing, delay: Duration) -> Result<Sample> {
        let log = self.folder.join("log");
        let measured = tokio::time::timeout(TIMEOUT, self.run(program, standing, delay, &log)).await;
        measured
            .unwrap_or_else(|_| bail!("it did not answer in {} s", TIMEOUT.as_secs()))
            .with_context(|| format!("{} cannot be measured; the end of its log:\n{}", program.name, last_lines(&log)))
    }

    async fn run(&self, program: &Program, standing: &Standing, delay: Duration, log: &Path) -> Result<Sample> {
        self.aws.begin(&standing.endpoint, delay);
        let api = RuntimeApi::start(&standing.event).await?;
        let mut command = self.command(program, standing, &api, log)?;
        let started = Instant::now();
        let mut process = command.spawn().with_context(|| format!("{} does not start", program.command.display()))?;
        let asked = tokio::select! {
            asked = api.asked() => asked?,
            status = process.wait() => bail!("it ended before it asked for an event: {}", status?),
        };
        let mut sample = Sample {
            init: asked - started,
            waited: Duration::ZERO,
            answer: None,
            event: None,
            cpu: Duration::ZERO,
            peak: 0,
            calls: Vec::new(),
        };
        let done = tokio::select! {
            done = api.done() => done?,
            status = process.wait() => bail!("it ended before it was done: {}", status?),
        };
        if program.answers {
            sample.calls = self.aws.until_answered().await;
            let answer = yes(&sample.calls)?;
            let (arrived, answered) = (answer.arrived, answer.answered);
            sample.waited = chain::waits(&sample.calls);
            sample.answer = Some(arrived - started - sample.waited);
            sample.event = Some(answered - asked);
        } else {
            sample.answer = Some(done - started);
        }
        sample.peak = peak(&process)?;
        sample.cpu = cpu(&process)?;
        process.kill().await?;
        Ok(sample)
    }

    fn command(&self, program: &Program, standing: &Standing, api: &RuntimeApi, log: &Path) -> Result<Command> {
        let log = std::fs::File::create(log).context("the program's log cannot be written")?;
        let mut command = Command::new(&program.command);
        command
            .args(&program.arguments)
            .current_dir(&program.folder)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
            .env("AWS_ENDPOINT_URL", &self.aws.url)
            .env("AWS_CA_BUNDLE", &self.aws.authority)
            .env("LAMBDA_TASK_ROOT", &program.folder)
            .env("AWS_LAMBDA_FUNCTION_NAME", format!("CodeDeployHook_greenlight-{}", program.name))
            .envs([
                ("AWS_REGION", "eu-west-1"),
                ("AWS_DEFAULT_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "bench"),
                ("AWS_SECRET_ACCESS_KEY", "bench"),
                ("AWS_SESSION_TOKEN", "bench"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
                ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
                ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ])
            .envs(&standing.environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true);
        Ok(command)
    }
}

/// The hook's answer, if it is a yes: a hook that gives up early would otherwise look fast.
fn yes(calls: &[Call]) -> Result<&Call> {
    let answer = calls.iter().find(|call| call.operation == ANSWER).context("it was done and had not answered")?;
    let said: Value = serde_json::from_slice(&answer.request).context("its answer is not JSON")?;
    match said["status"].as_str() {
        Some("Succeeded") => Ok(answer),
        other => bail!("it answered {}, so what it took says nothing", other.unwrap_or("without a status")),
    }
}

fn peak(process: &Child) -> Result<u64> {
    let id = process.id().context("the process has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).context("peak memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("/proc knows no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Of all threads.
fn cpu(process: &Child) -> Result<Duration> {
    let id = process.id().context("the process has ended")?;
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{id}/task")).context("CPU time is read from /proc")? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|on_cpu| on_cpu.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
