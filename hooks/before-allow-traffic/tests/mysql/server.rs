//! A real MariaDB for this test binary: empty, on loopback, gone when the tests are.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// May do everything.
pub(crate) const USER: &str = "migrator";
/// Must never be seen in an answer.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// MariaDB refuses to run as root; this is `nobody`.
const NOBODY: u32 = 65_534;

/// Ends the server and removes its folder as soon as its own standard input closes, which happens however the test
/// process ends.
const WATCH: &str = r#"trap '' INT TERM HUP
"$1" --no-defaults --datadir="$2/data" --tmpdir="$2" --socket="$2/socket" --port="$3" --bind-address=127.0.0.1 \
  --skip-name-resolve --max-connections=200 --pid-file="$2/pid" --init-file="$2/first.sql" $4 \
  </dev/null >"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -KILL $server
wait $server
rm -rf "$2""#;

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    folder: PathBuf,
    _watches: Mutex<Vec<Child>>,
}

/// The server of this test binary, started by whoever asks first.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start("--innodb-flush-log-at-trx-commit=0"))
}

/// Another one, that takes no writes.
pub(crate) fn reader() -> Server {
    start("--read-only")
}

/// Another one, that keeps what it has confirmed when it crashes.
pub(crate) fn durable() -> Server {
    start("--innodb-flush-log-at-trx-commit=1")
}

impl Server {
    /// As when its machine fails: nothing is written any more. It comes back, and what was not committed is gone.
    pub(crate) fn crash(&self) {
        let pid = std::fs::read_to_string(self.folder.join("pid")).expect("a running server has written it");
        let killed = Command::new("kill").arg("-KILL").arg(pid.trim()).status().expect("there is a kill");
        assert!(killed.success(), "{killed}");
        until_it(|| TcpStream::connect(("127.0.0.1", self.port)).is_err(), &self.folder);
        let watch = launch(&self.folder, self.port, "--innodb-flush-log-at-trx-commit=1");
        self._watches.lock().expect("nobody panicked").push(watch);
    }
}

fn start(option: &str) -> Server {
    let kept = tempfile::tempdir().expect("a temporary folder");
    let folder = kept.path().to_owned();
    let root = std::fs::metadata(&folder).expect("the folder was just made").uid() == 0;
    let first = folder.join("first.sql");
    let sql = format!(
        "CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n\
         CREATE DATABASE IF NOT EXISTS admin;\n"
    );
    std::fs::write(&first, sql).expect("the folder takes files");
    if root {
        for path in [&folder, &first] {
            chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give away");
        }
    }
    let mut install = Command::new(program("mariadb-install-db"));
    install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
    install.arg(format!("--datadir={}", folder.join("data").display()));
    install.arg(format!("--tmpdir={}", folder.display()));
    as_owner(&mut install, &folder);
    let done = install.output().expect("mariadb-install-db starts");
    assert!(done.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&done.stderr));

    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let _ = kept.keep();
    let watch = launch(&folder, port, option);
    Server { port, folder, _watches: Mutex::new(vec![watch]) }
}

/// Starts a server on what is in the folder; returns when it takes connections.
fn launch(folder: &Path, port: u16, option: &str) -> Child {
    let mut watch = Command::new("/bin/sh");
    watch.args(["-c", WATCH, "watch"]).arg(program("mariadbd")).arg(folder).arg(port.to_string()).arg(option);
    watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    as_owner(&mut watch, folder);
    let watch = watch.spawn().expect("a shell starts");
    until_it(|| TcpStream::connect(("127.0.0.1", port)).is_ok(), folder);
    watch
}

fn until_it(is_so: impl Fn() -> bool, folder: &Path) {
    let began = Instant::now();
    while !is_so() {
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(began.elapsed() < Duration::from_secs(60), "mariadbd does not come about: {}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// As whoever owns the folder.
fn as_owner(command: &mut Command, folder: &Path) {
    let owner = std::fs::metadata(folder).expect("the folder is there");
    if owner.uid() == NOBODY {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir(folder);
}

/// `GREENLIGHT_MARIADB` (the server's program), then the path, then where distributions put it.
fn program(name: &str) -> PathBuf {
    let named = std::env::var_os("GREENLIGHT_MARIADB").map(PathBuf::from).filter(|_| name == "mariadbd");
    if let Some(named) = named.filter(|it| it.is_file()) {
        return named;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/bin", "/usr/sbin", "/usr/libexec", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| Path::new(program).is_file())
        .unwrap_or_else(|| panic!("{name} is needed: install mariadb-server-core and mariadb-client-core"))
}
