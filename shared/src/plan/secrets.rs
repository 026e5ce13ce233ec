//! `secrets`: variables that stand for what only Secrets Manager may know.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Reader;
use super::template::VARIABLES;
use crate::document::{Mapping, Spanned};

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlannedSecret {
    /// Name or ARN of the secret in Secrets Manager.
    pub secret: String,
    /// The member of a secret that is JSON; the whole text without it.
    pub key: Option<String>,
}

impl Reader<'_> {
    pub(super) fn planned_secrets(&self, written: Mapping<Spanned<PlannedSecret>>) -> BTreeMap<String, PlannedSecret> {
        let mut secrets = BTreeMap::new();
        for (name, planned) in written.0 {
            if !name.value.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
                self.judge.note(self.wrong(name.referenced, "a variable's name has letters, digits and `_`"));
            }
            if VARIABLES.contains(&name.value.as_str()) {
                let message = format!("`{}` has a meaning already; choose another name", name.value);
                self.judge.note(self.wrong(name.referenced, message));
            }
            let secret = &planned.value.secret;
            if secret.is_empty() || secret.contains(char::is_whitespace) {
                let message = "`secret` is the name or ARN of a secret, not the secret itself";
                self.judge.note(self.wrong(planned.referenced, message));
            }
            secrets.insert(name.value, planned.value);
        }
        secrets
    }
}
