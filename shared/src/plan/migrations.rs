//! `migrations`: how the schema changes of this version are made.

use serde::Deserialize;
use serde_saphyr::Location;

use super::Reader;
use super::allowed::{AllowedMigration, WrittenAllowed};
use super::migration_task::{MigrationTask, WrittenMigrationTask};
use crate::document::{DocumentError, Spanned};
use crate::ports::BucketFolder;
use crate::units::Span;

/// The schema changes of this version: by `sql`, or by a `task`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrations {
    /// Where the SQL files are: `s3://bucket/prefix/`, or a folder; the function's `GREENLIGHT_MIGRATIONS` when missing.
    pub sql: Option<String>,
    /// The team's own tool, in a task of its own.
    pub task: Option<MigrationTask>,
    /// Longest wait for a lock, so that a migration never queues users behind it. Default 5s.
    pub lock_timeout: Option<Span>,
    /// Files that may break or block blue.
    pub allow: Vec<AllowedMigration>,
    /// Queries of blue that must still work on the new schema.
    pub blue_queries: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct WrittenMigrations {
    /// Where the SQL files are: `s3://bucket/prefix/`, or a folder; the function's `GREENLIGHT_MIGRATIONS` when missing.
    sql: Option<Spanned<String>>,
    /// The team's own tool, run once as a task of the task definition that is being deployed. Stands alone: every other key is
    /// about SQL files.
    task: Option<Spanned<WrittenMigrationTask>>,
    /// Longest wait for a lock, so that a migration never queues users behind it. Default 5s.
    lock_timeout: Option<Spanned<Span>>,
    /// Files that may break or block blue, each with the reason why that is no harm.
    #[serde(default)]
    allow: Vec<Spanned<WrittenAllowed>>,
    /// Queries of blue that must still work on the new schema; each is prepared against it, and nothing is kept.
    #[serde(default)]
    blue_queries: Vec<Spanned<String>>,
}

impl Reader<'_> {
    pub(super) fn migrations(&self, written: Spanned<WrittenMigrations>) -> Result<Migrations, DocumentError> {
        let written = written.value;
        if let Some(task) = written.task {
            let of_files = [
                ("sql", written.sql.map(|it| it.referenced)),
                ("lock_timeout", written.lock_timeout.map(|it| it.referenced)),
                ("allow", written.allow.first().map(|it| it.referenced)),
                ("blue_queries", written.blue_queries.first().map(|it| it.referenced)),
            ];
            for (key, place) in of_files.into_iter().filter_map(|(key, place)| Some((key, place?))) {
                let message = format!("`task` and `{key}` exclude each other: a task's tool brings its own migrations");
                self.judge.note(self.wrong(second(task.referenced, place), message));
            }
            return Ok(Migrations { task: Some(self.migration_task(task)?), ..Migrations::default() });
        }
        if let Some(Spanned { value: sql, referenced: place, .. }) = &written.sql {
            if sql.trim().is_empty() {
                return Err(self.wrong(*place, "`sql` names the folder of the migrations; it is empty"));
            }
            if sql.contains("://") {
                BucketFolder::parse(sql).map_err(|wrong| self.wrong(*place, wrong))?;
            }
        }
        Ok(Migrations {
            sql: written.sql.map(|sql| sql.value),
            task: None,
            lock_timeout: written.lock_timeout.map(|timeout| timeout.value),
            allow: written.allow.into_iter().filter_map(|it| self.part(Some(it), |it| self.allowed(it))).collect(),
            blue_queries: self.blue_queries(written.blue_queries),
        })
    }

    fn blue_queries(&self, written: Vec<Spanned<String>>) -> Vec<String> {
        let mut queries = Vec::new();
        for query in written {
            if query.value.trim().is_empty() {
                self.judge.note(self.wrong(query.referenced, "a query of blue's is empty"));
            }
            queries.push(query.value);
        }
        queries
    }
}

/// The one that stands further down.
fn second(one: Location, other: Location) -> Location {
    let place = |location: &Location| (location.line(), location.column());
    if place(&one) < place(&other) { other } else { one }
}
