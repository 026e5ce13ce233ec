//! `rehearse check`: says what is wrong with a file that a person wrote.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use greenlight::appspec::AnyAppSpec;
use greenlight::plan::Plan;
use rehearsal::{scenario, text_file};

use crate::{BAD_INPUT, fail, say};

/// Checks each file as what it looks like.
pub(crate) fn files(files: &[PathBuf]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match check(file) {
            Ok(kind) => say(&format!("{}: a sound {kind}", file.display())),
            Err(message) => code = fail(&message, BAD_INPUT),
        }
    }
    code
}

/// Top-level keys that only a scenario has.
const OF_A_SCENARIO: [&str; 11] =
    ["story", "service", "blue", "green", "deployment", "alarms", "plan", "traffic", "faults", "switches", "expect"];

fn check(file: &Path) -> Result<&'static str, String> {
    let text = text_file::read(file).map_err(|error| error.of(file))?;
    let source = file.display().to_string();
    let keys = top_level_keys(&text);
    let has = |key: &str| keys.iter().any(|it| it.eq_ignore_ascii_case(key));
    if has("resources") {
        AnyAppSpec::parse(&text, &source).map(|_| "AppSpec").map_err(|error| error.to_string())
    } else if OF_A_SCENARIO.into_iter().any(has) {
        scenario::load(file).map(|_| "scenario").map_err(|error| error.to_string())
    } else {
        Plan::parse(&text, &source).map(|_| "plan").map_err(|error| error.to_string())
    }
}

/// The keys that stand at the top of a document, which may be too broken to be parsed: those that are not indented, and
/// in JSON those of the outermost braces as people lay them out.
fn top_level_keys(text: &str) -> Vec<&str> {
    let braces = text.trim_start().starts_with('{');
    let indented = |line: &str| line.starts_with([' ', '\t', '#', '-']);
    let lines = text.lines().filter(|line| braces || !indented(line));
    lines.filter_map(|line| Some(line.split_once(':')?.0.trim_matches([' ', '\t', '{', '"', '\'']))).collect()
}
