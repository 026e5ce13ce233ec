//! A real MariaDB, started empty and thrown away.
//!
//! It asks for a password and speaks TLS as a real one does, but keeps nothing safe: its folder is gone with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use sqlx::migrate::Migrator;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::time::{sleep, timeout};

use crate::database::Applied;
use crate::database_certificate::{self as certificate, Shown};
use crate::postgres::last_line;
use crate::process::ports::Ports;
use crate::process::{Command, Exit, Process};
use crate::reaper::{Reaper, TempFolder};

/// The environment variable that names the server's program.
const VARIABLE: &str = "GREENLIGHT_MARIADB";

/// Where distributions keep it: not in everybody's `PATH`.
const USUAL: [&str; 3] = ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/usr/local/sbin/mariadbd"];

/// Its host.
const HOST: &str = "127.0.0.1";

/// A user who may do everything, as the master user of RDS.
const USER: &str = "greenlight";

/// Nobody's user and group id: MariaDB refuses to run as root.
const NOBODY: u32 = 65534;

/// How long it may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// How long it may take to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// A running server. Dropped, it ends at once and its folder is removed.
pub struct MariaDb {
    port: u16,
    password: String,
    authority: PathBuf,
    // In this order: ended first, removed afterwards.
    process: Process,
    folder: TempFolder,
}

/// The server's program; an error that says what to do where there is none.
pub fn program() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|it| !it.is_empty()) {
        let named = PathBuf::from(named);
        anyhow::ensure!(named.is_file(), "{VARIABLE} is {}, which is no file", named.display());
        return Ok(named);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join("mariadbd"));
    let found = in_path.chain(USUAL.map(PathBuf::from)).find(|program| program.is_file());
    found.with_context(|| {
        format!(
            "no MariaDB was found: install the package mariadb-server-core, or set {VARIABLE} to the path of mariadbd"
        )
    })
}

impl MariaDb {
    /// Starts an empty server on a free loopback port; returns it when it accepts connections.
    pub async fn start(reaper: Option<&Reaper>, shown: Shown) -> Result<Self> {
        let program = program()?;
        let folder = TempFolder::new(reaper).context("no temporary folder for MariaDB")?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        let (data, first) = (folder.path().join("data"), folder.path().join("first.sql"));
        let files = certificate::write(folder.path(), HOST, shown, None)?;
        std::fs::create_dir(&data).context("cannot write into the temporary folder of MariaDB")?;
        let sql = format!(
            "CREATE USER '{USER}'@'%' IDENTIFIED BY '{password}';\nGRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n\
             DELETE FROM mysql.global_priv WHERE User IN ('root', '');\nFLUSH PRIVILEGES;\n"
        );
        std::fs::write(&first, sql).context("cannot write into the temporary folder of MariaDB")?;
        let user = geteuid().is_root().then_some((NOBODY, NOBODY));
        if user.is_some() {
            for path in [folder.path(), &data, &first, &files.authority, &files.certificate, &files.key] {
                std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))
                    .context("cannot give the temporary folder of MariaDB to nobody")?;
            }
        }
        let command = |program: String, arguments: Vec<String>| {
            let mut command = Command::new(program, arguments);
            command.folder = Some(folder.path().to_owned());
            command.user = user;
            // Asked to end it writes its pages first; here nobody needs them.
            command.reaped_with = Signal::SIGKILL;
            command
        };
        let install = ["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"];
        let install: Vec<String> = install
            .into_iter()
            .map(str::to_owned)
            .chain([format!("--datadir={}", data.display()), format!("--tmpdir={}", folder.path().display())])
            .collect();
        initialise(&command("mariadb-install-db".to_owned(), install), reaper).await?;

        let port = Ports::default().take().context("no loopback port from 20000 to 31999 is free for MariaDB")?;
        let arguments = server_arguments(&data, folder.path(), &files, port, &first);
        let process = run(&command(program.display().to_string(), arguments), reaper)?;
        let server = Self { port, password, authority: files.authority, process, folder };
        server.accepts_connections().await?;
        std::fs::remove_file(&first).context("cannot remove MariaDB's first statements")?;
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

    /// A user who may do everything.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The user's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The temporary folder that it lives in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes an empty database.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        let mut connection = self.connect(None).await?;
        let statement = format!("CREATE DATABASE `{}` CHARACTER SET utf8mb4", name.replace('`', "``"));
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .with_context(|| format!("cannot create the database {name}"))?;
        connection.close().await.context("the connection to MariaDB was lost")
    }

    /// Applies the migrations of a folder, up to and with a version, as `sqlx migrate run` does.
    pub async fn apply(&self, database: &str, folder: &Path, up_to: Option<i64>) -> Result<()> {
        let failed = || format!("cannot apply the migrations in {} to the database {database}", folder.display());
        let migrator = Migrator::new(folder).await.with_context(failed)?;
        let mut connection = self.connect(Some(database)).await?;
        let applied = match up_to {
            Some(version) => migrator.run_to(version, &mut connection).await,
            None => migrator.run(&mut connection).await,
        };
        applied.with_context(failed)?;
        connection.close().await.context("the connection to MariaDB was lost")
    }

    /// The migrations that a database has recorded, in the order of their versions.
    pub async fn applied_migrations(&self, database: &str) -> Result<Vec<Applied>> {
        let failed = || format!("cannot read the migrations of the database {database}");
        let mut connection = self.connect(Some(database)).await?;
        let there = sqlx::query("SHOW TABLES LIKE '\\_sqlx\\_migrations'").fetch_optional(&mut connection).await;
        if there.with_context(failed)?.is_none() {
            return Ok(Vec::new());
        }
        let rows: Vec<(i64, String, bool)> =
            sqlx::query_as("SELECT version, description, success FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut connection)
                .await
                .with_context(failed)?;
        connection.close().await.context("the connection to MariaDB was lost")?;
        Ok(rows.into_iter().map(|(version, description, success)| Applied { version, description, success }).collect())
    }

    /// A transaction that has read every table of a database and is not over: whoever wants to change one waits for it.
    pub async fn open_report(&self, database: &str) -> Result<MySqlConnection> {
        let failed = || format!("cannot read the database {database}");
        let mut report = self.connect(Some(database)).await?;
        let tables: Vec<(String,)> = sqlx::query_as(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
        )
        .fetch_all(&mut report)
        .await
        .with_context(failed)?;
        let read = tables.iter().map(|(table,)| format!("; SELECT 1 FROM `{}` LIMIT 1", table.replace('`', "``")));
        let sql = format!("START TRANSACTION{}", read.collect::<String>());
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut report).await.with_context(failed)?;
        Ok(report)
    }

    /// A connection to one of its databases, or to none.
    pub async fn connect(&self, database: Option<&str>) -> Result<MySqlConnection> {
        let options = self.options();
        let options = database.into_iter().fold(options, MySqlConnectOptions::database);
        options.connect().await.with_context(|| format!("cannot connect to MariaDB on port {}", self.port))
    }

    /// Stops it, whoever is still connected, and removes its folder.
    pub async fn stop(self) {
        self.process.stop(Signal::SIGKILL, STOPS_WITHIN).await;
    }

    fn options(&self) -> MySqlConnectOptions {
        MySqlConnectOptions::new()
            .host(HOST)
            .port(self.port)
            .username(USER)
            .password(&self.password)
            .ssl_mode(MySqlSslMode::Disabled)
    }

    async fn accepts_connections(&self) -> Result<()> {
        let ready = async {
            while self.options().connect().await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            ready = timeout(STARTS_WITHIN, ready) => ready.map_err(|_| {
                let seconds = STARTS_WITHIN.as_secs();
                anyhow::anyhow!("MariaDB accepted no connection within {seconds} s{}", last_line(&self.process))
            }),
            exit = self.process.exited() => bail!("MariaDB ended at its start, {exit}{}", last_line(&self.process)),
        }
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.process.signal(Signal::SIGKILL);
    }
}

async fn initialise(command: &Command, reaper: Option<&Reaper>) -> Result<()> {
    let process = run(command, reaper)?;
    match process.exited().await {
        Exit::Code(0) => Ok(()),
        exit => bail!("mariadb-install-db failed, {exit}{}", last_line(&process)),
    }
}

fn run(command: &Command, reaper: Option<&Reaper>) -> Result<Process> {
    Process::start(command, reaper, |_| {}).with_context(|| format!("cannot run {}", command.program))
}

fn server_arguments(data: &Path, folder: &Path, files: &certificate::Files, port: u16, first: &Path) -> Vec<String> {
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", data.display()),
        format!("--tmpdir={}", folder.display()),
        format!("--socket={}", folder.join("socket").display()),
        format!("--pid-file={}", folder.join("pid").display()),
        format!("--init-file={}", first.display()),
        format!("--port={port}"),
        format!("--bind-address={HOST}"),
        format!("--ssl-ca={}", files.authority.display()),
        format!("--ssl-cert={}", files.certificate.display()),
        format!("--ssl-key={}", files.key.display()),
    ];
    // Nothing is kept safe, and little memory is taken.
    let rest = [
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
        "--innodb-buffer-pool-size=32M",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--skip-log-bin",
        "--max-connections=100",
    ];
    arguments.extend(rest.map(str::to_owned));
    arguments
}
