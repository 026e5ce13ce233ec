//! Differences of shares, and numbers of requests: `1pp`, `200 requests`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};

use super::{UnitError, from_text};

const POINTS_EXAMPLES: &str = "expected percentage points such as `1pp` or `0.5pp`";
const REQUESTS_EXAMPLES: &str = "expected a number of requests such as `200 requests`";

/// A difference of two shares in percentage points, from 0 to 100: `1pp`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Points(f64);

impl Points {
    /// So many percentage points.
    pub const fn new(points: f64) -> Self {
        Self(points)
    }

    /// From 0 to 100.
    pub const fn points(self) -> f64 {
        self.0
    }
}

impl FromStr for Points {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("`{text}` is no difference of shares; {POINTS_EXAMPLES}"));
        let number = text.trim().strip_suffix("pp").ok_or_else(wrong)?.trim_end();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(wrong());
        }
        let number: f64 = number.parse().map_err(|_| wrong())?;
        if number > 100.0 {
            return Err(UnitError(format!("`{text}` is more than 100pp")));
        }
        Ok(Self(number))
    }
}

impl fmt::Display for Points {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}pp", self.0)
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, POINTS_EXAMPLES)
    }
}

/// A number of requests: `200 requests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requests(u64);

impl Requests {
    /// So many.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// How many.
    pub const fn count(self) -> u64 {
        self.0
    }
}

impl FromStr for Requests {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("`{text}` is no number of requests; {REQUESTS_EXAMPLES}"));
        let trimmed = text.trim();
        let number = trimmed.strip_suffix("requests").or_else(|| trimmed.strip_suffix("request")).ok_or_else(wrong)?;
        let number: u64 = number.trim_end().parse().map_err(|_| wrong())?;
        if number == 0 {
            return Err(UnitError(format!("`{text}` is none at all; expected 1 or more")));
        }
        Ok(Self(number))
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.0, if self.0 == 1 { "request" } else { "requests" })
    }
}

impl<'de> Deserialize<'de> for Requests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, REQUESTS_EXAMPLES)
    }
}

#[cfg(test)]
mod tests {
    use super::{Points, Requests};

    #[test]
    fn points_and_requests_carry_their_unit() {
        assert_eq!("0.5pp".parse::<Points>().expect("points").to_string(), "0.5pp");
        assert_eq!("200 requests".parse::<Requests>().expect("requests").count(), 200);
        assert_eq!("1 request".parse::<Requests>().expect("requests").to_string(), "1 request");
        for text in ["1", "1%", "-1pp", "pp", "101pp", "nanpp"] {
            assert!(text.parse::<Points>().is_err(), "{text}");
        }
        for text in ["200", "0 requests", "-1 requests", "requests", "1.5 requests"] {
            assert!(text.parse::<Requests>().is_err(), "{text}");
        }
    }
}
