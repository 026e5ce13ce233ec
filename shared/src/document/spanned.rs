//! A value and the place where it stands.

use serde::de::{Deserialize, Deserializer};
use serde_saphyr::Location;

/// A value and the place in the document where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it is used; `Location::UNKNOWN` for what does not come from a document.
    pub referenced: Location,
    /// Where it is written: another place only for what an alias refers to.
    pub defined: Location,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub const fn new(value: T, referenced: Location, defined: Location) -> Self {
        Self { value, referenced, defined }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let serde_saphyr::Spanned { value, referenced, defined } = serde_saphyr::Spanned::deserialize(deserializer)?;
        Ok(Self { value, referenced, defined })
    }
}
