//! The lines that a hook wrote before it died.

use serde_json::Value;

use crate::documents;
use crate::hook_files::last_words::{LastWords, of, verdict};

/// The invocation that died.
const REQUEST: &str = "r-1";

pub(crate) fn read(bytes: &[u8]) {
    let text = documents::text(bytes);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    verdict(&text);
    if let LastWords::Asked(event, _) = of(&lines, REQUEST) {
        let own = own(&lines);
        for id in [&event.deployment.0, &event.execution.0] {
            assert!(!id.is_empty() && !id.contains(char::is_whitespace), "{id:?} is no id");
            // Behind a backslash it is written otherwise.
            assert!(own.contains(id.as_str()) || own.contains('\\'), "{id:?} is of another invocation");
        }
    }
}

/// The lines since another invocation ended, up to the end of the one that died.
fn own(lines: &[String]) -> String {
    let ended: Vec<Option<String>> = lines.iter().map(|line| ended(line)).collect();
    let end = ended.iter().rposition(|it| it.as_deref() == Some(REQUEST)).unwrap_or(lines.len());
    let others = ended[..end].iter().rposition(|it| it.as_ref().is_some_and(|it| it != REQUEST));
    lines[others.unwrap_or(0)..end].join("\n")
}

/// The invocation whose end the line tells.
fn ended(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let of = line["record"]["requestId"].as_str()?;
    (line["type"] == "platform.report").then(|| of.to_owned())
}
