//! Measures the hooks beside a bare Lambda runtime and the same hook in Python: cold start, memory, size, and whether
//! anything that could be asked at once waits in line. Prints medians of one interleaved run and what they come to
//! against the budgets. Never a test: a machine under load must not fail one.

mod aws;
mod certificates;
mod chain;
mod cold_start;
mod figures;
mod migrations;
mod runtime_api;
mod world;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::aws::Aws;
use crate::cold_start::{Bench, Program};
use crate::figures::{Delayed, Figures};
use crate::world::{Standing, World};

const HOOKS: [&str; 5] =
    ["before-install", "after-install", "after-allow-test-traffic", "before-allow-traffic", "after-allow-traffic"];
/// The hook that is also written in Python.
const TWIN: &str = "after-install";
const DELAY: Duration = Duration::from_millis(50);

/// Measures greenlight's hooks against their budgets.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder with the built hooks and the bare runtime.
    #[arg(long, required_unless_present = "migrations_only")]
    binaries: Option<PathBuf>,
    /// The Python that has awslambdaric and boto3.
    #[arg(long, required_unless_present = "migrations_only")]
    python: Option<PathBuf>,
    /// The rehearsal, whose world the hooks are measured against.
    #[arg(long, required_unless_present = "migrations_only")]
    rehearse: Option<PathBuf>,
    /// Measures nothing but how fast many small migrations are applied.
    #[arg(long)]
    migrations_only: bool,
    /// Cold starts of each program.
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Runs of each hook with delayed calls.
    #[arg(long, default_value_t = 5)]
    delayed_rounds: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let (text, code) = match run(&Arguments::parse()).await {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error) => (format!("error: {error:#}\n"), ExitCode::FAILURE),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn run(arguments: &Arguments) -> Result<String> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    // Before the rehearsal runs, which would take turns with it.
    let migrations = figures::migrations(&migrations::measure(folder.path()).await?);
    let hooks = (&arguments.binaries, &arguments.python, &arguments.rehearse);
    let (Some(binaries), Some(python), Some(rehearse), false) = (hooks.0, hooks.1, hooks.2, arguments.migrations_only)
    else {
        return Ok(migrations);
    };
    let aws = Aws::start(folder.path()).await?;
    let bench = Bench { aws: &aws, folder: folder.path() };
    let python = std::path::absolute(python).context("the path of Python")?;
    let mut world = World::start(rehearse, &python, &HOOKS, folder.path()).await?;
    let text = tokio::select! {
        text = measure(&bench, arguments, binaries, &python, &mut world) => text,
        stopped = stopped() => stopped.and_then(|()| bail!("stopped before everything was measured")),
    };
    if text.is_err() {
        world.interrupt()?;
        world.end().await?;
        return text;
    }
    world.succeeded().await?;
    text.map(|text| text + &migrations)
}

/// Ctrl-C, or what a supervisor sends: the rehearsal has processes of its own and is asked to end them.
async fn stopped() -> Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminated.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

async fn measure(
    bench: &Bench<'_>,
    arguments: &Arguments,
    binaries: &Path,
    python: &Path,
    world: &mut World,
) -> Result<String> {
    let binaries = std::path::absolute(binaries).context("the folder of the binaries")?;
    let bare = binary(&binaries, "bare", false);
    let twin = in_python(python);
    let mut of_bare = Figures::new("bare lambda_runtime");
    let mut of_twin = Figures::new(&twin.name);
    let mut of_hooks = HOOKS.map(Figures::new);
    let mut delayed = Vec::new();
    for figures in &mut of_hooks {
        let hook = binary(&binaries, &figures.name, true);
        let parked = world.next().await?;
        bench.aws.forget();
        let standing = &parked.standing;
        if standing.hook != hook.name {
            bail!("it is the turn of {}, and the deployment stands at {}", hook.name, standing.hook);
        }
        // One more round than counted: the first fills the disk's cache and the tape of the world's answers.
        for round in 0..=arguments.rounds {
            let mut samples = vec![(bench.measure(&bare, standing, Duration::ZERO).await?, &mut of_bare)];
            samples.push((bench.measure(&hook, standing, Duration::ZERO).await?, &mut *figures));
            if hook.name == TWIN {
                samples.push((bench.measure(&twin, standing, Duration::ZERO).await?, &mut of_twin));
            }
            if round > 0 {
                samples.into_iter().for_each(|(sample, figures)| figures.add(&sample));
            }
        }
        delayed.push(delay(bench, &hook, standing, arguments.delayed_rounds).await?);
        parked.let_go().await?;
        figures.size = Some(size(&hook.command, python, bench.folder)?);
    }
    of_bare.size = Some(size(&bare.command, python, bench.folder)?);

    let all: Vec<&Figures> = [&of_bare].into_iter().chain(&of_hooks).chain([&of_twin]).collect();
    let mut text =
        format!("Cold starts, medians of {} interleaved rounds\n\n{}\n", arguments.rounds, figures::table(&all));
    text +=
        &format!("Every AWS call takes {} ms longer, medians of {}\n\n", DELAY.as_millis(), arguments.delayed_rounds);
    text.extend(delayed.iter().map(Delayed::line));
    text.push('\n');
    text += &format!("Budgets\n\n{}", figures::budgets(&of_bare, &of_hooks, &of_twin, TWIN, &delayed));
    Ok(text)
}

async fn delay(bench: &Bench<'_>, hook: &Program, standing: &Standing, rounds: usize) -> Result<Delayed> {
    let mut delayed = Delayed {
        name: hook.name.clone(),
        delay: DELAY,
        calls: 0,
        asked_twice: Vec::new(),
        chain: Vec::new(),
        late: Vec::new(),
        prompt: Vec::new(),
    };
    for _ in 0..rounds {
        delayed.prompt.extend(bench.measure(hook, standing, Duration::ZERO).await?.event);
        let sample = bench.measure(hook, standing, DELAY).await?;
        delayed.late.extend(sample.event);
        delayed.calls = sample.calls.len();
        delayed.asked_twice = chain::asked_twice(&sample.calls);
        delayed.chain = chain::longest(&standing.event, &sample.calls);
    }
    Ok(delayed)
}

fn binary(folder: &Path, name: &str, answers: bool) -> Program {
    Program {
        name: name.to_owned(),
        command: folder.join(name),
        arguments: Vec::new(),
        folder: folder.to_owned(),
        answers,
    }
}

/// The same hook in Python, run as Lambda runs it.
fn in_python(python: &Path) -> Program {
    Program {
        name: format!("{TWIN} in Python"),
        command: python.to_owned(),
        arguments: ["-m", "awslambdaric", "after_install.handler"].map(str::to_owned).to_vec(),
        folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("python"),
        answers: true,
    }
}

/// Bytes of a binary, and of the archive that Lambda would be given.
fn size(binary: &Path, python: &Path, folder: &Path) -> Result<(u64, u64)> {
    let bootstrap = folder.join("bootstrap");
    let archive = folder.join("function.zip");
    std::fs::copy(binary, &bootstrap).with_context(|| format!("{} cannot be read", binary.display()))?;
    let zipped = std::process::Command::new(python)
        .args(["-m", "zipfile", "-c"])
        .args([&archive, &bootstrap])
        .status()
        .context("Python cannot be started")?;
    if !zipped.success() {
        bail!("{} cannot be put into an archive", binary.display());
    }
    Ok((std::fs::metadata(&bootstrap)?.len(), std::fs::metadata(&archive)?.len()))
}
