//! Measures the hooks beside a bare Lambda runtime and the same hook in Python: cold start, memory, size, and whether
//! anything that could be asked at once waits in line. Prints medians of one interleaved run and what they come to
//! against the budgets. Never a test: a machine under load must not fail one.

mod aws;
mod certificates;
mod chain;
mod cold_start;
mod figures;
mod runtime_api;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::aws::Aws;
use crate::cold_start::{Bench, Program, Standing};
use crate::figures::{Delayed, Figures};

const HOOKS: [&str; 5] =
    ["before-install", "after-install", "after-allow-test-traffic", "before-allow-traffic", "after-allow-traffic"];
/// The hook that is also written in Python.
const TWIN: &str = "after-install";
const DELAY: Duration = Duration::from_millis(50);

/// Measures greenlight's hooks against their budgets.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder with the built hooks and the bare runtime.
    #[arg(long)]
    binaries: PathBuf,
    /// The Python that has awslambdaric and boto3.
    #[arg(long)]
    python: PathBuf,
    /// A JSON list of worlds that stand still at a hook's lifecycle event: hook, endpoint, event, environment. Without
    /// one, only what needs no AWS is measured.
    #[arg(long)]
    standings: Option<PathBuf>,
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
    let standings: Vec<Standing> = match &arguments.standings {
        None => Vec::new(),
        Some(path) => serde_json::from_slice(&std::fs::read(path).with_context(|| path.display().to_string())?)
            .with_context(|| format!("{} is no list of worlds", path.display()))?,
    };
    if let Some(unknown) = standings.iter().find(|standing| !HOOKS.contains(&standing.hook.as_str())) {
        bail!("there is no hook {}; the hooks are {}", unknown.hook, HOOKS.join(", "));
    }
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let aws = Aws::start(folder.path()).await?;
    let bench = Bench { aws: &aws, folder: folder.path() };
    measure(&bench, arguments, &standings).await
}

async fn measure(bench: &Bench<'_>, arguments: &Arguments, standings: &[Standing]) -> Result<String> {
    let standing = |hook: &str| standings.iter().find(|standing| standing.hook == hook);
    let binaries = std::path::absolute(&arguments.binaries).context("the folder of the binaries")?;
    let hooks = HOOKS.map(|hook| binary(&binaries, hook, true));
    let bare = binary(&binaries, "bare", false);
    let python = python(&arguments.python)?;

    let mut of_bare = Figures::new("bare lambda_runtime");
    let mut of_python = Figures::new("after-install in Python");
    let mut of_hooks = HOOKS.map(Figures::new);
    // One more round than counted: the first fills the disk's cache and the tape of the world's answers.
    for round in 0..=arguments.rounds {
        let sample = bench.measure(&bare, standings.first(), Duration::ZERO).await?;
        if round > 0 {
            of_bare.add(&sample);
        }
        for (hook, figures) in hooks.iter().zip(&mut of_hooks) {
            let sample = bench.measure(hook, standing(&hook.name), Duration::ZERO).await?;
            if round > 0 {
                figures.add(&sample);
            }
        }
        let sample = bench.measure(&python, standing(TWIN), Duration::ZERO).await?;
        if round > 0 {
            of_python.add(&sample);
        }
    }
    let mut delayed = Vec::new();
    for hook in &hooks {
        if let Some(standing) = standing(&hook.name) {
            delayed.push(delay(bench, hook, standing, arguments.delayed_rounds).await?);
        }
    }
    of_bare.size = Some(size(&bare.command, &arguments.python, bench.folder)?);
    for (hook, figures) in hooks.iter().zip(&mut of_hooks) {
        figures.size = Some(size(&hook.command, &arguments.python, bench.folder)?);
    }

    let all: Vec<&Figures> = [&of_bare].into_iter().chain(&of_hooks).chain([&of_python]).collect();
    let mut text =
        format!("Cold starts, medians of {} interleaved rounds\n\n{}\n", arguments.rounds, figures::table(&all));
    if !delayed.is_empty() {
        text += &format!("Every AWS call takes {} ms, medians of {}\n\n", DELAY.as_millis(), arguments.delayed_rounds);
        text.extend(delayed.iter().map(Delayed::line));
        text.push('\n');
    }
    text += &format!("Budgets\n\n{}", figures::budgets(&of_bare, &of_hooks, &of_python, TWIN, &delayed));
    Ok(text)
}

async fn delay(bench: &Bench<'_>, hook: &Program, standing: &Standing, rounds: usize) -> Result<Delayed> {
    let mut delayed = Delayed { name: hook.name.clone(), delay: DELAY, calls: 0, chain: Vec::new(), took: Vec::new() };
    for _ in 0..rounds {
        let sample = bench.measure(hook, Some(standing), DELAY).await?;
        delayed.calls = sample.calls.len();
        delayed.chain = chain::longest(&standing.event, &sample.calls);
        delayed.took.extend(sample.event);
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
fn python(python: &Path) -> Result<Program> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    Ok(Program {
        name: format!("{TWIN} in Python"),
        command: std::path::absolute(python).context("the path of Python")?,
        arguments: ["-m", "awslambdaric", "after_install.handler"].map(str::to_owned).to_vec(),
        folder,
        answers: true,
    })
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
