//! What a response must be like.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::assertion::{Assertion, Pattern};
use super::json_path::JsonPath;
use super::template::Template;
use crate::units::Span;

/// What a response must be like. With nothing said, its status must be 2xx.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// Its status.
    pub status: Statuses,
    /// What its headers must be like; names in lower case.
    pub headers: Vec<(String, Assertion)>,
    /// What the values of its JSON body must be like.
    pub json: Vec<(JsonPath, Assertion)>,
    /// Text its body must contain.
    pub body_contains: Option<Template>,
    /// Pattern that must be found in its body.
    pub body_matches: Option<Pattern>,
    /// Longest time it may take.
    pub within: Option<Span>,
}

impl Expect {
    /// Any 2xx.
    pub fn success() -> Self {
        Self {
            status: Statuses::Class(2),
            headers: Vec::new(),
            json: Vec::new(),
            body_contains: None,
            body_matches: None,
            within: None,
        }
    }

    /// Whether it takes the body to judge the response.
    pub fn looks_at_body(&self) -> bool {
        !self.json.is_empty() || self.body_contains.is_some() || self.body_matches.is_some()
    }
}

/// Status codes: `200`, `[200, 204]` or `2xx`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statuses {
    /// One of these.
    OneOf(Vec<u16>),
    /// All that begin with this digit.
    Class(u16),
}

impl Statuses {
    /// Whether this status is one of them.
    pub fn contain(&self, status: u16) -> bool {
        match self {
            Self::OneOf(statuses) => statuses.contains(&status),
            Self::Class(class) => status / 100 == *class,
        }
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(statuses) => {
                out.write_str(&statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "))
            }
            Self::Class(class) => write!(out, "{class}xx"),
        }
    }
}

const EXAMPLES: &str = "a status such as `200`, `2xx` or `[200, 204]`";

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyStatuses;

        impl<'de> Visitor<'de> for AnyStatuses {
            type Value = Statuses;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(EXAMPLES)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Statuses, E> {
                match u16::try_from(number) {
                    Ok(status) if (100..600).contains(&status) => Ok(Statuses::OneOf(vec![status])),
                    _ => Err(E::custom(format!("{number} is no status; expected {EXAMPLES}"))),
                }
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Statuses, E> {
                let class = text.strip_suffix("xx").and_then(|digit| digit.parse().ok());
                match class {
                    Some(class @ 1..=5) => Ok(Statuses::Class(class)),
                    _ => Err(E::custom(format!("`{text}` is no status; expected {EXAMPLES}"))),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Statuses, A::Error> {
                let mut statuses = Vec::new();
                while let Some(next) = list.next_element::<Statuses>()? {
                    match next {
                        Statuses::OneOf(more) => statuses.extend(more),
                        Statuses::Class(_) => return Err(de::Error::custom("a list holds whole statuses only")),
                    }
                }
                if statuses.is_empty() {
                    return Err(de::Error::custom(format!("the list is empty; expected {EXAMPLES}")));
                }
                Ok(Statuses::OneOf(statuses))
            }
        }

        deserializer.deserialize_any(AnyStatuses)
    }
}
