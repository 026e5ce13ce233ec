//! Rules of the house that no compiler knows.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be listed") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a source is text")
}

#[test]
fn only_aws_knows_the_sdk() {
    let library = root().join("shared/src");
    for path in sources(&library).into_iter().chain(sources(&root().join("hooks"))) {
        let inside =
            path.strip_prefix(&library).is_ok_and(|path| path.starts_with("aws") || path == Path::new("aws.rs"));
        let names_it = text(&path).contains(concat!("aws_", "sdk_"));
        assert!(inside || !names_it, "{} names the SDK", path.display());
    }
}

#[test]
fn a_hooks_main_fits_on_a_screen() {
    let hooks = fs::read_dir(root().join("hooks")).expect("the hooks can be listed");
    for hook in hooks {
        let main = hook.expect("an entry can be read").path().join("src/main.rs");
        let lines = text(&main).lines().count();
        assert!(lines <= 30, "{} has {lines} lines", main.display());
    }
}

#[test]
fn no_source_is_longer_than_600_lines() {
    for path in sources(&root().join("shared/src")) {
        let lines = text(&path).lines().count();
        assert!(lines <= 600, "{} has {lines} lines", path.display());
    }
}

/// The report names the page of the worst row, so there must be one for every id a row can have.
#[test]
fn every_row_has_its_page() {
    let own = [
        "deployment-is-known",
        "deployment-is-running",
        "hook-is-wired-to-its-event",
        "hook-works",
        "plan-is-readable",
    ];
    for id in greenlight::checks::IDS.iter().chain(&own) {
        let page = root().join("docs/checks").join(format!("{id}.md"));
        assert!(page.is_file(), "{id} has no page in docs/checks");
    }
}
