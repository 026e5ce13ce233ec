//! `rehearse`: plays a whole deployment on this machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use greenlight::plan::Plan;
use rehearsal::reaper;
use rehearsal::scenario::Scenario;

mod check;
mod convert;
mod matrix;
mod mutate;
mod play;
mod render;
mod serve;
mod soak;
mod terminal;

use terminal::{fail, say};

/// A whole ECS blue/green deployment on this machine, with the real hooks.
#[derive(Parser)]
#[command(name = "rehearse", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Plays scenarios and holds them against what they expect
    Run(play::Run),
    /// Keeps a scenario's world running for any AWS client, until Ctrl-C
    Serve(serve::Serve),
    /// Breaks green in many ways, one at a time, and says which of them the plan's checks catch
    Mutate(mutate::Mutate),
    /// Disturbs every call, request and message of the hooks, and kills them, and says whether one was ever silent
    Matrix(matrix::Matrix),
    /// Deploys hundreds of times with the same warm hooks, then many services at once, and says what has grown or went wrong
    Soak(soak::Soak),
    /// Reads plan, AppSpec and scenario files, and says what is wrong with them
    Check {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// A CloudFormation template with the deployment group that the AppSpec files are for
        #[arg(long, value_name = "FILE")]
        template: Option<PathBuf>,
        /// The database that the migrations are for
        #[arg(long, value_enum, default_value_t = check::Engine::Postgres)]
        engine: check::Engine,
    },
    /// Prints the deployment configuration with which ECS itself does what an AppSpec and its deployment group do
    Convert(convert::Convert),
    /// Fills in AppSpec files
    #[command(subcommand, name = "appspec")]
    AppSpec(render::AppSpec),
    /// Prints the JSON Schema of a document, for editors
    Schema {
        /// Of which document
        of: Document,
    },
    /// Lists the scenarios
    List,
    /// What a broken green runs behind; started by the rehearsal itself
    #[command(hide = true)]
    Mutant(mutate::Behind),
    /// Clears up after a rehearsal that was killed; started by the rehearsal itself
    #[command(hide = true)]
    Reaper,
}

/// A document that people write, and editors can check.
#[derive(Clone, Copy, ValueEnum)]
enum Document {
    Plan,
    Scenario,
}

/// Bad input, as against a rehearsal that did not go as expected.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    match Arguments::parse().verb {
        Verb::Reaper => {
            reaper::main();
            ExitCode::SUCCESS
        }
        Verb::Mutant(behind) => behind.run(),
        Verb::Mutate(mutate) => in_runtime(mutate.go()),
        Verb::Matrix(matrix) => in_runtime(matrix.go()),
        Verb::Soak(soak) => in_runtime(soak.go()),
        Verb::Check { files, template, engine } => check::files(&files, template.as_deref(), engine),
        Verb::AppSpec(app_spec) => app_spec.go(),
        Verb::Convert(convert) => convert.go(),
        Verb::Schema { of } => schema(of),
        Verb::List => list(),
        Verb::Run(run) => in_runtime(run.go()),
        Verb::Serve(serve) => in_runtime(serve.go()),
    }
}

fn in_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => fail(&format!("the runtime cannot start: {error}"), 1),
    }
}

/// The folder of the scenarios that come with greenlight.
fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// Every scenario that comes with greenlight, by name.
fn all_scenarios() -> Vec<PathBuf> {
    let files = std::fs::read_dir(scenarios()).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    files.sort();
    files
}

fn schema(of: Document) -> ExitCode {
    let schema = match of {
        Document::Plan => Plan::schema(),
        Document::Scenario => Scenario::schema(),
    };
    say(&format!("{schema:#}"));
    ExitCode::SUCCESS
}

fn list() -> ExitCode {
    for path in all_scenarios() {
        match rehearsal::scenario::load(&path) {
            Ok(loaded) => say(&format!("{:<32} {}", loaded.name, loaded.scenario.story)),
            Err(error) => return fail(&error.to_string(), BAD_INPUT),
        }
    }
    ExitCode::SUCCESS
}
