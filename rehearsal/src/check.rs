//! `rehearse check`: says what is wrong with a file that a person wrote.

mod check_migrations;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use greenlight::appspec::AnyAppSpec;
use greenlight::document::DocumentError;
use greenlight::plan::{AllowedMigration, Plan};
use rehearsal::appspec::{self, Group, Remark, Severity};
use rehearsal::cloudformation::Template;
use rehearsal::{scenario, text_file};

use crate::BAD_INPUT;
use crate::terminal::{fail, note, say};

/// Which database SQL is for.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Engine {
    /// PostgreSQL
    Postgres,
    /// MySQL or MariaDB
    #[value(name = "mysql")]
    MySql,
}

/// Checks each file as what it looks like.
pub(crate) fn files(files: &[PathBuf], template: Option<&Path>, engine: Engine) -> ExitCode {
    let group = match template.map(group).transpose() {
        Ok(group) => group,
        Err(message) => return fail(&message, BAD_INPUT),
    };
    let mut code = ExitCode::SUCCESS;
    let (migrations, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        files.iter().partition(|file| file.extension().is_some_and(|extension| extension == "sql"));
    if !migrations.is_empty() && !check_migrations::together(&migrations, &allowed(&files), engine) {
        code = ExitCode::from(BAD_INPUT);
    }
    for file in files {
        match check(file, group.as_ref()) {
            Ok(kind) => say(&format!("{}: a sound {kind}", file.display())),
            Err(message) => code = fail(&message, BAD_INPUT),
        }
    }
    code
}

/// What the plans among these files allow to migrations.
fn allowed(files: &[&PathBuf]) -> Vec<AllowedMigration> {
    let plans = files.iter().filter_map(|file| Plan::parse(&text_file::read(file).ok()?, "plan").ok());
    plans.filter_map(|plan| plan.migrations).flat_map(|migrations| migrations.allow).collect()
}

/// The deployment group that a template defines.
fn group(template: &Path) -> Result<Group, String> {
    let text = text_file::read(template).map_err(|error| error.of(template))?;
    let source = template.display().to_string();
    let stack = Template::parse(&text, &source).and_then(|template| template.sketched());
    let group = Group::of(&stack.map_err(|error| error.to_string())?);
    group.ok_or_else(|| format!("{source}: there is no AWS::CodeDeploy::DeploymentGroup in it"))
}

/// Top-level keys that only a scenario has.
const OF_A_SCENARIO: [&str; 14] = [
    "story",
    "engine",
    "on_ecs",
    "template",
    "service",
    "blue",
    "green",
    "deployment",
    "alarms",
    "plan",
    "traffic",
    "faults",
    "switches",
    "expect",
];

fn check(file: &Path, group: Option<&Group>) -> Result<&'static str, String> {
    let text = text_file::read(file).map_err(|error| error.of(file))?;
    let source = file.display().to_string();
    let keys = top_level_keys(&text);
    let has = |key: &str| keys.iter().any(|it| it.eq_ignore_ascii_case(key));
    if has("resources") {
        app_spec(&text, &source, group).map(|()| "AppSpec")
    } else if OF_A_SCENARIO.into_iter().any(has) {
        scenario::load(file).map(|_| "scenario").map_err(|error| error.to_string())
    } else {
        Plan::parse(&text, &source).map(|_| "plan").map_err(|error| error.to_string())
    }
}

/// Says everything that is wrong with an AppSpec at once, and notes what may be.
pub(crate) fn app_spec(text: &str, source: &str, group: Option<&Group>) -> Result<(), String> {
    let unreadable = AnyAppSpec::parse(text, source).err();
    let place = |error: &DocumentError| (error.line(), error.column());
    let told: Vec<_> = unreadable.iter().flat_map(|mistakes| mistakes.iter()).map(place).collect();
    let mut wrong: Vec<String> = unreadable.iter().map(ToString::to_string).collect();
    for Remark { severity, error } in appspec::review(text, source, group) {
        match severity {
            Severity::Note => note(&error.to_string()),
            Severity::Mistake if told.contains(&place(&error)) => {}
            Severity::Mistake => wrong.push(error.to_string()),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// The keys that stand at the top of a document, which may be too broken to be parsed: those that are not indented, and
/// in JSON those of the outermost braces as people lay them out.
fn top_level_keys(text: &str) -> Vec<&str> {
    let braces = text.trim_start().starts_with('{');
    let indented = |line: &str| line.starts_with([' ', '\t', '#', '-']);
    let lines = text.lines().filter(|line| braces || !indented(line));
    lines.filter_map(|line| Some(line.split_once(':')?.0.trim_matches([' ', '\t', '{', '"', '\'']))).collect()
}
