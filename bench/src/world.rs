//! A rehearsed deployment that stands still at each of its hooks, so that they can be measured against it.
//!
//! In the hooks' place the rehearsal runs a function that parks: it connects, tells its event and environment, and
//! answers CodeDeploy only when it is let go.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// The longest that Lambda lets a function run: a parked hook is measured meanwhile.
const LONGEST: &str = "15m";

/// The world as one hook finds it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Standing {
    /// `after-install`, …
    pub(crate) hook: String,
    /// Where the world answers AWS calls, without TLS.
    pub(crate) endpoint: String,
    /// What CodeDeploy invoked the hook with.
    pub(crate) event: Value,
    /// Its own variables and whom it acts as; Lambda's variables are the benchmark's.
    pub(crate) environment: BTreeMap<String, String>,
}

/// The rehearsal while it runs.
pub(crate) struct World {
    rehearsal: Child,
    parking: TcpListener,
    log: PathBuf,
}

/// A hook's turn. The deployment goes on when it is let go.
pub(crate) struct Parked {
    pub(crate) standing: Standing,
    connection: TcpStream,
}

impl World {
    /// Starts a rehearsal in which each of these hooks parks.
    pub(crate) async fn start(rehearse: &Path, python: &Path, hooks: &[&str], folder: &Path) -> Result<Self> {
        let parking = TcpListener::bind("127.0.0.1:0").await.context("no port to park at")?;
        let scenario = folder.join("bench.yaml");
        std::fs::write(&scenario, text(python, hooks, &parking.local_addr()?.to_string()))?;
        let log = folder.join("rehearsal.log");
        let output = std::fs::File::create(&log).context("the rehearsal's log cannot be written")?;
        let rehearsal = Command::new(rehearse)
            .arg("run")
            .arg(&scenario)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{} does not start", rehearse.display()))?;
        Ok(Self { rehearsal, parking, log })
    }

    /// The next hook whose turn it is.
    pub(crate) async fn next(&mut self) -> Result<Parked> {
        let (connection, _) = tokio::select! {
            accepted = self.parking.accept() => accepted?,
            ended = self.rehearsal.wait() => bail!(
                "the rehearsal ended before every hook had its turn: {}\n{}",
                ended?,
                std::fs::read_to_string(&self.log).unwrap_or_default(),
            ),
        };
        let mut connection = BufReader::new(connection);
        let mut line = String::new();
        connection.read_line(&mut line).await.context("a parked hook went away")?;
        let standing = serde_json::from_str(&line).context("a parked hook tells its event")?;
        Ok(Parked { standing, connection: connection.into_inner() })
    }

    /// Asks the rehearsal to stop and clean up, as Ctrl-C does.
    pub(crate) fn interrupt(&self) -> Result<()> {
        match self.rehearsal.id().map(i32::try_from) {
            Some(Ok(id)) => kill(Pid::from_raw(id), Signal::SIGINT).context("the rehearsal cannot be interrupted"),
            // It has ended.
            _ => Ok(()),
        }
    }

    /// Waits until the deployment is over, and the rehearsal has cleaned up after itself.
    pub(crate) async fn end(&mut self) -> Result<ExitStatus> {
        self.rehearsal.wait().await.context("the rehearsal cannot be waited for")
    }

    /// As [`Self::end`]; a deployment that did not succeed was another one than was to be measured.
    pub(crate) async fn succeeded(mut self) -> Result<()> {
        let status = self.end().await?;
        if !status.success() {
            bail!("the rehearsed deployment: {status}\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
        Ok(())
    }
}

impl Parked {
    pub(crate) async fn let_go(mut self) -> Result<()> {
        self.connection.write_all(b"\n").await.context("a parked hook went away")
    }
}

fn text(python: &Path, hooks: &[&str], parking: &str) -> String {
    let park = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/park.py");
    let mut text =
        "story: A deployment that stands still at each of its hooks while they are measured.\nhooks:\n".to_owned();
    for hook in hooks {
        let command = format!("{} {} {hook} {parking}", python.display(), park.display());
        let _ = writeln!(text, "  {}: {{ command: \"{command}\", timeout: {LONGEST} }}", hook.replace('-', "_"));
    }
    text + "expect:\n  status: Succeeded\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_of_the_scenario_parks_at_the_benchmark() {
        let text = text(Path::new("python3"), &["before-install", "after-install"], "127.0.0.1:9");
        assert!(text.contains("  before_install: { command: \"python3 "), "{text}");
        assert!(text.contains("park.py after-install 127.0.0.1:9\", timeout: 15m }\n"), "{text}");
    }
}
