//! A text with `${variables}`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer};
use serde_json::Value;

use crate::deployment::{Deployment, FunctionDeployment};
use crate::ports::Secret;
use crate::redaction::Redactions;

/// Variables every plan has, in the order they are offered.
pub const VARIABLES: [&str; 7] = [
    "task_definition_revision",
    "task_definition_family",
    "task_definition",
    IMAGE_TAG,
    "deployment_id",
    "service",
    "cluster",
];

/// The variable for the tag of the image that is deployed: the deployment alone does not tell it.
pub const IMAGE_TAG: &str = "image_tag";

/// A text in which `${name}` stands for a value that is known only during the deployment. `$${` is a plain `${`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    written: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

/// What the variables stand for.
#[derive(Clone, Default)]
pub struct Values {
    values: BTreeMap<String, Value>,
    secrets: Redactions,
}

/// Names only: a value may be secret.
impl fmt::Debug for Values {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.values.keys()).finish()
    }
}

impl Values {
    /// The variables every plan has, for this deployment; without [`IMAGE_TAG`].
    pub fn of(deployment: &Deployment) -> Self {
        let version = deployment.target_task_definition.rsplit('/').next().unwrap_or_default();
        let (family, revision) = version.rsplit_once(':').unwrap_or((version, ""));
        let values = [
            ("task_definition_revision", revision),
            ("task_definition_family", family),
            ("task_definition", version),
            ("deployment_id", &deployment.id.0),
            ("service", &deployment.service.name),
            ("cluster", &deployment.service.cluster),
        ];
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        Self { values, secrets: Redactions::default() }
    }

    /// The variables that events for a function have, for this deployment.
    pub fn of_function(deployment: &FunctionDeployment) -> Self {
        let shift = &deployment.shift;
        let values = [
            ("function", &shift.function),
            ("alias", &shift.alias),
            ("target_version", &shift.target),
            ("current_version", &shift.current),
            ("deployment_id", &deployment.id.0),
        ];
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value.as_str()))).collect();
        Self { values, secrets: Redactions::default() }
    }

    /// From now on this variable stands for this value.
    pub fn set(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    /// From now on this variable stands for a secret, which [`Self::clean`] cuts out of texts.
    pub fn set_secret(&mut self, name: &str, secret: &Secret) {
        self.secrets.learn(secret);
        self.values.insert(name.to_owned(), Value::from(secret.expose()));
    }

    /// The text without the secrets. To be asked before a text is shortened: half a secret is not recognised.
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.secrets.clean(text)
    }
}

impl Template {
    /// A text without variables.
    pub fn plain(text: &str) -> Self {
        Self { written: text.to_owned(), parts: vec![Part::Text(text.to_owned())] }
    }

    /// Splits the text at its variables. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                plain.push_str(&rest[..at]);
                plain.push('{');
                rest = &rest[at + 2..];
                continue;
            }
            plain.push_str(&rest[..at]);
            let end = rest[at..].find('}').ok_or("`${` has no closing `}`; write `$${` for a plain `${`")?;
            let name = &rest[at + 2..at + end];
            if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
                return Err("a variable is written `${name}`, with letters, digits and `_`".to_owned());
            }
            parts.extend((!plain.is_empty()).then(|| Part::Text(std::mem::take(&mut plain))));
            parts.push(Part::Variable(name.to_owned()));
            rest = &rest[at + end + 1..];
        }
        plain.push_str(rest);
        parts.extend((!plain.is_empty()).then_some(Part::Text(plain)));
        Ok(Self { written: text.to_owned(), parts })
    }

    /// The names of its variables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with every variable replaced. Names are checked when the plan is read, so none is unknown here; one
    /// whose capture has not happened stays as it is written.
    pub fn fill(&self, values: &Values) -> String {
        self.fill_with(values, str::to_owned)
    }

    /// As [`Self::fill`], for a path: what a variable stands for can neither add a segment nor a query.
    pub fn fill_path(&self, values: &Values) -> String {
        self.fill_with(values, Self::percent_encoded)
    }

    /// As [`Self::fill`], for JSON: a text that is nothing but a variable keeps the variable's type.
    pub fn fill_json(&self, values: &Values) -> Value {
        match self.parts.as_slice() {
            [Part::Variable(name)] if values.values.contains_key(name) => values.values[name].clone(),
            _ => Value::from(self.fill(values)),
        }
    }

    /// The text as a part of a URL or of a form: every byte that is not plain in hexadecimal.
    pub fn percent_encoded(text: &str) -> String {
        let mut encoded = String::new();
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
                other => encoded.push_str(&format!("%{other:02X}")),
            }
        }
        encoded
    }

    fn fill_with(&self, values: &Values, form: impl Fn(&str) -> String) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Variable(name) => match values.values.get(name) {
                    Some(value) => text.push_str(&form(&plain_text(value))),
                    None => text.push_str(&format!("${{{name}}}")),
                },
            }
        }
        text
    }
}

/// A JSON value as a text of a request has it: without the quotes of a JSON text.
pub fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// As it is written in the plan.
impl fmt::Display for Template {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Template, Values};

    #[test]
    fn variables_are_replaced() {
        let mut values = Values::default();
        values.set("order", 7.into());
        let template = Template::parse("/orders/${order}/lines?of=${order}").expect("a template");
        assert_eq!(template.fill(&values), "/orders/7/lines?of=7");
        assert_eq!(template.variables().collect::<Vec<_>>(), ["order", "order"]);
    }

    /// An id comes from the application that is being judged.
    #[test]
    fn a_value_cannot_lead_a_path_elsewhere() {
        let mut values = Values::default();
        values.set("order", "../admin?all=1".into());
        let template = Template::parse("/orders/${order}").expect("a template");
        assert_eq!(template.fill_path(&values), "/orders/..%2Fadmin%3Fall%3D1");
    }

    #[test]
    fn a_number_stays_a_number_in_json() {
        let mut values = Values::default();
        values.set("order", 7.into());
        let fill = |text: &str| Template::parse(text).expect("a template").fill_json(&values);
        assert_eq!(fill("${order}"), serde_json::json!(7));
        assert_eq!(fill("no. ${order}"), serde_json::json!("no. 7"));
    }

    #[test]
    fn two_dollars_are_a_plain_one() {
        let template = Template::parse("costs $5, not $${price}").expect("a template");
        assert_eq!(template.fill(&Values::default()), "costs $5, not ${price}");
        assert_eq!(template.variables().count(), 0);
    }

    #[test]
    fn an_open_or_empty_variable_is_refused() {
        for text in ["/${order", "/${}", "/${a b}", "/${a.b}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
