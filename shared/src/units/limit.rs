//! Bounds from above: `< 300ms`, `<= 0.1%`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};

use super::{UnitError, from_text};

const EXAMPLES: &str = "expected a limit such as `< 300ms` or `< 0.1%`";

/// The most that a quantity may be: `< 300ms` leaves 300 ms out, `<= 300ms` and a bare `300ms` allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<T> {
    /// The bound.
    pub value: T,
    /// Whether the bound itself is allowed.
    pub inclusive: bool,
}

impl<T: PartialOrd> Limit<T> {
    /// Whether this value is within the bound.
    pub fn holds(&self, value: &T) -> bool {
        if self.inclusive { *value <= self.value } else { *value < self.value }
    }
}

impl<T: FromStr<Err = UnitError>> FromStr for Limit<T> {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let trimmed = text.trim();
        let (inclusive, quantity) = match (trimmed.strip_prefix("<="), trimmed.strip_prefix('<')) {
            (Some(quantity), _) => (true, quantity),
            (None, Some(quantity)) => (false, quantity),
            (None, None) => (true, trimmed),
        };
        if quantity.trim_start().starts_with(['>', '=']) {
            return Err(UnitError(format!("`{text}` is no limit; {EXAMPLES}")));
        }
        Ok(Self { value: quantity.trim().parse()?, inclusive })
    }
}

/// As a plan writes it, with its sign.
impl<T: fmt::Display> fmt::Display for Limit<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", if self.inclusive { "<=" } else { "<" }, self.value)
    }
}

impl<'de, T: FromStr<Err = UnitError>> Deserialize<'de> for Limit<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, EXAMPLES)
    }
}

#[cfg(test)]
mod tests {
    use super::Limit;
    use crate::units::{Percent, Span};

    #[test]
    fn a_limit_says_whether_it_is_itself_allowed() {
        let parse = |text: &str| text.parse::<Limit<Span>>().expect("a limit");
        let bound = parse("300ms").value;
        assert!(!parse("< 300ms").holds(&bound));
        assert!(parse("<= 300ms").holds(&bound) && parse("300ms").holds(&bound));
        assert_eq!(parse("<300ms").to_string(), "< 300ms");
        assert_eq!(parse("300ms").to_string(), "<= 300ms");
        let share: Limit<Percent> = "< 0.1%".parse().expect("a limit");
        assert!(share.holds(&Percent::of(0, 1000)) && !share.holds(&Percent::of(1, 1000)));
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for text in ["", "<", "> 300ms", "=300ms", "<< 3ms", "< 300", "300"] {
            assert!(text.parse::<Limit<Span>>().is_err(), "{text}");
        }
    }
}
