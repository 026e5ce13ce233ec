//! Many small migrations, as the hook applies them and as psql does: each file over a connection of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use before_allow_traffic::migrations::source::Source;
use before_allow_traffic::migrations_apply::MigrationsApply;
use before_allow_traffic::settings::Settings;
use greenlight::check::{Answer, Check as _};
use greenlight::fakes::Fakes;
use greenlight::plan::Credentials;
use greenlight::stage::Stage;
use rehearsal::postgres::{Postgres, programs};
use tokio::process::Command;

/// Files of one run.
const FILES: usize = 150;

/// Runs of each.
const ROUNDS: usize = 5;

/// Times of whole runs.
#[derive(Default)]
pub(crate) struct Migrations {
    pub(crate) ours: Vec<Duration>,
    pub(crate) psql: Vec<Duration>,
}

/// Both in turn, on one server, each in a new database.
pub(crate) async fn measure(folder: &Path) -> Result<Migrations> {
    let files = write(&folder.join("migrations"))?;
    let psql = programs().await?.join("psql");
    let postgres = Postgres::start(None).await?;
    let mut measured = Migrations::default();
    // One round more than counted fills the disk's cache.
    for round in 0..=ROUNDS {
        let (one, other) = (format!("ours_{round}"), format!("psql_{round}"));
        postgres.create_database(&one).await?;
        postgres.create_database(&other).await?;
        let ours = apply(&postgres, &one, &folder.join("migrations")).await?;
        let theirs = send(&psql, &postgres, &other, &files).await?;
        if round > 0 {
            measured.ours.push(ours);
            measured.psql.push(theirs);
        }
    }
    postgres.stop().await;
    Ok(measured)
}

/// A table, a column, an index, some rows: what migrations are.
fn write(folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).context("no folder for migrations")?;
    let mut files = Vec::new();
    for number in 1..=FILES {
        let table = (number - 1) / 4;
        let sql = match number % 4 {
            1 => format!("CREATE TABLE t{table} (id bigint PRIMARY KEY, name text);\n"),
            2 => format!("ALTER TABLE t{table} ADD COLUMN at timestamptz NOT NULL DEFAULT now();\n"),
            3 => format!("CREATE INDEX t{table}_by_name ON t{table} (name);\n"),
            _ => format!("INSERT INTO t{table} SELECT i, 'name ' || i FROM generate_series(1, 100) i;\n"),
        };
        let file = folder.join(format!("{number:04}_step.sql"));
        std::fs::write(&file, sql).with_context(|| format!("{} cannot be written", file.display()))?;
        files.push(file);
    }
    Ok(files)
}

/// The whole check: files, login, lock, ledger, and one connection.
async fn apply(postgres: &Postgres, database: &str, folder: &Path) -> Result<Duration> {
    let fakes = Fakes::well();
    let secret = serde_json::json!({
        "username": postgres.user(), "password": postgres.password(), "host": postgres.host(), "port": postgres.port(),
        "dbname": database,
    });
    fakes.state().secrets.insert("migrator".to_owned(), secret.to_string());
    let credentials = Credentials::Secret("migrator".to_owned());
    let settings = Settings::new(Source::Packaged(folder.to_owned()), credentials);
    let check = MigrationsApply::new(settings, Default::default());
    let context = fakes.context(Stage::BeforeAllowTraffic);
    let began = Instant::now();
    match check.ask(&context).await {
        Ok(Answer::Yes { .. }) => Ok(began.elapsed()),
        Ok(Answer::No { evidence, .. } | Answer::NotYet { evidence, .. }) => bail!("the migrations: {evidence}"),
        Err(unknown) => bail!("the migrations: {unknown}"),
    }
}

async fn send(psql: &Path, postgres: &Postgres, database: &str, files: &[PathBuf]) -> Result<Duration> {
    let began = Instant::now();
    for file in files {
        let mut command = Command::new(psql);
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", postgres.host(), "-p", &postgres.port().to_string()]);
        command.args(["-U", postgres.user(), "-d", database, "-f"]).arg(file).env("PGPASSWORD", postgres.password());
        let sent = command.status().await.with_context(|| format!("{} cannot be started", psql.display()))?;
        if !sent.success() {
            bail!("psql failed at {}", file.display());
        }
    }
    Ok(began.elapsed())
}
