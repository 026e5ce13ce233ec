//! The leave to go on although an alarm fires: the deployment may be what ends it.
//!
//! A person writes it into a parameter beside the plan, for some hours: `{ alarms: [orders-5xx], until: …, reason: … }`.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::words::{list, shortened};
use crate::check::{CannotTell, CheckContext};
use crate::deployment::AnyDeployment;
use crate::document::{self, DocumentError, Spanned};
use crate::plan_source::parameter_name;
use crate::report::words::{chain, one_line};

/// The parameter's text in messages that point into it.
const SOURCE: &str = "its text";

/// Longest time that one leave may last: an outage, not a habit.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// What a person allows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Permit {
    /// Alarms that may fire.
    alarms: Vec<String>,
    /// When it ends, `2026-11-21T18:00:00Z`.
    until: Spanned<String>,
    /// Why, for whoever reads the report.
    reason: String,
}

/// Whether these alarms may fire.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Nobody has said so.
    None,
    /// It is said, and why it does not count.
    Void(String),
    /// They may; by whom, until when and why.
    Given(String),
}

/// The parameter in which such a leave is looked for, where there can be one.
pub(super) fn parameter(deployment: &impl AnyDeployment) -> Option<String> {
    let (first, second) = deployment.names();
    parameter_name(first, second).map(|plan| format!("{plan}/proceed"))
}

/// Looks for the leave for these alarms. One that cannot be asked for is as good as none: an alarm fires.
pub(super) async fn leave<D: AnyDeployment>(context: &CheckContext<D>, firing: &[String]) -> Result<Leave, CannotTell> {
    let Some(name) = parameter(context.deployment.as_ref()) else { return Ok(Leave::None) };
    let text = match context.ports.parameters().parameter(&name).await {
        Ok(None) => return Ok(Leave::None),
        Ok(Some(text)) => text,
        Err(error) if error.transient => return Err(error),
        Err(error) => return Ok(Leave::Void(format!("parameter {name} was not read: {}", chain(&error)))),
    };
    Ok(match judge(&text, &name, firing, context.now) {
        Ok(given) => Leave::Given(given),
        Err(why) => Leave::Void(format!("parameter {name} does not count: {why}")),
    })
}

fn judge(text: &str, name: &str, firing: &[String], now: Timestamp) -> Result<String, String> {
    let permit: Permit = document::parse(text, SOURCE).map_err(|mistakes| first_line(mistakes.first()))?;
    let until: Timestamp = permit.until.value.parse().map_err(|_| {
        let message = format!("`{}` is no time; expected one such as `{now:.0}`", one_line(&permit.until.value, 40));
        first_line(&DocumentError::at(SOURCE, text, permit.until.referenced, message))
    })?;
    if until <= now {
        return Err(format!("it ended at {until:.0}"));
    }
    if until.duration_since(now) > LONGEST {
        return Err(format!("it lasts until {until:.0}, longer than the 24 hours that one may"));
    }
    if permit.reason.trim().is_empty() {
        return Err("it gives no reason".to_owned());
    }
    let others: Vec<String> = firing.iter().filter(|alarm| !permit.alarms.contains(alarm)).cloned().collect();
    if !others.is_empty() {
        return Err(format!("it does not name {}", list(&others)));
    }
    Ok(format!("parameter {name} lets it go on until {until:.0}: \"{}\"", shortened(&permit.reason)))
}

/// A message without the lines that show the place.
fn first_line(message: &DocumentError) -> String {
    message.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{Leave, leave};
    use crate::fakes::Fakes;
    use crate::stage::Stage;

    /// It is half past twelve.
    async fn told(text: &str) -> String {
        let fakes = Fakes::well();
        fakes.state().parameters.insert("/greenlight/shop/orders/proceed".to_owned(), text.to_owned());
        let context = fakes.context(Stage::BeforeInstall);
        match leave(&context, &["orders-5xx".to_owned()]).await.expect("it can be asked") {
            Leave::None => "none".to_owned(),
            Leave::Void(why) => why,
            Leave::Given(by) => by,
        }
    }

    #[tokio::test]
    async fn a_leave_says_until_when_and_why() {
        let told = told("{ alarms: [orders-5xx], until: 2026-11-21T18:00:00Z, reason: the fix of INC-7 }").await;
        assert_snapshot!(told, @r#"parameter /greenlight/shop/orders/proceed lets it go on until 2026-11-21T18:00:00Z: "the fix of INC-7""#);
    }

    #[tokio::test]
    async fn one_that_is_over_too_long_or_for_others_does_not_count() {
        assert_snapshot!(told("{ alarms: [orders-5xx], until: 2026-11-21T12:30:00Z, reason: r }").await, @"parameter /greenlight/shop/orders/proceed does not count: it ended at 2026-11-21T12:30:00Z");
        assert_snapshot!(told("{ alarms: [orders-5xx], until: 2026-11-22T12:30:01Z, reason: r }").await, @"parameter /greenlight/shop/orders/proceed does not count: it lasts until 2026-11-22T12:30:01Z, longer than the 24 hours that one may");
        assert_snapshot!(told("{ alarms: [another], until: 2026-11-21T18:00:00Z, reason: r }").await, @"parameter /greenlight/shop/orders/proceed does not count: it does not name orders-5xx");
        assert_snapshot!(told("{ alarms: [orders-5xx], until: 2026-11-21T18:00:00Z, reason: ' ' }").await, @"parameter /greenlight/shop/orders/proceed does not count: it gives no reason");
    }

    #[tokio::test]
    async fn a_malformed_one_says_what_is_wrong() {
        assert_snapshot!(told("{ alarms: [orders-5xx], til: tomorrow }").await, @"parameter /greenlight/shop/orders/proceed does not count: its text:1:25: unknown key `til`; expected one of `alarms`, `until`, `reason`");
        assert_snapshot!(told("{ alarms: [orders-5xx], until: tomorrow, reason: r }").await, @"parameter /greenlight/shop/orders/proceed does not count: its text:1:32: `tomorrow` is no time; expected one such as `2026-11-21T12:30:00Z`");
        assert_snapshot!(told("yes").await, @"parameter /greenlight/shop/orders/proceed does not count: its text:1:1: expected a mapping (`key: value` lines)");
    }

    #[tokio::test]
    async fn none_is_none_and_one_that_may_not_be_read_is_said() {
        let fakes = Fakes::well();
        let context = fakes.context(Stage::BeforeInstall);
        assert_eq!(leave(&context, &[]).await.expect("it can be asked"), Leave::None);
        fakes.state().unreachable = Some(false);
        let void = "parameter /greenlight/shop/orders/proceed was not read: parameter /greenlight/shop/orders/proceed: the \
                    call was refused";
        assert_eq!(leave(&context, &[]).await.expect("a refusal is no error here"), Leave::Void(void.to_owned()));
        fakes.state().unreachable = Some(true);
        assert!(leave(&context, &[]).await.is_err(), "asked again");
    }
}
