//! Cutting secrets out of texts: the first line is a secret, the rest a text.

use greenlight::ports::Secret;
use greenlight::redaction::Redactions;
use serde_json::Value;

use crate::documents;

/// Shorter ones are left in.
const SHORTEST: usize = 4;

/// What stands in place of a secret.
const HIDDEN: &str = "[secret]";

pub(crate) fn read(bytes: &[u8]) {
    let bytes = documents::text(bytes);
    let (secret, text) = bytes.split_once('\n').unwrap_or((&bytes, ""));
    let redactions = Redactions::default();
    redactions.learn(&Secret::new(secret));
    let mut parts = vec![secret.to_owned()];
    if let Ok(Value::Object(members)) = serde_json::from_str(secret) {
        let passwords = members.into_iter().filter(|(name, _)| name.contains("password"));
        parts.extend(passwords.filter_map(|(_, value)| value.as_str().map(str::to_owned)));
    }
    for part in parts.iter().filter(|part| part.chars().count() >= SHORTEST) {
        // What stands in its place would hold it.
        if part.contains(['[', ']']) || HIDDEN.contains(part.as_str()) {
            continue;
        }
        let in_json = Value::from(part.as_str()).to_string();
        let told = format!("{text}{part}{text} {in_json} {part:?}");
        let clean = redactions.clean(&told);
        assert!(!clean.contains(part.as_str()), "{clean:?} has {part:?}");
    }
}
