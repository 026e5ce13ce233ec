//! `rehearse run`.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use futures::stream::{self, StreamExt as _};
use greenlight::stage::Stage;
use rehearsal::database::Engine;
use rehearsal::mariadb;
use rehearsal::outcome::Outcome;
use rehearsal::reaper::Reaper;
use rehearsal::rehearsal::{Machine, Rehearsal, new_world};
use rehearsal::scenario::{self, DeploymentEngine, Instead, Loaded, TemplateSpec};
use rehearsal::setup::{hook_binary, report_failure_binary};
use rehearsal::transcript::Transcript;
use rehearsal::world::World;
use tokio::sync::mpsc;

use crate::terminal::{Interruptions, Page, fail, note, say};
use crate::{BAD_INPUT, all_scenarios, scenarios};

/// The scenario that is played when none is named.
pub(crate) const USUAL: &str = "canary";

#[derive(Args)]
pub(crate) struct Run {
    /// Names of scenarios that come with greenlight, or files; `canary` when there is none
    names: Vec<String>,
    /// Plays every scenario that comes with greenlight
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// A CloudFormation template that defines service, deployment group, listeners and alarms; again for each that it
    /// imports from
    #[arg(long, value_name = "FILE")]
    template: Vec<PathBuf>,
    /// A parameter of the templates
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter, requires = "template")]
    parameter: Vec<(String, String)>,
    /// Who carries out the deployments, whatever the scenarios say
    #[arg(long, value_name = "ENGINE", value_parser = engine)]
    engine: Option<DeploymentEngine>,
    /// How many are played side by side
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// Writes what came of it to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes what came of it to this file in Markdown, as for a pull request
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// The folder with the hooks' binaries, `.aws-sam/build` for instance; that of this program when missing
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<PathBuf>,
}

impl Run {
    pub(crate) async fn go(self) -> ExitCode {
        let paths = if self.all {
            all_scenarios()
        } else if self.names.is_empty() {
            vec![find(USUAL)]
        } else {
            self.names.iter().map(|name| find(name)).collect()
        };
        let template = match self.template() {
            Ok(template) => template,
            Err(error) => return fail(&format!("{error:#}"), 1),
        };
        let loaded = match read_with(&paths, &Instead { template, engine: self.engine }) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        let loaded = match self.playable(loaded) {
            Ok(loaded) => loaded,
            Err(error) => return fail(&format!("{error:#}"), 1),
        };
        // Found out now rather than after minutes of rehearsing.
        if let Err(error) = self.write(&[], &[]) {
            return fail(&format!("{error:#}"), BAD_INPUT);
        }
        let (machine, mut interruptions) = match prepared(self.artifacts.as_deref(), &loaded) {
            Ok(prepared) => prepared,
            Err(code) => return code,
        };
        let (mut outcomes, mut broken) = (Vec::new(), Vec::new());
        let pages: Vec<(String, Page)> = loaded.iter().map(|it| (it.name.clone(), Page::closed())).collect();
        let plays = loaded.into_iter().zip(&pages).map(|(scenario, (_, page))| play(scenario, &machine, page.clone()));
        let mut plays = pin!(stream::iter(plays).buffered(usize::from(self.jobs)));
        for (name, page) in &pages {
            page.turn();
            let played = tokio::select! {
                played = plays.next() => played,
                interruption = interruptions.next() => return interruption.end(),
            };
            match played {
                Some(Ok(outcome)) => outcomes.push(outcome),
                Some(Err(error)) => {
                    fail(&format!("{name}: {error:#}"), 1);
                    broken.push(name.clone());
                }
                None => break,
            }
        }
        if let Err(error) = self.write(&outcomes, &broken) {
            return fail(&format!("{error:#}"), 1);
        }
        verdict(&outcomes, &broken)
    }
}

impl Run {
    /// Writes the files that were asked for. `broken` are those that could not be played to their end; the log says why.
    fn write(&self, outcomes: &[Outcome], broken: &[String]) -> Result<()> {
        let write = |file: &Path, text: String| {
            std::fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
        };
        if let Some(file) = &self.json {
            write(file, serde_json::to_string_pretty(outcomes)? + "\n")?;
        }
        if let Some(file) = &self.summary {
            let not_played = broken.iter().map(|name| format!("### {name}: NOT played, its log says why\n"));
            let all: Vec<String> = outcomes.iter().map(Outcome::markdown).chain(not_played).collect();
            write(file, all.join("\n"))?;
        }
        Ok(())
    }
}

impl Run {
    /// What was typed is relative to where it was typed.
    fn template(&self) -> Result<Option<TemplateSpec>> {
        if self.template.is_empty() {
            return Ok(None);
        }
        let files = self.template.iter().map(std::path::absolute).collect::<std::io::Result<_>>()?;
        Ok(Some(TemplateSpec { files, parameters: self.parameter.iter().cloned().collect() }))
    }
}

impl Run {
    /// Without those that need a MariaDB where there is none, which is said; named, they are an error.
    fn playable(&self, loaded: Vec<Loaded>) -> Result<Vec<Loaded>> {
        let needs = |it: &Loaded| it.scenario.service.engine() == Engine::MariaDb;
        if !loaded.iter().any(needs) {
            return Ok(loaded);
        }
        match mariadb::program() {
            Ok(_) => Ok(loaded),
            Err(error) if self.all => {
                let (left_out, kept): (Vec<_>, Vec<_>) = loaded.into_iter().partition(needs);
                let names: Vec<_> = left_out.iter().map(|it| it.name.as_str()).collect();
                note(&format!("not played: {}: {error}", names.join(", ")));
                Ok(kept)
            }
            Err(error) => Err(error),
        }
    }
}

fn engine(text: &str) -> Result<DeploymentEngine, String> {
    let engines = [DeploymentEngine::CodeDeploy, DeploymentEngine::Ecs];
    let named = engines.into_iter().find(|engine| engine.name() == text);
    named.ok_or_else(|| greenlight::document::one_of(text, &engines.map(DeploymentEngine::name)))
}

pub(crate) fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected a parameter's name, `=` and its value")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A scenario by its name, or a file by its path.
pub(crate) fn find(name: &str) -> PathBuf {
    let known = scenarios().join(format!("{name}.yaml"));
    if known.is_file() { known } else { PathBuf::from(name) }
}

/// Reads all of them, and says what is wrong with each.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Loaded>, ExitCode> {
    read_with(paths, &Instead::default())
}

fn read_with(paths: &[PathBuf], instead: &Instead) -> Result<Vec<Loaded>, ExitCode> {
    let (mut all, mut refused) = (Vec::new(), None);
    for path in paths {
        match scenario::load_with(path, instead) {
            Ok(loaded) => all.push(loaded),
            Err(error) => refused = Some(unknown(path, &error)),
        }
    }
    refused.map_or(Ok(all), Err)
}

fn unknown(path: &Path, error: &scenario::LoadError) -> ExitCode {
    let mut message = error.to_string();
    if !path.exists() {
        let known: Vec<String> =
            all_scenarios().iter().filter_map(|it| Some(it.file_stem()?.to_str()?.to_owned())).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let name = path.display().to_string();
        message =
            format!("no scenario and no file is called `{name}`; {}", greenlight::document::one_of(&name, &known));
    }
    fail(&message, BAD_INPUT)
}

/// What every verb needs that plays scenarios to their end, or what it ends with.
pub(crate) fn prepared(artifacts: Option<&Path>, loaded: &[Loaded]) -> Result<(Machine, Interruptions), ExitCode> {
    let prepared = machine(artifacts, None, loaded)
        .and_then(|machine| Ok((machine, Interruptions::listen().context("cannot listen to Ctrl-C")?)));
    prepared.map_err(|error| fail(&format!("{error:#}"), 1))
}

pub(crate) fn machine(artifacts: Option<&Path>, endpoint_port: Option<u16>, loaded: &[Loaded]) -> Result<Machine> {
    let exe = std::env::current_exe().context("this program cannot tell where it is")?;
    let beside = exe.parent().map(Path::to_owned).unwrap_or_default();
    let hooks = artifacts.map_or_else(|| beside.clone(), Path::to_owned);
    // A function starts elsewhere.
    let hooks = std::path::absolute(&hooks).with_context(|| format!("{} is no folder", hooks.display()))?;
    let sample_service = beside.join("orders");
    let own = |stage: &&Stage| loaded.iter().any(|it| it.scenario.runs_own_hook(**stage));
    let needed = Stage::ALL.iter().filter(own).filter(|stage| !hook_binary(&hooks, **stage).is_file());
    let mut needed: Vec<&str> = needed.map(|stage| stage.hook_name()).collect();
    // It answers for those of ours that die.
    if Stage::ALL.iter().any(|stage| own(&stage)) && !report_failure_binary(&hooks).is_file() {
        needed.push("report-failure");
    }
    are_there(&needed, &hooks)?;
    if loaded.iter().any(|it| it.scenario.runs_sample_service()) && !sample_service.is_file() {
        are_there(&["orders"], &beside)?;
    }
    Ok(Machine {
        hooks,
        sample_service,
        panicking_hook: beside.join("panicking-hook"),
        sample_migrations: Path::new(env!("CARGO_MANIFEST_DIR")).join("../environment/app/migrations"),
        reaper: Some(Reaper::start(&exe).context("the reaper cannot start")?),
        endpoint_port,
    })
}

fn are_there(missing: &[&str], folder: &Path) -> Result<()> {
    anyhow::ensure!(
        missing.is_empty(),
        "{} {} not in {}; `make rehearse` builds everything",
        missing.join(", "),
        if missing.len() == 1 { "is" } else { "are" },
        folder.display()
    );
    Ok(())
}

async fn play(loaded: Loaded, machine: &Machine, page: Page) -> Result<Outcome> {
    let began = Instant::now();
    let title = match loaded.scenario.engine {
        DeploymentEngine::CodeDeploy => loaded.name.clone(),
        DeploymentEngine::Ecs => format!("{} by ECS", loaded.name),
    };
    page.say(&format!("── {title} {}", "─".repeat(76_usize.saturating_sub(title.len()))));
    page.say(&wrapped(&loaded.scenario.story));
    page.say("");
    let expect = loaded.scenario.expectation().clone();
    let world = new_world();
    let (lines, printer) = follow(Arc::clone(&world), page.clone());
    let played = async {
        let mut rehearsal = Rehearsal::open(Arc::clone(&world), loaded, machine).await?;
        let outcome = rehearsal.deploy().await;
        rehearsal.close().await;
        outcome
    };
    let played = played.await;
    lines.abort();
    let transcript = rest(&world, printer, &page).await;
    let mut outcome = played?;
    outcome.judge(&expect, &transcript);
    page.say(&outcome.closing());
    page.say(&format!("{:.1} s\n", began.elapsed().as_secs_f64()));
    Ok(outcome)
}

/// Prints the journal while it is written, and hands each line on.
pub(crate) fn follow(world: Arc<World>, page: Page) -> (tokio::task::JoinHandle<()>, mpsc::UnboundedReceiver<String>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let transcript = Transcript::new(world.now());
    let follower = tokio::spawn(async move {
        let mut printed = 0;
        loop {
            let entries = world
                .until(|state| {
                    let new = state.journal.entries.get(printed..).unwrap_or_default();
                    (!new.is_empty()).then(|| new.to_vec())
                })
                .await;
            printed += entries.len();
            for entry in &entries {
                let line = transcript.line(entry);
                page.say(&line);
                // Whoever does not collect the lines has dropped the other end.
                let _ = sender.send(line);
            }
        }
    });
    (follower, receiver)
}

/// Everything that was printed.
async fn rest(world: &World, mut printed: mpsc::UnboundedReceiver<String>, page: &Page) -> String {
    let mut lines = Vec::new();
    while let Some(line) = printed.recv().await {
        lines.push(line);
    }
    let begin = world.read(|state| state.journal.entries.first().map(|entry| entry.at)).unwrap_or_else(|| world.now());
    let transcript = Transcript::new(begin);
    let missed = world.read(|state| state.journal.entries.get(lines.len()..).unwrap_or_default().to_vec());
    for entry in &missed {
        let line = transcript.line(entry);
        page.say(&line);
        lines.push(line);
    }
    lines.join("\n")
}

/// `broken` are those that could not be played to their end, which was said.
fn verdict(outcomes: &[Outcome], broken: &[String]) -> ExitCode {
    let disappointed: Vec<&str> = outcomes.iter().filter(|it| !it.as_expected).map(|it| it.scenario.as_str()).collect();
    if outcomes.len() + broken.len() > 1 {
        let not_played = if broken.is_empty() { String::new() } else { format!(", {} not played", broken.len()) };
        let all = outcomes.len() + broken.len();
        say(&format!("{all} scenarios, {} not as expected{not_played}", disappointed.len()));
    }
    if disappointed.is_empty() {
        ExitCode::from(u8::from(!broken.is_empty()))
    } else {
        fail(&format!("not as expected: {}", disappointed.join(", ")), 1)
    }
}

/// The story in lines of a readable length.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        if last.len() + word.len() > 78 {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join("\n")
}
