//! What is left of all that this process started.

use std::fs;
use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a process that was killed may take until it is gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Children of this process that still run, but the one that clears up, once those that were killed are gone. None where there
/// is no `/proc`.
pub async fn left() -> io::Result<usize> {
    let until = Instant::now() + GONE_WITHIN;
    loop {
        let left = now()?;
        if left == 0 || Instant::now() > until {
            return Ok(left);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn now() -> io::Result<usize> {
    let own = std::process::id().to_string();
    let mut left = 0;
    for entry in fs::read_dir("/proc").into_iter().flatten() {
        let stat = fs::read_to_string(entry?.path().join("stat")).unwrap_or_default();
        // `pid (name) state ppid`, where the name may hold anything.
        let Some((name, rest)) = stat.rsplit_once(") ") else { continue };
        let mut fields = rest.split(' ');
        let (state, parent) = (fields.next(), fields.next());
        left += usize::from(parent == Some(&own) && state != Some("Z") && !name.ends_with("(rehearse"));
    }
    Ok(left)
}
