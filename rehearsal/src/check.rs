//! `rehearse check`: says what is wrong with a file that a person wrote.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use greenlight::appspec::AppSpec;
use greenlight::plan::Plan;
use rehearsal::scenario;

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

fn check(file: &Path) -> Result<&'static str, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let source = file.display().to_string();
    let has = |key: &str| text.lines().any(|line| line.trim_start_matches(['{', ' ', '"']).starts_with(key));
    if has("story") {
        scenario::load(file).map(|_| "scenario").map_err(|error| error.to_string())
    } else if has("Resources") || has("resources") {
        AppSpec::parse(&text, &source).map(|_| "AppSpec").map_err(|error| error.to_string())
    } else {
        Plan::parse(&text, &source).map(|_| "plan").map_err(|error| error.to_string())
    }
}
