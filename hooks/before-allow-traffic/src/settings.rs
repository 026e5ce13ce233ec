//! What the plan and the function's environment say about migrations.

use std::time::Duration;

use greenlight::plan::{AllowedMigration, Credentials, Plan};
use greenlight_database::locate::FurtherRoots;
use greenlight_database::login::Overrides;

use crate::migrations::source::Source;

/// How long a statement waits for a lock unless the plan says otherwise. Blue's queries queue behind it for as long.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the SQL files are; `None` where this service has no migrations.
    pub source: Option<Source>,
    /// How to log in; `None` where the plan names no database.
    pub credentials: Option<Credentials>,
    /// What the plan says about host, port and database.
    pub overrides: Overrides,
    /// Roots that the database may chain to beside the usual ones.
    pub roots: FurtherRoots,
    /// How long a statement may wait for a lock. Default: [`LOCK_TIMEOUT`].
    pub lock_timeout: Duration,
    /// Files that may break or block blue.
    pub allow: Vec<AllowedMigration>,
    /// Queries of blue that must work on the new schema.
    pub blue_queries: Vec<String>,
}

impl Settings {
    /// These files, this login, and what a plan without another word means.
    pub fn new(source: Source, credentials: Credentials) -> Self {
        Self {
            source: Some(source),
            credentials: Some(credentials),
            overrides: Overrides::default(),
            roots: FurtherRoots::NONE,
            lock_timeout: LOCK_TIMEOUT,
            allow: Vec::new(),
            blue_queries: Vec::new(),
        }
    }

    /// Read from the plan and the process's environment.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads what only this hook needs")]
    pub fn read(plan: &Plan) -> Self {
        let roots = FurtherRoots::from_environment();
        Self { roots, ..Self::read_from(plan, |name| std::env::var(name).ok()) }
    }

    /// As [`Self::read`], from any source of variables. The plan wins; `GREENLIGHT_MIGRATIONS` serves teams without one.
    /// A relative folder is one of the package, which Lambda unpacks to `LAMBDA_TASK_ROOT`.
    pub fn read_from(plan: &Plan, variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let planned = plan.migrations.as_ref();
        let place = planned.and_then(|migrations| migrations.sql.clone()).or_else(|| variable("GREENLIGHT_MIGRATIONS"));
        let source = place.map(|place| Source::of(&place, variable("LAMBDA_TASK_ROOT").as_deref()));
        let database = &plan.database;
        Self {
            source,
            credentials: database.as_ref().map(|database| database.credentials.clone()),
            overrides: database.as_ref().map(Overrides::from).unwrap_or_default(),
            roots: FurtherRoots::NONE,
            lock_timeout: planned
                .and_then(|migrations| migrations.lock_timeout)
                .map_or(LOCK_TIMEOUT, |span| span.duration()),
            allow: planned.map(|migrations| migrations.allow.clone()).unwrap_or_default(),
            blue_queries: planned.map(|migrations| migrations.blue_queries.clone()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::path::PathBuf;
    use std::time::Duration;

    use greenlight::plan::Plan;
    use greenlight::ports::BucketFolder;

    use super::{Credentials, LOCK_TIMEOUT, Settings, Source};

    fn variable(name: &str) -> Option<String> {
        match name {
            "GREENLIGHT_MIGRATIONS" => Some("from-environment".to_owned()),
            "LAMBDA_TASK_ROOT" => Some("/var/task".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn with_nothing_said_there_are_no_migrations() {
        let settings = Settings::read_from(&Plan::defaults(), |_| None);
        assert_eq!((settings.source, settings.lock_timeout), (None, LOCK_TIMEOUT));
    }

    #[test]
    fn the_environment_serves_a_team_without_a_plan() {
        let settings = Settings::read_from(&Plan::defaults(), variable);
        assert_eq!(settings.source, Some(Source::Packaged(PathBuf::from("/var/task/from-environment"))));
    }

    #[test]
    fn the_plan_wins() {
        let text = "version: 1\ndatabase: { secret: orders/migrator, host: db, port: 5433, name: orders }\n\
                    migrations: { sql: sql, lock_timeout: 2s }\n";
        let settings = Settings::read_from(&Plan::parse(text, "plan").unwrap(), variable);
        assert_eq!(settings.source, Some(Source::Packaged(PathBuf::from("/var/task/sql"))));
        assert_eq!(settings.credentials, Some(Credentials::Secret("orders/migrator".to_owned())));
        assert_eq!(settings.overrides.host.as_deref(), Some("db"));
        assert_eq!((settings.overrides.port, settings.lock_timeout), (Some(5433), Duration::from_secs(2)));
    }

    #[test]
    fn a_bucket_is_not_taken_for_a_folder() {
        let plan = Plan::parse("version: 1\nmigrations: { sql: \"s3://bucket/42/\" }\n", "plan").unwrap();
        let folder = BucketFolder { bucket: "bucket".to_owned(), prefix: "42/".to_owned() };
        assert_eq!(Settings::read_from(&plan, variable).source, Some(Source::InS3(folder)));
    }
}
