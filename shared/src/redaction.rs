//! No secret leaves: what was read from Secrets Manager is cut out of everything that is written.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use crate::check::CannotTell;
use crate::ports::{Secret, SecretDescription, Secrets};

/// Stands where a secret stood.
const HIDDEN: &str = "[secret]";

/// Shorter texts are no secrets worth the name, and cutting them out would garble the report.
const SHORTEST: usize = 4;

/// Keys of a database secret that are no secret. Their values are words that a report needs.
const PUBLIC_KEYS: [&str; 9] =
    ["username", "user", "host", "port", "dbname", "database", "engine", "dbInstanceIdentifier", "dbClusterIdentifier"];

/// Every secret that was read. Clones share one list.
#[derive(Clone, Default)]
pub struct Redactions {
    texts: Arc<RwLock<Vec<String>>>,
}

impl Redactions {
    /// From now on neither this secret nor any of its parts is written.
    pub fn learn(&self, secret: &Secret) {
        let mut found = Vec::new();
        match serde_json::from_str::<Value>(secret.expose()) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => {
                found.push(secret.expose().to_owned());
                parts(&value, &mut found);
            }
            _ => found.push(secret.expose().to_owned()),
        }
        let mut texts = self.texts.write().unwrap_or_else(PoisonError::into_inner);
        for text in found.iter().flat_map(|text| forms(text)).filter(|text| text.chars().count() >= SHORTEST) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    }

    /// The text with every secret cut out.
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let secrets = self.texts.read().unwrap_or_else(PoisonError::into_inner);
        let mut clean = Cow::Borrowed(text);
        for secret in secrets.iter().filter(|secret| text.contains(secret.as_str())) {
            clean = Cow::Owned(clean.replace(secret.as_str(), HIDDEN));
        }
        clean
    }
}

/// Text values, but those of keys that are no secret.
fn parts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| parts(value, found)),
        Value::Object(fields) => {
            fields
                .iter()
                .filter(|(key, _)| !PUBLIC_KEYS.contains(&key.as_str()))
                .for_each(|(_, value)| parts(value, found));
        }
        _ => {}
    }
}

/// As it is, as it stands in a URL, and as it stands in JSON.
fn forms(text: &str) -> Vec<String> {
    let mut url = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    let json = Value::String(text.to_owned()).to_string();
    let debug = text.escape_debug().to_string();
    vec![text.to_owned(), url, json.trim_matches('"').to_owned(), debug]
}

/// Secrets that are remembered when they are read.
pub struct Guarded<'a> {
    inner: &'a dyn Secrets,
    redactions: &'a Redactions,
}

impl<'a> Guarded<'a> {
    /// Reads from `inner`, and tells `redactions`.
    pub fn new(inner: &'a dyn Secrets, redactions: &'a Redactions) -> Self {
        Self { inner, redactions }
    }

    /// As [`Secrets::value`]; whose it is has been asked.
    pub(crate) async fn value(&self, secret: &str) -> Result<Secret, CannotTell> {
        let value = self.inner.value(secret).await?;
        self.redactions.learn(&value);
        Ok(value)
    }

    /// As [`Secrets::description`].
    pub async fn description(&self, secret: &str) -> Result<Option<SecretDescription>, CannotTell> {
        self.inner.description(secret).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_secret_is_cut_out_in_every_form_and_its_user_stays() {
        let redactions = Redactions::default();
        redactions.learn(&Secret::new(r#"{"username":"orders","password":"p@ss \"word\"","host":"db.internal"}"#));
        let text = r#"postgres://orders:p%40ss%20%22word%22@db.internal: "p@ss \"word\"" p@ss "word""#;
        assert_eq!(redactions.clean(text), r#"postgres://orders:[secret]@db.internal: "[secret]" [secret]"#);
    }

    #[test]
    fn a_plain_secret_is_cut_out_and_a_tiny_one_is_not() {
        let redactions = Redactions::default();
        redactions.learn(&Secret::new("s3cr3t"));
        redactions.learn(&Secret::new("a"));
        assert_eq!(redactions.clean("a token s3cr3t"), "a token [secret]");
    }
}
