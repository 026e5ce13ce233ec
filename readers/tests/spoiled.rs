//! Every reader takes whatever comes: the kept cases, and many that are made of them, the same ones in every run.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use readers::ALL;

#[path = "spoiled/bytes.rs"]
mod bytes;

use bytes::{Drawn, spoiled};

/// Bytes of one case at most: whatever is longer is cut.
const LONGEST: usize = 32 * 1024;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files of a folder in the order of their names; none where there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths
}

/// What `fuzz/samples.txt` names for this reader: files, and folders with an ending.
fn samples(reader: &str) -> Vec<PathBuf> {
    let list = fs::read_to_string(root().join("fuzz/samples.txt")).expect("the list of samples");
    let mut found = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, sample)) = line.split_once(' ') else { continue };
        if name == reader {
            let matching = match sample.split_once('*') {
                None => vec![root().join(sample)],
                Some((folder, ending)) => files(&root().join(folder))
                    .into_iter()
                    .filter(|path| path.to_string_lossy().ends_with(ending))
                    .collect(),
            };
            assert!(!matching.is_empty(), "there is nothing at {sample}");
            found.extend(matching);
        }
    }
    found
}

/// Feeds a reader with its seeds, found cases and samples, and with so many that are made of them.
fn feed(name: &str, times: u64) {
    let folder = |kind: &str| files(&root().join("fuzz").join(kind).join(name));
    let paths: Vec<PathBuf> = [folder("seeds"), folder("found"), samples(name)].concat();
    assert!(!paths.is_empty(), "{name} has no seed");
    let kept: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).expect("a file")).collect();
    for (path, bytes) in paths.iter().zip(&kept) {
        assert!(holds(name, bytes), "{name} breaks on {}; what it says is above", path.display());
    }
    let folder = root().join("target/found").join(name);
    fs::create_dir_all(&folder).expect("a folder for what is found");
    // Before it is read: whoever runs out of stack says nothing any more.
    let case = folder.join("case");
    for seed in 1..=times {
        let mut bytes = spoiled(&mut Drawn::from(seed), &kept);
        bytes.truncate(LONGEST);
        fs::write(&case, &bytes).expect("a case can be kept");
        let to = format!("fuzz/found/{name}");
        assert!(
            holds(name, &bytes),
            "{name} breaks on what seed {seed} makes; it says so above. Move to {to}: {case:?}"
        );
    }
    fs::remove_dir_all(&folder).expect("nothing was found");
}

fn holds(name: &str, bytes: &[u8]) -> bool {
    catch_unwind(|| readers::read(name, bytes)).is_ok()
}

#[test]
fn app_specs_are_read_or_refused_with_their_place() {
    feed("app_spec", 400);
}

#[test]
fn assertions_are_told_as_they_are_written() {
    feed("assertions", 400);
}

#[test]
fn the_end_of_a_hook_is_told_in_one_line() {
    feed("death", 1_500);
}

#[test]
fn an_event_names_whom_to_answer_or_is_refused_without_its_values() {
    feed("event", 3_000);
}

#[test]
fn what_a_hook_returns_to_ecs_is_an_answer_or_none_in_one_line() {
    feed("hook_answer", 3_000);
}

#[test]
fn last_words_name_whom_to_answer() {
    feed("last_words", 1_000);
}

#[test]
fn a_folder_of_migrations_is_in_order_or_refused_by_name() {
    feed("migrations", 3_000);
}

/// The judgement has its own tests in `lint`; here it is mostly about what a statement is.
#[test]
fn statements_of_mysql_lie_one_behind_the_other() {
    feed("mysql", 800);
}

#[test]
fn plans_are_read_or_refused_with_their_place() {
    feed("plan", 250);
}

#[test]
fn statements_of_postgresql_lie_one_behind_the_other() {
    feed("postgresql", 200);
}

#[test]
fn quantities_are_read_as_they_are_told() {
    feed("quantities", 1_000);
}

#[test]
fn scenarios_are_read_or_refused_with_their_place() {
    feed("scenario", 120);
}

#[test]
fn no_secret_is_left_in_a_text() {
    feed("secrets", 2_000);
}

#[test]
fn templates_are_worked_out_or_refused() {
    feed("template", 80);
}

#[test]
fn whatever_is_asked_of_aws_is_answered_as_aws_does() {
    feed("wire", 600);
}

/// Else the cases of the tests above would say nothing: most of what they feed must be something else than was kept.
#[test]
fn what_is_spoiled_is_refused_often_enough_to_tell() {
    use greenlight::appspec::AnyAppSpec;
    use greenlight::document;
    use greenlight::plan::Plan;
    use rehearsal::scenario::Scenario;

    let is_refused = |name: &str, text: &str| match name {
        "plan" => Plan::parse(text, "it.yaml").is_err(),
        "app_spec" => AnyAppSpec::parse(text, "it.yaml").is_err(),
        _ => document::parse::<Scenario>(text, "it.yaml").is_err(),
    };
    const TIMES: u64 = 100;
    for name in ["plan", "app_spec", "scenario"] {
        let kept: Vec<Vec<u8>> = samples(name).iter().map(|path| fs::read(path).expect("a file")).collect();
        let spoiled = (1..=TIMES).map(|seed| spoiled(&mut Drawn::from(seed), &kept));
        let refused = spoiled.filter(|bytes| is_refused(name, &String::from_utf8_lossy(bytes))).count() as u64;
        assert!(refused > TIMES / 10, "of {name} only {refused} of {TIMES} were spoiled");
    }
}

#[test]
fn every_reader_has_its_target_and_its_seeds() {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("the targets");
    for reader in ALL {
        let target = root().join(format!("fuzz/targets/{}.rs", reader.name));
        let text = fs::read_to_string(&target).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
        assert!(text.contains(&format!("\"{}\"", reader.name)), "{} is of another reader", target.display());
        assert!(manifest.contains(&format!("name = \"{}\"", reader.name)), "{} is no target", reader.name);
        assert!(!files(&root().join("fuzz/seeds").join(reader.name)).is_empty(), "{} has no seed", reader.name);
    }
    for kind in ["seeds", "found"] {
        for entry in fs::read_dir(root().join("fuzz").join(kind)).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            assert!(ALL.iter().any(|reader| name == reader.name), "fuzz/{kind}/{} is nobody's", name.display());
        }
    }
}
