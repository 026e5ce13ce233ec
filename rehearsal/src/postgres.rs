//! A real PostgreSQL, started empty and thrown away.
//!
//! It asks for a password and speaks TLS as a real one does, but keeps nothing safe: its folder is gone with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::time::{Instant, sleep, timeout};

use crate::database::Applied;
use crate::database_certificate as certificate;
use crate::process::ports::Ports;
use crate::process::{Command, Exit, Process};
use crate::reaper::{Reaper, TempFolder};

mod binaries;
mod passage;

pub use self::passage::Passage;
pub use crate::database_certificate::Shown;

/// Its host.
const HOST: &str = "127.0.0.1";

/// Its superuser.
const USER: &str = "postgres";

/// Nobody's user and group id: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

/// Who may log in how. As at RDS, members of `rds_iam` never do with a password: the gate that judges their tokens shows a
/// certificate.
const RULES: &str =
    "hostssl all +rds_iam all cert\nhostnossl all +rds_iam all reject\nhost all all all scram-sha-256\n";

/// How long it may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// How long it may take to stop, and to be gone when it is dropped.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// A running server. Dropped, it ends at once and its folder is removed.
pub struct Postgres {
    port: u16,
    password: String,
    authority: PathBuf,
    passage: Option<Passage>,
    // In this order: ended first, removed afterwards.
    process: Process,
    folder: TempFolder,
}

/// The folder of PostgreSQL's programs.
pub async fn programs() -> Result<PathBuf> {
    binaries::find().await
}

impl Postgres {
    /// Starts an empty server on a free loopback port; returns it when it accepts connections.
    pub async fn start(reaper: Option<&Reaper>) -> Result<Self> {
        Self::start_showing(reaper, Shown::default()).await
    }

    /// As [`Self::start`], with this certificate.
    pub async fn start_showing(reaper: Option<&Reaper>, shown: Shown) -> Result<Self> {
        Self::start_for(reaper, shown, None).await
    }

    /// As [`Self::start_showing`], where this user gets in only through a gate that judges tokens: see [`Self::passage`].
    pub async fn start_for(reaper: Option<&Reaper>, shown: Shown, user_of_gate: Option<&str>) -> Result<Self> {
        let binaries = binaries::find().await?;
        let folder = TempFolder::new(reaper).context("no temporary folder for PostgreSQL")?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let data = folder.path().join("data");
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, &password).context("cannot write into the temporary folder of PostgreSQL")?;
        let files = certificate::write(folder.path(), HOST, shown, user_of_gate)?;
        let rules = folder.path().join("hba.conf");
        std::fs::write(&rules, RULES).context("cannot write PostgreSQL's rules")?;
        std::fs::set_permissions(&files.key, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .context("cannot keep the key of PostgreSQL to itself")?;
        let user = geteuid().is_root().then_some((NOBODY, NOBODY));
        if user.is_some() {
            for path in [folder.path(), &password_file, &rules, &files.authority, &files.certificate, &files.key] {
                std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))
                    .context("cannot give the temporary folder of PostgreSQL to nobody")?;
            }
        }
        let command = |program: &str, arguments: Vec<String>| {
            let mut command = Command::new(binaries.join(program).display().to_string(), arguments);
            command.folder = Some(folder.path().to_owned());
            command.user = user;
            command.reaped_with = Signal::SIGQUIT;
            command
        };
        let arguments = [
            "--no-sync",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            &format!("--username={USER}"),
            &format!("--pwfile={}", password_file.display()),
            &format!("--pgdata={}", data.display()),
        ];
        initialise(&command("initdb", arguments.map(str::to_owned).to_vec()), reaper).await?;
        std::fs::remove_file(&password_file).context("cannot remove PostgreSQL's password file")?;

        let port = Ports::default().take().context("no loopback port from 20000 to 31999 is free for PostgreSQL")?;
        let process =
            run(&command("postgres", server_arguments(&data, folder.path(), (&files, &rules), port)), reaper)?;
        let (issuer, name) = &files.issuer;
        let passage = match (user_of_gate, &files.client) {
            (Some(user), Some(client)) => {
                Some(Passage::new((HOST, port), user, &files.server, client, (issuer, name))?)
            }
            _ => None,
        };
        let server = Self { port, password, authority: files.authority, passage, process, folder };
        server.accepts_connections().await?;
        Ok(server)
    }

    /// Its host.
    pub fn host(&self) -> &'static str {
        HOST
    }

    /// The file with the authority that its clients are to trust.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its superuser.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The superuser's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The temporary folder that it lives in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a user who logs in by IAM authentication and may change what the superuser owns.
    pub async fn create_iam_user(&self, name: &str) -> Result<()> {
        let mut connection = self.connect(USER).await?;
        let name = quoted(name);
        let sql = format!("CREATE ROLE rds_iam; CREATE ROLE {name} LOGIN IN ROLE rds_iam, {USER}");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .with_context(|| format!("cannot create the database user {name}"))?;
        connection.close().await.context("the connection to PostgreSQL was lost")
    }

    /// A transaction that has read every table of a database and is not over: whoever wants to change one waits for it.
    pub async fn open_report(&self, database: &str) -> Result<PgConnection> {
        let failed = || format!("cannot read the database {database}");
        let mut report =
            self.options(database).application_name("a long report").connect().await.with_context(failed)?;
        let sql = "SELECT coalesce(string_agg(format('LOCK TABLE %s IN ACCESS SHARE MODE', oid::regclass), '; '), '') \
                   FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        let (read,): (String,) = sqlx::query_as(sql).fetch_one(&mut report).await.with_context(failed)?;
        sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {read}"))).execute(&mut report).await.with_context(failed)?;
        Ok(report)
    }

    /// The way in for the user of the gate; `None` where none was named at the start.
    pub fn passage(&self) -> Option<Passage> {
        self.passage.clone()
    }

    /// The URL of one of its databases, with user and password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@{}:{}/{database}", self.password, self.host(), self.port)
    }

    /// Makes an empty database.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        self.run(&format!("CREATE DATABASE {}", quoted(name)), name).await
    }

    /// Makes a database that is the same as this one, to which nobody is connected.
    pub async fn copy_database(&self, from: &str, name: &str) -> Result<()> {
        self.run(&format!("CREATE DATABASE {} TEMPLATE {}", quoted(name), quoted(from)), name).await
    }

    /// Drops a database, whoever is connected to it.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        self.run(&format!("DROP DATABASE {} WITH (FORCE)", quoted(name)), name).await
    }

    async fn run(&self, statement: &str, database: &str) -> Result<()> {
        let mut connection = self.connect("postgres").await?;
        let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
        done.with_context(|| format!("the database {database}"))?;
        connection.close().await.context("the connection to PostgreSQL was lost")
    }

    /// Applies the migrations of a folder, up to and with a version, as `sqlx migrate run` does.
    pub async fn apply(&self, database: &str, folder: &Path, up_to: Option<i64>) -> Result<()> {
        let failed = || format!("cannot apply the migrations in {} to the database {database}", folder.display());
        let migrator = Migrator::new(folder).await.with_context(failed)?;
        let mut connection = self.connect(database).await?;
        let applied = match up_to {
            Some(version) => migrator.run_to(version, &mut connection).await,
            None => migrator.run(&mut connection).await,
        };
        applied.with_context(failed)?;
        connection.close().await.context("the connection to PostgreSQL was lost")
    }

    /// The migrations that a database has recorded, in the order of their versions.
    pub async fn applied_migrations(&self, database: &str) -> Result<Vec<Applied>> {
        let failed = || format!("cannot read the migrations of the database {database}");
        let mut connection = self.connect(database).await?;
        let (exists,): (bool,) = sqlx::query_as("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut connection)
            .await
            .with_context(failed)?;
        if !exists {
            return Ok(Vec::new());
        }
        let rows: Vec<(i64, String, bool)> =
            sqlx::query_as("SELECT version, description, success FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut connection)
                .await
                .with_context(failed)?;
        connection.close().await.context("the connection to PostgreSQL was lost")?;
        Ok(rows.into_iter().map(|(version, description, success)| Applied { version, description, success }).collect())
    }

    /// Stops it, whoever is still connected, and removes its folder.
    pub async fn stop(self) {
        self.process.stop(Signal::SIGINT, STOPS_WITHIN).await;
    }

    async fn connect(&self, database: &str) -> Result<PgConnection> {
        let connection = self.options(database).connect().await;
        connection.with_context(|| format!("cannot connect to the database {database} on port {}", self.port))
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host(self.host())
            .port(self.port)
            .username(USER)
            .password(&self.password)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    async fn accepts_connections(&self) -> Result<()> {
        let ready = async {
            while self.options(USER).connect().await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            ready = timeout(STARTS_WITHIN, ready) => ready.map_err(|_| {
                let seconds = STARTS_WITHIN.as_secs();
                anyhow::anyhow!("PostgreSQL accepted no connection within {seconds} s{}", last_line(&self.process))
            }),
            exit = self.process.exited() => bail!("PostgreSQL ended at its start, {exit}{}", last_line(&self.process)),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its parts write into the folder until they have seen the end. The file goes last.
        self.process.signal(Signal::SIGQUIT);
        let lock = self.folder.path().join("data/postmaster.pid");
        let ends = std::time::Instant::now() + STOPS_WITHIN;
        while lock.exists() && std::time::Instant::now() < ends {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

async fn initialise(command: &Command, reaper: Option<&Reaper>) -> Result<()> {
    let began = Instant::now();
    let process = run(command, reaper)?;
    match process.exited().await {
        Exit::Code(0) => {
            tracing::debug!(took = ?began.elapsed(), "initdb");
            Ok(())
        }
        exit => bail!("initdb failed, {exit}{}", last_line(&process)),
    }
}

fn run(command: &Command, reaper: Option<&Reaper>) -> Result<Process> {
    Process::start(command, reaper, |_| {}).with_context(|| match command.user {
        Some(_) => format!("cannot run {} as nobody: every user must be able to reach it", command.program),
        None => format!("cannot run {}", command.program),
    })
}

fn server_arguments(
    data: &Path,
    sockets: &Path,
    (files, rules): (&certificate::Files, &Path),
    port: u16,
) -> Vec<String> {
    let settings = [
        format!("port={port}"),
        format!("unix_socket_directories={}", sockets.display()),
        format!("listen_addresses={HOST}"),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", files.certificate.display()),
        format!("ssl_key_file={}", files.key.display()),
        format!("ssl_ca_file={}", files.authority.display()),
        format!("hba_file={}", rules.display()),
        "max_connections=100".to_owned(),
        "shared_buffers=16MB".to_owned(),
        // A shared memory that is a file of the folder goes with the folder.
        "dynamic_shared_memory_type=mmap".to_owned(),
        "fsync=off".to_owned(),
        "synchronous_commit=off".to_owned(),
        "full_page_writes=off".to_owned(),
    ];
    let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
    for setting in settings {
        arguments.extend(["-c".to_owned(), setting]);
    }
    arguments
}

pub(crate) fn last_line(process: &Process) -> String {
    match process.last_lines().iter().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("; its last output: {}", line.trim()),
        None => "; it wrote nothing".to_owned(),
    }
}

/// As an identifier of SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn count(postgres: &Postgres, database: &str, table: &str) -> i64 {
        let mut connection = postgres.connect(database).await.expect("the server runs");
        let (count,): (i64,) = sqlx::query_as(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut connection)
            .await
            .expect("the table exists");
        count
    }

    fn migrations(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("the folder is writable");
        }
        folder
    }

    #[tokio::test]
    async fn a_server_starts_migrates_stops_and_leaves_nothing() {
        let postgres = Postgres::start(None).await.expect("PostgreSQL starts");
        let folder = postgres.folder.path().to_owned();
        postgres.create_database("orders").await.expect("the database is new");
        assert_eq!(postgres.applied_migrations("orders").await.expect("it can be asked"), []);

        let files = migrations(&[
            ("1_orders.sql", "CREATE TABLE orders (id BIGINT PRIMARY KEY);"),
            ("2_first_order.sql", "INSERT INTO orders VALUES (1);"),
            ("3_second_order.sql", "INSERT INTO orders VALUES (2);"),
        ]);
        postgres.apply("orders", files.path(), Some(2)).await.expect("blue's schema applies");
        let applied = postgres.applied_migrations("orders").await.expect("it can be asked");
        let applied: Vec<_> = applied.iter().map(|it| (it.version, it.description.as_str(), it.success)).collect();
        assert_eq!(applied, [(1, "orders", true), (2, "first order", true)]);
        assert_eq!(count(&postgres, "orders", "orders").await, 1);

        let port = postgres.port();
        postgres.stop().await;
        assert!(!folder.exists());
        assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
    }

    #[tokio::test]
    async fn a_wrong_password_is_refused() {
        let postgres = Postgres::start(None).await.expect("PostgreSQL starts");
        let wrong = postgres.options(USER).password("wrong").connect().await.expect_err("it is wrong").to_string();
        assert!(wrong.contains("password authentication failed"), "{wrong}");
        postgres.stop().await;
    }

    #[tokio::test]
    async fn a_broken_migration_is_said_with_its_folder_and_its_cause() {
        let postgres = Postgres::start(None).await.expect("PostgreSQL starts");
        let files = migrations(&[("1_broken.sql", "CREATE TABEL orders ();")]);
        let error = postgres.apply(USER, files.path(), None).await.expect_err("it is broken");
        let error = format!("{error:#}");
        assert!(error.contains(&files.path().display().to_string()) && error.contains("TABEL"), "{error}");
        postgres.stop().await;
    }

    #[tokio::test]
    async fn a_server_that_is_dropped_is_gone_with_its_folder() {
        let postgres = Postgres::start(None).await.expect("PostgreSQL starts");
        let (folder, port) = (postgres.folder.path().to_owned(), postgres.port());
        drop(postgres);
        assert!(!folder.exists());
        assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());
    }
}
