//! `rehearse matrix`: is a hook ever silent?

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use futures::StreamExt;
use greenlight::stage::Stage;
use rehearsal::cells::{self, Disturbance, Judged, Ran, Stand};
use rehearsal::process;
use rehearsal::rehearsal::Machine;
use rehearsal::scenario::Loaded;

use crate::play::{prepared, read};
use crate::terminal::{fail, say};

/// Failing cells whose log is printed whole.
const SHOWN: usize = 3;

#[derive(Args)]
pub(crate) struct Matrix {
    /// Only these hooks, before-install for instance
    #[arg(long, value_name = "NAME", value_parser = hook, value_delimiter = ',')]
    hooks: Vec<Stage>,
    /// Only every so-many-th cell
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    slice: u16,
    /// Only cells whose description has these words
    #[arg(long, value_name = "WORDS")]
    only: Option<String>,
    /// Pairs of disturbances for each hook
    #[arg(long, value_name = "NUMBER", default_value_t = 300)]
    pairs: usize,
    /// What the pairs are drawn by
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    seed: u64,
    /// How many cells run at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    at_once: u8,
    /// Says of every cell what came of it
    #[arg(long)]
    verbose: bool,
    /// The folder with the hooks' binaries, `.aws-sam/build` for instance; that of this program when missing
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<PathBuf>,
}

fn hook(name: &str) -> Result<Stage, String> {
    let known: Vec<&str> = Stage::ALL.iter().map(|stage| stage.hook_name()).collect();
    let found = Stage::ALL.into_iter().find(|stage| stage.hook_name() == name);
    found.ok_or_else(|| format!("no hook is called so; {}", greenlight::document::one_of(name, &known)))
}

/// What came of the cells of one hook.
#[derive(Default)]
struct Tally {
    cells: usize,
    silent: usize,
    unknown: usize,
    wrong: usize,
    went_on: usize,
    by_stand_in: usize,
}

impl Tally {
    fn add(&mut self, judged: &Judged) {
        self.cells += 1;
        self.silent += usize::from(judged.silent);
        self.unknown += usize::from(judged.unknown);
        self.wrong += usize::from(!judged.faults.is_empty());
        self.went_on += usize::from(judged.went_on);
        self.by_stand_in += usize::from(judged.by_stand_in);
    }

    fn line(&self, name: &str) -> String {
        let Self { cells, silent, unknown, wrong, went_on, by_stand_in } = self;
        format!("{name:<31}{cells:>7}{silent:>8}{unknown:>9}{wrong:>7}{went_on:>9}{by_stand_in:>13}")
    }
}

impl Matrix {
    pub(crate) async fn go(self) -> ExitCode {
        let worlds = ["matrix/matrix.yaml", "matrix/function.yaml"];
        let worlds = match read(&worlds.map(|file| Path::new(env!("CARGO_MANIFEST_DIR")).join(file))) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
        let (machine, mut interruptions) = match prepared(self.artifacts.as_deref(), &worlds) {
            Ok(prepared) => prepared,
            Err(code) => return code,
        };
        tokio::select! {
            code = self.try_all(&worlds, &machine) => code.unwrap_or_else(|error| fail(&format!("{error:#}"), 1)),
            interruption = interruptions.next() => interruption.end(),
        }
    }

    async fn try_all(&self, worlds: &[Loaded], machine: &Machine) -> Result<ExitCode> {
        let began = Instant::now();
        let wanted = |stage: &Stage| self.hooks.is_empty() || self.hooks.contains(stage);
        let stages = worlds.iter().flat_map(|loaded| {
            loaded.scenario.stages().iter().filter(|stage| wanted(stage)).map(move |stage| (*stage, loaded))
        });
        let mut all = Tally::default();
        let mut lines = Vec::new();
        for (stage, loaded) in stages {
            let of_function = if loaded.scenario.function.is_some() { ", function" } else { "" };
            let name = format!("{}{of_function}", stage.hook_name());
            let stand = Stand::open(stage, loaded.clone(), machine).await.with_context(|| name.clone())?;
            let tried = self.try_hook(&name, &stand).await;
            stand.close().await;
            let tally = tried?;
            lines.push(tally.line(&name));
            all.cells += tally.cells;
            all.silent += tally.silent;
            all.unknown += tally.unknown;
            all.wrong += tally.wrong;
            all.went_on += tally.went_on;
            all.by_stand_in += tally.by_stand_in;
        }
        let left = process::left().await?;
        let [cells, silent, unknown, wrong] = ["cells", "silent", "unknown", "wrong"];
        say(&format!(
            "\n{:<31}{cells:>7}{silent:>8}{unknown:>9}{wrong:>7}{:>9}{:>13}",
            "hook", "went on", "by stand-in"
        ));
        lines.iter().for_each(|line| say(line));
        say(&all.line("all"));
        let Tally { cells, silent, wrong, .. } = all;
        say(&format!("{cells} cells, {silent} silent, {wrong} wrong, in {} s", began.elapsed().as_secs()));
        if left > 0 {
            return Ok(fail(&format!("{left} processes are left"), 1));
        }
        Ok(if all.wrong > 0 { fail("see above", 1) } else { ExitCode::SUCCESS })
    }

    async fn try_hook(&self, name: &str, stand: &Stand) -> Result<Tally> {
        let undisturbed = stand.run(&[]).await?;
        let secrets = stand.secrets();
        let judged = cells::judge(&[], &undisturbed, &secrets);
        if !judged.went_on || !judged.faults.is_empty() {
            show(&undisturbed);
            bail!("{name} undisturbed: {}", judged.faults.join("; "));
        }
        let survey = &undisturbed.survey;
        say(&format!(
            "{name}: {} calls of AWS, {} requests, {} messages to the database",
            survey.calls.len(),
            survey.requests.len(),
            survey.messages
        ));
        let single = cells::cells(survey);
        let pairs = cells::pairs(&single, self.pairs, self.seed);
        let described = |cell: &[Disturbance]| cell.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let tried = single.into_iter().chain(pairs).map(|cell| (described(&cell), cell));
        let wanted = |words: &str| self.only.as_ref().is_none_or(|only| words.contains(only.as_str()));
        let tried = tried.filter(|(words, _)| wanted(words)).step_by(self.slice.into());
        let mut tally = Tally::default();
        let mut running = futures::stream::iter(tried.map(|(words, cell)| async move {
            let ran = stand.run(&cell).await.with_context(|| words.clone())?;
            anyhow::Ok((words, cell, ran))
        }))
        .buffer_unordered(self.at_once.into());
        while let Some(ended) = running.next().await {
            let (words, cell, ran) = ended?;
            let judged = cells::judge(&cell, &ran, &secrets);
            tally.add(&judged);
            if self.verbose {
                let answer = if judged.went_on { "went on" } else { "stopped" };
                say(&format!("  {answer:<8} {words}"));
            }
            if !judged.faults.is_empty() {
                say(&format!("{name}: {words}: {}", judged.faults.join("; ")));
                if tally.wrong <= SHOWN {
                    show(&ran);
                }
            }
        }
        Ok(tally)
    }
}

/// What the hook and the stand-in wrote.
fn show(ran: &Ran) {
    say(&format!("    {:?}", ran.hook.status));
    let stand_in = ran.stand_in.iter().flat_map(|it| &it.log);
    for line in ran.hook.log.iter().chain(stand_in) {
        say(&format!("    {}", line.chars().take(600).collect::<String>()));
    }
}
