//! A folder with scenarios in it, and `rehearse` started there as a person does.
//!
//! Each has temporary files of its own and marks its processes, so that whatever is left behind is seen.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Marks every process that a rehearsal starts.
const MARKER: &str = "GREENLIGHT_TEST";
/// The reaper clears up within this time, and then some: the machine may be busy.
const CLEARS_UP_WITHIN: Duration = Duration::from_secs(15);

/// A small rehearsal takes seconds; the machine may be busy.
const SAYS_WITHIN: Duration = Duration::from_secs(90);

/// A scenario whose hooks are all left out, whose service is a small Python program, and which needs no database.
pub(crate) const SMALL: &str = "\
story: A service answers whatever it is asked.
service: { name: shop, database: false, command: python3 -u shop.py, desired_count: 1 }
hooks:
  before_install: { none: true }
  after_install: { none: true }
  after_allow_test_traffic: { none: true }
  before_allow_traffic: { none: true }
  after_allow_traffic: { none: true }
";

const SHOP: &str = "\
import http.server, os, signal
class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *_):
        pass
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Shop).serve_forever()
";

pub(crate) struct Workshop {
    folder: tempfile::TempDir,
    temporary: PathBuf,
}

/// What a command has said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Workshop {
    /// With the small scenario as `small.yaml`.
    pub(crate) fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let temporary = folder.path().join("tmp");
        std::fs::create_dir(&temporary).expect("the folder is writable");
        // PostgreSQL does not run as root, but as nobody.
        for path in [folder.path(), &temporary] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("the folder is ours");
        }
        let workshop = Self { folder, temporary };
        workshop.write("small.yaml", SMALL);
        workshop.write("shop.py", SHOP);
        workshop
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is writable");
        std::fs::write(path, text).expect("the folder is writable");
    }

    /// Runs `rehearse` to its end.
    pub(crate) fn rehearse(&self, arguments: &[&str]) -> Said {
        self.start(arguments).ends()
    }

    /// Starts `rehearse` in a process group of its own, as a shell does.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        self.start_with(arguments, |_| {})
    }

    pub(crate) fn start_with(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearse"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("TMPDIR", &self.temporary)
            .env(MARKER, self.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        change(&mut command);
        Running::new(command.spawn().expect("rehearse is built with its tests"))
    }

    /// Waits until no process of a rehearsal and no folder of one is left.
    #[track_caller]
    pub(crate) fn is_cleared_up(&self) {
        let ends = Instant::now() + CLEARS_UP_WITHIN;
        loop {
            let (processes, folders) = (self.processes(), self.folders());
            if processes.is_empty() && folders.is_empty() {
                return;
            }
            assert!(Instant::now() < ends, "left behind: processes {processes:?}, folders {folders:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What is in the folder of temporary files.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.temporary).expect("it was made");
        entries.map(|entry| entry.expect("it can be read").path()).collect()
    }

    /// Command lines of the processes that a rehearsal has started here and that still live.
    pub(crate) fn processes(&self) -> Vec<String> {
        let mark = format!("{MARKER}={}", self.path().display());
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ours = entries.filter(|entry| {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        });
        ours.filter_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok().filter(|line| !line.is_empty())?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        })
        .collect()
    }
}

/// A command that runs. Killed with its group when dropped.
pub(crate) struct Running {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
    /// What it has said on standard output so far.
    said: String,
}

impl Running {
    fn new(mut child: Child) -> Self {
        let out = read(child.stdout.take().expect("a pipe"));
        let err = read(child.stderr.take().expect("a pipe"));
        Self { child, out, err, said: String::new() }
    }

    /// Sends a signal to the whole group, as a terminal does.
    pub(crate) fn signal(&self, signal: Signal) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        killpg(group, signal).expect("it runs or was not waited for");
    }

    /// Waits until it has said this.
    #[track_caller]
    pub(crate) fn says(&mut self, words: &str) {
        while !self.said.contains(words) {
            match self.out.recv_timeout(SAYS_WITHIN) {
                Ok(more) => self.said.push_str(&more),
                Err(why) => panic!("it did not say `{words}` ({why}), but: {}", self.said),
            }
        }
    }

    /// Reads one line and goes, as `head -1` does.
    pub(crate) fn is_read_for_one_line(&mut self) {
        self.says("\n");
        self.out = std::sync::mpsc::channel().1;
    }

    #[track_caller]
    pub(crate) fn ends(mut self) -> Said {
        let ends = Instant::now() + SAYS_WITHIN;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < ends, "it does not end; so far it has said: {}", self.rest());
            std::thread::sleep(Duration::from_millis(5));
        };
        let rest = self.err.iter().collect();
        let out = std::mem::take(&mut self.said) + &self.out.iter().collect::<String>();
        Said { code: status.code(), out, err: rest }
    }

    fn rest(&self) -> String {
        self.said.clone() + &self.out.try_iter().collect::<String>() + &self.err.try_iter().collect::<String>()
    }
}

/// Hands on what a pipe says, until nobody listens any more.
fn read(mut pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (said, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut piece) {
            if said.send(String::from_utf8_lossy(&piece[..length]).into_owned()).is_err() {
                break;
            }
        }
    });
    heard
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

impl Said {
    /// The error in one line: nothing before `rehearse: ` and nothing after its end.
    #[track_caller]
    pub(crate) fn one_line_error(&self) -> &str {
        let line = self.err.strip_prefix("rehearse: ").unwrap_or_else(|| panic!("no error: {self:?}")).trim_end();
        assert!(!line.contains('\n'), "more than a line: {line}");
        line
    }
}
