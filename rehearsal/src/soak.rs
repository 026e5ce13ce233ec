//! `rehearse soak`: do the hooks stay right and small, deployment after deployment?

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use futures::future::join_all;
use rehearsal::endurance::{Fate, Field, open_files};
use rehearsal::process;
use rehearsal::rehearsal::Machine;
use rehearsal::scenario::Loaded;

use crate::play::{prepared, read};
use crate::terminal::{fail, note, say};

mod figures;

use figures::{Answers, Figures};

/// How many environments of one function Lambda lets work at a time in a new account.
const ENVIRONMENTS: usize = 10;
/// How often it says how far it is.
const SAYS_EVERY: usize = 50;
/// Real time in which connections that were ended must be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(crate) struct Soak {
    /// How many deployments follow one another
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    deployments: usize,
    /// How many services are then deployed at once
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=40))]
    services: u8,
    /// The folder with the hooks' binaries, `.aws-sam/build` for instance; that of this program when missing
    #[arg(long, value_name = "FOLDER")]
    artifacts: Option<PathBuf>,
    /// Another scenario than greenlight's own, with functions of its own for instance
    #[arg(long, value_name = "FILE", hide = true)]
    scenario: Option<PathBuf>,
}

impl Soak {
    pub(crate) async fn go(self) -> ExitCode {
        let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("soak/soak.yaml");
        let loaded = match read(&[self.scenario.clone().unwrap_or_else(usual)]) {
            Ok(mut loaded) => loaded.remove(0),
            Err(code) => return code,
        };
        let (machine, mut interruptions) = match prepared(self.artifacts.as_deref(), std::slice::from_ref(&loaded)) {
            Ok(prepared) => prepared,
            Err(code) => return code,
        };
        tokio::select! {
            code = self.soak(&loaded, &machine) => code.unwrap_or_else(|error| fail(&format!("{error:#}"), 1)),
            interruption = interruptions.next() => interruption.end(),
        }
    }

    async fn soak(&self, loaded: &Loaded, machine: &Machine) -> Result<ExitCode> {
        let began = Instant::now();
        let files_before = open_files().context("this needs /proc")?;
        let mut wrong = Vec::new();

        let in_a_row = self.in_a_row(loaded, machine, &mut wrong).await?;
        say(&in_a_row.text());
        wrong.extend(in_a_row.wrong());
        let at_once = self.at_once(loaded, machine, &mut wrong).await?;
        say(&at_once.text(&format!("{} services at once", self.services)));
        wrong.extend(at_once.crowded(ENVIRONMENTS));

        let (left, files) = (process::left().await?, files_after(files_before).await?);
        say(&format!(
            "left: {left} processes; {files} files open, {files_before} before; in {} s",
            began.elapsed().as_secs()
        ));
        if left > 0 {
            wrong.push(format!("{left} processes are left"));
        }
        if files > files_before {
            wrong.push(format!("{} files are left open", files - files_before));
        }
        wrong.iter().for_each(|wrong| say(&format!("wrong: {wrong}")));
        Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { fail(&format!("{} things are wrong", wrong.len()), 1) })
    }

    /// One deployment after the other, of one service.
    async fn in_a_row(&self, loaded: &Loaded, machine: &Machine, wrong: &mut Vec<String>) -> Result<Figures> {
        let field = Field::open(loaded.clone(), 1, machine).await?;
        let mut figures = Figures::default();
        for number in 0..self.deployments {
            let judged = match field.deploy(0, Fate::of(number)).await {
                Ok(judged) => judged,
                Err(error) => {
                    field.close().await;
                    return Err(error.context(format!("deployment {} of {}", number + 1, self.deployments)));
                }
            };
            for fault in &judged.faults {
                note(&format!("deployment {}: {fault}", number + 1));
                wrong.push(format!("deployment {}: {fault}", number + 1));
            }
            figures.add(&judged)?;
            if (number + 1) % SAYS_EVERY == 0 {
                note(&format!("{} of {} deployments, {} things wrong", number + 1, self.deployments, wrong.len()));
            }
        }
        field.close().await;
        Ok(figures)
    }

    /// Every service at the same moment.
    async fn at_once(&self, loaded: &Loaded, machine: &Machine, wrong: &mut Vec<String>) -> Result<Answers> {
        let field = Field::open(loaded.clone(), self.services.into(), machine).await?;
        let ended = join_all((0..field.services()).map(|service| field.deploy(service, Fate::of(service)))).await;
        field.close().await;
        let mut answers = Answers::default();
        for (service, judged) in ended.into_iter().enumerate() {
            let judged = judged?;
            wrong.extend(judged.faults.iter().map(|fault| format!("service {} of many: {fault}", service + 1)));
            answers.add(&judged);
        }
        Ok(answers)
    }
}

/// How many are open once all that was ended is gone.
async fn files_after(before: usize) -> Result<usize> {
    let until = Instant::now() + GONE_WITHIN;
    loop {
        let files = open_files()?;
        if files <= before || Instant::now() > until {
            return Ok(files);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
