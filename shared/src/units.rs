//! Durations, rates and shares, written with their unit: `500ms`, `50/s`, `10%`.

mod difference;
mod limit;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};

pub use self::difference::{Points, Requests};
pub use self::limit::Limit;

/// A length of time, written `500ms`, `5s`, `3m`, `1h` or put together as in `1m30s`. A bare number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(Duration);

/// So many in a time, written `50/s`, `600/m` or `5/h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In which time.
    pub per: Duration,
}

/// A share from 0 to 100, written `10%` or `0.1%`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Percent(f64);

/// Why a text is no quantity: what it lacks, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(String);

/// Units of time, longest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Longer than any deployment may take; a longer one is a slip.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

const DURATION_EXAMPLES: &str = "expected a duration such as `500ms`, `5s`, `3m` or `1h`";
const RATE_EXAMPLES: &str = "expected a rate such as `50/s`, `600/m` or `5/h`";
const PERCENT_EXAMPLES: &str = "expected a share such as `10%` or `0.1%`";

impl Span {
    /// This long.
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("`{text}` is not a duration; {DURATION_EXAMPLES}"));
        let mut rest = text.trim();
        if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(UnitError(format!("`{text}` has no unit; {DURATION_EXAMPLES}")));
        }
        let (mut total, mut smaller_than) = (0_u64, u64::MAX);
        while !rest.is_empty() || smaller_than == u64::MAX {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (_, millis) = UNITS.into_iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(wrong)?;
            rest = &rest[letters..];
            if millis >= smaller_than {
                return Err(wrong());
            }
            smaller_than = millis;
            total = number.checked_mul(millis).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        }
        let span = Duration::from_millis(total);
        if span > LONGEST {
            return Err(UnitError(format!("`{text}` is longer than 168h (7 days)")));
        }
        Ok(Self(span))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return out.write_str("0s");
        }
        for (unit, millis) in UNITS {
            if left >= millis {
                write!(out, "{}{unit}", left / millis)?;
                left %= millis;
            }
        }
        Ok(())
    }
}

impl Rate {
    /// How many a second.
    pub fn per_second(self) -> f64 {
        f64::from(self.count) / self.per.as_secs_f64()
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("`{text}` is not a rate; {RATE_EXAMPLES}"));
        let (count, unit) = text.trim().split_once('/').ok_or_else(wrong)?;
        let count = count.trim().parse().map_err(|_| wrong())?;
        let (_, millis) =
            UNITS.into_iter().find(|(name, _)| *name == unit.trim() && *name != "ms").ok_or_else(wrong)?;
        if count == 0 {
            return Err(UnitError(format!("`{text}` is no rate at all; expected 1 or more")));
        }
        Ok(Self { count, per: Duration::from_millis(millis) })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.per.as_millis();
        let unit = UNITS.into_iter().find(|(_, unit)| u128::from(*unit) == millis).map_or("s", |(unit, _)| unit);
        write!(out, "{}/{unit}", self.count)
    }
}

impl Percent {
    /// The share that `part` is of `whole`; 0 % of nothing.
    #[expect(clippy::cast_precision_loss, reason = "nobody counts beyond 2^53 requests")]
    pub fn of(part: u64, whole: u64) -> Self {
        Self(if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 })
    }

    /// From 0 to 100.
    pub const fn percent(self) -> f64 {
        self.0
    }

    /// From 0 to 1.
    pub fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("`{text}` is not a share; {PERCENT_EXAMPLES}"));
        let number = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim_end();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(wrong());
        }
        let number: f64 = number.parse().map_err(|_| wrong())?;
        if number > 100.0 {
            return Err(UnitError(format!("`{text}` is more than 100%")));
        }
        Ok(Self(number))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}%", self.0)
    }
}

/// Reads the quantity from a text. A number without a unit arrives as its text too, and is refused by name.
fn from_text<'de, D: Deserializer<'de>, T: FromStr<Err = UnitError>>(
    deserializer: D,
    expecting: &'static str,
) -> Result<T, D::Error> {
    struct Quantity<T>(&'static str, std::marker::PhantomData<T>);

    impl<T: FromStr<Err = UnitError>> de::Visitor<'_> for Quantity<T> {
        type Value = T;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str(self.0.trim_start_matches("expected "))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }
    }

    deserializer.deserialize_str(Quantity(expecting, std::marker::PhantomData))
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, DURATION_EXAMPLES)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, RATE_EXAMPLES)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer, PERCENT_EXAMPLES)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Percent, Rate, Span};

    #[test]
    fn durations_carry_their_unit() {
        for (text, millis) in [("500ms", 500), ("5s", 5_000), ("3m", 180_000), ("1h", 3_600_000), ("1m30s", 90_000)] {
            let span: Span = text.parse().expect("a duration");
            assert_eq!(span.duration(), Duration::from_millis(millis), "{text}");
            assert_eq!(span.to_string(), text);
        }
        assert_eq!("0s".parse::<Span>().expect("a duration").to_string(), "0s");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "1.5", "s", "5 s", "5sec", "-5s", "5s3m", "5s5s", "99999999999999999999s", "169h", "5µs"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn rates_say_in_which_time() {
        let rate: Rate = "600/m".parse().expect("a rate");
        assert!((rate.per_second() - 10.0).abs() < 1e-9);
        assert_eq!(rate.to_string(), "600/m");
        for text in ["50", "0/s", "50/ms", "50 per s", "/s", "-1/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_from_0_to_100_percent() {
        assert!(("0.1%".parse::<Percent>().expect("a share").fraction() - 0.001).abs() < 1e-12);
        assert_eq!("10%".parse::<Percent>().expect("a share").to_string(), "10%");
        for text in ["10", "101%", "-1%", "%", "nan%", "1e2%", "1pp"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }
}
