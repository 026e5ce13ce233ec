//! A real PostgreSQL on loopback that can be stopped as a failing machine stops it.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use tempfile::TempDir;

pub(crate) const USER: &str = "migrator";
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// PostgreSQL refuses to run as root; this is `nobody`.
const NOBODY: u32 = 65_534;

/// Stops the server immediately (SIGQUIT) as soon as its own standard input closes, which happens however the test ends.
const WATCH: &str = r#"trap '' INT TERM HUP
"$1" -D "$2/data" -p "$3" -k "$2" -c listen_addresses=127.0.0.1 -c fsync=off </dev/null >/dev/null 2>&1 &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server"#;

/// A running server; gone when it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    watch: Mutex<Child>,
    folder: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        if is_root(folder.path()) {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut initdb = as_owner(Command::new(program("initdb")), folder.path());
        initdb.args(["--auth=scram-sha-256", "--no-sync", "--locale=C", "-E", "UTF8", "-U", USER]);
        initdb.arg("--pwfile").arg(&password).arg("-D").arg(folder.path().join("data"));
        let done = initdb.output().unwrap();
        assert!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { port, watch: Mutex::new(watch(folder.path(), port)), folder };
        server.connect("postgres").await;
        server
    }

    /// What `pg_ctl -m immediate stop` does: every process of the server ends at once and nothing is written any more. It comes
    /// back as after a power cut, and what was not committed is gone.
    pub(crate) async fn crash(&self) {
        end(&mut self.watch.lock().unwrap());
        *self.watch.lock().unwrap() = watch(self.folder.path(), self.port);
        self.connect("postgres").await;
    }

    /// As soon as it takes connections.
    pub(crate) async fn connect(&self, database: &str) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(USER)
            .password(PASSWORD)
            .database(database)
            .ssl_mode(PgSslMode::Disable);
        for _ in 0..3000 {
            if let Ok(connection) = options.connect().await {
                return connection;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the server takes no connections");
    }

    pub(crate) async fn run(&self, database: &str, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connect(database).await).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(watch) = self.watch.get_mut() {
            end(watch);
        }
    }
}

fn watch(folder: &Path, port: u16) -> Child {
    let mut watch = as_owner(Command::new("/bin/sh"), folder);
    watch.args(["-c", WATCH, "watch"]).arg(program("postgres")).arg(folder).arg(port.to_string());
    watch.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

fn end(watch: &mut Child) {
    drop(watch.stdin.take());
    let _ = watch.wait();
}

fn is_root(folder: &Path) -> bool {
    // Who makes a folder owns it.
    std::fs::metadata(folder).unwrap().uid() == 0
}

fn as_owner(mut command: Command, folder: &Path) -> Command {
    if std::fs::metadata(folder).unwrap().uid() == NOBODY {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir(folder);
    command
}

/// `GREENLIGHT_POSTGRES` (a folder of programs), then the path, then where Debian puts them.
fn program(name: &str) -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::var_os("GREENLIGHT_POSTGRES")
        .map(PathBuf::from)
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(debian.map(|version| version.path().join("bin")))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} of PostgreSQL is needed: install it, or set GREENLIGHT_POSTGRES to its folder")
    })
}
