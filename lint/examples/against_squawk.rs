//! How many of the labelled files are judged rightly: here, and by `squawk`, whose program is the one argument. Both see the same
//! files; only we see a database. Of MySQL's, which squawk does not read, ours alone.

use std::process::{Command, ExitCode};

use greenlight_lint::{Facts, Migration, Weight, lint};

#[path = "../corpus/file.rs"]
mod file;
#[path = "../corpus/labelled.rs"]
mod labelled;
#[path = "../corpus-mysql/labelled.rs"]
mod labelled_mysql;

use file::File;
use labelled::{corpus, facts};

/// Rules of squawk's that say nothing about the version that still serves.
const OF_STYLE: &str = "require-lock-timeout,require-statement-timeout,prefer-bigint-over-int,prefer-bigint-over-smallint,\
    prefer-identity,prefer-robust-stmts,prefer-text-field,prefer-timestamp-tz,ban-char-field,identifier-too-long,\
    require-enum-value-ordering,require-table-schema";

fn main() -> ExitCode {
    let Some(squawk) = std::env::args().nth(1) else {
        print("usage: against_squawk SQUAWK");
        return ExitCode::from(2);
    };
    let files = corpus();
    let ours = |known: &Facts| {
        judged(&files, |file| {
            let in_transaction = !file.sql.starts_with("-- no-transaction");
            let migration = Migration { name: &file.name, sql: &file.sql, in_transaction };
            lint(&[migration], known).iter().any(|finding| finding.weight == Weight::Stops)
        })
    };
    let theirs = |excluded: Option<&str>| judged(&files, |file| flagged(&squawk, excluded, file));
    print("                               right   precision   recall   unsafe missed   safe stopped");
    row("greenlight with the database", ours(&facts()));
    row("greenlight with the files only", ours(&Facts::default()));
    row("squawk without rules of style", theirs(Some(OF_STYLE)));
    row("squawk with its defaults", theirs(None));
    let mysql_files = labelled_mysql::corpus();
    let ours_of_mysql = |known: &Facts| {
        judged(&mysql_files, |file| {
            let migration = Migration { name: &file.name, sql: &file.sql, in_transaction: false };
            let found = greenlight_lint::mysql::lint(&[migration], known);
            found.iter().any(|finding| finding.weight == Weight::Stops)
        })
    };
    print("of MySQL and MariaDB:");
    row("greenlight with the database", ours_of_mysql(&labelled_mysql::facts()));
    row("greenlight with the files only", ours_of_mysql(&Facts::default()));
    let wrong = [ours(&facts()), ours_of_mysql(&labelled_mysql::facts())].map(|judged| judged.missed + judged.stopped);
    if wrong == [0, 0] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many of the files were judged in which way.
#[derive(Default)]
struct Judged {
    caught: usize,
    passed: usize,
    missed: usize,
    stopped: usize,
}

fn judged(files: &[File], flags: impl Fn(&File) -> bool) -> Judged {
    let mut judged = Judged::default();
    for file in files {
        let count = match (file.harm.is_some(), flags(file)) {
            (true, true) => &mut judged.caught,
            (true, false) => &mut judged.missed,
            (false, true) => &mut judged.stopped,
            (false, false) => &mut judged.passed,
        };
        *count += 1;
    }
    judged
}

/// Whether squawk has something against a file. It fails on what it cannot read, too.
fn flagged(squawk: &str, excluded: Option<&str>, file: &File) -> bool {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(&file.name);
    let mut command = Command::new(squawk);
    if !file.sql.starts_with("-- no-transaction") {
        command.arg("--assume-in-transaction");
    }
    if let Some(excluded) = excluded {
        command.arg(format!("--exclude={}", excluded.replace(' ', "")));
    }
    let run = command.arg("--pg-version=15.0").arg(path).output().expect("squawk starts");
    !run.status.success()
}

fn row(who: &str, judged: Judged) {
    let Judged { caught, passed, missed, stopped } = judged;
    let share = |part: usize, of: usize| if of == 0 { 0.0 } else { 100.0 * part as f64 / of as f64 };
    print(&format!(
        "{who:<30} {:>5.1} % {:>9.1} % {:>6.1} % {missed:>15} {stopped:>14}",
        share(caught + passed, caught + passed + missed + stopped),
        share(caught, caught + stopped),
        share(caught, caught + missed),
    ));
}

#[expect(clippy::print_stdout, reason = "it is a program for people")]
fn print(line: &str) {
    println!("{line}");
}
