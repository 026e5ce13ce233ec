//! `rehearse check 14_note.sql …`: whether the version that still serves would survive these migrations, before anybody has
//! deployed them. No database is asked, so every table is taken for large.

use std::path::PathBuf;

use greenlight::plan::AllowedMigration;
use greenlight_lint::{Facts, Finding, Migration, Weight};
use rehearsal::text_file;
use sha2::{Digest as _, Sha384};

use super::Engine;
use crate::BAD_INPUT;
use crate::terminal::{fail, note, say};

/// Says what blue would suffer from these files, applied in the order of their versions. Whether that is nothing, or allowed.
pub(super) fn together(files: &[&PathBuf], allowed: &[AllowedMigration], engine: Engine) -> bool {
    let lint = match engine {
        Engine::Postgres => greenlight_lint::lint,
        Engine::MySql => greenlight_lint::mysql::lint,
    };
    let mut sound = true;
    let mut texts: Vec<(String, String)> = Vec::new();
    for file in files {
        match text_file::read(file) {
            Ok(text) => texts.push((file.display().to_string(), text)),
            Err(error) => {
                fail(&error.of(file), BAD_INPUT);
                sound = false;
            }
        }
    }
    texts.sort_by_cached_key(|(path, _)| (version(path), path.clone()));
    let migrations: Vec<Migration<'_>> = texts
        .iter()
        .map(|(name, sql)| Migration { name, sql, in_transaction: !sql.starts_with("-- no-transaction") })
        .collect();
    let found = lint(&migrations, &Facts::default());
    for ((path, sql), migration) in texts.iter().zip(&migrations) {
        let excuse = allowed.iter().find(|it| it.covers(name(path), &Sha384::digest(sql)));
        let of_file: Vec<&Finding> = found.iter().filter(|finding| finding.file == *path).collect();
        for finding in &of_file {
            let Finding { line, statement, harm, suffers, instead, .. } = finding;
            match finding.weight {
                Weight::Stops if excuse.is_some() => {
                    let reason = excuse.map_or("", |allowed| &allowed.reason);
                    note(&format!("{path}:{line}: {harm}, which the plan allows: {reason} ({statement})"));
                }
                Weight::Stops => {
                    fail(&format!("{path}:{line}: {harm}: {suffers} ({statement}); safe: {instead}"), BAD_INPUT);
                    sound = false;
                }
                Weight::Remark => note(&format!("{path}:{line}: {suffers} ({statement})")),
            }
        }
        if of_file.iter().all(|finding| finding.weight == Weight::Remark) {
            let alone = lint(&[*migration], &Facts::default());
            let new = alone.iter().any(|finding| finding.weight == Weight::Stops);
            let given = if new { ", as long as what the files before it make is new to blue" } else { "" };
            say(&format!("{path}: blue survives it{given}"));
        } else if excuse.is_none() {
            let entry = AllowedMigration::entry(name(path), &Sha384::digest(sql));
            note(&format!("if blue is not harmed, say why in the plan: migrations: {{ allow: [{entry}] }}"));
        }
    }
    sound
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What stands before the first `_` of the file's name.
fn version(path: &str) -> u64 {
    name(path).split_once('_').and_then(|(version, _)| version.parse().ok()).unwrap_or(u64::MAX)
}
