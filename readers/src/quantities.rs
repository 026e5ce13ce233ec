//! Durations, rates, shares and limits, one on a line.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use greenlight::plan::Comparison;
use greenlight::units::{Limit, Percent, Points, Rate, Requests, Span};

use crate::documents;

pub(crate) fn read(bytes: &[u8]) {
    for line in documents::text(bytes).lines() {
        is_read_as_it_is_told::<Span>(line);
        is_read_as_it_is_told::<Rate>(line);
        is_read_as_it_is_told::<Percent>(line);
        is_read_as_it_is_told::<Points>(line);
        is_read_as_it_is_told::<Requests>(line);
        is_read_as_it_is_told::<Limit<Span>>(line);
        is_read_as_it_is_told::<Limit<Percent>>(line);
        is_read_as_it_is_told::<Comparison>(line);
    }
}

/// What a report says of a quantity can be copied into the plan.
fn is_read_as_it_is_told<T>(text: &str)
where
    T: FromStr<Err: Display> + Display + PartialEq + Debug,
{
    match text.parse::<T>() {
        Ok(quantity) => {
            let told = quantity.to_string();
            assert!(told.parse().is_ok_and(|again: T| again == quantity), "{text:?} is told as {told:?}");
        }
        Err(why) => assert!(!why.to_string().is_empty(), "it says why"),
    }
}
