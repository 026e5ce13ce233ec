//! A folder with scenarios in it, and `rehearse` started there as a person does.
//!
//! Each has temporary files of its own and marks its processes, so that whatever is left behind is seen.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Marks every process that a rehearsal starts.
const MARKER: &str = "GREENLIGHT_TEST";
/// The reaper clears up within this time, and then some: the machine may be busy.
const CLEARS_UP_WITHIN: Duration = Duration::from_secs(15);

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
        Running { child: command.spawn().expect("rehearse is built with its tests") }
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
}

impl Running {
    /// Sends a signal to the whole group, as a terminal does.
    pub(crate) fn signal(&self, signal: Signal) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        killpg(group, signal).expect("it runs or was not waited for");
    }

    /// Reads its lines until one contains `words`.
    pub(crate) fn says(&mut self, words: &str) {
        let mut out = self.child.stdout.take().expect("a pipe");
        let (mut said, mut byte) = (Vec::new(), [0]);
        while !String::from_utf8_lossy(&said).contains(words) {
            let read = out.read(&mut byte).expect("a pipe can be read");
            assert!(read == 1, "it ended without saying `{words}`: {}", String::from_utf8_lossy(&said));
            said.push(byte[0]);
        }
        self.child.stdout = Some(out);
    }

    /// Reads one line and goes, as `head -1` does.
    pub(crate) fn is_read_for_one_line(&mut self) {
        self.says("\n");
        drop(self.child.stdout.take());
    }

    pub(crate) fn ends(mut self) -> Said {
        let read = |pipe: Option<Box<dyn Read + Send>>| {
            std::thread::spawn(move || {
                let mut said = Vec::new();
                pipe.map(|mut pipe| pipe.read_to_end(&mut said)).transpose().expect("a pipe can be read");
                String::from_utf8_lossy(&said).into_owned()
            })
        };
        let out = read(self.child.stdout.take().map(|pipe| Box::new(pipe) as _));
        let err = read(self.child.stderr.take().map(|pipe| Box::new(pipe) as _));
        let status = self.child.wait().expect("it is our child");
        let joined = |reader: std::thread::JoinHandle<String>| reader.join().expect("reading does not panic");
        Said { code: status.code(), out: joined(out), err: joined(err) }
    }
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
