//! A real PostgreSQL for this test binary: empty, on loopback, gone when the tests are.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The only user.
pub(crate) const USER: &str = "migrator";
/// Must never be seen in an answer.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// PostgreSQL refuses to run as root; this is `nobody`.
const NOBODY: u32 = 65_534;

/// Ends the server and removes its folder as soon as its own standard input closes, which happens however the test
/// process ends.
const WATCH: &str = r#"trap '' INT TERM HUP
"$1" -D "$2/data" -p "$3" -k "$2" -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200 \
  -c deadlock_timeout=200ms </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
rm -rf "$2""#;

/// A running server.
pub(crate) struct Server {
    pub(crate) port: u16,
    _watch: Child,
}

/// The server of this test binary, started by whoever asks first.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start(false))
}

/// Another one, which takes what a primary sends it and no writes.
pub(crate) fn standby() -> Server {
    start(true)
}

fn start(standby: bool) -> Server {
    let kept = tempfile::tempdir().expect("a temporary folder");
    let folder = kept.path().to_owned();
    let password = folder.join("password");
    std::fs::write(&password, PASSWORD).expect("the folder takes files");
    let root = std::fs::metadata(&folder).expect("the folder was just made").uid() == 0;
    if root {
        chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
    }
    let as_nobody = |command: &mut Command| {
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.current_dir(&folder);
    };

    let mut initdb = Command::new(program("initdb"));
    initdb.args([
        "--auth-host=scram-sha-256",
        "--auth-local=trust",
        "--no-sync",
        "--locale=C",
        "-E",
        "UTF8",
        "-U",
        USER,
    ]);
    initdb.arg("--pwfile").arg(&password).arg("-D").arg(folder.join("data"));
    as_nobody(&mut initdb);
    let done = initdb.output().expect("initdb starts");
    assert!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));

    if standby {
        let signal = folder.join("data/standby.signal");
        std::fs::write(&signal, "").expect("the folder takes files");
        if root {
            chown(&signal, Some(NOBODY), Some(NOBODY)).expect("root may give a file away");
        }
    }
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let mut watch = Command::new("/bin/sh");
    watch.args(["-c", WATCH, "watch"]).arg(program("postgres")).arg(&folder).arg(port.to_string());
    watch.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    as_nobody(&mut watch);
    let mut watch = watch.spawn().expect("a shell starts");
    let _ = kept.keep();
    let mut lines = BufReader::new(watch.stderr.take().expect("its standard error is piped")).lines();
    let mut said = Vec::new();
    loop {
        let line = lines.next().unwrap_or_else(|| panic!("postgres ended: {said:?}")).expect("the log is text");
        if line.contains("database system is ready to accept ") {
            break;
        }
        said.push(line);
    }
    // Its log must be read on, or it would wait for us when the pipe is full.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Server { port, _watch: watch }
}

/// `GREENLIGHT_POSTGRES` (a folder of programs), then the path, then where Debian puts them.
fn program(name: &str) -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::var_os("GREENLIGHT_POSTGRES")
        .map(PathBuf::from)
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(debian.map(|version| version.path().join("bin")))
        .map(|folder| folder.join(name))
        .find(|program| Path::new(program).is_file())
        .unwrap_or_else(|| {
            panic!("{name} of PostgreSQL is needed: install it, or set GREENLIGHT_POSTGRES to its folder")
        })
}
