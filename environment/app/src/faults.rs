//! The ways this service can be told to misbehave, so that a rehearsal shows what becomes of it.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const NAMES: [&str; 11] = [
    "bad-under-load=N",
    "crash-after=N",
    "exit-at-start",
    "hang",
    "health-500",
    "never-listen",
    "orders-500",
    "ready-503",
    "serial=30ms",
    "slow=300ms",
    "wrong-schema",
];

/// What `FAULT` asks for: a comma-separated list of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// `/health` answers 500; everything else is well.
    pub(crate) health_500: bool,
    /// `/ready` answers 503.
    pub(crate) ready_503: bool,
    /// Placing an order answers 500.
    pub(crate) orders_500: bool,
    /// Every answer takes this long.
    pub(crate) slow: Option<Duration>,
    /// Requests are answered one after the other, each in this long: fine for one user, and not for many.
    pub(crate) serial: Option<Duration>,
    /// After this many requests of users, every second of theirs fails.
    pub(crate) bad_under_load: Option<u64>,
    /// The request after this many of any kind ends the process with exit code 7.
    pub(crate) crash_after: Option<u64>,
    /// The process ends at once with exit code 3.
    pub(crate) exit_at_start: bool,
    /// The process runs but opens no port.
    pub(crate) never_listen: bool,
    /// Connections are accepted and never answered.
    pub(crate) hang: bool,
    /// An order's `id` is called `order_id`.
    pub(crate) wrong_schema: bool,
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for fault in text.split(',').map(str::trim).filter(|fault| !fault.is_empty()) {
            match fault.split_once('=').map_or((fault, None), |(name, value)| (name, Some(value))) {
                ("bad-under-load", Some(value)) => faults.bad_under_load = Some(count(fault, value)?),
                ("crash-after", Some(value)) => faults.crash_after = Some(count(fault, value)?),
                ("serial", Some(value)) => faults.serial = Some(duration(fault, value)?),
                ("slow", Some(value)) => faults.slow = Some(duration(fault, value)?),
                ("exit-at-start", None) => faults.exit_at_start = true,
                ("hang", None) => faults.hang = true,
                ("health-500", None) => faults.health_500 = true,
                ("never-listen", None) => faults.never_listen = true,
                ("orders-500", None) => faults.orders_500 = true,
                ("ready-503", None) => faults.ready_503 = true,
                ("wrong-schema", None) => faults.wrong_schema = true,
                _ => return Err(format!("FAULT names \"{fault}\"; one of these is expected: {}", NAMES.join(", "))),
            }
        }
        Ok(faults)
    }
}

fn count(fault: &str, value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("FAULT has \"{fault}\"; a number of requests is expected after the ="))
}

fn duration(fault: &str, value: &str) -> Result<Duration, String> {
    let number = |digits: &str| digits.parse::<u64>().ok();
    let parsed = match value.strip_suffix("ms") {
        Some(digits) => number(digits).map(Duration::from_millis),
        None => value.strip_suffix('s').and_then(number).map(Duration::from_secs),
    };
    parsed.ok_or_else(|| format!("FAULT has \"{fault}\"; a time such as 300ms or 2s is expected after the ="))
}

/// What the requests so far have done to a service with faults.
#[derive(Debug, Default)]
pub(crate) struct Wear {
    requests: AtomicU64,
    of_users: AtomicU64,
    turn: tokio::sync::Mutex<()>,
}

/// What a fault makes of one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    /// Answer 500 instead.
    Fail,
    /// End the process.
    Crash,
}

impl Wear {
    /// Waits for this request's turn, and takes as long as it takes.
    pub(crate) async fn take_turn(&self, time: Duration) {
        let _turn = self.turn.lock().await;
        tokio::time::sleep(time).await;
    }

    /// Books one request and says what becomes of it. A request of a health check or of a test is no user's.
    pub(crate) fn book(&self, faults: &Faults, path: &str, user_agent: &str) -> Effect {
        let requests = self.requests.fetch_add(1, Ordering::Relaxed);
        if faults.crash_after.is_some_and(|limit| requests >= limit) {
            return Effect::Crash;
        }
        let Some(limit) = faults.bad_under_load else { return Effect::None };
        if user_agent.starts_with("ELB-HealthChecker/") || user_agent.starts_with("greenlight/") {
            return Effect::None;
        }
        let over = (self.of_users.fetch_add(1, Ordering::Relaxed) + 1).saturating_sub(limit);
        let is_business = path == "/" || path == "/orders" || path.starts_with("/orders/");
        if is_business && over % 2 == 1 { Effect::Fail } else { Effect::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_faults_is_read_with_values_and_spaces() {
        let faults: Faults = "health-500, slow=300ms,bad-under-load=20".parse().expect("all known");
        let expected = Faults {
            health_500: true,
            slow: Some(Duration::from_millis(300)),
            bad_under_load: Some(20),
            ..Faults::default()
        };
        assert_eq!(faults, expected);
    }

    #[test]
    fn an_unknown_fault_is_named_with_the_valid_ones() {
        let error = "healh-500".parse::<Faults>().expect_err("misspelt");
        assert!(
            error.starts_with("FAULT names \"healh-500\"; one of these is expected: bad-under-load=N, "),
            "{error}"
        );
    }

    #[test]
    fn a_time_without_a_unit_is_refused() {
        let error = "slow=300".parse::<Faults>().expect_err("no unit");
        assert_eq!(error, "FAULT has \"slow=300\"; a time such as 300ms or 2s is expected after the =");
    }

    #[test]
    fn a_name_that_needs_a_value_is_refused_without_one() {
        assert!("crash-after".parse::<Faults>().is_err());
        assert!("hang=3".parse::<Faults>().is_err());
    }

    #[test]
    fn bad_under_load_spares_health_checks_and_tests_however_many_there_are() {
        let faults = Faults { bad_under_load: Some(2), ..Faults::default() };
        let wear = Wear::default();
        for _ in 0..50 {
            assert_eq!(wear.book(&faults, "/orders", "ELB-HealthChecker/2.0"), Effect::None);
            assert_eq!(wear.book(&faults, "/orders", "greenlight/0.1.0 (after-allow-test-traffic)"), Effect::None);
        }
    }

    #[test]
    fn bad_under_load_fails_every_second_request_of_users_after_the_limit() {
        let faults = Faults { bad_under_load: Some(2), ..Faults::default() };
        let wear = Wear::default();
        let effects: Vec<_> = (0..6).map(|_| wear.book(&faults, "/orders", "curl/8")).collect();
        use Effect::{Fail, None};
        assert_eq!(effects, [None, None, Fail, None, Fail, None]);
    }

    #[test]
    fn bad_under_load_leaves_the_health_path_alone() {
        let faults = Faults { bad_under_load: Some(0), ..Faults::default() };
        let wear = Wear::default();
        assert_eq!(wear.book(&faults, "/health", "curl/8"), Effect::None);
    }

    #[test]
    fn crash_after_two_lets_two_requests_through() {
        let faults = Faults { crash_after: Some(2), ..Faults::default() };
        let wear = Wear::default();
        let effects: Vec<_> = (0..3).map(|_| wear.book(&faults, "/health", "ELB-HealthChecker/2.0")).collect();
        assert_eq!(effects, [Effect::None, Effect::None, Effect::Crash]);
    }
}
