//! A PostgreSQL of one test's own, empty at first and gone after it.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::postgres::PgPool;
use tempfile::TempDir;

/// PostgreSQL refuses to run as root; it runs as nobody then.
const NOBODY: u32 = 65534;

pub(crate) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    pub(crate) pool: PgPool,
}

impl Postgres {
    pub(crate) async fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("orders-").tempdir().expect("a temporary folder");
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
        }
        let data = folder.path().join("data");
        let data = data.to_str().expect("temporary folders have plain names");
        run(&programs, "initdb", &["-D", data, "-U", "orders", "--auth=trust", "--encoding=UTF8", "--no-sync"]);
        // No TCP: the socket lives in the temporary folder, so that tests side by side need no free port.
        let options = format!("-k {} -c listen_addresses= -c fsync=off", folder.path().display());
        let log = folder.path().join("log");
        let log = log.to_str().expect("temporary folders have plain names");
        run(&programs, "pg_ctl", &["-D", data, "-w", "-l", log, "-o", &options, "start"]);
        let pool = PgPool::connect(&url(folder.path())).await.expect("a started PostgreSQL accepts");
        Self { programs, folder, pool }
    }

    pub(crate) fn url(&self) -> String {
        url(self.folder.path())
    }

    /// Where its socket is.
    pub(crate) fn folder(&self) -> String {
        self.folder.path().display().to_string()
    }

    /// Runs one of the service's own migrations.
    pub(crate) async fn migrate(&self, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(file);
        let sql = std::fs::read_to_string(path).expect("the migration is there");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&self.pool).await.expect("the migration applies");
    }

    fn stop(&self) -> bool {
        let data = self.folder.path().join("data");
        command(&self.programs, "pg_ctl").arg("-D").arg(data).args(["-m", "immediate", "stop"]).status().is_ok()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn url(folder: &Path) -> String {
    format!("postgres://orders:s3cret@localhost/postgres?host={}", folder.display())
}

fn run(programs: &Path, program: &str, arguments: &[&str]) {
    let done = command(programs, program).args(arguments).status().expect("the program starts");
    assert!(done.success(), "{program} failed");
}

fn command(programs: &Path, program: &str) -> Command {
    let mut command = Command::new(programs.join(program));
    command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// `GREENLIGHT_POSTGRES` (set by `make test`), else the first folder that has the programs.
fn programs() -> PathBuf {
    let named = std::env::var_os("GREENLIGHT_POSTGRES").map(PathBuf::from);
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    named
        .into_iter()
        .chain(packaged.map(|version| version.path().join("bin")))
        .chain(on_path.into_iter().flatten())
        .find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
        .expect("PostgreSQL is installed: `make test` finds or installs it")
}
