//! What a person reads: one line for each thing that happened, stamped with the world's time.

use std::fmt::Write;

use jiff::Timestamp;

use crate::world::journal::Entry;

/// Renders entries with their time since `begin`.
pub struct Transcript {
    begin: Timestamp,
}

impl Transcript {
    /// Times are counted from `begin`.
    pub fn new(begin: Timestamp) -> Self {
        Self { begin }
    }

    /// One entry: `  4:05  CodeDeploy  AllowTraffic: 10 % …`; further lines are indented below the first.
    pub fn line(&self, entry: &Entry) -> String {
        let mut text = String::new();
        let mut lines = entry.text.lines();
        let first = lines.next().unwrap_or_default();
        let at = format!("{:>8}", since(self.begin, entry.at));
        let who = format!("{:<10}", entry.who.to_string());
        let _ = write!(text, "{at}  {who}  {first}");
        for line in lines {
            let _ = write!(text, "\n{}", format!("{:22}{line}", "").trim_end());
        }
        text.trim_end().to_owned()
    }
}

/// `4:05`, `1:00:00`.
fn since(begin: Timestamp, at: Timestamp) -> String {
    let seconds = at.duration_since(begin).as_secs().max(0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::world::journal::Who;

    #[test]
    fn a_report_of_several_lines_stands_below_its_first() {
        let begin = Timestamp::UNIX_EPOCH;
        let entry = |seconds, who, text: &str| Entry {
            at: begin + SignedDuration::from_secs(seconds),
            who,
            text: text.to_owned(),
        };
        let transcript = Transcript::new(begin);
        let lines = [
            transcript.line(&entry(65, Who::CodeDeploy, "BeforeInstall: calls a function")),
            transcript.line(&entry(3661, Who::Hook, "GO  before-install\n  PASSED  blue-is-healthy")),
        ];
        insta::assert_snapshot!(lines.join("\n"), @"
            1:05  CodeDeploy  BeforeInstall: calls a function
         1:01:01  hook        GO  before-install
                                PASSED  blue-is-healthy
        ");
    }
}
