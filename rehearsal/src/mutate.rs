//! `rehearse mutate`: would the checks see it?

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use futures::StreamExt;
use greenlight::plan::Plan;
use rehearsal::mutants::{self, Mutant, MutantResult, Mutated, Verdict, Wrapper};
use rehearsal::outcome::Outcome;
use rehearsal::rehearsal::{Machine, Rehearsal, new_world};
use rehearsal::scenario::Loaded;
use rehearsal::text_file;
use serde::Serialize;

use crate::play::{find, prepared, read};
use crate::terminal::{fail, say};
use crate::{BAD_INPUT, in_runtime};

/// The scenario whose green is broken when none is named.
const USUAL: &str = "every-question";

/// Longest piece of evidence in the table.
const MOST_EVIDENCE: usize = 110;

#[derive(Args)]
pub(crate) struct Mutate {
    /// A scenario that comes with greenlight, or a file; `every-question` when there is none
    scenario: Option<String>,
    /// Another plan than the scenario's
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Only these mutants
    #[arg(long, value_name = "NAME", value_parser = mutants::named, value_delimiter = ',')]
    only: Vec<&'static Mutant>,
    /// How many are played at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    at_once: u8,
    /// Lists the mutants and plays nothing
    #[arg(long)]
    list: bool,
    /// Writes what came of it to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The folder with the hooks' binaries, `.aws-sam/build` for instance; that of this program when missing
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<PathBuf>,
}

/// What came of it, for machines.
#[derive(Serialize)]
struct Told {
    scenario: String,
    plan: Option<PathBuf>,
    caught: usize,
    survived: usize,
    mutants: Vec<MutantResult>,
}

impl Mutate {
    pub(crate) async fn go(self) -> ExitCode {
        if self.list {
            for mutant in &mutants::ALL {
                say(&format!("{:<20} {}", mutant.name, mutant.does));
            }
            return ExitCode::SUCCESS;
        }
        let path = find(self.scenario.as_deref().unwrap_or(USUAL));
        let loaded = match self.load(&path) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        let (machine, mut interruptions) = match prepared(self.artifacts.as_deref(), std::slice::from_ref(&loaded)) {
            Ok(prepared) => prepared,
            Err(code) => return code,
        };
        tokio::select! {
            code = self.try_all(loaded, &machine) => code.unwrap_or_else(|error| fail(&format!("{error:#}"), 1)),
            interruption = interruptions.next() => interruption.end(),
        }
    }

    /// The scenario with the plan that is tried, and one task of each version: what a task remembers between two requests
    /// shows only to who is sent to the same one again, and a mutant must not be caught by chance.
    fn load(&self, path: &Path) -> Result<Loaded, ExitCode> {
        let mut loaded = read(&[path.to_owned()])?.pop().ok_or(ExitCode::from(BAD_INPUT))?;
        loaded.scenario.service.desired_count = 1;
        if let Some(file) = &self.plan {
            let text = text_file::read(file).map_err(|error| fail(&error.of(file), BAD_INPUT))?;
            Plan::parse(&text, &file.display().to_string()).map_err(|error| fail(&error.to_string(), BAD_INPUT))?;
            loaded.plan = Some((file.clone(), text));
        }
        Ok(loaded)
    }

    async fn try_all(&self, sound: Loaded, machine: &Machine) -> Result<ExitCode> {
        let plan = match &sound.plan {
            Some((file, text)) => Plan::parse(text, &file.display().to_string())?,
            None => Plan::defaults(),
        };
        let one_path = mutants::one_path(&plan, &sound.scenario);
        let program = std::env::current_exe().context("this program cannot tell where it is")?;
        let (scenario, plan_file) = (sound.name.clone(), sound.plan.as_ref().map(|(file, _)| file.clone()));
        let asks =
            plan_file.as_ref().map_or_else(|| "the default questions".to_owned(), |file| file.display().to_string());
        let tried: Vec<&'static Mutant> = mutants::ALL
            .iter()
            .filter(|mutant| self.only.is_empty() || self.only.contains(mutant))
            .filter(|mutant| mutant.fits(&sound.scenario))
            .collect();
        say(&format!("{scenario} with {asks}; one path is {one_path}"));
        let outcome = play(sound.clone(), machine).await.context("green as it is")?;
        if !outcome.succeeded() {
            return Ok(fail(&refused(&outcome), 1));
        }
        say(&line("passed", "(green as it is)", "", "", ""));
        let mut results = Vec::new();
        let mut played = futures::stream::iter(tried.into_iter().map(|mutant| {
            let mutated = Some(Mutated { mutant, program: program.clone(), path: one_path.clone() });
            let broken = Loaded { mutated, ..sound.clone() };
            async move {
                let outcome = play(broken, machine).await.with_context(|| mutant.name)?;
                anyhow::Ok(MutantResult::of(mutant, &outcome))
            }
        }))
        .buffered(self.at_once.into());
        while let Some(result) = played.next().await {
            let result = result?;
            say(&in_words(&result));
            results.push(result);
        }
        drop(played);
        let survivors: Vec<&str> =
            results.iter().filter(|it| it.verdict == Verdict::Survived).map(|it| it.mutant.name).collect();
        let all = results.len();
        say(&format!("\n{} of {all} mutants caught", all - survivors.len()));
        let code = match survivors.as_slice() {
            [] => ExitCode::SUCCESS,
            names => fail(&format!("not caught: {}", names.join(", ")), 1),
        };
        if let Some(file) = &self.json {
            let survived = survivors.len();
            let told = Told { scenario, plan: plan_file, caught: all - survived, survived, mutants: results };
            let json = serde_json::to_string_pretty(&told)?;
            std::fs::write(file, json + "\n").with_context(|| format!("{} cannot be written", file.display()))?;
        }
        Ok(code)
    }
}

/// Plays a scenario in silence.
async fn play(loaded: Loaded, machine: &Machine) -> Result<Outcome> {
    let mut rehearsal = Rehearsal::open(new_world(), loaded, machine).await?;
    let outcome = rehearsal.deploy().await;
    rehearsal.close().await;
    outcome
}

/// A check that says no to everything catches every mutant, and says nothing.
fn refused(outcome: &Outcome) -> String {
    let why = outcome.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
    format!(
        "green as it is was not let through: the deployment {} at {}{why}; correct that first, `rehearse run` shows all of it",
        outcome.status, outcome.ended_at
    )
}

fn in_words(result: &MutantResult) -> String {
    let by: Vec<&str> = result.catches.iter().map(|catch| catch.by.as_str()).collect();
    let evidence = result.catches.first().map(|catch| catch.evidence.replace('\n', " ")).unwrap_or_default();
    let lost = if result.lost == 0 { String::new() } else { format!(" ({} requests of users lost)", result.lost) };
    let evidence = match result.verdict {
        Verdict::Survived => format!("{} and nothing said no{lost}", result.mutant.does),
        _ => format!("{}{lost}", shortened(&evidence)),
    };
    line(result.verdict.word(), result.mutant.name, result.at.as_deref().unwrap_or_default(), &by.join(", "), &evidence)
}

fn line(verdict: &str, mutant: &str, at: &str, by: &str, evidence: &str) -> String {
    format!("{verdict:<11}  {mutant:<18}  {at:<21}  {by:<26}  {evidence}").trim_end().to_owned()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_EVIDENCE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The process that a broken green runs behind.
#[derive(Args)]
pub(crate) struct Behind {
    /// Which mutant it is
    #[arg(long, value_parser = mutants::named)]
    name: &'static Mutant,
    /// The environment variable that has the port
    #[arg(long)]
    port_variable: String,
    /// What the path begins with that is broken
    #[arg(long)]
    path: String,
    /// The real command
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

impl Behind {
    pub(crate) fn run(self) -> ExitCode {
        let Self { name, port_variable, path, command } = self;
        let wrapper = Wrapper { mutant: name, port_variable, path, command };
        in_runtime(async {
            match mutants::run_wrapper(wrapper).await {
                Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
                Err(error) => fail(&error.to_string(), 1),
            }
        })
    }
}
